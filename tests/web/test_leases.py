"""Pull by lease: what a consumer gets, for how long nobody else gets it, and what ends it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from soapsvc.delivery.routes import routes
from soapsvc.delivery_settings import DeliverySettings
from soapsvc.inbox.sql_store import SqlStore
from tests.inbox.conftest import opening
from tests.inbox.making import NOON, STRICT, arrival, push
from tests.inbox.outbox_promises import Watch
from tests.web.looking import client_of

DESK = DeliverySettings(name="desk", target="lease:")
FAX = DeliverySettings(name="fax-desk", target="lease:", kind=("fax",))
NEXT = "/api/v1/pushes/next"


@pytest.fixture
def watch() -> Watch:
    return Watch(NOON + timedelta(hours=1))


@pytest.fixture
def store(inbox_file: Path, watch: Watch) -> Iterator[SqlStore]:
    for open_inbox in opening(f"sqlite:///{inbox_file}"):
        yield open_inbox(clock=watch, route=routes((DESK, FAX)))


@pytest.fixture
def client(store: SqlStore) -> FlaskClient:
    return client_of(store, delivery=(DESK,))


def leased(client: FlaskClient, query: str = "") -> dict[str, Any]:
    answer = client.post(NEXT + query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def confirmed(client: FlaskClient, lease: dict[str, Any], query: str = "") -> int:
    return client.post(f"/api/v1/pushes/{lease['push']['id']}/confirm?lease={lease['lease']}{query}").status_code


def test_a_push_is_hidden_until_the_time_is_over_and_gone_when_it_is_confirmed(
    client: FlaskClient, store: SqlStore, watch: Watch
) -> None:
    ids = [store.accept(push(mrn, arrival=arrival(mrn)), STRICT).id for mrn in range(2)]
    first, second = leased(client, "?hold=900"), leased(client, "?hold=60")
    assert [one["push"]["id"] for one in (first, second)] == ids, "the one that has waited for longest first"
    assert first["held_until"] == "2026-11-23T13:15:00Z"
    assert client.post(NEXT).status_code == 204
    watch.goes(61)
    again = leased(client)
    assert (again["push"]["id"], again["attempt"]) == (ids[1], 2)
    assert confirmed(client, second) == 409, "somebody else has it"
    assert confirmed(client, again) == confirmed(client, first) == 204
    assert confirmed(client, first) == 409, "it is confirmed already"
    watch.goes(1e6)
    assert client.post(NEXT).status_code == 204


def test_a_late_confirmation_counts_as_long_as_nobody_else_has_it(
    client: FlaskClient, store: SqlStore, watch: Watch
) -> None:
    store.accept(push(), STRICT)
    lease = leased(client, "?hold=1")
    watch.goes(3600)
    assert confirmed(client, lease) == 204
    assert client.post(NEXT).status_code == 204


def test_a_token_that_was_guessed_confirms_nothing(client: FlaskClient, store: SqlStore) -> None:
    store.accept(push(), STRICT)
    lease = leased(client)
    for guess in ("", "0" * 32, lease["lease"][:-1], "a consumer:" + lease["lease"]):
        assert confirmed(client, {**lease, "lease": guess}) == 409
    assert confirmed(client, lease) == 204


def test_each_consumer_gets_what_passes_its_filter(store: SqlStore) -> None:
    client = client_of(store, delivery=(DESK, FAX))
    report = store.accept(push(1), STRICT).id
    assert client.post(NEXT).status_code == 400, "which consumer?"
    assert client.post(f"{NEXT}?consumer=nobody").status_code == 404
    assert client.post(f"{NEXT}?consumer=fax-desk").status_code == 204
    lease = leased(client, "?consumer=desk")
    assert lease["push"]["id"] == report
    assert confirmed(client, lease, "&consumer=fax-desk") == 409
    assert confirmed(client, lease, "&consumer=desk") == 204


@pytest.mark.parametrize("hold", ["", "0", "-1", "86401", "1e3", "ten", "9" * 30])
def test_a_hold_that_is_no_time_is_refused_and_takes_nothing(client: FlaskClient, store: SqlStore, hold: str) -> None:
    store.accept(push(), STRICT)
    answer = client.post(f"{NEXT}?hold={hold}")
    assert (answer.status_code, "wanted: seconds, from 1 to 86400" in answer.text) == (400, True)
    assert leased(client)["attempt"] == 1


def test_a_paused_consumer_gets_nothing_until_it_is_resumed(client: FlaskClient, store: SqlStore) -> None:
    store.accept(push(), STRICT)
    store.outbox.pause("desk")
    assert client.post(NEXT).status_code == 204
    store.outbox.resume("desk")
    assert leased(client)["attempt"] == 1
    paused = DESK.model_copy(update={"paused": True})
    assert client_of(store, delivery=(paused,)).post(NEXT).status_code == 204


def test_an_ordered_consumer_gets_the_next_push_when_it_has_confirmed(store: SqlStore) -> None:
    client = client_of(store, delivery=(DESK.model_copy(update={"ordered": True}),))
    ids = [store.accept(push(mrn, arrival=arrival(mrn)), STRICT).id for mrn in range(2)]
    first = leased(client)
    assert client.post(NEXT).status_code == 204
    assert confirmed(client, first) == 204
    assert [first["push"]["id"], leased(client)["push"]["id"]] == ids


def test_without_an_entry_there_is_nobody_to_ask_for(store: SqlStore) -> None:
    answer = client_of(store).post(NEXT)
    assert (answer.status_code, "[[delivery]]" in answer.text) == (404, True)


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}]
)
def test_a_page_of_another_site_takes_nothing(client: FlaskClient, store: SqlStore, headers: dict[str, str]) -> None:
    store.accept(push(), STRICT)
    assert client.post(NEXT, headers=headers).status_code == 403
    assert leased(client)["attempt"] == 1


def test_nothing_but_a_post_takes_a_push(client: FlaskClient, store: SqlStore) -> None:
    store.accept(push(), STRICT)
    assert client.get(NEXT).status_code in (404, 405)
    assert leased(client)["attempt"] == 1
