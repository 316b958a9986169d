"""The shipped WSDL is valid WSDL 1.1 and keeps every rule of the WS-I Basic Profile 1.1 that applies to a WSDL.

Each rule is a function from the document to what breaks it, and each is shown to see one edit that breaks the rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lxml import etree

from soapsvc.namespaces import (
    SOAP11_HTTP_TRANSPORT,
    WSDL11,
    WSDL_SOAP11_BINDING,
    WSDL_SOAP12_BINDING,
    XML_SCHEMA,
)
from soapsvc.shipped import WSDL_FILE

W, S, X = f"{{{WSDL11}}}", f"{{{WSDL_SOAP11_BINDING}}}", f"{{{XML_SCHEMA}}}"
NS = {"w": WSDL11, "s": WSDL_SOAP11_BINDING, "x": XML_SCHEMA}
SOAP_ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
Broken = Iterator[str]
Check = Callable[["Wsdl"], Broken]
RULES: dict[str, tuple[Check, tuple[str, str]]] = {}


class Wsdl:
    def __init__(self, raw: bytes):
        self.raw = raw
        self.root = etree.fromstring(raw)
        self.target = self.root.get("targetNamespace")

    def find(self, xpath: str) -> list[etree._Element]:
        return self.root.xpath(xpath, namespaces=NS)

    def name(self, element: etree._Element, attribute: str) -> str:
        prefix, _, local = element.get(attribute, "").rpartition(":")
        return f"{{{element.nsmap.get(prefix or None)}}}{local}"

    def named(self, kind: str) -> dict[str, etree._Element]:
        return {f"{{{self.target}}}{e.get('name')}": e for e in self.find(f"w:{kind}")}

    def schemas(self) -> list[etree._Element]:
        return self.find("w:types/x:schema")

    def elements(self) -> set[str]:
        return {
            f"{{{s.get('targetNamespace')}}}{e.get('name')}" for s in self.schemas() for e in s.iterfind(f"{X}element")
        }

    def bound_parts(self, side: etree._Element, message: etree._Element) -> list[str]:
        """Names of the parts of a message that a bound input or output puts somewhere."""
        body = side.find(f"{S}body")
        everything = [p.get("name") for p in message.iterfind(f"{W}part")]
        parts = body.get("parts")
        in_body = everything if parts is None else parts.split()
        return in_body + [h.get("part") for h in side.iter(f"{S}header", f"{S}headerfault")
                          if self.name(h, "message") == f"{{{self.target}}}{message.get('name')}"]  # fmt: skip

    def sides(self) -> Iterator[tuple[etree._Element, etree._Element]]:
        """Every bound input and output with the message that its port type names."""
        messages, port_types = self.named("message"), self.named("portType")
        for binding in self.find("w:binding"):
            for bound in binding.iterfind(f"{W}operation"):
                (abstract,) = (o for o in port_types[self.name(binding, "type")].iterfind(f"{W}operation")
                               if o.get("name") == bound.get("name"))  # fmt: skip
                for direction in ("input", "output"):
                    if abstract.find(f"{W}{direction}") is not None:
                        yield (
                            bound.find(f"{W}{direction}"),
                            messages[self.name(abstract.find(f"{W}{direction}"), "message")],
                        )


def rule(numbers: str, old: str, new: str) -> Callable[[Check], Check]:
    """Enters a check under its R-numbers, with an edit of the shipped file that breaks it."""

    def enter(check: Check) -> Check:
        RULES[numbers] = (check, (old, new))
        return check

    return enter


IMPORT = '<wsdl:import namespace="{}" location="{}"/><wsdl:types>'
FAULTS = '<soap:body parts="parameter" use="literal"/>\n      </wsdl:output>'


@rule("R2028, R2029", 'parts="parameter" use="literal"', 'parts="parameter" use="other"')
def valid_by_the_schemas_of_wsdl_and_its_soap_binding(wsdl: Wsdl) -> Broken:
    here = Path(__file__).parent
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{(here / file).as_uri()}"/>'
        for namespace, file in ((WSDL_SOAP11_BINDING, "wsdl11_soap.xsd"), (WSDL11, "wsdl11.xsd"))
    )
    schema = etree.XMLSchema(etree.fromstring(f'<xs:schema xmlns:xs="{XML_SCHEMA}">{imports}</xs:schema>'))
    schema.validate(wsdl.root)
    yield from (str(error) for error in schema.error_log)


@rule("R2001, R2002", "<wsdl:types>", IMPORT.format("urn:x", "types.xsd"))
def wsdl_import_brings_in_wsdl_only(wsdl: Wsdl) -> Broken:
    yield from (i.get("location") for i in wsdl.find("w:import") if not i.get("location", "").endswith("wsdl"))


@rule("R2003, R2004", "<wsdl:types>", f'<xs:import xmlns:xs="{XML_SCHEMA}" namespace="urn:x"/><wsdl:types>')
def xs_import_stands_inside_a_schema_only(wsdl: Wsdl) -> Broken:
    yield from (str(i.sourceline) for i in wsdl.find("//x:import") if i.getparent().tag != f"{X}schema")


@rule("R2007", "<wsdl:types>", IMPORT.format("urn:x", ""))
def the_location_of_an_import_is_not_empty(wsdl: Wsdl) -> Broken:
    yield from (str(i.sourceline) for i in wsdl.find("w:import") if not i.get("location"))


@rule("R2803", "<wsdl:types>", IMPORT.format("relative", "x.wsdl"))
def the_namespace_of_an_import_is_absolute(wsdl: Wsdl) -> Broken:
    yield from (i.get("namespace") for i in wsdl.find("w:import") if not urlsplit(i.get("namespace")).scheme)


@rule("R2005", "<wsdl:types>", IMPORT.format("urn:x", "http://x.example/x.wsdl"))
def an_imported_namespace_is_that_of_a_file_beside(wsdl: Wsdl) -> Broken:
    for found in wsdl.find("w:import"):
        file = WSDL_FILE.parent / found.get("location")
        if not file.is_file() or etree.parse(file).getroot().get("targetNamespace") != found.get("namespace"):
            yield found.get("location")


@rule("R2022, R2023", "</wsdl:types>", '</wsdl:types><wsdl:import namespace="urn:x" location="x.wsdl"/>')
def imports_come_first_then_types(wsdl: Wsdl) -> Broken:
    order = {f"{W}documentation": 0, f"{W}import": 1, f"{W}types": 2}
    found = [(order.get(child.tag, 3), child.tag) for child in wsdl.root.iterchildren(etree.Element)]
    yield from (after[1] for before, after in pairwise(found) if before[0] > after[0])


@rule("R2026", "<soap:address", f'<soap:address xmlns:wsdl="{WSDL11}" wsdl:required="true"')
def no_extension_is_required(wsdl: Wsdl) -> Broken:
    yield from wsdl.find("//@w:required")


@rule("R4003, R4004", 'encoding="UTF-8"', 'encoding="ISO-8859-1"')
def utf_8_or_utf_16_and_xml_1_0(wsdl: Wsdl) -> Broken:
    info = wsdl.root.getroottree().docinfo
    if (info.encoding or "UTF-8").upper() not in ("UTF-8", "UTF-16") or info.xml_version != "1.0":
        yield f"{info.encoding} {info.xml_version}"


@rule("R2101, R2102", 'type="tns:JobIdType"', 'type="hdr:JobIdType2"')
def names_lead_to_components_that_are_there(wsdl: Wsdl) -> Broken:
    types = {f"{{{s.get('targetNamespace')}}}{t.get('name')}" for s in wsdl.schemas()
             for t in s.iterfind("*") if t.tag in (f"{X}complexType", f"{X}simpleType")}  # fmt: skip
    for element in wsdl.root.iter(etree.Element):
        for attribute in ("type", "base", "itemType"):
            if element.tag.startswith(X) and attribute in element.attrib:
                name = wsdl.name(element, attribute)
                if not name.startswith(X) and name not in types:
                    yield name
    for xpath, attribute, kind in (("//@message/..", "message", "message"), ("w:binding", "type", "portType"),
                                   ("w:service/w:port", "binding", "binding")):  # fmt: skip
        yield from (n for n in (wsdl.name(e, attribute) for e in wsdl.find(xpath)) if n not in wsdl.named(kind))


@rule("R2105", 'targetNamespace="http://premconn.premiereconnect.com/2007/02"', "")
def every_schema_has_a_target_namespace(wsdl: Wsdl) -> Broken:
    yield from (str(s.sourceline) for s in wsdl.schemas() if not s.get("targetNamespace"))


@rule("R2110, R2111", "<xs:attribute ", '<xs:attribute wsdl:arrayType="xs:string[]" ')
def no_soap_arrays(wsdl: Wsdl) -> Broken:
    for element in wsdl.root.iter(etree.Element):
        if f"{W}arrayType" in element.attrib or SOAP_ENCODING in element.nsmap.values():
            yield str(element.sourceline)


@rule("R2112", 'name="SegmentType"', 'name="ArrayOfProperty"')
def no_name_begins_with_array_of(wsdl: Wsdl) -> Broken:
    yield from (n for n in wsdl.find("w:types//@name") if n.startswith("ArrayOf"))


@rule("R2201, R2210", 'parts="parameter"', "")
def at_most_one_part_goes_into_body(wsdl: Wsdl) -> Broken:
    for side, message in wsdl.sides():
        parts = side.find(f"{S}body").get("parts")
        if len(message.findall(f"{W}part") if parts is None else parts.split()) > 1:
            yield message.get("name")


@rule("R2204, R2205", 'element="hdr:Response"', 'type="hdr:ResponseType"')
def every_part_is_an_element(wsdl: Wsdl) -> Broken:
    yield from (p.get("name") for p in wsdl.find("w:message/w:part") if p.get("element") is None)


@rule("R2206", 'element="hdr:Response"', 'element="hdr:ResponseType"')
def the_element_of_a_part_is_a_global_one(wsdl: Wsdl) -> Broken:
    names = [wsdl.name(p, "element") for p in wsdl.find("w:message/w:part")]
    yield from (name for name in names if name not in wsdl.elements())


@rule("R2306", 'element="hdr:Response"', 'element="hdr:Response" type="hdr:ResponseType"')
def no_part_has_both_type_and_element(wsdl: Wsdl) -> Broken:
    yield from (p.get("name") for p in wsdl.find("w:message/w:part[@type and @element]"))


@rule("R2209", '<soap:header message="tns:JobDocumentTransmitResultMessage" part="response_header" use="literal"/>', "")
def every_part_is_bound(wsdl: Wsdl) -> Broken:
    for side, message in wsdl.sides():
        bound = wsdl.bound_parts(side, message)
        yield from (p.get("name") for p in message.iterfind(f"{W}part") if p.get("name") not in bound)


@rule("R2303", '<wsdl:input message="tns:JobDocumentTransmitResultMessage"/>', "")
def request_response_or_one_way_only(wsdl: Wsdl) -> Broken:
    for operation in wsdl.find("w:portType/w:operation"):
        order = [c.tag for c in operation.iterchildren(f"{W}input", f"{W}output")]
        if order[:1] != [f"{W}input"]:
            yield operation.get("name")


@rule(
    "R2304",
    "    </wsdl:operation>\n  </wsdl:portType>",
    """    </wsdl:operation>
    <wsdl:operation name="JobDocumentTransmitResult"><wsdl:input message="tns:JobDocumentTransmitResultMessage"/>
    </wsdl:operation></wsdl:portType>""",
)
def no_operation_is_overloaded(wsdl: Wsdl) -> Broken:
    for port_type in wsdl.find("w:portType"):
        names = [o.get("name") for o in port_type.iterfind(f"{W}operation")]
        yield from (name for name in set(names) if names.count(name) > 1)


@rule("R2401", '<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>', "")
def every_binding_is_a_soap_binding(wsdl: Wsdl) -> Broken:
    yield from (b.get("name") for b in wsdl.find("w:binding") if len(b.findall(f"{S}binding")) != 1)


@rule("R2701, R2702", "http://schemas.xmlsoap.org/soap/http", "http://schemas.xmlsoap.org/soap/smtp")
def the_transport_is_http(wsdl: Wsdl) -> Broken:
    yield from (
        str(b.get("transport")) for b in wsdl.find("//s:binding") if b.get("transport") != SOAP11_HTTP_TRANSPORT
    )


@rule("R2705", 'soapAction="basicInvoke" style="document"', 'soapAction="basicInvoke" style="rpc"')
def every_operation_of_a_binding_has_style_document(wsdl: Wsdl) -> Broken:
    for binding in wsdl.find("w:binding"):
        default = binding.find(f"{S}binding").get("style", "document")
        styles = {o.get("style", default) for o in binding.iter(f"{S}operation")}
        yield from styles - {"document"}


@rule("R2706, R2723", 'part="response_header" use="literal"', 'part="response_header" use="encoded"')
def everything_is_literal(wsdl: Wsdl) -> Broken:
    for found in wsdl.find("//s:body|//s:header|//s:headerfault|//s:fault"):
        if found.get("use") != "literal":
            yield str(found.sourceline)


@rule(
    "R2710",
    "    </wsdl:operation>\n  </wsdl:binding>",
    """    </wsdl:operation>
    <wsdl:operation name="JobDocumentTransmitResult"><soap:operation soapAction=""/>
      <wsdl:input><soap:body parts="parameter" use="literal"/></wsdl:input>
      <wsdl:output><soap:body parts="parameter" use="literal"/></wsdl:output></wsdl:operation></wsdl:binding>""",
)
def operations_differ_on_the_wire(wsdl: Wsdl) -> Broken:
    signatures = [
        (*wsdl.bound_parts(side, message)[:1], message.get("name"))
        for side, message in wsdl.sides()
        if side.tag == f"{W}input"
    ]
    yield from (str(s) for s in set(signatures) if signatures.count(s) > 1)


@rule(
    "R2711",
    "</wsdl:service>",
    """<wsdl:port name="Other" binding="tns:JobDocumentTransmitResultBinding">
      <soap:address location="http://receiver.example.com/push"/></wsdl:port></wsdl:service>""",
)
def no_two_ports_have_one_address(wsdl: Wsdl) -> Broken:
    locations = wsdl.find("//s:address/@location")
    yield from (where for where in set(locations) if locations.count(where) > 1)


@rule("R2716", FAULTS, FAULTS.replace("use", 'namespace="urn:x" use'))
def no_namespace_attribute_in_document_literal(wsdl: Wsdl) -> Broken:
    yield from wsdl.find("//s:body/@namespace|//s:header/@namespace|//s:headerfault/@namespace|//s:fault/@namespace")


@rule(
    "R2718",
    "</wsdl:portType>",
    """<wsdl:operation name="Other">
      <wsdl:input message="tns:JobDocumentTransmitResultMessage"/></wsdl:operation></wsdl:portType>""",
)
def binding_and_port_type_have_the_same_operations(wsdl: Wsdl) -> Broken:
    for binding in wsdl.find("w:binding"):
        port_type = wsdl.named("portType")[wsdl.name(binding, "type")]
        names = [{o.get("name") for o in where.iterfind(f"{W}operation")} for where in (binding, port_type)]
        yield from names[0] ^ names[1]


@rule("R2720, R2749", 'part="response_header"', 'parts="response_header"')
def a_header_names_one_part(wsdl: Wsdl) -> Broken:
    for header in wsdl.find("//s:header|//s:headerfault"):
        if header.get("parts") is not None or header.get("part") is None:
            yield str(header.sourceline)


@rule(
    "R2721, R2754",
    "      </wsdl:output>\n    </wsdl:operation>",
    """      </wsdl:output>
      <wsdl:fault name="a"><soap:fault name="b" use="literal"/></wsdl:fault></wsdl:operation>""",
)
def a_fault_has_the_name_of_its_parent(wsdl: Wsdl) -> Broken:
    yield from (str(f.get("name")) for f in wsdl.find("//s:fault") if f.get("name") != f.getparent().get("name"))


@rule("R2800, R2801", '<xs:extension base="xs:string">', "<xs:extension>")
def the_schemas_are_xml_schema_1_0(wsdl: Wsdl) -> Broken:
    for schema in wsdl.schemas():
        try:
            etree.XMLSchema(etree.fromstring(etree.tostring(schema)))
        except etree.XMLSchemaParseError as error:
            yield str(error)


@pytest.mark.parametrize("numbers", RULES)
def test_the_shipped_wsdl_keeps_the_rule(numbers: str) -> None:
    check, _ = RULES[numbers]
    assert list(check(Wsdl(WSDL_FILE.read_bytes()))) == []


@pytest.mark.parametrize("numbers", RULES)
def test_the_check_of_the_rule_sees_an_edit_that_breaks_it(numbers: str) -> None:
    check, (old, new) = RULES[numbers]
    text = WSDL_FILE.read_text(encoding="utf-8")
    assert old in text, "the edit fits the file"
    assert list(check(Wsdl(text.replace(old, new).encode()))) != []


def test_every_source_that_the_file_cites_is_listed_in_the_documentation(checkout: Path) -> None:
    cited = set(re.findall(r"\[(S\d+b?)\]", WSDL_FILE.read_text(encoding="utf-8")))
    table = (checkout / "docs" / "contract.md").read_text(encoding="utf-8").partition("## Sources")[2]
    listed = {name for row in re.findall(r"^\| (S[^|]*) \|", table, re.MULTILINE) for name in row.split(", ")}
    assert len(cited) > 20
    assert cited <= listed


def test_there_is_no_soap_1_2_in_it() -> None:
    assert WSDL_SOAP12_BINDING.encode() not in WSDL_FILE.read_bytes()
    assert b"soap12" not in WSDL_FILE.read_bytes()


def test_it_says_at_its_top_that_it_is_a_reconstruction_and_refers_to_no_file_outside_the_project() -> None:
    raw = WSDL_FILE.read_bytes()
    assert b"RECONSTRUCTION" in raw[:200], "for who reads the file"
    assert "RECONSTRUCTION" in str(etree.fromstring(raw).findtext(f"{W}documentation")), (
        "for who reads what it parses to"
    )
    assert b"evidence.md" not in raw
    assert b"docs/contract.md" in raw
