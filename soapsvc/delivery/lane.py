"""The way of one delivery: claimed, handed over, settled.

claim ──► read the push ──► deliver() ──► settle
  │             │               │            └─ killed before it: the claim ends, and the push goes out once more
  │             │               └─ killed within: the same; the target may have it already, under the same id
  └─────────────┴─ killed here: the claim ends, and it is as if nothing had been
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import structlog

from soapsvc.clock import Clock
from soapsvc.delivery.claims_held import ClaimsHeld
from soapsvc.delivery.outgoing import outgoing_push
from soapsvc.delivery.retry_schedule import RetrySchedule
from soapsvc.delivery_records import Claim
from soapsvc.delivery_settings import DeliverySettings
from soapsvc.errors import NoSuchPush, StoreError, StoreUnavailable
from soapsvc.inbox.outbox_writes import Settlement
from soapsvc.inbox.store import InboxStore
from soapsvc.states import Move
from soapsvc.targets.target import DeliveryFailed, Target

log = structlog.get_logger()

REASON_CHARS = 1000  # of what is kept of a target's words
SETTLE_PAUSES = (0.2, 1.0, 5.0, 15.0, 30.0)  # seconds, the last one again and again


class Lane:
    """Delivers what is due for one `[[delivery]]`, one at a time. Several threads, each with its lane, share a target.

    worker  names this process in claims: MACHINE:PID
    pause   waits that many seconds; True: it is time to stop
    """

    def __init__(
        self,
        entry: DeliverySettings,
        target: Target,
        store: InboxStore,
        held: ClaimsHeld,
        *,
        worker: str,
        clock: Clock,
        pause: Callable[[float], bool],
    ):
        self._entry, self._target, self._store, self._held = entry, target, store, held
        self._worker, self._clock, self._pause = worker, clock, pause
        self._schedule = RetrySchedule.of(entry)

    def step(self) -> bool:
        """One attempt of a delivery that is due; False: none is. Errors: StoreUnavailable, nothing was claimed."""
        claim = self._store.outbox.claim(
            self._entry.name,
            ordered=self._entry.ordered,
            token=f"{self._worker}:{secrets.token_hex(8)}",
            seconds=self._held.seconds,
        )
        if claim is None:
            return False
        with self._held.holding(claim):
            self._settle(self._attempt(claim))
        return True

    def _attempt(self, claim: Claim) -> Settlement:
        if claim.failed >= self._schedule.attempts:  # a push that takes the process with it would do so for ever
            return self._failed(claim, "each attempt was cut off: the workers that made them did not come back", False)
        try:
            push = outgoing_push(self._store, claim.push_id, is_repeat=claim.attempt > 1)
            receipt = self._target.deliver(push)
        except DeliveryFailed as failure:
            return self._failed(claim, str(failure), failure.may_repeat, failure.retry_after_seconds)
        except NoSuchPush as gone:
            return self._failed(claim, str(gone), False)
        except StoreError as unavailable:
            return self._failed(claim, str(unavailable), True)
        except Exception as fault:
            log.exception("delivery failed by a fault of soapsvc", push=claim.push_id, target=claim.target)
            return self._failed(claim, f"internal error ({type(fault).__name__}); the log has it", True)
        log.info("push delivered", push=claim.push_id, target=claim.target, attempt=claim.attempt)
        said = f"{receipt.target}: {receipt.reference}"
        return Settlement(claim, Move.ACKNOWLEDGED, self._clock(), _kept(said))

    def _failed(
        self, claim: Claim, reason: str, may_repeat: bool, retry_after_seconds: float | None = None
    ) -> Settlement:
        now = self._clock()
        due_at = self._schedule.next_attempt_at(claim.failed + 1, now, retry_after_seconds) if may_repeat else None
        move = Move.LAST_ATTEMPT_FAILED if due_at is None else Move.ATTEMPT_FAILED
        event = "push not delivered" if due_at is None else "push not delivered yet"
        log.warning(event, push=claim.push_id, target=claim.target, attempt=claim.attempt, why=_kept(reason),
                    next_at=due_at and due_at.isoformat())  # fmt: skip
        return Settlement(claim, move, now, _kept(reason), due_at)

    def _settle(self, done: Settlement) -> None:
        """Write it down, however often that takes: what is not written down goes out once more."""
        tries = 0
        while True:
            try:
                if not self._store.outbox.settle(done):
                    log.warning("claim lost", push=done.claim.push_id, target=done.claim.target)
                return
            except StoreUnavailable as unavailable:
                log.error("delivery not settled", push=done.claim.push_id, cause=str(unavailable))
            if self._pause(SETTLE_PAUSES[min(tries, len(SETTLE_PAUSES) - 1)]):
                return
            tries += 1


def _kept(said: str) -> str:
    text = said.replace("\0", "").encode("utf-8", "replace").decode()
    return text if len(text) <= REASON_CHARS else text[: REASON_CHARS - 1] + "…"
