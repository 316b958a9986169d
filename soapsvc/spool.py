"""Bytes on their way to the inbox: small ones in memory, large ones in a file on the inbox's own file system.

A file here is not yet durable: the inbox moves it to its place and syncs it before it acknowledges.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import BinaryIO

INLINE_BYTES = 128 * 1024  # up to here one row with a blob costs one fsync; above, a file is cheaper than the WAL
_NUMBERS = count(1)  # of this process's files
INLINE_BYTES_OF_ALL = 8 * 1024 * 1024  # in memory for one request, however many documents it has


@dataclass(frozen=True, slots=True)
class Content:
    """Some bytes and their digest.

    sha256      hex, of the whole
    size_bytes  their number
    inline      the bytes themselves when there are few (INLINE_BYTES, INLINE_BYTES_OF_ALL), else None
    path        the spool file that holds them, else None
    """

    sha256: str
    size_bytes: int
    inline: bytes | None = field(default=None, repr=False)
    path: Path | None = field(default=None, repr=False)

    @classmethod
    def of(cls, content: bytes) -> Content:
        """The content of bytes that are in memory already, however many."""
        return cls(hashlib.sha256(content).hexdigest(), len(content), inline=content)

    def open(self) -> BinaryIO:
        """The bytes as a binary file at its beginning."""
        if self.path is not None:
            return self.path.open("rb")
        return BytesIO(self.inline or b"")

    def head(self, size_bytes: int) -> bytes:
        """The first bytes, at most this many."""
        if self.path is None:
            return (self.inline or b"")[:size_bytes]
        with self.open() as stream:
            return stream.read(size_bytes)


def _new_file(directory: Path) -> tuple[BinaryIO, Path]:
    """A file that nobody else has, for this user alone: as tempfile makes one, which takes ten times as long."""
    while True:
        path = directory / f"spool-{os.getpid()}-{next(_NUMBERS)}"
        with contextlib.suppress(FileExistsError):  # of a process that had this number before
            return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb"), path


class Sink:
    """Takes bytes piece by piece, digests them, and moves to a file when they grow beyond `inline_bytes`.

    Errors  OSError from write() and finish() when the file system is full or broken: nothing was acknowledged yet.
    """

    def __init__(self, directory: Path, inline_bytes: int = INLINE_BYTES):
        self._directory, self._inline_bytes = directory, inline_bytes
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    @property
    def in_file(self) -> bool:
        return self._file is not None

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        self._digest.update(piece)
        self.size_bytes += len(piece)
        if self._file is None and self.size_bytes > self._inline_bytes:
            self._file, self._path = _new_file(self._directory)
            self._file.write(self._memory)
            self._memory = bytearray()
        if self._file is None:
            self._memory += piece
        else:
            self._file.write(piece)

    def finish(self) -> Content:
        """Everything written, as a Content; the sink takes nothing more."""
        if self._file is None:
            inline, self._memory = bytes(self._memory), bytearray()
            return Content(self._digest.hexdigest(), self.size_bytes, inline=inline)
        self._file.close()
        return Content(self._digest.hexdigest(), self.size_bytes, path=self._path)

    def discard(self) -> None:
        """Remove the file, if there is one and the inbox has not moved it away."""
        if self._file is not None and self._path is not None:
            with contextlib.suppress(OSError):  # close() writes what is left, which a full disk refuses once more
                self._file.close()
            self._path.unlink(missing_ok=True)


class Spool:
    """The sinks of one request: whatever file the inbox did not take over is gone when the request is over."""

    def __init__(self, directory: Path):
        self.directory = directory
        self._sinks: list[Sink] = []

    def sink(self, inline_bytes_of_all: int = INLINE_BYTES_OF_ALL) -> Sink:
        """A new sink on this spool's file system, to be filled after those before it; in a file from its first byte on
        when those hold so much in memory."""
        held = sum(sink.size_bytes for sink in self._sinks if not sink.in_file)
        sink = Sink(self.directory, INLINE_BYTES if held < inline_bytes_of_all else 0)
        self._sinks.append(sink)
        return sink

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for sink in self._sinks:
            sink.discard()
