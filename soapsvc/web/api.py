"""/api/v1: everything that the pages show and do, as JSON, and the bytes of documents and messages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from io import BytesIO

from flask import Blueprint, Response, abort, current_app, jsonify, request

from soapsvc.errors import NoSuchPush, StoreUnavailable
from soapsvc.inbox.exchange import Exchange
from soapsvc.inbox.exchange_log import ExchangeLog
from soapsvc.inbox.json_forms import row_object, stats_object, stored_object
from soapsvc.inbox.push_id import is_push_id
from soapsvc.inbox.store import InboxStore
from soapsvc.preview.page_images import NoPageImage
from soapsvc.rules import RULES
from soapsvc.web import api_schemas as shapes
from soapsvc.web.asked import asked_limit, asked_list, asked_number, asked_wanted
from soapsvc.web.contract_forms import contract_object
from soapsvc.web.described import Parameter, described, openapi
from soapsvc.web.desk import Desk, JudgedAgain
from soapsvc.web.downloads import SANDBOX, attachment, download
from soapsvc.web.learned_record import Learner, learning_object
from soapsvc.web.listing import listing
from soapsvc.web.live import event
from soapsvc.web.overview_figures import MAX_DAYS, overview, overview_object
from soapsvc.web.previews import Previews
from soapsvc.web.wire_bodies import WireBodies
from soapsvc.web.wire_forms import exchange_object, har, stored_exchange_object

NOT_KEPT = "No exchanges are kept: the setting exchanges_kept is 0."
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
_FROM = Parameter("from", {"type": "integer", "minimum": 1, "maximum": 2**62}, "first number of a range")
_TO = Parameter("to", {"type": "integer", "minimum": 1, "maximum": 2**62}, "last number of it")


def blueprint(store: InboxStore, desk: Desk, previews: Previews, bodies: WireBodies, public_url: str) -> Blueprint:
    """The routes below /api/v1 on one store."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")

    @api.get("/pushes")
    @described("Pushes, newest first.", shapes.ref("PushList"), *_PUSHES, errors=(400,))
    def pushes() -> Response:
        found = listing(store, desk.index, asked_list())
        return jsonify(pushes=[row_object(row) for row in found.rows], next=found.older)

    @api.get("/pushes/<push_id>")
    @described("One push in full.", shapes.ref("StoredPush"), errors=(404,))
    def push(push_id: str) -> Response:
        return jsonify(stored_object(store.stored(push_id)))

    @api.post("/pushes/<push_id>/reprocess")
    @described(
        "Judge a push in quarantine by today's settings.", shapes.ref("JudgedAgain"), errors=(400, 403, 404, 415)
    )
    def reprocess(push_id: str) -> Response:
        hold_empty_object()
        done = judge_again(desk, push_id)
        return jsonify(id=done.push_id, outcome=done.outcome, of=done.of, refused_for=list(done.refused_for))

    @api.get("/pushes/<push_id>/documents/<n>")
    @described("The bytes of a document.", media=("application/octet-stream",), errors=(404,), etag=True)
    def document(push_id: str, n: str) -> Response:
        found = {str(document.n): document for document in store.stored(push_id).row.documents}.get(n)
        if found is None:
            raise NoSuchPush(f"Push {push_id} has no document {n}.")
        stream = store.open_document(push_id, found.n)
        return download(stream, found.filename or f"{push_id}-{n}", found.sha256, found.size_bytes)

    @api.get("/pushes/<push_id>/documents/<n>/pages/<page>")
    @described("A page of a PDF or TIFF document as an image.", media=("image/png",), errors=(404,), etag=True)
    def page_image(push_id: str, n: str, page: str) -> Response:
        found = {str(document.n): document for document in store.stored(push_id).row.documents}.get(n)
        if found is None or not (page.isascii() and page.isdigit() and len(page) < 6):
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
        found = _log(desk).exchanges(asked_wanted(), before=asked_number("before"), limit=limit + 1)
        following = found[limit - 1].n if len(found) > limit else None
        return jsonify(exchanges=[exchange_object(one) for one in found[:limit]], next=following)

    @api.get("/exchanges.har")
    @described("Exchanges as HTTP Archive 1.2.", {"type": "object"}, *_EXCHANGES, _FROM, _TO, errors=(400, 404))
    def archive() -> Response:
        first, last = asked_number("from"), asked_number("to")
        before = None if last is None else last + 1
        found = _log(desk).exchanges(asked_wanted(), before=before, limit=asked_limit())
        return _har([one for one in found if first is None or one.n >= first], "exchanges.har")

    @api.get("/exchanges/<n>")
    @described("One exchange in full.", shapes.ref("StoredExchange"), errors=(404,))
    def exchange(n: str) -> Response:
        return jsonify(stored_exchange_object(asked_exchange(desk, n)))

    @api.get("/exchanges/<n>/har")
    @described("One exchange as HTTP Archive 1.2.", {"type": "object"}, errors=(404,))
    def one_archive(n: str) -> Response:
        return _har([asked_exchange(desk, n)], f"exchange-{n}.har")

    @api.get("/contract")
    @described("The WSDL in force.", shapes.ref("Contract"), errors=(404,))
    def contract() -> Response:
        if desk.contract is None:
            abort(404, "The contract is not shown here.")
        return jsonify(contract_object(desk.contract))

    @api.get("/contract/files/<path:name>")
    @described("The WSDL, or a schema file beside it.", media=("application/octet-stream",), errors=(404,), etag=True)
    def contract_file(name: str) -> Response:
        raw = desk.contract.files.get(name) if desk.contract else None
        if raw is None or desk.contract is None:
            abort(404, f"The contract in force has no file {name}.")
        digest = next(one["sha256"] for one in contract_object(desk.contract)["files"] if one["name"] == name)
        return download(BytesIO(raw), name, digest, len(raw))

    @api.get("/contract/learned")
    @described("What the traffic says of the WSDL in force, as it was asked for last.", shapes.ref("Learning"),
               errors=(404,))  # fmt: skip
    def learned() -> Response:
        return jsonify(learning_object(_learner(desk).look()))

    @api.post("/contract/learned")
    @described("Hold the newest pushes against the WSDL in force, where some came since that was done last; the "
               "answer does not wait for it.", shapes.ref("Learning"), errors=(400, 403, 404, 415))  # fmt: skip
    def learn() -> Response:
        learner = _learner(desk)
        hold_empty_object()
        return jsonify(learning_object(learner.ask()))

    @api.get("/contract/learned/proposal")
    @described("The WSDL that takes the traffic: that in force, edited as little as may be.",
               media=("application/octet-stream",), errors=(404,), etag=True)  # fmt: skip
    def proposal() -> Response:
        raw = _learner(desk).look().proposal
        if raw is None or desk.contract is None:
            abort(404, "No WSDL is proposed: that in force takes the traffic, or nobody asked, or it is not done yet.")
        return download(BytesIO(raw), f"proposed-{desk.contract.file_name}", hashlib.sha256(raw).hexdigest(), len(raw))

    @api.get("/openapi.json")
    @described("This description.", {"type": "object"})
    def description() -> Response:
        return jsonify(openapi(current_app))

    def _har(found: Iterable[Exchange], name: str) -> Response:
        text = json.dumps(har(found, public_url, bodies.small))
        headers = {"Content-Disposition": attachment(name)}
        return Response(text, mimetype="application/json", headers=headers)

    return api


def asked_exchange(desk: Desk, n: str) -> Exchange:
    """The exchange of that number; 404."""
    number = int(n) if n.isascii() and n.isdigit() and len(n) < 19 else 0
    found = _log(desk).exchange(number)
    if found is None:
        abort(404, f"No exchange {n} is kept.")
    return found


def judge_again(desk: Desk, push_id: str) -> JudgedAgain:
    """Judge, and let the index know. Errors: NoSuchPush, StoreUnavailable."""
    if not is_push_id(push_id):
        raise NoSuchPush(f"No push with the id {push_id} is stored.")
    if desk.judge_again is None:
        raise StoreUnavailable("This page cannot judge: it was started without a contract.")
    return desk.judge_again(push_id)


def _learner(desk: Desk) -> Learner:
    if desk.learner is None:
        abort(404, "Nothing is learned here: this page was started without a contract.")
    return desk.learner


def hold_empty_object() -> None:
    """A program says what it wants by the address; 415, 400 for anything but {} as JSON."""
    if not request.is_json:
        abort(415, "Send Content-Type: application/json, and {} as the body.")
    if request.get_json(silent=True) != {}:
        abort(400, "The body is to be the JSON object {}: the address says what is wanted.")


def _log(desk: Desk) -> ExchangeLog:
    if desk.exchanges is None:
        abort(404, NOT_KEPT)
    return desk.exchanges
