"""A wall clock that shows a time twice or never gives the earlier of the two instants that it may mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from soapsvc.contract.vendor_times import AMBIGUOUS, read_time


@pytest.mark.parametrize(
    ("text", "earlier"),
    [
        ("11/4/12 1:30:00 ET", datetime(2012, 11, 4, 5, 30, tzinfo=UTC)),
        ("3/11/12 2:30:00 ET", datetime(2012, 3, 11, 6, 30, tzinfo=UTC)),
    ],
    ids=["twice", "never"],
)
def test_the_earlier_instant_is_taken(text: str, earlier: datetime) -> None:
    read = read_time(text)
    assert (read.at, read.trouble) == (earlier, AMBIGUOUS)


def test_a_year_of_more_digits_is_read_alike_with_and_without_a_fraction() -> None:
    assert read_time("02012-11-04T13:05:45Z") == read_time("02012-11-04T13:05:45.0Z")
