"""A directory of this machine. Nothing outside of it is opened: each step of a path is a name in a directory that is
held open, and a symbolic link is never followed, whoever may write there."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from soapsvc.errors import Unreachable
from soapsvc.intake.file_groups import SeenFile, grouped, is_unfinished
from soapsvc.intake.source import Disposal, Found, Gone, Part, Write

MAX_DEPTH = 8  # directories below the top; templates of drops make three or four
PIECE_BYTES = 256 * 1024
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # opening a FIFO must not wait for its writer
_NOT_THERE = frozenset({errno.ENOENT, errno.ELOOP, errno.ENOTDIR})
_NAMES_TRIED = 1000


class DirectorySource:
    """The files below a directory.

    path       absolute; may be a symbolic link itself, for its operator named it
    aside      name of the directory in it to which what was taken in is moved: not looked into
    max_items  files that are looked at
    """

    settles = True

    def __init__(self, path: Path, *, aside: str | None, max_items: int):
        self._path, self._aside, self._max_items = path, aside, max_items
        self.url = path.as_uri()

    def state(self) -> tuple[str, ...] | None:
        return None

    def look(self) -> Sequence[Found]:
        with self._top() as top:
            return grouped(self._files(top))

    def fetch(self, part: Part, write: Write) -> None:
        with self._top() as top, _parent(top, part.place) as (directory, name):
            with _gone_where_missing():
                handle = os.open(name, _FILE, dir_fd=directory)
            with os.fdopen(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise Gone
                while piece := file.read(PIECE_BYTES):
                    write(piece)

    def put_away(self, taken: Sequence[Found], how: Disposal) -> None:
        with self._top() as top:
            for part in (part for found in taken for part in found.parts):
                with (
                    contextlib.suppress(Gone),
                    _as_unreachable(self.url),
                    _parent(top, part.place) as (directory, name),
                ):
                    if how.move_to is None:
                        with _gone_where_missing():
                            os.unlink(name, dir_fd=directory)
                    else:
                        self._move(top, directory, name, f"{how.move_to}/{part.place}")

    def close(self) -> None:
        pass

    def _move(self, top: int, directory: int, name: str, to: str) -> None:
        with _parent(top, to, make=True) as (other, wanted):
            for n in range(_NAMES_TRIED):
                try:  # a link, and not a rename: that would replace a file of the name
                    os.link(name, f"{wanted}~{n}" if n else wanted, src_dir_fd=directory, dst_dir_fd=other,
                            follow_symlinks=False)  # fmt: skip
                except FileExistsError:
                    continue
                except FileNotFoundError:
                    raise Gone from None
                os.unlink(name, dir_fd=directory)
                return
            raise OSError(errno.EEXIST, f"{_NAMES_TRIED} files of that name are there", to)

    @contextmanager
    def _top(self) -> Iterator[int]:
        with _as_unreachable(self.url):
            top = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with _as_unreachable(self.url):
                yield top
        finally:
            os.close(top)

    def _files(self, top: int) -> Iterator[SeenFile]:
        seen = 0
        # fwalk opens each directory by its name in the one above, and holds it against what was listed
        for where, directories, names, directory in os.fwalk(".", dir_fd=top, onerror=None, follow_symlinks=False):
            below = where.removeprefix(".").removeprefix("/")
            depth = below.count("/") + 1 if below else 0
            directories[:] = sorted(
                name
                for name in directories
                if depth < MAX_DEPTH and not is_unfinished(name) and (depth or name != self._aside)
            )
            for name in sorted(names):
                if is_unfinished(name):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode):
                        path = f"{below}/{name}".lstrip("/")
                        yield SeenFile(path, found.st_size, str(found.st_mtime_ns), _time(found.st_mtime))
                        seen += 1
                        if seen >= self._max_items:
                            return


def _time(seconds: float) -> datetime | None:
    with contextlib.suppress(ValueError, OverflowError, OSError):  # a file may say the year 60000
        return datetime.fromtimestamp(seconds, UTC)
    return None


@contextmanager
def _parent(top: int, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The open directory in which the last name of a path below the top stands, and that name. Errors: Gone."""
    *steps, name = path.split("/")
    held: list[int] = []
    try:
        with _gone_where_missing():
            for step in (*steps, name):
                if step in ("", ".", ".."):
                    raise Gone
            for step in steps:
                at = held[-1] if held else top
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(step, 0o700, dir_fd=at)
                held.append(os.open(step, _DIRECTORY, dir_fd=at))
        yield held[-1] if held else top, name
    finally:
        for handle in held:
            os.close(handle)


@contextmanager
def _gone_where_missing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise Gone from error
        raise


@contextmanager
def _as_unreachable(url: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unreachable(f"{url} cannot be used: {error.strerror or error}") from error
