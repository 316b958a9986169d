"""How deliveries, holds and retention stand, on the pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from soapsvc.delivery.routes import routes
from soapsvc.delivery_settings import Bounds, DeliverySettings, RetentionSettings
from soapsvc.inbox.outbox_writes import Settlement
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.settings import OwnSettings
from soapsvc.states import Move
from soapsvc.web.admin_app import admin_app
from soapsvc.web.desk import Desk
from tests.inbox.conftest import opening
from tests.inbox.making import NOON, STRICT, push
from tests.inbox.outbox_promises import Watch, claimed, delivered
from tests.web.looking import CONTRACT, Page, client_of

ENTRIES = tuple(
    DeliverySettings(name=name, target=target, paused=name == "app")
    for name, target in (
        ("app", "webhook+https://key@app.example.com/s3cret"), ("archive", "file:///srv/reports"),
        ("branch", "https://branch.example.com/push"), ("desk", "lease:"), ("late", "file:///srv/late"),
    )
)  # fmt: skip
RETENTION = RetentionSettings(accepted=Bounds(days=90, count=1000))


@pytest.fixture
def store(inbox_file: Path) -> Iterator[SqlStore]:
    for open_inbox in opening(f"sqlite:///{inbox_file}"):
        yield open_inbox(clock=Watch(NOON + timedelta(hours=1)), route=routes(ENTRIES))


@pytest.fixture
def client(store: SqlStore) -> FlaskClient:
    return client_of(store, delivery=ENTRIES, retention=RETENTION)


@pytest.fixture
def push_id(store: SqlStore) -> str:
    """Delivered to one target, a dead letter of another, with a consumer, and waiting for two."""
    found = store.accept(push(), STRICT).id
    delivered(store, "archive")
    held = claimed(store, "branch")
    assert store.outbox.settle(Settlement(held, Move.LAST_ATTEMPT_FAILED, NOON, "<b>Client fault</b>"))
    return str(found)


def of(page: Page) -> str:
    return page.text.partition("Deliveries")[2]


def test_the_page_of_a_push_says_of_each_delivery_how_it_stands_and_why(
    client: FlaskClient, store: SqlStore, push_id: str
) -> None:
    store.outbox.register(["app", "desk", "late"])
    store.outbox.pause("late")
    told = of(Page(client.get(f"/pushes/{push_id}")))
    for said in (
        "app pending not tried yet: paused in the settings",
        "archive delivered after 1 attempt",
        "branch dead letter after 1 attempt",
        "last attempt failed: <b>Client fault</b>",
        "desk pending not tried yet: consumers ask for it",
        "late pending not tried yet: paused since 2026-11-23 13:00:00Z",
    ):
        assert said in told, told
    claimed(store, "desk")
    assert "desk forwarding until 2026-11-23 13:01:00Z" in of(Page(client.get(f"/pushes/{push_id}")))


def test_a_push_that_is_held_says_since_when_and_why(client: FlaskClient, store: SqlStore, push_id: str) -> None:
    assert "Held" not in Page(client.get(f"/pushes/{push_id}")).text.partition("Deliveries")[0].partition("Push")[2]
    store.retention.hold(push_id, "asked for by <auditors>")
    page = Page(client.get(f"/pushes/{push_id}"))
    assert "since 2026-11-23 13:00:00Z: asked for by <auditors>. Retention leaves it alone." in page.text
    assert "held" in page.texts_of("span")


def test_the_overview_says_how_each_target_stands_and_what_stays(store: SqlStore, push_id: str) -> None:
    desk = Desk(store.search_index())

    def overview(**settings: object) -> str:
        return Page(admin_app(OwnSettings(**settings), store, CONTRACT, desk).test_client().get("/overview")).text

    text = overview(delivery=ENTRIES, retention=RETENTION)
    for said in ("app paused in the settings", "desk consumers ask for it"):
        assert said in text, text
    assert "What stays: accepted: 90 days, the newest 1000." in text
    assert "s3cret" not in text
    without = overview()
    assert "archive no longer in the settings" in without
    assert "there is no [retention]" in without
