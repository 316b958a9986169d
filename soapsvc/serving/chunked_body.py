"""A chunked body as RFC 9112 (7.1) has it. Waitress' own reader takes a bare LF after a chunk's size, keeps a line that
never ends, and its time grows with the square of the number of chunks."""

from __future__ import annotations

import re
from typing import Any

from waitress.utilities import BadRequest

MAX_LINE_BYTES = 4096  # a chunk's size with its extensions, or one line of the trailer
MAX_TRAILER_LINES = 100

_SIZE = re.compile(rb"(?P<size>[0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n")


class ChunkedBody:
    """What waitress calls a receiver: puts the decoded body into a buffer, and the trailer nowhere.

    completed  the body is in
    error      what is wrong with it; nothing more is read
    """

    def __init__(self, buffer: Any):
        self._buffer = buffer
        self._take_line = self._take_size
        self._line = b""
        self._chunk_remains = self._trailer_lines = 0
        self.completed = False
        self.error: BadRequest | None = None

    def received(self, data: bytes) -> int:
        """Read on; how many bytes belonged to this body."""
        at = 0
        while at < len(data) and not self.completed and self.error is None:
            if self._chunk_remains:
                piece = data[at : at + self._chunk_remains]
                self._buffer.append(piece)
                self._chunk_remains -= len(piece)
                at += len(piece)
                continue
            end = data.find(b"\n", at) + 1 or len(data)
            self._line += data[at:end]
            at = end
            if len(self._line) > MAX_LINE_BYTES:
                self.error = BadRequest("a line of the chunked body is too long")
            elif self._line.endswith(b"\n"):
                line, self._line = self._line, b""
                self._take_line(line)
        return at

    def getfile(self) -> Any:
        return self._buffer.getfile()

    def getbuf(self) -> Any:
        return self._buffer

    def __len__(self) -> int:
        return int(self._buffer.__len__())

    def _take_size(self, line: bytes) -> None:
        found = _SIZE.fullmatch(line)
        if found is None:
            self.error = BadRequest("a chunk's size is not one")
            return
        self._chunk_remains = int(found["size"], 16)
        self._take_line = self._take_chunk_end if self._chunk_remains else self._take_trailer

    def _take_chunk_end(self, line: bytes) -> None:
        self._take_line = self._take_size
        if line != b"\r\n":
            self.error = BadRequest("a chunk is longer than its size")

    def _take_trailer(self, line: bytes) -> None:
        self._trailer_lines += 1
        if line == b"\r\n":
            self.completed = True
        elif not _TRAILER_LINE.fullmatch(line) or self._trailer_lines > MAX_TRAILER_LINES:
            self.error = BadRequest("the trailer of the chunked body is malformed or too long")
