"""The commands of deliveries, as programs of their own on a real store: target, requeue, hold, retention, worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from soapsvc.inbox.outbox_writes import Settlement
from soapsvc.inbox.sql_store import open_store
from soapsvc.states import CANCELLED, DEAD_LETTER, DELIVERED, PENDING, Move
from tests.cli.conftest import FIRST, MIB, Inbox
from tests.commands import soapsvc
from tests.inbox.outbox_promises import claimed, delivered, states

SETTINGS = """
[[delivery]]
name = "a"
target = "file://{there}/a"

[[delivery]]
name = "b"
target = "file://{there}/b"
paused = true

[retention]
accepted = {{ count = 0 }}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "soapsvc.toml"
    file.write_text(SETTINGS.format(there=tmp_path))
    return file


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """Three pushes: to `a` the first is delivered, the second is a dead letter, the third waits; to `b` all wait."""
    url = f"sqlite:///{tmp_path / 'inbox.db'}"
    store = open_store(url, quarantine_max_bytes=MIB, quarantine_max_bytes_per_source=MIB, route=lambda _: ("a", "b"))
    one = Inbox(url, store)
    for mrn in range(3):
        one.accept(one.push(mrn))
    delivered(store)
    store.outbox.settle(Settlement(claimed(store), Move.LAST_ATTEMPT_FAILED, FIRST, "no such \x1b[2Jmailbox"))
    yield one
    store.close()


def asked(inbox: Inbox, config: Path, *words: str, code: int = 0) -> str:
    done = soapsvc(*words, "--inbox", inbox.url, "--config", str(config))
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def ids(inbox: Inbox) -> list[str]:
    """Oldest first."""
    return [row.id for row in inbox.store.rows(limit=None)][::-1]


def test_targets_are_listed_paused_resumed_and_given_up(inbox: Inbox, config: Path) -> None:
    asked(inbox, config, "target", "pause", "a")
    told = [json.loads(line) for line in asked(inbox, config, "target", "list", "--json").splitlines()]
    assert [(one["name"], one["pending"], one["dead"], one["delivered"]) for one in told] == [
        ("a", 1, 1, 1), ("b", 3, 0, 0)
    ]  # fmt: skip
    assert (told[0]["paused_at"] is None, told[1]["paused_at"]) == (False, None)
    assert [(one["in_settings"], one["note"][:12]) for one in told] == [(True, "paused since"), (True, "paused in th")]
    asked(inbox, config, "target", "resume", "a")
    page = asked(inbox, config, "target", "list")
    assert "paused in the settings" in page
    assert "paused since" not in page
    assert "a, b" in asked(inbox, config, "target", "pause", "c", code=2)
    config.write_text('[[delivery]]\nname = "c"\ntarget = "lease:"\n')
    told = [json.loads(line) for line in asked(inbox, config, "target", "list", "--json").splitlines()]
    assert [(one["name"], one["note"]) for one in told] == [
        ("a", "no longer in the settings"), ("b", "no longer in the settings"), ("c", "consumers ask for it")
    ]  # fmt: skip
    asked(inbox, config, "target", "cancel", "a")
    assert [states(inbox.store, push_id)["a"] for push_id in ids(inbox)] == [DELIVERED, CANCELLED, CANCELLED]


def test_show_and_stats_tell_the_deliveries_with_what_was_said(inbox: Inbox, config: Path) -> None:
    page = asked(inbox, config, "inbox", "show", ids(inbox)[1])
    assert "last attempt failed: no such" in page
    assert "\x1b[2J" not in page
    record = json.loads(asked(inbox, config, "inbox", "show", ids(inbox)[1], "--json"))
    (dead, waits) = record["deliveries"]
    assert (dead["target"], dead["state"], dead["attempts"], waits["state"]) == ("a", "dead", 1, "pending")
    assert dead["tried"][0]["outcome"] == "last attempt failed"
    assert "target a" in asked(inbox, config, "inbox", "stats")
    stats = json.loads(asked(inbox, config, "inbox", "stats", "--json"))
    assert [one["name"] for one in stats["targets"]] == ["a", "b"]


def test_deliveries_are_put_back_by_push_by_target_and_all_dead_ones(inbox: Inbox, config: Path) -> None:
    first, second, third = ids(inbox)
    assert asked(inbox, config, "inbox", "requeue", second) == f"{second} a requeued\n{second} b requeued\n"
    assert asked(inbox, config, "inbox", "requeue", first, "--delivery", "a") == f"{first} a requeued\n"
    assert [states(inbox.store, push_id)["a"] for push_id in (first, second, third)] == [PENDING] * 3
    inbox.store.outbox.settle(Settlement(claimed(inbox.store), Move.LAST_ATTEMPT_FAILED, FIRST, "never"))
    assert (
        "1 dead letter put back"
        in soapsvc("inbox", "requeue", "--dead", "--inbox", inbox.url, "--config", str(config)).stderr
    )
    assert inbox.store.outbox.figures()[0].dead == 0
    assert "there is a, b" in asked(inbox, config, "inbox", "requeue", first, "--delivery", "c", code=2)
    asked(inbox, config, "inbox", "requeue", code=2)
    asked(inbox, config, "inbox", "requeue", first, "--dead", code=2)


def test_what_is_under_way_is_not_put_back(inbox: Inbox, config: Path) -> None:
    held = claimed(inbox.store)
    assert "forwarding" in asked(inbox, config, "inbox", "requeue", held.push_id, "--delivery", "a", code=1)


def test_retention_tells_before_it_removes_and_leaves_what_is_held_or_not_delivered(inbox: Inbox, config: Path) -> None:
    asked(inbox, config, "target", "cancel", "b")
    first, second, third = ids(inbox)
    assert asked(inbox, config, "inbox", "hold", first, "--reason", "a dispute") == f"{first} held\n"
    told = json.loads(asked(inbox, config, "inbox", "retention", "--dry-run", "--json"))
    assert (told["state"], told["pushes"], told["kept"]) == ("accepted", 0, 3)
    assert ids(inbox) == [first, second, third], "a dry run removes nothing"
    asked(inbox, config, "inbox", "release", first)
    asked(inbox, config, "inbox", "release", first, code=1)
    asked(inbox, config, "inbox", "retention", "--dry-run")
    asked(inbox, config, "inbox", "retention", "--apply")
    assert ids(inbox) == [second, third]
    assert "--dry-run" in asked(inbox, config, "inbox", "retention", code=2)
    assert states(inbox.store, second)["a"] is DEAD_LETTER


def test_a_worker_apart_delivers_until_it_is_told_to_end(inbox: Inbox, config: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "soapsvc", "worker", "--inbox", inbox.url, "--config", str(config)]
    third = ids(inbox)[2]
    with (tmp_path / "log").open("w") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            patience = time.monotonic() + 60
            while states(inbox.store, third)["a"] is not DELIVERED and time.monotonic() < patience:
                time.sleep(0.05)
        finally:
            os.kill(worker.pid, signal.SIGTERM)
            ended = worker.wait(60)
    assert ended == 0, (tmp_path / "log").read_text()
    assert states(inbox.store, third) == {"a": DELIVERED, "b": PENDING}, "b is paused in the settings"
    assert len([path for path in (tmp_path / "a").rglob("report*") if path.is_file()]) == 1


def test_a_worker_with_nothing_to_do_says_so(inbox: Inbox, tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("")
    assert "there is nothing to do" in asked(inbox, tmp_path / "empty.toml", "worker", code=2)
