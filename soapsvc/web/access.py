"""Who may look and who may change: the Host header, Basic or a session, and that a change was meant by who sends it.

no credential in the settings   the listener is on loopback; Host must be an address or its own name (DNS rebinding)
a credential                    HTTP Basic, or a session by the login page: a random token in a cookie that scripts
                                do not see and other sites do not send, known in this process alone
a change (POST)                 never from another site (Origin, Sec-Fetch-Site), and with a token: in the form, or
                                in the header X-CSRF-Token; a program that sends neither a cookie nor a form needs none
"""

from __future__ import annotations

import hmac
import secrets
import time
from base64 import b64encode
from collections import OrderedDict
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, jsonify, redirect, render_template, request, url_for

from soapsvc.credentials import Credentials
from soapsvc.settings import Settings, host_and_port

SESSION_SECONDS = 12 * 3600.0
SESSIONS = 1000  # at once; the oldest gives way
_SESSION, _MARK = "soapsvc_session", "soapsvc_mark"
_NO_CREDENTIAL_NEEDED = frozenset({"/healthz", "/readyz"})  # probes of a supervisor carry none, and learn no content
_FOR_THE_LOGIN = frozenset({"/login", "/static/style.css", "/static/icon.svg", "/static/page.js"})
_SIGN_IN = "Sign in with the admin's user name and password.\n"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Access:
    """Guards one application."""

    def __init__(self, settings: Settings):
        users = {settings.admin_user: settings.admin_password_hash} if settings.admin_user else {}
        self._credentials = Credentials({user: secret for user, secret in users.items() if secret is not None})
        host, _ = host_and_port(settings.admin)
        self._names = frozenset({"localhost", host.lower()})
        self._admin = settings.admin
        self._key = secrets.token_bytes(32)
        self._sessions: OrderedDict[str, float] = OrderedDict()  # token to the moment of its end

    def guard(self, app: Flask) -> None:
        """Ask for every request of the application, and give it the login page."""
        app.before_request(self._judge)
        app.after_request(self._mark)
        app.add_url_rule("/login", "login", self._login, methods=["GET", "POST"])
        app.add_url_rule("/logout", "logout", self._logout, methods=["POST"])

        app.add_template_global(self._told_token, "csrf_token")
        app.add_template_global(lambda: g.get("session") is not None, "signed_in")

    def _judge(self) -> Response | None:
        g.mark = request.cookies.get(_MARK) or secrets.token_urlsafe(24)
        if not self._credentials.wanted and not _is_known(request.host, self._names):  # a name in DNS may lead here
            abort(421, f"This listener is not {request.host}: use its address, as in http://{self._admin}/")
        if request.method not in _SAFE:
            _hold_origin()
        refusal = self._hold_credential()
        if refusal is None and request.method not in _SAFE and request.endpoint is not None:
            self._hold_token()
        return refusal

    def _hold_credential(self) -> Response | None:
        if not self._credentials.wanted or request.path in _NO_CREDENTIAL_NEEDED | _FOR_THE_LOGIN:
            return None
        session = request.cookies.get(_SESSION, "")
        if self._sessions.get(session, 0.0) > time.monotonic():
            g.session = session
            return None
        sent = request.headers.get("Authorization", "")
        if sent and self._credentials.hold(sent, request.remote_addr or ""):
            g.by_basic = True
            return None
        if not sent and request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            return redirect(url_for("login", next=_own_path(request.full_path)), 303)  # type: ignore[return-value]
        refusal = Response(_SIGN_IN, 401, content_type="text/plain; charset=utf-8")
        if request.path.startswith("/api/"):
            refusal = jsonify(type="about:blank", status=401, detail=_SIGN_IN.strip())
            refusal.status_code, refusal.mimetype = 401, "application/problem+json"
        if "Sec-Fetch-Mode" not in request.headers:  # a browser would ask in a window of its own, over the login page
            refusal.headers["WWW-Authenticate"] = 'Basic realm="soapsvc admin", charset="UTF-8"'
        return refusal

    def _hold_token(self) -> None:
        """A browser sends cookies by itself, so it must bring what only our pages know. A call of the API without a
        body is no form."""
        bare = not request.content_length and request.path.startswith("/api/")
        if not request.cookies and (request.is_json or bare):
            return
        sent = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
        if not hmac.compare_digest(sent.encode(), self._token().encode()):
            abort(403, "The form's token is missing or has expired: load the page again, and repeat it from there. "
                       "A program sends Content-Type: application/json and no cookies.")  # fmt: skip

    def _told_token(self) -> str:
        """For a form; whoever is told it gets the cookie that it belongs to."""
        g.told = True
        return self._token()

    def _token(self) -> str:
        """Bound to the session, or to the browser where there is none."""
        return hmac.digest(self._key, (g.get("session") or g.mark).encode(), "sha256").hex()

    def _login(self) -> Response | str | tuple[str, int]:
        if not self._credentials.wanted:
            return redirect("/", 303)  # type: ignore[return-value]
        target = _own_path(request.values.get("next", "/"))
        if request.method == "GET":
            return render_template("login.html", next=target, wrong=False)
        user, password = request.form.get("user", ""), request.form.get("password", "")
        sent = b64encode(f"{user}:{password}".encode()).decode()
        if ":" in user or not self._credentials.hold(f"Basic {sent}", request.remote_addr or ""):
            return render_template("login.html", next=target, wrong=True), 401
        token = secrets.token_urlsafe(32)
        self._sessions[token] = time.monotonic() + SESSION_SECONDS
        if len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)
        response: Response = redirect(target, 303)  # type: ignore[assignment]
        response.set_cookie(
            _SESSION, token, max_age=int(SESSION_SECONDS), httponly=True, samesite="Strict", secure=_over_tls()
        )
        return response

    def _logout(self) -> Response:
        self._sessions.pop(str(g.get("session")), None)
        response: Response = redirect(url_for("login") if self._credentials.wanted else "/", 303)  # type: ignore[assignment]
        response.delete_cookie(_SESSION, httponly=True, samesite="Strict")
        return response

    def _mark(self, response: Response) -> Response:
        if g.get("told") and request.cookies.get(_MARK) != g.mark:
            response.set_cookie(_MARK, g.mark, httponly=True, samesite="Strict", secure=_over_tls())
        return response


def _hold_origin() -> None:
    """Errors: 403: the browser says that another site makes the request."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    foreign = site is not None and site not in ("same-origin", "none")
    if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
        foreign = True
    if foreign:
        abort(403, "This request comes from a page of another site; changes are made from the pages here.")


def _own_path(target: str) -> str:
    """A path of this application: never another host, as //host or /\\host would be."""
    if not target.startswith("/") or target[1:2] in ("/", "\\") or any(ord(one) < 32 for one in target):
        return "/"
    return target.rstrip("?")


def _over_tls() -> bool:
    return request.is_secure or request.headers.get("X-Forwarded-Proto", "") == "https"


def _is_known(host: str, names: frozenset[str]) -> bool:
    """Whether the Host header names this listener: by an address, which DNS cannot rebind, or by its own name."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    try:
        return bool(ip_address(name.strip("[]")))
    except ValueError:
        return name.lower() in names
