"""Large contents in the database itself: pieces of 1 MiB, so that no process ever holds more of one in memory."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

from sqlalchemy import Engine, delete, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from soapsvc.inbox.content_files import Key, checked
from soapsvc.inbox.content_tables import CONTENT_PIECES
from soapsvc.inbox.failures import not_usable
from soapsvc.spool import Content

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PIECE_BYTES = 1024 * 1024
_P = CONTENT_PIECES.c


class ContentPieces:
    """Contents as rows of `content_pieces`. SQLAlchemyError comes out as it is, but from open().

    engine  whose transactions may write
    """

    def __init__(self, engine: Engine):
        self._engine = engine

    @property
    def where(self) -> str:
        return "The database"

    def is_anothers(self) -> bool:
        return False  # they lie in the database that names them

    def make(self) -> None:
        """Nothing: the migrations have made the table."""

    def place(self, file_id: str, content: Content) -> None:
        """Each piece in a transaction of its own. Only the last one waits for the disk, and with it all before it:
        the server writes its log in order."""
        with content.open() as reader:
            n, piece = 0, reader.read(PIECE_BYTES)
            while True:
                following = reader.read(PIECE_BYTES) if len(piece) == PIECE_BYTES else b""
                with self._engine.begin() as connection:
                    if following:
                        connection.execute(text("SET LOCAL synchronous_commit = off"))
                    connection.execute(
                        insert(CONTENT_PIECES),
                        {"file_id": file_id, "sha256": content.sha256, "n": n, "piece": piece},
                    )
                if not following:
                    return
                n, piece = n + 1, following

    def open(self, key: Key, size_bytes: int, what: str) -> BinaryIO:
        return checked(_Pieces(self._engine, key, what), key[1], size_bytes, f"{what} is damaged in the database")

    def holds(self, key: Key, size_bytes: int) -> bool:
        with self._engine.connect() as connection:
            found = select(func.sum(func.length(_P.piece))).where(*_of(key))
            return int(connection.execute(found).scalar() or 0) == size_bytes

    def discard(self, key: Key) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(CONTENT_PIECES).where(*_of(key)))


class _Pieces(io.RawIOBase):
    """Reads one piece after the other, each in a short transaction: a slow reader keeps no connection."""

    def __init__(self, engine: Engine, key: Key, what: str):
        self._engine, self._key, self._what = engine, key, what
        self._n, self._left = 0, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        if not self._left:
            self._left = memoryview(self._next())
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def _next(self) -> bytes:
        query = select(_P.piece).where(*_of(self._key), _P.n == self._n)
        try:
            with self._engine.connect() as connection:
                found: bytes | None = connection.execute(query).scalar()
        except SQLAlchemyError as cause:
            raise not_usable(cause, self._what) from cause
        self._n += 1
        return found or b""


def _of(key: Key) -> tuple[Any, Any]:
    return _P.file_id == key[0], _P.sha256 == key[1]
