"""An inbox of the first kind of tables: what it holds is there after the migrations, as it was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from soapsvc.inbox.sql_store import SqlStore
from soapsvc.records import PushState
from tests.inbox.making import REFUSED, STRICT, OpenStore, push

DUMP = Path(__file__).parent / "inbox-0001.sql"


def carried_over(inbox_file: Path, open_inbox: OpenStore) -> SqlStore:
    with closing(sqlite3.connect(inbox_file)) as connection:
        connection.executescript(DUMP.read_text("utf-8"))
    return open_inbox()


def test_pushes_documents_and_raw_bytes_are_as_they_were(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = carried_over(inbox_file, open_inbox)
    rows = {(row.job.mrn if row.job else None, row.conflict_of is None): row for row in store.rows()}
    assert len(rows) == 5
    for (mrn, first), documents in {
        ("1", True): [push(1).documents[0].content.inline],
        ("1", False): [b"other"],
        ("2", True): [b"one", b"two"],
        ("4", True): [push(4).documents[0].content.inline],
    }.items():
        row = rows[mrn, first]
        assert [store.open_document(row.id, n).read() for n in range(1, len(documents) + 1)] == documents
        with store.open_raw(row.id) as raw:
            assert len(raw.read()) == row.raw_bytes
    stored = store.stored(rows["1", True].id)
    assert (stored.row.redeliveries, len(stored.arrivals)) == (1, 1)
    assert stored.row.received_at == push(1).arrival.received_at
    assert (stored.verdict, stored.root, stored.properties) == (STRICT, push(1).root, push(1).properties)
    assert stored.header_blocks == push(1).header_blocks
    assert stored.http_headers == push(1).arrival.http_headers
    assert rows["1", False].conflict_of == rows["1", True].id
    assert store.stored(rows["2", True].id).row.documents[0].properties == push().properties
    assert [verdict for _, verdict in store.stored(rows["4", True].id).history] == [REFUSED]


def test_redeliveries_and_conflicts_are_still_recognised(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = carried_over(inbox_file, open_inbox)
    assert store.accept(push(1), STRICT).redelivery
    again = store.accept(push(1, b"other"), STRICT)
    assert again.redelivery
    assert again.conflict_of is not None
    third = store.accept(push(1, b"a third"), STRICT)
    assert (third.redelivery, third.conflict_of) == (False, again.conflict_of)


def test_sums_and_quarantine_are_right(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = carried_over(inbox_file, open_inbox)
    found = store.stats()
    assert (found.accepted, found.quarantined, found.documents) == (4, 1, 5)
    assert (found.redeliveries, found.conflicts) == (1, 1)
    (kept,) = store.rows(state=PushState.QUARANTINED)
    accepted = store.accept_kept(kept.id, push(3), STRICT)
    assert not accepted.redelivery
    assert store.stats().quarantine_bytes == 0
