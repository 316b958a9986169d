"""The primary dies under load, its synchronous standby takes over: what was acknowledged is there."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.postgres import USER, PostgresServer, running_server
from tests.pushing import envelope, listed, post, start_service

SENDERS = 6
LARGE = 300_000
SENDER_SECONDS = 15.0


def wait_until_synchronous(primary: PostgresServer) -> None:
    patience = time.monotonic() + 30
    while primary.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") != [(1,)]:
        assert time.monotonic() < patience, primary.log
        time.sleep(0.1)


def test_after_a_fail_over_every_acknowledged_push_is_there(tmp_path: Path) -> None:
    with running_server("wal_level=replica", "max_wal_senders=5") as primary:
        standby = primary.standby()
        try:
            standby.start()
            primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.sql("SELECT pg_reload_conf()")
            wait_until_synchronous(primary)
            _fail_over(primary, standby, tmp_path)
        finally:
            standby.remove()


def _fail_over(primary: PostgresServer, standby: PostgresServer, folder: Path) -> None:
    hosts = f"host=127.0.0.1,127.0.0.1&port={primary.port},{standby.port}&target_session_attrs=read-write"
    inbox = f"postgresql+psycopg://{USER}@/{primary.database()}?{hosts}"
    services = [
        start_service(folder / name, "--inbox", inbox, settings=f'spool = "{folder / name / "spool"}"\n')
        for name in ("one", "two")
    ]
    acknowledged: Counter[int] = Counter()
    unanswered: list[int] = []
    times: list[float] = []
    waits: list[float] = []
    serial, lock, stop = itertools.count(1), threading.Lock(), threading.Event()

    def keep_sending(urls: itertools.cycle[str]) -> None:
        while not stop.is_set():
            with lock:
                mrn = unanswered.pop(0) if unanswered else next(serial)
            document = f"{mrn},Sent\r\n".encode() * (LARGE // 10 if mrn % 19 == 0 else 20)
            began = time.monotonic()
            try:
                answer = post(next(urls), envelope(mrn, document))
            except (OSError, http.client.HTTPException):
                answer = None
            ended = time.monotonic()
            with lock:
                waits.append(ended - began)
                if answer is not None and answer.acknowledged:
                    acknowledged[mrn] += 1
                    times.append(ended)
                else:
                    unanswered.append(mrn)
            if answer is None or not answer.acknowledged:
                time.sleep(0.2)

    def after(moment: float) -> list[float]:
        return [at for at in times if at > moment]

    senders = [
        threading.Thread(target=keep_sending, args=(itertools.cycle(service.url for service in services),))
        for _ in range(SENDERS)
    ]
    try:
        for sender in senders:
            sender.start()
        time.sleep(4)
        before = sum(acknowledged.values())
        primary.kill()
        killed_at = time.monotonic()
        time.sleep(1)
        standby.promote()
        promoted_at = time.monotonic()
        patience = promoted_at + 40
        while not after(promoted_at) and time.monotonic() < patience:
            time.sleep(0.05)
        time.sleep(4)
    finally:
        stop.set()
        for sender in senders:
            sender.join()
        for service in services:
            if service.process.poll() is None:
                service.terminate()

    assert before > 50, "hardly a push came in before: this shows nothing"
    assert len(after(promoted_at)) > 50, (folder / "one" / "log").read_text()[-3000:]
    stored = Counter(int(push["job"]["mrn"]) for push in listed(inbox))
    print(
        f"{sum(acknowledged.values())} acknowledgements of {len(acknowledged)} pushes, {before} before the kill, "
        f"0 lost, 0 twice; {min(after(promoted_at)) - killed_at:.1f} s from SIGKILL of the primary to the next "
        f"acknowledgement, {min(after(promoted_at)) - promoted_at:.1f} s from the promotion; "
        f"the longest wait of a sender {max(waits):.1f} s"
    )
    assert [mrn for mrn in acknowledged if not stored[mrn]] == [], "acknowledged and lost"
    assert [mrn for mrn, times_stored in stored.items() if times_stored > 1] == [], "stored twice"
    assert max(waits) < SENDER_SECONDS


@pytest.fixture(autouse=True)
def _loopback_alone() -> None:
    """The servers listen on 127.0.0.1, on ports that were free a moment ago."""
