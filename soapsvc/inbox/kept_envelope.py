"""A request body that is kept without its documents, to be read like a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from soapsvc.inbox.failures import lost
from soapsvc.inbox.skeleton_form import from_bytes
from soapsvc.skeleton import SkeletonDamaged, opened, rebuild


def open_rebuilt(
    stored: bytes, open_document: Callable[[int], BinaryIO], sha256: str, size_bytes: int, what: str
) -> BinaryIO:
    """The request body, checked while it is read. Errors: StoreUnavailable, also from read(): lost.

    stored         what is kept of it (skeleton_form.py)
    open_document  the distinct document of this index, from 0
    sha256, size_bytes  of the whole
    what           it is, for a sentence
    """
    try:
        skeleton = from_bytes(stored)
    except SkeletonDamaged as damage:
        raise lost(f"{what} is damaged in the database") from damage
    if skeleton.raw_bytes != size_bytes:
        raise lost(f"{what} is damaged in the database")
    return opened(_checked(rebuild(skeleton, open_document), sha256, size_bytes, what))


def _checked(pieces: Iterator[bytes], sha256: str, size_bytes: int, what: str) -> Iterator[bytes]:
    """Those pieces; the last one only when all of them are what was received."""
    digest, left = hashlib.sha256(), size_bytes
    try:
        for piece in pieces:
            digest.update(piece)
            left -= len(piece)
            if left <= 0 and digest.hexdigest() != sha256:
                break
            yield piece
    except SkeletonDamaged as damage:
        raise lost(f"{what} is damaged") from damage
    if left or digest.hexdigest() != sha256:
        raise lost(f"{what} is damaged")
