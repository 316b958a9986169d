"""What became of a push: who has it, and every attempt on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from soapsvc.targets.target import Receipt


class Holder(StrEnum):
    """Who has the push."""

    RECEIVER = "receiver"
    BACKUP = "backup"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one destination.

    target   URL without secrets
    at       aware UTC: when it began; seconds: how long it took
    taken    whether the destination said that it has the push
    told     what it is called there, or why it was not taken: one line
    final    the destination has said no for good
    """

    target: str
    is_backup: bool
    at: datetime
    seconds: float
    taken: bool
    told: str
    final: bool = False
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The receipt of one push.

    push_id   `MadePush.id`; name: of the file it was made of
    receipt   of the destination that has it; None: nobody has
    attempts  in the order of time
    answer    the receiver's acknowledgement byte for byte, where it gave one
    """

    push_id: str
    name: str
    holder: Holder
    receipt: Receipt | None
    attempts: tuple[Attempt, ...]
    answer: bytes | None = field(default=None, repr=False)

    @property
    def reason(self) -> str:
        """Why the destination before did not take it: what was told last; "" where nothing failed."""
        return next((one.told for one in reversed(self.attempts) if not one.taken), "")

    def as_object(self) -> dict[str, Any]:
        """For JSON; times in UTC with a Z."""
        return {
            "id": self.push_id,
            "name": self.name,
            "holder": self.holder.value,
            "target": self.receipt.target if self.receipt else None,
            "at": _time(self.receipt.at) if self.receipt else None,
            "reference": self.receipt.reference if self.receipt else None,
            "attempts": [
                {
                    "target": one.target,
                    "is_backup": one.is_backup,
                    "at": _time(one.at),
                    "seconds": round(one.seconds, 4),
                    "taken": one.taken,
                    "told": one.told,
                    "final": one.final,
                    "retry_after_seconds": one.retry_after_seconds,
                }
                for one in self.attempts
            ],
        }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
