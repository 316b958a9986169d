"""A request body that is kept without its documents, to be read like a file."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from soapsvc.inbox.envelope_skeleton import Skeleton, SkeletonDamaged, rebuild
from soapsvc.inbox.failures import lost

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_BYTES = 256 * 1024


def open_rebuilt(
    stored: bytes, open_document: Callable[[int], BinaryIO], sha256: str, size_bytes: int, what: str
) -> BinaryIO:
    """The request body, checked while it is read. Errors: StoreUnavailable, also from read(): lost.

    stored         what is kept of it (envelope_skeleton.py)
    open_document  the distinct document of this index, from 0
    sha256, size_bytes  of the whole
    what           it is, for a sentence
    """
    try:
        skeleton = Skeleton.from_bytes(stored)
    except SkeletonDamaged as damage:
        raise lost(f"{what} is damaged in the database") from damage
    if skeleton.raw_bytes != size_bytes:
        raise lost(f"{what} is damaged in the database")
    return io.BufferedReader(_Rebuilt(rebuild(skeleton, open_document), sha256, size_bytes, what), READ_BYTES)


class _Rebuilt(io.RawIOBase):
    """Hands out its last bytes only when all of them are those that were received."""

    def __init__(self, pieces: Iterator[bytes], sha256: str, size_bytes: int, what: str):
        self._pieces, self._sha256, self._left, self._what = pieces, sha256, size_bytes, what
        self._digest = hashlib.sha256()
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if not self._piece:
            self._piece = self._next()
        view = memoryview(buffer)
        count = min(len(view), len(self._piece))
        view[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def _next(self) -> memoryview:
        try:
            piece = next((piece for piece in self._pieces if piece), b"")
        except SkeletonDamaged as damage:
            raise lost(f"{self._what} is damaged") from damage
        self._digest.update(piece)
        self._left -= len(piece)
        ended_early = not piece and self._left > 0
        if ended_early or (self._left <= 0 and self._digest.hexdigest() != self._sha256):
            raise lost(f"{self._what} is damaged")
        return memoryview(piece)
