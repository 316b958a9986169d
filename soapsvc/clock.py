"""The time, as a value that tests can hand in."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Answers an aware datetime in UTC."""


def utc_now() -> datetime:
    """The present moment: aware, UTC."""
    return datetime.now(UTC)
