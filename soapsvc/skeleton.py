"""A raw envelope without the texts of its documents, which are kept beside it: both together are it, bit for bit.

raw       <…><DocData>JVBERi0xLjQK…</DocData><…>
skeleton  <…><DocData></DocData><…>              and: the first document at 1234, in lines of 76 and \\r\\n
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from math import lcm
from typing import TYPE_CHECKING, BinaryIO

import pybase64

from soapsvc.spool import Content

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_OWN_BYTES = 8 * 1024 * 1024  # held in memory: twice what an envelope may have outside its documents by default
MAX_WIDTH = 8 * 1024  # characters of a line
MAX_LINE_END_BYTES = 64
PIECE_BYTES = 128 * 1024
_LINES_CHARS = 32 * 1024  # the same where the text is in lines, each of which becomes an object
_READ_BYTES = 256 * 1024


class SkeletonDamaged(ValueError):
    """Stored bytes that are no skeleton, or documents that are not those that were taken out."""


class Coding(IntEnum):
    """How a document is written in raw."""

    VERBATIM = 0
    BASE64 = 1
    BASE64_IN_UTF_16_LE = 2
    BASE64_IN_UTF_16_BE = 3

    @property
    def codec(self) -> str | None:
        """Of two bytes a character; None: one."""
        return _WIDE.get(self)


_WIDE = {Coding.BASE64_IN_UTF_16_LE: "utf-16-le", Coding.BASE64_IN_UTF_16_BE: "utf-16-be"}


@dataclass(frozen=True, slots=True)
class Place:
    """A text that was taken out.

    at          offset in raw, bytes
    size_bytes  of the text in raw
    document    index of the document whose text it is
    coding      how it is written
    width       characters of a line, 0: all in one
    line_end    between two lines, one byte a character: b"\\r\\n", b"&#13;\\n", b"\\n      "; b"" where all is in one
    """

    at: int
    size_bytes: int
    document: int
    coding: Coding
    width: int = 0
    line_end: bytes = b""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What is left of an envelope.

    own     its bytes without the texts, at most MAX_OWN_BYTES
    places  in the order of the envelope, none within another
    """

    own: bytes = field(repr=False)
    places: tuple[Place, ...]

    @property
    def raw_bytes(self) -> int:
        """The size of the envelope."""
        return len(self.own) + sum(place.size_bytes for place in self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class CutContent(Content):
    """A body that lies nowhere whole.

    skeleton  of it
    texts     what was taken out, decoded, by the number that a place has for its document
    """

    skeleton: Skeleton = field(repr=False)
    texts: tuple[Content, ...]

    def open(self) -> BinaryIO:
        return opened(rebuild(self.skeleton, lambda index: self.texts[index].open()))

    def head(self, size_bytes: int) -> bytes:
        with self.open() as stream:
            return stream.read(size_bytes)


def rebuild(skeleton: Skeleton, open_document: Callable[[int], BinaryIO]) -> Iterator[bytes]:
    """Every byte of the envelope, in pieces of at most 256 KiB. Its digest is for the caller to check.

    open_document  the document of this index, at its beginning; closed here
    Errors         SkeletonDamaged when a document is longer or shorter than the one that was taken out (what was handed
                   out by then is not the envelope), and what open_document raises
    """
    own, end = 0, 0
    for place in skeleton.places:
        yield from _sliced(skeleton.own, own, own + place.at - end)
        own += place.at - end
        end = place.at + place.size_bytes
        left = place.size_bytes
        with open_document(place.document) as stream:
            for piece in written(stream, place.coding, place.width, place.line_end):
                left -= len(piece)
                if left < 0:
                    break
                yield piece
        if left:
            raise SkeletonDamaged(f"the document of index {place.document} is not the one that was taken out")
    yield from _sliced(skeleton.own, own, len(skeleton.own))


def opened(pieces: Iterator[bytes]) -> BinaryIO:
    """Pieces, to be read like a file."""
    return io.BufferedReader(_Pieces(pieces), _READ_BYTES)


class _Pieces(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes]):
        self._pieces = filter(None, pieces)
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        piece = self._piece or memoryview(next(self._pieces, b""))
        view = memoryview(buffer)
        count = min(len(view), len(piece))
        view[:count] = piece[:count]
        self._piece = piece[count:]
        return count


def written(stream: BinaryIO, coding: Coding, width: int, line_end: bytes) -> Iterator[bytes]:
    """A document's text as it stands in raw, in pieces of at most 256 KiB."""
    if coding is Coding.VERBATIM:
        yield from iter(lambda: stream.read(PIECE_BYTES), b"")
        return
    chars = PIECE_BYTES
    if width:
        whole = lcm(4, width)  # characters of whole lines that are bytes of whole groups
        chars = max(1, _LINES_CHARS // whole) * whole
    before = b""
    while piece := _read(stream, chars // 4 * 3):
        text: bytes = pybase64.b64encode(piece)
        if width:
            text = before + line_end.join(_lines(text, width))
            before = line_end
        yield widened(text, coding)


def _lines(text: bytes, width: int) -> list[bytes]:
    whole, rest = divmod(len(text), width)
    lines = [*_cutter(width, whole).unpack_from(text)]
    if rest:
        lines.append(text[-rest:])
    return lines


@lru_cache(maxsize=8)
def _cutter(width: int, lines: int) -> struct.Struct:
    """Cuts off so many lines, five times as fast as slices do."""
    return struct.Struct(f"{width}s" * lines)


def widened(text: bytes, coding: Coding) -> bytes:
    return text.decode("latin-1").encode(coding.codec) if coding.codec else text


def _read(stream: BinaryIO, size_bytes: int) -> bytes:
    """So many bytes, fewer at the end alone, whatever kind of stream it is."""
    piece = stream.read(size_bytes)
    while 0 < len(piece) < size_bytes and (more := stream.read(size_bytes - len(piece))):
        piece += more
    return piece


def _sliced(whole: bytes, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, PIECE_BYTES):
        yield whole[at : min(at + PIECE_BYTES, end)]
