"""Single edits of the shipped WSDL, each with the class that it has for what a sender emits and for the whole exchange."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from soapsvc.contract.contract_difference import ContractDifference, as_object, contract_difference
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.errors import ContractError
from soapsvc.namespaces import WSDL11, WSDL_SOAP11_BINDING, XML_SCHEMA
from soapsvc.shipped import WSDL_FILE

NS = {"x": XML_SCHEMA, "w": WSDL11, "s": WSDL_SOAP11_BINDING}
Edit = Callable[[etree._Element], None]
I, C, B = "identical", "compatible", "breaking"  # noqa: E741


def at(path: str) -> str:
    """XPath of `Type/child`, `Type/@attribute` or a global component."""
    name, _, child = path.partition("/")
    base = f"//x:schema/x:*[@name='{name}']"
    if not child:
        return base
    kind = "attribute" if child.startswith("@") else "element"
    return f"{base}//x:{kind}[@name='{child.lstrip('@')}']"


def one(root: etree._Element, xpath: str) -> etree._Element:
    (found, *_) = root.xpath(xpath, namespaces=NS)
    return found


def put(path: str, **attributes: str | None) -> Edit:
    """Set attributes; None takes one away."""

    def edit(root: etree._Element) -> None:
        element = one(root, path if path.startswith("//") else at(path))
        for name, value in attributes.items():
            element.attrib.pop(name, None)
            if value is not None:
                element.set(name, value)

    return edit


def gone(path: str) -> Edit:
    def edit(root: etree._Element) -> None:
        element = one(root, path if path.startswith("//") else at(path))
        element.getparent().remove(element)

    return edit


def beside(path: str, xml: str, *, before: bool = False, inside: bool = False) -> Edit:
    """Put a component beside another, or as the last one into it."""

    def edit(root: etree._Element) -> None:
        element = one(root, path if path.startswith("//") else at(path))
        declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in root.nsmap.items())
        made = etree.fromstring(f"<r {declared}>{xml}</r>")[0]
        if inside:
            element.append(made)
        elif before:
            element.addprevious(made)
        else:
            element.addnext(made)

    return edit


def swapped(path: str) -> Edit:
    def edit(root: etree._Element) -> None:
        element = one(root, at(path))
        element.getnext().addnext(element)

    return edit


def restricted(path: str, facets: str) -> Edit:
    """An anonymous restriction in place of the named type."""

    def edit(root: etree._Element) -> None:
        element = one(root, at(path))
        base = element.attrib.pop("type")
        beside(at(path), f'<xs:simpleType><xs:restriction base="{base}">{facets}</xs:restriction></xs:simpleType>',
               inside=True)(root)  # fmt: skip

    return edit


DOCUMENT, DATA, ROOT_TYPE = "DocumentType", "JobDocumentDataType", "JobDocumentTransmitResultType"
SEQUENCE = f"//x:complexType[@name='{DOCUMENT}']/x:sequence"
BODY_SCHEMA = "//x:schema[2]"
HEADER = "//w:binding//w:input/s:header"
OPERATION = "//w:portType/w:operation"

EDITS: dict[str, tuple[Edit, str, str]] = {
    # occurs
    "an optional element is demanded": (put(f"{DOCUMENT}/Filename", minOccurs="1"), B, B),
    "a demanded element may stay away": (put(f"{DOCUMENT}/DocType", minOccurs="0"), C, C),
    "one becomes many": (put(f"{DOCUMENT}/Filename", maxOccurs="unbounded"), C, C),
    "one becomes three": (put(f"{DOCUMENT}/Filename", maxOccurs="3"), C, C),
    "many become one": (put(f"{DATA}/Document", maxOccurs="1"), B, B),
    "many become five": (put(f"{DATA}/Document", maxOccurs="5"), B, B),
    "none is allowed any more": (put(f"{DATA}/Status", maxOccurs="0"), B, B),
    "the root holds one job only": (put(f"{ROOT_TYPE}/JobDocumentData", maxOccurs="1"), B, B),
    # elements
    "an optional element is added": (beside(f"{DOCUMENT}/Filename", '<xs:element name="Pages" minOccurs="0"/>'), C, C),
    "a demanded element is added": (beside(f"{DOCUMENT}/Filename", '<xs:element name="Pages"/>'), B, B),
    "an optional element is removed": (gone(f"{DOCUMENT}/CharacterSet"), B, B),
    "a demanded element is removed": (gone(f"{DOCUMENT}/DocType"), B, B),
    "an element is renamed": (put(f"{DOCUMENT}/Filename", name="FileName"), B, B),
    "two elements change places": (swapped(f"{DOCUMENT}/DocType"), B, B),
    "an element loses its namespace": (put(f"{DOCUMENT}/Filename", form="unqualified"), B, B),
    "all local elements lose theirs": (put(BODY_SCHEMA, elementFormDefault="unqualified"), B, B),
    "a choice of two": (beside(f"{DOCUMENT}/DocType", '<xs:choice><xs:element name="A"/><xs:element name="B"/></xs:choice>'), B, B),
    "an optional choice": (
        beside(f"{DOCUMENT}/DocType", '<xs:choice minOccurs="0"><xs:element name="A"/><xs:element name="B"/></xs:choice>'), C, C),
    "anything of other namespaces at the end": (
        beside(SEQUENCE, '<xs:any namespace="##other" processContents="lax" minOccurs="0"/>', inside=True), C, C),
    "one thing of other namespaces at the end": (
        beside(SEQUENCE, '<xs:any namespace="##other" processContents="lax"/>', inside=True), B, B),
    # nillable, default, fixed
    "an element may be nil": (put(f"{DOCUMENT}/Filename", nillable="true"), C, C),
    "an element has a default": (put(f"{DOCUMENT}/CharacterSet", default="UTF-8"), I, I),
    "an element is fixed": (put(f"{DOCUMENT}/CharacterSet", fixed="UTF-8"), B, B),
    # types
    "integer becomes int": (put("JobIdType/MRN", type="xs:int"), B, B),
    "integer becomes decimal": (put("JobIdType/MRN", type="xs:decimal"), C, C),
    "integer becomes string": (put("JobIdType/MRN", type="xs:string"), C, C),
    "string becomes integer": (put("JobIdType/XDN", type="xs:integer"), B, B),
    "string becomes token": (put("JobIdType/XDN", type="xs:token"), I, I),
    "string becomes anyURI": (put("JobIdType/XDN", type="xs:anyURI"), B, B),
    "string becomes boolean": (put("JobIdType/XDN", type="xs:boolean"), B, B),
    "text becomes base64Binary": (put("//x:complexType[@name='DocDataType']//x:extension", base="xs:base64Binary"), B, B),
    "text becomes elements": (put("JobIdType/XDN", type="tns:StatusType"), B, B),
    "an element of any type": (put("JobIdType/XDN", type="xs:anyType"), C, C),
    # facets
    "a longest length": (restricted("JobIdType/XDN", '<xs:maxLength value="20"/>'), B, B),
    "a shortest length": (restricted("JobIdType/XDN", '<xs:minLength value="1"/>'), B, B),
    "a pattern": (restricted("JobIdType/XDN", '<xs:pattern value="[a-z0-9]+"/>'), B, B),
    "a pattern that takes all": (restricted("JobIdType/XDN", '<xs:pattern value="(.|\\s)*"/>'), B, B),
    "a greatest number": (restricted("JobIdType/MRN", '<xs:maxInclusive value="99999999"/>'), B, B),
    "digits": (restricted("JobIdType/MRN", '<xs:totalDigits value="9"/>'), B, B),
    "values named one by one": (restricted("JobIdType/XDN", '<xs:enumeration value="test2"/>'), B, B),
    "one more value of a list": (beside("//x:enumeration[@value='text']", '<xs:enumeration value="hex"/>'), C, C),
    "one value less": (gone("//x:enumeration[@value='text']"), B, B),
    # attributes
    "an optional attribute is added": (
        beside("DocDataType/@format", '<xs:attribute name="length" type="xs:integer"/>'), C, C),
    "a demanded attribute is added": (
        beside("DocDataType/@format", '<xs:attribute name="length" type="xs:integer" use="required"/>'), B, B),
    "an optional attribute is removed": (gone("PropertyType/@b64charset"), B, B),
    "a demanded attribute is removed": (gone("PropertyType/@name"), B, B),
    "an optional attribute is demanded": (put("PropertyType/@b64charset", use="required"), B, B),
    "a demanded attribute may stay away": (put("DocDataType/@format", use="optional"), C, C),
    "an attribute is renamed": (put("PropertyType/@b64charset", name="charset"), B, B),
    "an attribute has another type": (put("PropertyType/@name", type="xs:integer"), B, B),
    "an attribute has a default": (put("PropertyType/@b64charset", default="UTF-8"), I, I),
    "an attribute is fixed": (put("PropertyType/@b64charset", fixed="UTF-8"), B, B),
    "any attribute": (
        beside(f"{DOCUMENT}/@ref", '<xs:anyAttribute namespace="##other" processContents="lax"/>'), C, C),
    "no more any attribute": (gone("//x:complexType[@name='ResponseType']/x:anyAttribute"), B, B),
    # what sender and answer share
    "a shared type is widened": (put("StatusType/CompletionTime", minOccurs="0"), C, B),
    "a shared type is narrowed": (put("StatusType/StatusMessage", minOccurs="1"), B, B),
    # the answer: roles are exchanged
    "the answer may have more": (
        beside("JobDocumentTransmitResultAckType/SubmitId", '<xs:element name="Note" minOccurs="0"/>'), I, B),
    "the answer says less": (gone("JobDocumentTransmitResultAckType/SubmitId"), I, C),
    "the answer always has the id": (put("JobDocumentTransmitResultAckType/SubmitId", minOccurs="1"), I, C),
    "there is no answer": (gone(f"{OPERATION}/w:output"), I, B),
    # names and bindings
    "another soapAction": (put("//s:operation", soapAction="other"), I, B),
    "another name of the service": (put("//w:service", name="OtherService"), I, C),
    "the header block is not bound": (gone(HEADER), C, C),
    "another root element": (
        lambda root: (put("//x:schema[2]/x:element[@name='JobDocumentTransmitResult']", name="Result")(root),
                      put("//w:message[1]/w:part[1]", element="tns:Result")(root))[0], B, B),
    "a type that nothing uses": (beside("StatusType", '<xs:complexType name="Unused"/>'), I, I),
    "another namespace of the header": (
        put("//x:schema[1]", targetNamespace="http://premconn.premiereconnect.com/2007/02"), I, I),
}  # fmt: skip


def compared(folder: Path, edit: Edit | None = None) -> ContractDifference:
    root = etree.fromstring(WSDL_FILE.read_bytes())
    if edit is not None:
        edit(root)
    path = folder / "new.wsdl"
    path.write_bytes(etree.tostring(root))
    return contract_difference(WsdlDocument.load(WSDL_FILE), WsdlDocument.load(path))


def test_there_are_at_least_sixty() -> None:
    assert len(EDITS) >= 60


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_has_its_class_and_is_told(tmp_path: Path, what: str) -> None:
    edit, messages, contract = EDITS[what]
    found = compared(tmp_path, edit)
    assert (found.messages, found.contract) == (messages, contract), as_object(found)
    if contract != I:
        assert found.differences != ()
        assert contract in {one.class_ for one in found.differences}
    for one_difference in found.differences:
        assert one_difference.where.startswith("operation ")
        assert (one_difference.old_line or one_difference.new_line) is not None


def test_nothing_differs_from_itself(tmp_path: Path) -> None:
    found = compared(tmp_path)
    assert (found.messages, found.contract, found.old_valid_under_new, found.new_valid_under_old) == (I, I, True, True)
    assert found.differences == ()


# What one small schema takes of what another takes. {…} stands for the content of Push and for global components.

FAX = """<x:complexType name="Base"><x:sequence><x:element name="Id" type="x:string"/></x:sequence></x:complexType>
    <x:complexType name="Fax"><x:complexContent><x:extension base="t:Base"><x:sequence>%s</x:sequence></x:extension>
    </x:complexContent></x:complexType>"""
PAGES = '<x:element name="Pages" type="x:int"/>'
OF_BASE = '<x:element name="A" type="t:Base"%s/>'
ANY = '<x:any namespace="##targetNamespace" processContents="%s" minOccurs="0"/>'
GLOBAL = '<x:element name="X" type="x:%s"/>'
HEAD = """<x:element name="H" type="x:string" %s/><x:element name="S" substitutionGroup="t:H" type="x:string"/>"""
UNIQUE = '<x:unique name="%s"><x:selector xpath="t:A"/><x:field xpath="%s"/></x:unique>'
MANY = '<x:element name="A" type="x:%s" maxOccurs="9"/>'
CHOICE = '<x:choice%s><x:element name="A" type="x:string"/>%s</x:choice>'
EITHER = '<x:choice><x:element name="B" type="x:string"/>%s</x:choice>'
LATER = '<x:element name="C" type="x:string"/>'
SKIPPED = '<x:anyAttribute %s processContents="skip"/>'
GROUPS = "".join(f'<x:attributeGroup name="{name}">{SKIPPED % f}</x:attributeGroup>'
                 for name, f in (("a", ""), ("b", 'namespace="urn:z"')))  # fmt: skip


def of_type(base: str, facets: str, name: str = "A") -> str:
    restriction = f'<x:restriction base="x:{base}">{facets}</x:restriction>'
    return f'<x:element name="{name}"><x:simpleType>{restriction}</x:simpleType></x:element>'


def named(*values: str) -> str:
    return "".join(f'<x:enumeration value="{value}"/>' for value in values)


def pattern(value: str) -> str:
    return f'<x:pattern value="{value}"/>'


def every(count: int, occurs: str = "") -> str:
    return "".join(f'<x:element name="E{n}" type="x:string"{occurs}/>' for n in range(count))


def schema(content: str, components: str = "", attributes: str = "", keys: str = "", kind: str = "sequence") -> str:
    return f"""<x:element name="Push"><x:complexType><x:{kind}>{content}</x:{kind}>{attributes}</x:complexType>{keys}
        </x:element>{components}"""


def attribute(value: str, of: str = "decimal") -> str:
    return schema("", attributes=f'<x:attribute name="v" type="x:{of}" fixed="{value}"/>')


PAIRS: dict[str, tuple[str, str, str]] = {
    # xsi:type
    "a derived type demands more": (
        schema(OF_BASE % "", FAX % PAGES), schema(OF_BASE % "", FAX % (PAGES + '<x:element name="Q"/>')), B),
    "a derived type allows more": (
        schema(OF_BASE % "", FAX % PAGES), schema(OF_BASE % "", FAX % (PAGES + '<x:element name="Q" minOccurs="0"/>')), C),
    "a derived type is called otherwise": (
        schema(OF_BASE % "", FAX % PAGES), schema(OF_BASE % "", (FAX % PAGES).replace("Fax", "Telefax")), B),
    "the declared type is called otherwise": (
        schema('<x:element name="A" type="t:Base"/>', FAX.split("\n")[0]),
        schema('<x:element name="A" type="t:Root"/>', FAX.split("\n")[0].replace("Base", "Root")), I),
    "derived types are blocked": (schema(OF_BASE % "", FAX % PAGES), schema(OF_BASE % ' block="extension"', FAX % PAGES), B),
    "derived types are blocked by their base": (
        schema(OF_BASE % "", FAX % PAGES), schema(OF_BASE % "", (FAX % PAGES).replace('e="Base"', 'e="Base" block="#all"')), B),
    "derived types are not blocked any more": (
        schema(OF_BASE % ' block="extension"', FAX % PAGES), schema(OF_BASE % "", FAX % PAGES), C),
    "restrictions are blocked, and there is none": (
        schema(OF_BASE % "", FAX % PAGES), schema(OF_BASE % ' block="restriction"', FAX % PAGES), I),
    "what xsi:type may name below anyType is narrowed": (
        schema('<x:element name="A" type="x:anyType"/>', FAX % PAGES),
        schema('<x:element name="A" type="x:anyType"/>', FAX % PAGES.replace("int", "short")), B),
    "what xsi:type may name below a built-in type is not looked at": (
        schema('<x:element name="A" type="x:string"/>',
               '<x:simpleType name="Code"><x:restriction base="x:string"/></x:simpleType>'),
        schema('<x:element name="A" type="x:string"/>'), I),
    # wildcards
    "what a strict any admits is narrowed": (
        schema(ANY % "strict", GLOBAL % "string"), schema(ANY % "strict", GLOBAL % "int"), B),
    "what a strict any admits is widened": (
        schema(ANY % "strict", GLOBAL % "int"), schema(ANY % "strict", GLOBAL % "string"), C),
    "what a strict any admits is gone": (schema(ANY % "strict", GLOBAL % "string"), schema(ANY % "strict"), B),
    "what a skipped any admits is narrowed": (
        schema(ANY % "skip", GLOBAL % "string"), schema(ANY % "skip", GLOBAL % "int"), I),
    "what a lax any admits is declared": (schema(ANY % "lax"), schema(ANY % "lax", GLOBAL % "int"), B),
    "what a lax any admits is declared no more": (schema(ANY % "lax", GLOBAL % "int"), schema(ANY % "lax"), C),
    "what anyType admits is declared": (
        schema('<x:element name="A" type="x:anyType"/>'), schema('<x:element name="A" type="x:anyType"/>', GLOBAL % "int"), B),
    "a lax any attribute is declared": (
        schema("", attributes="<x:anyAttribute processContents='lax'/>"),
        schema("", '<x:attribute name="g" type="x:int"/>', "<x:anyAttribute processContents='lax'/>"), B),
    "an attribute is left to a lax wildcard, and narrowed": (
        schema("", '<x:attribute name="g" type="x:string"/>', '<x:attribute ref="t:g"/>'),
        schema("", '<x:attribute name="g" type="x:int"/>', "<x:anyAttribute processContents='lax'/>"), B),
    "an attribute is left to a wildcard that skips it": (
        schema("", '<x:attribute name="g" type="x:string"/>', '<x:attribute ref="t:g"/>'),
        schema("", '<x:attribute name="g" type="x:int"/>', SKIPPED % ""), C),
    "any attribute of two groups is what both admit": (
        schema("", GROUPS, '<x:attributeGroup ref="t:a"/>'),
        schema("", GROUPS, '<x:attributeGroup ref="t:a"/><x:attributeGroup ref="t:b"/>'), B),
    # texts
    "a pattern is of text whose white space is treated otherwise": (
        schema(of_type("string", pattern(".{10}"))), schema(of_type("token", pattern(".{10}"))), B),
    "a pattern is of text whose white space is kept": (
        schema(of_type("token", pattern("[A-Z]{3}"))), schema(of_type("string", pattern("[A-Z]{3}"))), B),
    "named numbers become named texts": (schema(of_type("int", named("0", "1"))), schema(of_type("token", named("0", "1"))), B),
    "named numbers become truth values": (schema(of_type("int", named("0", "1"))), schema(of_type("boolean", "")), B),
    "named numbers become a number": (schema(of_type("int", named("0", "1"))), schema(of_type("decimal", "")), C),
    "named texts become numbers": (schema(of_type("token", named("0", "1"))), schema(of_type("int", "")), C),
    "a named number gets a pattern": (schema(of_type("decimal", named("1.0"))), schema(of_type("decimal", pattern(r"\d\.\d"))), B),
    "a named binary becomes a text": (schema(of_type("hexBinary", named("0A"))), schema(of_type("token", named("0A"))), B),
    "a named time gets a pattern": (
        schema(of_type("dateTime", named("2000-01-01T00:00:00Z"))),
        schema(of_type("dateTime", named("2000-01-01T00:00:00Z") + pattern(".*Z"))), B),
    "a fixed number is spelled otherwise": (attribute("1.0"), attribute("1.00"), I),
    "a fixed text is spelled otherwise": (attribute("1.0", "string"), attribute("1.00", "string"), B),
    "a fixed truth value is spelled otherwise": (attribute("true", "boolean"), attribute("1", "boolean"), I),
    # keys
    "a key is added": (schema(MANY % "string"), schema(MANY % "string", keys=UNIQUE % ("u", ".")), B),
    "a key is removed": (schema(MANY % "string", keys=UNIQUE % ("u", ".")), schema(MANY % "string"), C),
    "a key has another field": (
        schema(MANY % "string", keys=UNIQUE % ("u", ".")), schema(MANY % "string", keys=UNIQUE % ("u", "@a")), B),
    "a key has another name": (
        schema(MANY % "string", keys=UNIQUE % ("u", ".")), schema(MANY % "string", keys=UNIQUE % ("v", ".")), I),
    "what a key compares is compared otherwise": (
        schema(MANY % "string", keys=UNIQUE % ("u", ".")), schema(MANY % "token", keys=UNIQUE % ("u", ".")), B),
    "beside a key there may be more": (
        schema(MANY % "string", keys=UNIQUE % ("u", ".")),
        schema(MANY % "string" + '<x:element name="B" minOccurs="0"/>', keys=UNIQUE % ("u", ".")), C),
    # content models
    "substitutes are blocked": (
        schema('<x:element ref="t:H"/>', HEAD % ""), schema('<x:element ref="t:H"/>', HEAD % 'block="substitution"'), B),
    "substitutes are blocked no more": (
        schema('<x:element ref="t:H"/>', HEAD % 'block="substitution"'), schema('<x:element ref="t:H"/>', HEAD % ""), C),
    "a choice has one more branch": (schema(CHOICE % ("", "")), schema(CHOICE % ("", LATER)), C),
    "a choice has one branch less": (schema(CHOICE % ("", LATER)), schema(CHOICE % ("", "")), B),
    "a repeated choice has one more branch": (
        schema(CHOICE % (' maxOccurs="unbounded"', "")), schema(CHOICE % (' maxOccurs="unbounded"', LATER)), C),
    "a choice within a choice has one more branch": (
        schema(CHOICE % ("", EITHER % "")), schema(CHOICE % ("", EITHER % LATER)), C),
    "a choice has one more branch, and an attribute is gone": (
        schema(CHOICE % ("", ""), attributes='<x:attribute name="v"/>'), schema(CHOICE % ("", LATER)), B),
    "text becomes anything": (schema('<x:element name="A" type="x:string"/>'), schema('<x:element name="A" type="x:anyType"/>'), C),
    "twenty in any order": (schema(every(20), kind="all"), schema(every(20) + "<!-- -->", kind="all"), I),
    "twenty in any order, one of them not": (
        schema(every(20), kind="all"), schema(every(20, ' minOccurs="0"'), kind="all"), C),
    "twenty in any order that were in one": (schema(every(20)), schema(every(20), kind="all"), C),
    "twelve in any order that become one of them, repeated": (
        schema(every(12), kind="all"), schema(f"<x:choice maxOccurs='unbounded'>{every(12)}</x:choice>"), C),
    "twenty in one order that were in any": (schema(every(20), kind="all"), schema(every(20)), B),
    "up to a million": (schema((MANY % "int").replace("9", "1000000")), schema(" " + (MANY % "int").replace("9", "1000000")), I),
    "up to a million become any number": (
        schema((MANY % "int").replace("9", "1000000")), schema((MANY % "int").replace("9", "unbounded")), C),
    "any number becomes up to a million": (
        schema((MANY % "int").replace("9", "unbounded")), schema((MANY % "int").replace("9", "1000000")), B),
}  # fmt: skip


def contract_of(folder: Path, name: str, components: str) -> WsdlDocument:
    path = folder / f"{name}.wsdl"
    path.write_text(f"""<w:definitions xmlns:w="{WSDL11}" xmlns:s="{WSDL_SOAP11_BINDING}" xmlns:x="{XML_SCHEMA}"
      xmlns:t="urn:t" targetNamespace="urn:t"><w:types><x:schema targetNamespace="urn:t" elementFormDefault="qualified">
      {components}<x:element name="Ack" type="x:string"/></x:schema></w:types>
      <w:message name="In"><w:part name="p" element="t:Push"/></w:message>
      <w:message name="Out"><w:part name="p" element="t:Ack"/></w:message>
      <w:portType name="T"><w:operation name="Push"><w:input message="t:In"/><w:output message="t:Out"/></w:operation></w:portType>
      <w:binding name="B" type="t:T"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/><w:operation name="Push">
      <s:operation soapAction=""/><w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output>
      </w:operation></w:binding><w:service name="S"><w:port name="P" binding="t:B"><s:address location="http://x.example/"/>
      </w:port></w:service></w:definitions>""")
    return WsdlDocument.load(path)


@pytest.mark.parametrize("what", PAIRS)
def test_what_small_schemas_take_has_its_class_and_is_told(tmp_path: Path, what: str) -> None:
    old, new, class_ = PAIRS[what]
    found = contract_difference(contract_of(tmp_path, "old", old), contract_of(tmp_path, "new", new))
    assert (found.messages, found.contract) == (class_, class_), as_object(found)
    assert class_ == I or class_ in {one.class_ for one in found.differences}
    assert all((one.old_line or one.new_line) is not None for one in found.differences)


@pytest.mark.parametrize("what", PAIRS)
def test_each_small_schema_is_identical_to_itself_and_says_nothing(tmp_path: Path, what: str) -> None:
    for components in PAIRS[what][:2]:
        pair = contract_of(tmp_path, "old", components), contract_of(tmp_path, "new", components)
        found = contract_difference(*pair)
        assert (found.messages, found.contract, found.differences) == (I, I, ())


@pytest.mark.parametrize("occurs", ["", ' minOccurs="0"'], ids=["demanded", "optional"])
def test_two_long_sequences_are_compared_in_a_moment(tmp_path: Path, occurs: str) -> None:
    old, new = every(1500, occurs), every(1501, ' minOccurs="0"')
    pair = contract_of(tmp_path, "old", schema(old)), contract_of(tmp_path, "new", schema(new))
    began = time.monotonic()
    assert contract_difference(*pair).messages == C
    assert time.monotonic() - began < 10  # a model of n children took n³ steps


RPC = ("style: document -> rpc", lambda text: text.replace('style="document"', 'style="rpc"'))
ENCODED = ("use: literal -> encoded", lambda text: text.replace('parts="parameter" use="literal"', 'use="encoded"'))


@pytest.mark.parametrize(("what", "edit"), [RPC, ENCODED], ids=["style", "use"])
def test_another_style_or_use_is_told_and_breaks(tmp_path: Path, what: str, edit: Callable[[str], str]) -> None:
    path = tmp_path / "other.wsdl"
    path.write_text(edit(WSDL_FILE.read_text()))
    other, shipped = (WsdlDocument.load(each, any_form=True) for each in (path, WSDL_FILE))
    found = contract_difference(shipped, other)
    assert (found.messages, found.contract, found.old_valid_under_new, found.new_valid_under_old) == (
        B,
        B,
        False,
        False,
    )
    assert [(one.what, one.class_) for one in found.differences] == [(what, B)]
    with pytest.raises(ContractError, match="in both"):
        contract_difference(other, other)


BOUND = '<soap:header message="tns:JobDocumentTransmitResultMessage" part="response_header" use="literal"/>'
OUTPUT = "<wsdl:documentation>INFERRED. The answer, without a header block.</wsdl:documentation>"


def test_a_header_block_of_the_answer_is_part_of_the_contract(tmp_path: Path) -> None:
    text = WSDL_FILE.read_text()
    assert OUTPUT in text
    path = tmp_path / "answers.wsdl"
    path.write_text(text.replace(OUTPUT, OUTPUT + BOUND))
    without, bound = WsdlDocument.load(WSDL_FILE), WsdlDocument.load(path)
    for old, new, what, class_ in (
        (without, bound, "header block bound", C),
        (bound, without, "header block no longer bound", B),
    ):
        found = contract_difference(old, new)
        assert (found.messages, found.contract) == (I, class_)
        assert [(one.what, one.class_) for one in found.differences] == [(what, class_)]
    assert contract_difference(bound, bound).differences == ()
