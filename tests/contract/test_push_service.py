"""A judged push goes through Spyne to the store, and what comes back is acknowledged by the WSDL's own element."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import spyne.context
from lxml import etree

from soapsvc.contract.push_service import PushService
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.errors import ContractError, StoreUnavailable
from soapsvc.namespaces import SOAP11_ENVELOPE
from soapsvc.records import Accepted, Arrival, Conformance, Push, PushKind, Verdict
from soapsvc.shipped import WSDL_FILE
from soapsvc.spool import Content

TNS = "{http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10}"
ROOT = f"{TNS}JobDocumentTransmitResult"
AT = datetime(2012, 11, 4, 13, 20, 1, 31999, UTC)
TEXT = WSDL_FILE.read_text(encoding="utf-8")
VERDICT = Verdict(Conformance.STRICT, "0" * 64)
SECRET = "a customer's words"
Serve = Callable[..., PushService]


def push(n: int = 1, root: str = ROOT) -> Push:
    raw = Content.of(SECRET.encode())
    return Push(Arrival(AT, "192.0.2.1"), raw, PushKind.REPORT, root, None, f"S-{n}", None, None, (), (), {}, "0" * 64)


def take(accepted: Push, verdict: Verdict) -> Accepted:
    """A store's word for any push."""
    return Accepted(f"id of {accepted.submit_id}", AT, accepted.submit_id)


def body(answer: bytes) -> etree._Element:
    """The Body of an answer; that it is an envelope with a Body alone is held here."""
    envelope = etree.fromstring(answer)
    assert envelope.tag == f"{{{SOAP11_ENVELOPE}}}Envelope"
    (found,) = envelope
    assert found.tag == f"{{{SOAP11_ENVELOPE}}}Body"
    return found


@pytest.fixture(scope="module")
def wsdl() -> WsdlDocument:
    return WsdlDocument.load(WSDL_FILE)


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """A service for a WSDL that differs from the shipped one."""

    def of(*edits: tuple[str, str], accept: Callable[[Push, Verdict], Accepted] = take) -> PushService:
        text = TEXT
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "service.wsdl").write_text(text, encoding="utf-8")
        return PushService(WsdlDocument.load(tmp_path / "service.wsdl"), accept)

    return of


def test_the_acknowledgement_says_status_0_the_submit_id_and_the_time_of_arrival(wsdl: WsdlDocument) -> None:
    answer = PushService(wsdl, take).dispatch(push(), VERDICT)
    assert answer.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    (acknowledgement,) = body(answer)
    assert acknowledgement.tag == f"{TNS}JobDocumentTransmitResultAck"
    assert [(e.tag.removeprefix(TNS), e.text) for e in acknowledgement.iter() if not len(e)] == [
        ("StatusCode", "0"),
        ("SubmissionTime", "2012-11-04T13:20:01.031Z"),
        ("CompletionTime", "2012-11-04T13:20:01.031Z"),
        ("SubmitId", "S-1"),
    ]


def test_a_push_without_a_submit_id_is_acknowledged_without_one(wsdl: WsdlDocument) -> None:
    answer = PushService(wsdl, lambda p, v: Accepted("id", AT, None)).dispatch(push(), VERDICT)
    assert body(answer)[0].find(f"{TNS}SubmitId") is None


def test_a_time_in_another_zone_is_told_in_utc(wsdl: WsdlDocument) -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=-5)))
    answer = PushService(wsdl, lambda p, v: Accepted("id", elsewhere, "S-1")).dispatch(push(), VERDICT)
    assert b"2012-11-04T13:20:01.031Z" in answer


def test_a_redelivery_gets_the_same_bytes_also_from_another_process(wsdl: WsdlDocument, checkout: Path) -> None:
    first = PushService(wsdl, take).dispatch(push(), VERDICT)
    assert PushService(wsdl, take).dispatch(push(), VERDICT) == first
    script = (
        "import sys; from tests.contract.test_push_service import *;"
        "sys.stdout.buffer.write(PushService(WsdlDocument.load(WSDL_FILE), take).dispatch(push(), VERDICT))"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        again = subprocess.run([sys.executable, "-c", script], cwd=checkout, env=environment, capture_output=True,
                               check=True, timeout=60)  # fmt: skip
        assert again.stdout == first


def test_accept_is_handed_the_very_push_and_verdict(wsdl: WsdlDocument) -> None:
    seen: list[tuple[Push, Verdict]] = []

    def accept(accepted: Push, verdict: Verdict) -> Accepted:
        seen.append((accepted, verdict))
        return take(accepted, verdict)

    service = PushService(wsdl, accept)
    assert seen == [], "the trial at start-up reaches no store"
    one = push()
    service.dispatch(one, VERDICT)
    assert len(seen) == 1
    assert seen[0][0] is one
    assert seen[0][1] is VERDICT


def test_a_store_that_cannot_write_is_heard_unchanged_and_nothing_is_logged(
    wsdl: WsdlDocument, caplog: pytest.LogCaptureFixture
) -> None:
    unavailable = StoreUnavailable("no room")

    def accept(accepted: Push, verdict: Verdict) -> Accepted:
        raise unavailable

    service = PushService(wsdl, accept)
    caplog.set_level(logging.INFO)
    with pytest.raises(StoreUnavailable) as raised:
        service.dispatch(push(), VERDICT)
    assert raised.value is unavailable
    assert caplog.records == []


def test_any_other_exception_passes_through_too(wsdl: WsdlDocument) -> None:
    def accept(accepted: Push, verdict: Verdict) -> Accepted:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        PushService(wsdl, accept).dispatch(push(), VERDICT)


def test_spyne_logs_no_content_even_where_everything_is_logged(
    wsdl: WsdlDocument, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("spyne")]:
        caplog.set_level(logging.DEBUG, name)
    PushService(wsdl, take).dispatch(push(), VERDICT)
    assert caplog.records, "the logging of Spyne is on"
    assert SECRET not in caplog.text
    assert "StatusCode>" not in caplog.text
    assert "S-1" not in caplog.text


def test_spyne_does_not_run_the_garbage_collector(wsdl: WsdlDocument) -> None:
    before = spyne.context._LAST_GC_RUN
    service = PushService(wsdl, take)
    for n in range(3):
        service.dispatch(push(n), VERDICT)
    assert before == spyne.context._LAST_GC_RUN


def test_a_root_that_no_operation_binds_goes_to_the_only_one(wsdl: WsdlDocument) -> None:
    answer = PushService(wsdl, take).dispatch(push(root="{urn:other}Result"), VERDICT)
    assert body(answer)[0].tag == f"{TNS}JobDocumentTransmitResultAck"


def test_each_of_many_threads_gets_the_acknowledgement_of_its_own_push(wsdl: WsdlDocument) -> None:
    service = PushService(wsdl, take)

    def submit_id(n: int) -> str | None:
        return body(service.dispatch(push(n), VERDICT)).findtext(f".//{TNS}SubmitId")

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(submit_id, range(400))) == [f"S-{n}" for n in range(400)]


# Other contracts -----------------------------------------------------------------------------------------------------

OUTPUT = '<wsdl:output message="tns:JobDocumentTransmitResultAckMessage"/>'
BOUND_OUTPUT = re.search(r"<wsdl:output>.*?</wsdl:output>", TEXT, re.DOTALL)[0]  # type: ignore[index]
ACK_TYPE = re.search(
    r'<xs:complexType name="JobDocumentTransmitResultAckType">.*?</xs:complexType>', TEXT, re.DOTALL
)[0]  # type: ignore[index]  # fmt: skip
SUBMIT_ID = '<xs:element name="SubmitId" type="xs:string" minOccurs="0"/>'


def test_another_acknowledgement_is_filled_by_the_roles_of_its_members(serve: Serve) -> None:
    other = """<xs:complexType name="JobDocumentTransmitResultAckType"><xs:sequence>
        <xs:element name="SUBMITID" type="xs:token"/><xs:element name="Info" minOccurs="0" type="xs:string"/>
        <xs:element name="Result" maxOccurs="2"><xs:complexType><xs:sequence>
          <xs:element name="StatusCode" type="xs:string"/><xs:element name="CompletionTime" type="xs:string"/>
        </xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType>"""
    service = serve((ACK_TYPE, other))
    (acknowledgement,) = body(service.dispatch(push(), VERDICT))
    assert [(e.tag.removeprefix(TNS), e.text) for e in acknowledgement.iter() if not len(e)] == [
        ("SUBMITID", "S-1"), ("StatusCode", "0"), ("CompletionTime", "2012-11-04T13:20:01.031Z"),
    ]  # fmt: skip


def test_a_submit_id_that_must_be_there_is_the_stored_id_where_the_push_has_none(serve: Serve) -> None:
    service = serve((ACK_TYPE, ACK_TYPE.replace(' minOccurs="0"', "")), accept=lambda p, v: Accepted("ID-7", AT, None))
    assert body(service.dispatch(push(), VERDICT)).findtext(f".//{TNS}SubmitId") == "ID-7"


def test_an_acknowledgement_that_cannot_be_filled_is_refused_at_start_up(serve: Serve) -> None:
    with pytest.raises(ContractError) as refused:
        serve((ACK_TYPE, ACK_TYPE.replace(SUBMIT_ID, '<xs:element name="Colour" type="xs:string"/>')))
    assert "demands JobDocumentTransmitResultAck/Colour" in str(refused.value)
    assert refused.value.line


def test_an_acknowledgement_that_would_not_be_valid_is_refused_at_start_up(serve: Serve) -> None:
    fixed = '<xs:element name="SubmitId" type="xs:string" fixed="this one"/>'
    with pytest.raises(ContractError, match="would not be valid"):
        serve((ACK_TYPE, ACK_TYPE.replace(SUBMIT_ID, fixed)))


def test_an_empty_output_message_is_answered_by_an_empty_body(serve: Serve) -> None:
    seen: list[Push] = []
    service = serve(
        ('<wsdl:part name="parameter" element="tns:JobDocumentTransmitResultAck"/>', ""),
        (BOUND_OUTPUT, '<wsdl:output><soap:body use="literal"/></wsdl:output>'),
        accept=lambda p, v: seen.append(p) or take(p, v),  # type: ignore[func-returns-value]
    )
    assert len(body(service.dispatch(push(), VERDICT))) == 0
    assert len(seen) == 1


def test_a_one_way_operation_is_answered_by_nothing(serve: Serve) -> None:
    seen: list[Push] = []
    service = serve((OUTPUT, ""), (BOUND_OUTPUT, ""), accept=lambda p, v: seen.append(p) or take(p, v))  # type: ignore[func-returns-value]
    assert service.dispatch(push(), VERDICT) == b""
    assert len(seen) == 1


# What the acknowledgement cannot hold --------------------------------------------------------------------------------

REAL_ID = "1k0z12ct1vsspsqchwyj"


def acknowledged(service: PushService, submit_id: str | None) -> str | None:
    """The SubmitId in the acknowledgement of a push; a redelivery gets the same bytes."""
    one = replace(push(), submit_id=submit_id)
    answer = service.dispatch(one, VERDICT)
    assert service.dispatch(one, VERDICT) == answer
    return body(answer).findtext(f".//{TNS}SubmitId")


def store(accepted: Push, verdict: Verdict) -> Accepted:
    return Accepted(REAL_ID, AT, accepted.submit_id)


@pytest.mark.parametrize("submit_id", ["a\x01b", "a\0b", "\ufffe", "\ud800"], ids=ascii)
def test_a_submit_id_with_a_character_that_xml_does_not_have_is_left_out(wsdl: WsdlDocument, submit_id: str) -> None:
    assert acknowledged(PushService(wsdl, store), submit_id) is None


def limited(characters: int, occurs: str = "") -> tuple[str, str]:
    """The acknowledgement with a SubmitId of so many characters."""
    own = f"""<xs:element name="SubmitId"{occurs}><xs:simpleType><xs:restriction base="xs:string">
        <xs:maxLength value="{characters}"/></xs:restriction></xs:simpleType></xs:element>"""
    return ACK_TYPE, ACK_TYPE.replace(SUBMIT_ID, own)


def test_a_submit_id_that_is_too_long_for_the_acknowledgement_is_left_out_where_it_may_be(serve: Serve) -> None:
    service = serve(limited(10, ' minOccurs="0"'), accept=store)
    assert acknowledged(service, "0123456789") == "0123456789"
    assert acknowledged(service, "0123456789a") is None


def test_a_submit_id_that_is_too_long_is_the_stored_id_where_there_must_be_one(serve: Serve) -> None:
    service = serve(limited(20), accept=store)
    assert acknowledged(service, "0" * 21) == REAL_ID
    assert acknowledged(service, "a\x01b") == REAL_ID
    assert acknowledged(service, None) == REAL_ID


def test_a_submit_id_that_must_be_there_and_has_no_room_for_the_stored_id_is_refused_at_start_up(serve: Serve) -> None:
    with pytest.raises(ContractError, match="would not be valid") as refused:
        serve(limited(19))
    assert refused.value.line


def acknowledgement(content: str) -> tuple[str, str]:
    """Another declaration of the acknowledgement's type."""
    return ACK_TYPE, f'<xs:complexType name="JobDocumentTransmitResultAckType">{content}</xs:complexType>'


ACK_ELEMENT = '<xs:element name="JobDocumentTransmitResultAck" type="tns:JobDocumentTransmitResultAckType">'


@pytest.mark.parametrize(
    "edit",
    [
        *((ACK_ELEMENT, ACK_ELEMENT.replace("tns:JobDocumentTransmitResultAckType", f"xs:{of}"))
          for of in ("string", "boolean", "anyType")),
        *(acknowledgement(f'<xs:sequence><xs:element name="{name}" type="xs:{of}"/></xs:sequence>')
          for name, of in (("SubmitId", "int"), ("SubmissionTime", "long"), ("SubmissionTime", "date"),
                           ("Status", "dateTime"), ("SubmitId", "base64Binary"), ("SubmitId", "boolean"))),
    ],
)  # fmt: skip
def test_a_type_that_cannot_say_what_stands_there_is_refused_with_the_line(serve: Serve, edit: tuple[str, str]) -> None:
    with pytest.raises(ContractError, match="demands JobDocumentTransmitResultAck") as refused:
        serve(edit)
    assert refused.value.line


@pytest.mark.parametrize("of", ["xs:int", "xs:base64Binary", "xs:anyType"])
def test_an_optional_member_of_a_type_that_cannot_say_it_stays_away(serve: Serve, of: str) -> None:
    members = f'<xs:element name="StatusCode" type="xs:int"/><xs:element name="SubmitId" type="{of}" minOccurs="0"/>'
    service = serve(acknowledgement(f"<xs:sequence>{members}</xs:sequence>"))
    assert acknowledged(service, "S-1") is None


def test_a_status_that_may_hold_a_status_is_filled_once(serve: Serve) -> None:
    code = '<xs:element name="StatusCode" type="xs:int"/>'
    status = f'<xs:sequence>{code}<xs:element name="Status" type="tns:Nested" minOccurs="0"/></xs:sequence>'
    old, new = acknowledgement('<xs:sequence><xs:element name="Status" type="tns:Nested"/></xs:sequence>')
    service = serve((old, f'{new}<xs:complexType name="Nested">{status}</xs:complexType>'))
    assert [e.tag.removeprefix(TNS) for e in body(service.dispatch(push(), VERDICT))[0].iter()][1:] == [
        "Status", "StatusCode",
    ]  # fmt: skip


def test_a_member_that_must_occur_twice_occurs_twice(serve: Serve) -> None:
    twice = '<xs:sequence><xs:element name="StatusCode" type="xs:int" minOccurs="2" maxOccurs="3"/></xs:sequence>'
    answer = serve(acknowledgement(twice)).dispatch(push(), VERDICT)
    assert [e.text for e in body(answer)[0]] == ["0", "0"]


def test_a_header_block_that_is_bound_to_the_answer_is_not_written(serve: Serve) -> None:
    said = "<wsdl:documentation>INFERRED. The answer, without a header block.</wsdl:documentation>"
    block = '<soap:header message="tns:JobDocumentTransmitResultMessage" part="response_header" use="literal"/>'
    assert len(body(serve((said, said + block)).dispatch(push(), VERDICT))) == 1
