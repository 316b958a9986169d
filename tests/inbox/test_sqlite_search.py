"""The promises of the search index on a SQLite inbox, and what a file of its own brings."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from soapsvc.errors import StoreUnavailable
from soapsvc.inbox import indexer as indexing
from soapsvc.inbox.indexer import Indexer
from soapsvc.inbox.push_id import new_push_id, number_of
from soapsvc.inbox.search_index import SearchIndex
from soapsvc.inbox.search_query import Filters
from soapsvc.inbox.sql_store import SqlStore
from tests.inbox.conftest import LATER, fill
from tests.inbox.making import NOON, STRICT, OpenStore
from tests.inbox.search_promises import SearchPromises, about, found
from tests.serving.connection import eventually


class TestSqliteSearch(SearchPromises):
    pass


def damaged(path: Path) -> None:
    path.write_bytes(b"this is no database" * 500)


def of_another_form(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE facts SET value = '0' WHERE name = 'form'")
    connection.close()


def of_another_inbox(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE facts SET value = 'another' WHERE name = 'inbox'")
    connection.close()


@pytest.mark.parametrize("harm", [damaged, of_another_form, of_another_inbox, Path.unlink])
def test_an_index_that_cannot_be_used_is_made_anew_and_filled(
    store: SqlStore, index: SearchIndex, indexer: Indexer, harm: Callable[[Path], None]
) -> None:
    wanted = store.accept(about("weekly"), STRICT).id
    indexer.catch_up()
    harm(store.companion("index"))
    fresh = store.search_index()
    Indexer(store, fresh, 0, lambda: LATER).catch_up()
    assert found(fresh, "weekly") == [wanted]


def test_an_index_that_is_damaged_while_it_is_filled_is_made_anew(
    store: SqlStore, index: SearchIndex, indexer: Indexer
) -> None:
    wanted = store.accept(about("weekly"), STRICT).id
    indexer.catch_up()
    damaged(store.companion("index"))
    for wal in store.companion("index").parent.glob("*.index-*"):
        wal.unlink()
    with pytest.raises(StoreUnavailable, match="search index"):
        index.find(Filters("weekly"))
    with pytest.raises(StoreUnavailable, match="search index"):
        indexer.catch_up()
    indexer.catch_up()
    assert found(index, "weekly") == [wanted]


def test_a_disk_that_fills_while_the_index_is_made_leaves_none_that_stays_unusable(
    small_disk: Path, open_on_small_disk: OpenStore
) -> None:
    """At whichever of its statements: tables without the facts that belong in them ended the search for good."""
    store = open_on_small_disk()
    wanted = store.accept(about("weekly"), STRICT).id
    index = store.search_index()
    Indexer(store, index, 64 * 1024, lambda: LATER).catch_up()
    refused = 0
    for pages_free in range(60):
        taken = fill(small_disk)
        damaged(store.companion("index"))
        os.truncate(taken, taken.stat().st_size - 4096 * pages_free)
        indexer = Indexer(store, index, 64 * 1024, lambda: LATER)
        with contextlib.suppress(StoreUnavailable):
            indexer.catch_up()  # it sees the damage, and makes an index
        try:
            indexer.catch_up()
        except StoreUnavailable:
            refused += 1
        taken.unlink()
        with contextlib.suppress(StoreUnavailable):
            indexer.catch_up()
        indexer.catch_up()
        assert found(index, "weekly") == [wanted], pages_free
    assert 5 < refused < 60, "it was to be full at each step, and at the end not at all"


def test_a_full_disk_costs_no_index_that_is_there(small_disk: Path, open_on_small_disk: OpenStore) -> None:
    store = open_on_small_disk()
    wanted = [store.accept(about("weekly", mrn), STRICT).id for mrn in (1, 2)]
    index = store.search_index()
    Indexer(store, index, 64 * 1024, lambda: LATER).catch_up()
    wanted.append(store.accept(about("weekly", 3), STRICT).id)
    path = store.companion("index")
    before = path.stat().st_ino
    taken = fill(small_disk)
    with pytest.raises(StoreUnavailable, match="search index"):
        Indexer(store, index, 64 * 1024, lambda: LATER).catch_up()
    index = store.search_index()  # as of a service that is started now
    with pytest.raises(StoreUnavailable, match="search index"):
        index.find(Filters("weekly"))
    taken.unlink()
    assert found(index, "weekly") == wanted[1::-1]
    Indexer(store, index, 64 * 1024, lambda: LATER).catch_up()
    assert found(index, "weekly") == wanted[::-1]
    assert path.stat().st_ino == before


def test_a_defect_does_not_end_the_filling(
    store: SqlStore, index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = store.accept(about("weekly"), STRICT).id
    failed: list[str] = []
    fact = index.fact

    def fails_first(name: str) -> str:
        if not failed:
            failed.append(name)
            raise TypeError("a defect")
        return fact(name)

    monkeypatch.setattr(index, "fact", fails_first)
    monkeypatch.setattr(indexing, "AFTER_FAILURE_SECONDS", 0.01)
    indexer = Indexer(store, index, 64 * 1024)
    indexer.start()
    try:
        assert eventually(lambda: found(index, "weekly") == [wanted])
    finally:
        indexer.close()
    assert failed == ["followed"]


def test_nobody_else_may_read_the_index(store: SqlStore, index: SearchIndex) -> None:
    index.facets()
    assert store.companion("index").stat().st_mode & 0o777 == 0o600


def test_the_number_of_an_id_grows_with_its_time() -> None:
    numbers = [number_of(new_push_id(NOON + timedelta(microseconds=n))) for n in range(100)]
    assert numbers == sorted(numbers)
    assert numbers[-1] < 2**62
