"""A text of which a rule says that it is valid is valid for libxml2 too; where more is to be asked there is no rule."""

from __future__ import annotations

from datetime import datetime
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from soapsvc.contract.schema_components import SchemaSet
from soapsvc.contract.text_rules import _OF_TYPE, anything, is_well_formed_text, rule_of
from soapsvc.namespaces import XML_SCHEMA

TNS = "urn:t"
ODD = [
    "", " ", "\n", "a", "-", "+", "-0", "+1", "0", "1", "-1", "007", "2147483647", "2147483648", "-2147483649",
    "9" * 15, "9" * 16, "9" * 30, "1.0", "1e3", " 1", "1 ", "٣", "true", "false", "TRUE", "true ", "yes",
    "2012-11-04T13:05:45Z", "2012-11-04T13:05:45", "2012-11-04T13:05:45.123456Z", "2012-11-04T13:05:45.Z",
    "2012-11-04T13:05:45+01:00", "2012-11-04T13:05:45+14:00", "2012-11-04T13:05:45-14:01", "2012-11-04 13:05:45",
    "2012-02-30T00:00:00Z", "2011-02-29T00:00:00Z", "2012-02-29T00:00:00Z", "2012-13-01T00:00:00Z", "0000-01-01T00:00:00Z",
    "2012-11-04T24:00:00Z", "2012-11-04T23:59:60Z", "2012-11-04", "12012-11-04T13:05:45Z", "-2012-11-04T13:05:45Z",
    "http://example.com", "https://a.example:8443/push/x_1", "http://", "http:///x", "http://a.", "http://-a/", "http://a/%",
    "http://a/%zz", "http://a b/", "http://[::1]/", "//a", "x", "http://a:99999/", "http://a:/", "http://a..b/", "http://1.2.3",
    "x" * 10_000, "http://" + "a" * 252 + "/", "http://a/" + "b" * 1000,
]  # fmt: skip


def schema_of(of_type: str, more: str = "") -> str:
    return (
        f'<xs:schema xmlns:xs="{XML_SCHEMA}" targetNamespace="{TNS}" xmlns="{TNS}" elementFormDefault="qualified">'
        f'<xs:element name="e" {of_type}</xs:schema>'.replace("MORE", more)
    )


COMPILED = {name: etree.XMLSchema(etree.fromstring(schema_of(f'type="xs:{name}"/>'))) for name in _OF_TYPE}


def held(name: str, text: str) -> bool:
    """Whether the rule takes the text; what it takes is held against libxml2."""
    element = etree.Element(f"{{{TNS}}}e")
    try:
        element.text = text
    except ValueError:  # no text of XML at all
        return False
    takes = bool(_OF_TYPE[name](text))
    if takes:
        assert COMPILED[name].validate(element), f"{text[:60]!r} is no xs:{name}"
    return takes


@pytest.mark.parametrize("name", _OF_TYPE)
def test_what_a_rule_takes_is_valid(name: str) -> None:
    taken = [text for text in ODD if held(name, text)]
    assert taken


@given(
    st.sampled_from(sorted(_OF_TYPE)),
    st.one_of(
        st.text(max_size=30),
        st.from_regex(r"[-+]?[0-9]{1,20}", fullmatch=True),
        st.from_regex(r"https?://[A-Za-z0-9.:/_%?#-]{0,30}", fullmatch=True),
        st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,7})?(Z|[+-][0-9]{2}:[0-9]{2})?",
                      fullmatch=True),
        st.datetimes().map(datetime.isoformat),
    ),
)  # fmt: skip
@settings(max_examples=3000, deadline=None)
def test_what_a_rule_takes_is_valid_whatever_it_is(name: str, text: str) -> None:
    held(name, text)


@pytest.mark.parametrize("name", [name for name, rule in _OF_TYPE.items() if rule is not anything])
def test_what_most_senders_say_is_taken_without_the_schema(name: str) -> None:
    usual = {"anyURI": "https://push.example.net/x", "dateTime": "2012-11-04T13:05:45Z", "boolean": "true"}
    assert held(name, usual.get(name, "44376898"))


RULED = {
    "a string": 'type="xs:string"/>',
    "a string with attributes": '><xs:complexType><xs:simpleContent><xs:extension base="xs:string">'
    '<xs:attribute name="a"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>',
    "a named type that changes nothing": 'type="t"/><xs:simpleType name="t"><xs:restriction base="xs:string"/></xs:simpleType>',
}
NOT_RULED = {
    "an enumeration": '><xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="a"/></xs:restriction>'
    "</xs:simpleType></xs:element>",
    "a length under attributes": 'type="c"/><xs:complexType name="c"><xs:simpleContent><xs:extension base="s"/>'
    '</xs:simpleContent></xs:complexType><xs:simpleType name="s"><xs:restriction base="xs:string"><xs:maxLength value="3"/>'
    "</xs:restriction></xs:simpleType>",
    "a facet of the simple content": 'type="d"/><xs:complexType name="c"><xs:simpleContent><xs:extension base="xs:string"/>'
    '</xs:simpleContent></xs:complexType><xs:complexType name="d"><xs:simpleContent><xs:restriction base="c">'
    '<xs:maxLength value="3"/></xs:restriction></xs:simpleContent></xs:complexType>',
    "a type within the simple content": 'type="d"/><xs:complexType name="c"><xs:simpleContent>'
    '<xs:extension base="xs:string"/></xs:simpleContent></xs:complexType><xs:complexType name="d"><xs:simpleContent>'
    '<xs:restriction base="c"><xs:simpleType><xs:restriction base="xs:string"><xs:maxLength value="3"/></xs:restriction>'
    "</xs:simpleType></xs:restriction></xs:simpleContent></xs:complexType>",
    "a fixed value where the type is another's": 'substitutionGroup="h" fixed="a"/><xs:element name="h" type="xs:string"/>',
    "a default where the type is another's": 'substitutionGroup="h" default="a"/><xs:element name="h" type="xs:string"/>',
    "a list": '><xs:simpleType><xs:list itemType="xs:int"/></xs:simpleType></xs:element>',
    "a union": '><xs:simpleType><xs:union memberTypes="xs:int xs:boolean"/></xs:simpleType></xs:element>',
    "a fixed value": 'type="xs:string" fixed="a"/>',
    "a default": 'type="xs:int" default="1"/>',
    "an ID": 'type="xs:ID"/>',
    "bytes": 'type="xs:base64Binary"/>',
    "anything at all": "/>",
    "elements": '><xs:complexType><xs:sequence><xs:any minOccurs="0"/></xs:sequence></xs:complexType></xs:element>',
    "a key": '><xs:complexType><xs:simpleContent><xs:extension base="xs:string"/></xs:simpleContent></xs:complexType>'
    '<xs:unique name="u"><xs:selector xpath="x"/><xs:field xpath="."/></xs:unique></xs:element>',
}  # fmt: skip


@pytest.mark.parametrize("what", [*RULED, *NOT_RULED])
def test_there_is_a_rule_only_where_nothing_but_the_built_in_type_counts(what: str) -> None:
    source = etree.fromstring(schema_of({**RULED, **NOT_RULED}[what]))
    etree.XMLSchema(source)
    schema = SchemaSet.of([(source, TNS)])
    assert (rule_of(schema, [f"{{{TNS}}}e"]) is anything) is (what in RULED)
    assert rule_of(schema, [f"{{{TNS}}}unknown"]) is None
    assert rule_of(schema, []) is None


@pytest.mark.parametrize(
    "model",
    [
        '<xs:element name="e" type="xs:int"/><xs:element name="m"/><xs:element name="e" type="xs:string" minOccurs="0"/>',
        '<xs:element name="e" type="xs:string"/><xs:element name="m"/><xs:any namespace="##targetNamespace"/>',
    ],
)
def test_there_is_no_rule_where_one_name_stands_for_two_declarations(model: str) -> None:
    of_type = f'type="xs:int"/><xs:element name="r"><xs:complexType><xs:sequence>{model}</xs:sequence></xs:complexType>'
    source = etree.fromstring(schema_of(f"{of_type}</xs:element>"))
    with_rule = etree.fromstring(schema_of(f"{of_type}</xs:element>".replace(model, '<xs:element ref="e"/>')))
    etree.XMLSchema(source)
    names = [f"{{{TNS}}}r", f"{{{TNS}}}e"]
    assert rule_of(SchemaSet.of([(source, TNS)]), names) is None
    assert rule_of(SchemaSet.of([(with_rule, TNS)]), names) is not None


def test_what_is_called_well_formed_is_read_by_libxml2_as_it_is_written() -> None:
    """Each character below, and some of all the others."""
    for number in chain(range(0x3000), range(0x3000, 0x110000, 97), (0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF, 0x10FFFF)):
        if 0xD800 <= number < 0xE000 or chr(number) in "<>&":
            continue
        text = f"a{chr(number)}b"
        body = f"<e>{text}</e>".encode()
        if b"\r" not in body and is_well_formed_text(body, body.decode()):
            assert etree.fromstring(body, etree.XMLParser(encoding="utf-8")).text == text, hex(number)
        else:
            assert number < 0x20 or number in (0xFFFE, 0xFFFF), hex(number)
