"""Two receivers on one PostgreSQL, as on two machines behind a load balancer; one of them is killed under load."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from pathlib import Path

from soapsvc.inbox.postgres_index import LEASE_SECONDS
from tests.postgres import PostgresServer
from tests.pushing import envelope, get, listed, post, start_service

SENDERS = 8
LARGE = 300_000


def test_two_receivers_store_each_push_once_and_one_of_them_may_die(postgres: PostgresServer, tmp_path: Path) -> None:
    inbox = f"{postgres.url}/{postgres.database()}"
    services = [
        start_service(tmp_path / name, "--inbox", inbox, settings=f'spool = "{tmp_path / name / "spool"}"\n')
        for name in ("one", "two")
    ]
    acknowledged: Counter[int] = Counter()
    answers: dict[int, set[bytes]] = {}
    times: list[float] = []
    serial, lock, stop = itertools.count(1), threading.Lock(), threading.Event()

    def send_to_both(mrn: int) -> None:
        """At once, as a sender that repeats what it got no answer for may do."""
        document = f"{mrn},Sent\r\n".encode() * (LARGE // 10 if mrn % 19 == 0 else 20)

        def send(url: str) -> None:
            try:
                answer = post(url, envelope(mrn, document))
            except (OSError, http.client.HTTPException):
                return  # the one that was killed
            assert answer.acknowledged, answer
            with lock:
                acknowledged[mrn] += 1
                answers.setdefault(mrn, set()).add(answer.body)
                times.append(time.monotonic())

        both = [threading.Thread(target=send, args=(service.url,)) for service in services]
        for one in both:
            one.start()
        for one in both:
            one.join()

    def keep_sending() -> None:
        while not stop.is_set():
            send_to_both(next(serial))

    senders = [threading.Thread(target=keep_sending) for _ in range(SENDERS)]
    try:
        for sender in senders:
            sender.start()
        time.sleep(4)
        services[0].kill()
        killed_at = time.monotonic()
        time.sleep(4)
    finally:
        stop.set()
        for sender in senders:
            sender.join()
        for service in services:
            if service.process.poll() is None:
                service.terminate()

    stored = Counter(int(push["job"]["mrn"]) for push in listed(inbox))
    to_next = min(at for at in times if at > killed_at) - killed_at
    twice = sum(1 for times_acknowledged in acknowledged.values() if times_acknowledged == 2)
    print(
        f"{sum(acknowledged.values())} acknowledgements of {len(acknowledged)} pushes, {twice} by both receivers, "
        f"0 lost, 0 twice; {to_next * 1000:.0f} ms from SIGKILL to the next acknowledgement, "
        f"{sum(1 for at in times if at > killed_at)} after it"
    )
    assert twice > 50, "hardly a push came to both: this shows nothing"
    assert [mrn for mrn in acknowledged if not stored[mrn]] == [], "acknowledged and lost"
    assert [mrn for mrn, times_stored in stored.items() if times_stored > 1] == [], "stored twice"
    assert [mrn for mrn, bodies in answers.items() if len(bodies) > 1] == [], "two answers to one push"
    assert to_next < 5
    assert (tmp_path / "two" / "log").read_text().count("Traceback") == 0


def test_the_search_goes_on_when_the_receiver_is_killed_that_fills_its_index(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    database = postgres.database()
    services = {}
    for name in ("one", "two"):
        spool = f'spool = "{tmp_path / name / "spool"}"\n'
        services[name] = start_service(tmp_path / name, "--inbox", f"{postgres.url}/{database}", settings=spool)
        while name == "one" and postgres.sql("SELECT filled_by FROM search_state", database) == [("",)]:
            time.sleep(0.05)

    def seconds_until_found(mrn: int, name: str) -> float:
        began = time.monotonic()
        while time.monotonic() - began < 60:
            found = json.loads(get(f"{services[name].admin_url}/api/v1/pushes?q=S{mrn}").body)["pushes"]
            if [push["job"]["mrn"] for push in found] == [str(mrn)]:
                break
            time.sleep(0.1)
        return time.monotonic() - began

    try:
        assert post(services["two"].url, envelope(71)).acknowledged
        assert seconds_until_found(71, "two") < 10, "entered by the first, found by the second"
        services["one"].kill()
        assert post(services["two"].url, envelope(72)).acknowledged
        assert seconds_until_found(72, "two") < LEASE_SECONDS + 10
        assert list((tmp_path / "two" / "spool").glob("index*")) == []
    finally:
        for service in services.values():
            if service.process.poll() is None:
                service.terminate()
