"""The promises of deliveries in a SQLite file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import event

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

    def test_without_deliveries_a_push_costs_no_further_statement(self, open_inbox: OpenStore) -> None:
        """And with them one more, which is told for each of the rows, in the transaction that was needed anyway."""
        told: dict[str, list[str]] = {}
        open_inbox().accept(push(0), STRICT)
        for mrn, (name, route) in enumerate((("none", to()), ("two", to("a", "b"))), start=1):
            store = open_inbox(route=route)
            told[name] = []

            def note(sql: str, into: list[str] = told[name]) -> None:
                into.append(sql.split("(")[0].split(" WHERE slot")[0].strip())  # each store has its own row of sums

            event.listen(
                store._database.writer, "connect", lambda one, _record, note=note: one.set_trace_callback(note)
            )
            store.accept(push(mrn), STRICT)
        assert told["none"][0] == "BEGIN IMMEDIATE"
        assert told["none"][-1] == "COMMIT"
        assert not [sql for sql in told["none"] if "deliveries" in sql or "targets" in sql]
        assert [sql for sql in told["two"] if sql not in told["none"]] == ["INSERT INTO deliveries"] * 2
        assert len(told["two"]) == len(told["none"]) + 2
