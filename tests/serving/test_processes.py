"""Several receiver processes are one service: each is replaced when it dies, and none outlives the one that started it."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from soapsvc.serving.service import CLOSING_SECONDS
from tests.pushing import HttpAnswer, Service, envelope, listed, post, running_service, start_service
from tests.serving.connection import Connection, eventually, head
from tests.serving.test_shutdown import is_refused

PROCESSES = 2
BODY = envelope(1000)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def children(pid: int) -> list[int]:
    """Every process that this one started and that still runs."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if folder.name.isdigit() and int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(folder.name))
    return [child for child in found if is_alive(child)]


def descendants(pid: int) -> list[int]:
    """The children, theirs, and so on."""
    return [each for child in children(pid) for each in (child, *descendants(child))]


def workers(pid: int) -> list[int]:
    """The processes that take pushes: forks of the child that does nothing but fork."""
    found = []
    for child in children(pid):
        with contextlib.suppress(OSError):
            if b"forkserver" in Path(f"/proc/{child}/cmdline").read_bytes():
                found += children(child)
    return found


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs a privilege: /proc tells which process started which, and there is none here")
    running = start_service(tmp_path, "--processes", str(PROCESSES), settings="shutdown_seconds = 5")
    started = set(descendants(running.process.pid))
    try:
        assert len(workers(running.process.pid)) == PROCESSES
        yield running
    finally:
        started |= set(descendants(running.process.pid))
        if running.process.poll() is None:
            running.kill()
        left = [pid for pid in started if not eventually(lambda pid=pid: not is_alive(pid), 15)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert left == [], "processes outlived the service"


def push(service: Service, mrn: int) -> HttpAnswer:
    """As a sender does: what got no answer is sent again."""
    for _ in range(5):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return post(service.url, envelope(mrn))
    raise AssertionError(f"push {mrn} got no answer in 5 times")


def push_many(service: Service, serials: range) -> list[HttpAnswer]:
    """From four senders at once."""
    answers: list[HttpAnswer] = []

    def send(some: range) -> None:
        answers.extend(push(service, mrn) for mrn in some)

    senders = [threading.Thread(target=send, args=(serials[n::4],)) for n in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    return answers


def stored(service: Service) -> list[int]:
    return sorted(int(push["job"]["mrn"]) for push in listed(service.inbox))


def test_pushes_are_stored_once_and_a_signal_ends_every_process(service: Service) -> None:
    started = descendants(service.process.pid)
    answers = push_many(service, range(1, 101))
    assert [answer.acknowledged for answer in answers] == [True] * 100
    with Connection(service.url) as connection:
        connection.send(head(len(BODY), "Expect: 100-continue"))
        assert connection.status() == 100
        service.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: is_refused(service.url)), "new connections are still taken"
        connection.send(BODY)
        assert connection.answer().acknowledged
        assert service.process.wait(timeout=30) == 0
    assert eventually(lambda: not any(map(is_alive, started)))
    assert stored(service) == [*range(1, 101), 1000]


def test_processes_that_hang_are_waited_for_together(tmp_path: Path) -> None:
    with running_service(tmp_path, "--processes", "4", settings="shutdown_seconds = 1") as service:
        hanging = workers(service.process.pid)
        assert len(hanging) == 4
        for pid in hanging:
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=60) == 0
        assert time.monotonic() - began < 3 * CLOSING_SECONDS


def test_a_process_that_is_killed_is_replaced_and_pushes_go_on(service: Service) -> None:
    supervisor = service.process.pid
    before = workers(supervisor)
    os.kill(before[0], signal.SIGKILL)
    assert [answer.acknowledged for answer in push_many(service, range(1, 41))] == [True] * 40
    assert eventually(lambda: before[0] not in workers(supervisor) and len(workers(supervisor)) == PROCESSES)
    for pid in before:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert [answer.acknowledged for answer in push_many(service, range(41, 81))] == [True] * 40
    assert eventually(lambda: len(set(workers(supervisor)) - set(before)) == PROCESSES)
    assert service.terminate() == 0
    assert stored(service) == list(range(1, 81))


def test_no_process_outlives_a_supervisor_that_is_killed_and_what_is_under_way_is_acknowledged(
    service: Service,
) -> None:
    started = descendants(service.process.pid)
    with Connection(service.url) as connection:
        connection.send(head(len(BODY), "Expect: 100-continue"))
        assert connection.status() == 100
        service.kill()
        connection.send(BODY)
        assert connection.answer().acknowledged
    assert eventually(lambda: not any(map(is_alive, started)))
    assert is_refused(service.url)
    assert stored(service) == [1000]
