"""Which large contents have no row, for receivers on many machines that share a database.

A row of `pending_contents` is written before a content is placed, and removed by the transaction that writes the
push's rows. So what is left there is what nobody came back to, and no list of all contents is ever read.

    announce ── place ── BEGIN, rows of the push, named() ── COMMIT ── acknowledge
                                        │ holds the lock on the pending row until it is known how the COMMIT ended
    remove(), sweep(): FOR UPDATE SKIP LOCKED ── remove the content ── remove the pending row

Without that lock a commit in doubt were a trap: one that waits for its standby is not to be seen yet, its content
looked like an orphan, was removed, and then the row appeared.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

import structlog
from sqlalchemy import Connection, Engine, delete, select, tuple_
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError

from soapsvc.errors import StoreUnavailable
from soapsvc.inbox.content_files import ORPHAN_AGE_SECONDS, Key
from soapsvc.inbox.content_tables import PENDING_CONTENTS
from soapsvc.inbox.failures import describe
from soapsvc.spool import Content

if TYPE_CHECKING:
    from soapsvc.inbox.large_contents import ContentPlace

_LOG = structlog.get_logger(__name__)
_P = PENDING_CONTENTS.c


class ContentLedger:
    """A place for large contents, with its ledger in the database.

    engine  whose transactions may write
    """

    def __init__(self, place: ContentPlace, engine: Engine):
        self._place, self._engine = place, engine

    @property
    def where(self) -> str:
        return self._place.where

    def is_anothers(self) -> bool:
        return self._place.is_anothers()

    def make(self) -> None:
        self._place.make()

    def place(self, file_id: str, content: Content) -> None:
        with self._engine.begin() as connection:
            self.unnamed(connection, [(file_id, content.sha256)])
        self._place.place(file_id, content)

    def open(self, key: Key, size_bytes: int, what: str) -> BinaryIO:
        return self._place.open(key, size_bytes, what)

    def holds(self, key: Key, size_bytes: int) -> bool:
        return self._place.holds(key, size_bytes)

    def named(self, connection: Connection, keys: list[Key]) -> None:
        if not keys:
            return
        taken = connection.execute(
            delete(PENDING_CONTENTS)
            .where(tuple_(_P.file_id, _P.sha256).in_(keys))
            .execution_options(preserve_rowcount=True)
        )
        if taken.rowcount != len(keys):
            raise StoreUnavailable("The push took too long to be stored; nothing was stored. Send it again.")

    def unnamed(self, connection: Connection, keys: list[Key]) -> None:
        for file_id, sha256 in sorted(keys):
            statement = postgresql.insert(PENDING_CONTENTS)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[_P.file_id, _P.sha256], set_={"since": statement.excluded.since}
                ),
                {"file_id": file_id, "sha256": sha256, "since": datetime.now(UTC)},
            )

    def remove(self, keys: list[Key]) -> None:
        for key in keys:
            try:
                self._clear(_P.file_id == key[0], _P.sha256 == key[1])
            except (OSError, SQLAlchemyError) as error:
                _LOG.warning("inbox content not removed", file_id=key[0], cause=describe(error))

    def sweep(self, now: float, known: Callable[[Key], bool]) -> int:
        before = datetime.fromtimestamp(now - ORPHAN_AGE_SECONDS, UTC)
        removed = 0
        while self._clear(_P.since < before, unless=known):
            removed += 1
        return removed

    def _clear(self, *which: object, unless: Callable[[Key], bool] = lambda key: False) -> bool:
        """Remove one content that nobody's transaction is about to name, and forget it. False: there is none."""
        one = select(_P.file_id, _P.sha256).where(*which).limit(1).with_for_update(skip_locked=True)  # type: ignore[arg-type]
        with self._engine.begin() as connection:
            found = connection.execute(one).first()
            if found is None:
                return False
            key = (found.file_id, found.sha256)
            if not unless(key):
                self._place.discard(key)
            connection.execute(delete(PENDING_CONTENTS).where(_P.file_id == key[0], _P.sha256 == key[1]))
            return True
