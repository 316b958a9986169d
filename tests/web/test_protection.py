"""Who may look, under which name, by which method, and what a browser is told to do with the answer."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash

from soapsvc.errors import SettingsError
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.settings import load_settings
from tests.inbox.making import STRICT, push
from tests.web.looking import client_of

PASSWORD = "correct horse: Batterie ü"
HASH = generate_password_hash(PASSWORD, "pbkdf2:sha256:1000")
PATHS = [
    "/", "/metrics", "/api/v1/pushes", "/api/v1/stats", "/api/v1/pushes/{id}", "/api/v1/pushes/{id}/raw",
    "/api/v1/pushes/{id}/documents/1", "/pushes/{id}", "/static/style.css", "/nothing-here",
]  # fmt: skip
PROBES = ["/healthz", "/readyz"]
FOR_THE_LOGIN = "/static/style.css"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def push_id(store: SqlStore) -> str:
    return store.accept(push(), STRICT).id


@pytest.fixture
def guarded(store: SqlStore) -> FlaskClient:
    return client_of(store, admin_user="admin", admin_password_hash=HASH)


# Credentials ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path for path in PATHS if path != FOR_THE_LOGIN])
def test_without_the_credential_nothing_is_shown(guarded: FlaskClient, push_id: str, path: str) -> None:
    answer = guarded.get(path.format(id=push_id))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="soapsvc admin", charset="UTF-8"'
    said = answer.get_json()["detail"] if path.startswith("/api/") else answer.text.removesuffix("\n")
    assert said == "Sign in with the admin's user name and password."


@pytest.mark.parametrize("path", PATHS[:-1])
def test_with_the_credential_everything_is_shown(guarded: FlaskClient, push_id: str, path: str) -> None:
    assert guarded.get(path.format(id=push_id), headers=basic("admin", PASSWORD)).status_code == 200


@pytest.mark.parametrize("path", PROBES)
def test_probes_need_no_credential_and_learn_no_content(guarded: FlaskClient, push_id: str, path: str) -> None:
    answer = guarded.get(path)
    assert answer.status_code == 200
    assert push_id not in answer.text


@pytest.mark.parametrize("path", ["/healthz/", "//healthz", "/healthz/../", "/healthz%2f", "/HEALTHZ", "/readyz/x"])
def test_what_only_looks_like_a_probe_needs_the_credential(guarded: FlaskClient, path: str) -> None:
    assert guarded.get(path).status_code == 401


@pytest.mark.parametrize(
    "authorization",
    [
        basic("admin", "wrong")["Authorization"],
        basic("admin", "")["Authorization"],
        basic("admin", HASH)["Authorization"],
        basic("Admin", PASSWORD)["Authorization"],
        basic("", PASSWORD)["Authorization"],
        basic("somebody", PASSWORD)["Authorization"],
        basic("admin", PASSWORD + "x")["Authorization"],
        basic("admin", "x" * 20_000)["Authorization"],
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic /w==",
        "Basic " + b64encode(b"admin").decode(),
        "Basic " + b64encode(b"\xff:\xff").decode(),
        "Bearer " + b64encode(f"admin:{PASSWORD}".encode()).decode(),
        "Digest username=admin",
        "Basic ü",
        "",
    ],
    ids=lambda sent: sent[:24],
)
def test_a_wrong_credential_is_none(guarded: FlaskClient, authorization: str) -> None:
    assert guarded.get("/", headers={"Authorization": authorization}).status_code == 401


def test_a_right_credential_does_not_open_the_door_for_the_next(guarded: FlaskClient) -> None:
    assert guarded.get("/", headers=basic("admin", PASSWORD)).status_code == 200
    assert guarded.get("/").status_code == 401
    assert guarded.get("/", headers=basic("admin", "wrong")).status_code == 401


def test_without_a_credential_in_the_settings_one_that_is_sent_changes_nothing(client: FlaskClient) -> None:
    assert client.get("/", headers=basic("anybody", "anything")).status_code == 200


@pytest.mark.parametrize("admin", ["0.0.0.0:8081", "192.0.2.1:8081", "[::]:8081", "admin.example.com:8081"])
def test_an_admin_listener_outside_loopback_wants_a_credential(
    admin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="outside loopback, without a credential: set admin_user") as error:
        load_settings({"admin": admin})
    assert admin in str(error.value)
    credential = {"admin_user": "admin", "admin_password_hash": HASH}
    assert load_settings({"admin": admin, **credential}).admin == admin


@pytest.mark.parametrize("admin", ["127.0.0.1:8081", "[::1]:8081", "localhost:8081", "127.9.9.9:0"])
def test_an_admin_listener_on_loopback_wants_none(admin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({"admin": admin}).admin == admin


# The name that the request came to ------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1:8081", "127.0.0.1", "localhost", "LOCALHOST:8081", "[::1]:8081", "[::1]"])
def test_the_listener_is_known_by_its_address_and_by_localhost(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/v1/pushes", "/metrics", "/healthz", "/static/style.css"])
@pytest.mark.parametrize(
    "host",
    ["evil.example.com", "evil.example.com:8081", "127.0.0.1.evil.example.com", "localhost.evil.example.com", "x"],
)
def test_a_name_that_dns_was_made_to_point_here_is_not_answered(client: FlaskClient, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json["detail"] == f"This listener is not {host}: use its address, as in http://127.0.0.1:8081/"


@pytest.mark.parametrize(
    "host", ["<script>alert(1)</script>", "a b", "evil.example.com/127.0.0.1", "127.0.0.1@evil", ""]
)
def test_a_host_that_is_none_is_not_answered_with_content(client: FlaskClient, host: str) -> None:
    answer = client.get("/", headers={"Host": host, "Accept": "text/html"})
    assert answer.status_code in (400, 421)
    assert "<script>" not in answer.text


def test_what_a_proxy_says_of_the_host_counts_for_nothing(client: FlaskClient) -> None:
    headers = {"Host": "evil.example.com", "X-Forwarded-Host": "127.0.0.1:8081", "Forwarded": "host=localhost"}
    assert client.get("/", headers=headers).status_code == 421


def test_with_a_credential_the_listener_may_have_any_name(guarded: FlaskClient) -> None:
    headers = {"Host": "soapsvc.example.com:8081"}
    assert guarded.get("/metrics", headers=headers | basic("admin", PASSWORD)).status_code == 200
    assert guarded.get("/metrics", headers=headers).status_code == 401


# Methods --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", [*PATHS[:-1], *PROBES])
def test_nothing_is_done_but_to_look(
    client: FlaskClient, store: SqlStore, push_id: str, path: str, method: str
) -> None:
    answer = client.open(path.format(id=push_id), method=method, data=b"state=accepted")
    assert answer.status_code == 405
    assert {"GET", "HEAD"} <= set(answer.headers["Allow"].split(", ")) <= {"GET", "HEAD", "OPTIONS"}
    assert [row.id for row in store.rows()] == [push_id]


@pytest.mark.parametrize("path", [*PATHS[:-1], *PROBES])
def test_head_is_get_without_the_body(client: FlaskClient, push_id: str, path: str) -> None:
    answer = client.head(path.format(id=push_id))
    assert (answer.status_code, answer.data) == (200, b"")


# Headers and errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PATHS, *PROBES])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_answer_tells_the_browser_to_trust_it_little(
    client: FlaskClient, push_id: str, path: str, method: str
) -> None:
    headers = client.open(path.format(id=push_id), method=method).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] in ("no-store", "no-cache")
    assert "Access-Control-Allow-Origin" not in headers
    for cookie in headers.getlist("Set-Cookie"):  # a page with a form has its token, and the cookie that it belongs to
        assert re.fullmatch(r"soapsvc_mark=[\w-]+; HttpOnly; Path=/; SameSite=Strict", cookie)
        assert (method, path) == ("GET", "/pushes/{id}")


def test_a_page_may_load_its_own_style_and_one_script_and_nothing_else(client: FlaskClient) -> None:
    seen = set()
    for _ in range(2):
        answer = client.get("/")
        rules = dict(rule.strip().partition(" ")[::2] for rule in answer.headers["Content-Security-Policy"].split(";"))
        nonce = rules.pop("script-src").removeprefix("'nonce-").removesuffix("'")
        seen.add(nonce)
        assert rules == {
            "default-src": "'none'", "style-src": "'self'", "img-src": "'self'", "connect-src": "'self'",
            "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
        }  # fmt: skip
        assert answer.text.count("<script") == 1
        assert f'<script nonce="{nonce}" src="/static/page.js" defer></script>' in answer.text
    assert len(seen) == 2, "each answer has a nonce of its own"


@pytest.mark.parametrize(
    "path", ["/nothing-here", "/api/v1", "/api/v2/pushes", "/pushes/", "/static/../api.py", "/static/"]
)
def test_what_is_not_there_is_not_found(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert answer.json["status"] == 404


def test_a_browser_is_told_what_went_wrong_on_a_page(client: FlaskClient) -> None:
    accept = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    answer = client.get("/pushes/0123456789abcdefghjk", headers=accept)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "No push with the id 0123456789abcdefghjk is stored." in answer.text
    assert 'href="/"' in answer.text


@pytest.mark.parametrize("path", ["/pushes/<script>alert(1)</script>", "/?limit=<script>alert(1)</script>"])
def test_what_was_asked_for_is_escaped_on_the_page_that_says_it_is_not_there(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.mimetype == "text/html"
    assert "<script>" not in answer.text


def test_no_redirect_leads_away(client: FlaskClient) -> None:
    for path in ("//evil.example.com/", "//evil.example.com/..", "/\\evil.example.com", "/api//v1/pushes"):
        target = urlsplit(client.get(path).headers.get("Location", ""))
        assert target.hostname in (None, "localhost"), path


def test_the_api_says_as_a_problem_that_it_wants_a_credential(store: SqlStore) -> None:
    client = client_of(store, admin_user="admin", admin_password_hash=HASH)
    document = client.get("/api/v1/openapi.json", headers=basic("admin", PASSWORD)).get_json()
    assert document["paths"]["/api/v1/pushes"]["get"]["responses"]["401"] == {"$ref": "#/components/responses/Problem"}
    for answer in (client.get("/api/v1/pushes"), client.get("/api/v1/pushes", headers=basic("admin", "wrong"))):
        assert answer.status_code == 401
        assert answer.content_type == "application/problem+json"
        assert set(answer.get_json()) == {"type", "status", "detail"}
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
