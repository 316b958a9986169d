"""When a delivery that failed is tried again, and when no more."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from soapsvc.delivery_settings import MAX_GAP_SECONDS, SCHEDULES, DeliverySettings

DEFAULT = "patient"


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """Attempts and the gaps between them.

    gaps    seconds; the last one is repeated, none: no pause
    jitter  share of a gap by which it may be longer, by chance: what failed together is not tried together
    """

    attempts: int
    gaps: tuple[float, ...]
    jitter: float = 0.0

    @classmethod
    def of(cls, entry: DeliverySettings) -> RetrySchedule:
        """The schedule that a `[[delivery]]` asks for."""
        gaps = entry.gaps or SCHEDULES[entry.schedule or DEFAULT]
        return cls(entry.attempts or len(gaps) + 1, gaps, entry.jitter)

    def next_attempt_at(
        self,
        failed_attempts: int,
        now: datetime,
        retry_after_seconds: float | None = None,
        chance: Callable[[], float] = random.random,
    ) -> datetime | None:
        """When the next one is due; None: that was the last.

        failed_attempts      from 1, the one just now included
        retry_after_seconds  what the target asked for: waited for, where it is longer than the gap
        chance               a number from 0 to 1
        """
        if failed_attempts >= self.attempts:
            return None
        gap = self.gaps[min(failed_attempts, len(self.gaps)) - 1] if self.gaps else 0.0
        wanted = max(gap * (1 + self.jitter * chance()), retry_after_seconds or 0.0)
        return now + timedelta(seconds=min(wanted, MAX_GAP_SECONDS))
