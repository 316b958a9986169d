"""The tables of the first inbox."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _bytewise(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "pushes",
        sa.Column("id", _bytewise(20), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_ip", sa.Text, nullable=False),
        sa.Column("root", sa.Text),
        sa.Column("xdn", sa.Text),
        sa.Column("mrn", sa.Text),
        sa.Column("submit_id", sa.Text),
        sa.Column("status_code", sa.Text),
        sa.Column("processing_id", sa.Text),
        sa.Column("idempotency_key", _bytewise(80)),
        sa.Column("content_digest", _bytewise(64)),
        sa.Column("conflict_of", _bytewise(20)),
        sa.Column("redeliveries", sa.Integer, nullable=False),
        sa.Column("deviations", sa.Integer, nullable=False),
        sa.Column("raw_sha256", _bytewise(64), nullable=False),
        sa.Column("raw_bytes", sa.BigInteger, nullable=False),
        sa.Column("kept_bytes", sa.BigInteger, nullable=False),
        sa.Column("verdict", sa.JSON, nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("history", sa.JSON, nullable=False),
        sa.Column("properties", sa.JSON, nullable=False),
        sa.Column("header_blocks", sa.JSON, nullable=False),
        sa.Column("http_headers", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pushes"),
    )
    op.create_index("uq_pushes_key_and_content", "pushes", ["idempotency_key", "content_digest"], unique=True)
    op.create_index("ix_pushes_state_id", "pushes", ["state", "id"])
    for name, columns, where, unique in (
        ("uq_pushes_first_of_key", ["idempotency_key"], "conflict_of IS NULL", True),
        ("ix_pushes_quarantined_source_id", ["source_ip", "id"], "state = 'quarantined'", False),
        ("ix_pushes_conflict_of", ["conflict_of"], "conflict_of IS NOT NULL", False),
        ("ix_pushes_redeliveries", ["redeliveries"], "redeliveries > 0", False),
    ):
        condition = sa.text(where)
        op.create_index(
            name, "pushes", columns, unique=unique, sqlite_where=condition, postgresql_where=condition
        )  # fmt: skip

    op.create_table(
        "documents",
        sa.Column("push_id", _bytewise(20), nullable=False),
        sa.Column("n", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("filename", sa.Text),
        sa.Column("doctype", sa.Text),
        sa.Column("detected_type", sa.Text),
        sa.Column("charset", sa.Text),
        sa.Column("encoding", sa.String(16), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", _bytewise(64), nullable=False),
        sa.Column("properties", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(["push_id"], ["pushes.id"], name="fk_documents_push_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("push_id", "n", name="pk_documents"),
    )
    op.create_table(
        "contents",
        sa.Column("push_id", _bytewise(20), nullable=False),
        sa.Column("sha256", _bytewise(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("inline", sa.LargeBinary),
        sa.Column("file_id", _bytewise(20)),
        sa.ForeignKeyConstraint(["push_id"], ["pushes.id"], name="fk_contents_push_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("push_id", "sha256", name="pk_contents"),
    )
    in_file = sa.text("file_id IS NOT NULL")
    op.create_index(
        "ix_contents_file_id_sha256", "contents", ["file_id", "sha256"], sqlite_where=in_file, postgresql_where=in_file
    )
    op.create_table(
        "arrivals",
        sa.Column("push_id", _bytewise(20), nullable=False),
        sa.Column("n", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_ip", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["push_id"], ["pushes.id"], name="fk_arrivals_push_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("push_id", "n", name="pk_arrivals"),
    )
    op.create_table(
        "quarantine_use",
        sa.Column("source_ip", sa.Text, nullable=False),
        sa.Column("kept_bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("source_ip", name="pk_quarantine_use"),
    )
    inbox = op.create_table(
        "inbox",
        sa.Column("id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
    )
    op.bulk_insert(inbox, [{"id": secrets.token_hex(16)}])
    op.create_table(
        "probe",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_probe"),
    )


def downgrade() -> None:
    for table in ("probe", "inbox", "quarantine_use", "arrivals", "contents", "documents", "pushes"):
        op.drop_table(table)
