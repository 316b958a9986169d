"""A worker's threads: one for each delivery that may be under way at a time, and one that renews their claims."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from soapsvc.clock import Clock, utc_now
from soapsvc.delivery.claims_held import ClaimsHeld
from soapsvc.delivery.lane import Lane
from soapsvc.delivery_settings import DeliverySettings
from soapsvc.errors import StoreError
from soapsvc.inbox.store import InboxStore
from soapsvc.targets.target import Target

log = structlog.get_logger()

POLL_SECONDS = 1.0  # what another process queued, or what is due again, is seen within this
STORE_PAUSE_SECONDS = 5.0  # after the inbox could not be asked


class Dispatcher:
    """Delivers until it is stopped. A slow target keeps no other waiting: each has threads of its own.

    entries  each with its target, already opened; paused ones and leases are not among them
    """

    def __init__(
        self,
        store: InboxStore,
        entries: Sequence[tuple[DeliverySettings, Target]],
        *,
        claim_seconds: float,
        clock: Clock = utc_now,
    ):
        self._store, self._entries, self._clock = store, entries, clock
        self._held = ClaimsHeld(claim_seconds)
        self._stopping = threading.Event()
        self._ended = threading.Event()  # nothing is under way any more
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._lanes: list[threading.Thread] = []
        self._renewing: threading.Thread | None = None

    def start(self) -> None:
        """Errors: StoreUnavailable."""
        if not self._entries:
            return
        self._store.outbox.register([entry.name for entry, _ in self._entries])
        for entry, target in self._entries:
            for n in range(entry.parallel):
                lane = Lane(entry, target, self._store, self._held, worker=self._worker, clock=self._clock,
                            pause=self._stopping.wait)  # fmt: skip
                self._lanes.append(_started(f"delivery-{entry.name}-{n + 1}", partial(self._run, lane)))
        self._renewing = _started("delivery-claims", self._renew)

    def begin_nothing_more(self) -> None:
        """The claims of what is under way are renewed all the same."""
        self._stopping.set()
        self._store.outbox.tell()

    def stop(self, seconds: float) -> bool:
        """Begin nothing more, and wait that long for what is under way. False: something still is; its claim ends by
        itself, and it is delivered once more."""
        self.begin_nothing_more()
        until = time.monotonic() + seconds
        for lane in self._lanes:
            lane.join(max(0.0, until - time.monotonic()))
        ended = not any(lane.is_alive() for lane in self._lanes)
        self._ended.set()
        if self._renewing is not None:
            self._renewing.join(max(0.0, until - time.monotonic()))
        for _, target in self._entries if ended else ():
            target.close()
        return ended

    def _run(self, lane: Lane) -> None:
        outbox = self._store.outbox
        while not self._stopping.is_set():
            heard = outbox.heard
            try:
                busy = lane.step()
            except StoreError as unavailable:
                log.warning("deliveries wait for the inbox", cause=str(unavailable))
                self._stopping.wait(STORE_PAUSE_SECONDS)
                continue
            except Exception:  # were this thread to end, nothing would be delivered any more
                log.exception("delivery thread failed")
                self._stopping.wait(STORE_PAUSE_SECONDS)
                continue
            if not busy and not self._stopping.is_set():
                outbox.wait(heard, POLL_SECONDS)

    def _renew(self) -> None:
        while not self._ended.wait(self._held.seconds / 3):
            try:
                self._held.renew(self._store.outbox)
            except StoreError as unavailable:
                log.warning("claims not renewed", cause=str(unavailable))


def _started(name: str, run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
