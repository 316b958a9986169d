"""SIGTERM ends the service without losing a push that is under way, and nobody holds it up for long."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from soapsvc.serving.channel import LINGER_SECONDS
from soapsvc.serving.listener import QUIET_SECONDS, Listener
from soapsvc.serving.sockets import address_of, listening_socket
from soapsvc.settings import load_settings
from soapsvc.shutdown import Shutdown
from tests.pushing import Service, envelope, free_port, listed, post, running_service
from tests.serving.connection import Connection, NoAnswer, eventually, head

BODY = envelope(1, b"a line of the report\r\n" * 10_000)
SHUTDOWN_SECONDS = 1.5


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path) as running:
        yield running


@contextlib.contextmanager
def half_sent(service: Service, *more: str) -> Iterator[Connection]:
    """A push of which the receiver has the first half."""
    with Connection(service.url) as connection:
        connection.send(head(len(BODY), "Expect: 100-continue", *more))
        assert connection.status() == 100
        connection.send(BODY[: len(BODY) // 2])
        yield connection


def is_refused(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5).close()
    except ConnectionRefusedError:
        return True
    except OSError:  # accepted by the kernel just before the listener closed
        return False
    return False


def jobs(service: Service) -> list[str]:
    return sorted(push["job"]["mrn"] for push in listed(service.inbox))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_push_that_is_under_way_is_taken_and_acknowledged(service: Service, number: signal.Signals) -> None:
    with half_sent(service) as connection:
        service.process.send_signal(number)
        assert eventually(lambda: is_refused(service.url)), "new connections are still taken"
        assert service.process.poll() is None
        connection.send(BODY[len(BODY) // 2 :])
        assert connection.answer().acknowledged
        assert service.process.wait(timeout=20) == 0
        assert connection.rest() == b""
    assert [int(mrn) for mrn in jobs(service)] == [1]


def test_what_was_sent_whole_before_the_signal_is_acknowledged(service: Service) -> None:
    bodies = [envelope(mrn) for mrn in range(1, 21)]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Connection(service.url)) for _ in bodies]
        for connection, body in zip(connections, bodies, strict=True):
            connection.send(head(len(body), "Expect: 100-continue"))
            assert connection.status() == 100
        for connection, body in zip(connections, bodies, strict=True):
            connection.send(body)
        assert service.terminate() == 0
        assert all(connection.answer().acknowledged for connection in connections)
    assert len(jobs(service)) == len(bodies)


def test_what_was_sent_whole_and_not_yet_received_is_acknowledged(service: Service) -> None:
    bodies = [envelope(mrn) for mrn in range(1, 31)]
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(Connection(service.url)) for _ in bodies[:10]]
        for connection, body in zip(kept, bodies, strict=False):
            connection.send(head(len(body)), body)
            assert connection.answer().acknowledged
        service.process.send_signal(signal.SIGSTOP)  # from here on only the kernel takes what is sent
        connections = [*kept, *(stack.enter_context(Connection(service.url)) for _ in bodies[10:])]
        for connection, body in zip(connections, reversed(bodies), strict=True):
            connection.send(head(len(body)), body)
        service.process.send_signal(signal.SIGTERM)
        service.process.send_signal(signal.SIGCONT)
        answers = [connection.answer() for connection in connections]
        assert all(answer.acknowledged for answer in answers)
        assert {answer.headers.get("connection") for answer in answers} == {"close"}
        assert service.process.wait(timeout=20) == 0
    assert len(jobs(service)) == len(bodies)


def test_who_sends_and_sends_is_told_that_the_connection_ends(service: Service) -> None:
    with Connection(service.url) as connection:
        sent = 0
        ends = False
        while not ends:
            sent += 1
            body = envelope(sent)
            connection.send(head(len(body)), body)
            answer = connection.answer()
            assert answer.acknowledged
            ends = answer.headers.get("connection") == "close"
            if sent == 20:
                service.process.send_signal(signal.SIGTERM)
        assert connection.rest() == b""
    assert service.process.wait(timeout=20) == 0
    assert len(jobs(service)) == sent


def test_idle_connections_do_not_hold_it(service: Service) -> None:
    with Connection(service.url) as kept, Connection(service.url) as silent, Connection(service.admin_url) as admin:
        kept.send(head(len(BODY)), BODY)
        assert kept.answer().acknowledged
        began = time.monotonic()
        assert service.terminate() == 0
        assert time.monotonic() - began < 10, "it waited for connections on which nothing was under way"
        for connection in (kept, silent, admin):
            assert connection.rest() == b""


def test_senders_that_never_finish_hold_it_no_longer_than_shutdown_seconds(tmp_path: Path) -> None:
    with (
        running_service(tmp_path, settings=f"shutdown_seconds = {SHUTDOWN_SECONDS}") as service,
        half_sent(service) as silent,
        half_sent(service) as dripping,
    ):
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(ConnectionError):
            while service.process.poll() is None and dripping.says_nothing(0.1):
                dripping.send(b"a")
        assert service.process.wait(timeout=20) == 0
        assert SHUTDOWN_SECONDS - 0.5 < time.monotonic() - began < SHUTDOWN_SECONDS + 10
        with pytest.raises((NoAnswer, ConnectionResetError)):
            silent.answer()
        assert jobs(service) == []
    assert "still running" not in (tmp_path / "log").read_text(), "no thread had anything to do"


@dataclass
class Held:
    """A listener in a thread of its own, with one connection whose request an application holds until it `goes_on`."""

    connection: Connection
    shutdown: Shutdown
    serving: threading.Thread
    goes_on: threading.Event
    environ: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def held(shutdown_seconds: float) -> Iterator[Held]:
    asked, goes_on = threading.Event(), threading.Event()
    environs: list[dict[str, str]] = []

    def application(environ: dict[str, str], start_response: object) -> list[bytes]:
        asked.set()
        goes_on.wait()
        environs.append(environ)
        start_response("200 OK", [("Content-Length", "0")])  # type: ignore[operator]
        return []

    bound, shutdown = listening_socket("127.0.0.1:0", "listen"), Shutdown(shutdown_seconds)
    serving = threading.Thread(target=Listener(application, bound, load_settings({}), shutdown, threads=2).run)
    serving.start()
    with Connection(f"http://{address_of(bound)}/") as connection:
        connection.send(head(None, "Connection: keep-alive", method="GET"))
        assert asked.wait(20)
        one = Held(connection, shutdown, serving, goes_on)
        yield one
        goes_on.set()
        shutdown.begin()
        serving.join()
    for environ in environs:
        one.environ.update(environ)


def test_what_keeps_a_thread_and_what_keeps_a_connection_have_the_same_shutdown_seconds() -> None:
    with held(4.0) as one:
        began = time.monotonic()
        one.shutdown.begin()
        one.serving.join()
        assert 3.5 < time.monotonic() - began < 7.5, "8 when it is waited for the connection and then for the thread"


def test_an_answer_that_was_begun_before_says_that_the_connection_ends_and_the_request_stays_as_it_was() -> None:
    with held(30) as one:
        one.shutdown.begin()
        one.goes_on.set()
        answer = one.connection.answer()
        assert (answer.status, answer.headers.get("connection")) == (200, "close")
        assert one.connection.rest() == b""
    assert one.environ["HTTP_CONNECTION"] == "keep-alive"


@pytest.mark.parametrize("behind", [b"", b"\r\n"])
def test_what_is_sent_while_another_is_worked_on_is_answered(behind: bytes) -> None:
    with held(30) as one:
        one.connection.send(head(method="GET"), behind)
        one.shutdown.begin()
        one.goes_on.set()
        answers = [one.connection.answer() for _ in range(2)]
        assert [answer.headers.get("connection") for answer in answers] == [None, "close"]
        assert one.connection.rest() == b""


def test_a_blank_line_behind_the_last_request_is_none(service: Service) -> None:
    with half_sent(service) as connection:
        service.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: is_refused(service.url))
        connection.send(BODY[len(BODY) // 2 :], b"\r\n")
        answer = connection.answer()
        assert (answer.acknowledged, answer.headers.get("connection")) == (True, "close")
        began = time.monotonic()
        assert service.process.wait(timeout=20) == 0
        assert time.monotonic() - began < LINGER_SECONDS


def test_each_of_several_sent_one_behind_the_other_before_the_signal_is_answered(service: Service) -> None:
    bodies = [envelope(mrn) for mrn in range(1, 6)]
    service.process.send_signal(signal.SIGSTOP)
    with Connection(service.url) as connection:
        connection.send(*(head(len(body)) + body for body in bodies))
        service.process.send_signal(signal.SIGTERM)
        service.process.send_signal(signal.SIGCONT)
        answers = [connection.answer() for _ in bodies]
        assert all(answer.acknowledged for answer in answers)
        assert [answer.headers.get("connection") for answer in answers] == [None, None, None, None, "close"]
        assert service.process.wait(timeout=20) == 0
    assert len(jobs(service)) == len(bodies)


def test_who_has_the_answer_and_keeps_the_connection_does_not_hold_it(service: Service) -> None:
    with half_sent(service) as connection:
        service.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: is_refused(service.url))
        connection.send(BODY[len(BODY) // 2 :])
        assert connection.answer().acknowledged
        began = time.monotonic()
        assert service.process.wait(timeout=20) == 0
        assert time.monotonic() - began < LINGER_SECONDS


def test_the_process_that_looks_at_the_contract_is_not_the_service(tmp_path: Path) -> None:
    """It begins as a copy of it."""
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "soapsvc", "serve", "--listen", address, "--admin", "127.0.0.1:0"]
    command += ["--inbox", f"sqlite:///{tmp_path / 'inbox.db'}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        assert eventually(lambda: bool(children.read_text()))
        time.sleep(0.05)  # it has begun
        os.kill(int(children.read_text().split()[0]), signal.SIGTERM)
        assert process.stderr is not None
        assert any("pushes at" in line for line in process.stderr)
        time.sleep(0.5)
        assert process.poll() is None, "the signal ended the service"
        assert post(f"http://{address}/push", BODY).acknowledged
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_signal_while_it_still_starts_ends_it_in_good_order(tmp_path: Path, processes: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "soapsvc", "serve", "--listen", address, "--admin", "127.0.0.1:0"]
    command += ["--processes", processes, "--inbox", f"sqlite:///{tmp_path / 'inbox.db'}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert eventually(lambda: not is_refused(f"http://{address}/"))
        with Connection(f"http://{address}/") as connection:
            connection.send(head(len(BODY)), BODY)
            process.send_signal(signal.SIGTERM)
            assert connection.answer().acknowledged
        _, said = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in said) == (0, False), said


def test_a_second_signal_ends_it_at_once(service: Service) -> None:
    with half_sent(service):
        service.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: is_refused(service.url))
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=10) == -signal.SIGTERM


def test_a_refusal_that_is_under_way_is_read(service: Service) -> None:
    with Connection(service.url) as connection:
        connection.send(head(10_000_000, target="/other"))
        assert not connection.says_nothing(10)
        service.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: is_refused(service.url))
        time.sleep(5 * QUIET_SECONDS)
        connection.send(bytes(1_000_000))
        connection.finish_sending()
        assert connection.answer().status == 404
        assert connection.rest() == b""
    assert service.process.wait(timeout=20) == 0
