"""The inbox's tables, as SQLAlchemy Core knows them; `migrations/` makes them, docs/inbox.md explains them.

Everything here is said in words that SQLite and PostgreSQL both understand. On PostgreSQL `pushes`, `contents` and
`arrivals` are partitioned by ranges of the push's id, which begins with the time (partitions.py); so no key but that
of an id can be unique in them, and `keys` is a table of its own. What is removed is removed from each of them: a
foreign key would cost every push a look-up.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from soapsvc.inbox.push_id import ID_CHARS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_KEY_KINDS = {kind[:1].encode(): kind for kind in ("job", "processing", "raw", "drop")}  # idempotency.py


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite keeps it as microseconds since 1970, PostgreSQL as timestamptz."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        at: datetime = _EPOCH + value * _MICROSECOND if dialect.name == "sqlite" else value.astimezone(UTC)
        return at


class Digest(TypeDecorator[str]):
    """A SHA-256 in hex, kept as its 32 bytes."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).hex()


class Key(TypeDecorator[str]):
    """An idempotency key, kept as the first letter of its kind and the 32 bytes of its digest."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        if value is None:
            return None
        kind, _, digest = value.partition("-")
        return kind[:1].encode() + bytes.fromhex(digest)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return f"{_KEY_KINDS[bytes(value[:1])]}-{bytes(value[1:]).hex()}"


# ids sort and compare byte by byte, whatever the database's language is
PUSH_ID = String(ID_CHARS).with_variant(String(ID_CHARS, collation="C"), "postgresql")

METADATA = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)

KEYS = Table(  # decides what is a redelivery and what a conflict, across threads, processes and machines
    "keys",
    METADATA,
    Column("key", Key(), primary_key=True),
    Column("n", SmallInteger, primary_key=True, autoincrement=False),  # 0: the first push; then those in conflict
    Column("push_id", PUSH_ID, nullable=False),
    sqlite_with_rowid=False,
)

PUSHES = Table(
    "pushes",
    METADATA,
    Column("id", PUSH_ID, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("received_at", UtcTime(), nullable=False),
    Column("judged_at", UtcTime(), nullable=False),  # when the verdict was passed
    Column("source_ip", Text, nullable=False),
    Column("xdn", Text),
    Column("mrn", Text),
    Column("submit_id", Text),
    Column("idempotency_key", Key()),  # null: refused input, which is never taken for a redelivery
    Column("content_digest", Digest()),
    Column("conflict_of", PUSH_ID),
    Column("redeliveries", Integer, nullable=False),
    Column("deviations", Integer, nullable=False),
    Column("documents", Integer, nullable=False),  # their number
    Column("document_bytes", BigInteger, nullable=False),
    Column("raw_sha256", Digest(), nullable=False),
    Column("raw_bytes", BigInteger, nullable=False),
    Column("kept_bytes", BigInteger, nullable=False),  # what the quarantine's bounds count
    Column("record", LargeBinary, nullable=False),  # what else is known, packed (push_record.py)
    Column("envelope", LargeBinary),  # the request body without the documents (skeleton_form.py); null: content 0
)

_QUARANTINED = text("state = 'quarantined'")
_CONFLICT = text("conflict_of IS NOT NULL")

Index("ix_pushes_quarantined_id", PUSHES.c.id, sqlite_where=_QUARANTINED, postgresql_where=_QUARANTINED)
Index(
    "ix_pushes_quarantined_source_id",
    PUSHES.c.source_ip,
    PUSHES.c.id,
    sqlite_where=_QUARANTINED,
    postgresql_where=_QUARANTINED,
)
Index("ix_pushes_conflict_of", PUSHES.c.conflict_of, sqlite_where=_CONFLICT, postgresql_where=_CONFLICT)

CONTENTS = Table(
    "contents",
    METADATA,
    Column("push_id", PUSH_ID, primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),  # 0: the request body; 1 and on: of documents
    Column("sha256", Digest(), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("file_id", PUSH_ID),  # by which its file is named (content_files.py); null: it has none
    Column("inline", LargeBinary),  # last: what is before it is read without it
)

_IN_FILE = text("file_id IS NOT NULL")
Index(
    "ix_contents_file_id_sha256",
    CONTENTS.c.file_id,
    CONTENTS.c.sha256,
    sqlite_where=_IN_FILE,
    postgresql_where=_IN_FILE,
)

ARRIVALS = Table(
    "arrivals",
    METADATA,
    Column("push_id", PUSH_ID, primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),  # the first redelivery is 1
    Column("received_at", UtcTime(), nullable=False),
    Column("source_ip", Text, nullable=False),
    sqlite_with_rowid=False,
)

TOTAL_SLOTS = 64  # rows of `totals`: each open store adds to one of them, so that two seldom wait for each other
TOTALS = Table(  # sums over accepted pushes, because to count ten million of them takes seconds
    "totals",
    METADATA,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("accepted", BigInteger, nullable=False),
    Column("documents", BigInteger, nullable=False),
    Column("document_bytes", BigInteger, nullable=False),
    Column("redeliveries", BigInteger, nullable=False),
    Column("conflicts", BigInteger, nullable=False),
)

QUARANTINE_USE = Table(
    "quarantine_use",
    METADATA,
    Column("source_ip", Text, primary_key=True),  # "*": all of them together
    Column("kept_bytes", BigInteger, nullable=False),
)

DROP_DOCUMENTS = Table(  # of pushes that came from a backup without their envelope, by digest (drops.py)
    "drop_documents",
    METADATA,
    Column("sha256", Digest(), primary_key=True),
    Column("push_id", PUSH_ID, primary_key=True),
    sqlite_with_rowid=False,
)

TAKEN_IN = Table(  # what lay at backups and was taken in (intake_ledger.py)
    "taken_in",
    METADATA,
    Column("source", Digest(), primary_key=True),
    Column("item", Digest(), primary_key=True),
    Column("taken_at", UtcTime(), nullable=False),
    Column("outcome", String(16), nullable=False),  # see there
    sqlite_with_rowid=False,
)

INBOX = Table(
    "inbox",
    METADATA,
    Column("id", String(32), primary_key=True),  # one row: by it the directory of content files says whose it is
)

PROBE = Table(
    "probe",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("written_at", UtcTime(), nullable=False),
)
