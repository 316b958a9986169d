"""Large contents in the database, in pieces, and which of them have no row yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _bytewise(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "content_pieces",
        sa.Column("file_id", _bytewise(20), nullable=False),
        sa.Column("sha256", _bytewise(64), nullable=False),
        sa.Column("n", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("piece", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("file_id", "sha256", "n", name="pk_content_pieces"),
    )
    op.create_table(
        "pending_contents",
        sa.Column("file_id", _bytewise(20), nullable=False),
        sa.Column("sha256", _bytewise(64), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("file_id", "sha256", name="pk_pending_contents"),
    )
    if op.get_context().dialect.name == "postgresql":
        # compressing costs time at each write, and what is sent is packed already (PDF, TIFF) or small
        op.execute("ALTER TABLE content_pieces ALTER COLUMN piece SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.drop_table("pending_contents")
    op.drop_table("content_pieces")
