"""What was taken in from backups: the ledger, and the documents of what came without its envelope."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drop_documents",
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("push_id", sa.String(20).with_variant(sa.String(20, collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "push_id", name="pk_drop_documents"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "taken_in",
        sa.Column("source", sa.LargeBinary, nullable=False),
        sa.Column("item", sa.LargeBinary, nullable=False),
        sa.Column("taken_at", sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql"), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("source", "item", name="pk_taken_in"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("taken_in")
    op.drop_table("drop_documents")
