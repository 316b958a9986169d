"""Removes what may be removed, and keeps what is held.

    weeks      on PostgreSQL: where nothing of a week is to stay, its partitions are dropped
    the rest   AT_ONCE pushes a transaction, the oldest first; then their large contents

What is removed takes its idempotency key with it: were the sender to come with it again, it would be a new push.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, delete, exists, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from soapsvc.clock import Clock
from soapsvc.delivery_settings import RetentionSettings
from soapsvc.errors import NoSuchPush
from soapsvc.inbox import push_writes
from soapsvc.inbox.content_files import Key
from soapsvc.inbox.database import Database
from soapsvc.inbox.failures import describe, not_usable
from soapsvc.inbox.large_contents import LargeContents
from soapsvc.inbox.outbox import Writer
from soapsvc.inbox.outbox_tables import ATTEMPTS, DELIVERIES, HOLDS
from soapsvc.inbox.retention_bounds import PROTECTED, Cuts, Due, cuts, due, is_due
from soapsvc.inbox.retention_weeks import Week, drop_week, weeks_before
from soapsvc.inbox.tables import ARRIVALS, CONTENTS, DROP_DOCUMENTS, KEYS, PUSHES
from soapsvc.records import PushState

_LOG = structlog.get_logger(__name__)
AT_ONCE = 100  # pushes in one transaction, so that those that come in need not wait long
_P = PUSHES.c


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed: pushes, bytes of their request bodies, and weeks of them that were dropped whole."""

    pushes: int = 0
    bytes: int = 0
    weeks: int = 0

    def __add__(self, other: Removed) -> Removed:
        return Removed(self.pushes + other.pushes, self.bytes + other.bytes, self.weeks + other.weeks)


class Retention:
    """Of one inbox. Errors, of every method: StoreUnavailable.

    Promise  never removes a push that is held, or one with a delivery that has not arrived
    """

    def __init__(self, database: Database, writer: Callable[[], Writer], files: LargeContents, clock: Clock):
        self._database, self._writer, self._files, self._clock = database, writer, files, clock

    def due(self, settings: RetentionSettings) -> list[Due]:
        """What apply() would remove, by state."""
        with self._database.reading(patiently=True) as connection:
            return due(connection, cuts(connection, settings, self._clock()))

    def apply(self, settings: RetentionSettings, stopped: Callable[[], bool] = lambda: False) -> Removed:
        """Remove what is due; several workers may do it at once.

        stopped  asked between transactions; True: leave the rest for the next time
        """
        try:
            with self._database.reading(patiently=True) as connection:
                before = cuts(connection, settings, self._clock())
            done = self._drop_weeks(before, stopped) if self._database.path is None else Removed()
        except SQLAlchemyError as cause:
            raise not_usable(cause, "retention") from cause
        while not stopped():
            part, left = self._writer().commit(lambda connection: self._remove_some(connection, before))
            self._files.remove(left)
            if not part.pushes:
                break
            done += part
        return done

    def hold(self, push_id: str, reason: str) -> None:
        """Keep an accepted push until it is released. Errors: NoSuchPush."""

        def work(connection: Connection) -> None:
            state = connection.execute(select(_P.state).where(_P.id == push_id).with_for_update()).scalar()
            if state is None:
                raise NoSuchPush(f"No push with the id {push_id} is stored.")
            if state != PushState.ACCEPTED.value:
                raise NoSuchPush(
                    f"Push {push_id} is in quarantine, whose bounds make room: it cannot be held; export it."
                )
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(HOLDS)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[HOLDS.c.push_id], set_={"reason": statement.excluded.reason}
                ),
                {"push_id": push_id, "at": self._clock(), "reason": reason},
            )

        self._writer().commit(work)

    def release(self, push_id: str) -> bool:
        """False: nobody held it."""
        one = delete(HOLDS).where(HOLDS.c.push_id == push_id)
        return self._writer().commit(lambda connection: connection.execute(one).rowcount > 0)

    def _drop_weeks(self, before: Cuts, stopped: Callable[[], bool]) -> Removed:
        done = Removed()
        with self._database.patient_engine() as engine:
            with engine.connect() as connection, connection.begin():
                weeks = weeks_before(connection, max(before.values(), default=""))
            for week in weeks:
                if stopped():
                    break
                try:
                    with engine.connect() as connection, connection.begin():
                        pushes, size = drop_week(connection, week, before, self._clock())
                except SQLAlchemyError as cause:  # somebody reads just now: row by row, then, and no more locks
                    _LOG.info("week not dropped", week=week.name, cause=describe(cause))
                    break
                except Week.IsKept:
                    continue
                done += Removed(pushes, size, 1 if pushes else 0)
        return done

    def _remove_some(self, connection: Connection, before: Cuts) -> tuple[Removed, list[Key]]:
        columns = (_P.id, _P.state, _P.source_ip, _P.kept_bytes, _P.raw_bytes, _P.idempotency_key, _P.documents,
                   _P.document_bytes, _P.redeliveries, _P.conflict_of)  # fmt: skip
        some = select(*columns).where(is_due(before), ~PROTECTED).order_by(_P.id).limit(AT_ONCE)
        if PushState.QUARANTINED in before:
            push_writes.lock_quarantine(connection)  # whoever changes the quarantine begins there
        rows = connection.execute(some.with_for_update(of=PUSHES, skip_locked=True)).all()
        # once more, now that nobody can put it back or hold it: whoever did so meanwhile had the lock before
        kept = set(connection.execute(select(_P.id).where(_P.id.in_([row.id for row in rows]), PROTECTED)).scalars())
        rows = [row for row in rows if row.id not in kept]
        ids = [row.id for row in rows]
        if not ids:
            return Removed(), []
        large = select(CONTENTS.c.file_id, CONTENTS.c.sha256).where(
            CONTENTS.c.push_id.in_(ids), CONTENTS.c.file_id.is_not(None)
        )
        left = [(row.file_id, row.sha256) for row in connection.execute(large)]
        for table in (CONTENTS, ARRIVALS, DELIVERIES, ATTEMPTS, DROP_DOCUMENTS):
            connection.execute(delete(table).where(table.c.push_id.in_(ids)))
        connection.execute(delete(PUSHES).where(_P.id.in_(ids)))
        forget_keys(connection, [row.idempotency_key for row in rows if row.idempotency_key is not None])
        push_writes.count_removed(connection, rows)
        self._files.unnamed(connection, left)
        return Removed(len(ids), sum(row.raw_bytes for row in rows)), left


def forget_keys(connection: Connection, keys: list[str]) -> None:
    """The keys under which no push is left; a key that has others keeps its numbers."""
    other = KEYS.alias()
    left = exists().where(other.c.key == KEYS.c.key, PUSHES.c.id == other.c.push_id)
    connection.execute(delete(KEYS).where(KEYS.c.key.in_(keys), ~left))
