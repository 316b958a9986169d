"""What the traffic says of the contract in force, as a page shows it; this room neither reads a WSDL nor learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Protocol


class LearningState(Enum):
    """How far it is."""

    UNASKED = "unasked"
    UNDER_WAY = "under_way"
    DONE = "done"
    CUT_SHORT = "cut_short"  # the constructs are known; there was no time for all of the proposal
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Learning:
    """The last that was asked for.

    most_pushes  it looks at so many at most, the newest
    asked_at     None: nobody asked yet
    newest       id of the newest push that it looked at; None: the inbox is empty, or nobody asked
    told         the object of `soapsvc contract learn --json`, of a construct and of what is left the first alone
    proposal     the WSDL that takes the traffic; None: that in force needs no edit, or it is not known
    difference   of that to the WSDL in force: lines of a unified diff
    why          a sentence where it failed or was cut short
    """

    state: LearningState
    most_pushes: int
    asked_at: datetime | None = None
    newest: str | None = None
    told: Mapping[str, Any] | None = None
    proposal: bytes | None = field(default=None, repr=False)
    difference: tuple[str, ...] = field(default=(), repr=False)
    why: str | None = None


class Learner(Protocol):
    """Learns when it is asked to, apart from the service's work. Threads share it."""

    def look(self) -> Learning:
        """What is known now."""

    def ask(self) -> Learning:
        """Begin, unless it is under way, or nothing came since it was done. Errors: StoreUnavailable."""


def learning_object(one: Learning) -> dict[str, Any]:
    """For programs."""
    return {
        "state": one.state.value,
        "most_pushes": one.most_pushes,
        "asked_at": one.asked_at.isoformat() if one.asked_at else None,
        "newest": one.newest,
        "learned": one.told,
        "proposed": one.proposal is not None,
        "difference": one.difference,
        "why": one.why,
    }
