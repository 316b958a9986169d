"""The promises of deliveries in a SQLite file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from soapsvc.inbox.outbox_writes import next_due
from soapsvc.inbox.tables import METADATA
from tests.inbox.making import NOON, STRICT, OpenStore, push
from tests.inbox.outbox_promises import OutboxPromises, to


class TestSqliteOutbox(OutboxPromises):
    def test_what_is_due_is_read_off_an_index(self, open_inbox: OpenStore, inbox_file: Path) -> None:
        open_inbox(route=to("a")).accept(push(), STRICT)
        connection = sqlite3.connect(inbox_file)
        for ordered, index in ((False, "ix_deliveries_target_due_at"), (True, "ix_deliveries_target_push_id")):
            from sqlalchemy.dialects import sqlite

            query = next_due("a", ordered, NOON).compile(
                dialect=sqlite.dialect(), compile_kwargs={"literal_binds": False}
            )
            plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", [None] * len(query.positiontup or ())).fetchall()
            told = " ".join(row[3] for row in plan)
            assert index in told, told
            assert "SCAN deliveries" not in told
            assert "TEMP B-TREE" not in told
        connection.close()
        assert "deliveries" in METADATA.tables
