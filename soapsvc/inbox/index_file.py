"""The file of the search index: its tables, and who may make it anew.

What is in it is derived from the inbox, so it is never migrated nor mended: one of another form, of another inbox, or
one that is damaged is removed and filled again. It is not synced at every commit either; a power cut costs time alone.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

FORM = "1"  # of the tables below; another one in the file: it is made anew
BUSY_SECONDS = 10.0
_DAMAGES = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_ERROR)  # ERROR: no such table

_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    n INTEGER PRIMARY KEY,          -- push_id.number_of: in the order of arrival
    id TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,            -- microseconds since 1970
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    source_key BLOB NOT NULL,       -- the address as 16 bytes (source_key)
    account TEXT NOT NULL,          -- "": none
    deviations INTEGER NOT NULL,
    documents INTEGER NOT NULL,
    document_bytes INTEGER NOT NULL,
    raw_bytes INTEGER NOT NULL,
    rules TEXT NOT NULL,            -- ids of the rules of its verdict, once each, with blanks between
    said TEXT                       -- of refused input: what `words` was given, to take it back when it is judged again
);
CREATE INDEX by_state ON entries (state, n);
CREATE INDEX by_kind ON entries (kind, n);
CREATE INDEX by_source ON entries (source, n);
CREATE INDEX by_account ON entries (account, n);
CREATE INDEX by_deviations ON entries (n) WHERE deviations > 0;
CREATE VIRTUAL TABLE words USING fts5(said, content='', tokenize="unicode61 remove_diacritics 2");
CREATE TABLE hours (
    hour INTEGER PRIMARY KEY,       -- hours since 1970
    accepted INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    documents INTEGER NOT NULL,
    document_bytes INTEGER NOT NULL,
    raw_bytes INTEGER NOT NULL
);
CREATE TABLE hour_rules (hour INTEGER, rule TEXT, pushes INTEGER NOT NULL, PRIMARY KEY (hour, rule)) WITHOUT ROWID;
CREATE TABLE senders (
    source TEXT PRIMARY KEY,
    pushes INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE accounts (account TEXT PRIMARY KEY, pushes INTEGER NOT NULL) WITHOUT ROWID;
"""


def is_damage(cause: sqlite3.DatabaseError) -> bool:
    """Whether the file is no such index (any more); no: it cannot be used now, on a disk that is full, say."""
    code = getattr(cause, "sqlite_errorcode", 0)
    return not isinstance(cause, sqlite3.OperationalError) or code in _DAMAGES or code & 0xFF == sqlite3.SQLITE_READONLY


class IndexFile:
    """The file at a path, for one inbox. It is looked at, and made where there is none that can be used, before its
    first use: there may be no room for one now."""

    def __init__(self, path: Path, inbox_id: str):
        self.path, self._inbox_id = path, inbox_id
        self._usable = False
        self._making = Lock()

    @contextlib.contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """One of its own; statements commit at once unless they begin a transaction. Errors: OSError, sqlite3.Error."""
        with self._making:
            if not self._usable:
                if not self._is_ours():
                    self._make()
                self._usable = True
        with self._connected() as connection:
            yield connection

    def make_anew(self) -> None:
        """Remove what is there, and make the tables, empty. Errors: OSError, sqlite3.Error."""
        with self._making:
            self._usable = False
            self._make()
            self._usable = True

    def _make(self) -> None:
        """All of it or, where the disk is full, what is no index."""
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        # made here, since SQLite would leave it readable for everybody
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with self._connected() as connection:
            connection.execute("PRAGMA journal_mode = wal")
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES}")
            facts = [("form", FORM), ("inbox", self._inbox_id), ("followed", ""), ("settled", "")]
            connection.executemany("INSERT INTO facts VALUES (?, ?)", facts)
            connection.execute("COMMIT")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = OFF")
            connection.row_factory = sqlite3.Row
            yield connection
        finally:
            connection.close()

    def _is_ours(self) -> bool:
        """Errors: sqlite3.Error: nobody can tell now."""
        if not self.path.exists():
            return False
        try:
            with self._connected() as connection:
                facts = dict(connection.execute("SELECT name, value FROM facts").fetchall())
        except sqlite3.DatabaseError as cause:
            if is_damage(cause):
                return False
            raise
        return facts.get("form") == FORM and facts.get("inbox") == self._inbox_id
