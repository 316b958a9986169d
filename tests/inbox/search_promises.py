"""What every search index promises: what is found by what, and that it becomes what the inbox is, whatever happens
between; each backend's class inherits these tests and gives `open_inbox`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soapsvc.delivery_settings import Bounds, RetentionSettings
from soapsvc.inbox import indexer as indexer_module
from soapsvc.inbox.indexer import SLICE, Indexer
from soapsvc.inbox.search_index import SearchIndex
from soapsvc.inbox.search_query import MAX_ACCOUNT_CHARS, Filters
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.records import JobId, Property, Push, PushKind, PushState
from tests.inbox.conftest import LATER
from tests.inbox.making import NOON, REFUSED, STRICT, OpenStore, all_ids, arrival, document_of, push, refused


def about(words: str, n: int = 1, **changed: object) -> Push:
    one = push(n, arrival=arrival(n), **changed)
    return replace(one, properties=(Property("Subject", "Subject", None, words),))


def found(index: SearchIndex, words: str = "", **filters: object) -> list[str]:
    return index.find(Filters(words, **filters), limit=1000)


class SearchPromises:
    @pytest.mark.parametrize(
        "words",
        ["quarterly", "QUARTERLY", "quart", "Müller", "muller", '"sales report"', "report quarterly", "notes.txt",
         "INV-2012-77", "inv-2012", "test2:1", "192.0.2.7", "Subject"],
    )  # fmt: skip
    def test_a_push_is_found_by_its_properties_its_file_names_and_the_text_of_its_documents(
        self, store: SqlStore, index: SearchIndex, indexer: Indexer, words: str
    ) -> None:
        document = document_of("INV-2012-77;Müller\n".encode(), filename="notes.txt", detected_type="text/plain")
        wanted = store.accept(about("Quarterly sales report", documents=(document,)), STRICT).id
        other = push(2, arrival=arrival(2, "198.51.100.1"), job=JobId("other", "9"), properties=(), processing_id=None)
        store.accept(replace(other, documents=(document_of(b"x", filename="y"),)), STRICT)
        indexer.catch_up()
        assert found(index, words) == [wanted]

    def test_a_push_with_an_empty_document_and_those_after_it_are_found(
        self, store: SqlStore, index: SearchIndex, indexer: Indexer
    ) -> None:
        empty = document_of(b"", filename="empty.txt", detected_type="text/plain")
        first = store.accept(about("Quarterly", documents=(empty,)), STRICT).id
        second = store.accept(about("Annual", 2), STRICT).id
        indexer.catch_up()
        assert (found(index, "empty.txt"), found(index, "annual")) == ([first], [second])

    @pytest.mark.parametrize("words", ["sales quarterly nothing", '"report sales"', "uarterly", "annual"])
    def test_a_push_that_lacks_a_word_is_not_found(
        self, store: SqlStore, index: SearchIndex, indexer: Indexer, words: str
    ) -> None:
        store.accept(about("Quarterly sales report"), STRICT)
        indexer.catch_up()
        assert found(index, words) == []

    def test_a_charset_is_searched_as_it_is_read(self, store: SqlStore, index: SearchIndex, indexer: Indexer) -> None:
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
        self, store: SqlStore, index: SearchIndex, indexer: Indexer, filters: dict, wanted: str
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
        self, store: SqlStore, index: SearchIndex, indexer: Indexer
    ) -> None:
        for n in range(30):
            store.accept(about(f"weekly {n}", n), STRICT)
        indexer.catch_up()
        seen: list[str] = []
        while page := index.find(Filters("weekly"), before_id=seen[-1] if seen else None, limit=7):
            seen += page
        assert seen == all_ids(store)

    def test_a_push_that_was_committed_behind_another_is_entered_all_the_same(
        self, store: SqlStore, index: SearchIndex, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
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

    def test_what_may_still_be_late_is_not_settled(self, store: SqlStore, index: SearchIndex) -> None:
        store.accept(about("weekly", 5), STRICT)
        young = Indexer(store, index, 0, lambda: NOON + timedelta(seconds=30))
        young.follow()
        assert young.settle() == 0

    def test_more_pushes_than_a_slice_are_all_entered(
        self, store: SqlStore, index: SearchIndex, indexer: Indexer
    ) -> None:
        for n in range(SLICE + 5):
            store.accept(about("weekly", n), STRICT)
        indexer.catch_up()
        assert found(index, "weekly") == all_ids(store)

    def test_what_was_accepted_out_of_quarantine_is_found_as_that(
        self, store: SqlStore, index: SearchIndex, indexer: Indexer
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

    def test_what_made_room_in_quarantine_is_forgotten(self, open_inbox: OpenStore) -> None:
        store = open_inbox(quarantine_max_bytes=4000, quarantine_max_bytes_per_source=4000)
        index = store.search_index()
        indexer = Indexer(store, index, 0, lambda: LATER)
        for n in range(20):
            store.quarantine(refused(b"<junk>" + b"x" * 500, seconds=n))
            indexer.catch_up()
        indexer.compare()
        assert found(index, state=PushState.QUARANTINED) == all_ids(store)
        assert sum(hour.quarantined for hour in index.hours(NOON)) == len(all_ids(store))

    def test_entering_an_accepted_push_twice_changes_nothing(
        self, store: SqlStore, index: SearchIndex, indexer: Indexer
    ) -> None:
        push_id = store.accept(about("weekly"), STRICT).id
        indexer.catch_up()
        indexer.look_again([push_id])
        assert found(index, "weekly") == [push_id]
        assert [hour.accepted for hour in index.hours(NOON)] == [1]

    def test_sums_are_those_of_the_inbox(self, store: SqlStore, index: SearchIndex, indexer: Indexer) -> None:
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

    @pytest.mark.parametrize(
        ("words", "there"),
        [
            ("INV-9999", True), ('"INV 9999"', True), ('"inv-9999;sent"', True), ("inv-99", True), ("9999;se", True),
            ('"INV 99999"', False), ("nv-9999", False), ('"sent inv 4242 sent"', True), ('"inv 4242 inv"', False),
            ("INV-10000", False), ("_ - *", True), ('""', True),
        ],
    )  # fmt: skip
    def test_a_phrase_is_found_however_often_its_words_come_and_however_late(
        self, store: SqlStore, index: SearchIndex, indexer: Indexer, words: str, there: bool
    ) -> None:
        lines = "".join(f"INV-{n};Sent\r\n" for n in range(10_000)).encode()
        documents = tuple(
            document_of(lines[at : at + 60_000], n, detected_type="text/plain")
            for n, at in enumerate(range(0, len(lines), 60_000), 1)
        )
        wanted = store.accept(push(documents=documents), STRICT).id
        indexer.catch_up()
        assert found(index, words) == [wanted] * there

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.text(max_size=60) | st.text(alphabet="\"*()^:-+{}<>&|!'\\ANDORNEAT \0\ud800", max_size=40))
    def test_nothing_that_is_typed_is_an_operator_or_an_error(self, index: SearchIndex, words: str) -> None:
        assert found(index, words) == []

    def test_what_no_database_takes_as_text_is_searched_all_the_same(
        self, store: SqlStore, index: SearchIndex, indexer: Indexer
    ) -> None:
        hostile = document_of(
            b"before \\ud800 between \\x00 after", charset="unicode_escape", detected_type="text/plain"
        )
        long = document_of(b"x" * 5000 + b" " + b"y" * 5000, n=2, detected_type="text/plain")
        account = (Property("UserAccountNumber", "x", None, "77" * 5000), Property("Subject", "x", None, "a\0b"))
        first = store.accept(push(1, documents=(hostile, long), properties=account), STRICT).id
        after = store.accept(about("weekly", 2), STRICT).id
        indexer.catch_up()
        assert found(index, "before between after") == [first]
        assert found(index, "xxx " + "y" * 4000) == [first]
        assert found(index, account="77" * 5000) == [first]
        assert index.facets().accounts == (("77" * 5000)[:MAX_ACCOUNT_CHARS],)
        assert found(index, "weekly") == [after]

    def test_words_beyond_what_one_push_may_have_are_left_out_and_the_push_is_found(
        self, store: SqlStore, index: SearchIndex, indexer: Indexer
    ) -> None:
        words = " ".join(f"word{n:06}{'x' * 40}" for n in range(1200)).encode()
        documents = tuple(
            document_of(words.replace(b"word", f"w{n:02}d".encode()), n, detected_type="text/plain")
            for n in range(1, 31)
        )
        wanted = store.accept(push(documents=documents), STRICT).id
        indexer.catch_up()
        assert found(index, "Delivery report w01d000000") == [wanted]

    def test_what_retention_removed_is_forgotten(self, open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also where something of its time is held, and in slices."""
        monkeypatch.setattr(indexer_module, "LATE_SLICE", 4)
        store = open_inbox(clock=lambda: NOON + timedelta(days=60))
        index = store.search_index()
        indexer = Indexer(store, index, 0, lambda: LATER)
        account = (Property("UserAccountNumber", "x", None, "77"),)
        ids = [store.accept(push(n, arrival=arrival(n), properties=account), STRICT).id for n in range(11)]
        later = store.accept(about("weekly", 40 * 86400), STRICT).id
        indexer.catch_up()
        store.retention.hold(ids[7], "a dispute")
        store.retention.apply(RetentionSettings(accepted=Bounds(days=30), quarantined=Bounds(days=30)))
        for _ in range(6):
            indexer.walk()
        assert found(index) == [later, ids[7]] == all_ids(store)
        assert [hour.accepted for hour in index.hours(NOON) if hour.accepted] == [1, 1]
        assert [sender.pushes for sender in index.senders()] == [2]
        assert index.facets().accounts == ("77",)

    def test_a_push_of_a_receiver_whose_clock_is_behind_is_entered_in_the_end(
        self, store: SqlStore, index: SearchIndex, indexer: Indexer
    ) -> None:
        store.accept(about("early", 500), STRICT)
        indexer.catch_up()
        wanted = store.accept(about("late", 1), STRICT).id
        indexer.catch_up()
        assert found(index, "late") == [], "it lies behind what was settled"
        indexer.walk()
        assert found(index, "late") == [wanted]
