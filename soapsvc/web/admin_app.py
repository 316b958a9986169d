"""The admin listener's application: for probes, for programs, for people. It changes nothing but leases."""

from __future__ import annotations

from ipaddress import ip_address

from flask import Flask, Response, abort, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from soapsvc.credentials import Credentials
from soapsvc.errors import NoSuchPush, StoreUnavailable
from soapsvc.inbox.store import InboxStore
from soapsvc.settings import Settings, host_and_port
from soapsvc.web import api, lease_api, metrics, pages

_NO_CREDENTIAL_NEEDED = frozenset({"/healthz", "/readyz"})  # probes of a supervisor carry none, and learn no content
_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def admin_app(settings: Settings, store: InboxStore, contract_sha256: str) -> Flask:
    """The application for one store.

    contract_sha256  of the WSDL in force, shown by /readyz
    """
    app = Flask(__name__)
    app.json.ensure_ascii = True  # type: ignore[attr-defined]  # Flask's default provider has it
    users = {settings.admin_user: settings.admin_password_hash} if settings.admin_user else {}
    credentials = Credentials({user: secret for user, secret in users.items() if secret is not None})
    names = _names(settings)

    @app.before_request
    def judge() -> Response | None:
        if not credentials.wanted and not _is_known(request.host, names):  # else a name in DNS may lead here
            abort(421, f"This listener is not {request.host}: use its address, as in http://{settings.admin}/")
        if credentials.wanted and request.path not in _NO_CREDENTIAL_NEEDED:
            sent = request.headers.get("Authorization", "")
            if not credentials.hold(sent, request.remote_addr or ""):
                challenge = {"WWW-Authenticate": 'Basic realm="soapsvc admin", charset="UTF-8"'}
                return Response("Sign in with the admin's user name and password.\n", 401, challenge, "text/plain")
        return None

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _CSP)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.errorhandler(NoSuchPush)
    def no_such_push(error: NoSuchPush) -> Response:
        return _problem(404, str(error))

    @app.errorhandler(StoreUnavailable)
    def unavailable(error: StoreUnavailable) -> Response:
        return _problem(503, str(error))

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

    app.register_blueprint(api.blueprint(store))
    app.register_blueprint(lease_api.blueprint(store, settings.delivery))
    app.register_blueprint(pages.blueprint(store, settings.public_url or f"http://{settings.listen}/push"))
    app.register_blueprint(metrics.blueprint(store))
    return app


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


def _names(settings: Settings) -> frozenset[str]:
    host, _ = host_and_port(settings.admin)
    return frozenset({"localhost", host.lower()})


def _is_known(host: str, names: frozenset[str]) -> bool:
    """Whether the Host header names this listener: by an address, which DNS cannot rebind, or by its own name."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    try:
        return bool(ip_address(name.strip("[]")))
    except ValueError:
        return name.lower() in names
