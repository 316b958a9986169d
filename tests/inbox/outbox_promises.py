"""What every inbox promises of its deliveries; each backend's class inherits these tests and gives `open_inbox`."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest

from soapsvc.delivery_records import Claim
from soapsvc.delivery_settings import Bounds, RetentionSettings
from soapsvc.errors import MoveNotListed, NoSuchPush, StoreUnavailable
from soapsvc.inbox import outbox_writes, totals
from soapsvc.inbox.outbox_writes import ATTEMPTS_KEPT, Settlement
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.records import DropForm, Origin, TakenIn
from soapsvc.states import CANCELLED, DEAD_LETTER, DELIVERED, FORWARDING, PENDING, DeliveryState, Move
from tests.inbox.kept_promises import keep
from tests.inbox.making import LARGE, NOON, STRICT, OpenStore, all_ids, arrival, push, refused

HOUR = timedelta(hours=1)
_NUMBERS = count()


class Watch:
    """The time, as the test says it."""

    def __init__(self, now: datetime = NOON + HOUR):
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def goes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def to(*targets: str):  # type: ignore[no-untyped-def]
    return lambda _push: targets


def claim(store: SqlStore, target: str = "a", *, ordered: bool = False, seconds: float = 60) -> Claim | None:
    return store.outbox.claim(target, ordered=ordered, token=f"worker:{next(_NUMBERS)}", seconds=seconds)


def claimed(store: SqlStore, target: str = "a", **how: bool) -> Claim:
    found = claim(store, target, **how)
    assert found is not None
    return found


def states(store: SqlStore, push_id: str) -> dict[str, DeliveryState]:
    return {one.target: one.state for one in store.stored(push_id).deliveries}


def delivered(store: SqlStore, target: str = "a") -> str:
    """One delivery made."""
    held = claimed(store, target)
    assert store.outbox.settle(Settlement(held, Move.ACKNOWLEDGED, NOON, "there"))
    return held.push_id


class OutboxPromises:
    # -- queued with the push --------------------------------------------------------------------------------------

    def test_a_push_has_its_deliveries_from_the_moment_it_is_stored(self, open_inbox: OpenStore) -> None:
        store = open_inbox(route=to("a", "b"))
        accepted = store.accept(push(), STRICT)
        assert states(open_inbox(create=False), accepted.id) == {"a": PENDING, "b": PENDING}

    def test_a_redelivery_makes_no_delivery_and_a_conflict_makes_its_own(self, open_inbox: OpenStore) -> None:
        store = open_inbox(route=to("a"))
        first = store.accept(push(document=b"1"), STRICT)
        assert store.accept(push(document=b"1"), STRICT).redelivery
        conflict = store.accept(push(document=b"2", arrival=arrival(1)), STRICT)
        assert conflict.conflict_of == first.id
        assert [delivered(store), delivered(store)] == [first.id, conflict.id]
        assert claim(store) is None

    @pytest.mark.parametrize("size", [20, LARGE])
    def test_what_comes_out_of_quarantine_is_queued_then_and_a_redelivery_out_of_it_is_not(
        self, open_inbox: OpenStore, size: int
    ) -> None:
        store, sent = open_inbox(route=to("a")), push(document=b"d" * size)
        kept = [keep(store, sent) for _ in range(2)]
        assert claim(store) is None, "what was refused is not delivered"
        accepted = store.accept_kept(kept[0], sent, STRICT)
        assert store.accept_kept(kept[1], sent, STRICT).redelivery
        assert delivered(store) == accepted.id == kept[0]
        assert claim(store) is None

    def test_of_pushes_that_come_in_many_times_at_once_each_is_queued_once(self, open_inbox: OpenStore) -> None:
        stores = [open_inbox(route=to("a", "b")) for _ in range(2)]

        def send(n: int) -> None:
            for mrn in range(10):
                stores[n % 2].accept(push(mrn), STRICT)

        threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [(one.name, one.pending) for one in stores[0].outbox.figures()] == [("a", 10), ("b", 10)]

    def test_a_push_that_cannot_be_stored_leaves_no_delivery(
        self, open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = open_inbox(route=to("a"))

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("after the deliveries were queued")

        with monkeypatch.context() as patch:
            patch.setattr(totals, "add", fail)
            with pytest.raises(StoreUnavailable):
                store.accept(push(), STRICT)
        assert store.outbox.figures() == ()

    # -- claimed by one worker at a time ---------------------------------------------------------------------------

    def test_what_has_been_due_for_longest_is_claimed_first_and_once(self, open_inbox: OpenStore) -> None:
        store = open_inbox(route=to("a"), clock=Watch())
        ids = [store.accept(push(mrn, arrival=arrival(mrn)), STRICT).id for mrn in range(3)]
        assert [claimed(store).push_id for _ in range(3)] == ids
        assert claim(store) is None
        assert claim(store, "b") is None
        assert states(store, ids[0]) == {"a": FORWARDING}

    def test_workers_that_race_share_the_deliveries(self, open_inbox: OpenStore) -> None:
        stores = [open_inbox(route=to("a")) for _ in range(2)]
        for mrn in range(40):
            stores[0].accept(push(mrn), STRICT)
        got: list[str] = []

        def work(n: int) -> None:
            while (held := claim(stores[n % 2])) is not None or stores[0].outbox.figures()[0].pending:
                if held is not None:
                    got.append(held.push_id)
                    assert stores[n % 2].outbox.settle(Settlement(held, Move.ACKNOWLEDGED, NOON, "there"))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Counter(Counter(got).values()) == {1: 40}
        (figures,) = stores[0].outbox.figures()
        assert (figures.delivered, figures.pending, figures.forwarding) == (40, 0, 0)

    def test_a_claim_ends_by_itself_and_the_attempt_counts_as_failed(self, open_inbox: OpenStore) -> None:
        watch = Watch()
        store = open_inbox(route=to("a"), clock=watch)
        accepted = store.accept(push(), STRICT)
        first = claimed(store)
        watch.goes(59)
        assert claim(store) is None
        watch.goes(2)
        second = claimed(store)
        assert (second.push_id, second.attempt, second.failed) == (accepted.id, 2, 1)
        assert not store.outbox.settle(Settlement(first, Move.ATTEMPT_FAILED, NOON, "late", NOON))
        assert store.outbox.settle(Settlement(second, Move.ACKNOWLEDGED, watch.now, "there"))
        (one,) = store.stored(accepted.id).deliveries
        assert (one.state, one.attempts, one.due_at) == (DELIVERED, 2, None)
        assert [(tried.n, tried.outcome, tried.said) for tried in one.tried] == [
            (1, "claim expired", "worker took it and did not come back"), (2, "acknowledged", "there")
        ]  # fmt: skip

    def test_a_claim_that_is_renewed_does_not_end(self, open_inbox: OpenStore) -> None:
        watch = Watch()
        store = open_inbox(route=to("a"), clock=watch)
        store.accept(push(), STRICT)
        held = claimed(store)
        for _ in range(5):
            watch.goes(50)
            store.outbox.renew([held], 60)
        assert claim(store) is None
        assert store.outbox.settle(Settlement(held, Move.ACKNOWLEDGED, NOON, "there"))

    def test_a_failed_attempt_is_due_again_when_it_says_and_the_last_one_is_a_dead_letter(
        self, open_inbox: OpenStore
    ) -> None:
        watch = Watch()
        store = open_inbox(route=to("a"), clock=watch)
        accepted = store.accept(push(), STRICT)
        due_at = watch.now + timedelta(seconds=30)
        assert store.outbox.settle(Settlement(claimed(store), Move.ATTEMPT_FAILED, watch.now, "refused", due_at))
        assert claim(store) is None
        (one,) = store.stored(accepted.id).deliveries
        assert (one.state, one.due_at) == (PENDING, due_at)
        watch.goes(30)
        second = claimed(store)
        assert (second.attempt, second.failed) == (2, 1)
        assert store.outbox.settle(Settlement(second, Move.LAST_ATTEMPT_FAILED, watch.now, "no such mailbox"))
        assert states(store, accepted.id) == {"a": DEAD_LETTER}
        watch.goes(1e6)
        assert claim(store) is None
        (figures,) = store.outbox.figures()
        assert (figures.dead, figures.failed_attempts, figures.delivered) == (1, 2, 0)

    def test_a_claim_that_is_released_was_no_attempt(self, open_inbox: OpenStore) -> None:
        store = open_inbox(route=to("a"))
        accepted = store.accept(push(), STRICT)
        assert store.outbox.settle(Settlement(claimed(store), Move.RELEASED, NOON, "", NOON))
        (one,) = store.stored(accepted.id).deliveries
        assert (one.state, one.attempts, one.tried) == (PENDING, 0, ())

    def test_of_very_many_attempts_the_first_are_kept_and_all_are_counted(
        self, open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox_writes, "ATTEMPTS_KEPT", 3)
        assert ATTEMPTS_KEPT > 3
        store = open_inbox(route=to("a"))
        accepted = store.accept(push(), STRICT)
        for _ in range(5):
            store.outbox.settle(Settlement(claimed(store), Move.ATTEMPT_FAILED, NOON, "no", NOON))
        (one,) = store.stored(accepted.id).deliveries
        assert (one.attempts, len(one.tried)) == (5, 3)

    # -- in order ---------------------------------------------------------------------------------------------------

    def test_in_order_the_next_one_waits_until_the_one_ahead_has_ended(self, open_inbox: OpenStore) -> None:
        watch = Watch()
        stores = [open_inbox(route=to("a"), clock=watch) for _ in range(2)]
        stores[0].outbox.register(["a"])
        ids = [stores[0].accept(push(mrn, arrival=arrival(mrn)), STRICT).id for mrn in range(3)]
        held = claimed(stores[0], ordered=True)
        assert held.push_id == ids[0]
        assert claim(stores[1], ordered=True) is None, "the first is under way"
        later = watch.now + timedelta(seconds=30)
        stores[0].outbox.settle(Settlement(held, Move.ATTEMPT_FAILED, watch.now, "down", later))
        assert claim(stores[1], ordered=True) is None, "the first waits for its next attempt"
        watch.goes(30)
        held = claimed(stores[1], ordered=True)
        assert held.push_id == ids[0]
        stores[1].outbox.settle(Settlement(held, Move.LAST_ATTEMPT_FAILED, watch.now, "never"))
        for push_id in ids[1:]:
            held = claimed(stores[0], ordered=True)
            assert held.push_id == push_id
            stores[0].outbox.settle(Settlement(held, Move.ACKNOWLEDGED, watch.now, "there"))

    def test_in_order_two_workers_that_race_keep_it(self, open_inbox: OpenStore) -> None:
        stores = [open_inbox(route=to("a")) for _ in range(2)]
        stores[0].outbox.register(["a"])
        ids = [stores[0].accept(push(mrn, arrival=arrival(mrn)), STRICT).id for mrn in range(15)]
        got: list[str] = []
        at_once = threading.Lock()

        def work(store: SqlStore) -> None:
            while len(got) < len(ids):
                held = claim(store, ordered=True)
                if held is not None:
                    assert at_once.acquire(blocking=False), "two are under way"
                    got.append(held.push_id)
                    at_once.release()
                    assert store.outbox.settle(Settlement(held, Move.ACKNOWLEDGED, NOON, "there"))

        threads = [threading.Thread(target=work, args=(stores[n % 2],)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == ids

    # -- what operators do ------------------------------------------------------------------------------------------

    def test_a_target_that_is_paused_is_left_alone_by_every_worker(self, open_inbox: OpenStore) -> None:
        stores = [open_inbox(route=to("a", "b")) for _ in range(2)]
        stores[0].outbox.pause("a")
        stores[0].accept(push(), STRICT)
        for ordered in (False, True):
            assert claim(stores[1], ordered=ordered) is None
        assert claim(stores[1], "b") is not None
        assert {one.name: one.paused_at is None for one in stores[1].outbox.figures()} == {"a": False, "b": True}
        stores[1].outbox.resume("a")
        assert claim(stores[0]) is not None

    def test_a_dead_letter_that_is_put_back_has_all_its_attempts_before_it(self, open_inbox: OpenStore) -> None:
        store = open_inbox(route=to("a", "b"))
        accepted = store.accept(push(), STRICT)
        delivered(store, "b")
        store.outbox.settle(Settlement(claimed(store), Move.LAST_ATTEMPT_FAILED, NOON, "never"))
        assert store.outbox.requeue(accepted.id) == ["a"], "what has arrived is not sent again"
        held = claimed(store)
        assert (held.attempt, held.failed) == (2, 0)
        with pytest.raises(MoveNotListed, match="forwarding cannot be requeued"):
            store.outbox.requeue(accepted.id, "a")
        assert store.outbox.requeue(accepted.id) == []
        assert store.outbox.requeue(accepted.id, "b") == ["b"], "unless it is named"
        assert store.outbox.requeue(accepted.id, "c") == ["c"], "one that came later is queued then"
        assert states(store, accepted.id) == {"a": FORWARDING, "b": PENDING, "c": PENDING}

    def test_what_is_not_there_or_was_refused_is_not_put_back(self, open_inbox: OpenStore) -> None:
        store = open_inbox(route=to("a"))
        kept = str(store.quarantine(refused(b"<bad/>")))
        for push_id, why in (("nothing", "is not stored"), (kept, "is in quarantine")):
            with pytest.raises(NoSuchPush, match=why):
                store.outbox.requeue(push_id, "a")

    def test_all_dead_letters_are_put_back_or_given_up(
        self, open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox_writes, "AT_ONCE", 3)
        store = open_inbox(route=to("a", "b"))
        ids = [store.accept(push(mrn), STRICT).id for mrn in range(8)]
        for target in "ab":
            while held := claim(store, target):
                store.outbox.settle(Settlement(held, Move.LAST_ATTEMPT_FAILED, NOON, "never"))
        assert store.outbox.requeue_dead("a") == 8
        assert store.outbox.requeue_dead() == 8
        held = claimed(store)
        assert store.outbox.cancel("a") == 7, "what is under way goes on"
        assert {state for one in ids if one != held.push_id for state in (states(store, one)["a"],)} == {CANCELLED}
        assert claim(store) is None
        assert store.outbox.requeue(next(one for one in ids if one != held.push_id), "a") == ["a"]

    def test_a_consumer_confirms_by_its_token_as_long_as_nobody_else_has_it(self, open_inbox: OpenStore) -> None:
        watch = Watch()
        store = open_inbox(route=to("a"), clock=watch)
        store.accept(push(), STRICT)
        first = claimed(store)
        watch.goes(61)
        second = claimed(store)
        assert not store.outbox.confirm(first.push_id, "a", first.token)
        watch.goes(61)
        assert store.outbox.confirm(second.push_id, "a", second.token), "late, and yet in time"
        assert not store.outbox.confirm(second.push_id, "a", second.token)

    # -- retention ----------------------------------------------------------------------------------------------------

    def test_retention_leaves_alone_what_is_held_or_not_delivered(self, open_inbox: OpenStore) -> None:
        watch = Watch(NOON + timedelta(days=100))
        store = open_inbox(route=to("a"), clock=watch)
        ids = [store.accept(push(mrn, arrival=arrival(mrn)), STRICT).id for mrn in range(5)]
        delivered(store)  # 0
        delivered(store)  # 1, which is held
        store.retention.hold(ids[1], "a dispute")
        store.outbox.settle(Settlement(claimed(store), Move.LAST_ATTEMPT_FAILED, NOON, "never"))  # 2: dead
        claimed(store)  # 3: under way; 4: pending
        settings = RetentionSettings(accepted=Bounds(days=1))
        (due,) = store.retention.due(settings)
        assert (due.pushes, due.kept) == (1, 4)
        assert store.retention.apply(settings).pushes == 1
        assert all_ids(store) == ids[:0:-1]
        held = store.stored(ids[1]).held
        assert held is not None
        assert held.reason == "a dispute"
        assert store.retention.release(ids[1])
        assert not store.retention.release(ids[1])
        store.outbox.cancel("a")
        assert store.retention.apply(settings).pushes == 3, "all but what is under way"
        assert all_ids(store) == [ids[3]]

    @pytest.mark.parametrize("size", [20, LARGE])
    def test_what_was_removed_is_gone_and_may_come_anew(self, open_inbox: OpenStore, size: int) -> None:
        watch = Watch(NOON + timedelta(days=100))
        store = open_inbox(route=to(), clock=watch)
        sent, other = push(document=b"1" * size), push(document=b"2" * size, arrival=arrival(1))
        first, conflict = store.accept(sent, STRICT), store.accept(other, STRICT)
        store.accept(other, STRICT)
        store.quarantine(refused(b"<bad/>"))
        store.retention.apply(RetentionSettings(accepted=Bounds(days=1), quarantined=Bounds(days=1)))
        assert all_ids(store) == []
        stats = store.stats()
        assert (stats.accepted, stats.documents, stats.document_bytes, stats.redeliveries, stats.conflicts) == (0,) * 5
        assert (stats.quarantined, stats.quarantine_bytes) == (0, 0)
        for asked in (first.id, conflict.id):
            with pytest.raises(NoSuchPush):
                store.stored(asked)
        anew = store.accept(sent, STRICT)
        assert (anew.redelivery, anew.conflict_of) == (False, None)

    def test_what_was_taken_in_from_a_backup_is_handed_on_and_removed_like_a_push(self, open_inbox: OpenStore) -> None:
        store = open_inbox(route=to("a"), clock=Watch(NOON + timedelta(days=100)))
        lay_there = Origin("file:///srv/backup", "report.csv", DropForm.FILE)
        drop = replace(push(), arrival=replace(arrival(), origin=lay_there))
        taken = store.take_in(drop, STRICT, TakenIn("00" * 32, "11" * 32))
        assert states(store, taken.id) == {"a": PENDING}
        assert delivered(store) == taken.id
        sharing = store.accept(push(2), STRICT).id
        assert [one.push_id for one in store.stored(sharing).row.shares] == [taken.id]
        claimed(store)
        assert store.retention.apply(RetentionSettings(accepted=Bounds(days=1))).pushes == 1
        assert store.stored(sharing).row.shares == ()

    def test_bounds_of_number_and_bytes_keep_the_newest(self, open_inbox: OpenStore) -> None:
        """Weeks apart: on PostgreSQL a bound goes back to the beginning of its week."""
        store = open_inbox(clock=Watch(NOON + timedelta(days=100)))
        week = 7 * 86400
        sent = [push(mrn, arrival=arrival(mrn * week)) for mrn in range(6)]
        ids = [store.accept(one, STRICT).id for one in sent]
        size = sent[0].raw.size_bytes
        assert store.retention.due(RetentionSettings(accepted=Bounds(count=6)))[0].pushes == 0
        assert store.retention.apply(RetentionSettings(accepted=Bounds(count=4))).pushes == 2
        assert all_ids(store) == ids[:1:-1]
        assert store.retention.apply(RetentionSettings(accepted=Bounds(bytes=2 * size))).pushes == 2
        assert all_ids(store) == ids[:3:-1]

    def test_a_conflict_that_stays_is_still_recognised(self, open_inbox: OpenStore) -> None:
        store = open_inbox(clock=Watch(NOON + timedelta(days=100)))
        later = push(document=b"2", arrival=arrival(60 * 86400))
        first, conflict = store.accept(push(document=b"1"), STRICT), store.accept(later, STRICT)
        assert store.retention.apply(RetentionSettings(accepted=Bounds(days=50))).pushes == 1
        assert store.accept(later, STRICT) == replace(conflict, redelivery=True)
        again = store.accept(push(document=b"1"), STRICT)
        assert (again.redelivery, again.conflict_of) == (False, first.id)
