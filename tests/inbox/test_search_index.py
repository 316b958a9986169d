"""The search index: what is found by what, and that it becomes what the inbox is, whatever happens between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapsvc.inbox.indexer import SLICE, Indexer
from soapsvc.inbox.push_id import new_push_id, number_of
from soapsvc.inbox.search_index import SearchIndex
from soapsvc.inbox.search_query import Filters, match_expression
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.records import JobId, Property, Push, PushKind, PushState
from tests.inbox.making import NOON, REFUSED, STRICT, OpenStore, all_ids, arrival, document_of, push, refused

LATER = NOON + timedelta(days=1)


@pytest.fixture
def store(open_inbox: OpenStore) -> SqlStore:
    return open_inbox()


@pytest.fixture
def index(store: SqlStore) -> SearchIndex:
    return SearchIndex(store.companion("index"), store.inbox_id)


@pytest.fixture
def indexer(store: SqlStore, index: SearchIndex) -> Indexer:
    return Indexer(store, index, 64 * 1024, lambda: LATER)


def about(words: str, n: int = 1, **changed: object) -> Push:
    one = push(n, arrival=arrival(n), **changed)
    return replace(one, properties=(Property("Subject", "Subject", None, words),))


def found(index: SearchIndex, words: str = "", **filters: object) -> list[str]:
    return index.find(Filters(words, **filters), limit=1000)


@pytest.mark.parametrize(
    "words",
    ["quarterly", "QUARTERLY", "quart", "Müller", "muller", '"sales report"', "report quarterly", "notes.txt",
     "INV-2012-77", "inv-2012", "test2:1", "192.0.2.7", "Subject"],
)  # fmt: skip
def test_a_push_is_found_by_its_properties_its_file_names_and_the_text_of_its_documents(
    store: SqlStore, index: SearchIndex, indexer: Indexer, words: str
) -> None:
    document = document_of("INV-2012-77;Müller\n".encode(), filename="notes.txt", detected_type="text/plain")
    wanted = store.accept(about("Quarterly sales report", documents=(document,)), STRICT).id
    other = push(2, arrival=arrival(2, "198.51.100.1"), job=JobId("other", "9"), properties=(), processing_id=None)
    store.accept(replace(other, documents=(document_of(b"x", filename="y"),)), STRICT)
    indexer.catch_up()
    assert found(index, words) == [wanted]


def test_a_push_with_an_empty_document_and_those_after_it_are_found(
    store: SqlStore, index: SearchIndex, indexer: Indexer
) -> None:
    empty = document_of(b"", filename="empty.txt", detected_type="text/plain")
    first = store.accept(about("Quarterly", documents=(empty,)), STRICT).id
    second = store.accept(about("Annual", 2), STRICT).id
    indexer.catch_up()
    assert (found(index, "empty.txt"), found(index, "annual")) == ([first], [second])


@pytest.mark.parametrize("words", ["sales quarterly nothing", '"report sales"', "uarterly", "annual"])
def test_a_push_that_lacks_a_word_is_not_found(
    store: SqlStore, index: SearchIndex, indexer: Indexer, words: str
) -> None:
    store.accept(about("Quarterly sales report"), STRICT)
    indexer.catch_up()
    assert found(index, words) == []


@given(st.text(max_size=60) | st.text(alphabet='"*()^:-+{}ANDORNEAT \0', max_size=40))
def test_nothing_that_is_typed_is_an_operator_or_an_error(words: str) -> None:
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE words USING fts5(said)")
    expression = match_expression(words)
    if expression:
        connection.execute("SELECT * FROM words WHERE words MATCH ?", (expression,)).fetchall()
    connection.close()


def test_a_charset_is_searched_as_it_is_read(store: SqlStore, index: SearchIndex, indexer: Indexer) -> None:
    documents = (document_of("Zürich".encode("utf-16"), charset="utf-16", detected_type="text/plain"),)
    wanted = store.accept(push(documents=documents), STRICT).id
    indexer.catch_up()
    assert found(index, "Zürich") == [wanted]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, "4321"),
        ({"kind": PushKind.FAX}, "3"),
        ({"state": PushState.QUARANTINED}, "4"),
        ({"state": PushState.ACCEPTED}, "321"),
        ({"source": ip_network("192.0.2.7")}, "41"),
        ({"source": ip_network("192.0.2.0/24")}, "421"),
        ({"source": ip_network("2001:db8::/32")}, "3"),
        ({"account": "77"}, "2"),
        ({"since": NOON + timedelta(seconds=2)}, "432"),
        ({"until": NOON + timedelta(seconds=2)}, "1"),
        ({"since": NOON + timedelta(seconds=2), "until": NOON + timedelta(seconds=3)}, "2"),
        ({"deviating": True}, "42"),
        ({"deviating": False}, "31"),
        ({"rule": "XSD-001"}, "42"),
        ({"rule": "XSD-00"}, ""),
        ({"words": "weekly", "source": ip_network("192.0.2.0/24")}, "21"),
        ({"words": "weekly", "deviating": True, "account": "77"}, "2"),
    ],
)  # fmt: skip
def test_each_filter_leaves_what_has_all_of_it(
    store: SqlStore, index: SearchIndex, indexer: Indexer, filters: dict, wanted: str
) -> None:
    account = (Property("Subject", "Subject", None, "weekly"), Property("UserAccountNumber", "x", None, "77"))
    store.accept(about("weekly", 1), STRICT)
    store.accept(push(2, arrival=arrival(2, "192.0.2.200"), properties=account), REFUSED)
    store.accept(push(3, arrival=arrival(3, "2001:db8::9"), kind=PushKind.FAX), STRICT)
    store.quarantine(refused(b"<junk/>", seconds=4))
    numbers = dict(zip(reversed(all_ids(store)), "1234", strict=True))
    indexer.catch_up()
    assert "".join(numbers[one] for one in index.find(Filters(**filters))) == wanted


def test_pages_go_on_where_the_one_before_ended_until_all_were_there(
    store: SqlStore, index: SearchIndex, indexer: Indexer
) -> None:
    for n in range(30):
        store.accept(about(f"weekly {n}", n), STRICT)
    indexer.catch_up()
    seen: list[str] = []
    while page := index.find(Filters("weekly"), before_id=seen[-1] if seen else None, limit=7):
        seen += page
    assert seen == all_ids(store)


def test_a_push_that_was_committed_behind_another_is_entered_all_the_same(
    store: SqlStore, index: SearchIndex, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = about("late", 1)
    store.accept(about("early", 5), STRICT)
    while indexer.follow():
        pass
    wanted = store.accept(late, STRICT).id
    assert indexer.follow() == 0, "it lies behind what was followed"
    assert found(index, "late") == []
    indexer.settle()
    assert found(index, "late") == [wanted]
    assert indexer.settle() == 0


def test_what_may_still_be_late_is_not_settled(store: SqlStore, index: SearchIndex) -> None:
    store.accept(about("weekly", 5), STRICT)
    young = Indexer(store, index, 0, lambda: NOON + timedelta(seconds=30))
    young.follow()
    assert young.settle() == 0


def test_more_pushes_than_a_slice_are_all_entered(store: SqlStore, index: SearchIndex, indexer: Indexer) -> None:
    for n in range(SLICE + 5):
        store.accept(about("weekly", n), STRICT)
    indexer.catch_up()
    assert found(index, "weekly") == all_ids(store)


def test_what_was_accepted_out_of_quarantine_is_found_as_that(
    store: SqlStore, index: SearchIndex, indexer: Indexer
) -> None:
    read = about("weekly", documents=(document_of(b"only in the document", detected_type="text/plain"),))
    push_id = str(store.quarantine(refused(read.raw.inline or b"", read=read)))
    indexer.catch_up()
    assert found(index, "weekly", state=PushState.QUARANTINED) == [push_id]
    assert found(index, "document") == []
    assert index.rules(NOON) == [("XSD-001", 1)]
    store.accept_kept(push_id, read, STRICT)
    indexer.compare()
    assert found(index, "weekly", state=PushState.ACCEPTED) == [push_id]
    assert found(index, "only document") == [push_id]
    assert found(index, state=PushState.QUARANTINED) == []
    assert index.rules(NOON) == []
    (hour,) = index.hours(NOON)
    assert (hour.accepted, hour.quarantined) == (1, 0)


def test_what_made_room_in_quarantine_is_forgotten(open_inbox: OpenStore) -> None:
    store = open_inbox(quarantine_max_bytes=4000, quarantine_max_bytes_per_source=4000)
    index = SearchIndex(store.companion("index"), store.inbox_id)
    indexer = Indexer(store, index, 0, lambda: LATER)
    for n in range(20):
        store.quarantine(refused(b"<junk>" + b"x" * 500, seconds=n))
        indexer.catch_up()
    indexer.compare()
    assert found(index, state=PushState.QUARANTINED) == all_ids(store)
    assert sum(hour.quarantined for hour in index.hours(NOON)) == len(all_ids(store))


def test_entering_an_accepted_push_twice_changes_nothing(store: SqlStore, index: SearchIndex, indexer: Indexer) -> None:
    push_id = store.accept(about("weekly"), STRICT).id
    indexer.catch_up()
    indexer.look_again([push_id])
    assert found(index, "weekly") == [push_id]
    assert [hour.accepted for hour in index.hours(NOON)] == [1]


def test_sums_are_those_of_the_inbox(store: SqlStore, index: SearchIndex, indexer: Indexer) -> None:
    for n in range(6):
        store.accept(push(n, arrival=arrival(n * 1800, f"192.0.2.{n % 2}")), STRICT)
    store.quarantine(refused(b"<junk/>", seconds=7200))
    indexer.catch_up()
    hours = index.hours(NOON)
    assert [(hour.accepted, hour.quarantined) for hour in hours] == [(2, 0), (2, 0), (2, 1)]
    stats = store.stats()
    assert sum(hour.document_bytes for hour in hours) == stats.document_bytes
    assert sum(hour.documents for hour in hours) == stats.documents
    senders = {sender.source: sender for sender in index.senders()}
    assert senders["192.0.2.1"].last_at == NOON + timedelta(seconds=5 * 1800)
    assert senders["192.0.2.1"].first_at == NOON + timedelta(seconds=1800)
    assert [sender.pushes for sender in index.senders()] == [3, 3, 1]
    assert index.newer_than(all_ids(store)[-1], 100) == 6


def damaged(path: Path) -> None:
    path.write_bytes(b"this is no database" * 500)


def of_another_form(path: Path) -> None:
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE facts SET value = '0' WHERE name = 'form'")
    connection.close()


def of_another_inbox(path: Path) -> None:
    import sqlite3

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
    fresh = SearchIndex(store.companion("index"), store.inbox_id)
    Indexer(store, fresh, 0, lambda: LATER).catch_up()
    assert found(fresh, "weekly") == [wanted]


def test_nobody_else_may_read_the_index(store: SqlStore, index: SearchIndex) -> None:
    assert store.companion("index").stat().st_mode & 0o777 == 0o600


def test_the_number_of_an_id_grows_with_its_time() -> None:
    numbers = [number_of(new_push_id(NOON + timedelta(microseconds=n))) for n in range(100)]
    assert numbers == sorted(numbers)
    assert numbers[-1] < 2**62
