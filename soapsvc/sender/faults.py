"""Faults of a sender, to see what a receiver makes of them."""

from __future__ import annotations

from dataclasses import dataclass

from soapsvc.errors import SettingsError
from soapsvc.sender.body_faults import CutBody, SlowBody, UnheardBody
from soapsvc.targets.http_exchange import Body
from soapsvc.targets.soap_target import Through


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on purpose on the way to the receiver, never on the way to a backup.

    slow_bytes_per_second  every attempt drips
    cut_after_bytes        the first attempt ends in the middle
    lose_ack               the first attempt ends before the acknowledgement is read
    twice_at_once          the first attempt is two at the same moment
    """

    slow_bytes_per_second: float | None = None
    cut_after_bytes: int | None = None
    lose_ack: bool = False
    twice_at_once: bool = False

    def __post_init__(self) -> None:
        if (self.slow_bytes_per_second or 1) <= 0 or (self.cut_after_bytes or 0) < 0:
            raise SettingsError(
                "a slow sender has a rate above 0 bytes a second, and a cut comes after 0 bytes or more"
            )
        if sum((self.cut_after_bytes is not None, self.lose_ack, self.twice_at_once)) > 1:
            raise SettingsError("one of a cut, a lost acknowledgement and two at once can be tried, not several")

    @property
    def spoil_the_first(self) -> bool:
        """Whether the first attempt cannot be acknowledged, so that another one must follow."""
        return self.cut_after_bytes is not None or self.lose_ack

    def through(self, attempt: int) -> Through | None:
        """What the body of an attempt (from 1) goes through; None: nothing."""
        steps: list[Through] = []
        rate, cut = self.slow_bytes_per_second, self.cut_after_bytes
        if rate is not None:
            steps.append(lambda body: SlowBody(body, rate))
        if cut is not None and attempt == 1:
            steps.append(lambda body: CutBody(body, cut))
        if self.lose_ack and attempt == 1:
            steps.append(UnheardBody)
        if not steps:
            return None

        def all_steps(body: Body) -> Body:
            for step in steps:
                body = step(body)
            return body

        return all_steps
