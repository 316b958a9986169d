"""What a document is by its first bytes, and whether that is what it was declared to be."""

from __future__ import annotations

import codecs
import csv
import re
from itertools import repeat

HEAD_BYTES = 4096  # enough for the first lines of a CSV report; a PDF may begin within the first 1024 bytes

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"{\\rtf", "application/rtf"),
    (b"%!PS", "application/postscript"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)
_BEGINNINGS = tuple(magic for magic, _ in _MAGIC)
# what is before it is read in one way only (`*+`): a head of nothing but comments would else take days
_HTML = re.compile(r"(?:<!--.*?-->|\s)*+<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_NO_TEXT = bytes((*range(0x09), *range(0x0E, 0x20), 0x7F))  # in UTF-8
_MARKING_NO_TEXT = bytes(0 if n in _NO_TEXT else 1 for n in range(256))
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

_TEXT = frozenset({"text/plain", "text/csv", "text/html", "text/xml"})
_OFFICE = frozenset({"application/x-ole-storage", "application/zip", "application/rtf"})
_DECLARED = {
    "text": _TEXT,
    "html": frozenset({"text/html", "text/plain"}),
    "htmllite": frozenset({"text/html", "text/plain"}),
    "pdf": frozenset({"application/pdf"}),
    "tiff": frozenset({"image/tiff"}),
    "png": frozenset({"image/png"}),
    "gif": frozenset({"image/gif"}),
    "jpeg": frozenset({"image/jpeg"}),
    "bmp": frozenset({"image/bmp"}),
    "ps": frozenset({"application/postscript"}),
    "rtf": frozenset({"application/rtf"}),
    "wav": frozenset({"audio/wav"}),
    "msw": _OFFICE,
    "xls": _OFFICE,
    "ppt": _OFFICE,
}
"""DocType [S19] (docs/contract.md) in lower case to what its first bytes may tell. A DocType that is not here says
nothing that could be contradicted: the list is open."""


def media_type_of(head: bytes) -> str | None:
    """The media type that the first HEAD_BYTES of a document tell; None: empty, or not recognised."""
    if head.startswith(_BEGINNINGS):
        return next(media_type for magic, media_type in _MAGIC if head.startswith(magic))
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head.startswith(b"BM") and len(head) >= 14 and head[6:10] == b"\0\0\0\0":
        return "image/bmp"
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    return _text_type(head)


def contradicts(doctype: str, detected_type: str | None) -> bool:
    """Whether a declared DocType and the first bytes cannot both be right."""
    possible = _DECLARED.get(doctype.strip().lower())
    return possible is not None and detected_type not in possible


def _text_type(head: bytes) -> str | None:
    text = _as_text(head)
    if not text:
        return None
    if _HTML.match(text):
        return "text/html"
    if text.startswith("<?xml"):
        return "text/xml"
    return "text/csv" if _is_csv(text, whole=len(head) < HEAD_BYTES) else "text/plain"


def _as_text(head: bytes) -> str | None:
    """The bytes as text, when they can be some: UTF-8, UTF-16 by its byte order mark, or one byte a character."""
    if head.isascii():
        return None if b"\0" in head.translate(_MARKING_NO_TEXT) else head.decode("ascii")
    codec = next((codec for mark, codec in _BYTE_ORDER_MARKS if head.startswith(mark)), "utf-8")
    try:
        text = codecs.getincrementaldecoder(codec)().decode(head)  # a character cut at the end is left out
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    return None if b"\0" in text.encode().translate(_MARKING_NO_TEXT) else text


def _is_csv(text: str, *, whole: bool) -> bool:
    """Two lines or more, each with the same number of fields, at least two, by one of the usual separators."""
    lines = text.splitlines()
    if not whole:
        lines = lines[:-1]  # cut
    lines = list(filter(str.strip, lines))
    if len(lines) < 2:
        return False
    quoted = '"' in text
    for separator in ",;\t|":
        if separator not in lines[0]:
            continue  # its first line has one field
        try:
            widths = _widths(lines, separator, quoted)
        except csv.Error:
            continue
        if len(widths) == 1 and widths.pop() > 1:
            return True
    return False


def _widths(lines: list[str], separator: str, quoted: bool) -> set[int]:
    """The numbers of fields that the lines have. Errors: csv.Error: a quoted field does not end."""
    if quoted:
        return {len(row) for row in csv.reader(lines, delimiter=separator, strict=True)}
    return {separators + 1 for separators in set(map(str.count, lines, repeat(separator)))}
