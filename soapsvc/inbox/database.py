"""Opens the database of an inbox so that what it commits is on disk, and brings its tables up to date."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    QueuePool,
    create_engine,
    event,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError

from soapsvc.errors import StoreError
from soapsvc.inbox import server_database
from soapsvc.inbox.failures import InboxDamaged
from soapsvc.inbox.server_database import Limits, server_engine, server_url
from soapsvc.inbox.tables import INBOX

BUSY_SECONDS = 5.0  # how long a transaction waits for another process's; senders give up after 15
TURN_SECONDS = 2.0  # longer than any transaction that is alive
TURN_POLL_SECONDS = 0.0003  # a transaction takes a millisecond or two
JOURNAL_KEPT_BYTES = 64 * 1024 * 1024  # a WAL that grew beyond is cut back after its checkpoint
READERS = 8  # connections kept for readers of one process
MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST_REVISION = "0006"  # a test holds it against the migrations
_NEWER = "The inbox was made by a newer soapsvc: use that version or a newer one."
_WHAT_TO_DO = "name the receiver's with --inbox, or start soapsvc serve first."
_ADVISORY_LOCK = 0x736F6170  # any number that all our processes agree on ("soap")

_PRAGMAS = {  # name: value wanted; each is read back, for SQLite answers nothing to what it does not know
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: a commit is on disk, not on its way
    "foreign_keys": 1,
    "fullfsync": 1,  # macOS: its fsync alone does not reach the disk
    "checkpoint_fullfsync": 1,
    "journal_size_limit": JOURNAL_KEPT_BYTES,
    "cache_size": -16 * 1024,  # KiB: what leads to the rows of ten million pushes stays in it
}


class Database:
    """An open database: one engine whose transactions write, one whose transactions read.

    path      of the SQLite file, absolute; None: another database
    inbox_id  made with the tables; the directory of content files bears it too
    """

    def __init__(self, url: URL, *, create: bool):
        """create  make it and its tables where they are missing; False: look, and leave no trace

        Errors  StoreError: there is none, or it is of another version; SQLAlchemyError, OSError and sqlite3.Error: it
                is there and cannot be used
        """
        self.path = sqlite_path(url)
        self._file = str(self.path)  # looked at twice for each transaction
        self._anchor: Connection | None = None
        self._apart: list[Engine] = []
        self._turn: tuple[int, int] | None = None  # open files: held by who writes, and by who is to write next
        self._wal_identity: tuple[int, int] | None = None
        if self.path is None:
            self._url = url
            self.reader = server_engine(url, server_database.READERS, server_database.READER_LIMITS, writes=create)
            self.writer = server_engine(url, server_database.WRITERS, server_database.WRITER_LIMITS, writes=create)
            self._begin_with(create)
        elif create:
            make_directory(self.path.parent)
            with exclusive_lock(self.path):
                _make_file(self.path)
                self._identity = _identity(self._file)
                self.reader = _sqlite_engine(self.path, "BEGIN", READERS)
                self.writer = _sqlite_engine(self.path, "BEGIN IMMEDIATE", 1)
                self._begin_with(create)
            self._turn = (_lock_file(self.path, ".lock"), _lock_file(self.path, ".next"))
        else:
            _must_be_readable(self.path)
            self._identity = _identity(self._file)
            self.reader = self.writer = _looking_engine(self.path)
            self._begin_with(create)

    def check_file(self) -> None:
        """Raise InboxDamaged when the files are not those that were opened, OSError when there is no database.

        SQLite would go on writing into a file that has no name any more.
        """
        if self.path is None:
            return
        replaced = _identity(self._file) != self._identity
        if replaced or (self._wal_identity is not None and _wal_identity(self._file) != self._wal_identity):
            raise InboxDamaged(f"{self.path} or its -wal was replaced while in use: start the receiver again")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """No other process of this machine writes within. A courtesy, not the lock: that is SQLite's, which sleeps
        longer and longer while it is taken, and so leaves the disk idle; whoever waits for too long goes on to it.

        Who waits holds the place of the next one meanwhile: else who has just written would be there again before any
        other has looked, and where the disk is slow the others would hardly ever write.
        """
        if self._turn is None:
            yield
            return
        turn, place = self._turn
        until = time.monotonic() + TURN_SECONDS
        _lock(place, until)
        _lock(turn, until)
        fcntl.flock(place, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(turn, fcntl.LOCK_UN)

    def verify(self, connection: Connection) -> None:
        """After a failure: let all that was committed reach the disk once more, by fresh writes.

        A failed fsync may have thrown away what it could not write. The checkpoint copies every committed page of
        the WAL into the database, syncs it, and begins the WAL anew; when it cannot, the failure is not over.
        """
        if self.path is None:
            return
        with connection.begin():
            pass  # the write lock is to be had: no other process is in the middle of something
        driver_connection: Any = connection.connection.driver_connection
        busy, _, _ = driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("a reader keeps the WAL from being checkpointed")

    def engine_apart(self, connections: int, limits: Limits) -> Engine:
        """Of a database server: further connections that write, for what no sender waits for."""
        engine = server_engine(self._url, connections, limits, writes=True)
        self._apart.append(engine)
        return engine

    def close(self) -> None:
        """Let go of every connection."""
        for engine in self._apart:
            engine.dispose()
        if self._anchor is not None:
            self._anchor.close()
        if self._turn is not None:
            for file in self._turn:
                os.close(file)
            self._turn = None
        self.writer.dispose()
        self.reader.dispose()

    @contextmanager
    def reading(self, *, patiently: bool = False) -> Iterator[Connection]:
        """A connection that reads. patiently: no sender waits for it, so that it may count and look through all."""
        with self.reader.connect() as connection:
            if self.path is not None or not patiently:
                yield connection
                return
            driver_connection = connection.connection.driver_connection
            server_database.be_patient(driver_connection)
            try:
                yield connection
            finally:
                server_database.be_in_haste(driver_connection)

    def _bring_up_to_date(self) -> None:
        if self.path is not None:
            with self.writer.connect() as connection:
                bring_up_to_date(connection)
            return
        with self.patient_engine() as engine, engine.connect() as connection:
            bring_up_to_date(connection)

    @contextmanager
    def patient_engine(self) -> Iterator[Engine]:
        """Of a database server: a connection whose transactions take their time. No sender may wait for them."""
        engine = server_engine(self._url, 1, server_database.MIGRATION_LIMITS, writes=True)
        try:
            yield engine
        finally:
            engine.dispose()

    def _begin_with(self, create: bool) -> None:
        try:
            with self.reader.connect() as connection, connection.begin():
                found = _revision(connection)  # by a read: the common case does not wait for those who write
            if found != NEWEST_REVISION:
                if not create:
                    raise StoreError(_not_to_be_looked_at(found, self.path))
                self._bring_up_to_date()
            with self.reader.connect() as connection, connection.begin():
                self.inbox_id = str(connection.execute(select(INBOX.c.id)).scalar_one())
            if create and self.path is not None:
                # open to the end: the last connection to close removes the -wal, so it stays the same file till then
                self._anchor = self.reader.connect()
                self._wal_identity = _wal_identity(self._file)
        except BaseException:
            self.close()
            raise


def inbox_url(url: str) -> URL:
    """The SQLAlchemy URL of an inbox. Errors: StoreError, which shows no password: it is none."""
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, ImportError, ValueError):
        raise StoreError(f"{_shown(url)!r} is no inbox: give a URL such as sqlite:///soapsvc-inbox.db") from None
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise StoreError(f"An inbox is kept in SQLite or PostgreSQL, not in {backend}.")
    if backend == "sqlite" and parsed.drivername != "sqlite":
        raise StoreError(f"{_shown(url)!r} names a driver: give a URL such as sqlite:///soapsvc-inbox.db")
    if backend == "sqlite" and (parsed.host or parsed.username):
        raise StoreError(f"{_shown(url)!r} names a machine: give a URL such as sqlite:///soapsvc-inbox.db")
    if backend == "postgresql":
        return server_url(parsed)
    if "?" in url:
        raise StoreError(f"{_shown(url)!r} has more after a question mark: the URL of an inbox ends before it.")
    return parsed


def sqlite_path(url: URL) -> Path | None:
    """Of the file, absolute; None: another database. Errors: StoreError, it is in memory."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StoreError("An inbox in memory keeps nothing: name a file, as in sqlite:///soapsvc-inbox.db")
    return Path(url.database).absolute()


def _shown(url: str) -> str:
    """The URL without what may be a password: that may hold any character, so what has an @ is not shown at all."""
    if "@" not in url:
        return url.partition("?")[0]
    scheme, separator, _ = url.partition("://")
    return f"{scheme}://***" if separator else "***"


def bring_up_to_date(connection: Connection) -> None:
    """Run the migrations that are missing; safe while other processes do the same.

    Errors  StoreError: the tables were made by a newer version
    """
    # imported here: a third of a second that only the first start of a new version has to spend
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(_NEWER) from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def sync_directory(directory: Path) -> None:
    """Let the names in a directory reach the disk."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directory(directory: Path) -> None:
    """Make a directory, and those above it, for this user alone, each one's name on disk."""
    if not directory.is_dir():
        make_directory(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
        sync_directory(directory.parent)


def beside(path: Path, suffix: str) -> Path:
    """The companion of a database file: inbox.db and .files give inbox.db.files."""
    return path.with_name(path.name + suffix)


def _not_to_be_looked_at(revision: str | None, path: Path | None) -> str:
    which = path or "The database"
    if revision is None:
        return f"{which} is no inbox: {_WHAT_TO_DO}"
    if revision > NEWEST_REVISION:
        return _NEWER
    return f"{which} was made by an older soapsvc: soapsvc serve of this version brings it up to date."


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Held by one process at a time, for the short moments in which files are made or cleared away."""
    handle = _lock_file(path, ".lock")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _lock_file(path: Path, suffix: str) -> int:
    return os.open(beside(path, suffix), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(file: int, until: float) -> None:
    """Hold the lock, or go on without it when that moment (time.monotonic) has come."""
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                return
            time.sleep(TURN_POLL_SECONDS)


def _must_be_readable(path: Path) -> None:
    if not path.is_file():
        raise StoreError(
            f"There is no inbox at {path}: name the receiver's with --inbox, or start soapsvc serve first."
        )
    # asked, not tried: to close a file drops all locks that this process's connections hold on it
    for file in (path, beside(path, "-wal")):
        if file.exists() and not os.access(file, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))


def _make_file(path: Path) -> None:
    # made here, since SQLite would leave it readable for everybody; its -wal and -shm take the same mode
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    sync_directory(path.parent)


def identity(path: Path) -> tuple[int, int, int, int]:
    """Which files are at the path of a SQLite inbox now, the -wal too: those of another time are others, be their names
    the same. Errors: FileNotFoundError: there is no inbox."""
    return (*_identity(os.fspath(path)), *(_wal_identity(os.fspath(path)) or (0, 0)))


def _identity(file: str) -> tuple[int, int]:
    found = os.stat(file)
    return found.st_dev, found.st_ino


def _wal_identity(file: str) -> tuple[int, int] | None:
    try:
        return _identity(f"{file}-wal")
    except FileNotFoundError:
        return None


def _looking_engine(path: Path) -> Engine:
    """Connections that only read, one for each transaction."""

    def connect() -> sqlite3.Connection:
        # without a -wal nobody has it open, and SQLite would make one: told that nothing changes, it makes nothing
        how = "mode=ro" if beside(path, "-wal").exists() else "mode=ro&immutable=1"
        return sqlite3.connect(
            f"file:{quote(str(path))}?{how}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    event.listen(engine, "begin", _beginning("BEGIN"))
    return engine


def _sqlite_engine(path: Path, begin: str, connections: int) -> Engine:
    uri = f"file:{quote(str(path))}?mode=rw"  # never makes a file: one that vanished must not come back empty

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=-1,
        hide_parameters=True,  # they are what customers sent
    )
    event.listen(engine, "connect", _durable)
    event.listen(engine, "begin", _beginning(begin))
    return engine


def _beginning(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin


def _durable(connection: sqlite3.Connection, _: object) -> None:
    for name, wanted in _PRAGMAS.items():
        connection.execute(f"PRAGMA {name} = {wanted}")
        found = connection.execute(f"PRAGMA {name}").fetchone()[0]
        if found != wanted:
            connection.close()
            raise sqlite3.OperationalError(f"PRAGMA {name} is {found}, wanted {wanted}: this disk cannot keep an inbox")
