"""The contract in force, written out for the page that shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from lxml import etree

from soapsvc.contract.contract_difference import contract_difference
from soapsvc.contract.schema_components import Attribute, Element, SimpleType, Type
from soapsvc.contract.wsdl_document import MARKS, WsdlDocument
from soapsvc.namespaces import WSDL11, XML_SCHEMA
from soapsvc.web.contract_record import Component, ContractInForce, DifferenceInForce, OperationInForce

MAX_DEPTH = 12  # a type may hold itself
MAX_COMPONENTS = 500  # of one message
_ANNOTATIONS = (f"{{{XML_SCHEMA}}}annotation/{{{XML_SCHEMA}}}documentation", f"{{{WSDL11}}}documentation")
_LEADING_MARK = re.compile(rf"\s*(?:{'|'.join(MARKS)})\b[\s.:;,(-]*")


def contract_in_force(wsdl: WsdlDocument, shipped: WsdlDocument) -> ContractInForce:
    """Everything that the page tells of a WSDL."""
    found = contract_difference(shipped, wsdl)
    beside = {str(PurePosixPath(path).relative_to("/")): raw for path, raw in wsdl.files_beside.items()}
    return ContractInForce(
        file_name=wsdl.path.name,
        sha256=wsdl.sha256,
        target_namespace=wsdl.target_namespace or "",
        is_shipped=wsdl.raw == shipped.raw,
        operations=tuple(_operations(wsdl)),
        beside_shipped=found.contract,
        differences=tuple(
            DifferenceInForce(one.class_, one.where, one.what, one.old_line, one.new_line) for one in found.differences
        ),
        files={wsdl.path.name: wsdl.raw, **beside},
    )


def _operations(wsdl: WsdlDocument) -> Iterator[OperationInForce]:
    for operation in wsdl.operations:
        output = [operation.output_element] if operation.output_element else []
        yield OperationInForce(
            name=operation.name,
            soap_action=operation.soap_action,
            documentation=_without_mark(operation.documentation),
            one_way=operation.one_way,
            request=_message(wsdl, [operation.input_element]),
            answer=_message(wsdl, output),
            header_blocks=_message(wsdl, operation.header_blocks),
        )


def _message(wsdl: WsdlDocument, names: list[str] | tuple[str, ...]) -> tuple[Component, ...]:
    found: list[Component] = []
    for name in names:
        element = wsdl.schema.elements.get(name)
        if element is not None:
            for component in _components(wsdl, element, 0):
                found.append(component)
                if len(found) >= MAX_COMPONENTS:
                    return tuple(found)
    return tuple(found)


def _components(wsdl: WsdlDocument, element: Element, depth: int) -> Iterator[Component]:
    type_ = wsdl.schema.type_of(element)
    most = "*" if element.max_occurs is None else str(element.max_occurs)
    occurs = most if str(element.min_occurs) == most else f"{element.min_occurs}..{most}"
    yield Component(depth, element.local_name, _type(wsdl, element, type_), occurs, wsdl.mark(element.source),
                    _documentation(element.source))  # fmt: skip
    for attribute in wsdl.schema.attributes(type_):
        attribute_type = wsdl.schema.type_of(attribute)
        yield Component(
            depth + 1, f"@{attribute.local_name}", _type(wsdl, attribute, attribute_type),
            "1" if attribute.use == "required" else "0..1", wsdl.mark(attribute.source),
            _documentation(attribute.source),
        )  # fmt: skip
    if depth < MAX_DEPTH:
        for child in wsdl.schema.children(type_):
            yield from _components(wsdl, child, depth + 1)


def _type(wsdl: WsdlDocument, use: Element | Attribute, type_: Type) -> str:
    """Name and facets."""
    named = _local(use.type_name) if use.type_name else ""
    if isinstance(type_, SimpleType):
        facets, at = list(type_.facets), type_
        named = named or (_local(at.base) if isinstance(at.base, str) else "text")
        shown = [value if name == "enumeration" else f"{name} {value}" for name, value in facets]
        return f"{named} ({', '.join(shown[:12])})" if shown else named
    if type_.simple:
        base = wsdl.schema.simple_base(type_)
        return named or (_local(base) if base else "text")
    return named


def _local(name: str) -> str:
    return etree.QName(name).localname


def _documentation(source: etree._Element) -> str:
    for annotation in _ANNOTATIONS:
        found = source.find(annotation)
        if found is not None:
            return _without_mark("".join(map(str, found.itertext())))
    return ""


def _without_mark(text: str) -> str:
    return " ".join(_LEADING_MARK.sub("", text, count=1).split())
