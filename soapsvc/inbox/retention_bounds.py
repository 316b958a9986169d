"""What retention may remove: pushes before a cut, one for each state, but for those that are held or not delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, exists, false, func, or_, select

from soapsvc.delivery_settings import Bounds, RetentionSettings
from soapsvc.inbox.outbox_tables import DELIVERIES, HOLDS
from soapsvc.inbox.partitions import week_of
from soapsvc.inbox.push_id import ID_CHARS, first_id_of
from soapsvc.inbox.tables import PUSHES
from soapsvc.records import PushState
from soapsvc.states import DEAD_LETTER

PAGE_ROWS = 5000
_AFTER_ALL = "z" * ID_CHARS
_P = PUSHES.c
Cuts = Mapping[PushState, str]
"""State to the id before which its pushes are due; a state without bounds is not in it."""

_NOT_THERE = or_(DELIVERIES.c.due_at.is_not(None), DELIVERIES.c.state == DEAD_LETTER.value)
PROTECTED = or_(exists().where(HOLDS.c.push_id == _P.id), exists().where(DELIVERIES.c.push_id == _P.id, _NOT_THERE))
"""Of a row of `pushes`: somebody holds it, or a delivery of it has not arrived, dead letters included."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is due of one state.

    pushes, bytes  that retention removes; bytes of request bodies
    kept           pushes that are due and held, or not delivered
    newest_at      aware UTC: arrival of the newest of both; None: nothing is due
    """

    state: PushState
    pushes: int
    bytes: int
    kept: int
    newest_at: datetime | None


def cuts(connection: Connection, settings: RetentionSettings, now: datetime) -> dict[PushState, str]:
    """The cut of each state that has bounds. On PostgreSQL it is moved back to the beginning of its week: there weeks
    are removed whole."""
    found = {}
    for state, bounds in ((PushState.ACCEPTED, settings.accepted), (PushState.QUARANTINED, settings.quarantined)):
        if bounds.given:
            cut = _cut(connection, state, bounds, now)
            if connection.dialect.name == "postgresql":
                cut = _back_to_a_week(connection, cut, now)
            found[state] = cut
    return found


def is_due(cuts_: Cuts) -> Any:
    """The condition on a row of `pushes`."""
    each = [and_(_P.state == state.value, _P.id < cut) for state, cut in cuts_.items()]
    return or_(*each) if each else false()


def due(connection: Connection, cuts_: Cuts) -> list[Due]:
    """What would be removed, by state."""
    told = []
    for state, cut in cuts_.items():
        which = and_(_P.state == state.value, _P.id < cut)
        sums = select(func.count(), func.coalesce(func.sum(_P.raw_bytes), 0)).where(which, ~PROTECTED)
        pushes, size = connection.execute(sums).one()
        kept = connection.execute(select(func.count()).where(which, PROTECTED)).scalar_one()
        last = connection.execute(select(func.max(_P.id)).where(which)).scalar()
        newest = connection.execute(select(_P.received_at).where(_P.id == last)).scalar() if last else None
        told.append(Due(state, pushes, int(size), kept, newest))
    return told


def _cut(connection: Connection, state: PushState, bounds: Bounds, now: datetime) -> str:
    by_age = "" if bounds.days is None else first_id_of(now - timedelta(days=bounds.days))
    if bounds.count is None and bounds.bytes is None:
        return by_age
    kept, size, last = 0, 0, _AFTER_ALL
    while True:  # newest first, until a bound is reached: pages, for a long read keeps the WAL from its checkpoint
        page = select(_P.id, _P.raw_bytes).where(_P.state == state.value, _P.id < last, _P.id >= by_age)
        rows = connection.execute(page.order_by(_P.id.desc()).limit(PAGE_ROWS)).all()
        for row in rows:
            kept, size = kept + 1, size + row.raw_bytes
            if (bounds.count is not None and kept > bounds.count) or (bounds.bytes is not None and size > bounds.bytes):
                return last
            last = row.id
        if len(rows) < PAGE_ROWS:
            return by_age


def _back_to_a_week(connection: Connection, cut: str, now: datetime) -> str:
    """cut  an id; what lies before it is due"""
    first = select(_P.received_at).where(_P.id >= cut).order_by(_P.id).limit(1)
    at = connection.execute(first).scalar() if cut else None
    if at is None:
        return first_id_of(week_of(now)) if cut else ""
    return min(cut, first_id_of(week_of(at)))
