"""What is known of deliveries, frozen: one push on its way to one target, and its attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from soapsvc.states import DeliveryState


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to hand a push over.

    n        from 1, over all that was ever tried for this push and target
    at       aware UTC: when it ended
    outcome  the move that it made (`states.Move`): acknowledged, attempt failed, last attempt failed, claim expired
    said     the target's receipt, or the reason why not: a sentence without secrets
    """

    n: int
    at: datetime
    outcome: str
    said: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One push on its way to one target.

    target    name of the `[[delivery]]` entry
    attempts  how many there were; `tried` keeps the first hundred of them
    due_at    aware UTC: when a worker may take it; of one that is being forwarded: when the claim ends; None: ended
    """

    target: str
    state: DeliveryState
    attempts: int
    due_at: datetime | None
    tried: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's timed hold on a delivery.

    token   by which the hold is known: worker and chance
    attempt number of the attempt that it is for, from 1
    failed  attempts that failed since the delivery was queued, which the schedule counts
    until   aware UTC: after it another worker may take the delivery
    """

    push_id: str
    target: str
    token: str = field(repr=False)
    attempt: int
    failed: int
    until: datetime


@dataclass(frozen=True, slots=True)
class TargetFigures:
    """How the deliveries to one target stand.

    paused_at  aware UTC; None: it is not paused by an operator
    delivered, failed_attempts  since the inbox was made
    oldest_at  aware UTC: arrival of the oldest push that waits for its delivery
    """

    name: str
    paused_at: datetime | None
    pending: int
    forwarding: int
    dead: int
    delivered: int
    failed_attempts: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Hold:
    """An operator's word that a push is not to be removed."""

    at: datetime
    reason: str
