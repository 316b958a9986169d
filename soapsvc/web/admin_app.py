"""The admin listener's application: for probes, for programs, for people."""

from __future__ import annotations

import secrets
import sqlite3

from flask import Flask, Response, g, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from soapsvc.errors import MoveNotListed, NoSuchPush, NoSuchTarget, StoreUnavailable
from soapsvc.inbox.store import InboxStore
from soapsvc.settings import Settings
from soapsvc.web import actions, api, lease_api, metrics, pages, sum_pages, wire_pages
from soapsvc.web.access import Access
from soapsvc.web.desk import Desk
from soapsvc.web.previews import Previews
from soapsvc.web.wire_bodies import WireBodies

MAX_FORM_BYTES = 64 * 1024


def admin_app(settings: Settings, store: InboxStore, contract_sha256: str, desk: Desk | None = None) -> Flask:
    """The application for one store.

    contract_sha256  of the WSDL in force, shown by /readyz
    desk             what there is beside the inbox; None: the inbox alone
    """
    desk = desk or Desk()
    app = Flask(__name__)
    app.json.ensure_ascii = True  # type: ignore[attr-defined]  # Flask's default provider has it
    app.config["MAX_CONTENT_LENGTH"] = MAX_FORM_BYTES

    @app.before_request
    def nonce() -> None:
        g.nonce = secrets.token_urlsafe(18)

    Access(settings).guard(app)

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _policy(g.get("nonce", "")))
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"  # with none, browsers call the origin of our own forms null
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.errorhandler(NoSuchPush)
    @app.errorhandler(NoSuchTarget)
    def not_there(error: NoSuchPush | NoSuchTarget) -> Response:
        return _problem(404, str(error))

    @app.errorhandler(MoveNotListed)
    def not_now(error: MoveNotListed) -> Response:
        return _problem(409, str(error))

    @app.errorhandler(StoreUnavailable)
    def unavailable(error: StoreUnavailable) -> Response:
        return _problem(503, str(error))

    @app.errorhandler(sqlite3.Error)
    def exchanges_failed(error: sqlite3.Error) -> Response:
        return _problem(503, f"The exchange log cannot be read now ({error}); try again later.")

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        response = _problem(error.code or 500, error.description or error.name)
        response.headers.extend([header for header in error.get_headers() if header[0] != "Content-Type"])
        return response

    @app.get("/healthz")
    def healthz() -> Response:
        return Response("well\n", mimetype="text/plain")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        checks = _readiness(settings, store, contract_sha256)
        ready = all(check["ready"] for check in checks.values())
        return jsonify(ready=ready, **checks), 200 if ready else 503

    push_url = settings.public_url or f"http://{settings.listen}/push"
    previews, bodies = Previews(store), WireBodies(store)
    app.register_blueprint(api.blueprint(store, desk, previews, bodies, push_url, settings))
    acts = actions.actions(store, desk, settings.delivery)
    app.register_blueprint(actions.for_programs(acts))
    app.register_blueprint(actions.for_pages(acts))
    app.register_blueprint(lease_api.blueprint(store, settings.delivery))
    app.register_blueprint(pages.blueprint(store, desk, previews, push_url, settings.delivery))
    app.register_blueprint(wire_pages.blueprint(store, desk, push_url))
    app.register_blueprint(sum_pages.blueprint(store, desk, push_url, settings))
    app.register_blueprint(metrics.blueprint(store))
    pages.add_filters(app.add_template_filter)
    return app


def _policy(nonce: str) -> str:
    """Nothing but our own style sheet, images and one script, which says the nonce of this answer."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _readiness(settings: Settings, store: InboxStore, contract_sha256: str) -> dict[str, dict[str, object]]:
    """Would a push be taken now, and if not, what is in the way."""
    try:
        store.check_writable()
        writable: dict[str, object] = {"ready": True}
    except StoreUnavailable as error:
        writable = {"ready": False, "why": str(error)}
    return {
        "store": writable,
        "contract": {"ready": True, "sha256": contract_sha256, "conformance": settings.conformance.value},
        "disk": _disk(store, settings.min_free_bytes),
    }


def _disk(store: InboxStore, wanted: int) -> dict[str, object]:
    try:
        free = store.free_bytes()
    except StoreUnavailable as error:
        return {"ready": False, "why": str(error), "free_bytes": None, "min_free_bytes": wanted}
    told: dict[str, object] = {"ready": free is None or free >= wanted, "free_bytes": free, "min_free_bytes": wanted}
    if not told["ready"]:
        told["why"] = f"The inbox's disk has {free} bytes free; min_free_bytes wants {wanted}."
    return told


def _problem(status: int, detail: str) -> Response:
    """What went wrong: a page for who asks for one, else application/problem+json (RFC 9457)."""
    if request.accept_mimetypes.best_match(["application/problem+json", "text/html"]) == "text/html":
        return make_response(render_template("problem.html", status=status, detail=detail), status)
    response = jsonify(type="about:blank", status=status, detail=detail)
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response
