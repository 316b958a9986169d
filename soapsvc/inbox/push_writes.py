"""What is done to the tables inside a transaction: store once, count, keep in quarantine, make room, take out again.

Each function is handed the connection of a transaction that another one commits (group_commit.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from soapsvc.errors import NoSuchPush
from soapsvc.inbox.content_files import Key
from soapsvc.inbox.push_rows import NewPush
from soapsvc.inbox.tables import ARRIVALS, CONTENTS, DOCUMENTS, PROBE, PUSHES, QUARANTINE_USE
from soapsvc.records import Accepted, PushState

ARRIVALS_KEPT = 1000  # redeliveries of one push that are kept with time and source; the count goes on
EVICTED_AT_ONCE = 100  # pushes cleared away in one transaction, so that accepted ones need not wait long
_ALL_SOURCES = "*"  # the row of quarantine_use that holds the sum

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

    left  its files, where its content is stored already under another id
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


def store_once(connection: Connection, new: NewPush) -> Accepted:
    """Insert the push, or count it when it is there already. The unique indexes of `pushes` decide, not a look-up:
    an insert that meets them waits for the other transaction, and does nothing if that one commits."""
    if not _insert_push(connection, new):
        seen = count_redelivery(connection, new)
        if seen is not None:
            return seen
        first = _first_of_key(connection, new)
        new = new.in_conflict_with(first)
        if not _insert_push(connection, new):
            seen = count_redelivery(connection, new)
            if seen is None:
                raise RuntimeError("a unique key refused a push that is not there")
            return seen
    _insert_parts(connection, new)
    return Accepted(
        id=new.id,
        received_at=new.push["received_at"],
        submit_id=new.push["submit_id"],
        conflict_of=new.push["conflict_of"],
    )


def count_redelivery(connection: Connection, new: NewPush) -> Accepted | None:
    """The stored push that has the same key and content, counted once more; None: there is none."""
    found = connection.execute(same_push(new)).mappings().first()
    if found is None:
        return None
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
    return as_redelivery(found)


def same_push(new: NewPush) -> Any:
    """The query for the stored push that has the same key and content."""
    return select(*_SAME_PUSH).where(
        PUSHES.c.idempotency_key == new.push["idempotency_key"], PUSHES.c.content_digest == new.push["content_digest"]
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
    connection.execute(insert(PUSHES), new.push)
    _insert_parts(connection, new)
    return Quarantining(True, files)


def accept_kept(connection: Connection, new: NewPush) -> Releasing:
    """Take the push out of quarantine and store it like one that comes in, under the id that it has.

    Errors  NoSuchPush: it is not in quarantine (any more)
    """
    kept = _kept(connection, new)
    left = _take_out(connection, kept)
    accepted = store_once(connection, new.after(kept, _file_of_raw(left, kept)))
    return Releasing(accepted, left if accepted.redelivery else [])


def refuse_again(connection: Connection, new: NewPush) -> None:
    """Put another verdict into the place of the one by which the push is in quarantine; the same: leave it alone.

    Errors  NoSuchPush: it is not in quarantine (any more)
    """
    kept = _kept(connection, new)
    if kept["verdict"] == new.push["verdict"]:
        return
    left = _take_out(connection, kept)
    new = new.after(kept, _file_of_raw(left, kept)).in_quarantine()
    _add_use(connection, kept["source_ip"], new.push["kept_bytes"])
    connection.execute(insert(PUSHES), new.push)
    _insert_parts(connection, new)


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


def _insert_push(connection: Connection, new: NewPush) -> bool:
    statement = _insert(connection, PUSHES).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return bool(connection.execute(statement, new.push).rowcount)


def _insert_parts(connection: Connection, new: NewPush) -> None:
    connection.execute(insert(CONTENTS), new.contents)
    if new.documents:
        connection.execute(insert(DOCUMENTS), new.documents)


def _first_of_key(connection: Connection, new: NewPush) -> str:
    query = select(PUSHES.c.id).where(
        PUSHES.c.idempotency_key == new.push["idempotency_key"], PUSHES.c.conflict_of.is_(None)
    )
    return str(connection.execute(query).scalar_one())


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
    connection.execute(delete(PUSHES).where(PUSHES.c.id == push_id))  # its parts go with it: ON DELETE CASCADE
    return keys
