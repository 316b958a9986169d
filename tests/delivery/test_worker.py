"""The worker of a running receiver: what a sender notices of it, what it makes of a target's answers, how it ends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from soapsvc.delivery.claims_held import ClaimsHeld
from soapsvc.delivery.dispatcher import Dispatcher
from soapsvc.delivery.lane import Lane
from soapsvc.delivery_settings import DeliverySettings
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.serving.service import RunningServer
from soapsvc.settings import load_settings
from soapsvc.states import DEAD_LETTER, DELIVERED, FORWARDING
from soapsvc.targets.opening import open_target
from soapsvc.targets.options import TargetOptions
from tests.inbox.making import NOON, STRICT, OpenStore, push
from tests.inbox.outbox_promises import Watch, claimed, states
from tests.pushing import envelope, get, post, running_service
from tests.targets.servers import HttpServer, http_server

PATIENCE_SECONDS = 40
BLOCKED = """#!/bin/sh
cat > /dev/null
echo "$SOAPSVC_PUSH_ID" >> {told}
while [ ! -e {go} ]; do sleep 0.05; done
"""


def until(reached: Callable[[], bool]) -> None:
    patience = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < patience
        time.sleep(0.02)


def running(tmp_path: Path, entry: str) -> RunningServer:
    config = tmp_path / "soapsvc.toml"
    config.write_text(f'[[delivery]]\nname = "a"\n{entry}')
    flags = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "inbox": f"sqlite:///{tmp_path / 'inbox.db'}"}
    return RunningServer(load_settings(flags, config))


def deliveries(admin_url: str) -> list[dict[str, Any]]:
    """Oldest push first."""
    api = f"{admin_url.rstrip('/')}/api/v1/pushes"
    rows = json.loads(get(api).body)["pushes"]
    return [json.loads(get(f"{api}/{row['id']}").body)["deliveries"][0] for row in reversed(rows)]


def blocked(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A command that does not end before there is a file; the file; and what it told."""
    command, go, told = tmp_path / "take", tmp_path / "go", tmp_path / "told"
    told.touch()
    command.write_text(BLOCKED.format(told=told, go=go))
    command.chmod(0o755)
    return command, go, told


def test_a_target_that_takes_its_time_delays_no_acknowledgement(tmp_path: Path) -> None:
    command, go, _ = blocked(tmp_path)
    with running(tmp_path, f'target = "exec:{command}"\n') as server:
        for mrn in range(3):
            assert post(server.public_url, envelope(mrn)).acknowledged
        assert not [one for one in deliveries(server.admin_url) if one["state"] == "delivered"]
        go.touch()
        until(lambda: [one["state"] for one in deliveries(server.admin_url)] == ["delivered"] * 3)


def test_a_target_that_is_down_gets_it_later_and_one_that_refuses_makes_a_dead_letter(tmp_path: Path) -> None:
    with http_server() as app:
        app.status, app.body = 503, b"closed for lunch"
        options = "options = { allow_internal = true }\nattempts = 50\ngaps = [0.05]\n"
        with running(tmp_path, f'target = "webhook+{app.url}"\n{options}') as server:
            assert post(server.public_url, envelope(1)).acknowledged
            until(lambda: len(app.came) >= 2)
            app.status, app.body = 200, b""
            until(lambda: deliveries(server.admin_url)[0]["state"] == "delivered")
            app.status, app.body = 410, b"no more"
            assert post(server.public_url, envelope(2)).acknowledged
            until(lambda: deliveries(server.admin_url)[1]["state"] == "dead")
            first, second = deliveries(server.admin_url)
    assert {headers["webhook-id"] for headers, _ in app.came[: first["attempts"]]} == {app.came[0][0]["webhook-id"]}
    assert [one["outcome"] for one in first["tried"]][-1] == "acknowledged"
    assert {one["said"] for one in first["tried"][:-1]} == {
        f"webhook+{app.url} answers HTTP 503: closed for lunch"
    }  # fmt: skip
    assert (second["attempts"], second["tried"][0]["outcome"]) == (1, "last attempt failed")
    assert "HTTP 410" in second["tried"][0]["said"]


def test_receivers_in_several_processes_have_their_deliveries_made(tmp_path: Path) -> None:
    there = tmp_path / "there"
    settings = f'[[delivery]]\nname = "a"\ntarget = "file://{there}"\n'
    with running_service(tmp_path, "--processes", "2", settings=settings) as service:
        for mrn in range(4):
            assert post(service.url, envelope(mrn)).acknowledged
        until(lambda: [one["state"] for one in deliveries(service.admin_url)] == ["delivered"] * 4)
    assert len(list(there.glob("*/*/*.csv"))) == 4


def two_workers(open_inbox: OpenStore, command: Path) -> tuple[list[SqlStore], list[Dispatcher]]:
    """Which deliver what the same inbox has to that command, and claim it for 3 seconds; neither has begun."""
    entry = DeliverySettings(name="a", target=f"exec:{command}")
    stores = [open_inbox(route=lambda _: ("a",)) for _ in range(2)]
    return stores, [
        Dispatcher(store, [(entry, open_target(entry.target, TargetOptions()))], claim_seconds=3) for store in stores
    ]


def test_a_worker_that_is_slow_keeps_its_claim_and_one_that_ends_waits_for_it(
    open_inbox: OpenStore, tmp_path: Path
) -> None:
    """The attempt takes longer than a claim; a second worker looks on."""
    command, go, told = blocked(tmp_path)
    stores, workers = two_workers(open_inbox, command)
    for worker in workers:
        worker.start()
    accepted = stores[0].accept(push(), STRICT)
    until(lambda: states(stores[0], accepted.id) == {"a": FORWARDING})
    time.sleep(4)
    threading.Timer(0.5, go.touch).start()
    assert all(worker.stop(PATIENCE_SECONDS) for worker in workers)
    (delivery,) = stores[0].stored(accepted.id).deliveries
    assert (delivery.state, delivery.attempts) == (DELIVERED, 1)
    assert told.read_text().split() == [accepted.id]


def test_a_worker_that_begins_nothing_more_keeps_the_claim_of_what_is_under_way(
    open_inbox: OpenStore, tmp_path: Path
) -> None:
    """As one does whose receiver still waits for a sender."""
    command, go, told = blocked(tmp_path)
    stores, (ends, looks_on) = two_workers(open_inbox, command)
    ends.start()
    accepted = stores[0].accept(push(), STRICT)
    until(lambda: bool(told.read_text()))
    ends.begin_nothing_more()
    looks_on.start()
    time.sleep(5)
    go.touch()
    assert ends.stop(PATIENCE_SECONDS)
    assert looks_on.stop(PATIENCE_SECONDS)
    assert told.read_text().split() == [accepted.id]


def test_a_push_that_takes_each_worker_with_it_is_a_dead_letter_in_the_end(open_inbox: OpenStore) -> None:
    watch = Watch()
    store = open_inbox(route=lambda _: ("a",), clock=watch)
    accepted = store.accept(push(), STRICT)
    for _ in range(3):
        claimed(store)  # and the worker dies
        watch.goes(61)
    with http_server() as app:
        assert lane(store, app, attempts=3, clock=watch).step()
        assert app.came == []
    (delivery,) = store.stored(accepted.id).deliveries
    assert delivery.state is DEAD_LETTER
    assert "did not come back" in delivery.tried[-1].said


def test_a_push_that_cannot_be_read_is_tried_again(open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_inbox(route=lambda _: ("a",), clock=lambda: NOON + timedelta(hours=1))
    accepted = store.accept(push(), STRICT)
    with http_server() as app:
        with monkeypatch.context() as patch:
            patch.setattr(store, "stored", lambda _: 1 / 0)
            assert lane(store, app, attempts=9).step()
        assert lane(store, app, attempts=9).step()
        assert len(app.came) == 1
    first, second = store.stored(accepted.id).deliveries[0].tried
    assert first.said == "internal error (ZeroDivisionError); the log has it"
    assert second.outcome == "acknowledged"


def lane(store: SqlStore, app: HttpServer, attempts: int, clock: Callable[[], Any] | None = None) -> Lane:
    entry = DeliverySettings(name="a", target=f"webhook+{app.url}", attempts=attempts, gaps=(0.0,))
    target = open_target(entry.target, TargetOptions(allow_internal=True))
    return Lane(entry, target, store, ClaimsHeld(60), worker="test:1", pause=lambda _: True,
                clock=clock or (lambda: NOON + timedelta(hours=1)))  # fmt: skip
