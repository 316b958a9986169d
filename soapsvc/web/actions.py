"""What an operator does, each action once: for programs below /api/v1, and for the forms of the pages.

POST /api/v1/PATH   the address says what is wanted, {} as JSON: answered with what came of it
POST /PATH          a form with its token: leads to the page that shows it, which says what was done
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, jsonify, redirect, request, url_for

from soapsvc.delivery_settings import DeliverySettings, entry_named
from soapsvc.errors import NoSuchPush, NoSuchTarget, StoreUnavailable
from soapsvc.inbox.json_forms import stored_object
from soapsvc.inbox.push_id import is_push_id
from soapsvc.inbox.store import InboxStore
from soapsvc.web.api_schemas import TEXT, ref
from soapsvc.web.asked import MAX_CHARS, asked_number, asked_reason, given
from soapsvc.web.delivery_notes import KnownTarget, known_target_object, known_targets
from soapsvc.web.described import PREFIX, Parameter, described
from soapsvc.web.desk import Desk, asked_learner
from soapsvc.web.learned_record import learning_object

Object = dict[str, Any]
_TARGET = Parameter("target", TEXT, "to that one alone: even if it has arrived there, or was never queued for it")
_REASON = Parameter("reason", {"type": "string", "maxLength": MAX_CHARS}, "for whoever looks at it later")

_SAID = {  # outcome to what a page says of it, and whether that is well
    "accepted": ("Judged again: accepted.", True),
    "redelivery": ("Judged again: it is a redelivery of this push, and counted here.", True),
    "conflict": ("Judged again: accepted, in conflict with a push of the same job.", True),
    "refused": ("Judged again: it is still refused, for what the verdict names.", False),
    "held": ("Held: retention leaves it alone until it is released.", True),
    "released": ("Released: retention may remove it.", True),
    "requeued": ("Requeued: {deliveries}, due now.", True),
    "nothing": ("Nothing was there to requeue: all has arrived, or is under way.", False),
    "paused": ("Paused: workers leave it alone, after what they have under way.", True),
    "resumed": ("Resumed: workers go on within a second, unless the settings pause it.", True),
    "cancelled": ("Given up: {deliveries}.", True),
}


@dataclass(frozen=True, slots=True)
class Action:
    """One of them.

    do         by the arguments of the path and what is asked for: the object that a program is answered
    answer     its schema
    leads_to   of that: the address of the page that shows it
    confirmed  it cannot be taken back: a form has a box to tick
    """

    name: str
    path: str
    summary: str
    answer: str
    do: Callable[..., Object]
    leads_to: Callable[[Object], str]
    parameters: tuple[Parameter, ...] = ()
    errors: tuple[int, ...] = ()
    confirmed: bool = False


def actions(store: InboxStore, desk: Desk, entries: Sequence[DeliverySettings]) -> tuple[Action, ...]:
    """All that there are, on one store. Errors: StoreUnavailable, NoSuchPush, NoSuchTarget, MoveNotListed."""

    def reprocess(push_id: str) -> Object:
        if desk.judge_again is None:
            raise StoreUnavailable("This page cannot judge: it was started without a contract.")
        done = desk.judge_again(_push_id(push_id))
        return {"id": done.push_id, "outcome": done.outcome, "of": done.of, "refused_for": list(done.refused_for)}

    def hold(push_id: str) -> Object:
        store.retention.hold(_push_id(push_id), asked_reason())
        return stored_object(store.stored(push_id))

    def release(push_id: str) -> Object:
        store.retention.release(_push_id(push_id))
        return stored_object(store.stored(push_id))

    def requeue(push_id: str) -> Object:
        target = given("target")
        if target is not None:
            entry_named(entries, target)
        return {"id": push_id, "targets": store.outbox.requeue(_push_id(push_id), target)}

    def pause(name: str) -> Object:
        store.outbox.pause(entry_named(entries, name).name)
        return known_target_object(asked_target(store, entries, name))

    def resume(name: str) -> Object:
        store.outbox.resume(entry_named(entries, name).name)
        return known_target_object(asked_target(store, entries, name))

    def requeue_dead(name: str) -> Object:
        return {"name": name, "deliveries": store.outbox.requeue_dead(entry_named(entries, name).name)}

    def cancel(name: str) -> Object:
        return {"name": name, "deliveries": store.outbox.cancel(asked_target(store, entries, name).figures.name)}

    return (
        Action(
            "reprocess", "/pushes/<push_id>/reprocess", "Judge a push in quarantine by today's settings.",
            "JudgedAgain", reprocess,
            lambda done: _push_page(done["of"] if done["outcome"] == "redelivery" else done["id"], done["outcome"]),
            errors=(404,),
        ),
        Action(
            "hold", "/pushes/<push_id>/hold", "Keep an accepted push until it is released: retention leaves it alone.",
            "StoredPush", hold, lambda done: _push_page(done["id"], "held"), (_REASON,), (404,),
        ),
        Action(
            "release", "/pushes/<push_id>/release", "Retention may remove a push again.",
            "StoredPush", release, lambda done: _push_page(done["id"], "released"), errors=(404,),
        ),
        Action(
            "requeue", "/pushes/<push_id>/requeue",
            "Put back what has not arrived of a push: due at once, with all its attempts before it.",
            "Requeued", requeue,
            lambda done: _push_page(done["id"], *_requeued(len(done["targets"]))),
            (_TARGET,), (404, 409), confirmed=True,
        ),
        Action(
            "pause", "/targets/<name>/pause",
            "Every worker leaves a target alone, after what it has under way; what comes in is queued meanwhile.",
            "KnownTarget", pause, lambda done: _target_page(done["name"], "paused"), errors=(404,),
        ),
        Action(
            "resume", "/targets/<name>/resume", "Deliver to a target again.",
            "KnownTarget", resume, lambda done: _target_page(done["name"], "resumed"), errors=(404,),
        ),
        Action(
            "requeue_dead", "/targets/<name>/requeue", "Put back every dead letter of a target.",
            "OfTarget", requeue_dead, lambda done: _target_page(done["name"], *_requeued(done["deliveries"])),
            errors=(404,), confirmed=True,
        ),
        Action(
            "cancel", "/targets/<name>/cancel", "Give up all that waits for a target, dead letters included.",
            "OfTarget", cancel, lambda done: _target_page(done["name"], "cancelled", done["deliveries"]),
            errors=(404,), confirmed=True,
        ),
        Action(
            "learn", "/contract/learned",
            "Hold the newest pushes against the WSDL in force, where some came since that was done last; the answer "
            "does not wait for it.",
            "Learning", lambda: learning_object(asked_learner(desk).ask()), lambda _: url_for("sums.learned"),
            errors=(404,),
        ),
    )  # fmt: skip


def for_programs(all_of_them: Sequence[Action]) -> Blueprint:
    """The routes below /api/v1."""
    api = Blueprint("api_actions", __name__, url_prefix=PREFIX)

    def answering(one: Action) -> Callable[..., Response]:
        @described(one.summary, ref(one.answer), *one.parameters, errors=(400, 403, 415, *one.errors))
        def answer(**where: str) -> Response:
            _hold_empty_object()
            return jsonify(one.do(**where))

        return answer

    for one in all_of_them:
        api.add_url_rule(one.path, one.name, answering(one), methods=["POST"])
    return api


def for_pages(all_of_them: Sequence[Action]) -> Blueprint:
    """The routes that the forms of the pages lead to."""
    pages = Blueprint("actions", __name__)

    def leading(one: Action) -> Callable[..., Response]:
        def lead(**where: str) -> Response:
            if one.confirmed and request.form.get("confirmed") != "yes":
                abort(400, "Nothing was done: it cannot be taken back, so the form has a box to tick before.")
            return redirect(one.leads_to(one.do(**where)), 303)  # type: ignore[return-value]

        return lead

    for one in all_of_them:
        pages.add_url_rule(one.path, one.name, leading(one), methods=["POST"])
    return pages


def said_outcome() -> tuple[str, bool] | None:
    """What the page that an action led to says of it, and whether that is well; None: none led here."""
    found = _SAID.get(request.args.get("outcome", ""))
    if found is None:
        return None
    many = asked_number("deliveries") or 0
    return found[0].format(deliveries=f"{many} deliver{'y' if many == 1 else 'ies'}"), found[1]


def asked_target(store: InboxStore, entries: Sequence[DeliverySettings], name: str) -> KnownTarget:
    """The target of that name, of the settings or of former ones. Errors: NoSuchTarget, StoreUnavailable."""
    for one in known_targets(entries, store.outbox.figures()):
        if one.figures.name == name:
            return one
    raise NoSuchTarget(name, [one.name for one in entries])


def _push_id(text: str) -> str:
    if not is_push_id(text):
        raise NoSuchPush(f"No push with the id {text} is stored.")
    return text


def _requeued(deliveries: int) -> tuple[str, int]:
    return ("requeued", deliveries) if deliveries else ("nothing", 0)


def _push_page(push_id: str, outcome: str, deliveries: int = 0) -> str:
    return url_for("pages.push", push_id=push_id, outcome=outcome, deliveries=deliveries or None)


def _target_page(name: str, outcome: str, deliveries: int = 0) -> str:
    return url_for("sums.target", name=name, outcome=outcome, deliveries=deliveries or None)


def _hold_empty_object() -> None:
    """415, 400 for anything but {} as JSON."""
    if not request.is_json:
        abort(415, "Send Content-Type: application/json, and {} as the body.")
    if request.get_json(silent=True) != {}:
        abort(400, "The body is to be the JSON object {}: the address says what is wanted.")
