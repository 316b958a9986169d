"""Tables for large contents, on a database server; a SQLite inbox has them too, and leaves them empty."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Integer, LargeBinary, String, Table

from soapsvc.inbox.tables import METADATA, PUSH_ID

_HEX_DIGEST = String(64).with_variant(String(64, collation="C"), "postgresql")

CONTENT_PIECES = Table(
    "content_pieces",
    METADATA,
    Column("file_id", PUSH_ID, primary_key=True),  # as in `contents`; no foreign key: the pieces are there first
    Column("sha256", _HEX_DIGEST, primary_key=True),  # of the whole content
    Column("n", Integer, primary_key=True, autoincrement=False),  # from 0
    Column("piece", LargeBinary, nullable=False),  # PIECE_BYTES, the last one fewer
)

PENDING_CONTENTS = Table(
    "pending_contents",
    METADATA,
    Column("file_id", PUSH_ID, primary_key=True),
    Column("sha256", _HEX_DIGEST, primary_key=True),
    Column("since", DateTime(timezone=True), nullable=False),
)
