"""What explains how deliveries and retention stand, in the words of the settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from soapsvc.delivery_records import TargetFigures
from soapsvc.delivery_settings import Bounds, DeliverySettings, RetentionSettings

ASKED_FOR = "consumers ask for it"


def target_notes(entries: Sequence[DeliverySettings], figures: Iterable[TargetFigures]) -> dict[str, str]:
    """By name of the target: why what waits for it waits; nothing of one that workers deliver to."""
    notes = {one.name: ASKED_FOR for one in entries if one.is_lease}
    notes |= {one.name: "paused in the settings" for one in entries if one.paused}
    names = {one.name for one in entries}
    for one in figures:
        if one.name not in names:
            notes[one.name] = "no longer in the settings"
        elif one.paused_at is not None:
            notes[one.name] = f"paused since {one.paused_at:%Y-%m-%d %H:%M:%S}Z"
    return notes


def retention_sentence(retention: RetentionSettings) -> str:
    """What stays, of each state that has bounds."""
    said = [
        f"{name}: {_bounds(bounds)}"
        for name, bounds in (("accepted", retention.accepted), ("quarantined", retention.quarantined))
        if bounds.given
    ]
    if not said:
        return "Nothing is removed by age, number or bytes: there is no [retention]."
    return f"What stays: {'; '.join(said)}. What is held, or not delivered, stays in any case."


def _bounds(bounds: Bounds) -> str:
    said = [] if bounds.days is None else [f"{bounds.days:g} days"]
    said += [] if bounds.count is None else [f"the newest {bounds.count}"]
    said += [] if bounds.bytes is None else [f"{bounds.bytes} bytes"]
    return ", ".join(said)
