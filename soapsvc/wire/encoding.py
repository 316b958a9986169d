"""From the body's bytes to UTF-8: which encoding it is in, and its text piece by piece.

Order (RFC 7303, 3): a byte order mark decides; without one the charset of the Content-Type; without that the XML
declaration, or UTF-8. What contradicts the one that decides is a deviation and changes nothing (Basic Profile R1019).
Both parsers are fed the UTF-8 that comes out here, so neither reads an encoding of its own choice.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soapsvc.records import Deviation
from soapsvc.wire.charsets import Charsets, family, in_basic_profile

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARATION = re.compile(
    rb"""<\?xml\s+version\s*=\s*(?P<q>["'])(?P<version>[^"'<]{0,40})(?P=q)"""
    rb"""(?:\s+encoding\s*=\s*(?P<r>["'])(?P<encoding>[^"'<]{0,80})(?P=r))?"""
)
_HEAD_BYTES = 4096  # an XML declaration may hold white space without end; one that is longer is not seen


class UndecodableBody(Exception):
    """The bytes are not in the encoding that was decided on.

    found       where and what
    line_feeds  in the piece where it was found, before it
    """

    def __init__(self, line_feeds: int, found: str):
        super().__init__(found)
        self.line_feeds, self.found = line_feeds, found


@dataclass(frozen=True, slots=True)
class Encoding:
    """What the body is in.

    codec       Python's name; None: the XML declaration names one that is not taken
    bom_bytes   length of the byte order mark
    deviations  in what is said about the encoding, and in the XML declaration
    """

    codec: str | None
    bom_bytes: int
    deviations: tuple[Deviation, ...]


def decide_encoding(head: bytes, codec: str | None, charsets: Charsets) -> Encoding:
    """The encoding of a body by its first bytes and the codec that its Content-Type names (None: it names none)."""
    decided, bom_bytes, deviations = _decide(head, codec, charsets)
    if decided is not None:
        text = head[bom_bytes : bom_bytes + 2 * _HEAD_BYTES].decode(decided, "ignore").encode("utf-8", "ignore")
        deviations += _declaration_deviations(text, decided, charsets, told=codec is not None or bom_bytes > 0)
    return Encoding(decided, bom_bytes, tuple(deviations))


def _decide(head: bytes, codec: str | None, charsets: Charsets) -> tuple[str | None, int, list[Deviation]]:
    for mark, marked in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            contradicts = codec is not None and codec != marked and (codec, family(marked)) != ("utf-16", "utf-16")
            found = f"the byte order mark of {marked} under charset={codec}"
            wanted = "a charset parameter that agrees with the body's byte order mark"
            return marked, len(mark), [Deviation("XML-013", "", 1, found, wanted)] if contradicts else []
    seen = _byte_order(head)
    if codec == "utf-16" or (codec is None and seen):
        return seen or "utf-16-be", 0, [_without_mark()]
    if codec is not None:
        return codec, 0, []
    declared = _declared(head[:_HEAD_BYTES], "encoding")
    if declared is None:
        return "utf-8", 0, []
    by_name = charsets.codec(declared)
    if by_name is None:
        found = f"the XML declaration says encoding={declared!r}"
        return None, 0, [Deviation("XML-016", "", 1, found, f"one of {charsets.taken}")]
    if family(by_name) == "utf-16":
        found = f"an XML declaration in single bytes that says encoding={declared!r}"
        return "utf-8", 0, [Deviation("XML-013", "", 1, found, "an XML declaration in the encoding that it names")]
    return by_name, 0, []


def _byte_order(head: bytes) -> str | None:
    """The byte order of UTF-16 that begins with `<` or white space and has no mark."""
    if len(head) > 1 and head[1] == 0 and head[0] in b"< \t\r\n":
        return "utf-16-le"
    if len(head) > 1 and head[0] == 0 and head[1] in b"< \t\r\n":
        return "utf-16-be"
    return None


def _without_mark() -> Deviation:
    return Deviation("XML-015", "", 1, "UTF-16 without a byte order mark", "the byte order mark FE FF or FF FE first")


def _declared(head: bytes, part: str) -> str | None:
    found = _DECLARATION.match(head)
    value = found and found[part]
    return value.decode("ascii", "replace") if value else None


def _declaration_deviations(head: bytes, codec: str, charsets: Charsets, *, told: bool) -> list[Deviation]:
    deviations = []
    version, declared = _declared(head, "version"), _declared(head, "encoding")
    if version is not None and version != "1.0":
        deviations.append(Deviation("XML-012", "", 1, f"version={version!r} in the XML declaration", 'version="1.0"'))
    by_name = charsets.codec(declared) if declared else codec
    if told and (by_name is None or family(by_name) != family(codec)):
        found = f"encoding={declared!r} in the XML declaration of a message that is in {family(codec)}"
        wanted = "an XML declaration that agrees, or says no encoding"
        deviations.append(Deviation("XML-014", "", 1, found, wanted))
    if not told and not in_basic_profile(codec):
        deviations.append(Deviation("XML-017", "", 1, f"encoding={declared!r}", "UTF-8 or UTF-16"))
    return deviations


def utf8_pieces(pieces: Iterable[bytes], encoding: Encoding) -> Iterator[bytes]:
    """The body's text as UTF-8 without a byte order mark, one piece for each that comes in.

    Errors  UndecodableBody: a byte is not in the encoding.
    """
    assert encoding.codec is not None
    codec = encoding.codec
    decoder = codecs.getincrementaldecoder(codec)("strict")
    skip, offset = encoding.bom_bytes, 0

    def decoded(piece: bytes, final: bool) -> bytes:
        nonlocal offset
        held = len(decoder.getstate()[0])
        try:
            text = decoder.decode(piece, final)
            utf8 = text.encode("utf-8")
        except UnicodeDecodeError as error:
            line_feeds = bytes(error.object[: error.start]).decode(codec, "ignore").count("\n")
            bad = bytes(error.object[error.start : error.end])[:4].hex(" ").upper()
            at = offset - held + error.start
            raise UndecodableBody(line_feeds, f"the bytes {bad} at offset {at}: not {encoding.codec}") from None
        except UnicodeError:
            raise UndecodableBody(0, f"bytes after offset {offset} that are not {encoding.codec}") from None
        offset += len(piece)
        return utf8

    for piece in pieces:
        offset += skip
        yield decoded(piece[skip:], False)
        skip = 0
    if rest := decoded(b"", True):
        yield rest


def line_where_undecodable(pieces: Iterable[bytes], encoding: Encoding) -> int:
    """The line, from 1, of the first byte that is not in the encoding; of the last one where all of them are."""
    line = 1
    try:
        for utf8 in utf8_pieces(pieces, encoding):
            line += utf8.count(b"\n")
    except UndecodableBody as undecodable:
        line += undecodable.line_feeds
    return line
