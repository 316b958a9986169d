"""A WSDL held against WSDL 1.1 and the rules of the WS-I Basic Profile 1.1 that apply to a WSDL and its schemas.

Each rule is judged by itself, on whatever of the file can be read: a name that leads nowhere is told once, by R2101.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from lxml import etree

from soapsvc.contract.named_files import named_file
from soapsvc.contract.push_service import PushService
from soapsvc.contract.wsdl_components import Breach, WsdlComponents, clark
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.contract.wsdl_files import WsdlFile
from soapsvc.contract.xml_files import line_of, parse_file, read_file
from soapsvc.errors import ContractError
from soapsvc.namespaces import SOAP11_HTTP_TRANSPORT, WSDL11, WSDL_SOAP11_BINDING, XML_SCHEMA, qname
from soapsvc.records import Accepted, Push, Verdict

Outcome = Literal["pass", "fail", "not applicable"]
_W, _S, _X = f"{{{WSDL11}}}", f"{{{WSDL_SOAP11_BINDING}}}", f"{{{XML_SCHEMA}}}"
_SOAP_ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
_XSD = Path(__file__).parent / "xsd"


@dataclass(frozen=True, slots=True)
class Judged:
    """A rule and what came of it.

    numbers   of the Basic Profile, or what else says so
    sentence  what is wanted
    """

    numbers: str
    sentence: str
    outcome: Outcome
    breaches: tuple[Breach, ...] = ()


def verify(path: Path) -> tuple[Judged, ...]:
    """Every rule in the order of the profile, and at the end whether this receiver can serve the file.

    Errors  ContractError: the file cannot be read or is no XML
    """
    raw = read_file(path)
    root = parse_file(path, raw)
    if root.tag != f"{_W}definitions":
        raise ContractError(
            path, line_of(root), f"the root element is {root.tag}", f"a WSDL 1.1 file has {_W}definitions"
        )
    wsdl = WsdlComponents(WsdlFile(root, path, raw))
    return (*(_judged(rule, wsdl) for rule in _RULES), _served(wsdl))


def _judged(rule: _Rule, wsdl: WsdlComponents) -> Judged:
    if rule.applies_to is not None and not wsdl.find(rule.applies_to):
        return Judged(rule.numbers, rule.sentence, "not applicable")
    breaches = tuple(dict.fromkeys(rule.check(wsdl)))
    return Judged(rule.numbers, rule.sentence, "fail" if breaches else "pass", breaches)


def _served(wsdl: WsdlComponents) -> Judged:
    sentence = (
        "This receiver can serve it: SOAP 1.1 over HTTP, document/literal, all schemas at hand, an answer it can fill."
    )
    error = _refusal(wsdl)
    if error is not None:
        breach = Breach(Path(error.file).name, error.line, f"{error.wrong}; {error.would_do}")
        return Judged("soapsvc", sentence, "fail", (breach,))
    return Judged("soapsvc", sentence, "pass")


def _refusal(wsdl: WsdlComponents) -> ContractError | None:
    """Why the receiver would not start with the file."""
    if isinstance(wsdl.compiled, ContractError):
        return wsdl.compiled
    try:
        PushService(WsdlDocument.load(wsdl.path), _accepts_nothing)
    except ContractError as error:
        return error
    return None


def _accepts_nothing(push: Push, verdict: Verdict) -> Accepted:
    raise AssertionError("no push comes to a service that is only tried")


@dataclass(frozen=True, slots=True)
class _Rule:
    numbers: str
    sentence: str
    applies_to: str | None
    check: Callable[[WsdlComponents], Iterator[Breach]]


_RULES: list[_Rule] = []
_Check = Callable[[WsdlComponents], Iterator[Breach]]


def _rule(numbers: str, sentence: str, applies_to: str | None = None) -> Callable[[_Check], _Check]:
    """Enters a check. applies_to: an XPath; where it selects nothing the rule has nothing to judge."""

    def enter(check: _Check) -> _Check:
        _RULES.append(_Rule(numbers, sentence, applies_to, check))
        return check

    return enter


@cache
def _wsdl_schema() -> etree.XMLSchema:
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{(_XSD / file).as_uri()}"/>'
        for namespace, file in ((WSDL_SOAP11_BINDING, "wsdl11_soap.xsd"), (WSDL11, "wsdl11.xsd"))
    )
    return etree.XMLSchema(etree.fromstring(f'<xs:schema xmlns:xs="{XML_SCHEMA}">{imports}</xs:schema>'))


@_rule("R2028, R2029", "The file is valid by the schemas of WSDL 1.1 and of its SOAP binding.")
def _valid(wsdl: WsdlComponents) -> Iterator[Breach]:
    schema = _wsdl_schema()
    for file in wsdl.files:
        if not schema.validate(file.root):
            for error in schema.error_log:  # type: ignore[attr-defined]  # the published types lack iteration
                yield Breach(file.path.name, error.line, error.message)


@_rule("R2001, R2002", "wsdl:import brings in WSDL alone; schemas come by xs:import.", "w:import")
def _imports_wsdl(wsdl: WsdlComponents) -> Iterator[Breach]:
    for found in wsdl.find("w:import"):
        beside = _file_beside(wsdl, found)
        if beside is not None and beside.tag != f"{_W}definitions":
            yield wsdl.breach(found, f"{found.get('location')} is {beside.tag}")


@_rule("R2003, R2004", "xs:import stands inside an xs:schema alone.", "//x:import")
def _imports_in_schema(wsdl: WsdlComponents) -> Iterator[Breach]:
    for found in wsdl.find("//x:import"):
        parent = found.getparent()
        if parent is None or parent.tag != f"{_X}schema":
            yield wsdl.breach(found, "xs:import outside a schema")


@_rule("R2007", "The location of a wsdl:import is not empty.", "w:import")
def _import_location(wsdl: WsdlComponents) -> Iterator[Breach]:
    yield from (wsdl.breach(found, "no location") for found in wsdl.find("w:import") if not found.get("location"))


@_rule("R2803", "The namespace of a wsdl:import is an absolute URI.", "w:import")
def _import_namespace(wsdl: WsdlComponents) -> Iterator[Breach]:
    for found in wsdl.find("w:import"):
        if not urlsplit(found.get("namespace", "")).scheme:
            yield wsdl.breach(found, f'namespace="{found.get("namespace", "")}"')


@_rule("R2005", "What a wsdl:import brings in has the target namespace that the import names.", "w:import")
def _import_target(wsdl: WsdlComponents) -> Iterator[Breach]:
    for found in wsdl.find("w:import"):
        beside = _file_beside(wsdl, found)
        if beside is None:
            yield wsdl.breach(found, f"{found.get('location')} is not beside the file, and nothing is fetched")
        elif beside.get("targetNamespace") != found.get("namespace"):
            yield wsdl.breach(found, f"targetNamespace is {beside.get('targetNamespace')}")


def _file_beside(wsdl: WsdlComponents, imported: etree._Element) -> etree._Element | None:
    if not imported.get("location"):
        return None
    try:
        return parse_file(*named_file(wsdl.path, wsdl.file_of(imported), imported, "location"))
    except ContractError:
        return None


@_rule("R2022, R2023", "Imports come first, then types, then the rest.")
def _order(wsdl: WsdlComponents) -> Iterator[Breach]:
    order, types = {f"{_W}documentation": 0, f"{_W}import": 1, f"{_W}types": 2}, f"{_W}types"
    for file in wsdl.files:
        for before, after in pairwise(file.root.iterchildren(f"{_W}*")):  # extensions may stand anywhere
            if order.get(str(before.tag), 3) > order.get(str(after.tag), 3) or before.tag == after.tag == types:
                yield wsdl.breach(after, f"{_local(after)} after {_local(before)}")


@_rule("R2026", "No extension is required.")
def _required(wsdl: WsdlComponents) -> Iterator[Breach]:
    for found in wsdl.find("//*[@w:required='true' or @w:required='1']"):
        yield wsdl.breach(found, f"{_local(found)} with wsdl:required")


@_rule("R4003, R4004", "The file is in UTF-8 or UTF-16, and XML 1.0.")
def _encoding(wsdl: WsdlComponents) -> Iterator[Breach]:
    roots = [*(file.root for file in wsdl.files), *(s.element.getroottree().getroot() for s in wsdl.schemas)]
    for root in dict.fromkeys(roots):
        info = root.getroottree().docinfo
        if (info.encoding or "UTF-8").upper() not in ("UTF-8", "UTF-16", "UTF-16LE", "UTF-16BE", "US-ASCII"):
            yield wsdl.breach(root, f"encoding {info.encoding}")
        if info.xml_version != "1.0":
            yield wsdl.breach(root, f"XML {info.xml_version}")


@_rule("R2101, R2102", "Every name leads to a component that is there.")
def _references(wsdl: WsdlComponents) -> Iterator[Breach]:
    if wsdl.trouble is not None:
        yield Breach(Path(wsdl.trouble.file).name, wsdl.trouble.line, wsdl.trouble.wrong)
    kinds = {"type": ("complexType", "simpleType"), "base": ("complexType", "simpleType"), "itemType": ("simpleType",)}
    there = {
        (str(each.tag), qname(schema.target_namespace, each.get("name", "")))
        for schema in wsdl.schemas
        for each in schema.element.iterchildren(etree.Element)
    }
    for schema in wsdl.schemas:
        for element in schema.element.iter(etree.Element):
            for attribute, tags in kinds.items():
                name = clark(element, attribute) if element.get(attribute) and str(element.tag).startswith(_X) else ""
                if name and not name.startswith(_X) and not any((f"{_X}{tag}", name) in there for tag in tags):
                    unqualified = qname(schema.target_namespace, name)
                    if name.startswith("{") or not any((f"{_X}{tag}", unqualified) in there for tag in tags):
                        yield wsdl.breach(element, f"{attribute} {name}")
    for xpath, attribute, kind in (
        ("//*[@message][self::w:* or self::s:*]", "message", "message"),
        ("w:binding", "type", "portType"),
        ("w:service/w:port", "binding", "binding"),
    ):
        for element in wsdl.find(xpath):
            if wsdl.referred(element, attribute, kind) is None and (wsdl.trouble is None or not wsdl.find("w:import")):
                yield wsdl.breach(element, f"{attribute} {clark(element, attribute)}")


@_rule("R2105", "Every schema in types has a target namespace.", "w:types/x:schema")
def _target_namespace(wsdl: WsdlComponents) -> Iterator[Breach]:
    for schema in wsdl.find("w:types/x:schema"):
        only_imports = all(
            child.tag in (f"{_X}import", f"{_X}annotation") for child in schema.iterchildren(etree.Element)
        )
        if not schema.get("targetNamespace") and not only_imports:
            yield wsdl.breach(schema, "a schema without targetNamespace")


@_rule("R2110, R2111", "No SOAP array is declared.")
def _arrays(wsdl: WsdlComponents) -> Iterator[Breach]:
    for schema in wsdl.schemas:
        for element in schema.element.iter(etree.Element):
            if f"{_W}arrayType" in element.attrib or clark(element, "base").startswith(f"{{{_SOAP_ENCODING}}}"):
                yield wsdl.breach(element, f"a SOAP array in {_local(element)}")


@_rule("R2112", "No name begins with ArrayOf.")
def _array_names(wsdl: WsdlComponents) -> Iterator[Breach]:
    for schema in wsdl.schemas:
        for element in schema.element.iter(f"{_X}element", f"{_X}complexType", f"{_X}simpleType"):
            if element.get("name", "").startswith("ArrayOf"):
                yield wsdl.breach(element, element.get("name", ""))


@_rule("R2201, R2210", "At most one part of a message goes into Body.", "w:binding")
def _one_part(wsdl: WsdlComponents) -> Iterator[Breach]:
    for side, message in wsdl.sides():
        body = side.find(f"{_S}body")
        named = None if body is None else body.get("parts")
        headers = [header.get("part") for header in side.iterfind(f"{_S}header")]
        parts = [part.get("name") for part in message.iterfind(f"{_W}part")]
        in_body = [part for part in parts if part not in headers] if named is None else named.split()
        if len(in_body) > 1:
            yield wsdl.breach(side, f"{len(in_body)} parts of {message.get('name')}")


@_rule("R2204, R2205", "Every part that is bound names an element.", "w:message/w:part")
def _part_element(wsdl: WsdlComponents) -> Iterator[Breach]:
    for part in wsdl.document_parts():
        if part.get("element") is None:
            yield wsdl.breach(part, f"part {part.get('name')} with type {part.get('type')}")


@_rule("R2206", "The element of a part is a global one.", "w:message/w:part[@element]")
def _global_element(wsdl: WsdlComponents) -> Iterator[Breach]:
    for part in wsdl.find("w:message/w:part[@element]"):
        if clark(part, "element") not in wsdl.global_elements():
            yield wsdl.breach(part, f"element {clark(part, 'element')}")


@_rule("R2306", "No part has both type and element.", "w:message/w:part")
def _type_and_element(wsdl: WsdlComponents) -> Iterator[Breach]:
    for part in wsdl.find("w:message/w:part[@type and @element]"):
        yield wsdl.breach(part, f"part {part.get('name')}")


@_rule("R2209", "Every part of a message is bound.", "w:binding")
def _all_bound(wsdl: WsdlComponents) -> Iterator[Breach]:
    for side, message in wsdl.sides():
        bound = wsdl.bound_parts(side, message)
        for part in message.iterfind(f"{_W}part"):
            if part.get("name") not in bound:
                yield wsdl.breach(part, f"part {part.get('name')} of {message.get('name')} is not bound")


@_rule("R2303", "Operations are request-response or one-way.", "w:portType/w:operation")
def _operation_kinds(wsdl: WsdlComponents) -> Iterator[Breach]:
    for operation in wsdl.find("w:portType/w:operation"):
        order = [_local(child) for child in operation.iterchildren(f"{_W}input", f"{_W}output")]
        if order[:1] != ["input"]:
            yield wsdl.breach(operation, f"operation {operation.get('name')}: {', '.join(order) or 'no input'}")


@_rule("R2304", "No operation of a port type is overloaded.", "w:portType/w:operation")
def _overloaded(wsdl: WsdlComponents) -> Iterator[Breach]:
    for port_type in wsdl.find("w:portType"):
        names = [operation.get("name") for operation in port_type.iterfind(f"{_W}operation")]
        for n, operation in enumerate(port_type.iterfind(f"{_W}operation")):
            if operation.get("name") in names[:n]:
                yield wsdl.breach(operation, f"a second operation {operation.get('name')}")


@_rule("R2401", "Every binding is a SOAP binding.", "w:binding")
def _soap_binding(wsdl: WsdlComponents) -> Iterator[Breach]:
    for binding in wsdl.find("w:binding"):
        if len(binding.findall(f"{_S}binding")) != 1:
            yield wsdl.breach(binding, f"binding {binding.get('name')} without one soap:binding")


@_rule("R2701, R2702", "The transport of a SOAP binding is HTTP.", "//s:binding")
def _transport(wsdl: WsdlComponents) -> Iterator[Breach]:
    for binding in wsdl.find("//s:binding"):
        if binding.get("transport") != SOAP11_HTTP_TRANSPORT:
            yield wsdl.breach(binding, f"transport {binding.get('transport')}")


@_rule("R2705", "Every operation of a binding has the same style.", "//s:operation")
def _one_style(wsdl: WsdlComponents) -> Iterator[Breach]:
    for binding in wsdl.find("w:binding"):
        soap = binding.find(f"{_S}binding")
        default = "document" if soap is None else soap.get("style", "document")
        styles = {operation.get("style", default) for operation in binding.iter(f"{_S}operation")}
        if len(styles) > 1:
            yield wsdl.breach(binding, f"styles {' and '.join(sorted(styles))}")


@_rule("R2706, R2723", "Everything that is bound is literal.", "//s:body|//s:header|//s:headerfault|//s:fault")
def _literal(wsdl: WsdlComponents) -> Iterator[Breach]:
    for found in wsdl.find("//s:body|//s:header|//s:headerfault|//s:fault"):
        if found.get("use", "literal") != "literal":
            yield wsdl.breach(found, f'use="{found.get("use")}" on soap:{_local(found)}')


@_rule("R2710", "The operations of a binding differ on the wire.", "w:binding")
def _signatures(wsdl: WsdlComponents) -> Iterator[Breach]:
    seen: set[tuple[object, ...]] = set()
    for side, message in wsdl.sides():
        if _local(side) != "input":
            continue
        binding = next(side.iterancestors(f"{_W}binding"))
        parts = {part.get("name"): clark(part, "element") for part in message.iterfind(f"{_W}part")}
        signature = (binding.get("name"), *(parts.get(name) for name in wsdl.bound_parts(side, message)[:1]))
        if signature in seen:
            yield wsdl.breach(side, f"a second operation that takes {signature[-1]}")
        seen.add(signature)


@_rule("R2711", "No two ports have one address.", "w:service/w:port")
def _addresses(wsdl: WsdlComponents) -> Iterator[Breach]:
    seen: set[str] = set()
    for address in wsdl.find("w:service/w:port/s:address"):
        location = address.get("location", "")
        if location in seen:
            yield wsdl.breach(address, f"a second port at {location}")
        seen.add(location)


@_rule("R2716", "soap:body, header and fault have no namespace in document/literal.", "//s:body|//s:header|//s:fault")
def _no_namespace(wsdl: WsdlComponents) -> Iterator[Breach]:
    for found in wsdl.find("//s:body|//s:header|//s:headerfault|//s:fault"):
        if found.get("namespace") is not None:
            yield wsdl.breach(found, f'namespace="{found.get("namespace")}" on soap:{_local(found)}')


@_rule("R2718", "A binding and its port type have the same operations.", "w:binding")
def _same_operations(wsdl: WsdlComponents) -> Iterator[Breach]:
    for binding in wsdl.find("w:binding"):
        port_type = wsdl.referred(binding, "type", "portType")
        if port_type is None:
            continue
        names = [{each.get("name") for each in where.iterfind(f"{_W}operation")} for where in (binding, port_type)]
        for name in sorted(map(str, names[0] ^ names[1])):
            yield wsdl.breach(binding, f"operation {name} is in one of the two alone")


@_rule("R2720, R2749", "A soap:header names one part, by `part`.", "//s:header|//s:headerfault")
def _header_part(wsdl: WsdlComponents) -> Iterator[Breach]:
    for header in wsdl.find("//s:header|//s:headerfault"):
        if header.get("parts") is not None or header.get("part") is None:
            yield wsdl.breach(header, f"soap:{_local(header)} without part")


@_rule("R2721, R2754", "A soap:fault has the name of the wsdl:fault around it.", "//s:fault")
def _fault_name(wsdl: WsdlComponents) -> Iterator[Breach]:
    for fault in wsdl.find("//s:fault"):
        parent = fault.getparent()
        if parent is None or fault.get("name") != parent.get("name"):
            yield wsdl.breach(fault, f"soap:fault {fault.get('name')}")


@_rule("R2800, R2801", "The schemas are XML Schema 1.0 and compile.", "w:types/x:schema")
def _schemas_compile(wsdl: WsdlComponents) -> Iterator[Breach]:
    if isinstance(wsdl.compiled, ContractError) and wsdl.trouble is None and "compile" in wsdl.compiled.wrong:
        yield Breach(Path(wsdl.compiled.file).name, wsdl.compiled.line, wsdl.compiled.wrong)


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname
