"""A slow or silent sender loses its own connection and nobody else's."""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from soapsvc.serving.listener import IDLE_SECONDS, Listener
from soapsvc.serving.service import RunningServer
from soapsvc.serving.sockets import address_of, listening_socket
from soapsvc.settings import load_settings
from soapsvc.shutdown import Shutdown
from tests.conftest import PRIVILEGE
from tests.pushing import envelope, post, running_service
from tests.serving.connection import Connection, head, running_server, stored

REQUEST_SECONDS = 1.5
_serials = count(1)


def says_well(_environ: object, start_response: object) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "0")])  # type: ignore[operator]
    return []


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("hasty"), request_seconds=REQUEST_SECONDS) as running:
        yield running


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("patient"), max_envelope_bytes=50_000_000) as running:
        yield running


BEGUN = {
    "a head": b"POST /push HTTP/1.1\r\nX-Slow: ",
    "a body": head(100_000),
    "a chunked body": head(None, "Transfer-Encoding: chunked") + b"10000\r\n",
    "a body after 100 Continue": head(100_000, "Expect: 100-continue"),
}


@pytest.mark.parametrize("part", BEGUN)
def test_a_sender_that_drips_is_let_go(hasty: RunningServer, part: str) -> None:
    with Connection(hasty.public_url) as connection:
        connection.send(BEGUN[part])
        if "100" in part:
            assert connection.status() == 100
        began = time.monotonic()
        while connection.says_nothing(0.2) and time.monotonic() - began < 20:
            connection.send(b"a")
        answer = connection.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert b"request_seconds" in answer.body
        assert connection.rest() == b""
        assert time.monotonic() - began > REQUEST_SECONDS - 0.5


def test_a_slow_sender_reads_its_answer_though_it_goes_on_sending(hasty: RunningServer) -> None:
    with Connection(hasty.public_url) as connection:
        connection.send(head(10_000_000))
        began = time.monotonic()
        while connection.says_nothing(0.01) and time.monotonic() - began < 20:
            connection.send(b"a" * 1000)
        connection.send(b"a" * 1_000_000)
        assert connection.answer().status == 408
        connection.finish_sending()
        assert connection.rest() == b""


def test_a_kept_connection_gets_the_whole_time_for_each_push(hasty: RunningServer) -> None:
    with Connection(hasty.public_url) as connection:
        for mrn in (next(_serials), next(_serials)):
            body = envelope(mrn)
            for piece in (head(len(body)), body[:100], body[100:]):
                assert connection.says_nothing(REQUEST_SECONDS / 5)
                connection.send(piece)
            assert connection.answer().acknowledged


def test_silent_connections_stop_nobody(patient: RunningServer) -> None:
    mrn = next(_serials)
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(Connection(patient.public_url)) for _ in range(20)]
        silent[0].send(b"POST")
        silent[1].send(head(100_000))
        silent[2].finish_sending()
        assert post(patient.public_url, envelope(mrn)).acknowledged
        assert silent[2].rest() == b""


def test_a_push_is_acknowledged_beside_a_hundred_and_fifty_slow_ones(patient: RunningServer) -> None:
    first, good = next(_serials), next(_serials)
    bodies = [envelope(1000 + n) for n in range(150)]
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(Connection(patient.public_url)) for _ in bodies]
        for connection, body in zip(slow, bodies, strict=True):
            connection.send(head(len(body)), body[: len(body) // 2])
        assert post(patient.public_url, envelope(first)).acknowledged
        for connection, body in zip(slow, bodies, strict=True):
            connection.send(body[len(body) // 2 :])
        assert post(patient.public_url, envelope(good)).acknowledged
        assert all(connection.answer().acknowledged for connection in slow)
    assert {str(1000 + n) for n in range(150)} | {str(first), str(good)} <= set(stored(patient.admin_url))


def test_more_idle_connections_than_there_are_places_keep_no_sender_out(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip(f"{PRIVILEGE}: more than {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        with running_server(tmp_path) as server, contextlib.ExitStack() as stack:
            for _ in range(1200):
                stack.enter_context(Connection(server.public_url))
            assert post(server.public_url, envelope(1)).acknowledged
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_who_connects_when_an_idle_connection_is_let_go_is_answered() -> None:
    """The kernel gives the new one the number of the old one."""
    bound = listening_socket("127.0.0.1:0", "listen")
    listener = Listener(says_well, bound, load_settings({}), Shutdown(5), threads=1)
    url = f"http://{address_of(bound)}/"
    with Connection(url) as _:
        listener._poll()
        (idle,) = listener.active_channels.values()
        with Connection(url) as connection:
            connection.send(head(method="GET"))
            idle.last_activity -= 2 * IDLE_SECONDS
            time.sleep(1.1)  # it is looked at each second
            patience = time.monotonic() + 20
            while connection.says_nothing(0.05) and time.monotonic() < patience:
                listener._poll()
            assert connection.answer().status == 200
    listener.shutdown.begin()
    listener.run()


def test_who_reads_no_answers_keeps_nobody_waiting_for_long(tmp_path: Path) -> None:
    wsdl = head(method="GET", target="/push?wsdl")
    with running_server(tmp_path, request_seconds=1, threads=1) as server, contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(Connection(server.public_url)).send(wsdl * 1300)
        time.sleep(2)  # until the only thread waits for one of them to read
        assert post(server.public_url, envelope(1)).acknowledged


def impatient(server: RunningServer, mrn: int, *, reset: bool) -> None:
    with Connection(server.public_url) as connection:
        connection.send(head(len(envelope(mrn))), envelope(mrn))
        if reset:
            connection.reset()


@pytest.mark.parametrize("sent", ["nothing", "a line", "half"])
def test_urgent_data_is_passed_over_and_told_once(tmp_path: Path, sent: str) -> None:
    body = envelope(1)
    begun = {"nothing": b"", "a line": b"POST /push HTTP/1.1\r\n", "half": head(len(body)) + body[:200]}[sent]
    with running_service(tmp_path) as service, Connection(service.url) as connection:
        connection.send(begun)
        connection.send_urgently(b"!")
        time.sleep(0.5)
        connection.send((head(len(body)) + body)[len(begun) :])
        assert connection.answer().acknowledged
    assert (tmp_path / "log").read_text().count("urgent data") == 1
    assert "priority event" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
def test_a_client_that_is_gone_right_after_its_body_leaves_a_whole_push_or_none(
    patient: RunningServer, reset: bool
) -> None:
    serials = [next(_serials) for _ in range(40)]
    clients = [threading.Thread(target=impatient, args=(patient, mrn), kwargs={"reset": reset}) for mrn in serials]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    for mrn in serials:  # the sender repeats what it got no answer for
        assert post(patient.public_url, envelope(mrn)).acknowledged
    held = stored(patient.admin_url)
    assert [held.count(str(mrn)) for mrn in serials] == [1] * len(serials)
    assert stored(patient.admin_url, "quarantined") == []


def test_a_client_that_is_gone_in_the_middle_leaves_nothing(patient: RunningServer) -> None:
    mrn = next(_serials)
    body = envelope(mrn)
    for end in (len(body) // 2, len(body) - 1):
        with Connection(patient.public_url) as connection:
            connection.send(head(len(body)), body[:end])
    assert post(patient.public_url, envelope(next(_serials))).acknowledged
    assert str(mrn) not in stored(patient.admin_url)
    assert stored(patient.admin_url, "quarantined") == []
