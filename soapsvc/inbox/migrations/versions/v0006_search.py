"""On PostgreSQL: the search index, which each receiver had in a file of its own."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SUMS = ("search_hours", "search_rules", "search_senders", "search_accounts")


def _push_id(name: str = "push_id") -> sa.Column[str]:
    return sa.Column(name, sa.String(20, collation="C"), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _text(name: str, of: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, of, nullable=False)


def _time(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    state = op.create_table(
        "search_state",
        sa.Column("id", sa.SmallInteger, nullable=False, autoincrement=False),
        _push_id("followed"),
        _push_id("settled"),
        _text("filled_by", sa.String(32)),
        _time("filled_until"),
        sa.PrimaryKeyConstraint("id", name="pk_search_state"),
    )
    op.execute(
        sa.insert(state).values(id=1, followed="", settled="", filled_by="", filled_until=sa.text("'-infinity'"))
    )
    op.create_table(
        "search_entries",
        _push_id(),
        _time("at"),
        _text("state", sa.String(16)),
        _text("kind", sa.String(16)),
        _text("source"),
        _text("source_key", sa.LargeBinary),
        _text("account"),
        sa.Column("deviations", sa.Integer, nullable=False),
        sa.Column("documents", sa.Integer, nullable=False),
        _number("document_bytes"),
        _number("raw_bytes"),
        _text("rules", ARRAY(sa.Text)),
        _text("words", TSVECTOR),
        _text("said"),
        sa.PrimaryKeyConstraint("push_id", name="pk_search_entries"),
        postgresql_partition_by="RANGE (push_id)",
    )
    _make_partitions(op.get_bind())
    for name, columns, how in (
        ("quarantined", ["push_id"], {"postgresql_where": sa.text("state = 'quarantined'")}),
        ("deviating", ["push_id"], {"postgresql_where": sa.text("deviations > 0")}),
        ("kind", ["kind", "push_id"], {}),
        ("source", ["source", "push_id"], {}),
        ("account", ["account", "push_id"], {}),
        ("words", ["words"], {"postgresql_using": "gin", "postgresql_with": {"gin_pending_list_limit": 1024}}),
    ):
        op.create_index(f"ix_search_entries_{name}", "search_entries", columns, **how)
    sums = ("accepted", "quarantined", "documents", "document_bytes", "raw_bytes")
    op.create_table(
        "search_hours", _time("hour"), *map(_number, sums), sa.PrimaryKeyConstraint("hour", name="pk_search_hours")
    )
    op.create_table(
        "search_rules", _time("hour"), _text("rule"), _number("pushes"),
        sa.PrimaryKeyConstraint("hour", "rule", name="pk_search_rules"),
    )  # fmt: skip
    op.create_table(
        "search_senders", _time("week"), _text("source"), _number("pushes"), _time("first_at"), _time("last_at"),
        sa.PrimaryKeyConstraint("week", "source", name="pk_search_senders"),
    )  # fmt: skip
    op.create_table(
        "search_accounts", _time("week"), _text("account"), _number("pushes"),
        sa.PrimaryKeyConstraint("week", "account", name="pk_search_accounts"),
    )  # fmt: skip


def _make_partitions(connection: sa.Connection) -> None:
    """One for each that the pushes have, so that a week can still be dropped whole."""
    of_pushes = connection.execute(
        sa.text(
            "SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid IN "
            "(SELECT inhrelid FROM pg_inherits WHERE inhparent = 'pushes'::regclass)"
        )
    )
    for name, bounds in of_pushes.all():
        suffix = name.removeprefix("pushes")
        connection.execute(sa.text(f"CREATE TABLE search_entries{suffix} PARTITION OF search_entries {bounds}"))


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        for table in (*SUMS, "search_entries", "search_state"):
            op.drop_table(table)
