"""The tables of the search index on PostgreSQL; an inbox in SQLite has none of them, for its index is a file.

`search_entries` is partitioned as the pushes are, and the sums are kept by hour or week, so that what belongs to a week
goes with it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
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
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR

from soapsvc.inbox.tables import METADATA, PUSH_ID, UtcTime

SEARCH_METADATA = MetaData(naming_convention=METADATA.naming_convention)

STATE = Table(  # one row, locked by whoever changes entries or sums
    "search_state",
    SEARCH_METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("followed", PUSH_ID, nullable=False),
    Column("settled", PUSH_ID, nullable=False),
    Column("filled_by", String(32), nullable=False),  # the process that fills the index, "": none
    Column("filled_until", DateTime(timezone=True), nullable=False),  # by the clock of the database
)

ENTRIES = Table(
    "search_entries",
    SEARCH_METADATA,
    Column("push_id", PUSH_ID, primary_key=True),
    Column("at", UtcTime(), nullable=False),
    Column("state", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("source", Text, nullable=False),
    Column("source_key", LargeBinary, nullable=False),  # the address as 16 bytes (search_query.source_key)
    Column("account", Text, nullable=False),  # "": none
    Column("deviations", Integer, nullable=False),
    Column("documents", Integer, nullable=False),
    Column("document_bytes", BigInteger, nullable=False),
    Column("raw_bytes", BigInteger, nullable=False),
    Column("rules", ARRAY(Text), nullable=False),
    Column("words", TSVECTOR, nullable=False),  # each once, without its places
    Column("said", Text, nullable=False),  # all words in their order, a blank before and after each: for phrases
    postgresql_partition_by="RANGE (push_id)",
)

_QUARANTINED, _DEVIATING = text("state = 'quarantined'"), text("deviations > 0")
Index("ix_search_entries_quarantined", ENTRIES.c.push_id, postgresql_where=_QUARANTINED)
Index("ix_search_entries_deviating", ENTRIES.c.push_id, postgresql_where=_DEVIATING)
Index("ix_search_entries_kind", ENTRIES.c.kind, ENTRIES.c.push_id)
Index("ix_search_entries_source", ENTRIES.c.source, ENTRIES.c.push_id)
Index("ix_search_entries_account", ENTRIES.c.account, ENTRIES.c.push_id)
Index(  # each search goes through what is not sorted in yet: 1 MB of it, in place of 4
    "ix_search_entries_words",
    ENTRIES.c.words,
    postgresql_using="gin",
    postgresql_with={"gin_pending_list_limit": 1024},
)

HOURS = Table(
    "search_hours",
    SEARCH_METADATA,
    Column("hour", UtcTime(), primary_key=True),
    Column("accepted", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("documents", BigInteger, nullable=False),
    Column("document_bytes", BigInteger, nullable=False),
    Column("raw_bytes", BigInteger, nullable=False),
)

RULES = Table(
    "search_rules",
    SEARCH_METADATA,
    Column("hour", UtcTime(), primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("pushes", BigInteger, nullable=False),
)

SENDERS = Table(
    "search_senders",
    SEARCH_METADATA,
    Column("week", UtcTime(), primary_key=True),  # its beginning
    Column("source", Text, primary_key=True),
    Column("pushes", BigInteger, nullable=False),
    Column("first_at", UtcTime(), nullable=False),
    Column("last_at", UtcTime(), nullable=False),
)

ACCOUNTS = Table(
    "search_accounts",
    SEARCH_METADATA,
    Column("week", UtcTime(), primary_key=True),
    Column("account", Text, primary_key=True),
    Column("pushes", BigInteger, nullable=False),
)
