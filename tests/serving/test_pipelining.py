"""Requests sent one behind the other without waiting for answers (RFC 9112, 9.3.2): each is answered, in order, and who
reads no answers holds up nobody and fills no memory."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from soapsvc.serving import channel, listener
from soapsvc.serving.channel import JudgingChannel
from soapsvc.serving.listener import RECEIVE_BYTES, Listener
from soapsvc.serving.service import RunningServer
from soapsvc.serving.sockets import address_of, listening_socket
from soapsvc.settings import load_settings
from soapsvc.shutdown import Shutdown
from tests.pushing import envelope, get, post, running_service
from tests.serving.connection import Connection, eventually, head, running_server, stored

THREADS = 2
MORE_THAN_THE_KERNEL_HOLDS = 30_000_000  # bytes, with both buffers of a connection on loopback
ASKED = head(method="GET", target="/push?wsdl")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path, threads=THREADS) as running:
        yield running


@contextlib.contextmanager
def reading_nothing(url: str, request: bytes, *, clients: int) -> Iterator[list[socket.socket]]:
    """So many clients that have sent that request until nobody took any more of it."""
    parts = urlsplit(url)
    with contextlib.ExitStack() as stack:
        connected = [stack.enter_context(socket.socket()) for _ in range(clients)]
        for client in connected:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((parts.hostname, parts.port))
            client.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                while True:
                    client.sendall(request * 1000)
        yield connected


def resident_bytes(process: int) -> int:
    return int(re.search("VmRSS:.*?([0-9]+) kB", Path(f"/proc/{process}/status").read_text())[1]) * 1024


def test_who_asks_again_and_again_and_reads_nothing_keeps_no_thread(server: RunningServer) -> None:
    with reading_nothing(server.public_url, ASKED, clients=2 * THREADS):
        assert get(f"{server.public_url}?wsdl").status == 200
        assert post(server.public_url, envelope(1)).acknowledged  # a new markup: a thread takes it
        assert post(server.public_url, b"no XML").status == 500
    assert stored(server.admin_url) == ["1"]


def test_what_is_asked_for_and_not_read_is_not_made(tmp_path: Path) -> None:
    clients = 20
    with running_service(tmp_path) as service:
        assert get(f"{service.url}?wsdl").status == 200
        before = resident_bytes(service.process.pid)
        with reading_nothing(service.url, ASKED, clients=clients):
            taken = resident_bytes(service.process.pid) - before
    assert taken < clients * 4 * RECEIVE_BYTES, f"{taken >> 20} MiB"


@dataclass
class Asked:
    """A listener whose application answers with `body` once it `goes_on`, and counts the times that it was asked."""

    url: str
    goes_on: threading.Event
    times: list[float] = field(default_factory=list)


@contextlib.contextmanager
def asked(body: bytes) -> Iterator[Asked]:
    bound, shutdown = listening_socket("127.0.0.1:0", "listen"), Shutdown(5.0)
    one = Asked(f"http://{address_of(bound)}/", threading.Event())

    def application(_: object, start_response: object) -> list[bytes]:
        one.times.append(time.monotonic())
        one.goes_on.wait()
        start_response("200 OK", [("Content-Length", str(len(body)))])  # type: ignore[operator]
        return [body]

    serving = threading.Thread(target=Listener(application, bound, load_settings({}), shutdown, threads=2).run)
    serving.start()
    yield one
    one.goes_on.set()
    shutdown.begin()
    serving.join()


def test_behind_an_answer_that_is_not_read_whole_nothing_is_begun() -> None:
    with asked(b"x" * MORE_THAN_THE_KERNEL_HOLDS) as one, Connection(one.url) as connection:
        one.goes_on.set()
        connection.send(head(method="GET") * 3)
        assert eventually(lambda: len(one.times) == 1)
        for _ in range(150):  # so much of it that more goes out, and not all
            connection.says_nothing(0.02)
        time.sleep(0.3)
        assert len(one.times) == 1
        assert [len(connection.answer().body) for _ in range(3)] == [MORE_THAN_THE_KERNEL_HOLDS] * 3


def test_what_a_client_sent_that_has_gone_is_not_begun() -> None:
    with asked(b"x" * MORE_THAN_THE_KERNEL_HOLDS) as one:
        with Connection(one.url) as connection:
            connection.send(head(method="GET") * 3)
            assert eventually(lambda: len(one.times) == 1)
            connection.reset()
        one.goes_on.set()
        time.sleep(0.5)
        assert len(one.times) == 1


def test_each_of_many_is_answered_in_order_once_the_client_reads(server: RunningServer) -> None:
    bodies = [envelope(mrn) if mrn % 3 else b"no XML" for mrn in range(300)]
    with Connection(server.public_url) as connection:
        pieces = [head(len(body)) + body + ASKED for body in bodies]
        sending = threading.Thread(target=connection.send, args=pieces)
        sending.start()
        answers = [(connection.answer(), connection.answer()) for _ in bodies]
        sending.join()
    assert [answer.acknowledged for answer, _ in answers] == [body != b"no XML" for body in bodies]
    assert {contract.body for _, contract in answers} == {get(f"{server.public_url}?wsdl").body}
    assert len(stored(server.admin_url)) == 200


@pytest.mark.parametrize("pieces", [[b"\r\n\r\n"], [b"\r\n" * 10_000], [b"\r", b"\n\r", b"\n"], [b"\r\n\r"]])
def test_blank_lines_before_a_request_do_not_count(server: RunningServer, pieces: list[bytes]) -> None:
    with Connection(server.public_url) as connection:
        for piece in pieces:
            connection.send(piece)
            time.sleep(0.05)
        connection.send(b"\n" if pieces[-1].endswith(b"\r") else b"", ASKED, *pieces, b"\n", ASKED)
        assert [connection.answer().status for _ in range(2)] == [200, 200]


def test_what_stands_behind_a_request_that_ends_the_connection_is_not_taken(server: RunningServer) -> None:
    body = envelope(1)
    with Connection(server.public_url) as connection:
        connection.send(head(len(body), "Connection: close"), body, head(len(body)), envelope(2), ASKED)
        assert connection.answer().acknowledged
        assert connection.rest() == b""
    assert stored(server.admin_url) == ["1"]


def test_a_body_that_waits_for_100_continue_is_asked_for_when_its_turn_comes(server: RunningServer) -> None:
    body = envelope(1)
    with Connection(server.public_url) as connection:
        connection.send(ASKED, ASKED, head(len(body), "Expect: 100-continue"))
        assert [connection.answer().status for _ in range(2)] == [200, 200]
        assert connection.status() == 100
        connection.send(body, ASKED)
        assert connection.answer().acknowledged
        assert connection.answer().status == 200


def is_full(kept: JudgingChannel) -> bool:
    """Whether the kernel takes no more answers on that connection, though each that was made went out."""
    poll = select.poll()
    poll.register(kept.socket, select.POLLOUT)
    return not poll.poll(0) and not kept.requests and not kept.total_outbufs_len


def test_who_reads_nothing_is_let_go_also_where_each_answer_went_out(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "STALL_SECONDS", 2)
    channels = server._listeners[-1].active_channels
    with reading_nothing(server.public_url, ASKED, clients=1):
        assert eventually(lambda: not channels or all(map(is_full, channels.values())))
        assert eventually(lambda: not channels)


def test_an_idle_connection_is_let_go_also_where_its_client_reads_nothing(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = server._listeners[-1].active_channels
    parts = urlsplit(server.public_url)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((parts.hostname, parts.port))
        assert eventually(lambda: bool(channels))
        (kept,) = channels.values()
        while not is_full(kept) or eventually(lambda: not is_full(kept), seconds=2):
            client.sendall(ASKED)
            time.sleep(0.1)
            assert eventually(lambda: kept.idle)
        monkeypatch.setattr(listener, "CONNECTIONS_WANTED", 0)
        assert eventually(lambda: not channels)


def test_the_body_behind_a_refused_head_is_no_request_that_its_sender_broke_off(tmp_path: Path) -> None:
    with running_service(tmp_path, settings=f"min_free_bytes = {10**15}") as service:
        body = envelope(1, bytes(100_000))
        for size in (len(body), 1000, 100):
            with Connection(service.url) as connection:
                connection.send(head(len(body)) + body[:size])
                assert connection.answer().status == 500
        assert service.terminate() == 0
    assert "broken off" not in (tmp_path / "log").read_text()
