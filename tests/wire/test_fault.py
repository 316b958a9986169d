"""What leaves when a push is not taken: each answer is valid, says what to do, and is kept as a golden file.

Golden files are made anew by `python -m tests.wire.test_fault`; read the difference before it is committed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from soapsvc.errors import HttpRefused
from soapsvc.judgement import refused_for
from soapsvc.namespaces import VERDICT
from soapsvc.records import Conformance, Deviation, Verdict
from soapsvc.rules import RULES, Severity
from soapsvc.settings import OwnSettings
from soapsvc.wire.fault import answer_for, fault_answer, server_fault, soap_fault
from soapsvc.wire.http_gate import HttpGate
from soapsvc.wire.http_messages import Answer
from tests.wire.messages import BREAKING, Message, edited, judged

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
ENVELOPE_SCHEMA = etree.XMLSchema(etree.parse(HERE / "soap11_envelope.xsd"))


def verdict_of(*deviations: Deviation) -> Verdict:
    return Verdict(Conformance.STRICT, "5" * 64, deviations, refused_for(deviations, Conformance.STRICT))


def answer_to(message: Message) -> Answer:
    gate = HttpGate(OwnSettings(**message.settings))
    try:
        gate.admit(message.head())
        gate.media_type(message.head())
    except HttpRefused as refused:
        return answer_for(refused)
    with tempfile.TemporaryDirectory() as folder:
        return fault_answer(verdict_of(*judged(message, Path(folder))))


REFUSING = [rule for rule in BREAKING if RULES[rule].severity is not Severity.NOTE]
ANSWERS = {rule.lower(): BREAKING[rule] for rule in REFUSING} | {
    "several": edited(
        ("QUJD\n", "QUJD-\n"), ("RA==</p:DocData>", "RA==<x/></p:DocData>"), ("<s:Body>", "<s:Body>text")
    ),
    "must-understand-before-client": edited(('mustUnderstand="0"', 'mustUnderstand="1"'), ("QUJD\n", "QUJD-\n")),
    "header-and-body": edited(("</s:Header>", "<Unqualified/></s:Header>"), ("QUJD\n", "QUJD-\n")),
}


def as_sent(answer: Answer) -> bytes:
    head = "".join(f"{name}: {value}\n" for name, value in answer.http_headers)
    return f"HTTP {answer.status}\n{head}\n".encode() + answer.body


@pytest.mark.parametrize("name", [*ANSWERS, "server"])
def test_an_answer_is_the_one_on_file(name: str) -> None:
    answer = answer_to(ANSWERS[name]) if name in ANSWERS else server_fault(FULL, 60)
    assert as_sent(answer) == (GOLDEN / f"{name}.txt").read_bytes()


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == {*ANSWERS, "server"}


FULL = "The receiver is short of disk space and cannot take this message now; keep it and send it again later."


def valid(answer: Answer) -> etree._Element:
    envelope = etree.fromstring(answer.body)
    ENVELOPE_SCHEMA.assertValid(envelope)
    assert answer.status == 500
    assert answer.http_headers[0] == ("Content-Type", "text/xml; charset=utf-8")
    fault = envelope[0][0]
    assert [child.tag for child in fault] in (["faultcode", "faultstring"], ["faultcode", "faultstring", "detail"])
    return fault


@pytest.mark.parametrize("rule", [rule for rule in REFUSING if RULES[rule].http_status == 500])
def test_a_fault_is_valid_and_its_code_is_the_rule_s(rule: str) -> None:
    fault = valid(answer_to(BREAKING[rule]))
    assert fault.findtext("faultcode") == f"soapenv:{RULES[rule].faultcode}"
    about_version_or_header_blocks = rule in ("SOAP-001", "SOAP-011", "SOAP-012", "SOAP-013")
    assert (fault.find("detail") is None) == about_version_or_header_blocks


@pytest.mark.parametrize("rule", [rule for rule in REFUSING if RULES[rule].http_status != 500])
def test_an_http_refusal_is_one_plain_sentence_with_the_rule_s_status(rule: str) -> None:
    answer = answer_to(BREAKING[rule])
    assert answer.status == RULES[rule].http_status
    assert answer.http_headers[0] == ("Content-Type", "text/plain; charset=utf-8")
    text = answer.body.decode()
    assert text.endswith(".\n")
    assert text.count("\n") == 1
    assert text[0].isupper() or text.startswith("/push")


def test_the_verdict_in_the_detail_lists_what_was_found_and_wanted() -> None:
    fault = valid(answer_to(ANSWERS["several"]))
    (verdict,) = fault.findall("detail/*")
    assert dict(verdict.attrib) == {"conformance": "strict", "contract-sha256": "5" * 64, "deviations": "3"}
    listed = [(each.get("rule"), each.get("refused"), each.get("line")) for each in verdict]
    assert listed == [("SOAP-010", "true", "7"), ("PAY-001", "true", "9"), ("PAY-005", "true", "9")]
    assert verdict[1].findtext(f"{{{VERDICT}}}found") == (
        "the character `-` (U+002D) as number 5 of the document's text"
    )  # fmt: skip
    assert verdict[1].get("path") == "/s:Envelope/s:Body/p:Push/p:DocData[1]"
    assert "this and 2 more" in (fault.findtext("faultstring") or "")


def test_the_order_of_the_codes_is_version_mismatch_must_understand_client() -> None:
    client, must, version = (Deviation(rule, "", 1, "f", "w") for rule in ("PAY-001", "SOAP-012", "SOAP-001"))
    codes = [
        valid(fault_answer(verdict_of(*deviations))).findtext("faultcode")
        for deviations in ((client,), (client, must), (client, must, version))
    ]
    assert codes == ["soapenv:Client", "soapenv:MustUnderstand", "soapenv:VersionMismatch"]


def test_a_detail_says_nothing_about_header_blocks() -> None:
    fault = valid(answer_to(ANSWERS["header-and-body"]))
    detail = fault.find("detail")
    assert detail is not None
    assert [each.get("rule") for each in detail.iter(f"{{{VERDICT}}}deviation")] == ["PAY-001"]
    assert "SOAP-013" in (fault.findtext("faultstring") or "")


def test_a_hundred_deviations_are_listed_and_the_rest_is_counted() -> None:
    fault = valid(fault_answer(verdict_of(*[Deviation("PAY-001", "/a", 1, "f", "w")] * 250)))
    assert len(fault.findall(f"detail//{{{VERDICT}}}deviation")) == 100
    further = fault.find(f"detail//{{{VERDICT}}}further")
    assert further is not None
    assert further.get("count") == "150"


def test_a_note_is_listed_as_not_refused_for() -> None:
    fault = valid(fault_answer(verdict_of(Deviation("HTTP-021", "Content-Type", None, "f", "w"),
                                          Deviation("PAY-001", "/a", 1, "f", "w"))))  # fmt: skip
    listed = fault.findall(f"detail//{{{VERDICT}}}deviation")
    assert [(each.get("rule"), each.get("refused")) for each in listed] == [("HTTP-021", "false"), ("PAY-001", "true")]
    assert "Rule PAY-001 " in (fault.findtext("faultstring") or "")


def test_a_server_fault_says_when_to_come_again() -> None:
    answer = server_fault(FULL, 90)
    fault = valid(answer)
    assert ("Retry-After", "90") in answer.http_headers
    assert (fault.findtext("faultcode"), fault.findtext("faultstring")) == ("soapenv:Server", FULL)


@given(st.text(), st.text(), st.text())
def test_whatever_a_sender_wrote_the_fault_is_valid_xml(found: str, wanted: str, path: str) -> None:
    fault = valid(fault_answer(verdict_of(Deviation("PAY-001", path, 1, found, wanted))))
    assert len(fault.findtext("faultstring") or "") <= 2000
    etree.fromstring(soap_fault("Client", found))


def test_whatever_a_sender_wrote_a_plain_answer_is_utf_8() -> None:
    assert answer_for(HttpRefused(404, "HTTP-001", "at \ud800\x00")).body.decode() == "at \ufffd\ufffd\n"


def write_golden_files() -> None:
    for file in GOLDEN.iterdir():
        file.unlink()
    for name in ANSWERS:
        (GOLDEN / f"{name}.txt").write_bytes(as_sent(answer_to(ANSWERS[name])))
    (GOLDEN / "server.txt").write_bytes(as_sent(server_fault(FULL, 60)))


if __name__ == "__main__":
    write_golden_files()
