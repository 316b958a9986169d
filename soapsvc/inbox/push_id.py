"""The id of a stored push: sorts by time of arrival, unique without asking anybody."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta

TIME_CHARS = 11  # 55 bits of microseconds since 1970: until the year 3111
RANDOM_CHARS = 9  # 45 bits: two pushes of one microsecond on any two machines still differ
ID_CHARS = TIME_CHARS + RANDOM_CHARS

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # in the order of its bytes; i, l, o, u left out for readers
ID_PATTERN = f"[{_ALPHABET}]{{{ID_CHARS}}}"
_SHAPE, _PART = re.compile(ID_PATTERN), re.compile(f"[{_ALPHABET}]{{1,{ID_CHARS}}}")
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]  # of ten bits
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def new_push_id(received_at: datetime) -> str:
    """20 characters: the microsecond of arrival, then chance."""
    return _digits((received_at - _EPOCH) // _MICROSECOND, TIME_CHARS) + _digits(
        secrets.randbits(5 * RANDOM_CHARS), RANDOM_CHARS
    )


def first_id_of(at: datetime) -> str:
    """The smallest id that a push of that microsecond can have."""
    return _digits((at - _EPOCH) // _MICROSECOND, TIME_CHARS) + _ALPHABET[0] * RANDOM_CHARS


def moment_of_id(push_id: str) -> datetime:
    """When a push with that id arrived; aware UTC."""
    return _EPOCH + (number_of(push_id) >> 5) * _MICROSECOND


def number_of(push_id: str) -> int:
    """The first 12 characters as a number of 60 bits: it grows with the time of arrival, by 32 a microsecond."""
    number = 0
    for character in push_id[: TIME_CHARS + 1]:
        number = number << 5 | _ALPHABET.index(character)
    return number


def is_push_id(text: str) -> bool:
    """Whether it has the shape of an id (the command line and the API ask before they ask the store)."""
    return _SHAPE.fullmatch(text) is not None


def may_be_part(text: str) -> bool:
    """Whether an id may begin or end so."""
    return _PART.fullmatch(text) is not None


def _digits(number: int, length: int) -> str:
    pairs = []
    for _ in range(0, length, 2):
        pairs.append(_PAIRS[number & 1023])
        number >>= 10
    return "".join(reversed(pairs))[-length:]
