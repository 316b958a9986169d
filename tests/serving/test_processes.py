"""Several receiver processes are one service: each is replaced when it dies, and none outlives the one that started it."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from soapsvc.serving.supervisor import CLOSING_SECONDS, RESTART_SECONDS
from soapsvc.shipped import WSDL_FILE
from tests.pushing import HttpAnswer, Service, envelope, free_port, listed, post, running_service, start_service
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


def test_one_that_dies_again_and_again_is_started_after_a_while_and_nothing_piles_up(
    service: Service, tmp_path: Path
) -> None:
    supervisor = service.process.pid
    files = len(open_files(supervisor))
    (pid,) = office(service)
    for _ in RESTART_SECONDS[:3]:
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda pid=pid: office(service) not in ([], [pid]))
        (pid,) = office(service)
    assert re.findall(r"process ended .*restart_in=([0-9.]+)", (tmp_path / "log").read_text()) == ["0.0", "0.5", "1.0"]
    assert len(open_files(supervisor)) == files
    assert len(list(Path(f"/proc/{supervisor}/task").iterdir())) == 1, (
        "a fork would take along what a thread has locked"
    )
    began = time.monotonic()
    assert service.terminate() == 0
    assert time.monotonic() - began < 4, "who has nothing under way is not waited for"


def test_one_that_cannot_open_the_inbox_says_why_and_is_tried_again(service: Service, tmp_path: Path) -> None:
    (tmp_path / "inbox.db").rename(tmp_path / "elsewhere.db")
    (tmp_path / "inbox.db").mkdir()
    (before,) = office(service)
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: "process failed" in (tmp_path / "log").read_text())
    (tmp_path / "inbox.db").rmdir()
    (tmp_path / "elsewhere.db").rename(tmp_path / "inbox.db")
    assert eventually(lambda: not is_refused(service.admin_url) and bool(office(service)))
    assert service.terminate() == 0


@pytest.mark.parametrize("names", [("inbox.db", "inbox.db-wal", "inbox.db-shm"), ("inbox.db",)], ids=["all", "one"])
@pytest.mark.parametrize("killed", ["all", "one"])
def test_an_inbox_that_was_taken_away_is_not_made_anew_by_one_that_is_started_again(
    service: Service, tmp_path: Path, names: tuple[str, ...], killed: str
) -> None:
    assert push(service, 1).acknowledged
    away = tmp_path / "away"
    away.mkdir()
    for name in names:
        (tmp_path / name).rename(away / name)
    for pid in (*receivers(service), *office(service))[: 1 if killed == "one" else None]:
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: "inbox.db is gone" in (tmp_path / "log").read_text())
    time.sleep(1)
    assert not (tmp_path / "inbox.db").exists()
    for name in names:
        (away / name).rename(tmp_path / name)
    assert eventually(lambda: len(receivers(service)) == PROCESSES)
    assert all(answer.acknowledged for answer in push_many(service, range(2, 22)))
    assert service.terminate() == 0
    assert stored(service) == list(range(1, 22))


def copied(name: str) -> Callable[[Path], None]:
    """Puts a copy of that file in its place."""

    def replace(folder: Path) -> None:
        shutil.copy(folder / name, folder / "copy")
        (folder / "copy").rename(folder / name)

    return replace


def without_wal(folder: Path) -> None:
    (folder / "inbox.db-wal").unlink()


@pytest.mark.parametrize("harm", [copied("inbox.db"), copied("inbox.db-wal"), without_wal], ids=["db", "wal", "no wal"])
def test_what_is_put_in_the_place_of_the_inbox_is_not_mixed_with_it(
    service: Service, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    """One that is started again would write into it, while others have what was there open, and write that down in
    it when they end."""
    assert all(answer.acknowledged for answer in push_many(service, range(1, 21)))
    harm(tmp_path)
    first, *_ = receivers(service)
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: "was replaced while other processes have it open" in (tmp_path / "log").read_text())
    assert not any(post(service.url, envelope(mrn)).acknowledged for mrn in range(21, 31))
    assert service.terminate() == 0
    with sqlite3.connect(tmp_path / "inbox.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    again = start_service(tmp_path, "--processes", str(PROCESSES))
    assert push(again, 31).acknowledged
    assert again.terminate() == 0
    assert stored(again) == [*range(1, 21), 31]


def test_what_is_there_when_no_process_is_left_is_used_as_at_a_start(service: Service, tmp_path: Path) -> None:
    assert push(service, 1).acknowledged
    os.kill(service.process.pid, signal.SIGSTOP)
    for pid in children(service.process.pid):
        os.kill(pid, signal.SIGKILL)
    for name in ("inbox.db", "inbox.db-wal"):
        copied(name)(tmp_path)
    os.kill(service.process.pid, signal.SIGCONT)
    assert eventually(lambda: len(receivers(service)) == PROCESSES)
    assert push(service, 2).acknowledged
    assert service.terminate() == 0
    assert stored(service) == [1, 2]


@pytest.mark.parametrize("to_all", [True, False], ids=["Ctrl-C", "SIGTERM to a receiver"])
def test_what_is_under_way_in_a_process_that_is_told_to_end_is_acknowledged(tmp_path: Path, to_all: bool) -> None:
    service = start_service(tmp_path, "--processes", str(PROCESSES), settings="shutdown_seconds = 5", new_session=True)
    with Connection(service.url) as connection:
        connection.send(head(len(BODY), "Expect: 100-continue"))
        assert connection.status() == 100
        if to_all:
            os.killpg(service.process.pid, signal.SIGINT)
        else:
            told = receivers(service)
            for pid in told:
                os.kill(pid, signal.SIGTERM)
        time.sleep(0.3)
        connection.send(BODY)
        assert connection.answer().acknowledged
    if not to_all:
        assert eventually(lambda: not any(map(is_alive, told)))
        assert push(service, 1).acknowledged
        service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(timeout=20) == 0
    assert stored(service) == ([1000] if to_all else [1, 1000])


def test_a_second_signal_ends_every_process_at_once(tmp_path: Path) -> None:
    """Also one that is stopped: it would keep the port."""
    with running_service(tmp_path, "--processes", str(PROCESSES), settings="shutdown_seconds = 60") as service:
        started, receiving = descendants(service.process.pid), receivers(service)
        with Connection(service.url) as connection:
            connection.send(head(len(BODY), "Expect: 100-continue"))
            assert connection.status() == 100
            service.process.send_signal(signal.SIGTERM)
            assert eventually(lambda: is_refused(service.url))
            for pid in receiving:
                with contextlib.suppress(ProcessLookupError):  # the one without the connection has ended
                    os.kill(pid, signal.SIGSTOP)
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(timeout=10) == -signal.SIGTERM
            assert eventually(lambda: not any(map(is_alive, started)), 5)


def test_where_there_is_no_room_for_a_process_the_others_go_on(tmp_path: Path) -> None:
    """The contract's, the inbox's, the admin page's and two receivers' are forked; two more are not, the eighth is."""
    without_room = """
import os, sys
fork, supervisor, forks = os.fork, os.getpid(), 0
def fork_or_not():
    global forks
    if os.getpid() == supervisor:
        forks += 1
        if forks in (6, 7):
            raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()
os.fork = fork_or_not
from soapsvc.cli.main import main
main()
"""
    listen, admin = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    inbox = f"sqlite:///{tmp_path / 'inbox.db'}"
    words = ["serve", "--listen", listen, "--admin", admin, "--inbox", inbox, "--processes", "2"]
    with subprocess.Popen([sys.executable, "-c", without_room, *words], stderr=subprocess.PIPE, text=True) as process:
        service = Service(process, f"http://{listen}/push", f"http://{admin}", inbox)
        assert eventually(lambda: len(receivers(service)) == 2)
        time.sleep(0.5)
        os.kill(receivers(service)[0], signal.SIGKILL)
        assert push(service, 1).acknowledged
        assert eventually(lambda: len(receivers(service)) == 2)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said.count("process cannot be started")) == (0, 2), said


def test_what_a_delivery_keeps_in_a_temporary_directory_is_removed_with_its_process(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    settings = 'shutdown_seconds = 1\n[[delivery]]\nname = "slow"\ntarget = "exec:/bin/sleep 30"\n'
    environment = {"TMPDIR": str(temporary)}
    flags = ("--processes", "2")
    with running_service(tmp_path, *flags, settings=settings, environment=environment) as service:
        assert push(service, 1).acknowledged
        assert eventually(lambda: any(temporary.glob("soapsvc-exec-*")))
        assert service.terminate() == 0
    assert not list(temporary.glob("soapsvc-exec-*"))


@pytest.mark.parametrize("wrong", ["inbox", "wsdl"])
def test_what_cannot_be_started_is_told_as_by_one_process(tmp_path: Path, wrong: str) -> None:
    wsdl = tmp_path / "wrong.wsdl"
    pattern = b'<xs:simpleType name="T"><xs:restriction base="xs:string"><xs:pattern value="(a"/></xs:restriction></xs:simpleType>'
    wsdl.write_bytes(
        WSDL_FILE.read_bytes().replace(b"</xs:schema>", pattern + b"</xs:schema>", 1)
    )  # read, not compiled
    inbox = f"sqlite:///{tmp_path}" if wrong == "inbox" else f"sqlite:///{tmp_path / 'inbox.db'}"
    said = set()
    for processes in ("1", "2"):
        command = [*serve(inbox, processes), *(["--wsdl", str(wsdl)] if wrong == "wsdl" else [])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode not in (0, 1, 4), done.stderr
        assert "Traceback" not in done.stderr
        assert "contract in force" not in done.stderr
        said.add((done.returncode, done.stderr.splitlines()[-1]))
    assert len(said) == 1, said


def test_no_process_outlives_a_supervisor_that_ends_while_it_still_starts() -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs a privilege: /proc tells which process started which, and there is none here")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        number = silent.getsockname()[1]
        command = serve(f"postgresql+psycopg://nobody@127.0.0.1:{number}/inbox", "2")
        with subprocess.Popen(command) as process, silent.accept()[0]:
            started = descendants(process.pid)
            for _ in range(2):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            assert process.wait(timeout=10) == -signal.SIGTERM
            assert started
            assert eventually(lambda: not any(map(is_alive, started)), 1.5), "the database is waited for longer"


def serve(inbox: str, processes: str) -> list[str]:
    command = [sys.executable, "-m", "soapsvc", "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    return [*command, "--inbox", inbox, "--processes", processes]
