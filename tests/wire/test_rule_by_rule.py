"""For every rule of HTTP, XML, SOAP and base64 a message that breaks just that rule and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from soapsvc.judgement import refused_for
from soapsvc.records import Conformance, Verdict
from soapsvc.rules import RULES, Severity, Stage
from soapsvc.wire.fault import fault_answer
from tests.wire.messages import ASCII_ONLY, BREAKING, GOOD, Message, declared, judged

OF_THE_WIRE = [
    rule.id
    for rule in RULES.values()
    if rule.stage in (Stage.HTTP, Stage.XML, Stage.SOAP) or re.fullmatch("PAY-00.", rule.id)
]

REFUSED_BY_FAULT = [
    rule for rule in OF_THE_WIRE if RULES[rule].http_status == 500 and RULES[rule].severity is not Severity.NOTE
]
SPEAKS_ONLY_AFTER = {"XML-016": ("HTTP-021",), "XML-017": ("HTTP-021",)}
"""An XML declaration decides only where the Content-Type names no charset."""


def test_the_good_message_deviates_from_nothing(tmp_path: Path) -> None:
    assert judged(Message(), tmp_path) == ()


def test_every_rule_of_the_wire_has_a_message_that_breaks_it() -> None:
    assert sorted(BREAKING) == sorted(OF_THE_WIRE)


@pytest.mark.parametrize("rule", OF_THE_WIRE)
def test_the_message_breaks_its_rule_and_no_other(rule: str, tmp_path: Path) -> None:
    deviations = judged(BREAKING[rule], tmp_path)
    assert [deviation.rule for deviation in deviations] == [*SPEAKS_ONLY_AFTER.get(rule, ()), rule]
    deviation = deviations[-1]
    assert deviation.found != ""
    assert deviation.wanted != ""
    assert (deviation.line is None) == (RULES[rule].stage is Stage.HTTP)


@pytest.mark.parametrize("rule", REFUSED_BY_FAULT)
def test_a_push_refused_for_the_rule_gets_a_fault_that_names_it(rule: str, tmp_path: Path) -> None:
    deviations = judged(BREAKING[rule], tmp_path)
    refusing = refused_for(deviations, Conformance.STRICT)
    answer = fault_answer(Verdict(Conformance.STRICT, "0" * 64, deviations, refusing))
    assert answer.status == 500
    assert f"soapenv:{RULES[rule].faultcode}</faultcode>".encode() in answer.body
    assert f"Rule {rule} ".encode() in answer.body


ENCODED = {
    "utf-8": (GOOD.encode(), "utf-8"),
    "utf-8 with a byte order mark": (GOOD.encode("utf-8-sig"), '"UTF-8"'),
    "utf-16 with a byte order mark": (declared("UTF-16").encode("utf-16"), "utf-16"),
    "utf-16be with its mark": (b"\xfe\xff" + declared("UTF-16").encode("utf-16-be"), "utf-16"),
    "utf-16le that says so with a mark": (b"\xff\xfe" + declared("UTF-16").encode("utf-16-le"), "UTF-16LE"),
    "utf-16be that says so": (declared("UTF-16").encode("utf-16-be"), "utf-16be"),
}


@pytest.mark.parametrize("what", ENCODED)
def test_utf_8_and_utf_16_are_taken_without_a_word(what: str, tmp_path: Path) -> None:
    body, charset = ENCODED[what]
    assert judged(Message(body, {"Content-Type": f"text/xml; charset={charset}"}), tmp_path) == ()


NOTED = {
    "us-ascii": (declared("US-ASCII").replace("\u00e9", "&#233;").encode("ascii"), "us-ascii", ["HTTP-022"]),
    "latin1": (declared("latin1").encode("latin-1"), "latin1", ["HTTP-022"]),
    "windows-1252": (declared("windows-1252").encode("cp1252"), "Windows-1252", ["HTTP-022"]),
    "utf-16 without a mark": (declared("UTF-16").encode("utf-16-be"), "utf-16", ["XML-015"]),
    "none": (GOOD.encode(), None, ["HTTP-021"]),
    "none, with a mark": (GOOD.encode("utf-8-sig"), None, ["HTTP-021"]),
    "none, utf-16": (declared("UTF-16").encode("utf-16"), None, ["HTTP-021"]),
    "none, utf-16 without a mark": (declared("UTF-16").encode("utf-16-le"), None, ["HTTP-021", "XML-015"]),
    "none, no declaration": (GOOD.split("\n", 1)[1].encode(), None, ["HTTP-021"]),
    "none, latin-1 declared": (declared("ISO-8859-1").encode("latin-1"), None, ["HTTP-021", "XML-017"]),
    "the header wins": (declared("ISO-8859-1").encode(), "utf-8", ["XML-014"]),
    "the header wins over an unknown one": (declared("punycode").encode(), "utf-8", ["XML-014"]),
}


@pytest.mark.parametrize("what", NOTED)
def test_what_is_outside_r1012_is_taken_and_noted(what: str, tmp_path: Path) -> None:
    body, charset, rules = NOTED[what]
    content_type = "text/xml" + (f"; charset={charset}" if charset else "")
    deviations = judged(Message(body, {"Content-Type": content_type}), tmp_path)
    assert [deviation.rule for deviation in deviations] == rules
    assert {RULES[rule].severity for rule in rules} == {Severity.NOTE}


CONTRADICTING = {
    "utf-8 that is latin-1": (GOOD.encode("latin-1"), "utf-8", ["XML-002"]),
    "ascii that is utf-8": (declared("US-ASCII").encode(), "us-ascii", ["HTTP-022", "XML-002"]),
    "utf-16 that is utf-8": (ASCII_ONLY.encode(), "utf-16", ["XML-015", "XML-003"]),
    "an odd byte of utf-16": (declared("UTF-16").encode("utf-16") + b"\n", "utf-16", ["XML-002"]),
    "a lone surrogate": (GOOD.encode("utf-16").replace(b"\xe9\0", b"\0\xd8"), "utf-16", ["XML-014", "XML-002"]),
    "a surrogate in utf-8": (GOOD.encode().replace(b"\xc3\xa9", b"\xed\xa0\x80"), "utf-8", ["XML-002"]),
    "an overlong slash": (GOOD.encode().replace(b"\xc3\xa9", b"\xc0\xaf"), "utf-8", ["XML-002"]),
    "cut off in a character": (GOOD.encode()[: GOOD.encode().index(b"\xc3") + 1], "utf-8", ["XML-002"]),
    "a code point without windows-1252": (GOOD.encode().replace(b"\xc3\xa9", b"\x81"), "cp1252",
                                          ["HTTP-022", "XML-014", "XML-002"]),
    "the other byte order": (b"\xff\xfe" + declared("UTF-16").encode("utf-16-le"), "utf-16be", ["XML-013"]),
    "utf-16 declared in single bytes": (declared("UTF-16").encode(), None, ["HTTP-021", "XML-013"]),
}  # fmt: skip


@pytest.mark.parametrize("what", CONTRADICTING)
def test_bytes_that_contradict_the_charset_are_a_deviation(what: str, tmp_path: Path) -> None:
    body, charset, rules = CONTRADICTING[what]
    content_type = "text/xml" + (f"; charset={charset}" if charset else "")
    deviations = judged(Message(body, {"Content-Type": content_type}), tmp_path)
    assert [deviation.rule for deviation in deviations] == rules
