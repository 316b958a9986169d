"""The receiver by its retry schedule, then the backups: who has the push, and every attempt with time and reason."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from soapsvc.errors import SendError, SettingsError
from soapsvc.records import JobId
from soapsvc.sender import (
    SCHEDULES,
    Backup,
    Faults,
    Holder,
    Outcome,
    Profile,
    PushContent,
    RetrySchedule,
    Sender,
    SentDocument,
)
from soapsvc.targets.options import TargetOptions
from tests.pushing import free_port
from tests.sender.test_push_client import ACKNOWLEDGEMENT, FAULT
from tests.targets.servers import HttpServer, http_server

START = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
REPORT = PushContent((SentDocument.of("report.csv", b"a,b\r\n"),), (("Subject", "s"),), JobId("test2", "7"))


class Time:
    """A clock that moves when somebody waits, and only then."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def __call__(self) -> datetime:
        return START + timedelta(seconds=sum(self.waits))

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
def receiver() -> Iterator[HttpServer]:
    with http_server() as server:
        server.body = ACKNOWLEDGEMENT.encode()
        yield server


def answers(server: HttpServer, *told: tuple[int, str]) -> None:
    """One answer after another; the last one holds."""
    left, lock = list(told), threading.Lock()

    def instead(handler: BaseHTTPRequestHandler) -> None:
        came = handler.rfile.read(int(handler.headers["Content-Length"]))
        with lock:
            server.came.append((dict(handler.headers), came))
            status, text = left.pop(0) if len(left) > 1 else left[0]
        body = text.encode()
        handler.send_response(status)
        for name, value in {"Content-Type": "text/xml", "Content-Length": str(len(body)), **server.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    server.instead = instead


def sent(profile: Profile, time: Time | None = None, faults: Faults | None = None) -> Outcome:
    time = time or Time()
    with Sender(profile, faults=faults or Faults(), clock=time, sleep=time.sleep) as sender:
        return sender.push(REPORT)


def test_what_the_receiver_acknowledges_is_told_with_its_answer(receiver: HttpServer) -> None:
    outcome = sent(Profile(receiver.url))
    assert (outcome.holder, outcome.answer) == (Holder.RECEIVER, ACKNOWLEDGEMENT.encode())
    (attempt,) = outcome.attempts
    assert (attempt.at, attempt.taken, attempt.told, attempt.target) == (START, True, "StatusCode 0", receiver.url)
    assert outcome.receipt is not None
    assert (outcome.receipt.target, outcome.reason) == (receiver.url, "")


def test_the_same_bytes_go_out_at_the_times_of_the_schedule_until_it_is_acknowledged(receiver: HttpServer) -> None:
    busy = FAULT.format("Server")
    answers(receiver, (500, busy), (503, "later"), (200, "<html/>"), (200, ACKNOWLEDGEMENT))
    time = Time()
    outcome = sent(Profile(receiver.url, schedule=RetrySchedule.of(5, (10.0, 20.0, 40.0))), time)
    assert outcome.holder is Holder.RECEIVER
    assert time.waits == [10, 20, 40]
    assert [(one.at - START).total_seconds() for one in outcome.attempts] == [0, 10, 30, 70]
    assert [one.taken for one in outcome.attempts] == [False, False, False, True]
    assert "Fault Server" in outcome.attempts[0].told
    assert len({body for _, body in receiver.came}) == 1


def test_a_no_for_good_ends_the_attempts_and_the_backup_has_it(receiver: HttpServer, tmp_path: Path) -> None:
    answers(receiver, (500, FAULT.format("Client")))
    time = Time()
    profile = Profile(receiver.url, backups=(Backup(tmp_path.as_uri()),), schedule=SCHEDULES["steps-24h"])
    outcome = sent(profile, time)
    assert (outcome.holder, time.waits, len(receiver.came)) == (Holder.BACKUP, [], 1)
    assert [(one.is_backup, one.taken, one.final) for one in outcome.attempts] == [
        (False, False, True),
        (True, True, False),
    ]
    assert "Fault Client" in outcome.reason
    assert sorted(file.name for file in tmp_path.rglob("report*")) == [
        "report.csv",
        "report.csv.envelope.xml",
        "report.csv.json",
    ]


def test_a_receiver_that_says_when_is_asked_no_earlier_and_by_the_compressed_time(receiver: HttpServer) -> None:
    receiver.headers = {"Retry-After": "600"}
    answers(receiver, (503, "later"), (503, "later"), (200, ACKNOWLEDGEMENT))
    time = Time()
    sent(Profile(receiver.url, schedule=RetrySchedule.of(3, (60.0, 3600.0)).compressed(10)), time)
    assert time.waits == [60, 360]


def test_the_backups_are_tried_in_their_order_each_by_its_own_schedule(receiver: HttpServer, tmp_path: Path) -> None:
    gone = [f"http://127.0.0.1:{free_port()}/push" for _ in range(2)]
    time = Time()
    outcome = sent(
        Profile(
            gone[0], backups=(Backup(gone[1]), Backup(receiver.url), Backup(tmp_path.as_uri())),
            backup_schedule=RetrySchedule.of(2, 3.0),
        ),
        time,
    )  # fmt: skip
    assert [one.target for one in outcome.attempts] == [gone[0], gone[1], gone[1], receiver.url]
    assert (outcome.holder, time.waits, list(tmp_path.iterdir())) == (Holder.BACKUP, [3], [])
    assert outcome.as_object()["target"] == receiver.url


def test_with_nobody_the_outcome_has_every_reason_and_nothing_is_raised() -> None:
    outcome = sent(Profile(f"http://127.0.0.1:{free_port()}/push", schedule=RetrySchedule.of(3, 1.0)))
    assert (outcome.holder, outcome.receipt, len(outcome.attempts)) == (Holder.NOBODY, None, 3)
    assert "Connection refused" in outcome.reason


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_of_the_field_is_kept_to_the_second(name: str, receiver: HttpServer) -> None:
    answers(receiver, (503, "later"))
    time = Time()
    outcome = sent(Profile(receiver.url, schedule=SCHEDULES[name]), time)
    assert len(outcome.attempts) == SCHEDULES[name].attempts == len(receiver.came)
    assert tuple(time.waits) == SCHEDULES[name].gaps_seconds


def test_the_schedules_of_the_field_are_as_they_are_published() -> None:
    hours = {name: round(one.total_seconds / 3600, 1) for name, one in SCHEDULES.items()}
    assert hours == {"once": 0, "growing-24h": 22.1, "steps-24h": 24.0, "steps-48h": 47.2, "steps-4d": 78.6}
    assert max(SCHEDULES["growing-24h"].gaps_seconds) == 7200
    retries = {name: len(one.gaps_seconds) for name, one in SCHEDULES.items()}
    assert (retries["steps-24h"], retries["steps-48h"], retries["steps-4d"]) == (16, 12, 7)


# Faults --------------------------------------------------------------------------------------------------------------


def test_a_lost_acknowledgement_is_followed_by_the_same_bytes(receiver: HttpServer) -> None:
    outcome = sent(Profile(receiver.url), faults=Faults(lose_ack=True))
    assert [one.taken for one in outcome.attempts] == [False, True]
    assert "on purpose before the acknowledgement" in outcome.attempts[0].told
    assert outcome.holder is Holder.RECEIVER
    bodies = [body for _, body in receiver.came]
    assert bodies == [bodies[0]] * 2


@pytest.mark.parametrize("after_bytes", [0, 100, 10**9])
def test_a_cut_ends_in_the_middle_and_the_next_attempt_is_whole(receiver: HttpServer, after_bytes: int) -> None:
    pieces: Queue[int] = Queue()

    def instead(handler: BaseHTTPRequestHandler) -> None:
        wanted = int(handler.headers["Content-Length"])
        came = handler.rfile.read(wanted)
        pieces.put(len(came))
        if len(came) == wanted:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(receiver.body)))
            handler.end_headers()
            handler.wfile.write(receiver.body)

    receiver.instead = instead
    outcome = sent(Profile(receiver.url), faults=Faults(cut_after_bytes=after_bytes))
    assert outcome.holder is Holder.RECEIVER
    cut, whole = sorted(pieces.get(timeout=20) for _ in range(2))  # each connection has a thread of its own
    assert cut == min(after_bytes, whole - 1)
    assert f"cut on purpose after {cut} of {whole} bytes" in outcome.attempts[0].told


def test_two_at_once_are_both_answered(receiver: HttpServer) -> None:
    outcome = sent(Profile(receiver.url), faults=Faults(twice_at_once=True))
    assert len(receiver.came) == 2
    (attempt,) = outcome.attempts
    assert "both of two at once were acknowledged, with the same bytes" in attempt.told


def test_of_two_at_once_one_that_is_not_acknowledged_is_told(receiver: HttpServer) -> None:
    answers(receiver, (200, ACKNOWLEDGEMENT), (500, FAULT.format("Server")))
    outcome = sent(Profile(receiver.url), faults=Faults(twice_at_once=True))
    assert outcome.holder is Holder.RECEIVER
    assert "one of two at once was not acknowledged: Fault Server" in outcome.attempts[0].told


def test_a_slow_push_takes_its_time_and_arrives_whole(receiver: HttpServer) -> None:
    outcome = sent(Profile(receiver.url), faults=Faults(slow_bytes_per_second=10_000))
    ((_, body),) = receiver.came
    assert outcome.holder is Holder.RECEIVER
    assert outcome.attempts[0].seconds >= len(body) / 10_000


@pytest.mark.parametrize("wrong", [{"slow_bytes_per_second": -1}, {"cut_after_bytes": -1},
                                   {"lose_ack": True, "twice_at_once": True}])  # fmt: skip
def test_faults_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Faults(**wrong)


# What is told beside the push ----------------------------------------------------------------------------------------


def test_the_properties_of_the_profile_come_before_those_of_the_push(receiver: HttpServer) -> None:
    with Sender(Profile(receiver.url, properties=(("UserAccountNumber", "2"),))) as sender:
        made = sender.make(REPORT)
    assert [one.name for one in made.outgoing.properties] == ["UserAccountNumber", "Subject"]


def test_what_cannot_be_made_is_not_sent(receiver: HttpServer) -> None:
    with Sender(Profile(receiver.url)) as sender, pytest.raises(SendError):
        sender.push(PushContent(REPORT.documents, job=JobId("a", "b")))
    assert receiver.came == []


def test_a_sender_is_told_of_an_unusable_backup_before_anything_is_sent() -> None:
    with pytest.raises(SettingsError, match="smtp_url"):
        Sender(Profile("http://127.0.0.1:9/push", backups=(Backup("mailto:a@example.com"),)))


def test_no_secret_prints(receiver: HttpServer) -> None:
    profile = Profile(receiver.url, password="open sesame", backups=(Backup("ftp://u@h/", "s3cret"),))
    assert "sesame" not in repr(profile)
    assert "s3cret" not in repr(profile)
    options = TargetOptions(smtp_password="m4il")
    assert "m4il" not in repr(options)


def test_several_threads_share_a_sender(receiver: HttpServer) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with Sender(Profile(receiver.url)) as sender, ThreadPoolExecutor(8) as pool:
        pushes = [sender.make(REPORT) for _ in range(32)]
        outcomes = list(pool.map(sender.send, pushes))
    assert {one.holder for one in outcomes} == {Holder.RECEIVER}
    assert sorted(body for _, body in receiver.came) == sorted(push.envelope for push in pushes)
