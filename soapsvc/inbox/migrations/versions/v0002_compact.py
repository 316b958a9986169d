"""One packed record a push in place of many columns, keys in a table of their own, sums that need no counting; on
PostgreSQL the tables that grow are partitioned by time. What an inbox of the first kind holds is carried over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from soapsvc.inbox.push_record import pack

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PAGE_ROWS = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INDEXES = {
    "pushes": (
        "uq_pushes_key_and_content", "uq_pushes_first_of_key", "ix_pushes_state_id", "ix_pushes_quarantined_source_id",
        "ix_pushes_conflict_of", "ix_pushes_redeliveries",
    ),
    "contents": ("ix_contents_file_id_sha256",),
}  # fmt: skip


def _bytewise(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _time() -> sa.types.TypeEngine[Any]:
    return sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    for table, indexes in _INDEXES.items():
        for index in indexes:
            op.drop_index(index, table)
    for table in ("pushes", "documents", "contents", "arrivals"):
        if op.get_context().dialect.name == "postgresql":  # where the names of constraints are names of indexes too
            op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT pk_{table} TO pk_old_{table}")
        op.rename_table(table, f"old_{table}")
    op.drop_table("probe")
    _make()
    _carry_over()
    for table in ("arrivals", "contents", "documents", "pushes"):
        op.drop_table(f"old_{table}")


def _make() -> None:
    on_postgresql = op.get_context().dialect.name == "postgresql"
    op.create_table(
        "keys",
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("n", sa.SmallInteger, nullable=False, autoincrement=False),
        sa.Column("push_id", _bytewise(20), nullable=False),
        sa.PrimaryKeyConstraint("key", "n", name="pk_keys"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pushes",
        sa.Column("id", _bytewise(20), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("received_at", _time(), nullable=False),
        sa.Column("judged_at", _time(), nullable=False),
        sa.Column("source_ip", sa.Text, nullable=False),
        sa.Column("xdn", sa.Text),
        sa.Column("mrn", sa.Text),
        sa.Column("submit_id", sa.Text),
        sa.Column("idempotency_key", sa.LargeBinary),
        sa.Column("content_digest", sa.LargeBinary),
        sa.Column("conflict_of", _bytewise(20)),
        sa.Column("redeliveries", sa.Integer, nullable=False),
        sa.Column("deviations", sa.Integer, nullable=False),
        sa.Column("documents", sa.Integer, nullable=False),
        sa.Column("document_bytes", sa.BigInteger, nullable=False),
        sa.Column("raw_sha256", sa.LargeBinary, nullable=False),
        sa.Column("raw_bytes", sa.BigInteger, nullable=False),
        sa.Column("kept_bytes", sa.BigInteger, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.Column("envelope", sa.LargeBinary),
        sa.PrimaryKeyConstraint("id", name="pk_pushes"),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_table(
        "contents",
        sa.Column("push_id", _bytewise(20), nullable=False),
        sa.Column("n", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("file_id", _bytewise(20)),
        sa.Column("inline", sa.LargeBinary),
        sa.PrimaryKeyConstraint("push_id", "n", name="pk_contents"),
        postgresql_partition_by="RANGE (push_id)",
    )
    op.create_table(
        "arrivals",
        sa.Column("push_id", _bytewise(20), nullable=False),
        sa.Column("n", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("received_at", _time(), nullable=False),
        sa.Column("source_ip", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("push_id", "n", name="pk_arrivals"),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (push_id)",
    )
    if on_postgresql:
        for table in ("pushes", "contents", "arrivals"):
            op.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")
        for column in ("record", "envelope"):  # packed already
            op.execute(f"ALTER TABLE pushes ALTER COLUMN {column} SET STORAGE EXTERNAL")
    for name, table, columns, where in (
        ("ix_pushes_quarantined_id", "pushes", ["id"], "state = 'quarantined'"),
        ("ix_pushes_quarantined_source_id", "pushes", ["source_ip", "id"], "state = 'quarantined'"),
        ("ix_pushes_conflict_of", "pushes", ["conflict_of"], "conflict_of IS NOT NULL"),
        ("ix_contents_file_id_sha256", "contents", ["file_id", "sha256"], "file_id IS NOT NULL"),
    ):
        op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    sums = ("accepted", "documents", "document_bytes", "redeliveries", "conflicts")
    totals = op.create_table(
        "totals",
        sa.Column("slot", sa.SmallInteger, nullable=False, autoincrement=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in sums),
        sa.PrimaryKeyConstraint("slot", name="pk_totals"),
    )
    op.bulk_insert(totals, [{"slot": slot, **dict.fromkeys(sums, 0)} for slot in range(64)])
    op.create_table(
        "probe",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("written_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_probe"),
    )


# What is there already ------------------------------------------------------------------------------------------------


def _carry_over() -> None:
    connection = op.get_bind()
    old = {
        name: sa.table(f"old_{name}", *_old_columns(name)) for name in ("pushes", "documents", "contents", "arrivals")
    }
    new = {name: sa.Table(name, sa.MetaData(), autoload_with=connection) for name in
           ("pushes", "contents", "arrivals", "keys", "totals")}  # fmt: skip
    conflicts: dict[bytes, int] = {}
    sums = dict.fromkeys(("accepted", "documents", "document_bytes", "redeliveries", "conflicts"), 0)
    for page in _pages(connection, old["pushes"]):
        ids = [row["id"] for row in page]
        documents = _by_push(connection, old["documents"], ids)
        contents = _by_push(connection, old["contents"], ids)
        for row in page:
            of_push = documents.get(row["id"], [])
            connection.execute(sa.insert(new["pushes"]), _push(row, of_push))
            kept = _contents(row, of_push, contents.get(row["id"], []))
            if kept:
                connection.execute(sa.insert(new["contents"]), kept)
            key = _key(row["idempotency_key"])
            if key is not None:
                conflicts[key] = n = 0 if row["conflict_of"] is None else conflicts.get(key, 0) + 1
                connection.execute(sa.insert(new["keys"]), {"key": key, "n": n, "push_id": row["id"]})
            if row["state"] == "accepted":
                sums["accepted"] += 1
                sums["documents"] += len(of_push)
                sums["document_bytes"] += sum(document["size_bytes"] for document in of_push)
                sums["redeliveries"] += row["redeliveries"]
                sums["conflicts"] += row["conflict_of"] is not None
        again = [dict(one) for rows in _by_push(connection, old["arrivals"], ids).values() for one in rows]
        for one in again:
            one["received_at"] = _stored_time(one["received_at"])
        if again:
            connection.execute(sa.insert(new["arrivals"]), again)
    connection.execute(sa.update(new["totals"]).where(new["totals"].c.slot == 0).values(sums))


def _old_columns(table: str) -> list[sa.ColumnClause[Any]]:
    typed: dict[str, dict[str, Any]] = {
        "pushes": {
            **dict.fromkeys(("received_at", "judged_at"), sa.DateTime(timezone=True)),
            **dict.fromkeys(("verdict", "history", "properties", "header_blocks", "http_headers"), sa.JSON),
        },
        "documents": {"properties": sa.JSON},
        "contents": {"inline": sa.LargeBinary},
        "arrivals": {"received_at": sa.DateTime(timezone=True)},
    }
    plain = {
        "pushes": "id state kind source_ip root xdn mrn submit_id status_code processing_id idempotency_key"
        " content_digest conflict_of redeliveries deviations raw_sha256 raw_bytes kept_bytes",
        "documents": "push_id n filename doctype detected_type charset encoding size_bytes sha256",
        "contents": "push_id sha256 size_bytes file_id",
        "arrivals": "push_id n source_ip",
    }
    return [
        *(sa.column(name) for name in plain[table].split()),
        *(sa.column(name, of) for name, of in typed[table].items()),
    ]


def _pages(connection: sa.Connection, pushes: sa.TableClause) -> Iterator[list[dict[str, Any]]]:
    last = ""
    while True:
        query = sa.select(pushes).where(pushes.c.id > last).order_by(pushes.c.id).limit(PAGE_ROWS)
        page = [dict(row) for row in connection.execute(query).mappings()]
        if not page:
            return
        yield page
        last = page[-1]["id"]


def _by_push(connection: sa.Connection, table: sa.TableClause, ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    rows = sa.select(table).where(table.c.push_id.in_(ids))
    for row in connection.execute(rows.order_by(*(c for c in table.c if c.name in ("push_id", "n")))).mappings():
        found.setdefault(row["push_id"], []).append(dict(row))
    return found


def _push(row: Mapping[str, Any], documents: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("id", "state", "kind", "source_ip", "xdn", "mrn", "submit_id", "conflict_of", "redeliveries", "deviations",
             "raw_bytes", "kept_bytes")  # fmt: skip
    digest = row["content_digest"]
    return {name: row[name] for name in names} | {
        "received_at": _stored_time(row["received_at"]),
        "judged_at": _stored_time(row["judged_at"]),
        "idempotency_key": _key(row["idempotency_key"]),
        "content_digest": None if digest is None else bytes.fromhex(digest),
        "documents": len(documents),
        "document_bytes": sum(document["size_bytes"] for document in documents),
        "raw_sha256": bytes.fromhex(row["raw_sha256"]),
        "record": pack(_record(row, documents)),
        "envelope": None,
    }


def _record(row: Mapping[str, Any], documents: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("root", "status_code", "processing_id", "header_blocks", "properties", "history")
    record = {name: row[name] for name in names if row[name]}
    told = ("filename", "doctype", "detected_type", "charset", "properties", "encoding", "size_bytes", "sha256")
    if documents:
        record["documents"] = [{name: one[name] for name in told if one[name] not in (None, [])} for one in documents]
    return record | {"verdict": row["verdict"], "http_headers": row["http_headers"]}


def _contents(
    row: Mapping[str, Any], documents: list[dict[str, Any]], contents: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The request body is number 0, the documents follow in their order."""
    order = list(dict.fromkeys([row["raw_sha256"], *(document["sha256"] for document in documents)]))
    return [
        {
            "push_id": content["push_id"],
            "n": order.index(content["sha256"]),
            "sha256": bytes.fromhex(content["sha256"]),
            "size_bytes": content["size_bytes"],
            "file_id": content["file_id"],
            "inline": content["inline"],
        }
        for content in contents
    ]


def _key(key: str | None) -> bytes | None:
    if key is None:
        return None
    kind, _, digest = key.partition("-")
    return kind[:1].encode() + bytes.fromhex(digest)


def _stored_time(at: datetime) -> Any:
    if op.get_context().dialect.name == "postgresql":
        return at
    return (at.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def downgrade() -> None:
    raise NotImplementedError("an inbox does not go back to an older version: put its backup in place")
