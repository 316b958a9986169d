"""The receiver as a whole, called as the WSGI application it is, on a real store."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.inbox.json_forms import row_object
from soapsvc.inbox.sql_store import SqlStore, open_store
from soapsvc.intake.drop_reader import DropReader
from soapsvc.judge import MAX_DEVIATIONS, Judge
from soapsvc.judging_again import judge_again
from soapsvc.receiver import Receiver
from soapsvc.records import Conformance, PushState
from soapsvc.settings import OwnSettings, Settings
from soapsvc.shipped import SAMPLES, WSDL_FILE
from tests.pushing import TEXT_XML, HttpAnswer, envelope
from tests.wsdl_schema import payload_schemas

GOLDEN = Path(__file__).parent / "golden"
MIB = 1024 * 1024
FIRST = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class Called:
    """A receiver with its store and a clock that moves a second a push."""

    def __init__(self, folder: Path, **changed: Any):
        self.settings = Settings(**changed)
        self.store: SqlStore = open_store(
            f"sqlite:///{folder / 'inbox.db'}", quarantine_max_bytes=64 * MIB, quarantine_max_bytes_per_source=64 * MIB
        )
        self.now = FIRST
        wsdl = WsdlDocument.load(self.settings.wsdl or WSDL_FILE)
        self.app = Receiver(self.settings, wsdl, self.store, clock=self.tick)

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def post(self, body: bytes, headers: Mapping[str, str] = TEXT_XML) -> HttpAnswer:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/push", "QUERY_STRING": "",
            "REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
        }  # fmt: skip
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        told: list[Any] = []
        answer = b"".join(self.app(environ, lambda status, http_headers: told.append((status, http_headers))))
        (status, http_headers) = told[0]
        return HttpAnswer(int(status.split()[0]), {k.lower(): v for k, v in http_headers}, answer)

    def objects(self, state: PushState | None = None) -> list[dict[str, Any]]:
        return [row_object(row) for row in self.store.rows(limit=None, state=state)]


@pytest.fixture
def called(tmp_path: Path) -> Iterator[Called]:
    receiver = Called(tmp_path)
    yield receiver
    receiver.store.close()


def with_degree(folder: Path, degree: Conformance) -> Called:
    folder.mkdir()
    return Called(folder, conformance=degree)


def rules_of(answer: HttpAnswer) -> list[str]:
    return [element.get("rule") for element in etree.fromstring(answer.body).iter("{urn:soapsvc:verdict:1}deviation")]


def test_a_push_is_stored_with_its_raw_bytes_before_it_is_acknowledged(called: Called) -> None:
    sent = envelope(42, b"what was reported")
    answer = called.post(sent)
    assert answer.acknowledged
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    (row,) = called.store.rows()
    assert called.store.open_raw(row.id).read() == sent
    assert called.store.open_document(row.id, 1).read() == b"what was reported"
    assert row.received_at == FIRST + timedelta(seconds=1)


@pytest.mark.parametrize("sample", ["sampleReport", "sampleOtherDialect"])  # with a SubmitId, and without
def test_the_acknowledgement_is_the_one_on_file_and_valid_by_the_wsdl(called: Called, sample: str) -> None:
    answer = called.post((SAMPLES / f"{sample}.xml").read_bytes())
    assert answer.status == 200
    assert answer.body == (GOLDEN / f"acknowledgement-of-{sample}.xml").read_bytes()
    (body,) = etree.fromstring(answer.body)
    (acknowledgement,) = body
    assert payload_schemas()[etree.QName(acknowledgement).namespace].validate(acknowledgement)


@pytest.mark.parametrize(
    "headers",
    [TEXT_XML, {"Content-Type": "text/xml"}, {"Content-Type": "application/soap+xml"}, {},
     {**TEXT_XML, "Content-Encoding": "gzip"}, {**TEXT_XML, "SOAPAction": "other"}],
)  # fmt: skip
def test_what_is_refused_would_be_refused_for_the_same_once_more(called: Called, headers: dict[str, str]) -> None:
    judge = Judge(called.settings, WsdlDocument.load(WSDL_FILE))
    for sample in [*(SAMPLES / "refused").glob("*.xml"), SAMPLES / "sampleTwoDocuments.xml"]:
        called.post(sample.read_bytes(), headers)
    kept = [called.store.stored(row.id) for row in called.store.rows(state=PushState.QUARANTINED)]
    assert len(kept) >= 5
    for stored in kept:
        assert not judge_again(called.store, judge, DropReader(called.settings, judge), stored.row.id).passed
        assert called.store.stored(stored.row.id) == stored


def test_a_redelivery_is_one_push_with_a_count_and_gets_the_same_answer(called: Called) -> None:
    answers = [called.post(envelope(42)) for _ in range(3)]
    assert answers[0].acknowledged
    assert len({answer.body for answer in answers}) == 1
    (push,) = called.objects()
    assert push["redeliveries"] == 2


def test_the_same_job_with_another_document_is_kept_as_a_conflict(called: Called) -> None:
    called.post(envelope(42, b"one"))
    assert called.post(envelope(42, b"two")).acknowledged
    assert called.post(envelope(42, b"two")).acknowledged
    newest, first = called.objects()
    assert (newest["conflict_of"], newest["redeliveries"]) == (first["id"], 1)
    assert called.store.open_document(newest["id"], 1).read() == b"two"


def test_a_verdict_names_every_deviation_with_its_place(called: Called) -> None:
    sent = (
        envelope(42)
        .replace(b"<MRN>42</MRN>", b"<MRN>4x2</MRN>")
        .replace(b'format="base64">', b'format="base64">%')
        .replace(b"<DocType>text</DocType>", b"<Extra/><DocType>text</DocType>")
        .replace(b'soapenv:Body>\n    <Job', b'soapenv:Body soapenv:encodingStyle="urn:x">\n    <Job')
    )  # fmt: skip
    answer = called.post(sent)
    assert answer.status == 500
    (row,) = called.store.rows(state=PushState.QUARANTINED)
    assert called.store.open_raw(row.id).read() == sent
    deviations = called.store.stored(row.id).verdict.deviations
    lines = sent.decode().splitlines()

    def line_with(word: str) -> int:
        return next(number for number, line in enumerate(lines, 1) if word in line)

    found = {deviation.rule.split("-")[0]: deviation.line for deviation in deviations}
    assert set(found) == {"SOAP", "XSD", "PAY"}
    assert {d.line for d in deviations} >= {line_with("<MRN>"), line_with("<DocData"), line_with("<Extra"),
                                           line_with("encodingStyle")}  # fmt: skip
    assert all(deviation.found and deviation.wanted for deviation in deviations)
    assert rules_of(answer) == [deviation.rule for deviation in deviations]


def test_a_source_may_have_a_degree_of_its_own_and_the_narrowest_range_counts(tmp_path: Path) -> None:
    degrees = {"127.0.0.0/8": "observe", "127.0.0.1/32": "strict", "::/0": "guarded"}
    settings = OwnSettings(conformance="guarded", conformance_by_source=degrees)
    told = [settings.conformance_for(source) for source in ("127.0.0.9", "127.0.0.1", "192.0.2.1", "::1", "nobody")]
    assert told == ["observe", "strict", "guarded", "guarded", "guarded"]
    called = Called(tmp_path, conformance_by_source={"127.0.0.1/32": "observe"})
    assert called.post(envelope(1).replace(b"<MRN>1<", b"<MRN>x<")).acknowledged
    (row,) = called.store.rows()
    assert called.store.stored(row.id).verdict.conformance is Conformance.OBSERVE
    called.store.close()


def test_a_block_that_must_be_understood_hides_no_other_deviation(called: Called) -> None:
    must = b'<x:Unknown xmlns:x="urn:x" soapenv:mustUnderstand="1"/></soapenv:Header>'
    sent = envelope(42).replace(b"</soapenv:Header>", must).replace(b'format="base64">', b'format="base64">%')
    answer = called.post(sent.replace(b"<MRN>42</MRN>", b"<MRN>4x2</MRN>"))
    assert b":MustUnderstand</faultcode>" in answer.body
    (row,) = called.store.rows()
    rules = [deviation.rule for deviation in called.store.stored(row.id).verdict.deviations]
    assert rules == ["SOAP-012", "XSD-011", "PAY-001"]


def test_a_verdict_of_thousands_is_bounded_and_says_how_many_there_are(called: Called) -> None:
    sent = envelope(42).replace(b"<DocType>", b"<Extra/>" * 4000 + b"<DocType>")
    assert called.post(sent).status == 500
    (row,) = called.store.rows()
    deviations = called.store.stored(row.id).verdict.deviations
    assert len(deviations) == MAX_DEVIATIONS
    assert deviations[-1].found == "3001 further deviations, which are not listed"
    assert called.store.open_raw(row.id).read() == sent


def test_guarded_takes_what_touches_only_the_inferred_and_refuses_the_rest(tmp_path: Path) -> None:
    called = with_degree(tmp_path / "guarded", Conformance.GUARDED)
    no_header = envelope(1)
    no_header = no_header.replace(no_header[no_header.index(b"<Response") : no_header.index(b"</soapenv:Header>")], b"")
    assert called.post(no_header).acknowledged, "the header's binding is INFERRED"
    (push,) = called.objects()
    assert push["deviations"] > 0
    status_code = envelope(2).replace(b"<StatusCode>0<", b"<StatusCode>zero<")
    assert called.post(status_code).status == 500, "StatusType is SIBLING"
    assert called.post(envelope(3).replace(b'format="base64">', b'format="base64">%')).status == 500
    called.store.close()


def test_observe_takes_whatever_can_be_stored_and_keeps_an_undecodable_document_as_sent(tmp_path: Path) -> None:
    called = with_degree(tmp_path / "observe", Conformance.OBSERVE)
    sent = envelope(1, b"x").replace(b'format="base64">', b'format="base64">%').replace(b"<StatusCode>0<", b"<Code>0<")
    sent = sent.replace(b"</StatusCode>", b"</Code>")
    assert called.post(sent).acknowledged
    (push,) = called.objects()
    assert push["state"] == "accepted"
    assert push["deviations"] >= 2
    assert called.store.open_document(push["id"], 1).read() == b"%eA=="
    assert called.post(b"<not xml").status == 500
    called.store.close()


def test_a_store_that_is_gone_gives_a_server_fault_and_no_acknowledgement(called: Called) -> None:
    called.store.close()
    answer = called.post(envelope(1))
    assert answer.status == 500
    assert b":Server</faultcode>" in answer.body
    assert "retry-after" in answer.headers
    for secret in (b"sqlite", b"Traceback", b"/", b"soapsvc."):
        said = etree.fromstring(answer.body).findtext(".//faultstring").encode()
        assert secret not in said.lower()


def test_a_password_in_a_message_is_shown_nowhere(called: Called, capfd: pytest.CaptureFixture[str]) -> None:
    request = (
        b'<Request xmlns="http://premconn.premiereconnect.com/2007/02"><ReceiverKey>http://x.example</ReceiverKey>'
        b"<Authentication><XDDSAuth><RequesterID>user7</RequesterID><Password>s3cr3t-word</Password></XDDSAuth>"
        b"</Authentication></Request></soapenv:Header>"
    )
    answers = [
        called.post(envelope(1).replace(b"</soapenv:Header>", request)),
        called.post(envelope(2).replace(b"</soapenv:Header>", request.replace(b"<RequesterID>user7", b"<Odd>user7")
                                        .replace(b"</RequesterID>", b"</Odd>"))),
    ]  # fmt: skip
    assert [answer.status for answer in answers] == [200, 500]
    shown = json.dumps(called.objects()) + "".join(str(called.store.stored(row.id)) for row in called.store.rows())
    output = capfd.readouterr()
    shown += output.out + output.err + "".join(answer.body.decode() for answer in answers)
    assert "s3cr3t-word" not in shown


def test_credentials_in_http_headers_are_not_stored(called: Called) -> None:
    called.post(envelope(1), {**TEXT_XML, "Authorization": "Basic dXNlcjpzM2NyM3Qtd29yZA==", "Cookie": "s=3"})
    (row,) = called.store.rows()
    stored = dict(called.store.stored(row.id).http_headers)
    assert stored["Authorization"] == stored["Cookie"] == "***"


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A sample with a few bytes cut out, put in, changed or repeated."""
    body = draw(st.sampled_from(MUTATED))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        until = min(len(body), at + draw(st.integers(0, 60)))
        piece = draw(
            st.one_of(
                st.just(b""),
                st.binary(max_size=8),
                st.sampled_from([b"<", b">", b"&", b"]]>", b"<!--", b"\0", b"\xff\xfe", b"<x/>", b'"', b"&#0;", b"</"]),
                st.just(body[at:until] * 2),
            )
        )
        body = body[:at] + piece + body[until:]
    return body


MUTATED = [
    envelope(7),
    *((SAMPLES / name).read_bytes() for name in ("sampleOtherDialect.xml", "sampleTwoDocuments.xml")),
]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=mutations(), degree=st.sampled_from(list(Conformance)))
def test_mutated_bytes_get_an_answer_that_the_store_bears_out(
    receivers: dict[Conformance, Called], body: bytes, degree: Conformance
) -> None:
    called = receivers[degree]
    before = called.store.stats()
    answer = called.post(body)
    after = called.store.stats()
    taken = (after.accepted - before.accepted) + (after.redeliveries - before.redeliveries)
    refused = after.quarantined - before.quarantined
    if answer.status == 200:
        assert answer.acknowledged
        assert (taken, refused) == (1, 0)
    else:
        assert answer.status in (415, 500)
        assert (taken, refused) == (0, 1)
        newest = next(iter(called.store.rows(limit=1)))
        assert called.store.open_raw(newest.id).read() == body
    if answer.status == 500:
        faultcode = etree.fromstring(answer.body).findtext(".//faultcode")
        assert faultcode is not None
        assert faultcode.split(":")[1] in {"Client", "VersionMismatch", "MustUnderstand"}


@pytest.fixture(scope="module")
def receivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Conformance, Called]]:
    made = {degree: with_degree(tmp_path_factory.mktemp("mutated") / degree, degree) for degree in Conformance}
    yield made
    for called in made.values():
        called.store.close()
