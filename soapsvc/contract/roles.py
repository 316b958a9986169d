"""A push as read from its envelope: which element is what, by role and never by one fixed path."""

from __future__ import annotations

from lxml import etree

from soapsvc.contract.document_names import DOC_DATA
from soapsvc.contract.documents import left_in_the_tree
from soapsvc.contract.fingerprint import fingerprint
from soapsvc.contract.message_parts import ancestors_within, child, text_of
from soapsvc.contract.push_layout import PushLayout, elements_by_role, layout_of
from soapsvc.contract.push_reader import DecodedDocument, PushReader, Tell
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.records import Arrival, Deviation, Push
from soapsvc.wire.envelope_reader import Envelope, ReadDocument


def read_push(
    envelope: Envelope, arrival: Arrival, wsdl: WsdlDocument | None = None
) -> tuple[Push, tuple[Deviation, ...]]:
    """The push of an envelope that has a root, and how its payload deviates (rules PAY-*).

    wsdl  tells which elements that the wire left in the tree hold a document; None: DocData alone

    What is missing or odd stays empty in the record: whether it may be is the schema's matter. Nothing is raised for
    what a message says.
    """
    deviations: list[Deviation] = []

    def tell(rule: str, element: etree._Element, found: str, wanted: str) -> None:
        deviations.append(Deviation(rule, envelope.path(element), envelope.line(element), found, wanted))

    layout, read = read_layout(envelope, wsdl, tell)
    decoded = [DecodedDocument(document.content, document.encoding) for document in read]
    said = fingerprint(payload_holder(envelope), read)
    push = PushReader(layout, text_of, tell).push(arrival, envelope.raw, decoded, said)
    return push, tuple(deviations)


def read_layout(
    envelope: Envelope, wsdl: WsdlDocument | None, tell: Tell[etree._Element]
) -> tuple[PushLayout[etree._Element], tuple[ReadDocument, ...]]:
    """Which element is what, and the documents in the order of the envelope: those that the wire took out, and those
    that it left in the tree, because the schema demands something of their text."""
    assert envelope.root is not None, "an envelope that could not be read holds no push"
    top = payload_holder(envelope)
    names = frozenset({DOC_DATA}) if wsdl is None else wsdl.document_names_in_tree | {DOC_DATA}
    by_role = elements_by_role(top, names)
    elements = [element for name in sorted(names) for element in by_role[name]]
    read = _documents(envelope, top, elements, wsdl, tell)
    return layout_of(envelope.root, top, by_role, [document.element for document in read]), read


def payload_holder(envelope: Envelope) -> etree._Element:
    """Body; the root, where there is none."""
    assert envelope.root is not None, "an envelope that could not be read holds no push"
    body = child(envelope.root, "body")
    return envelope.root if body is None else body


def _documents(
    envelope: Envelope,
    top: etree._Element,
    named: list[etree._Element],
    wsdl: WsdlDocument | None,
    tell: Tell[etree._Element],
) -> tuple[ReadDocument, ...]:
    """named  the elements with the name of a document"""
    taken_out = {document.element: document for document in envelope.documents}
    left = [
        element
        for element in named
        if element not in taken_out
        and not any(around in taken_out for around in element.iterancestors())
        and (wsdl is None or wsdl.holds_document(_names(element, top)))
    ]
    if not left:
        return envelope.documents
    found = {**taken_out, **{element: left_in_the_tree(element, tell) for element in left}}
    return tuple(found[element] for element in top.getroottree().iter(etree.Element) if element in found)


def _names(element: etree._Element, top: etree._Element) -> list[str]:
    """The Clark names that lead to an element from the child of `top` on."""
    return [str(around.tag) for around in (element, *ancestors_within(element, top))][::-1]
