"""What every store is held to: a class for each backend inherits these tests and gives them `open_inbox`."""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from soapsvc.errors import NoSuchPush, StoreUnavailable
from soapsvc.records import Accepted, JobId, PushState
from soapsvc.spool import Content, Spool
from tests.inbox.making import (
    LARGE,
    NOON,
    REFUSED,
    STRICT,
    OpenStore,
    all_ids,
    arrival,
    assert_whole,
    document_of,
    push,
    refused,
    spooled,
    submitted,
)


class InboxPromises:
    """`open_inbox(**settings)` opens the same inbox again each time, and the test's end closes what is open."""

    # -- stored whole ----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [0, 1, 100_000, LARGE])
    def test_what_was_accepted_is_there_after_the_store_was_opened_again(
        self, open_inbox: OpenStore, size: int
    ) -> None:
        sent = push(document=os.urandom(size))
        store = open_inbox()
        accepted = store.accept(sent, STRICT)
        assert_whole(store, accepted, sent)
        store.close()
        assert_whole(open_inbox(), accepted, sent)

    def test_the_record_comes_back_as_it_was_handed_over(self, open_inbox: OpenStore) -> None:
        own = replace(push().properties[0], name="Pages", value="12")
        sent = push(documents=(document_of(b"one", properties=(own,)), document_of(b"two", n=2, filename=None)))
        store = open_inbox()
        accepted = store.accept(sent, REFUSED)
        assert accepted == Accepted(accepted.id, NOON, sent.submit_id)
        stored = store.stored(accepted.id)
        assert stored.verdict == REFUSED
        assert stored.properties == sent.properties
        assert stored.header_blocks == sent.header_blocks
        assert stored.http_headers == sent.arrival.http_headers
        assert stored.raw_sha256 == sent.raw.sha256
        assert (stored.root, stored.submit_id, stored.status_code, stored.processing_id) == (
            sent.root, sent.submit_id, sent.status_code, sent.processing_id
        )  # fmt: skip
        row = stored.row
        assert (row.received_at, row.state, row.kind, row.job) == (NOON, PushState.ACCEPTED, sent.kind, sent.job)
        assert (row.source_ip, row.redeliveries, row.deviations, row.conflict_of) == ("192.0.2.7", 0, 1, None)
        assert row.properties == {p.name: p.value for p in sent.properties}
        assert [d.filename for d in row.documents] == ["report.csv", None]
        assert row.documents[0].properties == (own,)
        assert list(store.rows()) == [row]

    def test_text_that_no_database_takes_is_stored_all_the_same(self, open_inbox: OpenStore) -> None:
        odd = push(documents=(document_of(b"x", filename="a\0b\udcff"),), submit_id="\0")
        store = open_inbox()
        accepted = store.accept(odd, STRICT)
        assert store.stored(accepted.id).row.documents[0].filename == "a\N{REPLACEMENT CHARACTER}b?"

    def test_the_same_document_twice_in_one_push_comes_back_twice(self, open_inbox: OpenStore) -> None:
        content = os.urandom(LARGE)
        sent = push(documents=(document_of(content), document_of(content, n=2)))
        store = open_inbox()
        assert_whole(store, store.accept(sent, STRICT), sent)

    def test_a_spooled_document_is_stored_and_its_spool_file_is_gone(self, open_inbox: OpenStore) -> None:
        store = open_inbox()
        with Spool(store.spool_directory) as spool:
            raw = spooled(spool, [b"r" * 70_000] * 4)
            sent = push(raw=raw, documents=(document_of(spooled(spool, [b"d" * 70_000] * 3)),))
            assert raw.path is not None
            accepted = store.accept(sent, STRICT)
        assert not raw.path.exists()
        assert_whole(store, accepted, sent)

    def test_what_is_not_there_is_said_so(self, open_inbox: OpenStore) -> None:
        store = open_inbox()
        accepted = store.accept(push(), STRICT)
        for asked in (
            lambda: store.stored("nothing"), lambda: store.open_raw("nothing"),
            lambda: store.open_document("nothing", 1), lambda: store.open_document(accepted.id, 2),
        ):  # fmt: skip
            with pytest.raises(NoSuchPush):
                asked()

    # -- stored once -----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [20, LARGE])
    def test_a_redelivery_is_stored_once_counted_and_answered_alike(self, open_inbox: OpenStore, size: int) -> None:
        first = push(document=os.urandom(size))
        again = replace(
            first, arrival=arrival(60, "192.0.2.8"), raw=Content.of(b"other bytes"), processing_id="another attempt"
        )
        store = open_inbox()
        accepted = store.accept(first, STRICT)
        redelivered = store.accept(again, STRICT)
        assert redelivered == replace(accepted, redelivery=True)
        stored = store.stored(accepted.id)
        assert stored.row.redeliveries == 1
        assert stored.arrivals == ((NOON + timedelta(seconds=60), "192.0.2.8"),)
        assert all_ids(store) == [accepted.id]
        assert_whole(store, accepted, first)
        assert store.stats().redeliveries == 1

    @pytest.mark.parametrize("size", [20, LARGE])
    def test_other_content_under_the_same_key_is_a_conflict_and_is_itself_stored_once(
        self, open_inbox: OpenStore, size: int
    ) -> None:
        first, second = push(document=b"a" * size), push(document=b"b" * size, arrival=arrival(1))
        store = open_inbox()
        accepted = store.accept(first, STRICT)
        conflict = store.accept(second, STRICT)
        assert conflict.id != accepted.id
        assert conflict.conflict_of == accepted.id
        assert not conflict.redelivery
        assert store.accept(second, STRICT) == replace(conflict, redelivery=True)
        assert store.accept(first, STRICT) == replace(accepted, redelivery=True)
        assert all_ids(store) == [conflict.id, accepted.id]
        assert_whole(store, accepted, first)
        assert_whole(store, conflict, second)
        assert store.stats().conflicts == 1

    def test_what_nobody_waits_for_is_stored_once_as_what_is_waited_for(self, open_inbox: OpenStore) -> None:
        first, second, third = push(), push(1000002), push(document=b"other content", arrival=arrival(1))
        store = open_inbox()
        (accepted,) = submitted(store, first)
        assert isinstance(accepted, Accepted)
        assert accepted == Accepted(accepted.id, NOON, first.submit_id)
        assert store.accept(first, STRICT) == replace(accepted, redelivery=True)
        again, of_another, conflict = submitted(store, first, second, third)
        assert again == replace(accepted, redelivery=True)
        assert isinstance(of_another, Accepted)
        assert isinstance(conflict, Accepted)
        assert conflict.conflict_of == accepted.id
        store.close()
        store = open_inbox()
        assert all_ids(store) == sorted([conflict.id, of_another.id, accepted.id], reverse=True)
        assert store.stored(accepted.id).row.redeliveries == 2
        for stored, sent in ((accepted, first), (of_another, second), (conflict, third)):
            assert_whole(store, stored, sent)

    def test_what_needs_files_cannot_be_stored_without_waiting(self, open_inbox: OpenStore) -> None:
        store = open_inbox()
        assert store.prepare(push(document=os.urandom(LARGE)), STRICT) is None
        assert all_ids(store) == []

    def test_hundreds_that_nobody_waits_for_are_stored_beside_those_that_are_waited_for(
        self, open_inbox: OpenStore
    ) -> None:
        store = open_inbox()
        waited: list[Accepted] = []

        def wait_for(numbers: range) -> None:
            waited.extend(store.accept(push(n), STRICT) for n in numbers)

        threads = [threading.Thread(target=wait_for, args=(range(2000 + 50 * n, 2050 + 50 * n),)) for n in range(4)]
        for thread in threads:
            thread.start()
        told = submitted(store, *(push(n) for n in range(1000, 1300)))
        for thread in threads:
            thread.join()
        ids = [one.id for one in [*told, *waited] if isinstance(one, Accepted)]
        assert len(ids) == 500
        assert sorted(ids, reverse=True) == all_ids(store)
        assert [store.stored(one.id).row.job for one in told[::50] if isinstance(one, Accepted)] == [
            JobId("test2", str(n)) for n in range(1000, 1300, 50)
        ]

    def test_after_the_end_nothing_is_stored_and_that_is_told(self, open_inbox: OpenStore) -> None:
        store = open_inbox()
        submit = store.prepare(push(), STRICT)
        assert submit is not None
        store.close()
        told: list[Accepted | Exception] = []
        submit(told.append)
        assert [type(one) for one in told] == [StoreUnavailable]
        assert all_ids(open_inbox()) == []

    def test_interim_and_final_report_of_one_job_are_two_pushes(self, open_inbox: OpenStore) -> None:
        interim = push(documents=(document_of(b"1", filename="interim.csv"),))
        final = push(documents=(document_of(b"1", filename="final.csv"),))
        store = open_inbox()
        assert store.accept(interim, STRICT).conflict_of is None
        assert store.accept(final, STRICT).conflict_of is None
        assert store.stats().accepted == 2

    def test_pushes_that_come_in_many_times_at_once_are_stored_once_each(self, open_inbox: OpenStore) -> None:
        """Two stores on one inbox, as two processes have them; test_killed_inbox.py has real processes."""
        stores = [open_inbox(), open_inbox()]
        sent = [push(mrn, os.urandom(LARGE if mrn % 10 == 0 else 50)) for mrn in range(30)]
        answers: list[Accepted] = []

        def deliver(store_n: int, start: int) -> None:
            for one in sent[start:] + sent[:start]:
                answers.append(stores[store_n].accept(one, STRICT))

        threads = [threading.Thread(target=deliver, args=(n % 2, n * 3)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stored_first = [a for a in answers if not a.redelivery]
        assert len(answers) == 8 * 30
        assert len(stored_first) == 30
        assert Counter(row.redeliveries for row in stores[0].rows(limit=None)) == {7: 30}
        assert stores[0].stats().conflicts == 0
        by_submit_id = {one.submit_id: one for one in sent}
        for accepted in stored_first:
            assert_whole(stores[1], accepted, by_submit_id[accepted.submit_id])

    def test_of_two_contents_that_race_for_one_key_exactly_one_is_the_first(self, open_inbox: OpenStore) -> None:
        stores = [open_inbox(), open_inbox()]
        for mrn in range(10):
            barrier = threading.Barrier(4)
            answers: list[Accepted] = []

            def deliver(
                n: int, mrn: int = mrn, barrier: threading.Barrier = barrier, answers: list[Accepted] = answers
            ) -> None:
                barrier.wait()
                answers.append(stores[n % 2].accept(push(mrn, b"content %d" % n), STRICT))

            threads = [threading.Thread(target=deliver, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            firsts = [a.id for a in answers if a.conflict_of is None]
            assert len(firsts) == 1
            assert {a.conflict_of for a in answers} == {None, firsts[0]}

    # -- lists -----------------------------------------------------------------------------------------------------

    def test_a_list_is_newest_first_by_arrival_and_goes_on_where_it_ended(self, open_inbox: OpenStore) -> None:
        store = open_inbox()
        seconds = [5, 1, 4, 2, 3]
        for mrn, second in enumerate(seconds):
            store.accept(push(mrn, arrival=arrival(second)), STRICT)
        store.quarantine(refused(b"<bad/>", seconds=2.5))
        rows = list(store.rows(limit=None))
        assert [(row.received_at - NOON).total_seconds() for row in rows] == [5, 4, 3, 2.5, 2, 1]
        assert list(store.rows(limit=2)) == rows[:2]
        assert list(store.rows(limit=2, before_id=rows[1].id)) == rows[2:4]
        assert [row.id for row in store.rows(state=PushState.QUARANTINED)] == [rows[3].id]
        assert list(store.rows(state=PushState.ACCEPTED)) == rows[:3] + rows[4:]
        assert list(store.rows(limit=0)) == []

    def test_a_list_longer_than_a_page_is_complete(self, open_inbox: OpenStore) -> None:
        store = open_inbox()
        accepted = [store.accept(push(mrn, arrival=arrival(mrn)), STRICT).id for mrn in range(205)]
        assert all_ids(store) == accepted[::-1]
        assert [row.id for row in store.rows()] == accepted[::-1][:50]

    def test_an_id_is_found_by_its_beginning_or_its_end(self, open_inbox: OpenStore) -> None:
        store = open_inbox()
        ids = [store.accept(push(mrn, arrival=arrival(mrn * 86_400)), STRICT).id for mrn in range(3)]
        for push_id in ids:
            assert store.ids_with(push_id, 6) == store.ids_with(push_id[:11], 6) == store.ids_with(push_id[-9:], 6)
            assert store.ids_with(push_id, 6) == [push_id]
        assert store.ids_with(ids[0][:2], 6) == ids[::-1]
        assert store.ids_with(ids[0][:2], 2) == ids[:0:-1]
        for part in ("", "%", "_", ids[0].replace(ids[0][0], "_", 1), ids[0] + "0", ids[0].upper(), "\0", "\udcff"):
            assert store.ids_with(part, 6) == []

    def test_the_figures_are_those_of_what_is_stored(self, open_inbox: OpenStore) -> None:
        store = open_inbox()
        empty = store.stats()
        assert (empty.accepted, empty.quarantined, empty.documents, empty.oldest_received_at) == (0, 0, 0, None)
        store.accept(push(1, b"12345"), STRICT)
        store.accept(push(1, b"12345"), STRICT)
        store.accept(push(2, b"123", arrival=arrival(9)), STRICT)
        store.quarantine(refused(b"<bad/>", seconds=4, read=push(3, b"not counted")))
        stats = store.stats()
        assert (stats.accepted, stats.quarantined, stats.redeliveries, stats.conflicts) == (2, 1, 1, 0)
        assert (stats.documents, stats.document_bytes) == (2, 8)
        assert (stats.oldest_received_at, stats.newest_received_at) == (NOON, NOON + timedelta(seconds=9))
        assert stats.quarantine_bytes >= len(b"<bad/>")

    # -- quarantine ------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [0, 50, LARGE])
    def test_refused_input_is_kept_raw_with_its_verdict_and_what_could_be_read(
        self, open_inbox: OpenStore, size: int
    ) -> None:
        store, raw, read = open_inbox(), os.urandom(size), push(document=b"secret")
        push_id = store.quarantine(refused(raw, read=read))
        assert push_id is not None
        with store.open_raw(push_id) as kept:
            assert kept.read() == raw
        stored = store.stored(push_id)
        assert (stored.row.state, stored.verdict, stored.idempotency_key) == (PushState.QUARANTINED, REFUSED, None)
        assert (stored.row.job, stored.properties) == (read.job, read.properties)
        assert stored.row.documents[0].sha256 == read.documents[0].content.sha256
        with pytest.raises(NoSuchPush):
            store.open_document(push_id, 1)

    def test_refused_input_that_could_not_be_read_is_kept_and_each_time_anew(self, open_inbox: OpenStore) -> None:
        store = open_inbox()
        ids = {store.quarantine(refused(b"\xff\xfe")) for _ in range(3)}
        assert len(ids) == 3
        assert {row.job for row in store.rows()} == {None}

    def test_a_refused_push_does_not_stand_in_the_way_of_the_right_one(self, open_inbox: OpenStore) -> None:
        store = open_inbox()
        store.quarantine(refused(b"<bad/>", read=push()))
        accepted = store.accept(push(), STRICT)
        assert not accepted.redelivery
        assert accepted.conflict_of is None

    @pytest.mark.parametrize("size", [20_000, LARGE])
    def test_the_oldest_of_the_same_source_make_room(self, open_inbox: OpenStore, size: int) -> None:
        bound = 3 * (size + 3_000)
        store = open_inbox(quarantine_max_bytes=10 * bound, quarantine_max_bytes_per_source=bound)
        other = store.quarantine(refused(os.urandom(size), source_ip="198.51.100.1"))
        ids = [store.quarantine(refused(os.urandom(size), seconds=n + 1)) for n in range(10)]
        assert all_ids(store) == [*ids[:-4:-1], other]
        assert store.stats().quarantine_bytes <= bound + size + 3_000
        with store.open_raw(str(ids[-1])) as kept:
            assert len(kept.read()) == size

    def test_all_sources_together_are_bounded_too(self, open_inbox: OpenStore) -> None:
        store = open_inbox(quarantine_max_bytes=60_000, quarantine_max_bytes_per_source=60_000)
        ids = [store.quarantine(refused(bytes(10_000), n, source_ip=f"192.0.2.{n}")) for n in range(20)]
        left = all_ids(store)
        assert left == ids[::-1][: len(left)]
        assert 4 <= len(left) <= 5
        assert store.stats().quarantine_bytes <= 60_000

    def test_many_small_ones_make_room_for_a_large_one(self, open_inbox: OpenStore) -> None:
        """More than are cleared away in one transaction."""
        store = open_inbox(quarantine_max_bytes=500_000, quarantine_max_bytes_per_source=500_000)
        for n in range(220):
            store.quarantine(refused(b"<bad/>", n))
        large = store.quarantine(refused(bytes(495_000), 1000))
        assert large is not None
        assert all_ids(store)[0] == large
        assert store.stats().quarantine_bytes <= 500_000

    def test_what_is_larger_than_the_quarantine_is_not_kept_and_clears_nothing_away(
        self, open_inbox: OpenStore
    ) -> None:
        store = open_inbox(quarantine_max_bytes=50_000, quarantine_max_bytes_per_source=20_000)
        kept = store.quarantine(refused(b"<bad/>"))
        assert store.quarantine(refused(bytes(20_001))) is None
        assert all_ids(store) == [kept]

    def test_a_quarantine_of_nothing_keeps_nothing(self, open_inbox: OpenStore) -> None:
        store = open_inbox(quarantine_max_bytes=0, quarantine_max_bytes_per_source=0)
        assert store.quarantine(refused(b"<bad/>")) is None

    def test_accepted_pushes_stay_however_much_is_refused(self, open_inbox: OpenStore) -> None:
        store = open_inbox(quarantine_max_bytes=30_000, quarantine_max_bytes_per_source=30_000)
        sent = push(document=os.urandom(LARGE))
        accepted = store.accept(sent, STRICT)
        for n in range(20):
            store.quarantine(refused(bytes(9_000), n))
        assert_whole(store, accepted, sent)

    # -- the rest --------------------------------------------------------------------------------------------------

    def test_a_store_that_can_write_says_so_and_shows_nothing_of_it(self, open_inbox: OpenStore) -> None:
        store = open_inbox()
        store.check_writable()
        store.check_writable()
        assert all_ids(store) == []

    def test_a_push_without_a_job_number_is_known_by_its_processing_id(self, open_inbox: OpenStore) -> None:
        store = open_inbox()
        one = push(job=JobId("test2", None), processing_id="P1")
        assert store.accept(one, STRICT).redelivery is False
        assert store.accept(replace(one, raw=Content.of(b"again")), STRICT).redelivery is True
        assert store.accept(replace(one, processing_id="P2"), STRICT).redelivery is False
