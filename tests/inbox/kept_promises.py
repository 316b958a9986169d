"""What every store promises of pushes that leave the quarantine; `promises.py` has the rest."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from soapsvc.errors import NoSuchPush
from soapsvc.inbox.content_files import ORPHAN_AGE_SECONDS
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.records import Accepted, Conformance, Push, PushState, RefusedPush, Verdict
from soapsvc.spool import Spool
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
    spooled,
)

OBSERVED = Verdict(Conformance.OBSERVE, "d" * 64, REFUSED.deviations)


def keep(store: SqlStore, read: Push, verdict: Verdict = REFUSED) -> str:
    """The push in quarantine."""
    push_id = store.quarantine(RefusedPush(read.arrival, read.raw, verdict, read))
    assert push_id is not None
    return push_id


def with_sizes(store: SqlStore, spool: Spool, raw: int, document: int) -> Push:
    """A push as it is read from its bytes."""
    return push(raw=spooled(spool, [os.urandom(raw)]), documents=(document_of(spooled(spool, [os.urandom(document)])),))


class KeptPromises:
    """`open_inbox(**settings)` opens the same inbox again each time, and the test's end closes what is open."""

    @pytest.mark.parametrize(("raw", "document"), [(100, 20), (LARGE, 20), (LARGE, LARGE)])
    def test_what_passes_is_accepted_whole_under_its_id_with_its_first_arrival_and_its_history(
        self, open_inbox: OpenStore, raw: int, document: int
    ) -> None:
        store = open_inbox()
        with Spool(store.spool_directory) as spool:
            sent = with_sizes(store, spool, raw, document)
            push_id = keep(store, sent)
            accepted = store.accept_kept(push_id, sent, OBSERVED)
        assert accepted == Accepted(push_id, NOON, sent.submit_id)
        store.close()
        store = open_inbox()
        assert store.sweep(time.time() + 2 * ORPHAN_AGE_SECONDS) == 0
        assert_whole(store, accepted, sent)
        stored = store.stored(push_id)
        assert (stored.row.state, stored.row.received_at, stored.row.source_ip) == (
            PushState.ACCEPTED, NOON, "192.0.2.7"
        )  # fmt: skip
        assert (stored.http_headers, stored.verdict) == (sent.arrival.http_headers, OBSERVED)
        assert stored.history == ((NOON, REFUSED),)
        assert stored.judged_at > NOON
        assert all_ids(store) == [push_id]

    def test_what_left_the_quarantine_takes_nothing_of_it(self, open_inbox: OpenStore) -> None:
        store = open_inbox(quarantine_max_bytes=40_000, quarantine_max_bytes_per_source=20_000)
        keep(store, push(1, arrival=arrival(0, "192.0.2.9")))
        before = store.stats().quarantine_bytes
        accepted = []
        for mrn in range(10, 20):  # more than there would be room for
            sent = push(mrn, os.urandom(9_000), raw=document_of(os.urandom(9_000)).content)
            accepted.append(store.accept_kept(keep(store, sent), sent, STRICT))
            assert store.stats().quarantine_bytes == before
        stats = store.stats()
        assert (stats.accepted, stats.quarantined) == (10, 1)

    @pytest.mark.parametrize("size", [20, LARGE])
    def test_a_redelivery_of_what_was_kept_gets_the_answer_of_its_first_arrival(
        self, open_inbox: OpenStore, size: int
    ) -> None:
        store, sent = open_inbox(), push(document=os.urandom(size))
        accepted = store.accept_kept(keep(store, sent), sent, OBSERVED)
        again = store.accept(replace(sent, arrival=arrival(60)), STRICT)
        assert again == replace(accepted, redelivery=True)
        assert_whole(store, accepted, sent)

    @pytest.mark.parametrize("size", [20, LARGE])
    def test_what_is_accepted_already_is_not_stored_twice_but_counted_there(
        self, open_inbox: OpenStore, size: int
    ) -> None:
        store, content = open_inbox(), os.urandom(size)
        first = push(document=content, raw=document_of(os.urandom(size)).content)
        push_id = keep(store, first)
        accepted = store.accept(push(document=content, arrival=arrival(60)), STRICT)
        assert store.accept_kept(push_id, first, OBSERVED) == replace(accepted, redelivery=True)
        assert all_ids(store) == [accepted.id]
        assert store.stored(accepted.id).arrivals == ((NOON, "192.0.2.7"),)
        assert store.stats().quarantine_bytes == 0
        assert store.sweep(time.time() + 2 * ORPHAN_AGE_SECONDS) == 0
        with pytest.raises(NoSuchPush):
            store.open_raw(push_id)

    def test_other_content_under_the_key_of_an_accepted_push_is_a_conflict(self, open_inbox: OpenStore) -> None:
        store, kept = open_inbox(), push(document=b"as it was")
        push_id = keep(store, kept)
        accepted = store.accept(push(document=b"as it is", arrival=arrival(60)), STRICT)
        assert store.accept_kept(push_id, kept, STRICT) == Accepted(push_id, NOON, kept.submit_id, False, accepted.id)
        assert all_ids(store) == [accepted.id, push_id]
        assert store.stored(push_id).row.conflict_of == accepted.id

    @pytest.mark.parametrize("raw", [100, LARGE])
    def test_what_is_refused_again_stays_by_the_new_verdict_and_the_earlier_ones_are_its_history(
        self, open_inbox: OpenStore, raw: int
    ) -> None:
        store, sent = open_inbox(), push(raw=document_of(os.urandom(raw)).content)
        push_id, before = keep(store, sent), store.stats().quarantine_bytes
        guarded = replace(REFUSED, conformance=Conformance.GUARDED)
        store.refuse_again(push_id, RefusedPush(sent.arrival, sent.raw, guarded, sent))
        judged_at = store.stored(push_id).judged_at
        assert before < store.stats().quarantine_bytes < before + 2_000
        store.refuse_again(push_id, RefusedPush(sent.arrival, sent.raw, REFUSED))
        stored = store.stored(push_id)
        assert (stored.row.state, stored.verdict) == (PushState.QUARANTINED, REFUSED)
        assert stored.history == ((NOON, REFUSED), (judged_at, guarded))
        assert (stored.row.received_at, stored.row.job, stored.properties) == (NOON, None, ())
        with store.open_raw(push_id) as kept:
            assert len(kept.read()) == raw
        store.accept_kept(push_id, sent, STRICT)
        assert [verdict for _, verdict in store.stored(push_id).history] == [REFUSED, guarded, REFUSED]
        assert store.stats().quarantine_bytes == 0

    def test_the_same_verdict_once_more_changes_nothing(self, open_inbox: OpenStore) -> None:
        store, sent = open_inbox(), push()
        push_id = keep(store, sent)
        before, stats = store.stored(push_id), store.stats()
        store.refuse_again(push_id, RefusedPush(sent.arrival, sent.raw, REFUSED, sent))
        assert store.stored(push_id) == before
        assert store.stats().quarantine_bytes == stats.quarantine_bytes

    def test_what_is_not_in_quarantine_does_not_leave_it(self, open_inbox: OpenStore) -> None:
        store, sent = open_inbox(), push()
        accepted = store.accept(sent, STRICT)
        for push_id in (accepted.id, "1k0xpzcn164ywxd1g8e4"):
            with pytest.raises(NoSuchPush):
                store.accept_kept(push_id, push(2, os.urandom(LARGE)), STRICT)
            with pytest.raises(NoSuchPush):
                store.refuse_again(push_id, RefusedPush(sent.arrival, sent.raw, REFUSED, sent))
        assert all_ids(store) == [accepted.id]
        assert store.stored(accepted.id).verdict == STRICT
        assert store.stats().quarantine_bytes == 0

    def test_two_that_judge_the_same_pushes_at_once_store_each_once_and_whole(self, open_inbox: OpenStore) -> None:
        """Two stores on one inbox, as a receiver and a command have them; the receiver quarantines meanwhile."""
        stores = [open_inbox(), open_inbox()]
        sent = [push(mrn, os.urandom(LARGE if mrn % 3 == 0 else 50)) for mrn in range(12)]
        kept = [keep(stores[0], one) for one in sent]
        accepted: list[Accepted] = []
        gone: list[NoSuchPush] = []

        def judge(store: SqlStore) -> None:
            for push_id, one in zip(kept, sent, strict=True):
                try:
                    accepted.append(store.accept_kept(push_id, one, STRICT))
                except NoSuchPush as error:
                    gone.append(error)

        def receive() -> None:
            for mrn in range(100, 120):
                keep(stores[0], push(mrn))
                stores[0].accept(sent[mrn % 12], STRICT)

        threads = [threading.Thread(target=judge, args=(store,)) for store in stores] + [
            threading.Thread(target=receive)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(accepted), len(gone)) == (12, 12)
        stats = stores[0].stats()
        assert (stats.accepted, stats.quarantined, stats.redeliveries, stats.conflicts) == (12, 20, 20, 0)
        by_submit_id = {one.submit_id: one for one in sent}
        for one in accepted:
            assert_whole(stores[1], one, by_submit_id[one.submit_id])

    def test_a_push_that_made_room_for_others_meanwhile_is_told_as_gone(self, open_inbox: OpenStore) -> None:
        store = open_inbox(quarantine_max_bytes=30_000, quarantine_max_bytes_per_source=30_000)
        sent = push(document=os.urandom(LARGE))
        push_id = keep(store, sent)
        for n in range(5):
            keep(store, push(n, raw=document_of(os.urandom(9_000)).content, arrival=arrival(n + 1)))
        with pytest.raises(NoSuchPush):
            store.accept_kept(push_id, sent, STRICT)
        assert store.stats().accepted == 0
        assert sum(row.raw_bytes for row in store.rows()) < store.stats().quarantine_bytes <= 30_000

    def test_the_oldest_make_room_for_what_a_longer_history_takes(self, open_inbox: OpenStore) -> None:
        store = open_inbox(quarantine_max_bytes=30_000, quarantine_max_bytes_per_source=30_000)
        kept = [keep(store, push(n, arrival=arrival(n))) for n in range(6)]
        long = tuple(replace(one, found=os.urandom(16_000).hex()) for one in REFUSED.deviations)
        many = Verdict(Conformance.STRICT, "e" * 64, long, long)
        store.refuse_again(kept[5], RefusedPush(arrival(5), push(5).raw, many))
        assert store.stats().quarantine_bytes > 30_000
        newest = keep(store, push(9, arrival=arrival(9)))
        assert all_ids(store)[0] == newest
        assert store.stats().quarantine_bytes <= 30_000

    def test_a_time_of_judgement_is_kept_to_the_microsecond(self, open_inbox: OpenStore) -> None:
        store, sent = open_inbox(), push(arrival=arrival(0.123456))
        store.accept_kept(keep(store, sent), sent, STRICT)
        (push_id,) = all_ids(store)
        assert store.stored(push_id).history[0][0] == NOON + timedelta(seconds=0.123456)
