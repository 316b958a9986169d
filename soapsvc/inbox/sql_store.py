"""The inbox in a SQL database, with a place for what is large: keeps what inbox.store promises."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, BinaryIO

import structlog
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from soapsvc.clock import Clock, utc_now
from soapsvc.errors import NoSuchPush, StoreError
from soapsvc.inbox import drops, intake_ledger, push_writes
from soapsvc.inbox.content_files import Key
from soapsvc.inbox.database import Database, beside, inbox_url, sqlite_path
from soapsvc.inbox.driver_statements import holds_push
from soapsvc.inbox.failures import CommitInDoubt, InboxDamaged, describe, lost, not_stored, not_usable
from soapsvc.inbox.group_commit import GroupCommit, Told
from soapsvc.inbox.kept_envelope import open_rebuilt
from soapsvc.inbox.large_contents import LargeContents, large_contents
from soapsvc.inbox.outbox import Outbox, OutboxWriter, deliveries_of, hold_of
from soapsvc.inbox.partitions import make_partitions
from soapsvc.inbox.postgres_index import PostgresIndex
from soapsvc.inbox.push_id import ID_CHARS, may_be_part
from soapsvc.inbox.push_record import documents_of, unpack
from soapsvc.inbox.push_rows import (
    LIST_COLUMNS,
    NewPush,
    accepted_push,
    inbox_row,
    quarantined_push,
    stored_push,
)
from soapsvc.inbox.retention import Retention
from soapsvc.inbox.search_index import SearchIndex
from soapsvc.inbox.spools import Spools
from soapsvc.inbox.sqlite_index import SqliteIndex
from soapsvc.inbox.store import Submit
from soapsvc.inbox.tables import ARRIVALS, CONTENTS, PUSHES, TOTALS
from soapsvc.records import (
    Accepted,
    InboxRow,
    InboxStats,
    Push,
    PushState,
    RefusedPush,
    StoredPush,
    TakenIn,
    Verdict,
)

_LOG = structlog.get_logger(__name__)
Route = Callable[[Push], tuple[str, ...]]
PAGE_ROWS = 100  # a list is read page by page: a long transaction would keep the WAL from being checkpointed
SWEEP_SECONDS = 3600.0  # on a database server, where receivers run for months
READ_BACK = 16  # pushes acknowledged last that are read again after a failure, before anything else is acknowledged


def to_nobody(_push: Push) -> tuple[str, ...]:
    """The route of an inbox without deliveries."""
    return ()


def open_store(
    url: str,
    *,
    quarantine_max_bytes: int,
    quarantine_max_bytes_per_source: int,
    clock: Clock = utc_now,
    create: bool = True,
    documents: str | None = None,
    spool: Path | None = None,
    route: Route = to_nobody,
) -> SqlStore:
    """Open the inbox behind a SQLAlchemy URL, with its tables brought up to date.

    create     make it where it is missing, and clear away what a killed process left; False for those who only look
    documents  of an inbox on a database server: where large contents lie, a URL of file: or s3:; None: in the database
    spool      of such an inbox: this machine's directory for what is not stored yet; None: in the one for temporary
               files. What belongs to a SQLite inbox lies beside it
    route      names of the targets that an accepted push is queued for, in the transaction that stores it
    Errors     StoreError: there is none, or it is of another kind or newer; StoreUnavailable: it cannot be opened
    """
    parsed = inbox_url(url)
    spools = Spools.of(sqlite_path(parsed), spool)
    room = push_writes.Room(quarantine_max_bytes, quarantine_max_bytes_per_source)
    try:
        database = Database(parsed, create=create)
        try:
            contents = large_contents(documents, database, sqlite_path(parsed))
            return SqlStore(database, contents, spools, room, clock, create, route)
        except BaseException:
            database.close()
            raise
    except (SQLAlchemyError, OSError, InboxDamaged) as cause:
        raise not_usable(cause, "open") from cause


def make_store(url: str) -> None:
    """Make the tables of an inbox where they are missing. What is in the way, who opens it meets and tells."""
    with suppress(StoreError, SQLAlchemyError, OSError, InboxDamaged):
        Database(inbox_url(url), create=True).close()


class SqlStore:
    """An open inbox; one for each process, opened after the process was forked. Threads share it."""

    def __init__(
        self,
        database: Database,
        contents: LargeContents,
        spools: Spools,
        room: push_writes.Room,
        clock: Clock,
        receives: bool,
        route: Route = to_nobody,
    ):
        self._route = route
        self._database, self._room, self._clock = database, room, clock
        self._files, self._spools, self._receives = contents, spools, receives
        self._writer = GroupCommit(
            self._store_all, database.check_file, database.writer.connect, self._verify, database.turn
        )
        self._outbox_writer = OutboxWriter(database, self._writer)
        self.outbox = Outbox(database, self._outbox_writer, clock)
        self.retention = Retention(database, self._outbox_writer, contents, clock)
        self._acknowledged: deque[str] = deque(maxlen=READ_BACK)
        self._doubtful: list[Key] = []  # files of pushes whose commit may or may not have taken place
        self._doubtful_lock = Lock()
        self._closing = Event()
        self._sweeper = Thread(target=self._keep_swept, name="inbox-sweep", daemon=True) if receives else None
        if self._sweeper is not None:
            spools.make()
            if self._files.is_anothers():
                raise StoreError(
                    f"{contents.where} holds documents of another inbox than the database: put the "
                    "database back that they belong to, or move the documents to where that database is now."
                )
            spools.clear_dead()
            self._make_partitions()
            self._sweeper.start()

    @property
    def spool_directory(self) -> Path:
        try:
            return self._spools.own()
        except OSError as cause:
            raise not_stored(cause, "spool") from cause

    def companion(self, name: str) -> Path:
        """Where a file lies that goes with this inbox: beside a SQLite file (inbox.db.NAME), else in the spool."""
        return beside(self._database.path, f".{name}") if self._database.path else self._spools.root / f"{name}.db"

    def search_index(self) -> SearchIndex:
        """What its lists search; for the process that shows them."""
        if self._database.path is None:
            return PostgresIndex(self._database)
        return SqliteIndex(self.companion("index"), self._database.inbox_id)

    # -- what a receiver asks ------------------------------------------------------------------------------------

    def accept(self, push: Push, verdict: Verdict) -> Accepted:
        new = accepted_push(push, verdict).queued_for(self._route(push))
        if new.large and self._is_stored(new):  # files are not made for what only needs counting
            key = str(new.push["idempotency_key"])
            counted = self._writer.commit(lambda connection: push_writes.count_redelivery(connection, new), key)
            if counted is not None:
                return counted
        with self._placed(new):
            accepted = self._writer.store(new)
        self._committed(new, accepted)
        return accepted

    def prepare(self, push: Push, verdict: Verdict) -> Submit | None:
        new = accepted_push(push, verdict).queued_for(self._route(push))
        if new.large:
            return None

        def submit(told: Told) -> None:
            def committed(outcome: Accepted | Exception) -> None:
                if isinstance(outcome, Accepted):
                    self._committed(new, outcome)
                told(outcome)

            self._writer.submit(new, committed)

        return submit

    def take_in(self, push: Push, verdict: Verdict, taken: TakenIn) -> Accepted:
        new = accepted_push(push, verdict).queued_for(self._route(push))
        with self._placed(new):
            key = str(new.push["idempotency_key"])
            accepted = self._writer.commit(lambda connection: self._take_in(connection, new, taken), key)
        self._committed(new, accepted)
        return accepted

    def take_in_refused(self, refused: RefusedPush, taken: TakenIn) -> str | None:
        kept = self.quarantine(refused, taken)
        if kept is None:
            note = intake_ledger.note
            self._writer.commit(lambda connection: note(connection, taken, intake_ledger.REFUSED, self._clock()))
        return kept

    def taken_in(self, source: str) -> dict[str, str]:
        with self._reading(patiently=True) as connection:
            return intake_ledger.outcomes(connection, source)

    def keep_ledger(self, source: str, gone: list[str], state: str | None) -> None:
        self._writer.commit(lambda connection: intake_ledger.keep(connection, source, gone, state, self._clock()))

    def quarantine(self, refused: RefusedPush, taken: TakenIn | None = None) -> str | None:
        new = quarantined_push(refused)
        size = new.push["kept_bytes"]
        if size > self._room.smallest:
            _LOG.warning("refused input not kept", source_ip=new.push["source_ip"], size_bytes=size)
            return None
        room = self._quarantine_room()
        if size > room.smallest:
            raise not_stored(OSError(errno.ENOSPC, "no room for refused input"), "quarantine")
        with self._placed(new):
            while True:
                done = self._writer.commit(lambda connection: self._keep_refused(connection, new, room, taken))
                self._files.remove(list(done.evicted))
                if done.kept:
                    return new.id

    def accept_kept(self, push_id: str, push: Push, verdict: Verdict) -> Accepted:
        new = accepted_push(push, verdict).queued_for(self._route(push)).instead_of(push_id, self._clock())
        with self._placed(new):
            done = self._writer.commit(lambda connection: self._accept_kept(connection, new))
        self._committed(new, done.accepted)
        self._files.remove(done.left)
        return done.accepted

    def refuse_again(self, push_id: str, refused: RefusedPush) -> None:
        new = quarantined_push(refused).instead_of(push_id, self._clock())
        self._writer.commit(lambda connection: push_writes.refuse_again(connection, new))

    def check_writable(self) -> None:
        self._writer.commit(lambda connection: push_writes.probe(connection, self._clock()))
        try:
            self._files.make()
            if not os.access(self.spool_directory, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "spool")
        except (OSError, SQLAlchemyError, InboxDamaged) as cause:
            raise not_stored(cause, "directories") from cause

    def free_bytes(self) -> int | None:
        if self._database.path is None and not self._receives:
            return None  # this machine's disk is not the inbox's
        try:
            return self._spools.free_bytes()
        except OSError as cause:
            raise not_usable(cause, "free space") from cause

    def close(self) -> None:
        self._closing.set()
        if self._sweeper is not None:
            self._sweeper.join()
        self._outbox_writer.close()
        self._writer.close()
        self._database.close()
        self._spools.close()

    # -- what readers ask ----------------------------------------------------------------------------------------

    def rows(
        self, *, limit: int | None = 50, state: PushState | None = None, before_id: str | None = None
    ) -> Iterator[InboxRow]:
        left = limit
        while left is None or left > 0:
            page = self._page(PAGE_ROWS if left is None else min(left, PAGE_ROWS), state, before_id)
            yield from page
            if len(page) < PAGE_ROWS:
                return
            before_id = page[-1].id
            left = None if left is None else left - len(page)

    def ids_with(self, part: str, limit: int) -> list[str]:
        if not may_be_part(part):
            return []
        ids = select(PUSHES.c.id).order_by(PUSHES.c.id.desc()).limit(limit)
        with self._reading(patiently=True) as connection:
            beginning = ids.where(PUSHES.c.id >= part, PUSHES.c.id <= part.ljust(ID_CHARS, "z"))
            return list(
                connection.execute(beginning).scalars().all()
                or connection.execute(ids.where(PUSHES.c.id.endswith(part))).scalars()
            )

    def stored(self, push_id: str) -> StoredPush:
        with self._reading() as connection:
            row = connection.execute(select(PUSHES).where(PUSHES.c.id == push_id)).mappings().first()
            if row is None:
                raise _no_such_push(push_id)
            again = select(ARRIVALS).where(ARRIVALS.c.push_id == push_id).order_by(ARRIVALS.c.n)
            found = stored_push(row, connection.execute(again).mappings())
            return replace(
                found,
                row=drops.with_shares(connection, [found.row])[0],
                deliveries=deliveries_of(connection, push_id),
                held=hold_of(connection, push_id),
            )

    def rows_of(self, push_ids: Sequence[str]) -> list[InboxRow]:
        query = select(*LIST_COLUMNS).where(PUSHES.c.id.in_(push_ids)).order_by(PUSHES.c.id.desc())
        with self._reading() as connection:
            return [inbox_row(row) for row in connection.execute(query).mappings()]

    def ids_after(self, push_id: str, limit: int, state: PushState | None = None) -> list[str]:
        query = select(PUSHES.c.id).where(PUSHES.c.id > push_id).order_by(PUSHES.c.id).limit(limit)
        if state is not None:
            query = query.where(PUSHES.c.state == state.value)
        with self._reading() as connection:
            return list(connection.execute(query).scalars())

    def stored_of(self, push_ids: Sequence[str]) -> list[StoredPush]:
        columns = [column for column in PUSHES.c if column is not PUSHES.c.envelope]
        query = select(*columns).where(PUSHES.c.id.in_(push_ids)).order_by(PUSHES.c.id)
        with self._reading() as connection:
            return [stored_push(row, ()) for row in connection.execute(query).mappings()]

    def heads_of(self, push_ids: Sequence[str], head_bytes: int) -> dict[tuple[str, str], bytes]:
        head = func.substr(CONTENTS.c.inline, 1, head_bytes)
        query = select(CONTENTS.c.push_id, CONTENTS.c.sha256, head).where(
            CONTENTS.c.push_id.in_(push_ids), CONTENTS.c.n > 0, CONTENTS.c.inline.is_not(None)
        )
        with self._reading() as connection:
            # substr of an empty blob is null in SQLite
            return {(push_id, digest): bytes(found or b"") for push_id, digest, found in connection.execute(query)}

    def open_document(self, push_id: str, n: int) -> BinaryIO:
        with self._reading() as connection:
            record = connection.execute(select(PUSHES.c.record).where(PUSHES.c.id == push_id)).scalar()
            documents = () if record is None else documents_of(unpack(record))
            if not 0 < n <= len(documents):
                raise NoSuchPush(f"Push {push_id} is not stored, or has no document {n}.")
            return self._open_content(connection, push_id, documents[n - 1].sha256, f"document {n}")

    def open_raw(self, push_id: str) -> BinaryIO:
        columns = (PUSHES.c.raw_sha256, PUSHES.c.raw_bytes, PUSHES.c.record, PUSHES.c.envelope)
        with self._reading() as connection:
            found = connection.execute(select(*columns).where(PUSHES.c.id == push_id)).first()
            if found is None:
                raise _no_such_push(push_id)
            if found.envelope is None:
                return self._open_content(connection, push_id, found.raw_sha256, "raw envelope")
        digests = list(dict.fromkeys(document.sha256 for document in documents_of(unpack(found.record))))

        def open_distinct(index: int) -> BinaryIO:
            with self._reading() as connection:
                return self._open_content(connection, push_id, digests[index], "raw envelope")

        what = f"Raw envelope of push {push_id}"
        return open_rebuilt(found.envelope, open_distinct, found.raw_sha256, found.raw_bytes, what)

    def stats(self) -> InboxStats:
        quarantined = PUSHES.c.state == PushState.QUARANTINED.value
        names = ("accepted", "documents", "document_bytes", "redeliveries", "conflicts")
        by_arrival = select(PUSHES.c.received_at).limit(1)
        targets = self.outbox.figures()  # before, not within: who holds a connection must not wait for another one
        with self._reading(patiently=True) as connection:
            totals = connection.execute(select(*(func.sum(TOTALS.c[name]).label(name) for name in names))).one()
            return InboxStats(
                **{name: int(total or 0) for name, total in zip(names, totals, strict=True)},
                quarantined=connection.execute(select(func.count()).where(quarantined)).scalar_one(),
                quarantine_bytes=push_writes.quarantine_bytes(connection),
                oldest_received_at=connection.execute(by_arrival.order_by(PUSHES.c.id.asc())).scalar(),
                newest_received_at=connection.execute(by_arrival.order_by(PUSHES.c.id.desc())).scalar(),
                free_bytes=self.free_bytes(),
                targets=targets,
            )

    # -- how it is done ------------------------------------------------------------------------------------------

    def _committed(self, new: NewPush, accepted: Accepted) -> None:
        """It is stored, or was before: then its files are not wanted."""
        if accepted.redelivery:
            self._files.remove(_file_keys(new))
            return
        self._acknowledged.append(accepted.id)
        if new.deliveries:
            self.outbox.tell()

    def _store_all(self, connection: Connection, pushes: Sequence[NewPush]) -> list[Accepted]:
        stored = push_writes.store_all(connection, pushes)
        keys = [key for new, done in zip(pushes, stored, strict=True) if not done.redelivery for key in _file_keys(new)]
        self._files.named(connection, keys)
        return stored

    def _take_in(self, connection: Connection, new: NewPush, taken: TakenIn) -> Accepted:
        intake_ledger.note(connection, taken, PushState.ACCEPTED, new.push["received_at"])
        same = drops.same_report(connection, new)
        counted = None if same is None else push_writes.count_as(connection, same, new)
        return counted or self._store_all(connection, [new])[0]

    def _keep_refused(
        self, connection: Connection, new: NewPush, room: push_writes.Room, taken: TakenIn | None
    ) -> push_writes.Quarantining:
        done = push_writes.keep_refused(connection, new, room)
        if done.kept and taken is not None:
            intake_ledger.note(connection, taken, PushState.QUARANTINED, new.push["received_at"])
        if done.kept:
            self._files.named(connection, _file_keys(new))
        self._files.unnamed(connection, list(done.evicted))
        return done

    def _accept_kept(self, connection: Connection, new: NewPush) -> push_writes.Releasing:
        done = push_writes.accept_kept(connection, new)
        self._files.unnamed(connection, done.left)
        if not done.accepted.redelivery:
            self._files.named(connection, _file_keys(new))
        return done

    @contextmanager
    def _reading(self, *, patiently: bool = False) -> Iterator[Connection]:
        try:
            with self._database.reading(patiently=patiently) as connection:
                yield connection
        except SQLAlchemyError as cause:
            raise not_usable(cause, "read") from cause

    def _is_stored(self, new: NewPush) -> bool:
        with self._reading() as connection:
            return holds_push(connection, new.push["idempotency_key"], new.push["content_digest"])

    def _page(self, limit: int, state: PushState | None, before_id: str | None) -> list[InboxRow]:
        query = page_query(limit, state, before_id)
        with self._reading() as connection:
            rows = [inbox_row(row) for row in connection.execute(query).mappings()]
            return drops.with_shares(connection, rows)

    def _open_content(self, connection: Connection, push_id: str, sha256: str, what: str) -> BinaryIO:
        one = select(CONTENTS.c.inline, CONTENTS.c.size_bytes, CONTENTS.c.file_id).where(
            CONTENTS.c.push_id == push_id, CONTENTS.c.sha256 == sha256
        )
        found = connection.execute(one).first()
        if found is None:
            raise NoSuchPush(f"Of push {push_id} the {what} is not kept: quarantine keeps the raw envelope alone.")
        if found.file_id is not None:
            try:
                key = (found.file_id, sha256)
                return self._files.open(key, found.size_bytes, f"{what.capitalize()} of push {push_id}")
            except OSError as cause:
                raise not_usable(cause, f"{what} of {push_id}") from cause
        if hashlib.sha256(found.inline).hexdigest() != sha256:
            raise lost(f"{what.capitalize()} of push {push_id} is damaged in the database")
        return BytesIO(found.inline)

    @contextmanager
    def _placed(self, new: NewPush) -> Iterator[None]:
        """The large contents are on disk within; when what is done with them fails, they are gone again."""
        keys = _file_keys(new)
        try:
            for content in new.large:
                self._files.place(new.file_id, content)
            yield
        except (OSError, SQLAlchemyError, InboxDamaged) as cause:
            self._files.remove(keys)
            raise not_stored(cause, "file") from cause
        except CommitInDoubt:
            with self._doubtful_lock:
                self._doubtful += keys
            raise
        except BaseException:
            self._files.remove(keys)
            raise

    def _quarantine_room(self) -> push_writes.Room:
        """The bounds of the settings; on a disk that runs full, at most half of what would be free without it."""
        free = self.free_bytes() if self._database.path else None
        if free is None:
            return self._room
        with self._reading() as connection:
            half = (free + push_writes.quarantine_bytes(connection)) // 2
        return push_writes.Room(min(self._room.total, half), min(self._room.per_source, half))

    def _verify(self, connection: Connection) -> None:
        """After a failure: what was acknowledged last is there, and files of doubtful commits are settled."""
        self._database.verify(connection)
        with connection.begin():
            for push_id in tuple(self._acknowledged):
                self._read_back(connection, push_id)
            with self._doubtful_lock:
                doubtful, self._doubtful = self._doubtful, []
            self._files.remove([key for key in doubtful if not _has_row(connection, key)])
        _LOG.info("inbox verified after a failure", read_back=len(self._acknowledged))

    def _read_back(self, connection: Connection, push_id: str) -> None:
        kept = connection.execute(select(CONTENTS).where(CONTENTS.c.push_id == push_id)).mappings().all()
        if connection.execute(select(PUSHES.c.id).where(PUSHES.c.id == push_id)).first() is None:
            raise InboxDamaged(f"push {push_id} was acknowledged and is gone")
        for content in kept:
            if content["file_id"] is not None:
                whole = self._files.holds((content["file_id"], content["sha256"]), content["size_bytes"])
            else:
                whole = hashlib.sha256(content["inline"]).hexdigest() == content["sha256"]
            if not whole:
                raise InboxDamaged(f"push {push_id} was acknowledged and a content of it is not as it was")

    def sweep(self, now: float | None = None) -> int:
        """Remove files that no row names and that are older than an hour; how many they were.

        now     seconds since 1970; None: the present
        Errors  InboxDamaged, OSError: the database is not the one that was opened; StoreUnavailable
        """

        def known(key: Key) -> bool:
            if self._closing.is_set():
                return True  # keeps the rest for the next time
            with self._reading() as connection:
                if _has_row(connection, key):
                    return True
            self._database.check_file()  # another database put into its place would know none of the files
            return False

        return self._files.sweep(time.time() if now is None else now, known)

    def _keep_swept(self) -> None:
        self._sweep_once()
        while self._database.path is None and not self._closing.wait(SWEEP_SECONDS):
            self._sweep_once()

    def _make_partitions(self) -> None:
        if self._database.path is None:
            with self._database.reader.connect() as connection, connection.begin():
                make_partitions(connection, self._clock())

    def _sweep_once(self) -> None:
        try:
            self._make_partitions()
            removed = self.sweep()
        except (OSError, SQLAlchemyError, StoreError, InboxDamaged) as cause:
            _LOG.warning("inbox not swept", cause=describe(cause))
        else:
            if removed:
                _LOG.info("inbox swept", files_removed=removed)


def page_query(limit: int, state: PushState | None, before_id: str | None) -> Select[Any]:
    """The newest pushes, or those before one of them: read off an index backwards, however many there are."""
    query = select(*LIST_COLUMNS).order_by(PUSHES.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(PUSHES.c.state == state.value)
    if before_id is not None:
        query = query.where(PUSHES.c.id < before_id)
    return query


def _file_keys(new: NewPush) -> list[Key]:
    return [(new.file_id, content.sha256) for content in new.large]


def _has_row(connection: Connection, key: Key) -> bool:
    one = select(CONTENTS.c.push_id).where(CONTENTS.c.file_id == key[0], CONTENTS.c.sha256 == key[1])
    return connection.execute(one).first() is not None


def _no_such_push(push_id: str) -> NoSuchPush:
    return NoSuchPush(f"No push with the id {push_id} is stored.")
