"""The states of a delivery and the moves between them, as a table: what is not listed does not happen.

            claimed                 acknowledged
PENDING ───────────────► FORWARDING ─────────────► DELIVERED
  ▲  ▲   claim expired      │   │                      │
  │  └──────────────────────┘   │ last attempt failed  │
  │      attempt failed         ▼                      │
  │      released            DEAD_LETTER               │
  └───────────────────────────┴────────────────────────┘ requeued (CANCELLED too)
"""

from __future__ import annotations

from enum import StrEnum

from soapsvc.errors import MoveNotListed


class DeliveryState(StrEnum):
    """Where the delivery of one push to one target stands."""

    PENDING = "pending"
    FORWARDING = "forwarding"
    DELIVERED = "delivered"
    DEAD_LETTER = "dead"
    CANCELLED = "cancelled"


class Move(StrEnum):
    """What happens to a delivery."""

    CLAIMED = "claimed"
    ACKNOWLEDGED = "acknowledged"
    ATTEMPT_FAILED = "attempt failed"
    LAST_ATTEMPT_FAILED = "last attempt failed"
    CLAIM_EXPIRED = "claim expired"
    RELEASED = "released"
    REQUEUED = "requeued"
    CANCELLED = "cancelled"


PENDING, FORWARDING, DELIVERED = DeliveryState.PENDING, DeliveryState.FORWARDING, DeliveryState.DELIVERED
DEAD_LETTER, CANCELLED = DeliveryState.DEAD_LETTER, DeliveryState.CANCELLED

NEXT_STATE = {
    (PENDING, Move.CLAIMED): FORWARDING,
    (FORWARDING, Move.ACKNOWLEDGED): DELIVERED,
    (FORWARDING, Move.ATTEMPT_FAILED): PENDING,  # due_at says when the next one is
    (FORWARDING, Move.LAST_ATTEMPT_FAILED): DEAD_LETTER,
    (FORWARDING, Move.CLAIM_EXPIRED): PENDING,  # the worker died: another one may try
    (FORWARDING, Move.RELEASED): PENDING,  # the worker was stopped before it began
    (PENDING, Move.REQUEUED): PENDING,  # due at once, and with all its attempts before it
    (DEAD_LETTER, Move.REQUEUED): PENDING,
    (DELIVERED, Move.REQUEUED): PENDING,  # an operator wants it there once more
    (CANCELLED, Move.REQUEUED): PENDING,
    (PENDING, Move.CANCELLED): CANCELLED,
    (DEAD_LETTER, Move.CANCELLED): CANCELLED,
}

NOT_DELIVERED = frozenset({PENDING, FORWARDING, DEAD_LETTER})
"""A push with a delivery in one of these is never removed."""


def next_state(state: DeliveryState, move: Move) -> DeliveryState:
    """Where the move leads. Errors: MoveNotListed."""
    to = NEXT_STATE.get((state, move))
    if to is None:
        raise MoveNotListed(state, move, sorted(known for known, other in NEXT_STATE if other is move))
    return to
