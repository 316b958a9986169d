"""Signing in, and that a change is made by who means it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from soapsvc.credentials import GUESSES
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.settings import OwnSettings
from soapsvc.web.admin_app import admin_app
from soapsvc.web.desk import Desk, JudgedAgain
from tests.inbox.making import refused
from tests.web.looking import CONTRACT
from tests.web.test_protection import HASH, PASSWORD, basic

HTML = {"Accept": "text/html"}
JSON = {"Content-Type": "application/json"}


class Judging:
    """Stands where the contract would: notes what it was asked to judge."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, push_id: str) -> JudgedAgain:
        self.asked.append(push_id)
        return JudgedAgain(push_id, "refused", refused_for=("XSD-001",))


@pytest.fixture
def judging() -> Judging:
    return Judging()


@pytest.fixture
def push_id(store: SqlStore) -> str:
    return str(store.quarantine(refused(b"<junk/>")))


ClientOf = Callable[..., FlaskClient]


@pytest.fixture
def client_of(store: SqlStore, judging: Judging) -> ClientOf:
    def make(**settings: object) -> FlaskClient:
        return admin_app(OwnSettings(**settings), store, CONTRACT, Desk(judge_again=judging)).test_client()

    return make


@pytest.fixture
def guarded(client_of: ClientOf) -> FlaskClient:
    return client_of(admin_user="admin", admin_password_hash=HASH)


def token_on(client: FlaskClient, path: str) -> str:
    found = re.search(r'name="csrf_token" value="(\w+)"', client.get(path, headers=HTML).text)
    assert found
    return found[1]


def sign_in(client: FlaskClient, password: str = PASSWORD, target: str = "/wire"):
    form = {"user": "admin", "password": password, "csrf_token": token_on(client, "/login"), "next": target}
    return client.post("/login", data=form)


# Signing in -----------------------------------------------------------------------------------------------------------


def test_a_browser_is_led_to_the_login_and_back_to_where_it_wanted(guarded: FlaskClient) -> None:
    led = guarded.get("/wire?source=192.0.2.7", headers=HTML)
    assert (led.status_code, led.headers["Location"]) == (303, "/login?next=/wire?source%3D192.0.2.7")
    answer = sign_in(guarded, target="/wire?source=192.0.2.7")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/wire?source=192.0.2.7")
    assert guarded.get("/wire", headers=HTML).status_code == 200


def test_the_cookie_of_a_session_is_for_this_site_and_no_script(guarded: FlaskClient) -> None:
    (cookie,) = [one for one in sign_in(guarded).headers.getlist("Set-Cookie") if "soapsvc_session" in one]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


@pytest.mark.parametrize("password", ["", "wrong", HASH], ids=["none", "wrong", "hash"])
def test_a_wrong_password_signs_nobody_in(guarded: FlaskClient, password: str) -> None:
    answer = sign_in(guarded, password)
    assert answer.status_code == 401
    assert "soapsvc_session" not in str(answer.headers)
    assert guarded.get("/wire").status_code == 401


def test_who_guesses_too_often_is_not_believed_for_a_while(guarded: FlaskClient) -> None:
    for _ in range(GUESSES):
        assert sign_in(guarded, "wrong").status_code == 401
    assert sign_in(guarded).status_code == 401


@pytest.mark.parametrize(
    "target",
    ["//evil.example.com", "https://evil.example.com", "/\\evil.example.com", "javascript:alert(1)", "\n/x", ""],
)
def test_the_login_leads_to_this_site_alone(guarded: FlaskClient, target: str) -> None:
    assert sign_in(guarded, target=target).headers["Location"] == "/"


def test_signing_out_ends_the_session(guarded: FlaskClient) -> None:
    sign_in(guarded)
    cookie = guarded.get_cookie("soapsvc_session")
    assert guarded.post("/logout", data={"csrf_token": token_on(guarded, "/")}).status_code == 303
    assert cookie is not None
    guarded.set_cookie("soapsvc_session", cookie.value)
    assert guarded.get("/").status_code == 401


def test_a_program_is_asked_for_basic_and_the_script_of_a_page_is_not(guarded: FlaskClient) -> None:
    program, script = guarded.get("/api/v1/stats"), guarded.get("/api/v1/events", headers={"Sec-Fetch-Mode": "cors"})
    assert (program.status_code, script.status_code) == (401, 401)
    assert program.headers["WWW-Authenticate"].startswith("Basic ")
    assert "WWW-Authenticate" not in script.headers
    assert guarded.get("/static/page.js").status_code == 200


@pytest.mark.parametrize("value", ["", "x", "0" * 43])
def test_a_session_that_was_not_given_is_none(guarded: FlaskClient, value: str) -> None:
    guarded.set_cookie("soapsvc_session", value)
    assert guarded.get("/").status_code == 401


def test_a_login_needs_its_own_token_too(guarded: FlaskClient) -> None:
    assert guarded.post("/login", data={"user": "admin", "password": PASSWORD}).status_code == 403


# Changes --------------------------------------------------------------------------------------------------------------


def test_the_button_of_a_page_judges_again(client_of: ClientOf, judging: Judging, push_id: str) -> None:
    client = client_of()
    answer = client.post(f"/pushes/{push_id}/reprocess", data={"csrf_token": token_on(client, f"/pushes/{push_id}")})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/pushes/{push_id}?outcome=refused")
    assert judging.asked == [push_id]
    assert "it is still refused" in client.get(answer.headers["Location"]).text


@pytest.mark.parametrize("token", [None, "", "0" * 64, "ü"])
def test_a_form_without_its_token_changes_nothing(
    client_of: ClientOf, judging: Judging, push_id: str, token: str | None
) -> None:
    client = client_of()
    token_on(client, f"/pushes/{push_id}")
    answer = client.post(f"/pushes/{push_id}/reprocess", data={} if token is None else {"csrf_token": token})
    assert answer.status_code == 403
    assert judging.asked == []


def test_a_token_of_another_browser_changes_nothing(client_of: ClientOf, judging: Judging, push_id: str) -> None:
    client = client_of()
    stolen = token_on(client.application.test_client(), f"/pushes/{push_id}")
    token_on(client, f"/pushes/{push_id}")
    assert client.post(f"/pushes/{push_id}/reprocess", data={"csrf_token": stolen}).status_code == 403
    assert judging.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/pushes/{id}/reprocess", "/api/v1/pushes/{id}/reprocess"])
def test_a_page_of_another_site_changes_nothing_even_with_the_token(
    client_of: ClientOf, judging: Judging, push_id: str, headers: dict, path: str
) -> None:
    client = client_of()
    token = token_on(client, f"/pushes/{push_id}")
    answer = client.post(path.format(id=push_id), json={}, headers={**headers, "X-CSRF-Token": token})
    assert answer.status_code == 403
    assert judging.asked == []


def test_a_program_judges_again_by_the_api(client_of: ClientOf, judging: Judging, push_id: str) -> None:
    answer = client_of().post(f"/api/v1/pushes/{push_id}/reprocess", json={})
    assert answer.json == {"id": push_id, "outcome": "refused", "of": None, "refused_for": ["XSD-001"]}
    assert judging.asked == [push_id]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 415),
        (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 403),
        (b"{}", {"Content-Type": "text/plain"}, 403),
        (b"", JSON, 400),
        (b"[]", JSON, 400),
        (b'{"a": 1}', JSON, 400),
    ],
)
def test_what_a_form_of_another_site_could_send_is_no_call_of_the_api(
    client_of: ClientOf, judging: Judging, push_id: str, body: bytes, headers: dict, status: int
) -> None:
    answer = client_of().post(f"/api/v1/pushes/{push_id}/reprocess", data=body, headers=headers)
    assert answer.status_code == status
    assert judging.asked == []


def test_a_program_with_the_credential_may_change_and_one_without_may_not(
    guarded: FlaskClient, judging: Judging, push_id: str
) -> None:
    path = f"/api/v1/pushes/{push_id}/reprocess"
    assert guarded.post(path, json={}).status_code == 401
    assert guarded.post(path, json={}, headers=basic("admin", PASSWORD)).status_code == 200
    assert judging.asked == [push_id]


def test_a_session_alone_is_not_enough_for_a_change(guarded: FlaskClient, judging: Judging, push_id: str) -> None:
    sign_in(guarded)
    assert guarded.post(f"/api/v1/pushes/{push_id}/reprocess", json={}).status_code == 403
    token = token_on(guarded, f"/pushes/{push_id}")
    headers = {"X-CSRF-Token": token}
    assert guarded.post(f"/api/v1/pushes/{push_id}/reprocess", json={}, headers=headers).status_code == 200


def test_an_id_that_is_none_is_not_judged(client_of: ClientOf, judging: Judging) -> None:
    assert client_of().post("/api/v1/pushes/../reprocess", json={}).status_code == 404
    assert client_of().post("/api/v1/pushes/0123/reprocess", json={}).status_code == 404
    assert judging.asked == []


def test_the_script_has_no_markup_of_a_sender_in_it() -> None:
    script = Path(__file__).parents[2] / "soapsvc/web/static/page.js"
    for dangerous in ("innerHTML", "outerHTML", "document.write", "insertAdjacentHTML", "eval("):
        assert dangerous not in script.read_text()
