"""The exchanges of the public listener, in a file of their own: what a packet sniffer would show, after the fact.

It never slows nor endangers the inbox: a receiver puts an exchange on a short queue and goes on, a thread writes what
has gathered, nothing is synced, and whatever fails here is logged and forgotten. Of many exchanges in a second only
PER_SECOND are kept, those that were refused first of all. A request's body is not kept again: a push has it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from threading import Event, Thread

import structlog

from soapsvc.clock import Clock, utc_now
from soapsvc.inbox.exchange import Exchange
from soapsvc.inbox.search_query import micros, moment_of, source_key

_LOG = structlog.get_logger(__name__)
FORM = 1  # of the table; a file of another one is made anew
PER_SECOND = 100  # of a process: a page of them is more than anybody reads, and they cost a hundredth of its time
QUEUED = 1000  # what is refused has a place as long as there is one
WRITE_SECONDS = 0.4
PRUNE_SECONDS = 60.0
BUSY_SECONDS = 5.0

_TABLES = f"""
CREATE TABLE IF NOT EXISTS exchanges (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,                -- microseconds since 1970
    source_ip TEXT NOT NULL,
    source_key BLOB NOT NULL,
    outcome TEXT NOT NULL,
    push_id TEXT,
    status INTEGER NOT NULL,
    milliseconds REAL NOT NULL,
    told TEXT NOT NULL,                 -- the rest, as JSON
    answer_body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_at ON exchanges (at);
CREATE INDEX IF NOT EXISTS by_push ON exchanges (push_id) WHERE push_id IS NOT NULL;
PRAGMA user_version = {FORM};
"""

Late = Callable[[], Exchange]
"""Makes an exchange of what was noted, in the writer's time."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which exchanges are looked at; everything given has to hold.

    source   address or range; push_id: those that became this push; since, until: aware; until: before
    """

    source: IPv4Network | IPv6Network | None = None
    outcome: str | None = None
    push_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """How many exchanges are kept at most, and for how many days."""

    exchanges: int
    days: int


class ExchangeLog:
    """The log at a path. Any number of processes write to it, and read it."""

    def __init__(self, path: Path, kept: Kept, clock: Clock = utc_now):
        self._path, self._kept, self._clock = path, kept, clock
        self._queue: deque[Late] = deque()
        self._closing = Event()
        self._second, self._of_second, self._passed_over = 0, 0, 0
        self._thread: Thread | None = None

    # -- what a receiver does --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Write from now on what is noted."""
        self._thread = Thread(target=self._write, name="exchange-log", daemon=True)
        self._thread.start()

    def note(self, late: Late, *, ordinary: bool) -> None:
        """Keep an exchange soon. ordinary: it may be passed over when there are many. Takes a microsecond."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._of_second = second, 0
        self._of_second += 1
        if (ordinary and self._of_second > PER_SECOND) or len(self._queue) >= QUEUED:
            self._passed_over += 1
        else:
            self._queue.append(late)

    def close(self) -> None:
        """Write what is left, and end."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    # -- what a page asks ------------------------------------------------------------------------------------------

    def exchanges(self, wanted: Wanted, *, before: int | None = None, limit: int = 50) -> list[Exchange]:
        """Newest first; before: those with a smaller number."""
        where, values = _conditions(wanted)
        if before is not None:
            where.append("n < ?")
            values.append(before)
        # S608: the conditions are those of _conditions, and what was asked for goes in as values
        statement = f"SELECT * FROM exchanges WHERE {' AND '.join(where) or '1'} ORDER BY n DESC LIMIT ?"  # noqa: S608
        with self._reading() as connection:
            return [_exchange(row) for row in connection.execute(statement, [*values, limit])]

    def exchange(self, n: int) -> Exchange | None:
        """One of them; None: it is not there (any more)."""
        with self._reading() as connection:
            row = connection.execute("SELECT * FROM exchanges WHERE n = ?", (n,)).fetchone()
            return None if row is None else _exchange(row)

    def milliseconds(self, since: datetime, limit: int = 100_000) -> list[tuple[datetime, float, str]]:
        """When, how long and with which outcome pushes were answered since then, oldest first."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT at, milliseconds, outcome FROM exchanges WHERE at >= ? AND push_id IS NOT NULL "
                "ORDER BY at DESC LIMIT ?",
                (micros(since), limit),
            ).fetchall()
        return [(moment_of(row[0]), float(row[1]), str(row[2])) for row in reversed(rows)]

    # -- how it is done ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if not self._path.exists():
            with contextlib.closing(sqlite3.connect(":memory:")) as empty:
                empty.executescript(_TABLES)
                empty.row_factory = sqlite3.Row
                yield empty
            return
        with contextlib.closing(self._connect()) as connection:
            connection.execute("PRAGMA query_only = 1")
            yield connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def _opened(self) -> sqlite3.Connection:
        """To write; the file is made where it is missing, of another form, or damaged."""
        try:
            return self._with_tables()
        except sqlite3.DatabaseError as cause:
            if isinstance(cause, sqlite3.OperationalError):
                raise
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            return self._with_tables()

    def _with_tables(self) -> sqlite3.Connection:
        # made here, since SQLite would leave it readable for everybody
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = self._connect()
        try:
            connection.execute("PRAGMA journal_mode = wal")
            if connection.execute("PRAGMA user_version").fetchone()[0] not in (0, FORM):
                connection.execute("DROP TABLE IF EXISTS exchanges")
            connection.executescript(_TABLES)
        except BaseException:
            connection.close()
            raise
        return connection

    def _write(self) -> None:
        connection: sqlite3.Connection | None = None
        prune_at = 0.0
        while True:
            last = self._closing.wait(WRITE_SECONDS)
            try:
                if self._queue and connection is None:
                    connection = self._opened()
                if connection is not None:
                    self._write_queued(connection)
                    if time.monotonic() > prune_at or last:
                        self._prune(connection)
                        prune_at = time.monotonic() + PRUNE_SECONDS
            except (sqlite3.Error, OSError) as cause:
                self._queue.clear()
                _LOG.warning("exchanges not kept", cause=str(cause))
                if connection is not None:
                    connection.close()
                    connection = None
            if self._passed_over:
                passed_over, self._passed_over = self._passed_over, 0
                _LOG.debug("exchanges passed over", number=passed_over)
            if last:
                break
        if connection is not None:
            connection.close()

    def _write_queued(self, connection: sqlite3.Connection) -> None:
        rows = []
        while self._queue:
            rows.append(_row(self._queue.popleft()()))
        if rows:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO exchanges (at, source_ip, source_key, outcome, push_id, status, milliseconds, told, "
                "answer_body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            connection.execute("COMMIT")

    def _prune(self, connection: sqlite3.Connection) -> None:
        oldest = micros(self._clock() - timedelta(days=self._kept.days))
        connection.execute(
            "DELETE FROM exchanges WHERE n <= (SELECT max(n) FROM exchanges) - ? OR at < ?",
            (self._kept.exchanges, oldest),
        )


def _conditions(wanted: Wanted) -> tuple[list[str], list[object]]:
    where: list[str] = []
    values: list[object] = []
    if wanted.source is not None:
        where.append("source_key BETWEEN ? AND ?")
        values += [source_key(str(wanted.source.network_address)), source_key(str(wanted.source.broadcast_address))]
    for condition, value in (
        ("outcome = ?", wanted.outcome),
        ("push_id = ?", wanted.push_id),
        ("at >= ?", wanted.since and micros(wanted.since)),
        ("at < ?", wanted.until and micros(wanted.until)),
    ):
        if value is not None:
            where.append(condition)
            values.append(value)
    return where, values


def _row(one: Exchange) -> tuple[object, ...]:
    told = {
        "peer": one.peer, "request_line": one.request_line, "http_headers": one.http_headers,
        "body_bytes": one.body_bytes, "answer_headers": one.answer_headers, "answer_bytes": one.answer_bytes,
        "stages": one.stages,
    }  # fmt: skip
    return (
        micros(one.at), one.source_ip, source_key(one.source_ip), one.outcome, one.push_id, one.status,
        one.milliseconds, json.dumps(told), one.answer_body,
    )  # fmt: skip


def _exchange(row: sqlite3.Row) -> Exchange:
    told = json.loads(row["told"])
    for name in ("http_headers", "answer_headers", "stages"):
        told[name] = tuple((first, second) for first, second in told[name])
    return Exchange(
        at=moment_of(row["at"]), source_ip=row["source_ip"], push_id=row["push_id"], outcome=row["outcome"],
        status=row["status"], answer_body=row["answer_body"], n=row["n"], **told,
    )  # fmt: skip
