"""Contents that are too large for a row: what every place for them promises, and which place a setting names.

    files of a directory    content_files.py    beside a SQLite database, or in a directory that all receivers share
    pieces in the database  content_pieces.py   on a database server, unless a setting says otherwise
    objects of a store      content_objects.py  S3

A content is known by its key: the id that it is named by, and its SHA-256. It belongs to one push.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from sqlalchemy import Connection

from soapsvc.errors import StoreError
from soapsvc.inbox.content_files import ContentFiles, Key
from soapsvc.inbox.content_ledger import ContentLedger
from soapsvc.inbox.content_objects import ContentObjects
from soapsvc.inbox.content_pieces import ContentPieces
from soapsvc.inbox.database import Database, beside
from soapsvc.spool import Content


class Contents(Protocol):
    """Large contents, somewhere.

    Promise  when place() returns, the content survives a crash of every machine that keeps it; what open() hands out
             to its end is what was placed, byte for byte
    """

    @property
    def where(self) -> str:
        """For a sentence."""

    def is_anothers(self) -> bool:
        """Whether the contents there are another database's: to this one's rows all would be orphans."""

    def make(self) -> None:
        """The place is there and takes contents. Errors: InboxDamaged where it is another's; those of place()."""

    def place(self, file_id: str, content: Content) -> object:
        """Keep a content. Errors: OSError, SQLAlchemyError: nothing of it needs to be there."""

    def open(self, key: Key, size_bytes: int, what: str) -> BinaryIO:
        """The bytes, checked while they are read. Errors: StoreUnavailable, also from read(): lost.

        what  they are, for a sentence
        """

    def holds(self, key: Key, size_bytes: int) -> bool:
        """Whether the content is there, by its size."""


class ContentPlace(Contents, Protocol):
    """Where they lie."""

    def discard(self, key: Key) -> None:
        """Remove a content, where it is there. Errors: OSError, SQLAlchemyError: it is there still."""


class LargeContents(Contents, Protocol):
    """The same with the knowledge which of them have rows."""

    def named(self, connection: Connection, keys: list[Key]) -> None:
        """In the transaction that writes the rows of these contents. Errors: StoreUnavailable: they are not there."""

    def unnamed(self, connection: Connection, keys: list[Key]) -> None:
        """In the transaction that removes the rows of these contents: remove() after it may not come about."""

    def remove(self, keys: list[Key]) -> None:
        """Remove contents whose rows are gone; what cannot be removed now is left to the sweep."""

    def sweep(self, now: float, known: Callable[[Key], bool]) -> int:
        """Remove contents that have had no row for an hour; how many they were.

        now    seconds since 1970
        known  whether the content has a row
        """


def large_contents(documents: str | None, database: Database, inbox_file: Path | None) -> LargeContents:
    """The place that the setting `documents` names.

    inbox_file  of a SQLite inbox, whose large contents lie beside it
    Errors      StoreError: no such place, or what it needs is not installed
    """
    if inbox_file is not None:
        if documents is not None:
            raise StoreError(
                "documents is set, and the inbox is a SQLite file, beside which they lie: "
                "take documents away, or name an inbox in PostgreSQL."
            )
        return ContentFiles(beside(inbox_file, ".files"), database.inbox_id)
    return ContentLedger(_place(documents, database), database.reader)


def _place(documents: str | None, database: Database) -> ContentPlace:
    if documents is None:
        return ContentPieces(database.reader)
    parts = urlsplit(documents)
    if parts.scheme == "file":
        return ContentFiles(Path(unquote(parts.path)), database.inbox_id)
    if parts.scheme == "s3":
        return ContentObjects(documents, database.inbox_id)
    raise StoreError(
        f"documents names a place of the kind {parts.scheme or '(none)'!r}: "
        "write file:///DIRECTORY or s3://BUCKET/PREFIX, or take it away for the database."
    )
