"""/api/v1: everything that the pages show, as JSON, and the bytes of documents and messages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from io import BytesIO

from flask import Blueprint, Response, abort, current_app, jsonify, request

from soapsvc.errors import NoSuchPush, StoreUnavailable
from soapsvc.inbox.exchange import Exchange
from soapsvc.inbox.json_forms import row_object, stats_object, stored_object
from soapsvc.inbox.store import InboxStore
from soapsvc.preview.page_images import NoPageImage
from soapsvc.records import InboxDocument
from soapsvc.rules import RULES
from soapsvc.settings import Settings
from soapsvc.web import api_schemas as shapes
from soapsvc.web.actions import asked_target
from soapsvc.web.asked import (
    MAX_COLUMN,
    MAX_OFFSET,
    VIEWS,
    asked_column,
    asked_limit,
    asked_list,
    asked_number,
    asked_view,
    asked_wanted,
)
from soapsvc.web.contract_forms import contract_object
from soapsvc.web.delivery_notes import known_target_object, known_targets, retention_object
from soapsvc.web.described import PREFIX, Parameter, described, openapi
from soapsvc.web.desk import Desk, asked_contract, asked_exchange, asked_learner, asked_log
from soapsvc.web.downloads import SANDBOX, attachment, download
from soapsvc.web.envelope_views import envelope_view_object, of_exchange, of_push
from soapsvc.web.learned_record import learning_object
from soapsvc.web.listing import NO_INDEX, listing
from soapsvc.web.live import event
from soapsvc.web.overview_figures import MAX_DAYS, overview, overview_object
from soapsvc.web.previews import Previews, preview_object
from soapsvc.web.wire_bodies import WireBodies
from soapsvc.web.wire_forms import exchange_object, har, stored_exchange_object

_LIMIT = Parameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "rows in one answer; 50 unless told")
_SOURCE = Parameter("source", shapes.TEXT, "address or CIDR range")
_SINCE = Parameter("since", shapes.TEXT, "day or moment by ISO 8601, UTC without a zone; that or later")
_UNTIL = Parameter("until", shapes.TEXT, "before that day or moment")
_PUSHES = (
    _LIMIT,
    Parameter("before", shapes.PUSH_ID, "id of the last push of the page before, as `next` gives it"),
    Parameter(
        "q", {"type": "string", "maxLength": 500}, 'words in properties, file names, texts; "in quotes": a phrase'
    ),
    Parameter("state", shapes.STATE, "that state alone"),
    Parameter("kind", shapes.KIND, "that kind alone"),
    Parameter("source", shapes.TEXT, "address or CIDR range, or the place of a backup as it stands in source_ip"),
    Parameter("account", {"type": "string", "maxLength": 500}, "the property UserAccountNumber"),
    _SINCE,
    _UNTIL,
    Parameter("deviating", {"type": "string", "enum": ["yes", "no"]}, "with deviations alone, or without alone"),
    Parameter("rule", {"type": "string", "enum": list(RULES)}, "id of a rule that it deviates from"),
)
_EXCHANGES = (
    _LIMIT,
    _SOURCE,
    Parameter("outcome", shapes.OUTCOME, "that outcome alone"),
    Parameter("push", shapes.PUSH_ID, "those that became this push"),
    _SINCE,
    _UNTIL,
)
_BEFORE = Parameter("before", {"type": "integer", "minimum": 1, "maximum": 2**62}, "as `next` gives it")
_SORT = Parameter(
    "sort", {"type": "integer", "minimum": -MAX_COLUMN, "maximum": MAX_COLUMN},
    "of a table: the column, from 1, that it is sorted by; negative: descending; 0: as it was sent",
)  # fmt: skip
_VIEW = (
    Parameter("view", {"type": "string", "enum": list(VIEWS)},
              "its lines, indented, or bytes; raw of a push and pretty of an exchange unless told"),
    Parameter("offset", {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET},
              "of hex: the first byte, as `previous` and `next` give it"),
)  # fmt: skip
_FROM = Parameter("from", {"type": "integer", "minimum": 1, "maximum": 2**62}, "first number of a range")
_TO = Parameter("to", {"type": "integer", "minimum": 1, "maximum": 2**62}, "last number of it")


def blueprint(
    store: InboxStore, desk: Desk, previews: Previews, bodies: WireBodies, public_url: str, settings: Settings
) -> Blueprint:
    """The routes below /api/v1 that look, on one store; those that change are in actions.py and lease_api.py."""
    api = Blueprint("api", __name__, url_prefix=PREFIX)

    @api.get("/pushes")
    @described("Pushes, newest first.", shapes.ref("PushList"), *_PUSHES, errors=(400,))
    def pushes() -> Response:
        found = listing(store, desk.index, asked_list())
        return jsonify(pushes=[row_object(row) for row in found.rows], next=found.older)

    @api.get("/pushes/<push_id>")
    @described("One push in full.", shapes.ref("StoredPush"), errors=(404,))
    def push(push_id: str) -> Response:
        return jsonify(stored_object(store.stored(push_id)))

    @api.get("/pushes/<push_id>/documents/<n>")
    @described("The bytes of a document.", media=("application/octet-stream",), errors=(404,), etag=True)
    def document(push_id: str, n: str) -> Response:
        found = asked_document(push_id, n)
        stream = store.open_document(push_id, found.n)
        return download(stream, found.filename or f"{push_id}-{n}", found.sha256, found.size_bytes)

    @api.get("/pushes/<push_id>/documents/<n>/preview")
    @described("What can be seen of a document: a table, text, or how many pages there are as images.",
               shapes.ref("Preview"), _SORT, errors=(400, 404))  # fmt: skip
    def preview(push_id: str, n: str) -> Response:
        column = asked_column()
        return jsonify(preview_object(previews.of(push_id, asked_document(push_id, n), column)))

    @api.get("/pushes/<push_id>/documents/<n>/pages/<page>")
    @described("A page of a PDF or TIFF document as an image.", media=("image/png",), errors=(404,), etag=True)
    def page_image(push_id: str, n: str, page: str) -> Response:
        found = asked_document(push_id, n)
        if not (page.isascii() and page.isdigit() and len(page) < 6):
            raise NoSuchPush(f"Push {push_id} has no document {n} with a page {page}.")
        tag = f"{found.sha256}-{page}"
        if request.if_none_match.contains(tag):
            return Response(status=304, headers={"ETag": f'"{tag}"'})
        try:
            with store.open_document(push_id, found.n) as stream:
                image = previews.images.image(stream, found.sha256, found.detected_type or "", int(page))
        except NoPageImage as no_image:
            abort(404, str(no_image))
        headers = {"ETag": f'"{tag}"', "Content-Security-Policy": SANDBOX, "Cache-Control": "private, max-age=3600"}
        return Response(image.png, headers=headers, mimetype="image/png")

    @api.get("/pushes/<push_id>/raw")
    @described("Every byte of the request's body.", media=("application/octet-stream",), errors=(404,), etag=True)
    def raw(push_id: str) -> Response:
        stored = store.stored(push_id)
        return download(store.open_raw(push_id), f"{push_id}.xml", stored.raw_sha256, stored.row.raw_bytes)

    @api.get("/pushes/<push_id>/raw/lines")
    @described("The envelope as its page shows it, what is a credential masked.", shapes.ref("EnvelopeView"), *_VIEW,
               errors=(400, 404))  # fmt: skip
    def raw_lines(push_id: str) -> Response:
        asked = asked_view("raw")
        return jsonify(envelope_view_object(of_push(store, store.stored(push_id), asked)))

    @api.get("/facets")
    @described("What the list can be narrowed to, most frequent first.", shapes.ref("Facets"))
    def facets() -> Response:
        if desk.index is None:
            raise StoreUnavailable(NO_INDEX)
        return jsonify(asdict(desk.index.facets()))

    @api.get("/rules")
    @described("The rules that a push is held against.", shapes.ref("RuleList"))
    def rules() -> Response:
        return jsonify(rules=[asdict(rule) for rule in RULES.values()])

    @api.get("/service")
    @described("Where pushes go, and what there is beside the inbox.", shapes.ref("Service"))
    def service() -> Response:
        return jsonify(
            push_url=public_url, wsdl_url=f"{public_url}?wsdl", searches=desk.index is not None,
            keeps_exchanges=desk.exchanges is not None, judges_again=desk.judge_again is not None,
        )  # fmt: skip

    @api.get("/retention")
    @described("What of the inbox stays.", shapes.ref("Retention"))
    def retention() -> Response:
        return jsonify(retention_object(settings.retention))

    @api.get("/targets")
    @described("Where pushes are handed on to, and how that stands.", shapes.ref("TargetList"))
    def targets() -> Response:
        found = known_targets(settings.delivery, store.outbox.figures())
        return jsonify(targets=[known_target_object(one) for one in found])

    @api.get("/targets/<name>")
    @described("One of them.", shapes.ref("KnownTarget"), errors=(404,))
    def target(name: str) -> Response:
        return jsonify(known_target_object(asked_target(store, settings.delivery, name)))

    @api.get("/stats")
    @described("What the inbox holds.", shapes.ref("Stats"))
    def stats() -> Response:
        return jsonify(stats_object(store.stats()))

    @api.get("/overview")
    @described("Sums over time.", shapes.ref("Overview"),
               Parameter("days", {"type": "integer", "minimum": 1, "maximum": MAX_DAYS}, "back from now; 7 by itself"),
               errors=(400,))  # fmt: skip
    def sums() -> Response:
        return jsonify(overview_object(overview(store, desk, asked_number("days", MAX_DAYS) or 7)))

    @api.get("/events")
    @described("What came since a push, as a server-sent event; then ask again.", shapes.ref("Event"),
               Parameter("seen", shapes.PUSH_ID, "id of the newest push that was seen"),
               media=("text/event-stream",), errors=(400,))  # fmt: skip
    def events() -> Response:
        return event(store, desk)

    @api.get("/exchanges")
    @described("HTTP exchanges, newest first.", shapes.ref("ExchangeList"), *_EXCHANGES, _BEFORE, errors=(400, 404))
    def exchanges() -> Response:
        limit = asked_limit()
        found = asked_log(desk).exchanges(asked_wanted(), before=asked_number("before"), limit=limit + 1)
        following = found[limit - 1].n if len(found) > limit else None
        return jsonify(exchanges=[exchange_object(one) for one in found[:limit]], next=following)

    @api.get("/exchanges.har")
    @described("Exchanges as HTTP Archive 1.2.", {"type": "object"}, *_EXCHANGES, _FROM, _TO, errors=(400, 404))
    def archive() -> Response:
        first, last = asked_number("from"), asked_number("to")
        before = None if last is None else last + 1
        found = asked_log(desk).exchanges(asked_wanted(), before=before, limit=asked_limit())
        return _har([one for one in found if first is None or one.n >= first], "exchanges.har")

    @api.get("/exchanges/<n>")
    @described("One exchange in full.", shapes.ref("StoredExchange"), errors=(404,))
    def exchange(n: str) -> Response:
        return jsonify(stored_exchange_object(asked_exchange(desk, n), public_url))

    @api.get("/exchanges/<n>/lines")
    @described("The body of its request as the page shows it, what is a credential masked.",
               shapes.ref("EnvelopeView"), *_VIEW, errors=(400, 404))  # fmt: skip
    def exchange_lines(n: str) -> Response:
        asked = asked_view("pretty")
        return jsonify(envelope_view_object(of_exchange(store, asked_exchange(desk, n), asked)))

    @api.get("/exchanges/<n>/har")
    @described("One exchange as HTTP Archive 1.2.", {"type": "object"}, errors=(404,))
    def one_archive(n: str) -> Response:
        return _har([asked_exchange(desk, n)], f"exchange-{n}.har")

    @api.get("/contract")
    @described("The WSDL in force.", shapes.ref("Contract"), errors=(404,))
    def contract() -> Response:
        return jsonify(contract_object(asked_contract(desk)))

    @api.get("/contract/files/<path:name>")
    @described("The WSDL, or a schema file beside it.", media=("application/octet-stream",), errors=(404,), etag=True)
    def contract_file(name: str) -> Response:
        contract = asked_contract(desk)
        raw = contract.files.get(name)
        if raw is None:
            abort(404, f"The contract in force has no file {name}.")
        digest = next(one["sha256"] for one in contract_object(contract)["files"] if one["name"] == name)
        return download(BytesIO(raw), name, digest, len(raw))

    @api.get("/contract/learned")
    @described("What the traffic says of the WSDL in force, as it was asked for last.", shapes.ref("Learning"),
               errors=(404,))  # fmt: skip
    def learned() -> Response:
        return jsonify(learning_object(asked_learner(desk).look()))

    @api.get("/contract/learned/proposal")
    @described("The WSDL that takes the traffic: that in force, edited as little as may be.",
               media=("application/octet-stream",), errors=(404,), etag=True)  # fmt: skip
    def proposal() -> Response:
        raw, contract = asked_learner(desk).look().proposal, asked_contract(desk)
        if raw is None:
            abort(404, "No WSDL is proposed: that in force takes the traffic, or nobody asked, or it is not done yet.")
        return download(BytesIO(raw), f"proposed-{contract.file_name}", hashlib.sha256(raw).hexdigest(), len(raw))

    @api.get("/openapi.json")
    @described("This description.", {"type": "object"})
    def description() -> Response:
        return jsonify(openapi(current_app))

    def asked_document(push_id: str, n: str) -> InboxDocument:
        found = {str(document.n): document for document in store.stored(push_id).row.documents}.get(n)
        if found is None:
            raise NoSuchPush(f"Push {push_id} has no document {n}.")
        return found

    def _har(found: Iterable[Exchange], name: str) -> Response:
        text = json.dumps(har(found, public_url, bodies.small))
        headers = {"Content-Disposition": attachment(name)}
        return Response(text, mimetype="application/json", headers=headers)

    return api
