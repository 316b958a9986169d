"""When a delivery is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from soapsvc.delivery.retry_schedule import RetrySchedule
from soapsvc.delivery_settings import MAX_GAP_SECONDS, SCHEDULES, DeliverySettings
from tests.inbox.making import NOON


def gaps_of(schedule: RetrySchedule, chance: float = 0.0) -> list[float]:
    gaps = []
    for failed in range(1, 1000):
        at = schedule.next_attempt_at(failed, NOON, chance=lambda: chance)
        if at is None:
            return gaps
        gaps.append((at - NOON).total_seconds())
    raise AssertionError("a schedule without an end")


def entry(**settings: object) -> RetrySchedule:
    return RetrySchedule.of(DeliverySettings(name="a", target="file:///a", **settings))  # type: ignore[arg-type]


def test_the_gaps_are_those_of_the_settings_and_the_last_one_is_repeated() -> None:
    assert gaps_of(entry(gaps=[1, 5])) == [1, 5]
    assert gaps_of(entry(gaps=[1, 5], attempts=5)) == [1, 5, 5, 5]
    assert gaps_of(entry(gaps=[1, 5], attempts=2)) == [1]
    assert gaps_of(entry(attempts=1)) == []


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_has_a_name(name: str) -> None:
    assert gaps_of(entry(schedule=name)) == list(SCHEDULES[name])


def test_without_any_it_is_the_patient_one() -> None:
    assert gaps_of(entry()) == list(SCHEDULES["patient"])


def test_jitter_makes_a_gap_longer_by_up_to_its_share() -> None:
    assert gaps_of(entry(gaps=[100], jitter=0.5), chance=0.0) == [100]
    assert gaps_of(entry(gaps=[100], jitter=0.5), chance=1.0) == [150]


def test_what_the_target_asks_for_is_waited_for_where_it_is_longer() -> None:
    schedule = RetrySchedule(3, (60,))
    assert schedule.next_attempt_at(1, NOON, 600) == NOON + timedelta(seconds=600)
    assert schedule.next_attempt_at(1, NOON, 6) == NOON + timedelta(seconds=60)
    assert schedule.next_attempt_at(1, NOON, 1e12) == NOON + timedelta(seconds=MAX_GAP_SECONDS)
    assert schedule.next_attempt_at(3, NOON, 600) is None, "to ask for more time makes no more attempts"
