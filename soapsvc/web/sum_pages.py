"""The overview, a target of deliveries, and the contract."""

from __future__ import annotations

from flask import Blueprint, render_template

from soapsvc.inbox.store import InboxStore
from soapsvc.rules import RULES
from soapsvc.settings import Settings
from soapsvc.web.actions import asked_target, said_outcome
from soapsvc.web.asked import asked_number
from soapsvc.web.charts import columns, lines
from soapsvc.web.contract_forms import contract_object
from soapsvc.web.delivery_notes import known_targets, retention_sentence
from soapsvc.web.desk import Desk
from soapsvc.web.learned_record import Learning
from soapsvc.web.overview_figures import MAX_DAYS, Slot, overview
from soapsvc.web.pages import size


def blueprint(store: InboxStore, desk: Desk, public_url: str, settings: Settings) -> Blueprint:
    """The pages on one store and one contract."""
    sums = Blueprint("sums", __name__)

    @sums.get("/overview")
    def figures() -> str:
        days = asked_number("days", MAX_DAYS) or 1
        one = overview(store, desk, days)
        pushes = columns(
            [(f"{_slot(slot, one.daily)}: {slot.accepted} accepted, {slot.quarantined} quarantined",
              (slot.accepted, slot.quarantined)) for slot in one.slots],
            f"Pushes per {'day' if one.daily else 'hour'}", ("good", "bad"),
        )  # fmt: skip
        sizes = columns(
            [(f"{_slot(slot, one.daily)}: {size(slot.raw_bytes)}", (slot.raw_bytes,)) for slot in one.slots],
            f"Bytes received per {'day' if one.daily else 'hour'}", ("plain",),
        )  # fmt: skip
        times = lines(
            [(name, [getattr(slot.times, name) for slot in one.slots]) for name in ("p99", "p95", "p50")],
            "Milliseconds to the acknowledgement: p50, p95 and p99",
        )
        return render_template(
            "overview.html", one=one, days=days, pushes=pushes, sizes=sizes, times=times, rules=RULES,
            kept=desk.exchanges is not None, slot=_slot,
            targets=known_targets(settings.delivery, one.stats.targets),
            stays=retention_sentence(settings.retention),
        )  # fmt: skip

    @sums.get("/targets/<name>")
    def target(name: str) -> str:
        return render_template("target.html", target=asked_target(store, settings.delivery, name), said=said_outcome())

    @sums.get("/contract")
    def contract() -> str:
        files = contract_object(desk.contract)["files"] if desk.contract else []
        learning = desk.learner.look() if desk.learner else None
        return render_template("contract.html", contract=desk.contract, files=files, public_url=public_url,
                               learning=learning, outcomes=_outcomes(learning))  # fmt: skip

    @sums.get("/contract/learned")
    def learned() -> str:
        learning = desk.learner.look() if desk.learner else None
        newest = next((row.id for row in store.rows(limit=1)), None)
        return render_template("learned.html", contract=desk.contract, learning=learning, newest=newest, rules=RULES,
                               outcomes=_outcomes(learning))  # fmt: skip

    return sums


def _outcomes(learning: Learning | None) -> dict[str, int]:
    """How many constructs have each outcome, what wants to be looked at first; none where nothing is known."""
    found = [one["outcome"] for one in learning.told["constructs"]] if learning and learning.told else []
    return {outcome: found.count(outcome) for outcome in ("contradicted", "confirmed", "untouched") if found}


def _slot(slot: Slot, daily: bool) -> str:
    return f"{slot.began_at:%Y-%m-%d}" if daily else f"{slot.began_at:%m-%d %H:00}Z"
