"""An acknowledged push is there, once, whatever happens to the process that acknowledged it."""

from __future__ import annotations

import http.client
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

from tests.commands import soapsvc
from tests.pushing import envelope, listed, post, start_service

KILLS = int(os.environ.get("TEST_KILLS", "8"))
SENDERS = 6
LARGE = 300_000  # over the size at which a document gets a file of its own


def test_what_was_acknowledged_before_a_sigkill_is_stored_exactly_once(tmp_path: Path) -> None:
    dice = random.Random(20261123)
    acknowledged: Counter[int] = Counter()
    lock = threading.Lock()
    unanswered: list[int] = []  # a sender repeats what it got no answer for
    serial = iter(range(1, 10_000_000))

    def send(url: str, stop: threading.Event) -> None:
        while not stop.is_set():
            with lock:
                mrn = unanswered.pop() if unanswered else next(serial)
            document = f"{mrn},Sent\r\n".encode() * (LARGE // 10 if mrn % 17 == 0 else 20)
            try:
                answer = post(url, envelope(mrn, document))
            except (OSError, http.client.HTTPException):
                with lock:
                    unanswered.append(mrn)
                continue
            assert answer.acknowledged, answer
            with lock:
                acknowledged[mrn] += 1
                if mrn % 5 == 0 and acknowledged[mrn] < 2:
                    unanswered.append(mrn)  # as if the acknowledgement had been lost

    for _ in range(KILLS):
        service = start_service(tmp_path)
        stop = threading.Event()
        senders = [threading.Thread(target=send, args=(service.url, stop)) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        time.sleep(dice.uniform(0.05, 0.8))
        service.kill()
        stop.set()
        for sender in senders:
            sender.join()

    stored = listed(f"sqlite:///{tmp_path / 'inbox.db'}")
    times_stored = Counter(int(push["job"]["mrn"]) for push in stored)
    assert len(acknowledged) > 10 * KILLS, "the senders hardly got anything through: this shows nothing"
    assert [mrn for mrn in acknowledged if not times_stored[mrn]] == [], "acknowledged and lost"
    assert [mrn for mrn, times in times_stored.items() if times > 1] == [], "stored twice"
    assert {push["state"] for push in stored} == {"accepted"}
    large = next(push for push in stored if push["documents"][0]["size_bytes"] > LARGE - 100_000)
    done = soapsvc("inbox", "get", large["id"], "--inbox", f"sqlite:///{tmp_path / 'inbox.db'}")
    assert len(done.stdout.replace("\r\n", "\n").replace("\n", "\r\n")) == large["documents"][0]["size_bytes"]
    print(
        f"{KILLS} kills, {sum(acknowledged.values())} acknowledgements of {len(acknowledged)} pushes, 0 lost, 0 twice"
    )
