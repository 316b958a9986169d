"""Sums over the last days: what came, how fast it was answered, what was wrong, who fell silent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from soapsvc.errors import StoreUnavailable
from soapsvc.inbox.json_forms import stats_object, time_text
from soapsvc.inbox.search_index import Hour, Sender
from soapsvc.inbox.store import InboxStore
from soapsvc.records import InboxStats
from soapsvc.web.desk import Desk
from soapsvc.web.listing import NO_INDEX

MAX_DAYS = 90
_ACKNOWLEDGED = frozenset({"accepted", "redelivery", "conflict"})


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds from the last byte of a push to its answer; None: none was kept. pushes: how many were measured."""

    pushes: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """One column of a chart: an hour, or a day.

    redeliveries  0 where exchanges are not kept
    """

    began_at: datetime
    accepted: int
    quarantined: int
    raw_bytes: int
    document_bytes: int
    redeliveries: int
    times: Percentiles

    @property
    def pushes(self) -> int:
        return self.accepted + self.quarantined


@dataclass(frozen=True, slots=True)
class Overview:
    """since, now: aware UTC; daily: a slot is a day, else an hour."""

    since: datetime
    now: datetime
    daily: bool
    slots: tuple[Slot, ...]
    hours: tuple[Hour, ...]
    times: Percentiles
    rules: tuple[tuple[str, int], ...]
    senders: tuple[Sender, ...]
    stats: InboxStats


def overview(store: InboxStore, desk: Desk, days: int) -> Overview:
    """The last days until now. Errors: StoreUnavailable: there is no index."""
    if desk.index is None:
        raise StoreUnavailable(NO_INDEX)
    now = desk.clock()
    daily = days > 3
    step = timedelta(days=1) if daily else timedelta(hours=1)
    last = now.replace(minute=0, second=0, microsecond=0)
    last = last.replace(hour=0) if daily else last
    count = days if daily else days * 24
    since = last - step * (count - 1)
    hours = desk.index.hours(since)
    answered = desk.exchanges.milliseconds(since) if desk.exchanges else []
    slots = []
    for i in range(count):
        began, until = since + step * i, since + step * (i + 1)
        within = [hour for hour in hours if began <= hour.began_at < until]
        told = [(taken, outcome) for at, taken, outcome in answered if began <= at < until]
        slots.append(
            Slot(
                began,
                sum(hour.accepted for hour in within),
                sum(hour.quarantined for hour in within),
                sum(hour.raw_bytes for hour in within),
                sum(hour.document_bytes for hour in within),
                sum(outcome == "redelivery" for _, outcome in told),
                percentiles([taken for taken, outcome in told if outcome in _ACKNOWLEDGED]),
            )
        )
    times = percentiles([taken for _, taken, outcome in answered if outcome in _ACKNOWLEDGED])
    return Overview(
        since, now, daily, tuple(slots), tuple(hours), times, tuple(desk.index.rules(since)),
        tuple(desk.index.senders()), store.stats(),
    )  # fmt: skip


def percentiles(milliseconds: list[float]) -> Percentiles:
    """By the nearest rank."""
    if not milliseconds:
        return Percentiles(0)
    ordered = sorted(milliseconds)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.50, 0.95, 0.99)]
    return Percentiles(len(ordered), *(round(one, 3) for one in at))


def overview_object(one: Overview) -> dict[str, Any]:
    """As JSON."""
    return {
        "since": time_text(one.since),
        "hours": [
            {"began_at": time_text(hour.began_at), "accepted": hour.accepted, "quarantined": hour.quarantined,
             "documents": hour.documents, "document_bytes": hour.document_bytes, "raw_bytes": hour.raw_bytes}
            for hour in one.hours
        ],
        "slot_hours": 24 if one.daily else 1,
        "slots": [
            {"began_at": time_text(slot.began_at), "accepted": slot.accepted, "quarantined": slot.quarantined,
             "raw_bytes": slot.raw_bytes, "document_bytes": slot.document_bytes, "redeliveries": slot.redeliveries,
             "acknowledgement": _times_object(slot.times)}
            for slot in one.slots
        ],
        "acknowledgement": _times_object(one.times),
        "deviations": [{"rule": rule, "pushes": pushes} for rule, pushes in one.rules],
        "senders": [
            {"source": sender.source, "pushes": sender.pushes, "first_at": time_text(sender.first_at),
             "last_at": time_text(sender.last_at),
             "silent_seconds": round((one.now - sender.last_at).total_seconds(), 3)}
            for sender in one.senders
        ],
        "stats": stats_object(one.stats),
    }  # fmt: skip


def _times_object(times: Percentiles) -> dict[str, Any]:
    return {"pushes": times.pushes, "p50_ms": times.p50, "p95_ms": times.p95, "p99_ms": times.p99}
