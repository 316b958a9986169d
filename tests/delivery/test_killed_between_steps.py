"""A worker that is killed between any two steps of a delivery: the push arrives, at most once more, under its id."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from soapsvc.delivery.claims_held import ClaimsHeld
from soapsvc.delivery.lane import Lane
from soapsvc.delivery_settings import DeliverySettings
from soapsvc.inbox.sql_store import SqlStore, open_store
from soapsvc.states import DELIVERED
from soapsvc.targets.opening import open_target
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.target import OutgoingPush, Receipt, Target
from tests.inbox.accepting import PROCESSES
from tests.inbox.making import MIB, NOON, STRICT, OpenStore, push

COMMAND = '#!/bin/sh\ncat > /dev/null\necho "$SOAPSVC_PUSH_ID" >> {told}\n'
STEPS = {
    "before the claim": 1,
    "after the claim": 1,
    "after the push was read": 1,
    "after the hand-over": 2,  # the one step after which a target gets it twice
    "before the settlement": 2,
    "after the settlement": 1,
}
"""Each with how often the target gets the push in all."""


def lane_of(store: SqlStore, target: Target, at_hour: int) -> Lane:
    entry = DeliverySettings(name="a", target="exec:take", attempts=10, gaps=(0.0,))
    return Lane(entry, target, store, ClaimsHeld(60), worker=f"test:{os.getpid()}", pause=lambda _: True,
                clock=lambda: NOON + timedelta(hours=at_hour))  # fmt: skip


class DiesAt:
    """Stands before a store, an outbox or a target, and ends the process when a step is reached."""

    def __init__(self, inner: Any, step: str):
        self._inner, self._step = inner, step

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return DiesAt(found, self._step) if name == "outbox" else found

    def _reached(self, step: str) -> None:
        if step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)

    def claim(self, *words: Any, **more: Any) -> Any:
        self._reached("before the claim")
        claim = self._inner.claim(*words, **more)
        self._reached("after the claim")
        return claim

    def settle(self, done: Any) -> bool:
        self._reached("before the settlement")
        written: bool = self._inner.settle(done)
        self._reached("after the settlement")
        return written

    def deliver(self, outgoing: OutgoingPush) -> Receipt:
        self._reached("after the push was read")
        receipt: Receipt = self._inner.deliver(outgoing)
        self._reached("after the hand-over")
        return receipt


def _work(url: str, command: str, step: str) -> None:
    store = open_store(url, quarantine_max_bytes=MIB, quarantine_max_bytes_per_source=MIB,
                       clock=lambda: NOON + timedelta(hours=1))  # fmt: skip
    target = open_target(f"exec:{command}", TargetOptions())
    lane_of(DiesAt(store, step), DiesAt(target, step), 1).step()  # type: ignore[arg-type]


@pytest.mark.parametrize(("step", "times"), STEPS.items())
def test_a_worker_killed_between_two_steps_loses_nothing(
    open_inbox: OpenStore, inbox_file: Path, tmp_path: Path, step: str, times: int
) -> None:
    told, command = tmp_path / "told", tmp_path / "take"
    command.write_text(COMMAND.format(told=told))
    command.chmod(0o755)
    store = open_inbox(route=lambda _: ("a",), clock=lambda: NOON + timedelta(hours=2))
    accepted = store.accept(push(), STRICT)

    worker = PROCESSES.Process(target=_work, args=(f"sqlite:///{inbox_file}", str(command), step))
    worker.start()
    worker.join(60)
    assert worker.exitcode == -signal.SIGKILL, "it did not get that far"

    lane = lane_of(store, open_target(f"exec:{command}", TargetOptions()), 2)
    while lane.step():
        pass
    (delivery,) = store.stored(accepted.id).deliveries
    assert delivery.state is DELIVERED
    assert told.read_text().split() == [accepted.id] * times
