"""The inbox in a SQL database, with files beside it for what is large: keeps what inbox.store promises."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, BinaryIO

import structlog
from sqlalchemy import Connection, RowMapping, Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from soapsvc.clock import Clock, utc_now
from soapsvc.errors import NoSuchPush, StoreError
from soapsvc.inbox import push_writes
from soapsvc.inbox.content_files import ContentFiles, Key, SpoolDirectory, clear_dead_spools
from soapsvc.inbox.database import Database, beside, inbox_url, make_directory, sqlite_path
from soapsvc.inbox.failures import CommitInDoubt, InboxDamaged, describe, lost, not_stored, not_usable
from soapsvc.inbox.group_commit import GroupCommit
from soapsvc.inbox.push_id import ID_CHARS, may_be_part
from soapsvc.inbox.push_rows import (
    LIST_COLUMNS,
    NewPush,
    accepted_push,
    inbox_row,
    quarantined_push,
    stored_push,
)
from soapsvc.inbox.tables import ARRIVALS, CONTENTS, DOCUMENTS, PUSHES
from soapsvc.records import (
    Accepted,
    InboxRow,
    InboxStats,
    Push,
    PushState,
    RefusedPush,
    StoredPush,
    Verdict,
)

_LOG = structlog.get_logger(__name__)
PAGE_ROWS = 100  # a list is read page by page: a long transaction would keep the WAL from being checkpointed
READ_BACK = 16  # pushes acknowledged last that are read again after a failure, before anything else is acknowledged


def open_store(
    url: str,
    *,
    quarantine_max_bytes: int,
    quarantine_max_bytes_per_source: int,
    clock: Clock = utc_now,
    create: bool = True,
    files: Path | None = None,
) -> SqlStore:
    """Open the inbox behind a SQLAlchemy URL, with its tables brought up to date.

    create  make it where it is missing, and clear away what a killed process left; False for those who only look
    files   where large contents and the spool lie; None: beside the SQLite file. Another database needs it
    Errors  StoreError: there is none, or it is of another kind or newer; StoreUnavailable: it cannot be opened
    """
    parsed = inbox_url(url)
    beside_path = sqlite_path(parsed) or files
    if beside_path is None:
        raise StoreError("An inbox in a database server needs a directory for its large documents (files=…).")
    room = push_writes.Room(quarantine_max_bytes, quarantine_max_bytes_per_source)
    try:
        database = Database(parsed, create=create)
        try:
            return SqlStore(database, beside_path, room, clock, create)
        except BaseException:
            database.close()
            raise
    except (SQLAlchemyError, OSError, InboxDamaged) as cause:
        raise not_usable(cause, "open") from cause


class SqlStore:
    """An open inbox; one for each process, opened after the process was forked. Threads share it."""

    def __init__(self, database: Database, beside_path: Path, room: push_writes.Room, clock: Clock, receives: bool):
        self._database, self._room, self._clock = database, room, clock
        self._files = ContentFiles(beside(beside_path, ".files"), database.inbox_id)
        self._beside_path = beside_path
        self._spool: SpoolDirectory | None = None
        self._spool_lock = Lock()
        self._writer = GroupCommit(database.check_file, database.writer.connect, self._verify)
        self._acknowledged: deque[str] = deque(maxlen=READ_BACK)
        self._doubtful: list[Key] = []  # files of pushes whose commit may or may not have taken place
        self._doubtful_lock = Lock()
        self._closing = Event()
        self._sweeper = Thread(target=self._sweep_at_open, name="inbox-sweep", daemon=True) if receives else None
        if self._sweeper is not None:
            make_directory(beside_path.parent)
            if self._files.is_anothers():
                raise StoreError(
                    f"{self._files.directory} holds documents of another inbox than the database beside it: put the "
                    "database back that they belong to, or move the directory to where that database is now."
                )
            clear_dead_spools(self._beside_path)
            self._sweeper.start()

    @property
    def spool_directory(self) -> Path:
        with self._spool_lock:
            try:
                if self._spool is None:  # not before it is needed: whoever only looks leaves no trace
                    self._spool = SpoolDirectory(self._beside_path)
                elif not self._spool.path.is_dir():
                    self._spool.make_again()
            except OSError as cause:
                raise not_stored(cause, "spool") from cause
            return self._spool.path

    # -- what a receiver asks ------------------------------------------------------------------------------------

    def accept(self, push: Push, verdict: Verdict) -> Accepted:
        new = accepted_push(push, verdict)
        key = str(new.push["idempotency_key"])
        if new.large and self._is_stored(new):  # files are not made for what only needs counting
            counted = self._writer.commit(lambda connection: push_writes.count_redelivery(connection, new), key)
            if counted is not None:
                return counted
        with self._placed(new):
            accepted = self._writer.commit(lambda connection: push_writes.store_once(connection, new), key)
        if accepted.redelivery:
            self._files.remove(_file_keys(new))
        else:
            self._acknowledged.append(accepted.id)
        return accepted

    def quarantine(self, refused: RefusedPush) -> str | None:
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
                done = self._writer.commit(lambda connection: push_writes.keep_refused(connection, new, room))
                self._files.remove(list(done.evicted))
                if done.kept:
                    return new.id

    def accept_kept(self, push_id: str, push: Push, verdict: Verdict) -> Accepted:
        new = accepted_push(push, verdict).instead_of(push_id, self._clock())
        with self._placed(new):
            done = self._writer.commit(lambda connection: push_writes.accept_kept(connection, new))
        if done.accepted.redelivery:
            self._files.remove([*_file_keys(new), *done.left])
        else:
            self._acknowledged.append(push_id)
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
        except (OSError, InboxDamaged) as cause:
            raise not_stored(cause, "directories") from cause

    def free_bytes(self) -> int | None:
        try:
            return shutil.disk_usage(self._beside_path.parent).free
        except OSError as cause:
            raise not_usable(cause, "free space") from cause

    def close(self) -> None:
        self._closing.set()
        if self._sweeper is not None:
            self._sweeper.join()
        self._writer.close()
        self._database.close()
        with self._spool_lock:
            if self._spool is not None:
                self._spool.close()
                self._spool = None

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
        with self._reading() as connection:
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
            of_push = select(DOCUMENTS).where(DOCUMENTS.c.push_id == push_id).order_by(DOCUMENTS.c.n)
            again = select(ARRIVALS).where(ARRIVALS.c.push_id == push_id).order_by(ARRIVALS.c.n)
            documents, arrivals = connection.execute(of_push).mappings(), connection.execute(again).mappings()
            return stored_push(row, documents, arrivals)

    def open_document(self, push_id: str, n: int) -> BinaryIO:
        with self._reading() as connection:
            which = select(DOCUMENTS.c.sha256).where(DOCUMENTS.c.push_id == push_id, DOCUMENTS.c.n == n)
            sha256 = connection.execute(which).scalar()
            if sha256 is None:
                raise NoSuchPush(f"Push {push_id} is not stored, or has no document {n}.")
            return self._open_content(connection, push_id, sha256, f"document {n}")

    def open_raw(self, push_id: str) -> BinaryIO:
        with self._reading() as connection:
            sha256 = connection.execute(select(PUSHES.c.raw_sha256).where(PUSHES.c.id == push_id)).scalar()
            if sha256 is None:
                raise _no_such_push(push_id)
            return self._open_content(connection, push_id, sha256, "raw envelope")

    def stats(self) -> InboxStats:
        p, accepted = PUSHES.c, PUSHES.c.state == PushState.ACCEPTED.value
        with self._reading() as connection:

            def number(query: Select[Any]) -> int:
                return int(connection.execute(query).scalar() or 0)

            by_arrival = select(p.received_at).limit(1)
            documents = select(func.count(), func.sum(DOCUMENTS.c.size_bytes)).join_from(DOCUMENTS, PUSHES)
            document_count, document_bytes = connection.execute(documents.where(accepted)).one()
            return InboxStats(
                accepted=number(select(func.count()).where(accepted)),
                quarantined=number(select(func.count()).where(p.state == PushState.QUARANTINED.value)),
                redeliveries=number(select(func.sum(p.redeliveries)).where(p.redeliveries > 0)),
                conflicts=number(select(func.count()).where(p.conflict_of.is_not(None))),
                documents=document_count,
                document_bytes=int(document_bytes or 0),
                quarantine_bytes=push_writes.quarantine_bytes(connection),
                oldest_received_at=connection.execute(by_arrival.order_by(p.id.asc())).scalar(),
                newest_received_at=connection.execute(by_arrival.order_by(p.id.desc())).scalar(),
                free_bytes=self.free_bytes(),
            )

    # -- how it is done ------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._database.reader.connect() as connection:
                yield connection
        except SQLAlchemyError as cause:
            raise not_usable(cause, "read") from cause

    def _is_stored(self, new: NewPush) -> bool:
        with self._reading() as connection:
            return connection.execute(push_writes.same_push(new)).first() is not None

    def _page(self, limit: int, state: PushState | None, before_id: str | None) -> list[InboxRow]:
        query = page_query(limit, state, before_id)
        with self._reading() as connection:
            rows: Sequence[RowMapping] = connection.execute(query).mappings().all()
            documents: dict[str, list[RowMapping]] = {row["id"]: [] for row in rows}
            of_page = (
                select(DOCUMENTS).where(DOCUMENTS.c.push_id.in_(documents)).order_by(DOCUMENTS.c.push_id, DOCUMENTS.c.n)
            )
            for document in connection.execute(of_page).mappings():
                documents[document["push_id"]].append(document)
        return [inbox_row(row, documents[row["id"]]) for row in rows]

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
        except (OSError, InboxDamaged) as cause:
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
        if not kept:
            raise InboxDamaged(f"push {push_id} was acknowledged and is gone")
        for content in kept:
            if content["file_id"] is not None:
                path = self._files.path(content["file_id"], content["sha256"])
                whole = path.is_file() and path.stat().st_size == content["size_bytes"]
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

    def _sweep_at_open(self) -> None:
        try:
            removed = self.sweep()
        except (OSError, StoreError, InboxDamaged) as cause:
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
