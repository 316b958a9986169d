"""The documents of a message with what stands beside them: DocType, Filename, CharacterSet, properties of their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

from lxml import etree

from soapsvc.contract.b64_text import SHOWN_CHARS
from soapsvc.contract.detected_type import HEAD_BYTES, contradicts, media_type_of
from soapsvc.contract.document_names import DESCRIPTIONS
from soapsvc.contract.message_parts import ancestors_within, attribute, role, text_of
from soapsvc.contract.properties import FoundProperty, Tell, read_text
from soapsvc.records import Document, Property
from soapsvc.spool import Content
from soapsvc.wire.base64_reader import Base64Reader
from soapsvc.wire.envelope_reader import ReadDocument
from soapsvc.wire.envelope_target import document_format

_ATTACHMENT = re.compile(r"attach(?:ment)?([0-9]{1,6})", re.IGNORECASE)


def read_documents(
    read: Sequence[ReadDocument], found: Sequence[FoundProperty], top: etree._Element, tell: Tell
) -> tuple[tuple[Document, ...], tuple[Property, ...]]:
    """The documents, each with its own properties, and the properties that are left for the push.

    read  in the order of the envelope
    """
    elements = {document.element for document in read}
    held = Counter(around for element in elements for around in element.iterancestors())
    scopes = [_scope(document.element, held, top) for document in read]
    owners = _Owners(scopes)
    owned: dict[int, list[Property]] = {}
    left: list[Property] = []
    for one in found:
        n = owners.of(one, top)
        (left if n is None else owned.setdefault(n, [])).append(one.property)
    documents = tuple(
        _document(n, document, _described(document.element, scope, elements), tuple(owned.get(n, ())), tell)
        for n, (document, scope) in enumerate(zip(read, scopes, strict=True))
    )
    return documents, tuple(left)


def _scope(element: etree._Element, held: Mapping[etree._Element, int], top: etree._Element) -> etree._Element:
    """The element that describes one document: the nearest Document around it, as long as that holds no second
    document; else its parent.

    held  how many documents each element has inside
    """
    for around in ancestors_within(element, top):
        if held[around] > 1:
            break
        if role(around) == "document":
            return around
    parent = element.getparent()
    return element if parent is None else parent


def _described(
    element: etree._Element, scope: etree._Element, documents: Set[etree._Element]
) -> dict[str, etree._Element]:
    """DocType, Filename and CharacterSet of a document, by role. Where documents stand side by side without an element
    around each, what is between two of them belongs to the later one from its DocType on (its Filename, where it has no
    DocType), and to the earlier one up to there."""
    if role(scope) == "document":
        candidates = list(scope.iter(etree.Element))
    else:
        before, first = _up_to_a_document(element.itersiblings(etree.Element, preceding=True), documents)
        after, last = _up_to_a_document(element.itersiblings(etree.Element), documents)
        before.reverse()
        candidates = before if first else before[_own_begin(before) :]
        candidates += after if last else after[: _own_begin(after)]
    described: dict[str, etree._Element] = {}
    for candidate in candidates:
        if role(candidate) in DESCRIPTIONS:
            described.setdefault(role(candidate), candidate)
    return described


def _up_to_a_document(
    siblings: Iterable[etree._Element], documents: Set[etree._Element]
) -> tuple[list[etree._Element], bool]:
    """The siblings up to the nearest document, and whether there is none."""
    nearer: list[etree._Element] = []
    for sibling in siblings:
        if sibling in documents:
            return nearer, False
        nearer.append(sibling)
    return nearer, True


def _own_begin(between: Sequence[etree._Element]) -> int:
    """Where, between two documents, the description of the later one begins."""
    roles = [role(sibling) for sibling in between]
    return next((roles.index(name) for name in ("doctype", "filename") if name in roles), len(roles))


def left_in_the_tree(element: etree._Element, tell: Tell) -> ReadDocument:
    """A document whose text the wire left where it was, because the schema has facets for it; decoded by the same
    rules as those that it takes out."""
    text = text_of(element)
    sent_format = document_format({str(name): str(value) for name, value in element.items()})
    kind = (sent_format or "base64").strip().lower()
    if kind != "base64":
        if kind != "text":
            found = f'format="{(sent_format or "")[:SHOWN_CHARS]}"'
            tell("PAY-004", element, found, 'format="base64" or format="text"')
        return ReadDocument(element, Content.of(text.encode()), "text" if kind == "text" else "undecodable")
    decoded = bytearray()
    reader = Base64Reader(decoded.extend)
    reader.feed(text)
    reader.finish()
    if reader.rule is not None:
        tell(reader.rule, element, reader.found, reader.wanted)
        return ReadDocument(element, Content.of(text.encode()), "undecodable")
    return ReadDocument(element, Content.of(bytes(decoded)), "base64")


class _Owners:
    """Which document a property belongs to: the Document that it stands in, or the one that its segment names, by the
    document's ref, else indoc for the first document and attachN for the Nth after it [S1]."""

    def __init__(self, scopes: Sequence[etree._Element]):
        self._count = len(scopes)
        self._of_scope = {scope: n for n, scope in enumerate(scopes) if role(scope) == "document"}
        self._of_ref: dict[str, int] = {}
        self._known: dict[tuple[etree._Element | None, str | None], int | None] = {}
        for n, scope in enumerate(scopes):
            ref = (attribute(scope, "ref") or "").strip().lower()
            if ref:
                self._of_ref.setdefault(ref, n)

    def of(self, found: FoundProperty, top: etree._Element) -> int | None:
        """Index of the document; None: the push's own."""
        place = found.element.getparent(), found.property.segment
        if place not in self._known:
            self._known[place] = self._looked_up(found, top)
        return self._known[place]

    def _looked_up(self, found: FoundProperty, top: etree._Element) -> int | None:
        for around in ancestors_within(found.element, top):
            if around in self._of_scope:
                return self._of_scope[around]
        segment = (found.property.segment or "").strip().lower()
        if segment in self._of_ref:
            return self._of_ref[segment]
        attachment = _ATTACHMENT.fullmatch(segment)
        n = 0 if segment == "indoc" else int(attachment[1]) if attachment else self._count
        return n if n < self._count else None


def _document(
    n: int, read: ReadDocument, described: dict[str, etree._Element], properties: tuple[Property, ...], tell: Tell
) -> Document:
    texts = {name: read_text(element, tell).strip() or None for name, element in described.items()}
    doctype = texts.get("doctype")
    decoded = read.encoding != "undecodable" and read.content.size_bytes > 0
    detected = media_type_of(read.content.head(HEAD_BYTES)) if decoded else None
    if doctype is not None and decoded and contradicts(doctype, detected):
        content = f"content that begins like {detected}" if detected else "content of no kind that is known"
        found = f'DocType reads "{doctype[:SHOWN_CHARS]}" beside {content}'
        tell("PAY-016", described["doctype"], found, "the DocType of the content")
    return Document(
        n=n + 1,
        filename=texts.get("filename"),
        doctype=doctype,
        detected_type=detected,
        charset=texts.get("characterset"),
        encoding=read.encoding,
        content=read.content,
        properties=properties,
    )
