"""A raw envelope without the texts of its documents, which are stored beside it: both together are it, bit for bit.

    raw       <…><DocData>JVBERi0xLjQK…</DocData><…>
    skeleton  <…><DocData></DocData><…>              and: the first document at 1234, in lines of 76 and \\r\\n

Nothing that a parser said is trusted: a text is taken out when the decoded document, written anew in the same lines,
was compared with it byte for byte. What differs in any way stays in.

Stored form (numbers are LEB128, offsets and sizes in bytes)
    format version       1 byte: 1
    dictionary           1 byte: its number in _DICTIONARIES
    own size, places     numbers: bytes of the envelope that are its own; how many texts were taken out
    each place           numbers: own bytes before it since the last one, size of the text, document, coding, width;
                         where the width is not 0: size of the line end, and its bytes
    own bytes            raw deflate with that dictionary
    check                4 bytes, big-endian: CRC-32 of all before
"""

from __future__ import annotations

import codecs
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from math import lcm
from types import TracebackType
from typing import BinaryIO

import pybase64

from soapsvc.spool import Content

FORMAT, DICTIONARY = 1, 1  # those that are written; each that was ever written is read
SMALLEST_BYTES = 96  # of a document: below, a place costs about what deflate makes of the text
MAX_OWN_BYTES = 8 * 1024 * 1024  # held in memory: twice what an envelope may have outside its documents by default
MAX_WHOLE_BYTES = 32 * 1024  # deflated with nothing taken out: words of every envelope are most of a small one
MAX_LINE_END_BYTES = 64
MAX_NUMBER_BYTES = 8

_PIECE_BYTES = 128 * 1024  # read, searched and compared at once
_FIRST_PIECE_BYTES = 8 * 1024  # searched: the next text is seldom far
_LINES_CHARS = 32 * 1024  # the same where the text is in lines, each of which becomes an object
_HEAD_CHARS = 8 * 1024  # of a text: they show the way in which it is written
_MARK_CHARS = 32  # looked for; the narrowest line that is found
_ATTEMPTS = 8  # places where one text might begin
_EXAMINED_TIMES = 4  # the size of raw, searched and compared for all documents together

_DEFLATE_LEVEL = 3  # two thirds of the time of 6, and a tenth more is left
_MEMORY_LEVEL = 6  # 8, the default, is more to be cleared for each, and makes few envelopes smaller
_WINDOW_BITS = -14  # 16 KiB, raw: envelopes with thousands of properties are no smaller with more, and take longer
_MAX_WINDOW_BITS = -15  # whatever was written can be read


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


_KNOWN_CODINGS = frozenset(Coding)
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

    def to_bytes(self) -> bytes:
        """The stored form."""
        stored = bytearray((FORMAT, DICTIONARY))
        stored += _number(len(self.own)) + _number(len(self.places))
        end = 0
        for place in self.places:
            for number in (place.at - end, place.size_bytes, place.document, place.coding, place.width):
                stored += _number(number)
            if place.width:
                stored += _number(len(place.line_end)) + place.line_end
            end = place.at + place.size_bytes
        deflate = zlib.compressobj(
            _DEFLATE_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zdict=_DICTIONARIES[DICTIONARY]
        )
        stored += deflate.compress(self.own)
        stored += deflate.flush()
        return bytes(stored + zlib.crc32(stored).to_bytes(4))

    @classmethod
    def from_bytes(cls, stored: bytes) -> Skeleton:
        """The skeleton whose stored form this is. Errors: SkeletonDamaged."""
        if len(stored) < 6 or zlib.crc32(stored[:-4]) != int.from_bytes(stored[-4:]):
            raise SkeletonDamaged(f"{len(stored)} bytes whose check does not agree")
        if stored[0] != FORMAT:
            raise SkeletonDamaged(f"format version {stored[0]} is not known")
        if stored[1] not in _DICTIONARIES:
            raise SkeletonDamaged(f"dictionary {stored[1]} is not known")
        fields = _Fields(stored[2:-4])
        own_bytes = fields.number()
        places = tuple(_read_places(fields, own_bytes))
        return cls(_inflated(fields.rest(), own_bytes, _DICTIONARIES[stored[1]]), places)


def take_out(raw: Content, documents: Sequence[Content]) -> Skeleton | None:
    """The envelope without the texts of those documents that can be put back; None: there are none and the envelope is
    larger than MAX_WHOLE_BYTES, or too much of it would be left (MAX_OWN_BYTES).

    documents  decoded, in the order of the envelope; any that are not in it, or not as expected, cost time alone
    Errors     OSError from the spool
    """
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
            for piece in _texts(stream, place.coding, place.width, place.line_end):
                left -= len(piece)
                if left < 0:
                    break
                yield piece
        if left:
            raise SkeletonDamaged(f"the document of index {place.document} is not the one that was taken out")
    yield from _sliced(skeleton.own, own, len(skeleton.own))


# -- finding the texts ---------------------------------------------------------------------------------------------


class _Raw:
    """The bytes of an envelope by their offset, in memory or in a file."""

    def __init__(self, content: Content):
        self._inline = content.inline
        self._file = content.open() if content.inline is None else None
        self.size_bytes = content.size_bytes
        self._patience = _EXAMINED_TIMES * content.size_bytes + _PIECE_BYTES  # bytes still to be read or searched

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
            size_bytes = min(2 * size_bytes, _PIECE_BYTES)
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
    expected = document.head(_HEAD_CHARS // 4 * 3)
    least_bytes = document.size_bytes
    if coding is not Coding.VERBATIM:
        expected = pybase64.b64encode(expected)
        least_bytes = (least_bytes + 2) // 3 * 4
    mark = _widened(expected[:_MARK_CHARS], coding)
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
        for piece in _texts(stream, coding, width, line_end):
            if source.piece(end, len(piece)) != piece:
                return 0
            end += len(piece)
    return end - at


# -- writing a text anew -------------------------------------------------------------------------------------------


def _texts(stream: BinaryIO, coding: Coding, width: int, line_end: bytes) -> Iterator[bytes]:
    """A document's text as it stands in raw, in pieces of at most 256 KiB."""
    if coding is Coding.VERBATIM:
        yield from iter(lambda: stream.read(_PIECE_BYTES), b"")
        return
    chars = _PIECE_BYTES
    if width:
        whole = lcm(4, width)  # characters of whole lines that are bytes of whole groups
        chars = max(1, _LINES_CHARS // whole) * whole
    before = b""
    while piece := _read(stream, chars // 4 * 3):
        text: bytes = pybase64.b64encode(piece)
        if width:
            text = before + line_end.join(_lines(text, width))
            before = line_end
        yield _widened(text, coding)


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


def _widened(text: bytes, coding: Coding) -> bytes:
    return text.decode("latin-1").encode(coding.codec) if coding.codec else text


def _read(stream: BinaryIO, size_bytes: int) -> bytes:
    """So many bytes, fewer at the end alone, whatever kind of stream it is."""
    piece = stream.read(size_bytes)
    while 0 < len(piece) < size_bytes and (more := stream.read(size_bytes - len(piece))):
        piece += more
    return piece


def _sliced(whole: bytes, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, _PIECE_BYTES):
        yield whole[at : min(at + _PIECE_BYTES, end)]


# -- the stored form -----------------------------------------------------------------------------------------------


class _Fields:
    """Reads what lies before the deflated bytes. Errors: SkeletonDamaged."""

    def __init__(self, stored: bytes):
        self._stored, self._at = stored, 0

    def number(self) -> int:
        value = 0
        for n in range(MAX_NUMBER_BYTES):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << 7 * n
            if byte < 0x80:
                return value
        raise SkeletonDamaged("a number without an end")

    def take(self, size_bytes: int) -> bytes:
        taken = self._stored[self._at : self._at + size_bytes]
        if len(taken) < size_bytes:
            raise SkeletonDamaged("it ends within a field")
        self._at += size_bytes
        return taken

    def rest(self) -> bytes:
        return self._stored[self._at :]


def _number(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _read_places(fields: _Fields, own_bytes: int) -> Iterator[Place]:
    own, end = 0, 0
    for _ in range(fields.number()):
        before = fields.number()
        own += before
        size_bytes, document, coding, width = (fields.number() for _ in range(4))
        line_end = fields.take(fields.number()) if width else b""
        if own > own_bytes:
            raise SkeletonDamaged("a place after the end of the envelope")
        lines_are_known = width <= _HEAD_CHARS and bool(line_end) == bool(width) and len(line_end) <= MAX_LINE_END_BYTES
        if coding not in _KNOWN_CODINGS or size_bytes == 0 or not lines_are_known:
            raise SkeletonDamaged("a place that no text can have")
        yield Place(end + before, size_bytes, document, Coding(coding), width, line_end)
        end += before + size_bytes


def _inflated(deflated: bytes, size_bytes: int, dictionary: bytes) -> bytes:
    if size_bytes > MAX_OWN_BYTES:
        raise SkeletonDamaged(f"an envelope of {size_bytes} bytes without its documents")
    inflate = zlib.decompressobj(_MAX_WINDOW_BITS, zdict=dictionary)
    try:
        own = inflate.decompress(deflated, size_bytes + 1)  # no more memory, whatever the bytes would become
    except zlib.error as cause:
        raise SkeletonDamaged(f"the envelope's own bytes: {cause}") from None
    if len(own) != size_bytes or not inflate.eof or inflate.unused_data:
        raise SkeletonDamaged(f"the envelope's own bytes are not {size_bytes}")
    return own


# -- the dictionaries ----------------------------------------------------------------------------------------------

_DICTIONARIES = {
    1: b"""\
Request><ResponseRequired>ResultRequired>yes<RequestID>Authentication><XDDSAuth><RequesterID>TargetID>Password>\
ErrorList><Error><ErrorCode>1</ErrorCode><ErrorMessage></ErrorMessage>USER/ BillingCode charge pages duration status \
completed_time delivered destination recipient sender reference attempts cover_sheet fax_number to_name from_name \
xsi:type="xsd:string" xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xmlns:xsd="http://www.w3.org/2001/XMLSchema" encodingStyle="http://schemas.xmlsoap.org/soap/encoding/" \
http://www.w3.org/2003/05/soap-envelope http://premconn.premiereconnect.com/2011/01 \
encoding="utf-16" encoding="ISO-8859-1" standalone="yes" encoding="utf-8"?>&lt;&gt;&amp;&quot;&#13;
text/csv image/tiff application/pdf <DocType>TIFF</DocType><DocType>PDF</DocType>.pdf</Filename>.tif</Filename>\
.txt</Filename>.csv</Filename><DocData format="text"> b64charset="ISO-8859-1">
 b64charset="binary"> b64charset="UTF-8"><CharacterSet>ISO-8859-1</CharacterSet>\
</Segment><Segment name="USER"><Property name="USER"><Property name="orig_email_subject">\
<Property name="ORIG_EMAIL_FROM"><Property name="start_time">11/4/12 8:05:45 ET</Property>\
<Property name="entry_time"><DocumentExtension name="</DocumentExtension>
<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV=</soap:Header><soap:Body></soap:Body></soap:Envelope><s:Header>\
<soap:Envelope xmlns:soap=<s:Envelope xmlns:s="<soapenv:Envelope xmlns:soapenv="\
http://schemas.xmlsoap.org/soap/envelope/">
  <soapenv:Header>
    <Response xmlns="http://premconn.premiereconnect.com/2007/02" soapenv:actor="\
http://schemas.xmlsoap.org/soap/actor/next" soapenv:mustUnderstand="0">
      <SenderKey>http://</SenderKey>
      <ReceiverKey>https://</ReceiverKey>
      <ProcessingID></ProcessingID>
    </Response>
  </soapenv:Header>
  <soapenv:Body>
    <JobDocumentTransmitResult xmlns="http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10">
      <Status>
        <StatusCode>0</StatusCode>
        <StatusMessage>OK</StatusMessage>
        <SubmissionTime>2026-</SubmissionTime>
        <CompletionTime>2026-</CompletionTime>
      </Status>
      <SubmitId></SubmitId>
      <JobDocumentData>
        <JobId>
          <XDN></XDN>
          <MRN></MRN>
        </JobId>
        <Document>
          <DocType>text</DocType>
          <Filename></Filename>
          <DocData format="base64"></DocData>
          <CharacterSet>UTF-8</CharacterSet>
        </Document>
        <JobDocumentDataExtension name="Default">
          <Property name="UserAccountNumber"></Property>
          <Property name="Subject"></Property>
          <Property name="OrigFromAddress">@</Property>
          <Property name="StartTime">2026-</Property>
          <Property name="EntryTime">2026-</Property>
        </JobDocumentDataExtension>
      </JobDocumentData>
    </JobDocumentTransmitResult>
  </soapenv:Body>
</soapenv:Envelope>
""",
}
"""Words of such an envelope, the likeliest last, by number. One that was ever written must never change by a byte:
better words are a further number."""
