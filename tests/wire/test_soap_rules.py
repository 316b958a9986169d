"""SOAP 1.1 and Basic Profile rules beyond one message a rule (tests/wire/test_rule_by_rule.py)."""

from __future__ import annotations

import pytest

from soapsvc.namespaces import SOAP11_ENVELOPE
from soapsvc.wire.soap_rules import check_soap
from tests.wire.conftest import Read

UNDERSTOOD = frozenset({"{urn:h}Known"})


def envelope(inside: str, attributes: str = "") -> bytes:
    return f'<s:Envelope xmlns:s="{SOAP11_ENVELOPE}" xmlns:h="urn:h"{attributes}>{inside}</s:Envelope>'.encode()


def header(block: str) -> bytes:
    return envelope(f"<s:Header>{block}</s:Header><s:Body><h:a/></s:Body>")


def broken(read: Read, body: bytes) -> list[str]:
    return [deviation.rule for deviation in check_soap(read(body), UNDERSTOOD)]


BLOCKS = {
    '<h:Known s:mustUnderstand="1"/>': [],
    '<h:Unknown s:mustUnderstand="1"/>': ["SOAP-012"],
    '<h:Unknown s:mustUnderstand=" 1 "/>': ["SOAP-012"],
    '<h:Unknown s:mustUnderstand="0"/>': [],
    "<h:Unknown/>": [],
    '<h:Unknown mustUnderstand="1"/>': [],
    '<h:Unknown s:mustUnderstand="1" s:actor="urn:somebody-else"/>': [],
    '<h:Unknown s:mustUnderstand="1" s:actor=""/>': ["SOAP-012"],
    '<h:Unknown s:mustUnderstand="1" s:actor="http://schemas.xmlsoap.org/soap/actor/next"/>': ["SOAP-012"],
    '<h:Known s:mustUnderstand="1" s:actor="http://schemas.xmlsoap.org/soap/actor/next"/>': [],
    '<h:Known s:mustUnderstand="true"/>': ["SOAP-011"],
    '<h:Known s:mustUnderstand=""/>': ["SOAP-011"],
    '<h:Known s:mustUnderstand="2"/><h:Unknown s:mustUnderstand="1"/>': ["SOAP-011", "SOAP-012"],
    '<h:Known><h:Inside s:mustUnderstand="1"/></h:Known>': [],
    '<h:Known s:encodingStyle="urn:e"/>': [],
    "text<h:Known/>": ["SOAP-010"],
    "<h:Known/>text": ["SOAP-010"],
    "&#160;<h:Known/>": ["SOAP-010"],
    '<h:Unknown s:mustUnderstand="&#160;1"/>': ["SOAP-011"],
    '<h:Unknown s:mustUnderstand="1" s:actor="&#160;"/>': [],
    "<Known/>": ["SOAP-013"],
}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_header_block_is_judged_by_its_name_its_actor_and_must_understand(read: Read, block: str) -> None:
    assert broken(read, header(block)) == BLOCKS[block]


ENVELOPES = {
    "<s:Body><h:a/></s:Body>": [],
    "<s:Header/><s:Body><h:a/></s:Body>": [],
    "<s:Header/>": ["SOAP-004"],
    "": ["SOAP-004"],
    "<s:Body><h:a/></s:Body><s:Header/>": ["SOAP-008"],
    "<s:Body><h:a/></s:Body><s:Body><h:a/></s:Body>": ["SOAP-004"],
    "<h:x/><s:Header/><s:Body><h:a/></s:Body>": ["SOAP-009", "SOAP-003"],
    "<Body/><s:Body><h:a/></s:Body>": ["SOAP-009"],
    "text<s:Body><h:a/></s:Body>": ["SOAP-010"],
    "<s:Body><h:a/></s:Body>text": ["SOAP-010"],
    "<s:Body><h:a/>text</s:Body>": ["SOAP-010"],
    "<s:Body>text</s:Body>": ["SOAP-010", "SOAP-005"],
    "<s:Body><h:a/><h:b/><c/></s:Body>": ["SOAP-006", "SOAP-006", "SOAP-007"],
    '<s:Body><h:a s:encodingStyle="urn:e"/></s:Body>': ["SOAP-014"],
    '<s:Body><h:a><h:b s:encodingStyle="urn:e"/></h:a></s:Body>': ["SOAP-014"],
    '<s:Body s:actor="x" other="y"><h:a/></s:Body>': ["SOAP-015"],
    '<s:Body><h:a href="#b"/></s:Body>': [],
    '<s:Body><h:a href="http://x"><h:b id="x"/></h:a></s:Body>': [],
    '<s:Body><h:a href="#b"><h:b id="b"/></h:a></s:Body>': ["SOAP-017"],
    '<s:Body><h:a href="#a" id="a"/></s:Body>': ["SOAP-017"],
    '<s:Body><h:a xmlns:e="http://schemas.xmlsoap.org/soap/encoding/" e:arrayType="h:b[1]"/></s:Body>': ["SOAP-017"],
    "<s:Body><s:Fault/></s:Body>": ["SOAP-016"],
}


@pytest.mark.parametrize("inside", ENVELOPES)
def test_an_envelope_is_judged_by_its_structure(read: Read, inside: str) -> None:
    assert broken(read, envelope(inside)) == ENVELOPES[inside]


def test_attributes_of_the_envelope_are_free_but_for_soap_s_own(read: Read) -> None:
    assert broken(read, envelope("<s:Body><h:a/></s:Body>", ' h:x="1" y="2"')) == []
    assert broken(read, envelope("<s:Body><h:a/></s:Body>", ' s:encodingStyle="urn:e" s:x="1"')) == [
        "SOAP-014",
        "SOAP-015",
    ]


@pytest.mark.parametrize(
    "root",
    [
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>',
        '<s:Envelope xmlns:s="http://www.w3.org/2001/12/soap-envelope"/>',
        "<Envelope/>",
        '<x xmlns="urn:x"/>',
    ],
)
def test_another_envelope_version_is_the_only_thing_told(read: Read, root: str) -> None:
    (deviation,) = check_soap(read(root.encode()), UNDERSTOOD)
    assert deviation.rule == "SOAP-001"
    assert "SOAP 1.1" in deviation.wanted


def test_a_deviation_tells_the_place(read: Read) -> None:
    body = envelope('\n<s:Header>\n<h:Unknown\n s:mustUnderstand="yes"/></s:Header><s:Body><h:a/></s:Body>')
    (deviation,) = check_soap(read(body), UNDERSTOOD)
    assert (deviation.path, deviation.line) == ("/s:Envelope/s:Header/h:Unknown/@s:mustUnderstand", 3)
    assert deviation.found == 'mustUnderstand="yes"'
