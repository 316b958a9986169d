"""On PostgreSQL: a week of which nothing is to stay is removed by dropping its partitions, in one transaction.

    look whether all is due ── note the large contents, forget the keys, and the sums of the search index ── LOCK, at
    most LOCK_SECONDS ── look once more ── DROP ── COMMIT

All that takes long is done before the lock, for which who pushes waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, func, or_, select, text

from soapsvc.inbox import push_writes, search_sums, totals
from soapsvc.inbox.partitions import PARTITIONED, partition_name, weeks_made
from soapsvc.inbox.push_id import first_id_of
from soapsvc.inbox.retention_bounds import PROTECTED, Cuts, is_due
from soapsvc.inbox.tables import DROP_DOCUMENTS, PUSHES
from soapsvc.records import PushState

LOCK_SECONDS = 1
_P = PUSHES.c


@dataclass(frozen=True, slots=True)
class Week:
    """One week's partitions: ids from `first` to before `after`."""

    name: str
    begins: datetime
    ends: datetime
    first: str
    after: str

    class IsKept(Exception):
        """Something in it is not due, held or not delivered."""


def weeks_before(connection: Connection, cut: str) -> list[Week]:
    """The weeks that end at that id or before it, oldest first."""
    made = [
        Week(partition_name("pushes", begins), begins, ends, first_id_of(begins), first_id_of(ends))
        for begins, ends in weeks_made(connection)
    ]
    return [week for week in made if week.after <= cut]


def drop_week(connection: Connection, week: Week, before: Cuts, now: datetime) -> tuple[int, int]:
    """Drop it; how many pushes it had, and the bytes of their request bodies.

    Errors  Week.IsKept: nothing was done; SQLAlchemyError: the lock was not to be had in time
    """
    within = and_(_P.id >= week.first, _P.id < week.after)
    bounds = {"first": week.first, "after": week.after}
    held = _sums(connection, within, before)
    # the sweep removes them in an hour: they lie in the database, in files or in a store of objects
    connection.execute(text(_NOTE_CONTENTS), bounds | {"now": now})
    connection.execute(text(_FORGET_KEYS), bounds)
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
    search_sums.lock(connection)  # as the indexer does it: before the entries
    search_sums.forget(connection, week.begins, week.ends)
    connection.execute(text(f"LOCK TABLE {', '.join(PARTITIONED)}, holds IN ACCESS EXCLUSIVE MODE"))
    if _sums(connection, within, before) != held:
        raise Week.IsKept
    with totals.gathering(connection):
        push_writes.count_removed(connection, held)
        of_week = DROP_DOCUMENTS.c.push_id
        connection.execute(delete(DROP_DOCUMENTS).where(of_week >= week.first, of_week < week.after))
        for table in PARTITIONED:
            connection.execute(text(f"DROP TABLE {partition_name(table, week.begins)}"))
    return sum(row["pushes"] for row in held), sum(row["raw_bytes"] for row in held)


def _sums(connection: Connection, within: Any, before: Cuts) -> list[Mapping[str, Any]]:
    """What is to be counted off, a row for accepted pushes and one for each source of refused ones.

    Errors  Week.IsKept
    """
    stays = select(_P.id).where(within, or_(~is_due(before), PROTECTED)).limit(1)
    if connection.execute(stays).first() is not None:
        raise Week.IsKept
    names = ("documents", "document_bytes", "redeliveries", "kept_bytes", "raw_bytes")
    columns = [
        *(func.sum(_P[name]).label(name) for name in names),
        func.count().label("pushes"),
        func.count(_P.conflict_of).label("conflicts"),
    ]
    accepted = select(*columns).where(within, _P.state == PushState.ACCEPTED.value)
    refused = select(*columns, _P.source_ip).where(within, _P.state == PushState.QUARANTINED.value)
    rows: list[Mapping[str, Any]] = []
    for state, query in (
        (PushState.ACCEPTED, accepted),
        (PushState.QUARANTINED, refused.group_by(_P.source_ip).order_by(_P.source_ip)),
    ):
        for row in connection.execute(query).mappings():
            sums = {name: value if isinstance(value, str) else int(value or 0) for name, value in row.items()}
            if sums["pushes"]:
                rows.append({"state": state.value, **sums})
    return rows


_NOTE_CONTENTS = """
INSERT INTO pending_contents (file_id, sha256, since)
SELECT file_id, encode(sha256, 'hex'), :now FROM contents
WHERE push_id >= :first AND push_id < :after AND file_id IS NOT NULL
ON CONFLICT (file_id, sha256) DO UPDATE SET since = excluded.since
"""
_FORGET_KEYS = """
DELETE FROM keys WHERE key IN (
    SELECT idempotency_key FROM pushes WHERE id >= :first AND id < :after AND idempotency_key IS NOT NULL
) AND NOT EXISTS (
    SELECT 1 FROM keys other JOIN pushes p ON p.id = other.push_id
    WHERE other.key = keys.key AND (p.id < :first OR p.id >= :after)
)
"""
