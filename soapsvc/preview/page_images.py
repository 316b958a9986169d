"""Asks a process of its own for one page of a document as PNG.

What is in a document is the sender's, and what reads PDF and TIFF is a large C library. So it runs apart, with bounds
on memory, processor time, files and pixels, without this process's environment; whatever becomes of it, this process
gets an image or a sentence.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass
from importlib.util import find_spec
from typing import BinaryIO

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
MAX_PNG_BYTES = 16 * 1024 * 1024
WALL_SECONDS = 15.0
AT_ONCE = 2  # processes; who comes third waits
KEPT_BYTES = 32 * 1024 * 1024  # of images made before
KINDS = {"application/pdf": "pdf", "image/tiff": "tiff"}
MISSING = "Page images need the extra `preview`: pip install 'soapsvc[preview]'."
_PIECE = 1024 * 1024


class NoPageImage(Exception):
    """There is no image of the page; str() says why."""


@dataclass(frozen=True, slots=True)
class PageImage:
    """One page. pages: of the whole document."""

    png: bytes
    pages: int


class PageImages:
    """Makes page images, and keeps the last ones by the document's digest. Threads share it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], PageImage | str] = OrderedDict()
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(AT_ONCE)

    def image(self, document: BinaryIO, sha256: str, detected_type: str, page: int) -> PageImage:
        """Page from 1. Errors: NoPageImage; OSError from the document."""
        key = (sha256, page)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            with self._room:
                kept = self._made(document, detected_type, page)
            self._keep(key, kept)
        if isinstance(kept, str):
            raise NoPageImage(kept)
        return kept

    def _made(self, document: BinaryIO, detected_type: str, page: int) -> PageImage | str:
        kind = KINDS.get(detected_type)
        if kind is None:
            return "Only pages of PDF and TIFF are shown as images."
        if not installed():
            return MISSING
        raw = document.read(MAX_DOCUMENT_BYTES + 1)
        if len(raw) > MAX_DOCUMENT_BYTES:
            return f"The document has more than {MAX_DOCUMENT_BYTES // 2**20} MiB: too large for page images."
        command = [sys.executable, "-I", "-m", "soapsvc.preview.drawing_process", kind, str(page)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={"LANG": "C.UTF-8"}
        )
        try:
            out, _ = process.communicate(raw, timeout=WALL_SECONDS)
        except subprocess.TimeoutExpired:
            return "The page took too long to draw."
        except BrokenPipeError:
            out = b""
        finally:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        return _answer(out)

    def _keep(self, key: tuple[str, int], made: PageImage | str) -> None:
        with self._lock:
            self._kept[key] = made
            size = sum(_size(one) for one in self._kept.values())
            while size > KEPT_BYTES or len(self._kept) > 1000:
                size -= _size(self._kept.popitem(last=False)[1])


def installed() -> bool:
    """Whether what draws is there."""
    return find_spec("pypdfium2") is not None and find_spec("PIL") is not None


def _answer(out: bytes) -> PageImage | str:
    head, newline, png = out.partition(b"\n")
    words = head.decode("ascii", "replace").split(" ", 1)
    if (
        newline
        and words[0] == "pages"
        and words[1].isdigit()
        and png.startswith(b"\x89PNG")
        and len(png) <= MAX_PNG_BYTES
    ):
        return PageImage(png, int(words[1]))
    if newline and words[0] == "no":
        return words[1]
    return "The page could not be drawn: the document is damaged, or needs more memory or time than is allowed."


def _size(one: PageImage | str) -> int:
    return len(one.png) if isinstance(one, PageImage) else len(one)
