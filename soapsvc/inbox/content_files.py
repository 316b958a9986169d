"""Large contents: each a file of its own in a directory, on disk before the row that names it.

    inbox.db.files/inbox-id                         the id of the database that the others belong to
    inbox.db.files/TTTT/PPPPPPPPPPPPPPPPPPPP-DDDD…   T: first characters of the push's id (9 hours), P: its id, or one
                                                    made for the documents of a push that was in quarantine,
                                                    D: hex SHA-256 of what is inside

A file belongs to one push. Were it shared by digest, clearing away one push could take the file from under another
that is just being stored by another process; so two pushes that bring the same large document keep it twice.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import structlog
from sqlalchemy import Connection

from soapsvc.inbox.database import make_directory, sync_directory
from soapsvc.inbox.failures import InboxDamaged, lost
from soapsvc.inbox.push_id import ID_PATTERN
from soapsvc.spool import INLINE_BYTES, Content

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_LOG = structlog.get_logger(__name__)
DIRECTORY_CHARS = 4  # of the id: 2**35 microseconds, nine and a half hours of pushes in one directory
ORPHAN_AGE_SECONDS = 3600  # between file and row lie milliseconds; an hour leaves no doubt that nobody comes back
COPY_BYTES = 1024 * 1024
_NAME = re.compile(f"({ID_PATTERN})-([0-9a-f]{{64}})")  # whatever has another name is not ours

Key = tuple[str, str]  # id by which the file is named, hex digest


class ContentFiles:
    """The files below one directory. OSError comes out as it is: the caller knows what it means for the push.

    inbox_id  of the database whose rows name the files
    """

    def __init__(self, directory: Path, inbox_id: str):
        self.directory, self._inbox_id = directory, inbox_id
        self._durable: set[Path] = set()  # directories whose own names this process has synced

    @property
    def where(self) -> str:
        return str(self.directory)

    def path(self, file_id: str, sha256: str) -> Path:
        return self.directory / file_id[:DIRECTORY_CHARS] / f"{file_id}-{sha256}"

    def is_anothers(self) -> bool:
        """Whether the documents here are another database's: to this one's rows all would be orphans."""
        # in this order: whoever makes the directory just now writes the id before the first document
        return next(self._documents(), None) is not None and self._owner() != self._inbox_id

    def make(self) -> None:
        """The directory is there, says whose it is, and takes files. Errors: InboxDamaged where it is another's."""
        make_directory(self.directory)
        if self._owner() != self._inbox_id:
            if self.is_anothers():
                raise InboxDamaged(f"{self.directory} was replaced by that of another inbox")
            _write_durably(self.directory / "inbox-id", self._inbox_id)
        sync_directory(self.directory.parent)  # also where another process made it a moment ago and has not synced yet
        if not os.access(self.directory, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.directory))

    def place(self, file_id: str, content: Content) -> Path:
        """Give a content its file; when this returns, bytes and names are on disk."""
        target = self.path(file_id, content.sha256)
        try:
            self._place(content, target)
        except FileNotFoundError:  # somebody cleared the directory away while we took it for there
            self._durable.discard(target.parent)
            self._place(content, target)
        return target

    def open(self, key: Key, size_bytes: int, what: str) -> BinaryIO:
        """The bytes, checked while they are read. Errors: StoreUnavailable, also from read(): lost.

        what  they are, for a sentence
        """
        try:
            file = self.path(*key).open("rb", buffering=0)
        except FileNotFoundError:
            raise lost(f"{what} is missing on disk") from None
        if os.fstat(file.fileno()).st_size != size_bytes:
            file.close()
            raise lost(f"{what} is damaged on disk")
        return checked(file, key[1], size_bytes, f"{what} is damaged on disk")

    def holds(self, key: Key, size_bytes: int) -> bool:
        """Whether the content is there, by its size."""
        path = self.path(*key)
        return path.is_file() and path.stat().st_size == size_bytes

    def named(self, connection: Connection, keys: list[Key]) -> None:
        """Rows that name these contents were written in the transaction; to the sweep, the rows themselves say so."""

    def unnamed(self, connection: Connection, keys: list[Key]) -> None:
        """The rows that named these contents were removed in the transaction."""

    def remove(self, keys: list[Key]) -> None:
        """Remove the files of rows that are gone; what cannot be removed is left to the sweep."""
        for key in keys:
            try:
                self.discard(key)
            except OSError as error:
                _LOG.warning("inbox file not removed", file_id=key[0], cause=str(error))

    def discard(self, key: Key) -> None:
        self.path(*key).unlink(missing_ok=True)

    def sweep(self, now: float, known: Callable[[Key], bool]) -> int:
        """Remove files without a row that are older than ORPHAN_AGE_SECONDS; how many they were.

        now    seconds since 1970
        known  whether the content has a row
        """
        removed = 0
        for file, key in self._documents():
            with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                # ctime: a link made now has the old mtime of the file that it was made from
                old = now - os.stat(file).st_ctime > ORPHAN_AGE_SECONDS
                if old and not known(key):
                    os.unlink(file)
                    removed += 1
        return removed

    def _owner(self) -> str | None:
        with contextlib.suppress(FileNotFoundError):
            return (self.directory / "inbox-id").read_text("ascii", "replace").strip()
        return None

    def _documents(self) -> Iterator[tuple[os.DirEntry[str], Key]]:
        for directory in _entries(self.directory):
            if directory.is_dir(follow_symlinks=False):
                for file in _entries(Path(directory.path)):
                    named = _NAME.fullmatch(file.name)
                    if named and file.is_file(follow_symlinks=False):
                        yield file, (named[1], named[2])

    def _place(self, content: Content, target: Path) -> None:
        self._make_durable(target.parent)
        try:
            if content.path is None:
                _write(content, target)
            else:
                _link_or_copy(content.path, target)
            _sync_file(target, content.size_bytes)
            sync_directory(target.parent)
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _make_durable(self, directory: Path) -> None:
        if directory in self._durable:
            return
        self.make()
        make_directory(directory)
        sync_directory(self.directory)
        self._durable.add(directory)


def checked(source: io.RawIOBase, sha256: str, size_bytes: int, damaged: str) -> BinaryIO:
    """A content as it is handed out: the last bytes only when all of them are those that were received.

    damaged  the sentence when they are not, without its point
    Errors   StoreUnavailable from read()
    """
    return io.BufferedReader(_Checked(source, sha256, size_bytes, damaged), COPY_BYTES)


class _Checked(io.RawIOBase):
    def __init__(self, source: io.RawIOBase, sha256: str, size_bytes: int, damaged: str):
        self._source, self._sha256, self._left, self._damaged = source, sha256, size_bytes, damaged
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        count = self._source.readinto(view) or 0
        self._digest.update(view[:count])
        ended_early = count == 0 and self._left > 0
        self._left -= count
        if ended_early or (self._left <= 0 and self._digest.hexdigest() != self._sha256):
            raise lost(self._damaged)
        return count

    def close(self) -> None:
        self._source.close()
        super().close()


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        return list(entries)
    return []


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links; where the disk is the reason the copy fails too
        with source.open("rb") as reader, _new_file(target) as writer:
            shutil.copyfileobj(reader, writer, COPY_BYTES)


def _write(content: Content, target: Path) -> None:
    with content.open() as reader, _new_file(target) as writer:
        shutil.copyfileobj(reader, writer, COPY_BYTES)


def _new_file(target: Path) -> BinaryIO:
    return open(target, "xb", opener=lambda path, flags: os.open(path, flags, 0o600))


def _write_durably(file: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=f"{file.name}-", dir=file.parent)
    with os.fdopen(handle, "w") as writer:
        writer.write(text)
        writer.flush()
        os.fsync(handle)
    os.replace(name, file)  # whole or not at all, also where two processes write it at once
    sync_directory(file.parent)


def _sync_file(file: Path, size_bytes: int) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        found = os.fstat(handle).st_size
        if found != size_bytes:
            raise OSError(f"{file.name} has {found} bytes, not {size_bytes}")
        os.fsync(handle)
    finally:
        os.close(handle)


def is_inline(content: Content) -> bool:
    """Whether a content lies in its row: up to INLINE_BYTES."""
    return content.size_bytes <= INLINE_BYTES


def inline_bytes(content: Content) -> bytes | None:
    """The bytes that go into the row, None when they go into a file."""
    if not is_inline(content):
        return None
    return content.inline if content.inline is not None else content.head(INLINE_BYTES)
