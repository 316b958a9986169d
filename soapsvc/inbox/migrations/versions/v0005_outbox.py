"""Deliveries with their attempts, the targets that are paused, and the pushes that are held."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TARGET_CHARS = 64


def _push_id() -> sa.Column[str]:
    bytewise = sa.String(20).with_variant(sa.String(20, collation="C"), "postgresql")
    return sa.Column("push_id", bytewise, nullable=False)


def _time() -> sa.types.TypeEngine[Any]:
    return sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "deliveries",
        _push_id(),
        sa.Column("target", sa.String(TARGET_CHARS), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("due_at", _time()),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("claim", sa.Text),
        sa.PrimaryKeyConstraint("push_id", "target", name="pk_deliveries"),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (push_id)",
    )
    op.create_table(
        "attempts",
        _push_id(),
        sa.Column("target", sa.String(TARGET_CHARS), nullable=False),
        sa.Column("n", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", _time(), nullable=False),
        sa.Column("outcome", sa.String(24), nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("push_id", "target", "n", name="pk_attempts"),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (push_id)",
    )
    if op.get_context().dialect.name == "postgresql":
        for table in ("deliveries", "attempts"):
            op.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")
    for name, columns, where in (
        ("ix_deliveries_target_due_at", ["target", "due_at", "push_id"], "due_at IS NOT NULL"),
        ("ix_deliveries_target_push_id", ["target", "push_id"], "due_at IS NOT NULL"),
        ("ix_deliveries_dead_target", ["target", "push_id"], "state = 'dead'"),
    ):
        op.create_index(name, "deliveries", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_table(
        "targets",
        sa.Column("name", sa.String(TARGET_CHARS), nullable=False),
        sa.Column("paused_at", _time()),
        sa.Column("delivered", sa.BigInteger, nullable=False),
        sa.Column("failed_attempts", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_targets"),
    )
    op.create_table(
        "holds",
        _push_id(),
        sa.Column("at", _time(), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("push_id", name="pk_holds"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("holds", "targets", "attempts", "deliveries"):
        op.drop_table(table)
