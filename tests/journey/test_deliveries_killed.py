"""Three deliveries of each push from a receiver that is killed every second: each arrives, and none is missing.

TEST_DELIVERED_PUSHES says how many pushes. What a target gets twice has the same id: the share of it is printed.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections import Counter
from pathlib import Path

from tests.commands import soapsvc
from tests.pushing import envelope, listed, post, start_service
from tests.targets.servers import http_server

PUSHES = int(os.environ.get("TEST_DELIVERED_PUSHES", "24"))
LIVES_SECONDS = 1.0
LEAST_KILLS = 2
SENDERS = 2 + PUSHES // 150
PAUSE_SECONDS = 0.12  # of a sender between two pushes, so that they come in over several lives
PATIENCE_SECONDS = 120 + 3 * PUSHES  # for all of it, on a machine that does other things too

SETTINGS = """
delivery_claim_seconds = 2

[[delivery]]
name = "app"
target = "webhook+{webhook}"
options = {{ allow_internal = true }}
attempts = 1000
gaps = [0.2]
parallel = 2

[[delivery]]
name = "archive"
target = "file://{archive}"
options = {{ name_template = "{{id}}/{{filename}}" }}
attempts = 1000
gaps = [0.2]
parallel = 2

[[delivery]]
name = "command"
target = "exec:{command}"
attempts = 1000
gaps = [0.2]
parallel = 2
"""
COMMAND = """#!/bin/sh
cat > /dev/null
echo "$SOAPSVC_PUSH_ID" >> {told}
"""


def document_of(mrn: int) -> bytes:
    return f"{mrn},Sent\r\n".encode() * 20


def test_every_push_reaches_each_of_three_targets_while_the_receiver_is_killed_every_second(tmp_path: Path) -> None:
    archive, command, told = tmp_path / "archive", tmp_path / "take", tmp_path / "told"
    archive.mkdir()
    told.touch()
    command.write_text(COMMAND.format(told=told))
    command.chmod(0o755)
    numbers, acknowledged = iter(range(1, PUSHES + 1)), set[int]()
    lock, ended, url = threading.Lock(), threading.Event(), [""]

    def send() -> None:
        """As a sender does: a push that got no acknowledgement is sent again."""
        for mrn in iter(lambda: _next(numbers, lock), None):
            while not ended.is_set():
                try:
                    if post(url[0], envelope(mrn, document_of(mrn))).acknowledged:
                        acknowledged.add(mrn)
                        break
                except (OSError, ValueError, http.client.HTTPException):
                    pass
                time.sleep(PAUSE_SECONDS)
            time.sleep(PAUSE_SECONDS)

    with http_server() as webhook:
        settings = SETTINGS.format(webhook=webhook.url, archive=archive, command=command)

        def arrived() -> tuple[list[str], list[str], list[str]]:
            """Ids that each target has, as often as it was told of them."""
            by_webhook = [headers.get("webhook-id") or headers["Webhook-Id"] for headers, _ in list(webhook.came)]
            return by_webhook, [one.parent.name for one in archive.glob("*/report_*.csv")], told.read_text().split()

        senders = [threading.Thread(target=send) for _ in range(SENDERS)]
        patience, kills = time.monotonic() + PATIENCE_SECONDS, 0
        try:
            while time.monotonic() < patience:
                service = start_service(tmp_path, settings=settings)
                url[0] = service.url
                for sender in senders:
                    if not sender.ident:
                        sender.start()
                time.sleep(LIVES_SECONDS)
                service.kill()
                kills += 1
                if kills >= LEAST_KILLS and all(len(set(ids)) == PUSHES for ids in arrived()):
                    break
        finally:
            ended.set()
            for sender in senders:
                sender.join()

        service = start_service(tmp_path, settings=settings)  # what was delivered and not written down, is now
        try:
            while True:
                standing = _standing(tmp_path / "soapsvc.toml", service.inbox)
                if not any(one["pending"] or one["forwarding"] for one in standing.values()):
                    break
                assert time.monotonic() < patience, standing
                time.sleep(0.3)
        finally:
            service.terminate()

        stored = {push["id"]: int(push["job"]["mrn"]) for push in listed(service.inbox)}
        assert acknowledged == set(stored.values()) == set(range(1, PUSHES + 1))
        assert set(Counter(stored.values()).values()) == {1}
        assert {name: (one["delivered"], one["dead"]) for name, one in standing.items()} == dict.fromkeys(
            ("app", "archive", "command"), (PUSHES, 0)
        )
        by_webhook, files, by_command = arrived()
        missing = [set(stored) - set(ids) for ids in (by_webhook, files, by_command)]
        assert missing == [set(), set(), set()]
        for push_id, mrn in stored.items():
            (file,) = (archive / push_id).iterdir()
            assert file.read_bytes() == document_of(mrn), "whole, and once"
        assert set(by_webhook) | set(by_command) == set(stored), "a repeat has the id of the first time"
        repeats = [len(ids) - PUSHES for ids in (by_webhook, by_command)]
        print(
            f"{PUSHES} pushes to 3 targets, {kills} kills: 0 missing; repeats at the webhook {repeats[0]}"
            f" ({repeats[0] / PUSHES:.1%}), at the command {repeats[1]} ({repeats[1] / PUSHES:.1%}), in the directory 0"
        )


def _next(numbers: object, lock: threading.Lock) -> int | None:
    with lock:
        return next(numbers, None)  # type: ignore[call-overload,no-any-return]


def _standing(config: Path, inbox: str) -> dict[str, dict[str, int]]:
    done = soapsvc("target", "list", "--json", "--config", str(config), "--inbox", inbox)
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}
