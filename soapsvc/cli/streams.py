"""Stdin, stdout and stderr as the commands find them: open, and failing in a way that can be told in a sentence."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO

from soapsvc.errors import SoapsvcError

STDIN, STDOUT, STDERR = 0, 1, 2


class StdoutFailed(SoapsvcError):
    """Stdout does not take what was asked for."""


class ReaderGone(Exception):
    """Whoever reads stdout has seen enough (`| head`)."""


def prepare_streams() -> None:
    """Stdout tells its failures as StdoutFailed and ReaderGone, stderr keeps them to itself, and a character that one
    of them does not have is written as an escape. A closed stdin is empty, a closed stdout fails when it is written."""
    # The kernel gives out the lowest number that is free: an inbox must not be opened as number 1.
    for number, mode in ((STDIN, os.O_RDONLY), (STDOUT, os.O_RDONLY), (STDERR, os.O_WRONLY)):
        if not _is_open(number):
            _put_in_place(number, mode)
    # None: it was closed when Python began.
    sys.stdin = sys.stdin or open(STDIN, closefd=False)  # noqa: SIM115
    sys.stdout = _writer(_Stdout(STDOUT, "w", closefd=False), sys.stdout)
    sys.stderr = _writer(_Stderr(STDERR, "w", closefd=False), sys.stderr, line_buffering=True)


def drop_stdout() -> None:
    """What stdout still holds, and whatever follows, goes nowhere: the flush at the end would fail again."""
    _put_in_place(STDOUT, os.O_WRONLY)


def _writer(raw: io.FileIO, as_found: TextIO | None, *, line_buffering: bool = False) -> TextIO:
    unbuffered = isinstance(as_found, io.TextIOWrapper) and as_found.write_through  # PYTHONUNBUFFERED
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=as_found.encoding if as_found else "utf-8",
        errors="backslashreplace",
        line_buffering=line_buffering or unbuffered or raw.isatty(),
    )


class _Stdout(io.FileIO):
    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except BrokenPipeError as error:
            raise ReaderGone from error
        except OSError as error:
            why = "it is closed" if error.errno == errno.EBADF else error.strerror
            raise StdoutFailed(f"stdout does not take what was asked for: {why}") from error


class _Stderr(io.FileIO):
    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _put_in_place(number: int, mode: int) -> None:
    nowhere = os.open(os.devnull, mode)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
    os.set_inheritable(number, True)  # as the three are: programs that are started from here log there too
