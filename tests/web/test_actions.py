"""What an operator does with deliveries and holds: by the forms of the pages and by the API, through the same code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from soapsvc.delivery.routes import routes
from soapsvc.delivery_settings import DeliverySettings
from soapsvc.inbox.outbox_writes import Settlement
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.states import Move
from tests.inbox.conftest import opening
from tests.inbox.making import NOON, STRICT, arrival, push, refused
from tests.inbox.outbox_promises import Watch, claimed, delivered, states
from tests.web.looking import Page, client_of

API = "/api/v1"
ENTRIES = tuple(
    DeliverySettings(name=name, target=f"file:///srv/{name}", kind=("fax",) if name == "faxes" else ())
    for name in ("archive", "branch", "faxes")
)


@pytest.fixture
def store(inbox_file: Path) -> Iterator[SqlStore]:
    for open_inbox in opening(f"sqlite:///{inbox_file}"):
        yield open_inbox(clock=Watch(NOON + timedelta(hours=1)), route=routes(ENTRIES))


@pytest.fixture
def client(store: SqlStore) -> FlaskClient:
    return client_of(store, delivery=ENTRIES)


@pytest.fixture
def push_id(store: SqlStore) -> str:
    """Delivered to the archive, a dead letter of the branch, never queued for the faxes."""
    found = store.accept(push(), STRICT).id
    delivered(store, "archive")
    assert store.outbox.settle(Settlement(claimed(store, "branch"), Move.LAST_ATTEMPT_FAILED, NOON, "no such place"))
    return str(found)


def sent(client: FlaskClient, page: str, action: str, **fields: str) -> TestResponse:
    """A form of a page, with the token of that page."""
    token = re.search(r'name="csrf_token" value="(\w+)"', client.get(page).text)
    assert token
    return client.post(action, data={"csrf_token": token[1], **fields})


def done(client: FlaskClient, page: str, action: str, **fields: str) -> str:
    """What the page says that the form led to."""
    answer = sent(client, page, action, **fields)
    assert answer.status_code == 303, answer.text
    shown = client.get(answer.headers["Location"])
    found = re.search(r'role="status">(.*?)</p>', shown.text)
    assert found
    return found[1]


def told(client: FlaskClient, path: str) -> object:
    answer = client.post(API + path, json={})
    assert answer.status_code == 200, answer.text
    return answer.json


# By the forms of the pages --------------------------------------------------------------------------------------------


def test_a_push_is_held_with_a_reason_and_released_again(client: FlaskClient, store: SqlStore, push_id: str) -> None:
    page = f"/pushes/{push_id}"
    said = done(client, page, f"{page}/hold", reason="asked for by <auditors>")
    assert said == "Held: retention leaves it alone until it is released."
    held = store.stored(push_id).held
    assert (held and held.reason) == "asked for by <auditors>"
    assert done(client, page, f"{page}/release") == "Released: retention may remove it."
    assert store.stored(push_id).held is None


def test_a_dead_letter_is_put_back_and_what_arrived_is_left_alone(
    client: FlaskClient, store: SqlStore, push_id: str
) -> None:
    page = f"/pushes/{push_id}"
    said = done(client, page, f"{page}/requeue", target="", confirmed="yes")
    assert said == "Requeued: 1 delivery, due now."
    assert states(store, push_id) == {"archive": "delivered", "branch": "pending"}
    store.outbox.settle(Settlement(claimed(store, "branch"), Move.ACKNOWLEDGED, NOON, "there"))
    said = done(client, page, f"{page}/requeue", target="", confirmed="yes")
    assert said == "Nothing was there to requeue: all has arrived, or is under way."


def test_a_push_is_sent_once_more_and_to_a_target_that_it_was_never_queued_for(
    client: FlaskClient, store: SqlStore, push_id: str
) -> None:
    page = f"/pushes/{push_id}"
    shown = Page(client.get(page)).text
    for choice in ("archive (delivered)", "branch (dead letter)", "faxes (never queued)"):
        assert choice in shown
    for target in ("archive", "faxes"):
        said = done(client, page, f"{page}/requeue", target=target, confirmed="yes")
        assert said == "Requeued: 1 delivery, due now."
    assert states(store, push_id) == {"archive": "pending", "branch": "dead", "faxes": "pending"}


def test_a_target_is_paused_and_resumed(client: FlaskClient, store: SqlStore, push_id: str) -> None:
    page = "/targets/archive"
    assert done(client, page, f"{page}/pause").startswith("Paused: ")
    assert "paused since 2026-11-23 13:00:00Z" in Page(client.get(page)).text
    assert done(client, page, f"{page}/resume").startswith("Resumed: ")
    assert "paused since" not in Page(client.get(page)).text


def test_the_dead_letters_of_a_target_are_put_back_or_given_up(
    client: FlaskClient, store: SqlStore, push_id: str
) -> None:
    page = "/targets/branch"
    assert done(client, page, f"{page}/requeue", confirmed="yes") == "Requeued: 1 delivery, due now."
    store.accept(push(2, arrival=arrival(2)), STRICT)
    assert done(client, page, f"{page}/cancel", confirmed="yes") == "Given up: 2 deliveries."
    assert states(store, push_id)["branch"] == "cancelled"


@pytest.mark.parametrize("action", ["/pushes/{id}/requeue", "/targets/branch/requeue", "/targets/branch/cancel"])
def test_what_cannot_be_taken_back_needs_a_box_to_be_ticked(
    client: FlaskClient, store: SqlStore, push_id: str, action: str
) -> None:
    page, _, _ = action.format(id=push_id).rpartition("/")
    for fields in ({}, {"confirmed": ""}, {"confirmed": "no"}):
        assert sent(client, page, action.format(id=push_id), **fields).status_code == 400
    assert states(store, push_id)["branch"] == "dead"
    form = client.get(page).text.partition(f'action="{action.format(id=push_id)}"')[2].partition("</form>")[0]
    assert '<input type="checkbox" name="confirmed" value="yes" required>' in form


def test_each_target_of_the_settings_has_a_page_and_so_has_one_that_was_taken_out(
    client: FlaskClient, store: SqlStore, push_id: str
) -> None:
    assert "Nothing is pending." in Page(client.get("/targets/faxes")).text
    former = client_of(store)
    page = Page(former.get("/targets/branch"))
    assert "no longer in the settings" in page.text
    assert "Pause" not in page.texts_of("button")
    assert done(former, "/targets/branch", "/targets/branch/cancel", confirmed="yes") == "Given up: 1 delivery."


def test_what_was_refused_is_neither_held_nor_delivered(client: FlaskClient, store: SqlStore) -> None:
    push_id = store.quarantine(refused(b"<junk/>"))
    shown = client.get(f"/pushes/{push_id}").text
    for action in ("hold", "requeue"):
        assert f"/{action}" not in shown
        assert client.post(f"{API}/pushes/{push_id}/{action}", json={}).status_code == 404


def test_a_page_says_nothing_that_somebody_else_wrote_into_its_address(client: FlaskClient, push_id: str) -> None:
    for query in ("outcome=<b>", "outcome=own words", "outcome="):
        assert 'role="status"' not in client.get(f"/pushes/{push_id}?{query}").text.partition("</main>")[0]
    assert client.get(f"/pushes/{push_id}?outcome=requeued&deliveries=<b>").status_code == 400


# By the API -----------------------------------------------------------------------------------------------------------


def test_the_api_answers_with_what_it_is_now(client: FlaskClient, store: SqlStore, push_id: str) -> None:
    held = told(client, f"/pushes/{push_id}/hold?reason=an%20audit")
    assert held == client.get(f"{API}/pushes/{push_id}").json
    assert held["held"] == {"at": "2026-11-23T13:00:00Z", "reason": "an audit"}
    assert told(client, f"/pushes/{push_id}/release")["held"] is None
    assert told(client, f"/pushes/{push_id}/requeue") == {"id": push_id, "targets": ["branch"]}
    assert told(client, f"/pushes/{push_id}/requeue?target=archive") == {"id": push_id, "targets": ["archive"]}
    paused = told(client, "/targets/branch/pause")
    assert paused == client.get(f"{API}/targets/branch").json
    assert paused["note"] == "paused since 2026-11-23 13:00:00Z"
    assert told(client, "/targets/branch/resume")["paused_at"] is None
    assert told(client, "/targets/branch/cancel") == {"name": "branch", "deliveries": 1}
    assert told(client, "/targets/branch/requeue") == {"name": "branch", "deliveries": 0}


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/pushes/{id}/requeue?target=nowhere", 404, "there is archive, branch, faxes"),
        ("/pushes/{id}/requeue?target=", 404, "there is archive, branch, faxes"),
        ("/pushes/0123456789abcdefghjk/requeue", 404, "is not stored"),
        ("/pushes/0123456789abcdefghjk/hold", 404, "is stored"),
        ("/pushes/0123456789abcdefghjk/release", 404, "is stored"),
        ("/pushes/x/hold", 404, "No push with the id x"),
        ("/pushes/{id}/hold?reason=%00", 400, "reason"),
        ("/pushes/{id}/hold?reason=" + "x" * 501, 400, "reason"),
        ("/targets/nowhere/pause", 404, "there is archive, branch, faxes"),
        ("/targets/nowhere/cancel", 404, "there is archive, branch, faxes"),
    ],
)
def test_what_cannot_be_done_is_a_problem_with_a_sentence(
    client: FlaskClient, push_id: str, path: str, status: int, said: str
) -> None:
    answer = client.post(API + path.format(id=push_id), json={})
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert said in answer.json["detail"]


def test_what_is_under_way_is_not_put_back(client: FlaskClient, store: SqlStore, push_id: str) -> None:
    store.outbox.requeue(push_id, "archive")
    claimed(store, "archive")
    answer = client.post(f"{API}/pushes/{push_id}/requeue?target=archive", json={})
    assert (answer.status_code, "forwarding" in answer.json["detail"]) == (409, True)


@pytest.mark.parametrize("prefix", ["", API])
@pytest.mark.parametrize(
    "path",
    ["/pushes/{id}/hold", "/pushes/{id}/release", "/pushes/{id}/requeue", "/targets/branch/pause",
     "/targets/branch/resume", "/targets/branch/requeue", "/targets/branch/cancel"],
)  # fmt: skip
def test_neither_another_site_nor_a_form_without_its_token_changes_anything(
    client: FlaskClient, store: SqlStore, push_id: str, prefix: str, path: str
) -> None:
    before = (store.stored(push_id), store.outbox.figures())
    where = prefix + path.format(id=push_id)
    assert client.post(where, data={"confirmed": "yes"}).status_code == 403
    for headers in ({"Origin": "https://evil.example.com"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.post(where, json={}, headers=headers).status_code == 403
    assert client.get(where).status_code == 405
    assert (store.stored(push_id), store.outbox.figures()) == before
