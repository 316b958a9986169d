"""What is done to the tables inside a transaction: store once, count, keep in quarantine, make room, take out again.

Each function is handed the connection of a transaction that another one commits (group_commit.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from soapsvc.errors import NoSuchPush
from soapsvc.inbox import push_record, totals
from soapsvc.inbox.content_files import Key
from soapsvc.inbox.driver_statements import insert_new_keys, insert_rows
from soapsvc.inbox.outbox_writes import queue
from soapsvc.inbox.push_rows import NewPush
from soapsvc.inbox.tables import (
    ARRIVALS,
    CONTENTS,
    DROP_DOCUMENTS,
    KEYS,
    PROBE,
    PUSHES,
    QUARANTINE_USE,
)
from soapsvc.records import Accepted, PushState

ARRIVALS_KEPT = 1000  # redeliveries of one push that are kept with time and source; the count goes on
EVICTED_AT_ONCE = 100  # pushes cleared away in one transaction, so that accepted ones need not wait long
_ALL_SOURCES = "*"  # the row of quarantine_use that holds the sum
_ATTEMPTS = 10  # to number a conflict, while other machines number some under the same key

_SAME_PUSH = (PUSHES.c.id, PUSHES.c.received_at, PUSHES.c.submit_id, PUSHES.c.conflict_of)


@dataclass(frozen=True, slots=True)
class Room:
    """What the quarantine may take, in bytes: in all, and for one source."""

    total: int
    per_source: int

    @property
    def smallest(self) -> int:
        """The largest push that could be kept."""
        return min(self.total, self.per_source)


@dataclass(frozen=True, slots=True)
class Releasing:
    """What became of a push that was taken out of quarantine.

    left  its files, where nothing names them any more
    """

    accepted: Accepted
    left: list[Key]


@dataclass(frozen=True, slots=True)
class Quarantining:
    """One step of keeping refused input.

    kept     False: room was made but not enough yet, and nothing of the push was stored
    evicted  contents that lost their rows and may have files
    """

    kept: bool
    evicted: tuple[Key, ...]


def store_all(connection: Connection, pushes: Sequence[NewPush]) -> list[Accepted]:
    """Insert each push, or count it when it is there already; in their order. The primary key of `keys` decides, not a
    look-up: an insert that meets it waits for the other transaction, and does nothing if that one commits."""
    new_ids = insert_new_keys(connection, [(new.push["idempotency_key"], 0, new.id) for new in pushes])
    first = [new for new in pushes if new.id in new_ids]
    _insert_accepted(connection, first)
    return [_accepted(new) if new.id in new_ids else _store_again(connection, new) for new in pushes]


def count_redelivery(connection: Connection, new: NewPush) -> Accepted | None:
    """The stored push that has the same key and content, counted once more; None: there is none."""
    found = connection.execute(_same_push(new)).mappings().first()
    return None if found is None else _count(connection, found, new)


def count_as(connection: Connection, push_id: str, new: NewPush) -> Accepted | None:
    """The stored push of that id, counted once more for what is known to be the same; None: there is none."""
    found = connection.execute(select(*_SAME_PUSH).where(PUSHES.c.id == push_id)).mappings().first()
    return None if found is None else _count(connection, found, new)


def _count(connection: Connection, found: RowMapping, new: NewPush) -> Accepted:
    one = PUSHES.c.id == found["id"]
    connection.execute(update(PUSHES).where(one).values(redeliveries=PUSHES.c.redeliveries + 1))
    n = connection.execute(select(PUSHES.c.redeliveries).where(one)).scalar_one()
    if n <= ARRIVALS_KEPT:
        connection.execute(
            insert(ARRIVALS),
            {
                "push_id": found["id"],
                "n": n,
                "received_at": new.push["received_at"],
                "source_ip": new.push["source_ip"],
            },
        )
    totals.add(connection, redeliveries=1)
    return as_redelivery(found)


def _same_push(new: NewPush) -> Any:
    """The query for the stored push that has the same key and content."""
    return (
        select(*_SAME_PUSH)
        .join(KEYS, KEYS.c.push_id == PUSHES.c.id)
        .where(
            KEYS.c.key == new.push["idempotency_key"],
            PUSHES.c.content_digest == new.push["content_digest"],
        )
    )


def as_redelivery(found: RowMapping) -> Accepted:
    """The same words as the first time."""
    return Accepted(
        id=found["id"],
        received_at=found["received_at"],
        submit_id=found["submit_id"],
        redelivery=True,
        conflict_of=found["conflict_of"],
    )


def keep_refused(connection: Connection, new: NewPush, room: Room) -> Quarantining:
    """Put refused input into quarantine; the oldest make room, those of its own source first."""
    source, size = new.push["source_ip"], new.push["kept_bytes"]
    _add_use(connection, source, size)
    evicted = _evict_until(connection, room.per_source, source)
    evicted += _evict_until(connection, room.total, None) if len(evicted) < EVICTED_AT_ONCE else []
    kept = _use(connection, source) <= room.per_source and _use(connection, _ALL_SOURCES) <= room.total
    files = tuple(key for keys in evicted for key in keys)
    if not kept and not evicted:
        raise RuntimeError("the quarantine has nothing left to clear away and still takes more than it may")
    if not kept:
        _add_use(connection, source, -size)
        return Quarantining(False, files)
    _insert_whole(connection, [new])
    return Quarantining(True, files)


def accept_kept(connection: Connection, new: NewPush) -> Releasing:
    """Take the push out of quarantine and store it like one that comes in, under the id that it has.

    Errors  NoSuchPush: it is not in quarantine (any more)
    """
    kept = _kept(connection, new)
    left = _take_out(connection, kept)
    (accepted,) = store_all(connection, [new.after(kept, _file_of_raw(left, kept))])
    return Releasing(accepted, left if accepted.redelivery or not _keeps_body(new) else [])


def refuse_again(connection: Connection, new: NewPush) -> None:
    """Put another verdict into the place of the one by which the push is in quarantine; the same: leave it alone.

    Errors  NoSuchPush: it is not in quarantine (any more)
    """
    kept = _kept(connection, new)
    if push_record.unpack(kept["record"])["verdict"] == new.verdict:
        return
    left = _take_out(connection, kept)
    new = new.after(kept, _file_of_raw(left, kept)).in_quarantine()
    _add_use(connection, kept["source_ip"], new.push["kept_bytes"])
    _insert_whole(connection, [new])


def lock_quarantine(connection: Connection) -> None:
    """Nobody else changes the quarantine until this transaction ends."""
    _add_use(connection, _ALL_SOURCES, 0)


def count_removed(connection: Connection, removed: Sequence[Any]) -> None:
    """Sums and quarantine without pushes that were removed.

    removed  rows of `pushes`, or sums of such rows with `pushes`, their number, and `conflicts`
    """
    rows = [row if isinstance(row, Mapping) else row._mapping for row in removed]
    accepted = [row for row in rows if row["state"] == PushState.ACCEPTED.value]
    if accepted:
        totals.add(
            connection,
            accepted=-sum(row.get("pushes", 1) for row in accepted),
            documents=-sum(row["documents"] for row in accepted),
            document_bytes=-sum(row["document_bytes"] for row in accepted),
            redeliveries=-sum(row["redeliveries"] for row in accepted),
            conflicts=-sum(
                row["conflicts"] if "conflicts" in row else row["conflict_of"] is not None for row in accepted
            ),
        )
    for row in rows:
        if row["state"] == PushState.QUARANTINED.value:
            _add_use(connection, row["source_ip"], -row["kept_bytes"])


def probe(connection: Connection, now: datetime) -> None:
    """Write something small that takes no room the second time."""
    if connection.execute(update(PROBE).where(PROBE.c.id == 1).values(written_at=now)).rowcount == 0:
        connection.execute(_insert(connection, PROBE).on_conflict_do_nothing(), {"id": 1, "written_at": now})


def quarantine_bytes(connection: Connection) -> int:
    """What the quarantine holds in all, as its bounds count it."""
    return _use(connection, _ALL_SOURCES)


def _insert(connection: Connection, table: Table) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def _accepted(new: NewPush) -> Accepted:
    return Accepted(
        id=new.id,
        received_at=new.push["received_at"],
        submit_id=new.push["submit_id"],
        conflict_of=new.push["conflict_of"],
    )


def _store_again(connection: Connection, new: NewPush) -> Accepted:
    """Count a push whose key is there already, or store it as a conflict with the first of that key."""
    of_key = KEYS.c.key == new.push["idempotency_key"]
    for _ in range(_ATTEMPTS):
        seen = count_redelivery(connection, new)
        if seen is not None:
            return seen
        first = connection.execute(select(KEYS.c.push_id).where(of_key).order_by(KEYS.c.n).limit(1)).scalar_one()
        n = connection.execute(select(func.max(KEYS.c.n)).where(of_key)).scalar_one() + 1
        if insert_new_keys(connection, [(new.push["idempotency_key"], n, new.id)]):
            new = new.in_conflict_with(first)
            _insert_accepted(connection, [new])
            return _accepted(new)
    raise RuntimeError("a unique key refuses a push again and again")


def _insert_accepted(connection: Connection, pushes: Sequence[NewPush]) -> None:
    if not pushes:
        return
    _insert_whole(connection, pushes)
    queue(connection, [(new.id, to, new.push["received_at"]) for new in pushes for to in new.deliveries])
    totals.add(
        connection,
        accepted=len(pushes),
        documents=sum(new.push["documents"] for new in pushes),
        document_bytes=sum(new.push["document_bytes"] for new in pushes),
        conflicts=sum(new.push["conflict_of"] is not None for new in pushes),
    )


def _insert_whole(connection: Connection, pushes: Sequence[NewPush]) -> None:
    insert_rows(connection, PUSHES, [new.push for new in pushes])
    insert_rows(connection, CONTENTS, [content for new in pushes for content in new.contents])
    drops = [{"sha256": sha256, "push_id": new.id} for new in pushes for sha256 in new.drop]
    insert_rows(connection, DROP_DOCUMENTS, drops)


def _use(connection: Connection, source: str) -> int:
    query = select(QUARANTINE_USE.c.kept_bytes).where(QUARANTINE_USE.c.source_ip == source)
    return int(connection.execute(query).scalar() or 0)


def _add_use(connection: Connection, source: str, kept_bytes: int) -> None:
    use = QUARANTINE_USE.c
    for name in (_ALL_SOURCES, source):  # the common row first: two nodes lock in the same order
        statement = _insert(connection, QUARANTINE_USE)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[use.source_ip], set_={"kept_bytes": use.kept_bytes + statement.excluded.kept_bytes}
            ),
            {"source_ip": name, "kept_bytes": kept_bytes},
        )
    connection.execute(delete(QUARANTINE_USE).where(use.source_ip == source, use.kept_bytes <= 0))


def _kept(connection: Connection, new: NewPush) -> RowMapping:
    """The row of the push in quarantine, which nobody else takes out or puts out until this transaction ends."""
    _add_use(connection, new.push["source_ip"], 0)  # for its lock: whoever changes the quarantine begins there
    one = select(PUSHES).where(PUSHES.c.id == new.id, PUSHES.c.state == PushState.QUARANTINED.value)
    kept = connection.execute(one).mappings().first()
    if kept is None:
        raise NoSuchPush(f"Push {new.id} is not in quarantine any more.")
    return kept


def _take_out(connection: Connection, kept: RowMapping) -> list[Key]:
    left = _remove(connection, kept["id"])
    _add_use(connection, kept["source_ip"], -kept["kept_bytes"])
    return left


def _keeps_body(new: NewPush) -> bool:
    return any(content["sha256"] == new.push["raw_sha256"] for content in new.contents)


def _file_of_raw(left: list[Key], kept: RowMapping) -> str | None:
    return next((file_id for file_id, sha256 in left if sha256 == kept["raw_sha256"]), None)


def _evict_until(connection: Connection, bound: int, source: str | None) -> list[list[Key]]:
    """Remove the oldest quarantined pushes until the use is within the bound, or EVICTED_AT_ONCE are gone."""
    over = _use(connection, _ALL_SOURCES if source is None else source) - bound
    if over <= 0:
        return []
    oldest = select(PUSHES.c.id, PUSHES.c.source_ip, PUSHES.c.kept_bytes).where(
        PUSHES.c.state == PushState.QUARANTINED.value
    )
    if source is not None:
        oldest = oldest.where(PUSHES.c.source_ip == source)
    evicted = []
    for row in connection.execute(oldest.order_by(PUSHES.c.id).limit(EVICTED_AT_ONCE)).all():
        evicted.append(_remove(connection, row.id))
        _add_use(connection, row.source_ip, -row.kept_bytes)
        over -= row.kept_bytes
        if over <= 0:
            break
    return evicted


def _remove(connection: Connection, push_id: str) -> list[Key]:
    """Remove a push's rows; the files that no row names any more."""
    large = select(CONTENTS.c.file_id, CONTENTS.c.sha256).where(
        CONTENTS.c.push_id == push_id, CONTENTS.c.file_id.is_not(None)
    )
    keys = [(row.file_id, row.sha256) for row in connection.execute(large)]
    for table, of in ((CONTENTS, CONTENTS.c.push_id), (ARRIVALS, ARRIVALS.c.push_id), (PUSHES, PUSHES.c.id)):
        connection.execute(delete(table).where(of == push_id))
    return keys
