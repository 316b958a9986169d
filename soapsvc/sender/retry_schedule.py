"""When a sender tries again: gaps between attempts, of one's own or those that services of this field publish."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from soapsvc.errors import SettingsError

MINUTE, HOUR = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """One attempt, and one more after each gap.

    gaps_seconds  from the end of an attempt to the beginning of the next
    source        whose schedule it is, and where that is written; "" for one's own
    factor        by which it is compressed; a receiver's Retry-After is compressed with it
    """

    name: str
    gaps_seconds: tuple[float, ...] = ()
    source: str = ""
    factor: float = 1.0

    @property
    def attempts(self) -> int:
        return 1 + len(self.gaps_seconds)

    @property
    def total_seconds(self) -> float:
        """From the end of the first attempt to the beginning of the last, the attempts themselves aside."""
        return sum(self.gaps_seconds)

    def compressed(self, factor: float) -> RetrySchedule:
        """The same in a shorter time: every gap divided. Errors: SettingsError: the factor is not above 0."""
        if not factor > 0:
            raise SettingsError(f"a schedule is compressed by a factor above 0, and not by {factor:g}")
        gaps = tuple(gap / factor for gap in self.gaps_seconds)
        return RetrySchedule(self.name, gaps, self.source, self.factor * factor)

    def wait_seconds(self, failed: int, retry_after_seconds: float | None) -> float | None:
        """From the end of so many failed attempts to the next: the gap, or longer where the destination says so. None:
        there is no next."""
        if failed > len(self.gaps_seconds):
            return None
        return max(self.gaps_seconds[failed - 1], (retry_after_seconds or 0) / self.factor)

    @classmethod
    def of(cls, attempts: int, gap_seconds: float | tuple[float, ...]) -> RetrySchedule:
        """One's own: so many attempts; of several gaps the last holds for all that follow. Errors: SettingsError."""
        gaps = gap_seconds if isinstance(gap_seconds, tuple) else (gap_seconds,)
        if attempts < 1 or any(not 0 <= gap < float("inf") for gap in gaps) or (attempts > 1 and not gaps):
            raise SettingsError("attempts are 1 or more, and the gaps between them seconds, 0 or more")
        return cls("own", tuple(gaps[min(n, len(gaps) - 1)] for n in range(attempts - 1)))

    @classmethod
    def named(cls, name: str) -> RetrySchedule:
        """One of `SCHEDULES`. Errors: SettingsError: there is none of the name."""
        if name in SCHEDULES:
            return SCHEDULES[name]
        near = difflib.get_close_matches(name, SCHEDULES, n=1)
        hint = f"; {near[0]} is near" if near else ""
        raise SettingsError(f"there is no retry schedule {name!r}{hint}. There are {', '.join(SCHEDULES)}")


def _growing_for_a_day() -> tuple[float, ...]:
    """The published part is the exponential growth to 2 h and the 24 h; that it begins at one minute is ours."""
    gaps: list[float] = []
    while sum(gaps) + (gap := min(MINUTE * 2 ** len(gaps), 2 * HOUR)) <= 24 * HOUR:
        gaps.append(gap)
    return tuple(gaps)


SCHEDULES = {
    one.name: one
    for one in (
        RetrySchedule("once", (), "no repeat: the backup at once"),
        RetrySchedule(
            "growing-24h",
            _growing_for_a_day(),
            "Salesforce outbound messages (help.salesforce.com, considerations for outbound messages): growing "
            "gaps of at most 2 h until the message is 24 h old; the first gap is not published: one minute here",
        ),
        RetrySchedule(
            "steps-24h",
            (MINUTE, *(5 * MINUTE,) * 2, *(10 * MINUTE,) * 5, *(HOUR,) * 5, *(6 * HOUR,) * 3),
            "Juspay (juspay.io, webhook/callback retries): 16 in 24 h",
        ),
        RetrySchedule(
            "steps-48h",
            (MINUTE, 10 * MINUTE, HOUR, *(2 * HOUR,) * 3, *(4 * HOUR,) * 3, *(8 * HOUR,) * 2, 12 * HOUR),
            "Wix (dev.wix.com, webhook resend policy): 12, from one minute to 12 h",
        ),
        RetrySchedule(
            "steps-4d",
            (2 * MINUTE, 6 * MINUTE, 30 * MINUTE, HOUR, 5 * HOUR, 24 * HOUR, 48 * HOUR),
            "Truecaller for Business (docs.truecaller.com, automatic retries): 7, the last one two days later",
        ),
    )
}
"""By name. The vendor's own schedule is not public."""
