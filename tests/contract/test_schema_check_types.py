"""A push held against WSDLs that use more of XML Schema than the shipped one does."""

from __future__ import annotations

import threading

import pytest
from lxml import etree

from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.contract.schema_check import SchemaCheck
from soapsvc.errors import ContractError
from soapsvc.records import Deviation
from tests.contract.reading import a_wsdl, body, envelope_of, pushed, schema, shipped_wsdl

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
TYPES = """
<xs:simpleType name="Short"><xs:restriction base="xs:string"><xs:maxLength value="3"/><xs:pattern value="[a-z]*"/>
  </xs:restriction></xs:simpleType>
<xs:complexType name="Base"><xs:sequence><xs:element name="a" type="xs:int" minOccurs="0"/></xs:sequence></xs:complexType>
<xs:complexType name="Longer"><xs:complexContent><xs:extension base="t:Base"><xs:sequence><xs:element name="b"/>
  </xs:sequence></xs:extension></xs:complexContent></xs:complexType>
<xs:complexType name="Foreign"><xs:sequence/></xs:complexType>
<xs:element name="Shape" abstract="true" type="xs:string"/>
<xs:element name="Circle" substitutionGroup="t:Shape" type="xs:string"/>
<xs:attribute name="known" type="xs:int"/>
<xs:element name="Push"><xs:complexType><xs:sequence>
  <xs:element name="short" type="t:Short" minOccurs="0"/>
  <xs:element name="one" type="xs:string" fixed="1" minOccurs="0"/>
  <xs:element name="nil" type="xs:int" nillable="true" minOccurs="0"/>
  <xs:element name="based" type="t:Base" minOccurs="0"/>
  <xs:element ref="t:Shape" minOccurs="0"/>
  <xs:element name="all" minOccurs="0"><xs:complexType><xs:all><xs:element name="x"/><xs:element name="y" minOccurs="0"/>
    </xs:all></xs:complexType></xs:element>
  <xs:element name="pick" minOccurs="0"><xs:complexType><xs:choice><xs:element name="x"/><xs:element name="y"/></xs:choice>
    </xs:complexType></xs:element>
  <xs:element name="pair" minOccurs="0"><xs:complexType><xs:sequence minOccurs="2" maxOccurs="3"><xs:element name="k"/>
    <xs:element name="v"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="mixed" minOccurs="0"><xs:complexType mixed="true"><xs:sequence><xs:element name="b" minOccurs="0"/>
    </xs:sequence></xs:complexType></xs:element>
  <xs:element name="empty" minOccurs="0"><xs:complexType><xs:attribute name="n" type="xs:int"/>
    <xs:attribute name="v" type="xs:string" fixed="1"/></xs:complexType></xs:element>
  <xs:element name="strict" minOccurs="0"><xs:complexType><xs:sequence><xs:any namespace="##any"/></xs:sequence>
    <xs:anyAttribute namespace="##any"/></xs:complexType></xs:element>
  <xs:element name="lax" minOccurs="0"><xs:complexType><xs:sequence><xs:any namespace="##any" processContents="lax"/>
    </xs:sequence></xs:complexType></xs:element>
  <xs:element name="list" minOccurs="0"><xs:simpleType><xs:list itemType="xs:int"/></xs:simpleType></xs:element>
  <xs:element name="key" maxOccurs="unbounded" minOccurs="0" type="xs:string"/>
  <xs:element name="DocData" type="xs:base64Binary" nillable="true" minOccurs="0"/>
</xs:sequence></xs:complexType>
<xs:unique name="keys"><xs:selector xpath="t:key"/><xs:field xpath="."/></xs:unique></xs:element>
"""


@pytest.fixture(scope="module")
def schema_check(tmp_path_factory: pytest.TempPathFactory) -> SchemaCheck:
    return SchemaCheck(a_wsdl(tmp_path_factory.mktemp("wsdl"), schema(TYPES)))


def told(schema_check: SchemaCheck, content: str) -> tuple[Deviation, ...]:
    return schema_check.check(envelope_of(body(f'<Push xmlns="urn:t" {XSI}>{content}</Push>')))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<short>abc</short><one>1</one>",
        "<one/>",
        '<nil xsi:nil="true"/>',
        '<nil xsi:nil="false">3</nil>',
        '<based xsi:type="Longer"><b/></based>',
        '<based xmlns:v="urn:t" xsi:type="v:Longer"><a>1</a><b/></based>',
        "<Circle/>",
        "<all><y/><x/></all>",
        "<pick><y/></pick>",
        "<pair><k/><v/><k/><v/></pair>",
        "<mixed>text<b/>text</mixed>",
        '<empty n="1"/>',
        '<strict xmlns:v="urn:t" v:known="4"><Circle/></strict>',
        '<lax><u xmlns="urn:any"/></lax>',
        '<lax><u xmlns="urn:any"><Circle xmlns="urn:t">text</Circle></u></lax>',
        '<lax><u xmlns="urn:any" xmlns:v="urn:t" xsi:type="v:Longer"><b xmlns="urn:t"/></u></lax>',
        "<list>1 2 3</list>",
        "<key>a</key><key>b</key>",
        '<DocData xsi:nil="true"/>',
        "<DocData>QQ==</DocData>",
    ],
)
def test_what_the_schema_allows_deviates_from_nothing(schema_check, content):
    assert told(schema_check, content) == ()


@pytest.mark.parametrize(
    ("content", "rule", "found", "wanted"),
    [
        ("<short>abcd</short>", "XSD-012", 'short reads "abcd"', "a length of at most 3"),
        ("<short>A</short>", "XSD-012", 'short reads "A"', 'text that matches "[a-z]*"'),
        ("<one>2</one>", "XSD-013", 'one reads "2"', '"1", a fixed value'),
        ('<empty v="2"/>', "XSD-013", 'attribute v of empty reads "2"', '"1", a fixed value'),
        ('<empty n="x"/>', "XSD-016", 'attribute n of empty reads "x"', "xs:int: digits, from -2147483648 to 2147483647"),
        ("<empty>text</empty>", "XSD-009", "empty with 4 characters of text of its own", "no content"),
        ('<nil xsi:nil="true">3</nil>', "XSD-019", 'xsi:nil="true" on nil with 1 characters', "no content"),
        ('<DocData xsi:nil="true">QQ==</DocData>', "XSD-019", 'xsi:nil="true" on DocData with a document', "no content"),
        ('<based xsi:type="Foreign"/>', "XSD-021", 'xsi:type "Foreign", which is not derived from Base',
         "no xsi:type, or one derived from Base"),
        ("<Shape/>", "XSD-022", "Shape, which is abstract", "one of Circle"),
        ("<all><y/></all>", "XSD-008", "all without x", "in all: x & y?"),
        ("<all><x/><x/></all>", "XSD-007", "one x more than there may be", "at most once in all: x & y?"),
        ("<pick><x/><y/></pick>", "XSD-006", "y out of its place", "in pick: x | y"),
        ("<pick/>", "XSD-008", "pick without x", "in pick: x | y"),
        ("<pair><k/><v/><k/></pair>", "XSD-008", "pair without v", "in pair: (k, v){2,3}"),
        ('<strict><u xmlns="urn:any"/></strict>', "XSD-023", "u, which the WSDL does not declare", "a declared element"),
        ('<strict unknown="1"><Circle/></strict>', "XSD-023", "attribute unknown, which the WSDL does not declare",
         "a declared attribute"),
        ('<lax><u xmlns="urn:any"><Circle xmlns="urn:t"><a/></Circle></u></lax>', "XSD-010",
         'Circle with child elements "a"', "text alone"),
        ('<lax><u xmlns="urn:any" xmlns:v="urn:t" xsi:type="v:Longer"/></lax>', "XSD-008", "u without b", "in u: a?, b"),
        ("<list>1 b</list>", "XSD-011", 'list reads "1 b"', "items parted by spaces, each xs:int: digits"),
        ("<one>1</one><short>a</short>", "XSD-006", "short out of its place", "in Push: short?, one?, nil?"),
    ],
)  # fmt: skip
def test_what_it_does_not_allow_is_told_by_one_rule(schema_check, content, rule, found, wanted):
    (deviation,) = told(schema_check, content)
    assert (deviation.rule, deviation.found) == (rule, found)
    assert wanted in deviation.wanted
    assert deviation.mark is None, "a WSDL without marks"


def test_what_only_libxml2_sees_is_told_in_its_words(schema_check):
    (deviation,) = told(schema_check, "<key>a</key><key>a</key>")
    assert deviation.rule == "XSD-024"
    assert "'a'" in deviation.found
    assert deviation.path.endswith("/key[2]")


def test_digits_that_python_reads_and_xml_schema_does_not_are_told_once(schema_check):
    (deviation,) = told(schema_check, "<nil>1_0</nil>")
    assert deviation.rule in ("XSD-011", "XSD-024")


def test_documents_with_facets_stay_in_the_tree_and_are_checked(tmp_path):
    types = """<xs:element name="Push"><xs:complexType><xs:sequence>
      <xs:element name="DocData"><xs:simpleType><xs:restriction base="xs:base64Binary"><xs:maxLength value="3"/>
      </xs:restriction></xs:simpleType></xs:element>
      <xs:element name="Page" type="xs:base64Binary"/></xs:sequence></xs:complexType></xs:element>"""
    wsdl = a_wsdl(tmp_path, schema(types))
    assert wsdl.document_names == {"page"}
    message = body('<Push xmlns="urn:t"><DocData>QUJDRA==</DocData><Page>Qg==</Page></Push>')
    (deviation,) = SchemaCheck(wsdl).check(envelope_of(message, wsdl.document_names))
    assert (deviation.rule, deviation.found) == ("XSD-012", "DocData has 8 characters")
    assert deviation.wanted == "a length of at most 3"


def test_a_document_that_stayed_in_the_tree_is_read_in_its_place():
    message = body('<P><DocData format="text">first</DocData><DocData>Qg==</DocData><DocData>Qh==</DocData></P>')
    push, _ = pushed(message)
    from tests.contract.reading import ARRIVAL, read_push

    kept, deviations = read_push(envelope_of(message, frozenset({"page"})), ARRIVAL)
    assert [(d.encoding, d.content.inline) for d in kept.documents] == [
        (d.encoding, d.content.inline) for d in push.documents
    ]
    assert [deviation.rule for deviation in deviations] == ["PAY-003"]


def test_schemas_that_import_each_other_without_a_location_are_one(tmp_path):
    first = schema(
        '<xs:import namespace="urn:u"/><xs:element name="Push"><xs:complexType><xs:sequence><xs:element ref="u:Part"/>'
        "</xs:sequence></xs:complexType></xs:element><xs:simpleType name='N'><xs:restriction base='xs:int'/></xs:simpleType>"
    )
    second = schema('<xs:import namespace="urn:t"/><xs:element name="Part" type="u:P"/>', "urn:u")
    third = schema(
        '<xs:import namespace="urn:t"/><xs:complexType name="P"><xs:sequence><xs:element name="n" type="t:N"/></xs:sequence>'
        "</xs:complexType>",
        "urn:u",
    )
    schema_check = SchemaCheck(a_wsdl(tmp_path, first, second, third))
    message = body('<t:Push xmlns:t="urn:t" xmlns:u="urn:u"><u:Part><u:n>{}</u:n></u:Part></t:Push>')
    assert schema_check.check(envelope_of(message.format("1"))) == ()
    assert [d.rule for d in schema_check.check(envelope_of(message.format("x")))] == ["XSD-011"]


def test_schemas_in_files_beside_the_wsdl_are_part_of_it(tmp_path):
    (tmp_path / "part.xsd").write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified">'
        '<xs:element name="Push" type="Named"/><xs:complexType name="Named"><xs:sequence>'
        '<xs:element name="n" type="xs:int"/></xs:sequence></xs:complexType></xs:schema>'
    )
    schema_check = SchemaCheck(a_wsdl(tmp_path, schema('<xs:include schemaLocation="part.xsd"/>')))
    assert schema_check.check(envelope_of(body('<Push xmlns="urn:t"><n>1</n></Push>'))) == ()
    assert [d.rule for d in schema_check.check(envelope_of(body('<Push xmlns="urn:t"><n/></Push>')))] == ["XSD-011"]


def test_a_header_block_may_have_soap_attributes_that_its_type_does_not_have(tmp_path):
    types = '<xs:element name="Push"/><xs:element name="Block"><xs:complexType/></xs:element>'
    schema_check = SchemaCheck(a_wsdl(tmp_path, schema(types), header="t:Block"))
    block = '<t:Block xmlns:t="urn:t" s:mustUnderstand="1" s:actor="http://schemas.xmlsoap.org/soap/actor/next"{}/>'
    push = '<Push xmlns="urn:t"/>'
    assert schema_check.check(envelope_of(body(push, block.format("")))) == ()
    (deviation,) = schema_check.check(envelope_of(body(push, block.format(' n="1"'))))
    assert (deviation.rule, deviation.path) == ("XSD-015", "/s:Envelope/s:Header/t:Block/@n")


def test_schemas_that_do_not_compile_are_said_at_start_up(tmp_path):
    with pytest.raises(ContractError, match=r"made\.wsdl, line 4: the schemas do not compile"):
        CompiledSchema(a_wsdl(tmp_path, schema('<xs:element name="Push" type="xs:int" default="x"/>')))


def test_the_schema_is_whole_also_when_other_threads_parse_while_it_is_compiled():
    wsdl = shipped_wsdl()
    done = threading.Event()

    def parse() -> None:
        while not done.is_set():
            etree.fromstring(b"<a><b/></a>", etree.XMLParser())

    threads = [threading.Thread(target=parse) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        schemas = [CompiledSchema(wsdl) for _ in range(3)]
    finally:
        done.set()
        for thread in threads:
            thread.join()
    envelope = etree.fromstring(body('<JobId xmlns="urn:any"/>'))
    for compiled in schemas:
        with compiled.deciding() as decides:
            assert decides.validate(envelope)
            assert not decides.validate(etree.fromstring("<JobDocumentTransmitResult/>"))


TIMES = """
<xs:simpleType name="Four"><xs:restriction base="xs:string"><xs:length value="4"/></xs:restriction></xs:simpleType>
<xs:simpleType name="Late"><xs:restriction base="xs:date"><xs:minInclusive value="2012-01-01"/></xs:restriction>
  </xs:simpleType>
<xs:complexType name="Stamped"><xs:simpleContent><xs:extension base="xs:dateTime"><xs:attribute name="until" type="xs:time"/>
  <xs:attribute name="form" type="xs:NOTATION"/>
  </xs:extension></xs:simpleContent></xs:complexType>
<xs:element name="Push"><xs:complexType><xs:sequence>
  <xs:element name="late" type="t:Late" minOccurs="0"/>
  <xs:element name="stamped" type="t:Stamped" minOccurs="0"/>
  <xs:element name="day" type="xs:gDay" fixed="---11" minOccurs="0"/>
  <xs:element name="lasts" type="xs:duration" minOccurs="0"/>
  <xs:element name="rate" type="xs:double" minOccurs="0"/>
  <xs:element name="either" minOccurs="0"><xs:simpleType><xs:union memberTypes="xs:date t:Four"/></xs:simpleType></xs:element>
  <xs:element name="text" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="[0-9-]*"/>
    </xs:restriction></xs:simpleType></xs:element>
</xs:sequence></xs:complexType></xs:element>
"""


@pytest.fixture(scope="module")
def check_of_times(tmp_path_factory: pytest.TempPathFactory) -> SchemaCheck:
    return SchemaCheck(a_wsdl(tmp_path_factory.mktemp("times"), schema(TIMES)))


@pytest.mark.parametrize(
    "content",
    [
        "<late> 2012-11-04 </late>",
        "<late>&#x20;2012-11-04&#xD;</late>",
        '<stamped until=" 13:20:01 ">\n\t2012-11-04T13:20:01Z\n</stamped>',
        "<day> ---11 </day>",
        "<lasts> P1D </lasts>",
        "<rate> INF </rate>",
        "<late> 2012-11-04 </late><either> ab </either>",
        "<late> 2012-11-04 </late><lasts> P1D </lasts>",
    ],
)
def test_white_space_around_what_is_no_text_does_not_count(check_of_times: SchemaCheck, content: str) -> None:
    assert told(check_of_times, content) == ()


@pytest.mark.parametrize(
    ("content", "rules"),
    [
        ("<late> 2011-11-04 </late>", ["XSD-012"]),
        ("<late> 2012-11-31 </late>", ["XSD-011"]),
        ("<late> 2012-11-04\xa0</late>", ["XSD-011"]),
        ("<late> 2012- 11-04 </late>", ["XSD-011"]),
        ('<stamped until=" 13:20 "> 2012-11-04T13:20:01Z </stamped>', ["XSD-016"]),
        ("<day> ---12 </day>", ["XSD-013"]),
        ("<text> 2012-11-04 </text>", ["XSD-012"]),
        ("<late> 2012-11-04 </late><lasts> 1 </lasts>", ["XSD-011"]),
        ('<stamped form="t:png" xmlns:t="urn:t">2012-11-04T13:20:01Z </stamped>', ["XSD-024"]),
    ],
)
def test_white_space_around_what_is_no_text_hides_nothing(
    check_of_times: SchemaCheck, content: str, rules: list[str]
) -> None:
    assert [deviation.rule for deviation in told(check_of_times, content)] == rules


def test_a_message_that_was_looked_at_without_its_white_space_has_it_again(check_of_times: SchemaCheck) -> None:
    sent = '<stamped until=" 13:20:01 "> 2012-11-04T13:20:01Z </stamped><lasts> 1 </lasts>'
    envelope = envelope_of(body(f'<Push xmlns="urn:t" {XSI}>{sent}</Push>'))
    before = etree.tostring(envelope.root)
    assert check_of_times.check(envelope)
    assert etree.tostring(envelope.root) == before
