"""A push held against the schema of the WSDL in force.

No single validator is strict and talkative: libxml2 (through lxml) decides whether a message fits; what is wrong with
one that does not is told from xmlschema's components, all of it and not the first alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from lxml import etree

from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.contract.finding import CONTENT_RULES, XSI_NIL, Finding, cut, shown
from soapsvc.contract.marks import best_mark, body_binding, header_binding, schema_of
from soapsvc.contract.message_parts import child, children, text_of
from soapsvc.contract.secret_elements import MASK, holds_credential
from soapsvc.contract.wsdl_document import Operation, WsdlDocument
from soapsvc.errors import SoapsvcError
from soapsvc.namespaces import SOAP11_ENVELOPE, XML, qname
from soapsvc.records import Deviation
from soapsvc.wire.envelope_reader import Envelope

if TYPE_CHECKING:
    from soapsvc.contract.schema_findings import ElementWalk

_SOAP_ATTRIBUTES = tuple(qname(SOAP11_ENVELOPE, name) for name in ("actor", "mustUnderstand", "encodingStyle"))
_NIL = ("true", "1")


class AnswerDeviates(SoapsvcError):
    """Our own answer does not fit the WSDL: a programming error, and nothing that a sender could repair."""


class SchemaCheck:
    """Holds the header blocks and the child of Body against their declarations.

    explained_at_once, Errors  those of CompiledSchema
    """

    def __init__(self, wsdl: WsdlDocument, *, explained_at_once: bool = True):
        self._wsdl = wsdl
        self._schema = CompiledSchema(wsdl, explained_at_once=explained_at_once)
        self._by_input = {operation.input_element: operation for operation in reversed(wsdl.operations)}

    def check(self, envelope: Envelope) -> tuple[Deviation, ...]:
        """Every deviation from the schema; none: the envelope fits. Safe in any number of threads.

        Shape   the Body's child is the input element of an operation; the header blocks that this operation binds are
                there once each; other blocks fit their declaration where the WSDL has one; everything inside fits
        Errors  none for what a message says; the envelope's root is there
        """
        return tuple(self._deviation(envelope, finding) for finding in self.findings(envelope))

    def findings(self, envelope: Envelope) -> tuple[Finding, ...]:
        """The same, each with the element and the components of the WSDL that it is about."""
        root = envelope.root
        assert root is not None, "an envelope that could not be read is not checked"
        header, body = child(root, "header"), child(root, "body")
        payload = None if body is None else next(children(body), None)
        operation = self._by_input.get("" if payload is None else str(payload.tag), self._wsdl.operations[0])
        misplaced = list(self._payload(payload))
        findings = [*self._bindings(root, header, operation), *misplaced]
        taken = _take_soap_attributes(header)
        try:
            with self._schema.deciding() as schema:
                messages = None if schema.validate(root) and not misplaced else _messages(schema)
            if messages is not None:  # others may have the schema meanwhile: to explain takes longer than to decide
                findings += self._explained(envelope, messages, payload, operation)
        finally:
            for block, name, value in taken:
                block.set(name, value)
        findings += _nil_documents(envelope)
        return tuple(findings)

    def fits(self, root: etree._Element) -> bool:
        """Whether the schema has nothing against a message without its documents' texts, whose markup was found to
        deviate in nothing. The tree is not to be used any more."""
        _take_soap_attributes(child(root, "header"))
        with self._schema.deciding() as schema:
            return schema.validate(root)

    def fits_at_once(self, root: etree._Element) -> bool:
        """fits() for a thread that must not wait; False may also mean that nobody has looked."""
        _take_soap_attributes(child(root, "header"))
        with self._schema.deciding_unless_busy() as schema:
            return schema is not None and schema.validate(root)

    def check_answer(self, element: etree._Element) -> None:
        """Hold the child of Body of an answer of ours against the output element of an operation.

        Errors  AnswerDeviates: it is another element, or does not fit its declaration
        """
        outputs = {operation.output_element for operation in self._wsdl.operations}
        if element.tag not in outputs:
            raise AnswerDeviates(f"the answer is {element.tag}; wanted: {', '.join(sorted(filter(None, outputs)))}")
        with self._schema.deciding() as schema:
            if not schema.validate(element):
                raise AnswerDeviates(f"the answer does not fit its declaration: {_messages(schema)[0].message}")

    # The bindings ----------------------------------------------------------------------------------------------------

    def _bindings(self, root: etree._Element, header: etree._Element | None, operation: Operation) -> Iterator[Finding]:
        """Header blocks that the operation binds: each there, each once (BP 1.1 R2738)."""
        if not operation.header_blocks:
            return
        blocks = [] if header is None else list(children(header))
        for bound in operation.header_blocks:
            there = [block for block in blocks if block.tag == bound]
            if len(there) == 1:
                continue
            name, wanted = etree.QName(bound).localname, f"one header block {bound}"
            if not there:
                tags = ", ".join(etree.QName(block).localname for block in blocks)
                found = f"no header block {name}" + (f", but {shown(tags)}" if blocks else "")
                at = root if header is None else header
                yield Finding("XSD-002", at, found, wanted, header_binding(self._wsdl, bound))
            for again in there[1:]:
                yield Finding("XSD-003", again, f"a second header block {name}", wanted,
                              header_binding(self._wsdl, bound))  # fmt: skip

    def _payload(self, payload: etree._Element | None) -> Iterator[Finding]:
        """The Body's child: the input element of one of the operations (BP 1.1 R2712, R2301)."""
        if payload is None or payload.tag in self._by_input:
            return  # an empty Body is a matter of the SOAP rules
        wanted = " or ".join(self._by_input)
        touched: list[etree._Element | None] = []
        for name in self._by_input:
            declaration = body_binding(self._wsdl, name)
            touched += declaration
            if etree.QName(payload).localname == etree.QName(name).localname:  # then it is the namespace that differs
                touched += map(schema_of, declaration)
        yield Finding("XSD-001", payload, cut(str(payload.tag), 300), wanted, tuple(touched))

    # The schema ------------------------------------------------------------------------------------------------------

    def _explained(
        self,
        envelope: Envelope,
        errors: Iterable[etree._LogEntry],
        payload: etree._Element | None,
        operation: Operation,
    ) -> list[Finding]:
        from soapsvc.contract.schema_findings import ElementWalk  # xmlschema comes with it (CompiledSchema.components)

        root = envelope.root
        assert root is not None, "looked at above"
        walk = ElementWalk(self._schema, {document.element for document in envelope.documents})
        for part in children(root):
            for top in children(part):
                tag = str(top.tag)
                same_name = top is payload and etree.QName(tag).localname == _local(operation.input_element)
                declared = walk.declared(operation.input_element if same_name else tag)
                if declared is not None:
                    walk.walk(top, declared)
        if walk.spaced:
            errors = self._errors_without(walk.spaced, root)
        told = {near for finding in walk.findings for near in _neighbours(finding.element)}
        models = {at for f in walk.findings if f.rule in CONTENT_RULES for at in (f.element, f.element.getparent())}
        models -= walk.not_aligned
        places, secrets = _Places(root), None
        for error in errors:
            element = places.at(error.path)
            in_told_model = error.type_name == "SCHEMAV_ELEMENT_CONTENT" and element.getparent() in models
            if element not in told and not in_told_model:
                secrets = _secrets(root) if secrets is None else secrets
                walk.findings.append(_untold(error, element, walk, secrets))
        return walk.findings

    def _errors_without(
        self, spaced: Mapping[tuple[etree._Element, str | None], str], root: etree._Element
    ) -> list[etree._LogEntry]:
        """What libxml2 says no to where white space that does not count is left out."""
        before = {at: (at[0].text if at[1] is None else at[0].get(at[1])) or "" for at in spaced}
        _put(spaced)
        try:
            with self._schema.deciding() as schema:
                return [] if schema.validate(root) else _messages(schema)
        finally:
            _put(before)

    def _deviation(self, envelope: Envelope, finding: Finding) -> Deviation:
        path = envelope.path(finding.element)
        if finding.attribute is not None:
            path += "/@" + _attribute_name(finding.element, finding.attribute)
        mark = best_mark(self._wsdl, finding.components)
        return Deviation(finding.rule, path, envelope.line(finding.element), finding.found, finding.wanted, mark)


def _take_soap_attributes(header: etree._Element | None) -> list[tuple[etree._Element, str, str]]:
    """Take actor, mustUnderstand and encodingStyle off the header blocks: SOAP 1.1, 4.2, allows them on each, whatever
    the block's own type says of attributes, and the SOAP rules judge them. What comes back is to be set again."""
    taken = []
    for block in () if header is None else children(header):
        attributes = block.attrib
        if not attributes:
            continue
        for name in _SOAP_ATTRIBUTES:
            if name in attributes:
                taken.append((block, name, str(attributes.pop(name))))
    return taken


def _put(texts: Mapping[tuple[etree._Element, str | None], str]) -> None:
    for (element, attribute), text in texts.items():
        if attribute is None:
            element.text = text
        else:
            element.set(attribute, text)


def _nil_documents(envelope: Envelope) -> Iterator[Finding]:
    """Documents that say xsi:nil and have content: it is out of the tree, so libxml2 cannot see it."""
    for document in envelope.documents:
        said = document.element.get(XSI_NIL)
        if said is not None and said.strip() in _NIL and document.content.size_bytes:
            found = f'xsi:nil="{said}" on {etree.QName(document.element).localname} with a document'
            yield Finding("XSD-019", document.element, found, "no content")


def _neighbours(element: etree._Element) -> Iterator[etree._Element]:
    """An element, its parent and its children: where libxml2 may report the same deviation."""
    yield element
    parent = element.getparent()
    if parent is not None:
        yield parent
    yield from children(element)


def _messages(schema: etree.XMLSchema) -> list[etree._LogEntry]:
    """What libxml2 said no to in the last validation."""
    return list(schema.error_log)  # type: ignore[call-overload,no-any-return]  # the published types lack iteration


class _Places:
    """The elements of a tree by the paths that libxml2 writes, such as /soap:Envelope/soap:Body/*[1]: a star stands for
    a name in a default namespace. Each children are looked at once, whatever the number of paths."""

    def __init__(self, root: etree._Element):
        self._root = root
        self._steps: dict[etree._Element, dict[str, list[etree._Element]]] = {}

    def at(self, path: str | None) -> etree._Element:
        """The element, or the one around an attribute; the deepest that there is of a path that leads nowhere."""
        element = self._root
        for step in (path or "").split("/")[2:]:
            name, _, position = step.removesuffix("]").partition("[")
            named, n = self._children(element).get(name, ()), int(position or 1)
            if n > len(named):
                break
            element = named[n - 1]
        return element

    def _children(self, element: etree._Element) -> dict[str, list[etree._Element]]:
        if element not in self._steps:
            steps = self._steps[element] = {}
            for each in children(element):
                name = etree.QName(each).localname
                for step in ("*", f"{each.prefix}:{name}" if each.prefix else name):
                    steps.setdefault(step, []).append(each)
        return self._steps[element]


def _untold(error: etree._LogEntry, element: etree._Element, walk: ElementWalk, secrets: list[str]) -> Finding:
    """What libxml2 alone says no to."""
    message = error.message
    for secret in secrets:
        message = message.replace(secret, MASK)
    constraint = error.type_name.removeprefix("SCHEMAV_").lower().replace("_", "-")
    declared = walk.types.get(element)
    component = walk.source_of(declared)
    return Finding("XSD-024", element, cut(message, 200), f"what {constraint} of XML Schema wants", (component,))


def _secrets(root: etree._Element) -> list[str]:
    """Texts that no verdict may repeat, the longest first."""
    found = {
        text
        for element in root.iter(etree.Element)
        if not len(element) and (holds_credential(element) or _local(str(element.tag)).lower() == "docdata")
        for text in (text_of(element), text_of(element).strip())
        if text
    }
    return sorted(found, key=len, reverse=True)


def _attribute_name(element: etree._Element, attribute: str) -> str:
    """The attribute's name with the prefix that the envelope uses."""
    name = etree.QName(attribute)
    prefix = next((p for p, uri in {**element.nsmap, "xml": XML}.items() if p and uri == name.namespace), None)
    return f"{prefix}:{name.localname}" if prefix else name.localname


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
