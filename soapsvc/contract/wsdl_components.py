"""A WSDL as the rules for WSDLs look at it: its components as they stand there, none of them taken for granted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from lxml import etree

from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.contract.schema_files import SchemaFile, inline_schemas, schemas_of
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.contract.wsdl_files import WsdlFile, wsdls_of
from soapsvc.contract.xml_files import line_of
from soapsvc.errors import ContractError
from soapsvc.namespaces import WSDL11, WSDL_SOAP11_BINDING, XML_SCHEMA, qname

_W, _S, _X = f"{{{WSDL11}}}", f"{{{WSDL_SOAP11_BINDING}}}", f"{{{XML_SCHEMA}}}"
_PREFIXES = {"w": WSDL11, "s": WSDL_SOAP11_BINDING, "x": XML_SCHEMA}


@dataclass(frozen=True, slots=True)
class Breach:
    """One place where a rule is broken.

    file   its name
    line   of the component, None: of the file as a whole
    found  what is there
    """

    file: str
    line: int | None
    found: str


class WsdlComponents:
    """The components of a WSDL, of those that it imports and of its schemas, whether or not they fit together.

    files    the WSDLs, the one in question first
    trouble  why the files beside it are not all at hand; None: they are
    """

    def __init__(self, wsdl: WsdlFile):
        self.path = wsdl.path
        self.files: tuple[WsdlFile, ...] = (wsdl,)
        self.trouble: ContractError | None = None
        try:
            self.files = wsdls_of(wsdl)
            self.schemas: tuple[SchemaFile, ...] = schemas_of(self.files)
        except ContractError as error:
            self.trouble = error
            self.schemas = tuple(inline_schemas(self.files))

    @cached_property
    def compiled(self) -> CompiledSchema | ContractError:
        """The schemas as this receiver would use them, or why it cannot serve the file."""
        try:
            return CompiledSchema(WsdlDocument.load(self.path))
        except ContractError as error:
            return error

    def find(self, xpath: str) -> list[etree._Element]:
        """What an XPath selects in each of the WSDLs."""
        found: list[etree._Element] = []
        for file in self.files:
            here = file.root.xpath(xpath, namespaces=_PREFIXES)
            assert isinstance(here, list)
            found += (each for each in here if isinstance(each, etree._Element))
        return found

    def breach(self, element: etree._Element, found: str) -> Breach:
        return Breach(self.file_of(element).name, line_of(element), found)

    def file_of(self, element: etree._Element) -> Path:
        root = element.getroottree().getroot()
        roots = [(f.path, f.root) for f in self.files] + [
            (s.path, s.element.getroottree().getroot()) for s in self.schemas
        ]
        return next((path for path, its_root in roots if its_root is root), self.path)

    def named(self, kind: str) -> dict[str, etree._Element]:
        return {
            qname(file.root.get("targetNamespace"), each.get("name", "")): each
            for file in self.files
            for each in file.root.iterfind(f"{_W}{kind}")
        }

    def referred(self, element: etree._Element, attribute: str, kind: str) -> etree._Element | None:
        """The wsdl:`kind` that an attribute names; None: it names none of this file."""
        return self.named(kind).get(clark(element, attribute))

    def global_elements(self) -> set[str]:
        return {
            qname(schema.target_namespace, each.get("name", ""))
            for schema in self.schemas
            for each in schema.element.iterfind(f"{_X}element")
        }

    def sides(self) -> Iterator[tuple[etree._Element, etree._Element]]:
        """Every bound input and output with the message that its port type names, where both are there."""
        for binding in self.find("w:binding[s:binding]"):
            port_type = self.referred(binding, "type", "portType")
            for bound in binding.iterfind(f"{_W}operation"):
                abstract = None if port_type is None else named_operation(port_type, bound.get("name"))
                for direction in ("input", "output"):
                    side = bound.find(f"{_W}{direction}")
                    said = None if abstract is None else abstract.find(f"{_W}{direction}")
                    message = None if said is None else self.referred(said, "message", "message")
                    if side is not None and message is not None:
                        yield side, message

    def bound_parts(self, side: etree._Element, message: etree._Element) -> list[str]:
        """Names of the parts of a message that a bound input or output puts somewhere."""
        body = side.find(f"{_S}body")
        headers = [
            header.get("part", "")
            for header in side.iter(f"{_S}header", f"{_S}headerfault")
            if self.referred(header, "message", "message") is message
        ]
        if body is None:
            return headers
        named = body.get("parts")
        parts = [part.get("name", "") for part in message.iterfind(f"{_W}part")]
        return [*(parts if named is None else named.split()), *headers]

    def document_parts(self) -> Iterator[etree._Element]:
        """The parts that a SOAP binding puts where an element is wanted: into Body in style document, into a header or
        a fault in any style."""
        for side, message in self.sides():
            if self.style(side) == "document":
                bound = self.bound_parts(side, message)
                yield from (part for part in message.iterfind(f"{_W}part") if part.get("name") in bound)
        for header in self.find("//s:header|//s:headerfault"):
            described = self.referred(header, "message", "message")
            parts = () if described is None else described.iterfind(f"{_W}part")
            yield from (part for part in parts if part.get("name") == header.get("part"))
        for fault in self.find("w:binding[s:binding]/w:operation/w:fault"):
            operation, binding = list(islice(fault.iterancestors(), 2))
            port_type = self.referred(binding, "type", "portType")
            abstract = None if port_type is None else named_operation(port_type, operation.get("name"))
            for said in () if abstract is None else abstract.iterfind(f"{_W}fault"):
                described = self.referred(said, "message", "message")
                if said.get("name") == fault.get("name") and described is not None:
                    yield from described.iterfind(f"{_W}part")

    def style(self, side: etree._Element) -> str:
        """The style that a bound input or output has, by its operation or its binding."""
        operation, binding = list(islice(side.iterancestors(), 2))
        said = (where.find(f"{_S}{kind}") for where, kind in ((operation, "operation"), (binding, "binding")))
        return next((soap.get("style", "") for soap in said if soap is not None and soap.get("style")), "document")


def clark(element: etree._Element, attribute: str) -> str:
    """A QName attribute as a Clark name; the prefix itself where it is not declared."""
    prefix, _, local = element.get(attribute, "").strip().rpartition(":")
    if prefix and prefix not in element.nsmap:
        return f"{prefix}:{local}"
    return qname(element.nsmap.get(prefix or None), local)


def named_operation(port_type: etree._Element, name: str | None) -> etree._Element | None:
    return next((each for each in port_type.iterfind(f"{_W}operation") if each.get("name") == name), None)
