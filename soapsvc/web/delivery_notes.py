"""What explains how deliveries and retention stand, in the words of the settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from soapsvc.delivery_records import TargetFigures
from soapsvc.delivery_settings import Bounds, DeliverySettings, RetentionSettings
from soapsvc.inbox.json_forms import target_object

_UNKNOWN = "no longer in the settings"


@dataclass(frozen=True, slots=True)
class KnownTarget:
    """A target of the settings, or one that something was queued for once.

    note  why what waits for it waits; None: workers deliver to it
    """

    figures: TargetFigures
    in_settings: bool
    note: str | None


def known_targets(entries: Sequence[DeliverySettings], figures: Iterable[TargetFigures]) -> list[KnownTarget]:
    """Each of them, by name."""
    counted = {one.name: one for one in figures}
    of_settings = {one.name: one for one in entries}
    return [
        KnownTarget(
            counted.get(name) or TargetFigures(name, None, 0, 0, 0, 0, 0, None),
            name in of_settings,
            _note(of_settings.get(name), counted.get(name)),
        )
        for name in sorted({*counted, *of_settings})
    ]


def known_target_object(one: KnownTarget) -> dict[str, Any]:
    """As JSON."""
    return target_object(one.figures) | {"in_settings": one.in_settings, "note": one.note}


def retention_object(retention: RetentionSettings) -> dict[str, Any]:
    """As JSON: the bounds of each state, and all of them as a sentence."""
    return {
        "accepted": retention.accepted.model_dump(),
        "quarantined": retention.quarantined.model_dump(),
        "sentence": retention_sentence(retention),
    }


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


def _note(entry: DeliverySettings | None, figures: TargetFigures | None) -> str | None:
    said = [] if entry else [_UNKNOWN]
    if entry and entry.is_lease:
        said.append("consumers ask for it")
    if entry and entry.paused:
        said.append("paused in the settings")
    if figures and figures.paused_at is not None:
        said.append(f"paused since {figures.paused_at:%Y-%m-%d %H:%M:%S}Z")
    return "; ".join(said) or None


def _bounds(bounds: Bounds) -> str:
    said = [] if bounds.days is None else [f"{bounds.days:g} days"]
    said += [] if bounds.count is None else [f"the newest {bounds.count}"]
    said += [] if bounds.bytes is None else [f"{bounds.bytes} bytes"]
    return ", ".join(said)
