"""A WSDL 1.1 file as it lies on disk, and what of it a SOAP 1.1 document/literal receiver needs."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from lxml import etree

from soapsvc.contract.address_places import AddressPlace, address_places
from soapsvc.contract.document_names import DOC_DATA, DocumentNames, document_names
from soapsvc.contract.schema_components import SchemaSet
from soapsvc.contract.schema_files import SchemaFile, schemas_of
from soapsvc.contract.wsdl_files import DEFINITIONS, WsdlFile, wsdls_of
from soapsvc.contract.xml_files import line_of, parse_file, read_file, text_of
from soapsvc.errors import ContractError
from soapsvc.namespaces import SOAP11_HTTP_TRANSPORT, WSDL11, WSDL_MIME, WSDL_SOAP11_BINDING, XML_SCHEMA, qname

MARKS = ("DOCUMENTED", "SIBLING", "INFERRED")
"""How well a construct of a reconstructed WSDL is known, best first (docs/contract.md)."""

_ANNOTATIONS = (f"{{{XML_SCHEMA}}}annotation/{{{XML_SCHEMA}}}documentation", f"{{{WSDL11}}}documentation")
_MARK = re.compile(rf"\s*({'|'.join(MARKS)})\b")


class Form(NamedTuple):
    """How a binding puts an operation's messages into Body (WSDL 1.1, 3.3 to 3.5)."""

    style: str
    use: str


LITERAL = Form("document", "literal")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation that a SOAP 1.1 port of the WSDL offers.

    soap_action     as in soap:operation, "" where there is none
    input_element   Clark name of the child of Body in the request
    output_element  Clark name of the child of Body in the answer; None: an empty Body, or one_way
    header_blocks   Clark names bound to the input, in the order of the binding
    answer_blocks   those bound to the output that are declared well enough; we write none (docs/contract.md)
    one_way         there is no output message at all
    faults          Clark names of the elements that a fault's detail may hold, in the order of the port type
    port_type, service  names of the components it belongs to; a Clark name, where port types in several namespaces
                    have this name
    documentation   of the operation in the port type, "" for none
    form            LITERAL, unless the file was read to be told and not to be served: then no elements are known
    """

    name: str
    soap_action: str
    input_element: str
    output_element: str | None
    header_blocks: tuple[str, ...]
    one_way: bool
    port_type: str
    service: str
    faults: tuple[str, ...] = ()
    documentation: str = field(default="", repr=False)
    answer_blocks: tuple[str, ...] = ()
    form: Form = LITERAL


class WsdlDocument:
    """One WSDL file with the WSDLs that it imports and the schemas that they hold or name; read once, never changed.

    raw     the bytes of the file
    sha256  hex, of them; where there are files beside it, of the digests of all
    path    of the file
    files   the WSDLs, this one first
    """

    def __init__(self, path: Path, raw: bytes, *, any_form: bool = False):
        self.path, self.raw, self._any_form = path, raw, any_form
        self.root = parse_file(path, raw)
        own = WsdlFile(self.root, path, raw)
        self.files: tuple[WsdlFile, ...] = (own,)
        self.schema_files: tuple[SchemaFile, ...] = ()
        if self.root.tag != DEFINITIONS:
            raise self.error(self.root, f"the root element is {self.root.tag}", f"a WSDL 1.1 file has {DEFINITIONS}")
        self.files = wsdls_of(own)
        self.target_namespace = self.root.get("targetNamespace")
        self.schema_files = schemas_of(self.files)
        from_the_web = sorted(file.raw for file in self._files_apart if file.from_the_web)
        parts = (raw, *self.files_beside.values(), *from_the_web)
        digests = [hashlib.sha256(each).hexdigest() for each in parts]
        self.sha256 = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
        self.operations: tuple[Operation, ...] = tuple(self._operations())
        self.served("http://localhost/push")  # what cannot be served is said at start-up, not to the first reader

    @classmethod
    def load(cls, path: Path, *, any_form: bool = False) -> WsdlDocument:
        """Read a WSDL file. Errors: ContractError: file, line, what is wrong, what would do.

        any_form  take another style than document and another use than literal too: to be told, not to be served
        """
        return cls(path, read_file(path), any_form=any_form)

    # The schema ------------------------------------------------------------------------------------------------------

    @cached_property
    def schema(self) -> SchemaSet:
        """The components of all schemas together."""
        return SchemaSet.of([(file.element, file.target_namespace) for file in self.schema_files])

    @cached_property
    def document_names(self) -> frozenset[str]:
        """Local names, lower case, of the elements whose text is a document and that the schema demands nothing else
        of: DocData, and every element with base64Binary content."""
        return self._document_names.streamed

    @cached_property
    def document_names_in_tree(self) -> frozenset[str]:
        """Those of the elements whose text may be a document that the schema demands something of."""
        return self._document_names.in_tree

    def holds_document(self, names: Sequence[str]) -> bool:
        """Whether an element whose name is among those kept in the tree holds a document: not where it is declared with
        another type. One without a declaration does: what is lost would be lost in silence.

        names   as in `element_declaration`
        """
        declared = self.schema.declaration(names)
        return declared is None or declared.local_name.lower() == DOC_DATA or self.schema.is_base64(declared)

    @cached_property
    def _document_names(self) -> DocumentNames:
        return document_names(self.schema)

    def element_declaration(self, names: Sequence[str]) -> etree._Element | None:
        """The xs:element that declares an element of a message.

        names   Clark names from a global element downwards: the child of Body (or a header block), its child, and so on
        """
        declaration = self.schema.declaration(names)
        return None if declaration is None else declaration.source

    def mark(self, component: etree._Element | Sequence[str] | None) -> str | None:
        """How well a construct is known: DOCUMENTED, SIBLING or INFERRED; None where the file says nothing.

        component  an element of this file (xs:element, xs:attribute, wsdl:part, …), or the names that lead to an
                   element declaration (as in `element_declaration`). One without a mark of its own has that of the
                   nearest component around it.
        """
        if component is None or isinstance(component, etree._Element):
            source = component
        else:
            source = self.element_declaration(component)
        while source is not None:
            own = self.own_mark(source)
            if own is not None:
                return own
            source = source.getparent()
        return None

    @staticmethod
    def own_mark(component: etree._Element) -> str | None:
        """The mark that a component itself carries; None: none, so that of the component around it holds."""
        for annotation in _ANNOTATIONS:
            found = _MARK.match(text_of(component.find(annotation)))
            if found:
                return found[1]
        return None

    # The address -----------------------------------------------------------------------------------------------------

    @cached_property
    def files_beside(self) -> dict[str, bytes]:
        """The files beside this one, byte for byte, by the path at which a relative location finds them from a WSDL
        that lies at the root of a server: a step above the root stays there (RFC 3986, 5.2.4)."""
        folder = self.path.resolve().parent
        beside = {
            posixpath.normpath("/" + Path(os.path.relpath(file.path.resolve(), folder)).as_posix()): file.raw
            for file in self._files_apart
            if not file.from_the_web
        }
        return dict(sorted(beside.items()))

    @property
    def _files_apart(self) -> list[WsdlFile | SchemaFile]:
        return [*self.files[1:], *(file for file in self.schema_files if file.raw)]

    @property
    def charset(self) -> str:
        """The encoding of the file, as a Content-Type names it."""
        return (self.root.getroottree().docinfo.encoding or "UTF-8").lower()

    def served(self, address: str) -> bytes:
        """The file byte for byte, only the value of each SOAP 1.1 soap:address/@location replaced by the address."""
        served, at = bytearray(), 0
        for start, end, codec in self._locations:
            served += self.raw[at:start]
            served += quoteattr(address, {'"': "&quot;"}).encode(codec, "xmlcharrefreplace")
            at = end
        return bytes(served + self.raw[at:])

    @cached_property
    def _locations(self) -> list[AddressPlace]:
        return address_places(self.path, self.raw, self.root.getroottree().docinfo.encoding)

    # The operations --------------------------------------------------------------------------------------------------

    def _operations(self) -> Iterator[Operation]:
        seen: set[tuple[str, str]] = set()
        found = False
        for service in self.root.iterfind(_w("service")):
            for port in service.iterfind(_w("port")):
                if port.find(_s("address")) is None:
                    continue  # another protocol's port: not ours to serve
                binding = self._component("binding", port, "binding")
                found = True
                for operation in binding.iterfind(_w("operation")):
                    key = _name(binding), operation.get("name", "")
                    if key not in seen:
                        seen.add(key)
                        yield self._operation(service, binding, operation)
        if not found:
            has_one = [
                f.path for f in self.files if f.root.find(f"{_w('service')}/{_w('port')}/{_s('address')}") is not None
            ]
            raise self.error(
                self.root,
                "no wsdl:port has a SOAP 1.1 soap:address",
                f"{has_one[0]} in its place: the port stands there"
                if has_one
                else f"one port with an address in {WSDL_SOAP11_BINDING}",
            )
        if not seen:
            raise self.error(self.root, "no SOAP 1.1 binding has an operation", "one operation that takes the push")

    def _operation(self, service: etree._Element, binding: etree._Element, bound: etree._Element) -> Operation:
        soap = bound.find(_s("operation"))
        form = self._form(binding, bound)
        port_type = self._component("portType", binding, "type")
        name = bound.get("name", "")
        abstract = next((o for o in port_type.iterfind(_w("operation")) if o.get("name") == name), None)
        if abstract is None:
            raise self.error(
                bound,
                f"port type {port_type.get('name')} has no operation {name}",
                "the same operations in both (R2718)",
            )
        order = [child.tag for child in abstract if child.tag in (_w("input"), _w("output"))]
        if not order or order[0] != _w("input"):
            raise self.error(abstract, f"operation {name} does not begin with wsdl:input",
                             "request-response or one-way only (BP 1.1 R2303)")  # fmt: skip
        one_way = _w("output") not in order
        if form != LITERAL:
            wrapper = qname(self.target_namespace, name)  # what there is of its messages is not looked at
            return Operation(name, "" if soap is None else soap.get("soapAction", ""), wrapper, None, (), one_way,
                             self._called(port_type), service.get("name", ""), form=form)  # fmt: skip
        input_message = self._message(abstract, "input")
        input_element = self._body_element(bound, "input", input_message)
        if input_element is None:
            raise self.error(bound, f"the input of operation {name} has an empty Body", "one part that holds the push")
        output_message = None if one_way else self._message(abstract, "output")
        return Operation(
            name=name,
            soap_action="" if soap is None else soap.get("soapAction", ""),
            input_element=input_element,
            output_element=None if output_message is None else self._body_element(bound, "output", output_message),
            header_blocks=tuple(self._header_blocks(bound, "input")),
            one_way=one_way,
            port_type=self._called(port_type),
            service=service.get("name", ""),
            faults=tuple(self._faults(abstract)),
            documentation=text_of(abstract.find(_w("documentation"))),
            answer_blocks=() if one_way else self._answer_blocks(bound),
        )

    def _faults(self, abstract: etree._Element) -> Iterator[str]:
        """What is declared well enough to be sent; a fault that is not is a matter of `contract verify`."""
        named = [self._clark(fault, "message") for fault in abstract.iterfind(_w("fault"))]
        for message in self.components("message"):
            if _name(message) in named:
                elements = [
                    self._clark(part, "element") for part in message.iterfind(_w("part")) if part.get("element")
                ]
                yield from (name for name in elements if name in self.schema.elements)

    def _form(self, binding: etree._Element, bound: etree._Element) -> Form:
        """Style and use of an operation. Errors: ContractError, where it is none that could be served."""
        soap, operation = binding.find(_s("binding")), bound.find(_s("operation"))
        if soap is None:
            raise self.error(
                binding, "the binding of a SOAP 1.1 port has no soap:binding", "one, in SOAP 1.1's namespace"
            )
        if soap.get("transport") != SOAP11_HTTP_TRANSPORT:
            raise self.error(soap, f"transport is {soap.get('transport')!r}", f"{SOAP11_HTTP_TRANSPORT} (BP 1.1 R2702)")
        style = soap.get("style", "document")
        if operation is not None:
            style = operation.get("style", style)
        if style != "document" and not self._any_form:
            raise self.error(soap if operation is None else operation, f"style is {style!r}",
                             "style document with use literal: nothing else is served")  # fmt: skip
        body = bound.find(f"{_w('input')}/{_s('body')}")
        use = "literal" if body is None else body.get("use", "literal")
        return Form(style, use if self._any_form else "literal")  # else each component is looked at where it is read

    def _message(self, abstract: etree._Element, direction: str) -> etree._Element:
        child = abstract.find(_w(direction))
        assert child is not None, "the caller looked"
        return self._component("message", child, "message")

    def _body_element(self, bound: etree._Element, direction: str, message: etree._Element) -> str | None:
        """Clark name of the element that the binding puts into Body; None: nothing."""
        side = bound.find(_w(direction))
        body = None if side is None else side.find(_s("body"))
        if side is None or body is None:
            other = None if side is None else next(side.iterchildren(f"{{{WSDL_MIME}}}*"), None)
            raise self.error(
                bound if other is None else other,
                f"the binding says nothing of the Body of the {direction}"
                if other is None
                else f"the {direction} is bound by {other.tag}: no message in several parts is read",
                f"wsdl:{direction} with a soap:body",
            )
        self._check_literal(body)
        parts = list(message.iterfind(_w("part")))
        if (named := body.get("parts")) is not None:
            parts = [self._part(message, body, name) for name in named.split()]
        else:
            headers = [
                h.get("part") for h in side.iterfind(_s("header")) if _local(h.get("message")) == message.get("name")
            ]
            parts = [part for part in parts if part.get("name") not in headers]
        if len(parts) > 1:
            raise self.error(body, f"{len(parts)} parts of message {message.get('name')} go into Body",
                             "at most one (BP 1.1 R2201): name it in parts")  # fmt: skip
        return self._part_element(parts[0]) if parts else None

    def _answer_blocks(self, bound: etree._Element) -> tuple[str, ...]:
        try:
            return tuple(self._header_blocks(bound, "output"))
        except ContractError:
            return ()  # a matter of `contract verify`: no message is held against them

    def _header_blocks(self, bound: etree._Element, direction: str) -> Iterator[str]:
        side = bound.find(_w(direction))
        for header in () if side is None else side.iterfind(_s("header")):
            self._check_literal(header)
            yield self.block_of(header)

    def block_of(self, header: etree._Element) -> str:
        """Clark name of the header block that a soap:header binds. Errors: ContractError, where it names none."""
        message = self._component("message", header, "message")
        return self._part_element(self._part(message, header, header.get("part", "")))

    def _check_literal(self, component: etree._Element) -> None:
        if component.get("use", "literal") != "literal":
            raise self.error(component, f"use is {component.get('use')!r}", "use literal (BP 1.1 R2706)")

    def _part(self, message: etree._Element, wanted_by: etree._Element, name: str) -> etree._Element:
        for part in message.iterfind(_w("part")):
            if part.get("name") == name:
                return part
        raise self.error(
            wanted_by, f"message {message.get('name')} has no part {name!r}", "the name of one of its parts"
        )

    def _part_element(self, part: etree._Element) -> str:
        if part.get("element") is None:
            raise self.error(part, f"part {part.get('name')} has no element attribute",
                             "document/literal parts name a global element (BP 1.1 R2204)")  # fmt: skip
        name = self._clark(part, "element")
        if name not in self.schema.elements:
            raise self.error(part, f"no schema of the WSDL declares element {name}", "a global element declaration")
        return name

    def components(self, kind: str) -> Iterator[etree._Element]:
        """Every wsdl:`kind` at the top of a file, in the order of the files."""
        for file in self.files:
            yield from file.root.iterfind(_w(kind))

    def port_type(self, called: str) -> etree._Element:
        """The port type of an operation, by what that calls it."""
        return next(each for each in self.components("portType") if called in (each.get("name"), _name(each)))

    def _called(self, port_type: etree._Element) -> str:
        name = port_type.get("name", "")
        alike = [each for each in self.components("portType") if each.get("name") == name]
        return name if len(alike) == 1 else _name(port_type)

    def _component(self, kind: str, referrer: etree._Element, attribute: str) -> etree._Element:
        """The WSDL component that an attribute of another names."""
        name = self._clark(referrer, attribute)
        for component in self.components(kind):
            if _name(component) == name:
                return component
        raise self.error(referrer, f"there is no wsdl:{kind} {name or '(not named)'}",
                         f"the name of a wsdl:{kind} of this file in {attribute}")  # fmt: skip

    def _clark(self, element: etree._Element, attribute: str) -> str:
        prefix, _, local = element.get(attribute, "").strip().rpartition(":")
        if prefix and prefix not in element.nsmap:
            raise self.error(
                element, f"{attribute} uses prefix {prefix!r}, which is not declared", "declare it with xmlns:"
            )
        return qname(element.nsmap.get(prefix or None), local)

    def error(self, element: etree._Element, wrong: str, would_do: str) -> ContractError:
        """The error that points at one place of a file."""
        root = element.getroottree().getroot()
        roots = [*((f.path, f.root) for f in self.files), *((f.path, f.element) for f in self.schema_files)]
        path = next((path for path, of_file in roots if of_file is root), self.path)
        return ContractError(path, line_of(element), wrong, would_do)


def _w(local_name: str) -> str:
    return f"{{{WSDL11}}}{local_name}"


def _s(local_name: str) -> str:
    return f"{{{WSDL_SOAP11_BINDING}}}{local_name}"


def _name(component: etree._Element) -> str:
    """Clark name of a component at the top of a file."""
    definitions = component.getparent()
    return qname(None if definitions is None else definitions.get("targetNamespace"), component.get("name", ""))


def _local(name: str | None) -> str:
    return (name or "").strip().rpartition(":")[2]
