"""On PostgreSQL: the tables that grow are cut by time, so that a week is removed by dropping its partitions.

    pushes_p2026_11_23     ids of the week that begins on Monday, 23 November 2026
    pushes_rest            ids of no week that has been made: nothing is refused for want of a partition

A push's id begins with the time of its arrival, so ranges of ids are ranges of time, and a look-up by id goes to one
partition alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from soapsvc.inbox.push_id import first_id_of

PARTITIONED = {
    "pushes": "id", "contents": "push_id", "arrivals": "push_id", "deliveries": "push_id", "attempts": "push_id",
    "search_entries": "push_id",
}  # fmt: skip
WEEKS_AHEAD = 4  # made beforehand; a receiver looks each hour

_WEEK = timedelta(weeks=1)
_ADVISORY_LOCK = 0x736F6171  # one receiver at a time; database.py has the number before it


def make_partitions(connection: Connection, now: datetime) -> None:
    """The partitions of this week and of the next WEEKS_AHEAD are there. Within a transaction of the caller's; safe
    while other receivers do the same.

    A week whose ids lie in the rest already (a clock that was wrong, a receiver that was away) is left there.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
    made = set(connection.execute(text("SELECT relname FROM pg_class WHERE relkind = 'r'")).scalars())
    for table, column in PARTITIONED.items():
        for begins in _weeks(now):
            name = partition_name(table, begins)
            first, after = first_id_of(begins), first_id_of(begins + _WEEK)
            if name in made or _has_rows(connection, f"{table}_rest", column, first, after):
                continue
            connection.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ('{first}') TO ('{after}')"
                )
            )


def partition_name(table: str, begins: datetime) -> str:
    """Of the partition of the week that begins then."""
    return f"{table}_p{begins:%Y_%m_%d}"


def week_of(at: datetime) -> datetime:
    """The Monday, 0:00 UTC, that its week begins with."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def weeks_made(connection: Connection) -> list[tuple[datetime, datetime]]:
    """Beginning and end of each week that has a partition of its own in every table, oldest first."""
    made = set(connection.execute(text("SELECT relname FROM pg_class WHERE relkind = 'r'")).scalars())
    found = []
    for name in made:
        begins = _read_week(name) if name.startswith("pushes_p") else None
        if begins is not None and all(partition_name(table, begins) in made for table in PARTITIONED):
            found.append((begins, begins + _WEEK))
    return sorted(found)


def _read_week(partition: str) -> datetime | None:
    try:
        return datetime.strptime(partition, "pushes_p%Y_%m_%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _weeks(now: datetime) -> Iterator[datetime]:
    for ahead in range(WEEKS_AHEAD + 1):
        yield week_of(now) + ahead * _WEEK


def _has_rows(connection: Connection, table: str, column: str, first: str, after: str) -> bool:
    rows = text(f"SELECT 1 FROM {table} WHERE {column} >= :first AND {column} < :after LIMIT 1")  # noqa: S608
    return connection.execute(rows, {"first": first, "after": after}).first() is not None
