"""The sums over accepted pushes are the last thing that a transaction writes, once for all of its works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import Connection, event

from soapsvc.errors import StoreUnavailable
from soapsvc.inbox import push_writes, totals
from soapsvc.inbox.push_rows import accepted_push
from soapsvc.inbox.sql_store import SqlStore
from tests.inbox.conftest import opening
from tests.inbox.making import STRICT, OpenStore, push
from tests.postgres import PostgresServer
from tests.serving.connection import eventually

Work = Callable[[Connection], Any]


@pytest.fixture
def open_on_server(postgres: PostgresServer, tmp_path: Path) -> Iterator[OpenStore]:
    yield from opening(f"{postgres.url}/{postgres.database()}", spool=tmp_path / "spool")


def in_one_transaction(store: SqlStore, works: list[Callable[[], object]]) -> None:
    """Each in a thread, while the writer is held till all of them wait."""
    begun, go_on = Event(), Event()

    def hold(_connection: Connection) -> None:
        begun.set()
        assert go_on.wait(60)

    first = Thread(target=store._writer.commit, args=(hold,))
    first.start()
    assert begun.wait(60)
    threads = [Thread(target=work) for work in works]
    for number, thread in enumerate(threads, 1):
        thread.start()
        assert eventually(lambda number=number: len(store._writer._waiting) == number)
    go_on.set()
    for thread in [first, *threads]:
        thread.join(60)
        assert not thread.is_alive()


def test_a_transaction_of_many_works_writes_the_sums_once_and_last(open_inbox: OpenStore) -> None:
    open_inbox().accept(push(0), STRICT)
    store = open_inbox()
    told: list[str] = []
    event.listen(store._database.writer, "connect", lambda one, _record: one.set_trace_callback(told.append))
    in_one_transaction(store, [lambda mrn=mrn: store.accept(push(mrn), STRICT) for mrn in (0, 0, 1, 2)])
    assert [sql for sql in told if "totals" in sql] == [told[-2]]
    assert told[-1] == "COMMIT"
    stats = store.stats()
    assert (stats.accepted, stats.redeliveries) == (3, 2)


def test_a_work_that_is_undone_adds_nothing_to_the_sums_and_takes_nothing_from_them(open_inbox: OpenStore) -> None:
    store = open_inbox()
    failed: list[StoreUnavailable] = []
    store.accept(push(0), STRICT)

    def fail(connection: Connection) -> None:
        push_writes.count_redelivery(connection, accepted_push(push(0), STRICT))
        raise ValueError("after it was counted")

    def try_it() -> None:
        try:
            store._writer.commit(fail, "a key")
        except StoreUnavailable as refused:
            failed.append(refused)

    in_one_transaction(store, [try_it, *(lambda mrn=mrn: store.accept(push(mrn), STRICT) for mrn in (0, 1, 2))])
    assert len(failed) == 1
    stats = store.stats()
    assert (stats.accepted, stats.redeliveries) == (3, 1)


def test_two_machines_that_share_a_row_of_sums_do_not_wait_for_each_other_over_a_push(
    open_on_server: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One had the row and wanted the push, the other had the push and wanted the row: a deadlock, which the server
    ends by undoing one of them."""
    monkeypatch.setattr(totals, "TOTAL_SLOTS", 1)
    here, there = open_on_server(), open_on_server()
    here.accept(push(0), STRICT)
    again, new = accepted_push(push(0), STRICT), accepted_push(push(1), STRICT)
    counted, stored = Event(), Event()
    runs: list[str] = []

    def count_there(connection: Connection) -> None:
        runs.append("there")
        push_writes.count_redelivery(connection, again)  # the push is locked
        counted.set()
        assert stored.wait(60)

    def store_and_count_here(connection: Connection) -> None:
        runs.append("here")
        assert counted.wait(60)
        push_writes.store_all(connection, [new])
        stored.set()
        push_writes.count_redelivery(connection, again)  # waits for the other one's COMMIT

    threads = [
        Thread(target=there._writer.commit, args=(count_there, "a")),
        Thread(target=here._writer.commit, args=(store_and_count_here, "a")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert sorted(runs) == ["here", "there"]
    stats = here.stats()
    assert (stats.accepted, stats.redeliveries) == (2, 2)
