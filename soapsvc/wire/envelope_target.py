"""What libxml2 tells while it reads: the small tree is built, documents go to their decoders, limits are counted.

libxml2's own limits on depth and the like do not hold for a parser target, and its text limit must not hold for a
document, so all of them are counted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from lxml import etree

from soapsvc.settings import Settings
from soapsvc.spool import Content, Sink, Spool
from soapsvc.wire.base64_reader import Base64Reader

WELL_FORMED = "well-formed XML 1.0 with namespaces"
LIBXML2_TEXT_BYTES = 10_000_000  # in one token, unless it is told to hold more
ENTITIES: Any = "internal"  # those that are declared in the message or everywhere; the published types lack it
MAX_INSTRUCTIONS_TOLD = 20  # a message may hold a million processing instructions; the verdict does not


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an envelope may hold (docs/settings.md has the defaults).

    depth       of elements, the Envelope being 1
    elements    in the whole envelope
    attributes  of one element, its namespace declarations included
    name_chars  in the local name, the prefix or the namespace name of an element or attribute
    text_chars  in all outside the documents: text, comments, names and values; also the length of a single tag,
                comment, processing instruction or CDATA section, which are held in memory whole
    documents   in one envelope
    extra_charsets  that an XML declaration may name beside the usual ones
    """

    depth: int
    elements: int
    attributes: int
    name_chars: int
    text_chars: int
    documents: int
    extra_charsets: tuple[str, ...] = ()

    @classmethod
    def from_settings(cls, settings: Settings) -> Limits:
        return cls(
            depth=settings.max_depth,
            elements=settings.max_elements,
            attributes=settings.max_attributes,
            name_chars=settings.max_name_chars,
            text_chars=settings.max_text_bytes,
            documents=settings.max_documents,
            extra_charsets=settings.extra_charsets,
        )


def push_parser(target: Any, limits: Limits) -> etree.XMLParser:
    """A parser to be fed UTF-8 in pieces, whatever the XML declaration says: no network, no DTD, and so no entities but
    the five of XML. These are to be resolved: else libxml2 hands a target `&#38;` for an `&amp;` in an attribute."""
    huge = limits.text_chars > LIBXML2_TEXT_BYTES
    return etree.XMLParser(
        target=target, encoding="utf-8", resolve_entities=ENTITIES, no_network=True, load_dtd=False, huge_tree=huge
    )


def document_format(attributes: Mapping[str, str]) -> str | None:
    """The attribute `format` of a document as sent, letter case and namespace aside; None: absent."""
    return next((value for name, value in attributes.items() if name.rpartition("}")[2].lower() == "format"), None)


class ReadingStopped(Exception):
    """The rest of the message is not read: a limit is passed, there is a DTD, it is not XML.

    line        from 1; None: it has to be looked up
    in_element  True: it is that of the element met last; False: of the token where the reading stopped
    """

    def __init__(self, rule: str, found: str, wanted: str, line: int | None = None, *, in_element: bool = False):
        super().__init__(found)
        self.rule, self.found, self.wanted, self.line, self.in_element = rule, found, wanted, line, in_element


class FoundDocument:
    """A document element as the target met it.

    ordinal   of the element in document order, from 0
    format    the attribute as sent, None: absent
    reader    decodes it; None: its text is kept as UTF-8, because it is text or its format is unknown
    content   the decoded bytes once it has ended; None: they are not to be decoded
    """

    def __init__(self, element: etree._Element, ordinal: int, sent_format: str | None, sink: Sink):
        self.element, self.ordinal, self.format = element, ordinal, sent_format
        self._sink = sink
        kind = (sent_format or "base64").strip().lower()
        self.is_text = kind == "text"
        self.format_is_known = kind in ("text", "base64")
        self.reader = Base64Reader(sink.write) if kind == "base64" else None
        self.children = 0
        self.content: Content | None = None

    def feed(self, text: str) -> None:
        if self.reader is not None:
            self.reader.feed(text)
        else:
            self._sink.write(text.encode("utf-8"))

    def finish(self) -> None:
        """At the end tag. No file stays open: there may be more documents than a process may have files."""
        if self.reader is not None:
            self.reader.finish()
        if self.reader is None or self.reader.rule is None:
            self.content = self._sink.finish()
        else:
            self._sink.discard()


class EnvelopeTarget:
    """The parser target (lxml's interface). Whatever stops the reading is kept in `stopped`, for lxml may mask it."""

    def __init__(self, limits: Limits, document_names: frozenset[str], spool: Spool):
        self._limits, self._document_names, self._spool = limits, document_names, spool
        self._builder: Any = etree.TreeBuilder()  # the published types lack nsmap and what start() returns
        self._depth = 0
        self._document: FoundDocument | None = None
        self._document_depth = 0
        self._text_chars = 0
        self.elements = 0
        self.instructions: list[str] = []
        self.instructions_in_all = 0
        self.documents: list[FoundDocument] = []
        self.heard_something = False
        self.stopped: BaseException | None = None

    def let_go(self) -> None:
        """Hold nothing of the message any more. An lxml parser and its target are a cycle: both stay until the garbage
        collector comes, which is rare."""
        self._builder = self._document = self.stopped = None
        self.documents = []

    def tree(self) -> etree._Element:
        """The tree, once the parser has seen the end of the envelope."""
        root: etree._Element = self._builder.close()
        return root

    def start(self, tag: str, attributes: Mapping[str, str], nsmap: Mapping[str | None, str]) -> None:
        self.heard_something = True
        self.elements += 1
        self._depth += 1
        limits = self._limits
        if self._depth > limits.depth:
            self._stop("XML-006", f"an element at depth {self._depth}", f"at most {limits.depth} levels of elements")
        if self.elements > limits.elements:
            self._stop("XML-007", f"element number {self.elements}", f"at most {limits.elements} elements")
        local_name = tag[tag.rfind("}") + 1 :]
        self._count(len(local_name))
        if len(tag) > limits.name_chars:
            self._hold_name(tag)
        if attributes or nsmap:
            self._hold_attributes(attributes, nsmap)
        declared = {prefix or None: name for prefix, name in nsmap.items()} if nsmap else None
        try:
            element = self._builder.start(tag, dict(attributes), declared)
        except ValueError as cause:  # what libxml2 lets pass and lxml does not: a name with two colons, no URI
            self._stop("XML-003", str(cause)[:200], WELL_FORMED)
        if self._document is None:
            if local_name.lower() in self._document_names:
                self._open_document(element, attributes)
        elif self._depth == self._document_depth + 1:
            self._document.children += 1

    def end(self, tag: str) -> None:
        self.heard_something = True
        self._builder.end(tag)
        if self._document is not None and self._depth == self._document_depth:
            self._finish(self._document)
            self._document = None
        self._depth -= 1

    def data(self, text: str) -> None:
        self.heard_something = True
        if self._document is not None and self._depth == self._document_depth:
            try:
                self._document.feed(text)
            except OSError as cause:  # the spool cannot be written: kept, because lxml may put its own error on top
                self.stopped = cause
                raise
        else:
            self._count(len(text))
            self._builder.data(text)

    def comment(self, text: str) -> None:
        """Left out: the text before and after it is one text."""
        self.heard_something = True
        self._count(len(text))

    def pi(self, target: str, content: str | None = None) -> None:
        self.heard_something = True
        self._count(len(target) + len(content or ""))
        self.instructions_in_all += 1
        if len(self.instructions) < MAX_INSTRUCTIONS_TOLD:
            self.instructions.append(target[:80])

    def doctype(self, name: str | None, _public_id: str | None, _system_url: str | None) -> None:
        self._stop("XML-004", f"<!DOCTYPE {(name or '')[:80]}", "no DOCTYPE at all", in_element=False)

    def close(self) -> None:
        """Nothing: `tree` is asked for once the parser itself is content."""

    def _open_document(self, element: etree._Element, attributes: Mapping[str, str]) -> None:
        if len(self.documents) >= self._limits.documents:
            found = f"document number {len(self.documents) + 1}"
            self._stop("XML-011", found, f"at most {self._limits.documents} documents in one push")
        self._document = FoundDocument(element, self.elements - 1, document_format(attributes), self._spool.sink())
        self._document_depth = self._depth
        self.documents.append(self._document)

    def _finish(self, document: FoundDocument) -> None:
        try:
            document.finish()
        except OSError as cause:
            self.stopped = cause
            raise

    def _hold_attributes(self, attributes: Mapping[str, str], nsmap: Mapping[str | None, str]) -> None:
        count = len(attributes) + len(nsmap)
        if count > self._limits.attributes:
            wanted = f"at most {self._limits.attributes} attributes and namespace declarations on one element"
            self._stop("XML-008", f"an element with {count} of them", wanted)
        for name, value in (*attributes.items(), *nsmap.items()):
            if name is not None and len(name) > self._limits.name_chars:
                self._hold_name(name)
            self._count(len(name or "") + len(value))
        for name in nsmap.values():
            if len(name) > self._limits.name_chars:
                self._hold_name(name)

    def _hold_name(self, clark_name: str) -> None:
        namespace, _, local_name = clark_name.rpartition("}")
        longest = max(len(namespace) - 1, len(local_name))
        if longest > self._limits.name_chars:
            self._stop("XML-009", f"a name of {longest} characters", f"names of at most {self._limits.name_chars}")

    def _count(self, characters: int) -> None:
        self._text_chars += characters
        if self._text_chars > self._limits.text_chars:
            found = f"more than {self._limits.text_chars} characters outside the documents"
            wanted = f"at most {self._limits.text_chars}; is the document where the contract has it?"
            self._stop("XML-010", found, wanted, in_element=False)

    def _stop(self, rule: str, found: str, wanted: str, *, in_element: bool = True) -> NoReturn:
        self.stopped = ReadingStopped(rule, found, wanted, in_element=in_element)
        raise self.stopped
