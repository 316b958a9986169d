"""A WSDL is read once, served byte for byte but for its address, and refused with the line of what is wrong."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import zeep
from lxml import etree

from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.contract.wsdl_document import MARKS, WsdlDocument
from soapsvc.errors import ContractError
from soapsvc.namespaces import WSDL_SOAP11_BINDING
from soapsvc.shipped import WSDL_FILE
from tests.contract.reading import a_wsdl, schema

HEADER = "{http://premconn.premiereconnect.com/2007/02}"
BODY = "{http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10}"
DOC_DATA = [f"{BODY}{name}" for name in ("JobDocumentTransmitResult", "JobDocumentData", "Document", "DocData")]
TEXT = WSDL_FILE.read_text(encoding="utf-8")
Load = Callable[[str | bytes], WsdlDocument]


@pytest.fixture(scope="module")
def wsdl() -> WsdlDocument:
    return WsdlDocument.load(WSDL_FILE)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a WSDL to a file of its own and load it."""

    def write_and_load(content: str | bytes) -> WsdlDocument:
        path = tmp_path / "service.wsdl"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return WsdlDocument.load(path)

    return write_and_load


def test_the_shipped_file_offers_one_operation(wsdl: WsdlDocument) -> None:
    (operation,) = wsdl.operations
    assert operation.name == "JobDocumentTransmitResult"
    assert operation.soap_action == "basicInvoke"
    assert operation.input_element == f"{BODY}JobDocumentTransmitResult"
    assert operation.output_element == f"{BODY}JobDocumentTransmitResultAck"
    assert operation.header_blocks == (f"{HEADER}Response",)
    assert not operation.one_way
    assert wsdl.sha256 == hashlib.sha256(WSDL_FILE.read_bytes()).hexdigest()


def test_zeep_loads_the_shipped_file_and_finds_the_operation() -> None:
    client = zeep.Client(str(WSDL_FILE))
    assert list(client.service._operations) == ["JobDocumentTransmitResult"]


# Serving -------------------------------------------------------------------------------------------------------------


def test_nothing_but_the_address_differs_in_what_is_served(wsdl: WsdlDocument) -> None:
    served = wsdl.served("https://push.example.com/push")
    assert served == wsdl.raw.replace(b"http://receiver.example.com/push", b"https://push.example.com/push")


def test_the_address_is_escaped(wsdl: WsdlDocument) -> None:
    address = 'https://push.example.com/push?a=1&b="2"&c=<ü>'
    served = etree.fromstring(wsdl.served(address))
    assert served.find(f".//{{{WSDL_SOAP11_BINDING}}}address").get("location") == address


AWKWARD = TEXT.replace(
    '<soap:address location="http://receiver.example.com/push"/>',
    "<!-- soap:address location='no' --><soap:address\n\twsdl:arrayType=' location=\"no\"' location = 'http://ö/'  />",
)


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b""), ("utf-8", codecs.BOM_UTF8), ("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE),
     ("iso-8859-1", b""), ("windows-1252", b"")],
)  # fmt: skip
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_address_is_replaced_in_any_encoding_and_however_it_is_written(
    load: Load, encoding: str, mark: bytes, line_end: str
) -> None:
    declared = "utf-16" if encoding.startswith("utf-16") else encoding
    text = AWKWARD.replace('encoding="UTF-8"', f'encoding="{declared}"').replace("\n", line_end)
    raw = mark + text.encode(encoding)
    served = load(raw).served("http://x.example/é")
    assert served == mark + text.replace("'http://ö/'", '"http://x.example/é"').encode(encoding)


def test_every_soap_1_1_address_is_replaced_and_no_other(load: Load) -> None:
    other = (
        '<wsdl:port name="B" binding="tns:B"><x:address xmlns:x="urn:x" location="http://other.example/"/></wsdl:port>'
    )
    second = (
        '<wsdl:port name="C" binding="tns:JobDocumentTransmitResultBinding"><soap:address location=""/></wsdl:port>'
    )
    document = load(TEXT.replace("</wsdl:service>", f"{other}{second}</wsdl:service>"))
    served = document.served("http://here.example/")
    assert re.findall(rb'location="([^"]*)"', served) == [b"http://here.example/", b"http://other.example/",
                                                         b"http://here.example/"]  # fmt: skip
    assert len(document.operations) == 1, "two ports of one binding offer the same operation"


# Marks, declarations and documents -----------------------------------------------------------------------------------


def test_every_component_of_the_shipped_file_says_how_well_it_is_known(wsdl: WsdlDocument) -> None:
    named = [element for element in wsdl.root.iter(etree.Element) if element.get("name") and element is not wsdl.root]
    assert len(named) > 60
    assert [element.get("name") for element in named if wsdl.mark(element) not in MARKS] == []


@pytest.mark.parametrize(
    ("names", "mark"),
    [
        ([f"{BODY}JobDocumentTransmitResult"], "INFERRED"),
        ([f"{BODY}JobDocumentTransmitResult", f"{BODY}Status"], "SIBLING"),
        ([f"{BODY}JobDocumentTransmitResult", f"{BODY}Status", f"{BODY}ErrorList", f"{BODY}Error"], "SIBLING"),
        (
            [f"{BODY}JobDocumentTransmitResult", f"{BODY}JobDocumentData", f"{BODY}JobDocumentDataExtension"],
            "DOCUMENTED",
        ),
        ([f"{BODY}JobDocumentTransmitResult", f"{BODY}JobDocumentData", f"{BODY}Document"], "INFERRED"),
        (DOC_DATA, "SIBLING"),
        ([f"{BODY}JobDocumentTransmitResultAck", f"{BODY}SubmitId"], "INFERRED"),
        ([f"{HEADER}Response", f"{HEADER}ReceiverKey"], "INFERRED"),
        ([f"{BODY}NoSuchElement"], None),
    ],
)
def test_a_mark_is_found_by_the_names_that_lead_to_an_element(
    wsdl: WsdlDocument, names: list[str], mark: str | None
) -> None:
    assert wsdl.mark(names) == mark


def test_a_declaration_is_found_by_the_names_that_lead_to_it(wsdl: WsdlDocument) -> None:
    element = wsdl.element_declaration(DOC_DATA)
    assert element is not None
    assert element.get("type") == "tns:DocDataType"


def test_documents_are_doc_data_and_whatever_is_base64_binary(wsdl: WsdlDocument, load: Load) -> None:
    assert wsdl.document_names == {"docdata"}
    changed = TEXT.replace('name="Filename" type="xs:string"', 'name="FaxImage" type="tns:Image"').replace(
        '<xs:simpleType name="DocEncodingFormat">',
        '<xs:complexType name="Image"><xs:simpleContent><xs:extension base="tns:Bytes"/></xs:simpleContent>'
        "</xs:complexType>"
        '<xs:simpleType name="Bytes"><xs:restriction base="xs:base64Binary"/></xs:simpleType>'
        '<xs:simpleType name="DocEncodingFormat">',
    )
    assert load(changed).document_names == {"docdata", "faximage"}


# Schemas in files beside it ------------------------------------------------------------------------------------------


def with_files(folder: Path) -> Path:
    """The shipped WSDL with its header schema in a file beside it, which includes another without a namespace."""
    start, end = TEXT.index("<xs:schema"), TEXT.index("</xs:schema>") + len("</xs:schema>")
    schema = TEXT[start:end]
    simple_start = schema.index('<xs:simpleType name="RequiredType">')
    simple_end = schema.index("</xs:simpleType>") + len("</xs:simpleType>")
    xs = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
    hdr = 'xmlns:hdr="http://premconn.premiereconnect.com/2007/02"'
    (folder / "parts").mkdir()
    (folder / "parts" / "simple.xsd").write_text(f"<xs:schema {xs}>{schema[simple_start:simple_end]}</xs:schema>")
    outer = schema[:simple_start].replace("<xs:schema", f"<xs:schema {xs} {hdr}", 1)
    outer = outer.replace("<xs:annotation>", '<xs:include schemaLocation="parts/simple.xsd"/><xs:annotation>', 1)
    (folder / "header%201.xsd").write_text("not this one: the location is a URI")
    (folder / "header 1.xsd").write_text(outer + schema[simple_end:])
    inline = f'<xs:schema><xs:import namespace="{HEADER[1:-1]}" schemaLocation="header%201.xsd"/></xs:schema>'
    (folder / "service.wsdl").write_text(TEXT[:start] + inline + TEXT[end:])
    return folder / "service.wsdl"


def test_schemas_in_files_beside_the_wsdl_are_read(tmp_path: Path, wsdl: WsdlDocument) -> None:
    document = WsdlDocument.load(with_files(tmp_path))
    assert [file.path.name for file in document.schema_files] == [
        "service.wsdl", "service.wsdl", "header 1.xsd", "simple.xsd"
    ]  # fmt: skip
    assert document.schema_files[-1].target_namespace == HEADER[1:-1], "an included schema takes that of its includer"
    assert document.operations == wsdl.operations
    assert set(document.schema.type_names) == set(wsdl.schema.type_names)
    assert document.element_declaration([f"{HEADER}Request", f"{HEADER}ResponseRequired"]) is not None


def test_a_missing_file_is_told_with_the_line_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ContractError) as refused:
        a_wsdl(tmp_path, schema('\n<xs:include schemaLocation="gone.xsd"/><xs:element name="Push"/>'))
    assert (refused.value.file, refused.value.line) == (tmp_path / "made.wsdl", 5)
    assert f"schemaLocation gone.xsd leads to {tmp_path / 'gone.xsd'}: the file cannot be read" in str(refused.value)


ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"


def test_an_import_without_a_location_that_nothing_refers_to_is_let_be(tmp_path: Path) -> None:
    """As gSOAP writes it into every schema."""
    wsdl = a_wsdl(tmp_path, schema(f'<xs:import namespace="{ENCODING}"/><xs:element name="Push"/>'))
    CompiledSchema(wsdl)


@pytest.mark.parametrize("reference", ['type="e:Array"', 'ref="e:Array"'])
def test_an_import_without_a_location_that_something_refers_to_is_refused(tmp_path: Path, reference: str) -> None:
    child = f'<xs:sequence><xs:element xmlns:e="{ENCODING}" {reference}/></xs:sequence>'.replace(
        "type", 'name="A" type'
    )
    push = f'<xs:element name="Push"><xs:complexType>{child}</xs:complexType></xs:element>'
    with pytest.raises(ContractError, match=f"no schema for namespace {ENCODING} is at hand"):
        a_wsdl(tmp_path, schema(f'<xs:import namespace="{ENCODING}"/>{push}'))


def test_a_missing_file_and_one_on_a_network_are_refused(tmp_path: Path) -> None:
    path = with_files(tmp_path)
    (tmp_path / "header 1.xsd").unlink()
    with pytest.raises(ContractError, match=r"header 1\.xsd: the file cannot be read: No such file"):
        WsdlDocument.load(path)
    path.write_text(path.read_text().replace("header%201.xsd", "http://127.0.0.1:9/header.xsd"))
    with pytest.raises(ContractError, match="would be fetched from a network"):
        WsdlDocument.load(path)


# Refusals ------------------------------------------------------------------------------------------------------------

REFUSALS = {
    "no port": ("<soap:address ", "<hdr:address ", "no wsdl:port has a SOAP 1.1 soap:address"),
    "rpc": ('soapAction="basicInvoke" style="document"', 'style="rpc"', "style is 'rpc'"),
    "rpc by default": ('<soap:binding style="document"', '<soap:binding style="rpc"', None),
    "encoded": ('parts="parameter" use="literal"', 'parts="parameter" use="encoded"', "use is 'encoded'"),
    "a typed part": ('element="tns:JobDocumentTransmitResult"', 'type="xs:string"', "has no element attribute"),
    "two parts": ('parts="parameter"', 'parts="parameter response_header"', "2 parts of message"),
    "no such part": ('parts="parameter"', 'parts="body"', "has no part 'body'"),
    "no such element": ('element="tns:JobDocumentTransmitResultAck"', 'element="tns:Ack"', "declares element"),
    "no such message": ('message name="JobDocumentTransmitResultAckM', 'message name="AckM', "no wsdl:message"),
    "no such binding": ('binding="tns:Job', 'binding="tns:NoJob', "there is no wsdl:binding"),
    "an undeclared prefix": ('binding="tns:Job', 'binding="no:Job', "prefix 'no', which is not declared"),
    "another transport": ("/soap/http", "/soap/smtp", "transport is"),
    "an empty Body": ('parts="parameter"', 'parts=""', "has an empty Body"),
    "output first": ('<wsdl:input message="tns:JobDocumentTransmitResultMessage"/>', "", "does not begin with"),
    "wsdl:import": ("<wsdl:types>", '<wsdl:import namespace="urn:x" location="x.wsdl"/><wsdl:types>', "x.wsdl: the file cannot be read"),
    "several parts": ('<soap:body parts="parameter" use="literal"/>',
                      '<m:multipartRelated xmlns:m="http://schemas.xmlsoap.org/wsdl/mime/"/>',
                      "is bound by {http://schemas.xmlsoap.org/wsdl/mime/}multipartRelated"),
    "redefine": ("<xs:annotation>", '<xs:redefine schemaLocation="x.xsd"/><xs:annotation>', "xs:redefine"),
    "another root": ("wsdl:definitions", "wsdl:description", "the root element is"),
    "not well-formed": ("</wsdl:types>", "", "not well-formed XML"),
    "a DTD": ("<wsdl:definitions", "<!DOCTYPE wsdl:definitions><wsdl:definitions", "document type declaration"),
    "an entity": ("<wsdl:definitions", '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/hostname">]><wsdl:definitions',
                  "document type declaration"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_a_wsdl_that_cannot_be_served_is_refused_with_what_would_do(load: Load, name: str) -> None:
    old, new, wrong = REFUSALS[name]
    assert old in TEXT
    text = TEXT.replace(old, new)
    if wrong is None:  # style on the operation overrides that on the binding
        assert load(text).operations
        return
    with pytest.raises(ContractError) as refused:
        load(text)
    assert wrong in str(refused.value)
    assert refused.value.would_do
    assert Path(refused.value.file).name == "service.wsdl"


def test_a_refusal_tells_the_line(load: Load) -> None:
    old = 'soapAction="basicInvoke" style="document"'
    with pytest.raises(ContractError) as refused:
        load(TEXT.replace(old, 'style="rpc"'))
    assert refused.value.line == TEXT[: TEXT.index(old)].count("\n") + 1


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="No such file"):
        WsdlDocument.load(tmp_path / "no.wsdl")


# What another vendor's file may hold ---------------------------------------------------------------------------------


def test_a_one_way_operation_has_no_answer(load: Load) -> None:
    text = TEXT.replace('<wsdl:output message="tns:JobDocumentTransmitResultAckMessage"/>', "")
    text = re.sub(r"<wsdl:output>.*?</wsdl:output>", "", text, flags=re.DOTALL)
    (operation,) = load(text).operations
    assert (operation.one_way, operation.output_element) == (True, None)


def test_an_empty_output_message_is_an_empty_body(load: Load) -> None:
    text = TEXT.replace('<wsdl:part name="parameter" element="tns:JobDocumentTransmitResultAck"/>', "")
    text = text.replace('<soap:body parts="parameter" use="literal"/>\n      </wsdl:output>',
                        '<soap:body use="literal"/></wsdl:output>')  # fmt: skip
    (operation,) = load(text).operations
    assert (operation.one_way, operation.output_element) == (False, None)


def test_without_parts_the_parts_that_no_header_takes_go_into_body(load: Load) -> None:
    (operation,) = load(TEXT.replace(' parts="parameter"', "")).operations
    assert operation.input_element == f"{BODY}JobDocumentTransmitResult"
