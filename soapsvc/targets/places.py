"""Directories that files are put into, here or elsewhere, through fsspec: each knows how a file appears there whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from soapsvc.errors import SettingsError

PIECE_BYTES = 1024 * 1024
_PART, _PART_SUFFIX = ".soapsvc-", ".part"


class Place(Protocol):
    """The root of a target, open for one push; paths are relative to it, with / between names that are safe.

    Errors  OSError from all of them: FileNotFoundError where there is no such file
    """

    def size_bytes(self, path: str) -> int | None:
        """Of the file; None: there is none."""

    def open(self, path: str) -> BinaryIO:
        """The file's bytes."""

    def put(self, path: str, source: BinaryIO, mark: str) -> bool:
        """Make a file that is seen when it is whole; False: the name is taken, and nothing was changed.

        mark  of its name while it is written: whoever writes it knows by that what it left there (`part_name`)
        """

    def clear(self, directory: str, mark: str) -> None:
        """Remove what was left there half written under the mark. A directory that is not there has nothing."""

    def close(self) -> None:
        """Let go of the connection."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a site is and who we are there; `root` is absolute, or empty for where a login leads."""

    host: str
    port: int | None
    root: str
    user: str | None
    password: str | None = field(repr=False)


@contextlib.contextmanager
def as_os_error() -> Iterator[None]:
    """Whatever a client library raises as OSError, so that it is a failure of the target and not of ours."""
    try:
        yield
    except (OSError, SettingsError):
        raise
    except EOFError as error:
        raise OSError("the connection was closed") from error
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("ftplib", "botocore", "aiobotocore", "aiohttp", "s3fs"):
            raise OSError(" ".join(str(error).split()) or type(error).__name__) from error
        raise


def part_name(path: str, mark: str) -> str:
    """The name that a file has while it is written, beside where it will be; never the same again."""
    directory, slash, _ = path.rpartition("/")
    return f"{directory}{slash}{_PART}{mark}-{secrets.token_hex(8)}{_PART_SUFFIX}"


def is_part(name: str, mark: str) -> bool:
    """Whether a file of this name was being written under the mark."""
    return name.startswith(f"{_PART}{mark}-") and name.endswith(_PART_SUFFIX)


def sha256_of(stream: BinaryIO) -> str:
    """Hex, of all that is left in it."""
    digest = hashlib.sha256()
    while piece := stream.read(PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest()


class LocalPlace:
    """A directory of this machine: files are synced, and so are the directories that name them."""

    def __init__(self, root: Path):
        from fsspec.implementations.local import LocalFileSystem

        self._files: Any = LocalFileSystem()
        self._root = root

    def size_bytes(self, path: str) -> int | None:
        try:
            return int(self._files.info(str(self._root / path))["size"])
        except FileNotFoundError:
            return None

    def open(self, path: str) -> BinaryIO:
        return self._files.open(str(self._root / path), "rb")  # type: ignore[no-any-return]

    def put(self, path: str, source: BinaryIO, mark: str) -> bool:
        final, part = self._root / path, self._root / part_name(path, mark)
        self._make(final.parent)
        try:
            with self._files.open(str(part), "xb") as file:
                shutil.copyfileobj(source, file, PIECE_BYTES)
                file.flush()
                os.fsync(file.fileno())
            taken = _named(part, final)
        finally:
            with contextlib.suppress(FileNotFoundError):
                part.unlink()
        if not taken:
            _sync(final.parent)
        return not taken

    def clear(self, directory: str, mark: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self._root / directory):
                if is_part(name, mark):
                    (self._root / directory / name).unlink(missing_ok=True)

    def _make(self, directory: Path) -> None:
        """The directory with those above it, each synced into the one above, and inside the root still."""
        missing = []
        at = directory
        while not at.exists():
            missing.append(at)
            at = at.parent
        for one in reversed(missing):
            with contextlib.suppress(FileExistsError):
                one.mkdir()
            _sync(one.parent)
        if not directory.resolve().is_relative_to(self._root.resolve()):
            raise PermissionError(f"{directory} is a link that leads out of {self._root}")

    def close(self) -> None:
        """Nothing is held open."""


def _named(part: Path, final: Path) -> bool:
    """Give the file its name, and tell whether something has it already: a link never replaces what is there."""
    try:
        os.link(part, final)
    except FileExistsError:
        return True
    except OSError:  # a file system without hard links: look, then rename
        if os.path.lexists(final):
            return True
        part.rename(final)
    return False


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
