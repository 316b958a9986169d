"""Single edits of the shipped WSDL, each with the class that it has for what a sender emits and for the whole exchange."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from soapsvc.contract.contract_difference import ContractDifference, as_object, contract_difference
from soapsvc.contract.wsdl_document import WsdlDocument
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
