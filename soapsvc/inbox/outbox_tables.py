"""The tables of deliveries: which push goes to which target, how it stands, what was tried; and what is held.

`due_at` is empty where nothing more is to be done, so the two indexes that workers ask hold the open deliveries alone,
however many have ended. On PostgreSQL `deliveries` and `attempts` are partitioned as the pushes are.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, text

from soapsvc.inbox.tables import METADATA, PUSH_ID, UtcTime

TARGET_CHARS = 64  # of a target's name; settings take no longer one

DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("push_id", PUSH_ID, primary_key=True),
    Column("target", String(TARGET_CHARS), primary_key=True),
    Column("state", String(16), nullable=False),  # states.DeliveryState
    Column("due_at", UtcTime()),  # when a worker may take it, or when its claim ends; null: it has ended
    Column("attempts", Integer, nullable=False),
    Column("failed", Integer, nullable=False),  # since it was queued
    Column("claim", Text),  # the token of whoever forwards it
    sqlite_with_rowid=False,
)

_OPEN, _DEAD = text("due_at IS NOT NULL"), text("state = 'dead'")
Index("ix_deliveries_target_due_at", DELIVERIES.c.target, DELIVERIES.c.due_at, DELIVERIES.c.push_id,
      sqlite_where=_OPEN, postgresql_where=_OPEN)  # fmt: skip
Index("ix_deliveries_target_push_id", DELIVERIES.c.target, DELIVERIES.c.push_id,
      sqlite_where=_OPEN, postgresql_where=_OPEN)  # fmt: skip
Index("ix_deliveries_dead_target", DELIVERIES.c.target, DELIVERIES.c.push_id,
      sqlite_where=_DEAD, postgresql_where=_DEAD)  # fmt: skip

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("push_id", PUSH_ID, primary_key=True),
    Column("target", String(TARGET_CHARS), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime(), nullable=False),
    Column("outcome", String(24), nullable=False),
    Column("said", Text, nullable=False),
    sqlite_with_rowid=False,
)

TARGETS = Table(  # one row for each name that ever was one
    "targets",
    METADATA,
    Column("name", String(TARGET_CHARS), primary_key=True),
    Column("paused_at", UtcTime()),
    Column("delivered", BigInteger, nullable=False),
    Column("failed_attempts", BigInteger, nullable=False),
)

HOLDS = Table(  # pushes that an operator wants kept
    "holds",
    METADATA,
    Column("push_id", PUSH_ID, primary_key=True),
    Column("at", UtcTime(), nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_with_rowid=False,
)
