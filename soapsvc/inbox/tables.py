"""The inbox's tables, as SQLAlchemy Core knows them; `migrations/` makes them, docs/inbox.md explains them.

Everything here is said in words that SQLite and PostgreSQL both understand.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator

from soapsvc.inbox.push_id import ID_CHARS


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite keeps it as text without a zone, PostgreSQL as timestamptz."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# ids and digests sort and compare byte by byte, whatever the database's language is
PUSH_ID = String(ID_CHARS).with_variant(String(ID_CHARS, collation="C"), "postgresql")
HEX_DIGEST = String(64).with_variant(String(64, collation="C"), "postgresql")
KEY = String(80).with_variant(String(80, collation="C"), "postgresql")

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

PUSHES = Table(
    "pushes",
    METADATA,
    Column("id", PUSH_ID, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("received_at", UtcTime(), nullable=False),
    Column("source_ip", Text, nullable=False),
    Column("root", Text),
    Column("xdn", Text),
    Column("mrn", Text),
    Column("submit_id", Text),
    Column("status_code", Text),
    Column("processing_id", Text),
    Column("idempotency_key", KEY),  # null: refused input, which is never taken for a redelivery
    Column("content_digest", HEX_DIGEST),
    Column("conflict_of", PUSH_ID),  # no foreign key: the first may be gone one day, the conflict stays
    Column("redeliveries", Integer, nullable=False),
    Column("deviations", Integer, nullable=False),
    Column("raw_sha256", HEX_DIGEST, nullable=False),
    Column("raw_bytes", BigInteger, nullable=False),
    Column("kept_bytes", BigInteger, nullable=False),  # what the quarantine's bounds count
    Column("verdict", JSON, nullable=False),
    Column("judged_at", UtcTime(), nullable=False),  # when the verdict was passed
    Column("history", JSON, nullable=False),  # the verdicts before it, each with its time; oldest first
    Column("properties", JSON, nullable=False),
    Column("header_blocks", JSON, nullable=False),
    Column("http_headers", JSON, nullable=False),
)

_QUARANTINED = text("state = 'quarantined'")
_FIRST = text("conflict_of IS NULL")
_CONFLICT = text("conflict_of IS NOT NULL")
_REDELIVERED = text("redeliveries > 0")

# These two decide what is a redelivery and what a conflict, across threads, processes and machines.
Index("uq_pushes_key_and_content", PUSHES.c.idempotency_key, PUSHES.c.content_digest, unique=True)
Index("uq_pushes_first_of_key", PUSHES.c.idempotency_key, unique=True, sqlite_where=_FIRST, postgresql_where=_FIRST)

Index("ix_pushes_state_id", PUSHES.c.state, PUSHES.c.id)
Index(
    "ix_pushes_quarantined_source_id",
    PUSHES.c.source_ip,
    PUSHES.c.id,
    sqlite_where=_QUARANTINED,
    postgresql_where=_QUARANTINED,
)
Index("ix_pushes_conflict_of", PUSHES.c.conflict_of, sqlite_where=_CONFLICT, postgresql_where=_CONFLICT)
Index("ix_pushes_redeliveries", PUSHES.c.redeliveries, sqlite_where=_REDELIVERED, postgresql_where=_REDELIVERED)

DOCUMENTS = Table(
    "documents",
    METADATA,
    Column("push_id", PUSH_ID, ForeignKey("pushes.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("filename", Text),
    Column("doctype", Text),
    Column("detected_type", Text),
    Column("charset", Text),
    Column("encoding", String(16), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", HEX_DIGEST, nullable=False),
    Column("properties", JSON, nullable=False),
)

CONTENTS = Table(
    "contents",
    METADATA,
    Column("push_id", PUSH_ID, ForeignKey("pushes.id", ondelete="CASCADE"), primary_key=True),
    Column("sha256", HEX_DIGEST, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("inline", LargeBinary),  # null: in a file of its own (content_files.py)
    Column("file_id", PUSH_ID),  # by which the file is named; null: there is none
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
    Column("push_id", PUSH_ID, ForeignKey("pushes.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),  # the first redelivery is 1
    Column("received_at", UtcTime(), nullable=False),
    Column("source_ip", Text, nullable=False),
)

QUARANTINE_USE = Table(
    "quarantine_use",
    METADATA,
    Column("source_ip", Text, primary_key=True),  # "*": all of them together
    Column("kept_bytes", BigInteger, nullable=False),
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
