"""What was taken in from backups, so that what is unchanged is not read again: one row a thing, digests alone.

The row is written by the transaction that stores, counts or quarantines what it tells of. So after a kill either both
are there or neither, and of two intakes at one place one alone stores a thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from soapsvc.errors import AlreadyTakenIn
from soapsvc.inbox.tables import TAKEN_IN
from soapsvc.records import TakenIn

REFUSED = "refused"
"""Outcome of what not even quarantine could keep; the others are the states of a push."""
STATE = "state"
"""Outcome of an entry that tells of a place as a whole: while it is in that state there is nothing new in it."""
AT_ONCE = 500  # items named in one statement
_T = TAKEN_IN.c


def note(connection: Connection, taken: TakenIn, outcome: str, at: datetime) -> None:
    """Add the entry. Errors: AlreadyTakenIn, which undoes the savepoint that this runs in."""
    if not _add(connection, taken, outcome, at):
        raise AlreadyTakenIn("Another intake has taken this in meanwhile.")
    for item in taken.also:
        _add(connection, TakenIn(taken.source, item), outcome, at)


def outcomes(connection: Connection, source: str) -> dict[str, str]:
    """Each item of a place with its outcome."""
    rows = connection.execute(select(_T.item, _T.outcome).where(_T.source == source))
    return {row.item: row.outcome for row in rows}


def keep(connection: Connection, source: str, gone: Sequence[str], state: str | None, at: datetime) -> None:
    """Remove entries whose items are not there any more, and note the state in which all of a place was taken in."""
    for begin in range(0, len(gone), AT_ONCE):
        chosen = _T.item.in_(gone[begin : begin + AT_ONCE])
        connection.execute(delete(TAKEN_IN).where(_T.source == source, chosen))
    if state is not None:
        _add(connection, TakenIn(source, state), STATE, at)


def _add(connection: Connection, taken: TakenIn, outcome: str, at: datetime) -> bool:
    """Whether the entry is new."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {"source": taken.source, "item": taken.item, "taken_at": at, "outcome": str(outcome)}
    made = dialect.insert(TAKEN_IN).values(row).on_conflict_do_nothing().returning(_T.item)
    return connection.execute(made).first() is not None
