"""Mailboxes on this machine's disk: one file with all messages (mbox), or a file for each (Maildir)."""

from __future__ import annotations

import contextlib
import hashlib
import mailbox
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from soapsvc.errors import Unreachable
from soapsvc.intake.directory_source import PIECE_BYTES, DirectorySource
from soapsvc.intake.source import Disposal, Found, Gone, Part, PartKind, Write

_FOLDERS = ("new", "cur")  # in tmp are those that are still being written


class MboxSource:
    """The messages of an mbox. Nothing tells one from another but its bytes, so those are its mark.

    path  absolute
    """

    settles = True

    def __init__(self, path: Path, *, max_items: int):
        self._path, self._max_items = path, max_items
        self.url = f"mbox:{path}"

    def state(self) -> tuple[str, ...] | None:
        with self._asking():
            found = self._path.stat()
        return "mbox", str(found.st_size), str(found.st_mtime_ns), str(found.st_ino)

    def look(self) -> Sequence[Found]:
        with self._opened() as box:
            found = []
            for n, key in enumerate(box.iterkeys(), 1):
                if n > self._max_items:
                    break
                digest, size = _digest(box, key)
                part = Part(PartKind.EMAIL, f"{key} {digest}", size)
                found.append(Found(f"message {n}", (digest,), (part,)))
            return found

    def fetch(self, part: Part, write: Write) -> None:
        key, _, digest = part.place.partition(" ")
        with self._opened() as box:
            try:
                if _digest(box, int(key))[0] != digest:
                    raise Gone  # the file was rewritten meanwhile, and counts differently
                for piece in _pieces(box, int(key)):
                    write(piece)
            except KeyError:
                raise Gone from None

    def put_away(self, taken: Sequence[Found], how: Disposal) -> None:
        wanted = {found.mark[0] for found in taken}
        with self._opened() as box:
            box.lock()
            try:
                chosen = [key for key in box.iterkeys() if _digest(box, key)[0] in wanted]
                if how.move_to is not None and chosen:
                    self._append(self._path.parent / how.move_to, [box.get_bytes(key, from_=True) for key in chosen])
                for key in chosen:
                    box.remove(key)
                box.flush()
            finally:
                box.unlock()

    def close(self) -> None:
        pass

    @staticmethod
    def _append(path: Path, messages: list[bytes]) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "ab") as file:
            for message in messages:
                file.write(message.rstrip(b"\r\n") + b"\n\n")
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _opened(self) -> Iterator[mailbox.mbox]:
        with self._asking():
            box = mailbox.mbox(self._path, create=False)
            try:
                yield box
            finally:
                box.close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except mailbox.NoSuchMailboxError as error:
            raise Unreachable(f"{self.url} is not there") from error
        except (OSError, mailbox.Error) as error:
            raise Unreachable(f"{self.url} cannot be used: {getattr(error, 'strerror', None) or error}") from error


class MaildirSource(DirectorySource):
    """The messages of a Maildir, those that were read and those that were not; none is moved from new to cur."""

    settles = False  # a message is written in tmp and renamed when it is whole

    def __init__(self, path: Path, *, max_items: int):
        super().__init__(path, aside=None, max_items=max_items)
        self.url = f"maildir:{path}"

    def look(self) -> Sequence[Found]:
        found = []
        with self._top() as top:
            for folder in _FOLDERS:
                for name in sorted(_names(top, folder)):
                    with contextlib.suppress(FileNotFoundError):
                        seen = os.stat(f"{folder}/{name}", dir_fd=top, follow_symlinks=False)
                        unique = name.partition(":")[0]  # what follows are flags, which change
                        part = Part(PartKind.EMAIL, f"{folder}/{name}", seen.st_size)
                        at = datetime.fromtimestamp(seen.st_mtime, UTC)
                        found.append(Found(unique, (unique, str(seen.st_size)), (part,), at))
                        if len(found) >= self._max_items:
                            return found
        return found

    def put_away(self, taken: Sequence[Found], how: Disposal) -> None:
        if how.move_to is not None:
            self._make_folder(how.move_to)
            how = Disposal(move_to=f".{how.move_to}")
        super().put_away(taken, how)

    def _make_folder(self, name: str) -> None:
        with self._top() as top:
            for path in (f".{name}", *(f".{name}/{folder}" for folder in ("tmp", *_FOLDERS))):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(path, 0o700, dir_fd=top)


def _names(top: int, folder: str) -> list[str]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
    try:
        with os.scandir(handle) as entries:
            return [one.name for one in entries if one.is_file(follow_symlinks=False) and not one.name.startswith(".")]
    finally:
        os.close(handle)


def _pieces(box: mailbox.mbox, key: str | int) -> Iterator[bytes]:
    with box.get_file(key) as file:  # type: ignore[arg-type]
        while piece := file.read(PIECE_BYTES):
            yield piece


def _digest(box: mailbox.mbox, key: str | int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for piece in _pieces(box, key):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size
