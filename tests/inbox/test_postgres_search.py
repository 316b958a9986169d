"""The promises of the search index on PostgreSQL, where two stores on one database are two machines."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from soapsvc.delivery_settings import Bounds, RetentionSettings
from soapsvc.errors import StoreUnavailable
from soapsvc.inbox import postgres_index
from soapsvc.inbox.indexer import Indexer
from soapsvc.inbox.partitions import partition_name, week_of
from soapsvc.inbox.search_index import SearchIndex
from soapsvc.inbox.search_query import Filters
from soapsvc.inbox.sql_store import SqlStore, open_store
from soapsvc.records import Property
from tests.inbox.conftest import LATER, opening
from tests.inbox.making import NOON, REFUSED, STRICT, OpenStore, all_ids, arrival, document_of, push, refused
from tests.inbox.search_promises import SearchPromises, about, found
from tests.inbox.test_postgres_inbox import database, documents, open_inbox
from tests.postgres import PostgresServer
from tests.serving.connection import eventually

__all__ = ["database", "documents", "open_inbox"]  # fixtures
WEEK = 7 * 86400.0


class TestPostgresSearch(SearchPromises):
    pass


def test_no_week_has_much_that_is_not_sorted_in_yet(
    open_inbox: OpenStore, postgres: PostgresServer, database: str
) -> None:
    open_inbox(clock=lambda: NOON - timedelta(days=700))
    of_words = "SELECT DISTINCT reloptions FROM pg_class WHERE relname LIKE 'search\\_entries%words\\_idx'"
    assert postgres.sql(of_words, database) == [(["gin_pending_list_limit=1024"],)]


def test_what_one_machine_entered_all_of_them_find(open_inbox: OpenStore, index: SearchIndex, indexer: Indexer) -> None:
    wanted = open_inbox().accept(about("weekly"), STRICT).id
    indexer.catch_up()
    other = open_inbox().search_index()
    assert found(other, "weekly") == [wanted]
    assert other.fact("followed") == wanted


def test_one_machine_at_a_time_fills_and_another_takes_over_when_it_leaves_or_dies(
    open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_index, "LEASE_SECONDS", 0.4)
    first, second, third = (open_inbox().search_index() for _ in range(3))
    assert [one.may_fill() for one in (first, second, third)] == [True, False, False]
    time.sleep(0.3)
    assert first.may_fill(), "and so it goes on"
    time.sleep(0.3)
    assert not second.may_fill()
    first.leave()
    assert [one.may_fill() for one in (second, first, third)] == [True, False, False]
    time.sleep(0.5)  # the second one is heard of no more
    assert [one.may_fill() for one in (third, first)] == [True, False]


def test_a_running_indexer_takes_over_from_a_machine_that_died(
    open_inbox: OpenStore, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_index, "LEASE_SECONDS", 1.0)
    died = open_inbox().search_index()
    assert died.may_fill()
    index = store.search_index()
    running = Indexer(store, index, 0)
    running.start()
    wanted = store.accept(about("weekly"), STRICT).id
    try:
        assert eventually(lambda: found(index, "weekly") == [wanted], 30)
    finally:
        running.close()
    assert died.may_fill(), "the other one left"


def test_two_that_fill_at_once_enter_each_push_once(open_inbox: OpenStore) -> None:
    """One that was stopped for longer than its lease goes on where it was."""
    machines = []
    for _ in range(3):
        store = open_inbox()
        machines.append(Indexer(store, store.search_index(), 0))
    ids = [store.accept(about("weekly", n), STRICT).id for n in range(120)]
    for n in range(5):
        store.quarantine(refused(b"<junk/>", n))
    for one in machines:
        one.start()
    index = store.search_index()
    assert eventually(lambda: len(found(index)) == 125, 30)
    again = Indexer(open_inbox(), index, 0)
    again.look_again(ids)
    for one in machines:
        one.close()
    (hour,) = index.hours(NOON)
    assert (hour.accepted, hour.quarantined, hour.documents) == (120, 5, 120)
    assert [sender.pushes for sender in index.senders()] == [125]


def test_a_week_that_is_dropped_takes_its_entries_and_sums_with_it(
    open_inbox: OpenStore, postgres: PostgresServer, database: str
) -> None:
    store = open_inbox(clock=lambda: NOON)
    index = store.search_index()
    indexer = Indexer(store, index, 0, lambda: LATER)
    for n in range(3):
        store.accept(push(n, arrival=arrival(n, "192.0.2.9")), REFUSED)
    store.quarantine(refused(b"<junk/>", 5))
    kept = store.accept(about("weekly", WEEK), STRICT).id
    indexer.catch_up()
    partition = partition_name("search_entries", week_of(NOON))
    assert postgres.sql(f"SELECT count(*) FROM {partition}", database) == [(4,)]
    later = open_inbox(clock=lambda: NOON + timedelta(days=60))
    later.retention.hold(kept, "a dispute")
    done = later.retention.apply(RetentionSettings(accepted=Bounds(days=30), quarantined=Bounds(days=30)))
    assert (done.pushes, done.weeks) == (4, 1)
    assert postgres.sql(f"SELECT to_regclass('{partition}')", database) == [(None,)]
    assert found(index) == [kept]
    assert [hour.accepted for hour in index.hours(NOON)] == [1]
    assert index.rules(NOON) == []
    assert [(sender.source, sender.pushes) for sender in index.senders()] == [("192.0.2.7", 1)]


def test_an_inbox_of_the_version_before_gets_its_index_and_its_weeks_can_still_be_dropped(
    open_inbox: OpenStore, postgres: PostgresServer, database: str
) -> None:
    store = open_inbox(clock=lambda: NOON)
    store.accept(about("weekly"), STRICT)
    store.close()
    made = postgres.sql(
        "SELECT relname FROM pg_class WHERE relname LIKE 'search\\_entries%' AND relkind = 'r'", database
    )
    for table in ("entries", "state", "hours", "rules", "senders", "accounts"):
        postgres.sql(f"DROP TABLE search_{table}", database)
    postgres.sql("UPDATE alembic_version SET version_num = '0005'", database)
    later = open_inbox(clock=lambda: NOON + timedelta(days=60))
    again = postgres.sql(
        "SELECT relname FROM pg_class WHERE relname LIKE 'search\\_entries%' AND relkind = 'r'", database
    )
    assert set(made) <= set(again)
    index = later.search_index()
    Indexer(later, index, 0, lambda: LATER).catch_up()
    assert len(found(index, "weekly")) == 1
    assert later.retention.apply(RetentionSettings(accepted=Bounds(days=30))).weeks == 1
    assert found(index, "weekly") == []


def test_both_kinds_of_index_give_the_same_answers(
    store: SqlStore, index: SearchIndex, indexer: Indexer, tmp_path: Path
) -> None:
    """Words, phrases and beginnings put together by chance, of few letters, so that many are there."""
    chance = random.Random(7)

    def words(most: int) -> str:
        return "".join(
            chance.choice("abÄßİ1")
            + chance.choice(("", "", "a", "2", "\u0308", "é"))
            + chance.choice(" \n-_.,';:@/&|!<>()\\*^\0")
            for _ in range(chance.randint(1, most))
        )

    other = open_store(f"sqlite:///{tmp_path}/other.db", quarantine_max_bytes=0, quarantine_max_bytes_per_source=0)
    for n in range(60):
        said = about("", n, documents=(document_of(words(12).encode(), detected_type="text/plain"),))
        store.accept(said, STRICT)
        other.accept(said, STRICT)
    indexer.catch_up()
    of_other = other.search_index()
    Indexer(other, of_other, 64 * 1024, lambda: LATER).catch_up()
    asked = [f'"{words(4)}" {words(2)}' if n % 2 else words(3) for n in range(400)]
    answers = []
    for kind, one in ((store, index), (other, of_other)):
        numbers = {push_id: n for n, push_id in enumerate(all_ids(kind))}
        answers.append({what: [numbers[push_id] for push_id in found(one, what)] for what in asked})
    other.close()
    assert answers[0] == answers[1]
    assert sum(0 < len(which) < 60 for which in answers[0].values()) > 100


def test_the_newest_are_found_wherever_and_however_many_they_are(
    store: SqlStore, index: SearchIndex, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_index, "MANY", 3)
    monkeypatch.setattr(postgres_index, "NARROW", timedelta(seconds=7))
    said = {
        store.accept(about(f"all {'old' if n < 20 else 'new'} third{n % 3} mrn{n}", n), STRICT).id: n for n in range(60)
    }
    indexer.catch_up()
    for words, holds in (
        ("all", lambda n: True), ("old", lambda n: n < 20), ("new third1", lambda n: n > 20 and n % 3 == 1),
        ('"old third2"', lambda n: n < 20 and n % 3 == 2), ('"mrn31"', lambda n: n == 31), ("nowhere", lambda n: False),
    ):  # fmt: skip
        wanted = [push_id for push_id, n in sorted(said.items(), reverse=True) if holds(n)]
        assert found(index, words) == wanted
        seen: list[str] = []
        while page := index.find(Filters(words), before_id=seen[-1] if seen else None, limit=4):
            seen += page
        assert seen == wanted
        some = [push_id for push_id in wanted if 10 <= said[push_id] < 50]
        assert found(index, words, since=NOON + timedelta(seconds=10), until=NOON + timedelta(seconds=50)) == some


def test_a_database_whose_encoding_lacks_characters_is_searched_for_them_all_the_same(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    postgres.sql("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    for open_latin in opening(f"{postgres.url}/latin", spool=tmp_path / "spool"):
        store = open_latin()
        index = store.search_index()
        said = about("Straße Ωmega 漢字")
        account = Property("UserAccountNumber", "x", None, "Ω")
        wanted = store.accept(replace(said, properties=(*said.properties, account)), STRICT).id
        store.accept(about("Straße mega", 2), STRICT)
        Indexer(store, index, 0, lambda: LATER).catch_up()
        for words in ("Ωmeg", '"straße ωmega"', "漢", '"ωmega 漢字"'):
            assert found(index, words) == [wanted]
        assert found(index, account="Ω") == [wanted]
        assert found(index, account="漢") == found(index, source="漢") == found(index, rule="漢") == []


def test_accepting_a_push_asks_nothing_of_the_index_and_a_search_does_not_wait_for_ever(
    store: SqlStore, index: SearchIndex, postgres: PostgresServer, database: str
) -> None:
    import psycopg

    with psycopg.connect(f"{postgres.url}/{database}".replace("+psycopg", "")) as other:
        for table in ("entries", "state", "hours", "rules", "senders", "accounts"):
            other.execute(f"LOCK TABLE search_{table} IN ACCESS EXCLUSIVE MODE")
        store.accept(about("weekly"), STRICT)
        store.quarantine(refused(b"<junk/>"))
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="busy"):
            index.find(Filters("weekly"))
        assert time.monotonic() - began < 10
