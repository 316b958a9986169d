"""Several receiver processes are one service: each is replaced when it dies, and none outlives the one that started it."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from soapsvc.serving.supervisor import CLOSING_SECONDS
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


def listening(pid: int, url: str) -> list[int]:
    """The children that listen where the URL says."""
    socket = f"socket:[{listening_inode(url)}]"
    return [child for child in children(pid) if socket in open_files(child)]


def open_files(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):  # it has ended
        for number in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found.add(os.readlink(number))
    return found


def listening_inode(url: str) -> int:
    """proc_net(5): local address, state 0A and inode are the second, fourth and tenth field."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{urlsplit(url).port:04X}") and fields[3] == "0A":
            return int(fields[9])
    return -1


def receivers(service: Service) -> list[int]:
    return listening(service.process.pid, service.url)


def office(service: Service) -> list[int]:
    """The process with all that is not receiving."""
    return listening(service.process.pid, service.admin_url)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs a privilege: /proc tells which process started which, and there is none here")
    running = start_service(tmp_path, "--processes", str(PROCESSES), settings="shutdown_seconds = 5")
    started = set(descendants(running.process.pid))
    try:
        assert len(receivers(running)) == PROCESSES
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
        hanging = receivers(service)
        assert len(hanging) == 4
        for pid in hanging:
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=60) == 0
        assert time.monotonic() - began < 3 * CLOSING_SECONDS


def test_a_process_that_is_killed_is_replaced_and_pushes_go_on(service: Service) -> None:
    before = receivers(service)
    os.kill(before[0], signal.SIGKILL)
    assert [answer.acknowledged for answer in push_many(service, range(1, 41))] == [True] * 40
    assert eventually(lambda: before[0] not in receivers(service) and len(receivers(service)) == PROCESSES)
    for pid in before:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert [answer.acknowledged for answer in push_many(service, range(41, 81))] == [True] * 40
    assert eventually(lambda: len(set(receivers(service)) - set(before)) == PROCESSES)
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


def test_the_process_of_the_admin_page_is_replaced_and_pushes_go_on(service: Service) -> None:
    (before,) = office(service)
    os.kill(before, signal.SIGKILL)
    assert push(service, 1).acknowledged
    assert eventually(lambda: office(service) not in ([], [before]))
    assert eventually(lambda: not is_refused(service.admin_url))
    assert urlopen(f"{service.admin_url}/healthz").status == 200
    assert service.terminate() == 0
    assert stored(service) == [1]


def test_an_inbox_that_cannot_be_opened_is_told_as_by_one_process(tmp_path: Path) -> None:
    said = set()
    for processes in ("1", "2"):
        done = subprocess.run(serve(f"sqlite:///{tmp_path}", processes), capture_output=True, text=True, timeout=60)
        assert done.returncode not in (0, 1), done.stderr
        said.add((done.returncode, done.stderr.splitlines()[-1]))
    assert len(said) == 1, said


def test_no_process_outlives_a_supervisor_that_ends_while_it_still_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        number = silent.getsockname()[1]
        command = serve(f"postgresql+psycopg://nobody@127.0.0.1:{number}/inbox", "2")
        with subprocess.Popen(command) as process, silent.accept()[0]:
            started = descendants(process.pid)
            for _ in range(2):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            assert process.wait(timeout=10) == -signal.SIGTERM
            assert started
            assert eventually(lambda: not any(map(is_alive, started)))


def serve(inbox: str, processes: str) -> list[str]:
    command = [sys.executable, "-m", "soapsvc", "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    return [*command, "--inbox", inbox, "--processes", processes]
