"""What was refused on the first days is taken later: `soapsvc inbox reprocess` beside a running service."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from tests.commands import soapsvc
from tests.pushing import ACKNOWLEDGEMENT, envelope, get, listed, post, running_service

REPORT = b"reference,status\nINV-1,Sent\n"
LARGE = 300_000  # over the size at which a document gets a file of its own
KILLS = 4


def deviating(mrn: int, document: bytes = REPORT) -> bytes:
    """A push that strict refuses, and observe takes."""
    return envelope(mrn, document).replace(b"<DocType>", b"<Extra/><DocType>")


def test_a_push_that_strict_refused_is_accepted_under_observe_and_its_sender_learns_of_the_first_time(
    tmp_path: Path,
) -> None:
    with running_service(tmp_path) as service:
        assert post(service.url, deviating(42)).status == 500
        (kept,) = listed(service.inbox)
        assert kept["state"] == "quarantined"
        words = ("inbox", "reprocess", "--quarantined", "--inbox", service.inbox)
        assert soapsvc(*words).stdout == f"{kept['id']} still refused (XSD-004)\n"
        done = soapsvc(*words, "--conformance", "observe")
        assert (done.returncode, done.stdout) == (0, f"{kept['id']} accepted\n")

        (accepted,) = listed(service.inbox)
        first_time = {name: kept[name] for name in ("id", "received_at", "source_ip")}
        assert accepted.items() >= {**first_time, "state": "accepted", "redeliveries": 0}.items()
        push_url = f"{service.admin_url}/api/v1/pushes/{kept['id']}"
        assert get(f"{push_url}/documents/1").body == REPORT
        assert get(f"{push_url}/raw").body == deviating(42)
        told = json.loads(get(push_url).body)
        assert (told["verdict"]["conformance"], told["verdict"]["accepted"]) == ("observe", True)
        (earlier,) = told["history"]
        assert (earlier["at"], earlier["conformance"]) == (kept["received_at"], "strict")
        assert [one["rule"] for one in earlier["refused_for"]] == ["XSD-004"]
        assert b"earlier verdict: 1 deviation" in get(f"{service.admin_url}/pushes/{kept['id']}").body
        assert json.loads(get(f"{service.admin_url}/api/v1/stats").body)["quarantine_bytes"] == 0

    with running_service(tmp_path, "--conformance", "observe") as service:
        again = post(service.url, deviating(42))
        assert again.status == 200
        assert ACKNOWLEDGEMENT in again.body
        milliseconds = kept["received_at"].removesuffix("Z")[: len("2026-11-23T08:00:01.000")]
        assert f"<tns:SubmissionTime>{milliseconds}Z<".encode() in again.body
        (stored,) = listed(service.inbox)
        assert (stored["id"], stored["redeliveries"]) == (kept["id"], 1)


def test_a_kill_leaves_each_push_in_quarantine_or_accepted_whole_while_others_come_in(tmp_path: Path) -> None:
    dice = random.Random(20261124)
    documents = {mrn: dice.randbytes(LARGE if mrn % 3 == 0 else 200) for mrn in range(1, 61)}
    with running_service(tmp_path) as service:
        for mrn, document in documents.items():
            assert post(service.url, deviating(mrn, document)).status == 500
        kept = {push["id"]: push for push in listed(service.inbox)}
        stop = threading.Event()
        acknowledged: list[int] = []

        def send() -> None:
            mrn = 1000
            while not stop.is_set():
                mrn += 1
                assert post(service.url, envelope(mrn)).acknowledged
                acknowledged.append(mrn)

        sender = threading.Thread(target=send)
        sender.start()
        command = [sys.executable, "-m", "soapsvc", "inbox", "reprocess", "--quarantined", "--conformance", "observe",
                   "--inbox", service.inbox]  # fmt: skip
        for _ in range(KILLS):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                told = process.stdout.readline()  # it is in the middle of it
                assert told.endswith(" accepted\n")
                time.sleep(dice.uniform(0, 0.01))
                process.kill()
        assert 0 < sum(push["state"] == "quarantined" for push in listed(service.inbox)) <= len(kept) - KILLS
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        stop.set()
        sender.join()

        stored = listed(service.inbox)
        assert Counter(push["state"] for push in stored) == {"accepted": len(kept) + len(acknowledged)}
        by_id = {push["id"]: push for push in stored}
        for push_id, push in kept.items():
            assert by_id[push_id]["received_at"] == push["received_at"]
            answer = get(f"{service.admin_url}/api/v1/pushes/{push_id}/documents/1")
            assert answer.body == documents[int(by_id[push_id]["job"]["mrn"])]
