"""Finds the texts of an envelope's documents in it, to keep it without them.

Nothing that a parser said is trusted: a text is taken out when the decoded document, written anew in the same lines,
was compared with it byte for byte. What differs in any way stays in.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import TracebackType

import pybase64

from soapsvc.skeleton import (
    MAX_LINE_END_BYTES,
    MAX_OWN_BYTES,
    MAX_WIDTH,
    PIECE_BYTES,
    Coding,
    CutContent,
    Place,
    Skeleton,
    widened,
    written,
)
from soapsvc.spool import Content

SMALLEST_BYTES = 96  # of a document: below, a place costs about what deflate makes of the text
MAX_WHOLE_BYTES = 32 * 1024  # deflated with nothing taken out: words of every envelope are most of a small one

_FIRST_PIECE_BYTES = 8 * 1024  # searched: the next text is seldom far
_MARK_CHARS = 32  # looked for; the narrowest line that is found
_ATTEMPTS = 8  # places where one text might begin
_EXAMINED_TIMES = 4  # the size of raw, searched and compared for all documents together


def take_out(raw: Content, documents: Sequence[Content]) -> Skeleton | None:
    """The envelope without the texts of those documents that can be put back; None: there are none and the envelope is
    larger than MAX_WHOLE_BYTES, or too much of it would be left (MAX_OWN_BYTES).

    documents  decoded, in the order of the envelope; any that are not in it, or not as expected, cost time alone
    Errors     OSError from the spool
    """
    if isinstance(raw, CutContent):
        return _cut_already(raw, documents)
    with _Raw(raw) as source:
        places = tuple(_places(source, documents))
        if not places and source.size_bytes > MAX_WHOLE_BYTES:
            return None
        if source.size_bytes - sum(place.size_bytes for place in places) > MAX_OWN_BYTES:
            return None
        own, end = [], 0
        for place in places:
            own.append(source.piece(end, place.at - end))
            end = place.at + place.size_bytes
        own.append(source.piece(end, source.size_bytes - end))
    return Skeleton(b"".join(own), places)


def _cut_already(raw: CutContent, documents: Sequence[Content]) -> Skeleton:
    """The skeleton that it has, each place with the number that its document has here."""
    number = {document.sha256: n for n, document in enumerate(documents)}
    places = (replace(place, document=number[raw.texts[place.document].sha256]) for place in raw.skeleton.places)
    return Skeleton(raw.skeleton.own, tuple(places))


class _Raw:
    """The bytes of an envelope by their offset, in memory or in a file."""

    def __init__(self, content: Content):
        self._inline = content.inline
        self._file = content.open() if content.inline is None else None
        self.size_bytes = content.size_bytes
        self._patience = _EXAMINED_TIMES * content.size_bytes + PIECE_BYTES  # bytes still to be read or searched

    @property
    def is_exhausted(self) -> bool:
        """Whether enough was looked at: a thousand documents that are nowhere, or nearly there in many places, must
        not each cost as much as the envelope."""
        return self._patience < 0

    def piece(self, at: int, size_bytes: int) -> bytes:
        """So many bytes from there, fewer at the end."""
        self._patience -= size_bytes
        return self._at(at, size_bytes)

    def find(self, wanted: bytes, start: int, end: int) -> int:
        """Where these bytes first lie whole in that range, -1: nowhere."""
        end = max(start, end)
        found = self._find(wanted, start, end) if self._inline is None else self._inline.find(wanted, start, end)
        self._patience -= (found if found >= 0 else end) - start
        return found

    def _at(self, at: int, size_bytes: int) -> bytes:
        if self._file is None:
            return (self._inline or b"")[at : at + size_bytes]
        self._file.seek(at)
        return self._file.read(size_bytes)

    def _find(self, wanted: bytes, at: int, end: int) -> int:
        size_bytes = _FIRST_PIECE_BYTES
        while at < end:
            found = self._at(at, min(size_bytes, end - at)).find(wanted)
            if found >= 0:
                return at + found
            at += size_bytes - len(wanted) + 1  # it may lie across the border
            size_bytes = min(2 * size_bytes, PIECE_BYTES)
        return -1

    def __enter__(self) -> _Raw:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()


def _places(source: _Raw, documents: Sequence[Content]) -> Iterator[Place]:
    codings = _codings(source.piece(0, 2))
    start, end = 0, source.size_bytes - sum(map(_least_bytes, documents))
    for index, document in enumerate(documents):
        end += _least_bytes(document)
        if document.size_bytes < SMALLEST_BYTES:
            continue
        for coding in codings:
            if (place := _place(source, index, document, coding, start, end)) is not None:
                yield place
                start = place.at + place.size_bytes
                break


def _codings(head: bytes) -> tuple[Coding, ...]:
    """The codings that may be in an envelope that begins so: with a byte order mark, `<` or white space."""
    if head == codecs.BOM_UTF16_LE or head[1:] == b"\0":
        return (Coding.BASE64_IN_UTF_16_LE,)
    if head == codecs.BOM_UTF16_BE or head[:1] == b"\0":
        return (Coding.BASE64_IN_UTF_16_BE,)
    return Coding.BASE64, Coding.VERBATIM


def _least_bytes(document: Content) -> int:
    """What a document takes in raw at least: text of one byte a character, three in the UTF-8 that is stored."""
    return document.size_bytes // 3


def _place(source: _Raw, index: int, document: Content, coding: Coding, start: int, end: int) -> Place | None:
    """The place of a document's text in a range of raw, None: it is not there, or not in that coding."""
    expected = document.head(MAX_WIDTH // 4 * 3)
    least_bytes = document.size_bytes
    if coding is not Coding.VERBATIM:
        expected = pybase64.b64encode(expected)
        least_bytes = (least_bytes + 2) // 3 * 4
    mark = widened(expected[:_MARK_CHARS], coding)
    if coding.codec:
        least_bytes *= 2
    latest_end = end - least_bytes + len(mark)
    for _ in range(_ATTEMPTS):
        if source.is_exhausted or (at := source.find(mark, start, latest_end)) < 0:
            return None
        lines = (0, b"") if coding is Coding.VERBATIM else _lines_at(source, at, expected, coding)
        if lines is not None and (size_bytes := _compared(source, at, document, coding, *lines)):
            return Place(at, size_bytes, index, coding, *lines)
        start = at + 1
    return None


def _lines_at(source: _Raw, at: int, expected: bytes, coding: Coding) -> tuple[int, bytes] | None:
    """Width and line end of the text there, (0, b"") for one line, None when it cannot be this text.

    expected  its first characters, or all of them
    """
    found = source.piece(at, (len(expected) + MAX_LINE_END_BYTES) * (2 if coding.codec else 1))
    if coding is Coding.BASE64_IN_UTF_16_LE:
        found = found[::2]  # the zeros are compared later, with all the rest
    elif coding is Coding.BASE64_IN_UTF_16_BE:
        found = found[1::2]
    if found.startswith(expected):
        return 0, b""
    width = _common_chars(found, expected)
    next_line = expected[width : width + _MARK_CHARS]
    ended = found.find(next_line, width + 1, width + MAX_LINE_END_BYTES + len(next_line))
    return (width, found[width:ended]) if ended > 0 else None


def _common_chars(found: bytes, expected: bytes) -> int:
    """How long both are the same; they differ somewhere after the mark."""
    same, different = _MARK_CHARS, len(expected)
    while different - same > 1:
        middle = (same + different) // 2
        if found.startswith(expected[:middle]):
            same = middle
        else:
            different = middle
    return same


def _compared(source: _Raw, at: int, document: Content, coding: Coding, width: int, line_end: bytes) -> int:
    """The size of a document's text in bytes if it stands there, every byte of it; else 0."""
    end = at
    with document.open() as stream:
        for piece in written(stream, coding, width, line_end):
            if source.piece(end, len(piece)) != piece:
                return 0
            end += len(piece)
    return end - at
