"""The two ways in which the vendor writes a time, as aware UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

_XS_DATE_TIME = re.compile(
    r"(?P<year>-?[0-9]{4,})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})T"
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?"
    r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?"
)  # XML Schema part 2, 3.2.7
_VENDOR_TIME = re.compile(
    r"(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})/(?P<year>[0-9]{2}|[0-9]{4})\s+"
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\s+(?P<zone>[A-Za-z]+))?"
)  # M/D/YY hh:mm:ss zzz, for instance 11/4/12 8:05:45 ET [S1]

_WALL_CLOCKS = {
    "ET": "America/New_York",
    "CT": "America/Chicago",
    "MT": "America/Denver",
    "PT": "America/Los_Angeles",
}
_OFFSET_HOURS = {
    "GMT": 0, "UTC": 0, "Z": 0,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
FIRST_YEAR_OF_TWO_DIGITS = 1969  # 69 to 99 are of the last century, as POSIX strptime has it

NO_ZONE = "no zone"
NOT_A_TIME = "not a time"
AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class ReadTime:
    """What a text says about an instant.

    at       aware, UTC, to the microsecond; None: the text does not tell an instant
    trouble  None, or NO_ZONE (a wall clock somewhere: not UTC), NOT_A_TIME, or AMBIGUOUS: the wall clock showed this
             time twice or never, at a change to or from daylight saving. `at` is then the earlier of the two instants
             that it may mean: a report is rather an hour early than later than what it tells of.
    """

    at: datetime | None
    trouble: str | None = None


def read_time(text: str) -> ReadTime:
    """Read xs:dateTime, or the vendor's M/D/YY h:mm:ss with a zone name; surrounding white space is left out."""
    text = text.strip(" \t\r\n")
    found = _XS_DATE_TIME.fullmatch(text)
    try:
        if found and found["zone"] == "Z" and not found["fraction"] and found["hour"] != "24" and len(text) == 20:
            return ReadTime(datetime.fromisoformat(text))  # nearly every one
        if found:
            return _zoned(_wall_time(found, int(found["year"])), found["zone"])
        found = _VENDOR_TIME.fullmatch(text)
        if found:
            return _zoned(_wall_time(found, _year(found["year"])), (found["zone"] or "").upper() or None)
    except (ValueError, OverflowError):  # a 13th month, a 61st second, a year that datetime does not have
        pass
    return ReadTime(None, NOT_A_TIME)


def _wall_time(found: re.Match[str], year: int) -> datetime:
    parts = found.groupdict()
    hour, minute, second = (int(parts[name]) for name in ("hour", "minute", "second"))
    microsecond = int((parts.get("fraction") or "0")[:6].ljust(6, "0"))
    next_day = hour == 24 and minute == second == microsecond == 0  # the end of a day, written 24:00:00
    day = datetime(year, int(parts["month"]), int(parts["day"]), 0 if next_day else hour, minute, second, microsecond)
    return day + timedelta(days=1) if next_day else day


def _zoned(wall: datetime, zone: str | None) -> ReadTime:
    if zone is None:
        return ReadTime(None, NO_ZONE)
    if zone in _WALL_CLOCKS:
        clock = _wall_clock(zone)
        early, late = wall.replace(tzinfo=clock, fold=0), wall.replace(tzinfo=clock, fold=1)
        trouble = AMBIGUOUS if early.utcoffset() != late.utcoffset() else None
        return ReadTime(min(early.astimezone(UTC), late.astimezone(UTC)), trouble)
    return ReadTime(wall.replace(tzinfo=_fixed(zone)).astimezone(UTC))


def _fixed(zone: str) -> tzinfo:
    if zone in _OFFSET_HOURS:
        return timezone(timedelta(hours=_OFFSET_HOURS[zone]))
    hours, _, minutes = zone[1:].partition(":")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if int(minutes) > 59 or offset > timedelta(hours=14):
        raise ValueError(zone)
    return timezone(-offset if zone[0] == "-" else offset)


def _year(digits: str) -> int:
    if len(digits) == 4:
        return int(digits)
    century = FIRST_YEAR_OF_TWO_DIGITS - FIRST_YEAR_OF_TWO_DIGITS % 100
    year = century + int(digits)
    return year if year >= FIRST_YEAR_OF_TWO_DIGITS else year + 100


@cache
def _wall_clock(zone: str) -> ZoneInfo:
    return ZoneInfo(_WALL_CLOCKS[zone])
