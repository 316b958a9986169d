"""What the traffic says of a WSDL: which of its constructs were used, and where messages deviate from it.

A message is read anew for each WSDL that it is held against, one at a time: of all the others only what is told here
stays in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from lxml import etree

from soapsvc.contract.attribute_uses import all_attributes
from soapsvc.contract.finding import CONTENT_RULES, XSI_TYPE, Finding
from soapsvc.contract.marks import header_binding
from soapsvc.contract.message_parts import children, text_of
from soapsvc.contract.schema_check import SchemaCheck
from soapsvc.contract.schema_components import Element, SchemaSet, Type
from soapsvc.contract.secret_elements import holds_credential
from soapsvc.contract.wildcards import admits
from soapsvc.contract.wsdl_components import clark
from soapsvc.contract.wsdl_document import Operation, WsdlDocument
from soapsvc.errors import HttpRefused, NoSuchPush
from soapsvc.namespaces import SOAP11_ENVELOPE, WSDL11, XML_SCHEMA, qname
from soapsvc.settings import Settings
from soapsvc.spool import Spool
from soapsvc.wire.envelope_reader import Envelope, Limits, read_envelope, read_raw
from soapsvc.wire.http_gate import PUSH_PATH, HttpGate
from soapsvc.wire.http_messages import RequestHead
from soapsvc.wire.soap_rules import BODY, HEADER, check_soap

NOT_UNDERSTOOD = "SOAP-012"
MAX_VALUES = 20  # different texts that are kept of one kind of deviation
_PLACES = frozenset({"SOAP-001", "SOAP-002", "SOAP-004", "SOAP-005", "SOAP-016"})
"""Rules without which there is nothing that a WSDL speaks of."""


@dataclass(frozen=True, slots=True)
class RawPush:
    """One message as it came: the push's id, how its bytes are opened, and its Content-Type.

    open  Errors: NoSuchPush, where it was put out meanwhile: then it is not part of the traffic any more
    """

    id: str
    open: Callable[[], AbstractContextManager[BinaryIO]]
    content_type: str | None


@dataclass(slots=True)
class Case:
    """One kind of deviation, as often as it came: the same rule, components and name.

    components  of the WSDL that it touches, as in a Finding
    tag         Clark name of the element that it is at
    names       Clark names that lead to that element, from the header block or the child of Body
    path        XPath in the first message that has it
    attribute   Clark name, where it is at an attribute
    pushes      ids, in the order of the traffic
    count       of deviations, in all pushes
    values      texts that were there, at most MAX_VALUES; none of elements that have children
    previous    Clark names of the element's siblings before it, the nearest first; following: those behind it
    secret      one of the texts is a credential
    has_children, names_type, most
        of the elements: whether one has any, whether one has an xsi:type, how many of the name one parent has
    """

    rule: str
    components: tuple[etree._Element | None, ...]
    tag: str
    names: tuple[str, ...]
    path: str
    attribute: str | None
    pushes: dict[str, None] = field(default_factory=dict)
    count: int = 0
    values: dict[str, None] = field(default_factory=dict)
    secret: bool = False
    previous: tuple[str, ...] = ()
    following: tuple[str, ...] = ()
    has_children: bool = False
    names_type: bool = False
    most: int = 1

    def take(self, push_id: str, finding: Finding) -> None:
        element = finding.element
        self.pushes[push_id] = None
        self.count += 1
        self.secret = self.secret or holds_credential(element)
        value = text_of(element) if finding.attribute is None else element.get(finding.attribute, "")
        if len(self.values) < MAX_VALUES and (finding.attribute is not None or not len(element)):
            self.values[value] = None
        self.has_children = self.has_children or bool(len(element))
        self.names_type = self.names_type or element.get(XSI_TYPE) is not None
        parent = element.getparent()
        if parent is not None:
            self.most = max(self.most, sum(1 for each in children(parent) if each.tag == element.tag))


@dataclass(slots=True)
class Observed:
    """What the traffic says of one WSDL.

    judged      ids of the messages that were held against it
    left_out    ids of those that are not XML or not SOAP
    cases       in the order in which they came
    used        components of the WSDL that a message has as declared, with the ids of those messages
    roots       Clark names of the children of Body, with the namespaces of their children
    blocks      Clark names of the header blocks, with the ids of the messages that have them
    """

    judged: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    cases: dict[object, Case] = field(default_factory=dict)
    used: dict[etree._Element, dict[str, None]] = field(default_factory=dict)
    roots: dict[str, set[str | None]] = field(default_factory=dict)
    blocks: dict[str, dict[str, None]] = field(default_factory=dict)

    @property
    def gravity(self) -> tuple[int, int, int]:
        """How much there is to mend. What hides other deviations counts first: another root, then another child."""
        return (
            sum(case.count for case in self.cases.values() if case.rule == "XSD-001"),
            sum(case.count for case in self.cases.values() if case.rule in CONTENT_RULES),
            sum(case.count for case in self.cases.values()),
        )


class Traffic:
    """The messages that contracts are held against."""

    def __init__(self, pushes: Iterable[RawPush], settings: Settings):
        self._pushes = tuple(pushes)
        self._limits, self._gate = Limits.from_settings(settings), HttpGate(settings)

    def observed(self, wsdl: WsdlDocument) -> Observed:
        """What it says of a WSDL. Errors: ContractError, where the schemas do not compile; OSError."""
        check, seen = SchemaCheck(wsdl), Observed()
        usage = _Usage(wsdl)
        with tempfile.TemporaryDirectory(prefix="soapsvc-learn-") as folder:
            for push in self._pushes:
                with suppress(NoSuchPush), Spool(Path(folder)) as spool, push.open() as stream:
                    envelope = read_envelope(
                        read_raw(stream, spool), codec=self._codec(push.content_type), limits=self._limits,
                        document_names=wsdl.document_names, spool=spool,
                    )  # fmt: skip
                    _observe(seen, push.id, envelope, wsdl, check, usage)
        return seen

    def _codec(self, content_type: str | None) -> str | None:
        """The charset of the Content-Type; None: it names none that is read here, so the body decides."""
        named = (("Content-Type", content_type),) if content_type else ()
        try:
            return self._gate.media_type(RequestHead("POST", PUSH_PATH, "", named, "")).codec
        except HttpRefused:
            return None


def _observe(
    seen: Observed, push_id: str, envelope: Envelope, wsdl: WsdlDocument, check: SchemaCheck, usage: _Usage
) -> None:
    understood = frozenset(block for operation in wsdl.operations for block in operation.header_blocks)
    soap = () if envelope.root is None else check_soap(envelope, understood)
    if envelope.root is None or any(deviation.rule in _PLACES for deviation in soap):
        seen.left_out.append(push_id)
        return
    seen.judged.append(push_id)
    header, body = envelope.root.find(HEADER), envelope.root.find(BODY)
    payload = next(children(body), None) if body is not None else None
    blocks = [] if header is None else list(children(header))
    for block in blocks:
        seen.blocks.setdefault(str(block.tag), {})[push_id] = None
    if payload is not None:
        inside = {etree.QName(each).namespace for each in children(payload)}
        seen.roots.setdefault(str(payload.tag), set()).update(inside)
    unknown = {deviation.path for deviation in soap if deviation.rule == NOT_UNDERSTOOD}
    findings = [*check.findings(envelope)]
    findings += [Finding(NOT_UNDERSTOOD, block, "", "") for block in blocks if envelope.path(block) in unknown]
    for finding in findings:
        _take(seen, push_id, envelope, finding)
    for component in usage.of(blocks, payload):
        seen.used.setdefault(component, {})[push_id] = None


def _take(seen: Observed, push_id: str, envelope: Envelope, finding: Finding) -> None:
    tag, names = str(finding.element.tag), _names(finding.element)
    somewhere = any(component is not None for component in finding.components)
    key = finding.rule, finding.components, tag, finding.attribute, () if somewhere else names
    if key not in seen.cases:
        path = envelope.path(finding.element)
        if finding.attribute is not None:
            path += "/@" + finding.attribute.rpartition("}")[2]
        before = tuple(str(each.tag) for each in finding.element.itersiblings(etree.Element, preceding=True))
        behind = tuple(str(each.tag) for each in finding.element.itersiblings(etree.Element))
        seen.cases[key] = Case(finding.rule, finding.components, tag, names, path, finding.attribute,
                               previous=before, following=behind)  # fmt: skip
    seen.cases[key].take(push_id, finding)


def _names(element: etree._Element) -> tuple[str, ...]:
    """Clark names from the header block or the child of Body to the element."""
    names = [str(element.tag)]
    while (parent := element.getparent()) is not None and not str(parent.tag).startswith(f"{{{SOAP11_ENVELOPE}}}"):
        names.insert(0, str(parent.tag))
        element = parent
    return tuple(names)


# What a message uses --------------------------------------------------------------------------------------------------


class _Usage:
    """Tells the components that a message has as declared: elements by their names, whatever is inside them."""

    def __init__(self, wsdl: WsdlDocument):
        self._wsdl, self._schema = wsdl, wsdl.schema
        self._references: dict[str, list[etree._Element]] = {}
        for file in wsdl.schema_files:
            for use in file.element.iter(qname(XML_SCHEMA, "element")):
                if use.get("ref") is not None:
                    self._references.setdefault(clark(use, "ref"), []).append(use)

    def of(self, blocks: Iterable[etree._Element], payload: etree._Element | None) -> set[etree._Element]:
        """Components, each with those around it that are used by that."""
        found: set[etree._Element] = set()
        tops = [*blocks, *(() if payload is None else (payload,))]
        for top in tops:
            declared = self._schema.elements.get(str(top.tag))
            if declared is not None:
                self._element(top, declared, found)
        operation = next((o for o in self._wsdl.operations if payload is not None and o.input_element == payload.tag),
                         None)  # fmt: skip
        if operation is not None:
            found.update(self._bound(operation, {str(block.tag) for block in blocks}))
        return found

    def _bound(self, operation: Operation, blocks: set[str]) -> Iterator[etree._Element]:
        """What of the WSDL around the schemas a message shows."""
        for name in blocks.intersection(operation.header_blocks):
            yield from (component for component in header_binding(self._wsdl, name) if component is not None)
        for message in self._wsdl.components("message"):
            for part in message.iterfind(qname(WSDL11, "part")):
                if clark(part, "element") == operation.input_element:
                    yield from (part, message)
        for binding in self._wsdl.components("binding"):
            if any(bound.get("name") == operation.name for bound in binding.iterfind(qname(WSDL11, "operation"))):
                yield binding  # SOAP 1.1, document/literal; of the operation's soapAction a message says nothing

    def _element(self, element: etree._Element, declared: Element, found: set[etree._Element]) -> None:
        waiting = [(element, declared)]
        while waiting:  # no recursion: how deep a message goes is a setting
            at, use = waiting.pop()
            found.add(use.source)
            found.update(self._references.get(use.name, ()))
            of = self._schema.type_of(use)
            found.update(_type_sources(self._schema, of))
            self._attributes(at, of, found)
            if not len(at):
                found.update(_enumerations(self._schema, of, text_of(at)))
            known = {each.name: each for each in self._schema.children(of)}
            for inner in children(at):
                inside = known.get(str(inner.tag))
                if inside is not None:
                    waiting.append((inner, inside))

    def _attributes(self, element: etree._Element, of: Type, found: set[etree._Element]) -> None:
        declared = {each.name: each for each in self._schema.attributes(of)}
        anything = all_attributes(self._schema, of)
        for name, value in element.items():
            use = declared.get(str(name))
            if use is not None:
                found.add(use.source)
                found.update(_type_sources(self._schema, self._schema.type_of(use)))
                found.update(_enumerations(self._schema, self._schema.type_of(use), str(value)))
            elif anything is not None and admits(anything, str(name)) and of.source is not None:
                found.update(of.source.iter(qname(XML_SCHEMA, "anyAttribute")))


def _type_sources(schema: SchemaSet, of: Type) -> Iterator[etree._Element]:
    """Where a type is written, and those that it is derived from, and the schemas that they stand in."""
    while of.source is not None:
        yield of.source
        yield from of.source.iterancestors(qname(XML_SCHEMA, "schema"))
        if of.base is None:
            return
        of = schema.type(of.base, of.source)


def _enumerations(schema: SchemaSet, of: Type, value: str) -> Iterator[etree._Element]:
    for source in _type_sources(schema, of):
        for restriction in source.iterchildren(qname(XML_SCHEMA, "restriction")):
            for one in restriction.iterchildren(qname(XML_SCHEMA, "enumeration")):
                if one.get("value") == value.strip():
                    yield one
