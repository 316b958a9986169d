"""Pull by lease: consumers that rather ask than be handed to. A lease is a claim like a worker's, held by a consumer.

POST /api/v1/pushes/next?hold=900&consumer=NAME   the oldest push not confirmed, hidden for that long; or 204
POST /api/v1/pushes/ID/confirm?lease=TOKEN&consumer=NAME   it never comes again; 409 when the lease is lost
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from flask import Blueprint, Response, abort, jsonify, request

from soapsvc.delivery_settings import DeliverySettings
from soapsvc.inbox.json_forms import stored_object, time_text
from soapsvc.inbox.store import InboxStore
from soapsvc.web.api_schemas import TEXT, ref
from soapsvc.web.described import Parameter, described

HOLD_SECONDS = 900
MAX_HOLD_SECONDS = 86400
_CONSUMER = Parameter("consumer", TEXT, "name of a [[delivery]] that is a lease, where there are several")
_LEASE = Parameter("lease", TEXT, "the token that `next` gave")
WHO = "a consumer"  # in what is told of a lease that ended by itself


def blueprint(store: InboxStore, entries: Sequence[DeliverySettings]) -> Blueprint:
    """The routes on one store.

    entries  of the settings; those with the target lease: are asked for here, each for one consumer
    Errors   StoreUnavailable
    """
    api = Blueprint("leases", __name__, url_prefix="/api/v1")
    consumers = {entry.name: entry for entry in entries if entry.is_lease}
    if consumers:
        store.outbox.register(list(consumers))

    @api.post("/pushes/next")
    @described("The oldest push that is not confirmed, hidden from others for a while.", ref("Lease"),
               Parameter("hold", {"type": "integer", "minimum": 1, "maximum": MAX_HOLD_SECONDS},
                         f"seconds; {HOLD_SECONDS} by itself"),
               _CONSUMER, errors=(400, 403, 404), empty="There is none just now.", body=False)  # fmt: skip
    def next_push() -> Response:
        """hold: seconds, 1 to 86400; consumer: name of a [[delivery]] that is a lease, where there are several."""
        entry = _consumer(consumers)
        seconds = _asked_hold()
        token = secrets.token_hex(16)
        claim = None
        if not entry.paused:
            claim = store.outbox.claim(entry.name, ordered=entry.ordered, token=f"{WHO}:{token}", seconds=seconds)
        if claim is None:
            return Response(status=204)
        push = stored_object(store.stored(claim.push_id))
        return jsonify(lease=token, held_until=time_text(claim.until), attempt=claim.attempt, push=push)

    @api.post("/pushes/<push_id>/confirm")
    @described("A push that was leased never comes again.", None, _LEASE, _CONSUMER, media=(),
               errors=(400, 403, 404, 409), empty="It is confirmed.", body=False)  # fmt: skip
    def confirm(push_id: str) -> Response:
        """lease: the token that `next` gave; consumer: as there."""
        entry = _consumer(consumers)
        token = request.args.get("lease", "")
        if not store.outbox.confirm(push_id, entry.name, f"{WHO}:{token}"):
            abort(409, f"Push {push_id} is not leased under this token: its time was over and somebody else has it, or "
                       "it is confirmed already.")  # fmt: skip
        return Response(status=204)

    return api


def _consumer(consumers: dict[str, DeliverySettings]) -> DeliverySettings:
    name = request.args.get("consumer")
    there = ", ".join(sorted(consumers))
    if not consumers:
        abort(404, 'Nothing is queued for consumers: put a [[delivery]] with target = "lease:" into the settings.')
    if name is None and len(consumers) > 1:
        abort(400, f"consumer is missing; wanted: one of {there}")
    if name is not None and name not in consumers:
        abort(404, f"consumer is {name!r}; wanted: one of {there}")
    return consumers[name] if name is not None else next(iter(consumers.values()))


def _asked_hold() -> int:
    text = request.args.get("hold", str(HOLD_SECONDS))
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_HOLD_SECONDS)) else 0
    if not 1 <= number <= MAX_HOLD_SECONDS:
        abort(400, f"hold is {text!r}; wanted: seconds, from 1 to {MAX_HOLD_SECONDS}")
    return number
