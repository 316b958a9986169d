"""The raw envelope for people: its lines with those that a verdict names, indented, or as bytes.

Lines are counted as XML counts them: \\n, \\r\\n and \\r end one. A document of megabytes is one line, so what is shown
of a line has a limit, and so has the number of lines; those that a deviation names are always among them.
"""

from __future__ import annotations

import codecs
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from soapsvc.web.masking import masked, masked_bytes

LINE_CHARS = 600  # shown of a line
LINES = 1500  # shown of an envelope, from its beginning
AROUND = 3  # lines shown before and after one that is named
READ_BYTES = 64 * 1024 * 1024  # looked through for lines; beyond, the download is there
PRETTY_BYTES = 2 * 1024 * 1024
PRETTY_TEXT_CHARS = 2000
HEX_BYTES = 4096  # in one page
_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line of an envelope.

    n     from 1
    text  masked, at most LINE_CHARS of it
    more  characters that are not shown
    gap   lines before it are left out
    """

    n: int
    text: str
    more: int = 0
    gap: bool = False


def raw_lines(stream: BinaryIO, codec: str, named: Collection[int] = (), at_most: int = LINES) -> list[RawLine]:
    """The first lines, and those around the ones that are named."""
    wanted = {n for line in named for n in range(line - AROUND, line + AROUND + 1)}
    last = max(wanted, default=0)
    kept: list[tuple[int, str, int]] = []
    for n, text, more in _cut_lines(stream, codec):
        if n <= at_most or n in wanted:
            kept.append((n, text, more))
        elif n > last:
            break
    shown = masked("\n".join(text.replace("\n", " ") for _, text, _ in kept)).split("\n")
    numbers = [n for n, _, _ in kept]
    return [
        RawLine(n, text, more, gap=i > 0 and numbers[i - 1] != n - 1)
        for i, ((n, _, more), text) in enumerate(zip(kept, shown, strict=True))
    ]


def pretty_lines(raw: bytes) -> list[str] | None:
    """The envelope indented, masked; None: it is not well-formed, has a DTD, or is larger than PRETTY_BYTES."""
    if len(raw) > PRETTY_BYTES:
        return None
    writer = _Indented()
    try:
        writer.read(raw)
    except (expat.ExpatError, _HasDtd, ValueError, LookupError):
        return None
    return masked("\n".join(writer.lines)).split("\n")


def hex_lines(stream: BinaryIO, codec: str, offset: int) -> list[tuple[str, str, str]]:
    """Offset, bytes and characters of HEX_BYTES from an offset on, masked; what is before it has been read over.

    A credential is masked by what stands before it, so all of that is looked at.
    """
    head = stream.read(min(offset + HEX_BYTES, READ_BYTES))
    piece = masked_bytes(head, codec)[offset : offset + HEX_BYTES]
    lines = []
    for at in range(0, len(piece), 16):
        sixteen = piece[at : at + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in sixteen)
        lines.append((f"{offset + at:08x}", sixteen.hex(" "), shown))
    return lines


def _cut_lines(stream: BinaryIO, codec: str) -> Iterator[tuple[int, str, int]]:
    decoder = codecs.getincrementaldecoder(codec)("replace")
    n, line, length, after_return, left = 1, "", 0, False, READ_BYTES
    while left > 0:
        piece = stream.read(min(_PIECE, left))
        text = decoder.decode(piece, not piece)
        left -= len(piece)
        if n == 1 and not length:
            text = text.removeprefix("\ufeff")
        if after_return and text.startswith("\n"):
            text = text[1:]
        if text:
            after_return = text.endswith("\r")
            *ended, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            for one in ended:
                line += one[: LINE_CHARS - len(line)] if len(line) < LINE_CHARS else ""
                length += len(one)
                yield n, line, length - len(line)
                n, line, length = n + 1, "", 0
            line += rest[: LINE_CHARS - len(line)] if len(line) < LINE_CHARS else ""
            length += len(rest)
        if not piece:
            break
    if length or n == 1:
        yield n, line, length - len(line)


class _HasDtd(Exception):
    """Entities are nothing that is shown here."""


class _Indented:
    """Writes what expat reads, a line for each element that has children."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth, self._open, self._text = 0, "", ""

    def read(self, raw: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.CommentHandler = lambda text: self._line(f"<!--{text}-->")
        parser.ProcessingInstructionHandler = lambda target, text: self._line(f"<?{target} {text}?>")
        parser.StartDoctypeDeclHandler = self._doctype
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.Parse(raw, True)

    def _start(self, name: str, attributes: list[str]) -> None:
        self._flush()
        told = "".join(f" {attributes[i]}={quoteattr(attributes[i + 1])}" for i in range(0, len(attributes), 2))
        self._open = f"<{name}{told}>"
        self._depth += 1

    def _end(self, name: str) -> None:
        self._depth -= 1
        text = self._text.strip()
        if self._open:
            more = len(text) - PRETTY_TEXT_CHARS
            shown = f"{text[:PRETTY_TEXT_CHARS]}… {more} more characters" if more > 0 else text
            whole = f"{self._open}{escape(shown)}</{name}>" if text else f"{self._open[:-1]}/>"
            self._put(whole)
            self._open = self._text = ""
        else:
            self._flush()
            self._put(f"</{name}>")

    def _characters(self, text: str) -> None:
        self._text += text

    def _flush(self) -> None:
        """What is open has something inside."""
        if self._open:
            self._depth -= 1
            self._put(self._open)
            self._depth += 1
            self._open = ""
        if self._text.strip():
            self._put(escape(self._text.strip()[:PRETTY_TEXT_CHARS]))
        self._text = ""

    def _line(self, text: str) -> None:
        self._flush()
        self._put(text)

    def _put(self, text: str) -> None:
        self.lines += ["  " * min(self._depth, 40) + line for line in text.split("\n")]

    def _doctype(self, *_: object) -> None:
        raise _HasDtd
