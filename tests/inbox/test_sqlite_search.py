"""The promises of the search index on a SQLite inbox, and what a file of its own brings."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from soapsvc.errors import StoreUnavailable
from soapsvc.inbox.indexer import Indexer
from soapsvc.inbox.push_id import new_push_id, number_of
from soapsvc.inbox.search_index import SearchIndex
from soapsvc.inbox.search_query import Filters
from soapsvc.inbox.sql_store import SqlStore
from tests.inbox.conftest import LATER
from tests.inbox.making import NOON, STRICT
from tests.inbox.search_promises import SearchPromises, about, found


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
    damaged(store.companion("index"))
    for wal in store.companion("index").parent.glob("*.index-*"):
        wal.unlink()
    with pytest.raises(StoreUnavailable, match="search index"):
        index.find(Filters("weekly"))
    with pytest.raises(StoreUnavailable, match="search index"):
        indexer.catch_up()
    indexer.catch_up()
    assert found(index, "weekly") == [wanted]


def test_nobody_else_may_read_the_index(store: SqlStore, index: SearchIndex) -> None:
    assert store.companion("index").stat().st_mode & 0o777 == 0o600


def test_the_number_of_an_id_grows_with_its_time() -> None:
    numbers = [number_of(new_push_id(NOON + timedelta(microseconds=n))) for n in range(100)]
    assert numbers == sorted(numbers)
    assert numbers[-1] < 2**62
