"""Opens the database of an inbox so that what it commits is on disk, and brings its tables up to date."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from soapsvc.errors import StoreError
from soapsvc.inbox.failures import InboxDamaged

BUSY_SECONDS = 5.0  # how long a transaction waits for another process's; senders give up after 15
JOURNAL_KEPT_BYTES = 64 * 1024 * 1024  # a WAL that grew beyond is cut back after its checkpoint
READERS = 8  # connections kept for readers of one process
MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST_REVISION = "0001"  # a test holds it against the migrations
_ADVISORY_LOCK = 0x736F6170  # any number that all our processes agree on ("soap")

_PRAGMAS = {  # name: value wanted; each is read back, for SQLite answers nothing to what it does not know
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: a commit is on disk, not on its way
    "foreign_keys": 1,
    "fullfsync": 1,  # macOS: its fsync alone does not reach the disk
    "checkpoint_fullfsync": 1,
    "journal_size_limit": JOURNAL_KEPT_BYTES,
}


class Database:
    """An open database: one engine whose transactions write, one whose transactions read.

    path  of the SQLite file, absolute; None: another database
    """

    def __init__(self, url: URL, *, create: bool):
        self.path: Path | None = None
        if url.get_backend_name() == "sqlite":
            self.path = _sqlite_path(url)
            with _exclusively(self.path, create=create):
                _make_file(self.path)
                self._identity = _identity(self.path)
                self.reader = _sqlite_engine(self.path, "BEGIN", READERS)
                self.writer = _sqlite_engine(self.path, "BEGIN IMMEDIATE", 1)
                self._bring_up_to_date()
        else:
            self.reader = self.writer = _server_engine(url)
            self._bring_up_to_date()

    def check_file(self) -> None:
        """Raise InboxDamaged when the file is not the one that was opened, OSError when there is none.

        SQLite would go on writing into a file that has no name any more.
        """
        if self.path is not None and _identity(self.path) != self._identity:
            raise InboxDamaged(f"{self.path} was replaced while it was in use: start the receiver again")

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

    def close(self) -> None:
        """Let go of every connection."""
        self.writer.dispose()
        self.reader.dispose()

    def _bring_up_to_date(self) -> None:
        try:
            with self.reader.connect() as connection, connection.begin():
                if _revision(connection) == NEWEST_REVISION:
                    return  # the common case takes no lock, so that one may look while another writes
            with self.writer.connect() as connection:
                bring_up_to_date(connection)
        except BaseException:
            self.close()
            raise


def open_database(url: str, *, create: bool) -> Database:
    """The database behind a SQLAlchemy URL, with its tables up to date.

    create  whether a missing SQLite file is made; without it that is a StoreError
    Errors  StoreError: not a URL of a store, nothing there, or made by a newer soapsvc; SQLAlchemyError, OSError and
            sqlite3.Error: it is there and cannot be used
    """
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, SQLAlchemyError, ImportError) as error:
        shown = re.sub(r"://[^@]*@", "://***@", url)  # it may hold a password
        raise StoreError(f"{shown!r} is no inbox: give a URL such as sqlite:///soapsvc-inbox.db") from error
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"An inbox is kept in SQLite or PostgreSQL, not in {parsed.get_backend_name()}.")
    return Database(parsed, create=create)


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
            raise StoreError("The inbox was made by a newer soapsvc: use that version or a newer one.") from error


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


def _sqlite_path(url: URL) -> Path:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StoreError("An inbox in memory keeps nothing: name a file, as in sqlite:///soapsvc-inbox.db")
    return Path(url.database).absolute()


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Held by one process at a time, for the short moments in which files are made or cleared away."""
    handle = os.open(beside(path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _exclusively(path: Path, *, create: bool) -> Iterator[None]:
    if create:
        make_directory(path.parent)
    elif not path.is_file():
        raise StoreError(
            f"There is no inbox at {path}: name the receiver's with --inbox, or start soapsvc serve first."
        )
    with exclusive_lock(path):
        yield


def _make_file(path: Path) -> None:
    # made here, since SQLite would leave it readable for everybody; its -wal and -shm take the same mode
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    sync_directory(path.parent)


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


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


def _server_engine(url: URL) -> Engine:
    engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)
    event.listen(engine, "connect", _durable_server)
    return engine


def _durable_server(connection: Any, _: object) -> None:
    with connection.cursor() as cursor:
        for setting in ("fsync", "synchronous_commit"):
            cursor.execute(f"SHOW {setting}")
            if cursor.fetchone()[0] == "off":
                raise StoreError(f"The database server runs with {setting}=off: it would lose what was acknowledged.")
    connection.rollback()
