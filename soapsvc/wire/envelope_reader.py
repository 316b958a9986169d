"""From bytes to an envelope: the documents taken out and decoded while they stream, the rest as a small tree.

Memory stays the same however large the documents are: pieces of 256 KiB go to libxml2's push parser, whose target
(`envelope_target`) hands a document's text on as it comes.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from lxml import etree

from soapsvc.records import Deviation
from soapsvc.spool import Content, Spool
from soapsvc.wire.charsets import Charsets
from soapsvc.wire.document_text import copy_texts
from soapsvc.wire.encoding import Encoding, UndecodableBody, decide_encoding, line_where_undecodable, utf8_pieces
from soapsvc.wire.envelope_target import (
    WELL_FORMED,
    EnvelopeTarget,
    FoundDocument,
    Limits,
    ReadingStopped,
    push_parser,
)
from soapsvc.wire.line_index import EXPAT_PIECE_BYTES, LineIndex, index_lines

__all__ = ["Envelope", "Limits", "ReadDocument", "read_envelope", "read_raw"]

PIECE_BYTES = 256 * 1024  # more is no faster; libxml2 refuses a single piece over 10,000,000 bytes
MAX_FOUND_CHARS = 200
MAX_PATH_CHARS = 1000  # names may be as long as the settings allow, and every deviation has a path
_ENTITY = re.compile(r"Entity '.*?'", re.DOTALL)
_LIBXML2_PLACE = re.compile(r"\s*(, line \d+, column \d+)?\s*$")


class Stream(Protocol):
    """What is read from: a WSGI input, a file."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A document as it stood in the envelope.

    element     in the tree, without its text
    content     the decoded bytes; the text as sent, in UTF-8, where it is text or does not decode
    encoding    "base64", "text" or "undecodable"
    deviations  of this document, by the PAY rules
    """

    element: etree._Element
    content: Content = field(repr=False)
    encoding: str
    deviations: tuple[Deviation, ...] = ()


class Envelope:
    """A message as read.

    root        its document element without comments, processing instructions and the documents' text; None: unreadable
    documents   in the order of the envelope
    raw         every byte of the body
    deviations  from the XML rules; those of the documents are with the documents
    elements    all of the tree, in document order. They are held, because lxml makes an object of an element anew
                for each look at it where nobody holds it
    """

    def __init__(
        self,
        root: etree._Element | None,
        documents: tuple[ReadDocument, ...],
        raw: Content,
        deviations: tuple[Deviation, ...],
        index: Callable[[], LineIndex],
    ):
        self.root, self.documents, self.raw, self.deviations = root, documents, raw, deviations
        self.elements = [] if root is None else list(root.iter())
        self._index = index
        self._ordinals: dict[etree._Element, int] | None = None
        self._steps: dict[etree._Element, dict[etree._Element, str]] = {}

    def path(self, element: etree._Element) -> str:
        """The element's XPath with the prefixes in scope there (an unprefixed name is in the default namespace in
        scope); a position where siblings share a name. The middle of a very long one is left out."""
        steps = []
        while (parent := element.getparent()) is not None:
            if parent not in self._steps:
                self._steps[parent] = _steps(parent)
            steps.append(self._steps[parent][element])
            element = parent
        steps.append(_name(element))
        path = "/" + "/".join(reversed(steps))
        half = MAX_PATH_CHARS // 2
        return path if len(path) <= MAX_PATH_CHARS else f"{path[:half]}…{path[-half:]}"

    def line(self, element: etree._Element) -> int:
        """The line of the raw envelope on which the element's start tag begins, from 1."""
        if self._ordinals is None:
            self._ordinals = {each: ordinal for ordinal, each in enumerate(self.elements)}
        return self._index().line_of(self._ordinals[element])

    def __repr__(self) -> str:
        return f"Envelope({self.raw.size_bytes} bytes, {len(self.documents)} documents)"


def read_raw(stream: Stream, spool: Spool) -> Content:
    """Every byte of a stream."""
    sink = spool.sink()
    while piece := stream.read(PIECE_BYTES):
        sink.write(piece)
    return sink.finish()


def read_envelope(
    raw: Content, *, codec: str | None, limits: Limits, document_names: frozenset[str], spool: Spool
) -> Envelope:
    """Read a body as far as it can be read safely, whatever is wrong with it.

    codec           as `HttpGate.media_type` gives it; None: the Content-Type names no charset
    document_names  local names in lower case of the elements whose text is a document
    spool           where the documents go; lives as long as the Envelope is used
    Errors          OSError from the spool
    """
    reading = _Reading(limits, document_names, spool)
    try:
        with raw.open() as stream:
            pieces = iter(lambda: stream.read(PIECE_BYTES), b"")
            first = next(pieces, b"")
            encoding = decide_encoding(first, codec, Charsets(limits.extra_charsets))
            reading.read(chain((first,) if first else (), pieces), encoding)
        return reading.envelope(raw)
    finally:
        reading.let_go()


class _Reading:
    """One body on its way to an Envelope."""

    def __init__(self, limits: Limits, document_names: frozenset[str], spool: Spool):
        self._limits, self._spool = limits, spool
        self._target = EnvelopeTarget(limits, document_names, spool)
        self._encoding = Encoding(None, 0, ())
        self._utf8_bytes = 0
        self._stopped: ReadingStopped | None = None

    def read(self, pieces: Iterator[bytes], encoding: Encoding) -> None:
        """Read as much as can be read safely."""
        self._encoding = encoding
        if encoding.codec is None:
            return
        try:
            self._feed(push_parser(self._target, self._limits), utf8_pieces(pieces, encoding))
        except UndecodableBody as undecodable:
            wanted = f"bytes in {encoding.codec}, as the Content-Type, the byte order mark or the XML declaration says"
            self._stopped = ReadingStopped("XML-002", undecodable.found, wanted)
        except ReadingStopped as stopped:
            stopped.__traceback__ = stopped.__context__ = None  # it stays here, and so would all that the frames hold
            self._stopped = stopped
        except etree.XMLSyntaxError as error:
            self._stopped = _syntax_error(error)

    def _feed(self, parser: etree.XMLParser, pieces: Iterator[bytes]) -> None:
        unheard = 0
        try:
            for piece in pieces:
                if self._utf8_bytes == 0 and piece.startswith(codecs.BOM_UTF8):  # libxml2 would pass over it
                    raise ReadingStopped("XML-003", "a second byte order mark", WELL_FORMED, 1)
                self._utf8_bytes += len(piece)
                self._target.heard_something = False
                parser.feed(piece)
                self._look_at_namespaces(parser)
                unheard = 0 if self._target.heard_something else unheard + len(piece)
                if unheard > self._limits.text_chars:
                    limit = self._limits.text_chars
                    found = f"one tag, comment, processing instruction or CDATA section of more than {limit} bytes"
                    raise ReadingStopped("XML-010", found, f"at most {limit}; a document needs no CDATA section")
            if self._utf8_bytes == 0:
                raise ReadingStopped("XML-001", "an empty body", "a SOAP 1.1 envelope in the body of the request")
            parser.close()
            self._look_at_namespaces(parser)
        except BaseException:
            if self._target.stopped is not None:
                raise self._target.stopped from None
            raise

    def _look_at_namespaces(self, parser: etree.XMLParser) -> None:
        """Refuse what libxml2 only logs: prefixes that are not bound, attributes that are one by their namespace."""
        for entry in parser.feed_error_log:
            if entry.level >= etree.ErrorLevels.ERROR:
                raise ReadingStopped("XML-003", _shortened(entry.message), WELL_FORMED, entry.line)

    def envelope(self, raw: Content) -> Envelope:
        """What came of it."""
        index: LineIndex | None = None

        def indexed() -> LineIndex:
            nonlocal index
            if index is None:
                with raw.open() as stream:
                    index = index_lines(self._again(stream))
            return index

        stopped = self._stopped
        readable = stopped is None and self._encoding.codec is not None
        deviations = [*self._encoding.deviations]
        deviations += self._instruction_deviations(indexed)
        if stopped is not None:
            line = stopped.line or self._line_of_stop(stopped, raw, indexed)
            deviations.append(Deviation(stopped.rule, "", line, stopped.found, stopped.wanted))
        if not readable:
            return Envelope(None, (), raw, tuple(deviations), indexed)
        envelope = Envelope(self._target.tree(), (), raw, tuple(deviations), indexed)
        undecodable = frozenset(each.ordinal for each in self._target.documents if each.content is None)
        texts: dict[int, Content] = {}
        if undecodable:
            with raw.open() as stream:
                texts = copy_texts(self._again(stream), undecodable, self._spool, self._limits)
        envelope.documents = tuple(
            _read_document(envelope, each, each.content or texts[each.ordinal]) for each in self._target.documents
        )
        return envelope

    def let_go(self) -> None:
        """Hold no more than is needed to look up lines."""
        self._target.let_go()

    def _again(self, stream: Stream) -> Iterator[bytes]:
        """The UTF-8 that the parser was fed, and no byte more."""
        left = self._utf8_bytes
        for piece in utf8_pieces(_read_on(stream), self._encoding):
            yield piece[:left]
            left -= len(piece)
            if left <= 0:
                return

    def _line_of_stop(self, stopped: ReadingStopped, raw: Content, indexed: Callable[[], LineIndex]) -> int:
        if stopped.rule == "XML-002":
            with raw.open() as stream:
                return line_where_undecodable(_read_on(stream), self._encoding)
        index = indexed()
        return index.line_of(self._target.elements - 1) if stopped.in_element else index.end_line

    def _instruction_deviations(self, indexed: Callable[[], LineIndex]) -> list[Deviation]:
        target = self._target
        wanted = "no processing instruction anywhere in the message"
        deviations = []
        for number, name in enumerate(target.instructions):
            line = indexed().line_of_instruction(number)
            deviations.append(Deviation("XML-005", "", line, f"the processing instruction <?{name} …?>", wanted))
        if more := target.instructions_in_all - len(target.instructions):
            deviations.append(Deviation("XML-005", "", None, f"{more} further processing instructions", wanted))
        return deviations


def _read_on(stream: Stream) -> Iterator[bytes]:
    return iter(lambda: stream.read(EXPAT_PIECE_BYTES), b"")


def _syntax_error(error: etree.XMLSyntaxError) -> ReadingStopped:
    said = _LIBXML2_PLACE.sub("", error.msg or "not XML")
    found = _shortened(_ENTITY.sub("an entity that is", said))  # its name may be a piece of a password with an & in it
    line, column = error.position
    return ReadingStopped("XML-003", f"{found} (column {column})" if column > 0 else found, WELL_FORMED, max(1, line))


def _read_document(envelope: Envelope, found: FoundDocument, content: Content) -> ReadDocument:
    element, reader = found.element, found.reader
    deviations = []

    def deviates(rule: str, attribute: str, what: str, wanted: str) -> None:
        deviations.append(Deviation(rule, envelope.path(element) + attribute, envelope.line(element), what, wanted))

    if not found.format_is_known:
        deviates("PAY-004", "/@format", f"format={_shortened(repr(found.format))}", 'format="base64" or format="text"')
    if reader is not None and reader.rule is not None:
        deviates(reader.rule, "", reader.found, reader.wanted)
    if found.children:
        deviates(
            "PAY-005", "", f"child elements in a document: {found.children}", "the document's text and nothing else"
        )
    decoded = found.content is not None and found.format_is_known
    encoding = "undecodable" if not decoded else "text" if found.is_text else "base64"
    return ReadDocument(element, content, encoding, tuple(deviations))


def _steps(parent: etree._Element) -> dict[etree._Element, str]:
    """The step to each child: its name, and its position among those of the same name if there are several."""
    names = {child: _name(child) for child in parent}
    in_all, so_far = Counter(names.values()), Counter[str]()
    steps = {}
    for child, name in names.items():
        so_far[name] += 1
        steps[child] = f"{name}[{so_far[name]}]" if in_all[name] > 1 else name
    return steps


def _name(element: etree._Element) -> str:
    local_name = etree.QName(element).localname
    return f"{element.prefix}:{local_name}" if element.prefix else local_name


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_FOUND_CHARS else text[: MAX_FOUND_CHARS - 1] + "…"
