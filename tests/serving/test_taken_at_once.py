"""Small pushes of known markup are taken by the thread that receives them: nothing that a store does holds that up."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from waitress.adjustments import Adjustments

from soapsvc.serving.listener import UNDER_WAY
from soapsvc.serving.service import RunningServer
from tests.pushing import envelope, get, post
from tests.serving.connection import Connection, eventually, head, running_server, stored

MANY = UNDER_WAY + 36


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """It knows the markup of `envelope`."""
    with running_server(tmp_path) as running:
        for mrn in range(3):
            assert post(running.public_url, envelope(mrn)).acknowledged
        yield running


@contextlib.contextmanager
def nobody_writes(folder: Path) -> Iterator[None]:
    """The inbox cannot be written within, for nobody gets its lock."""
    with contextlib.closing(sqlite3.connect(next(folder.glob("**/inbox.db")), isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def jobs(server: RunningServer) -> list[int]:
    return sorted(map(int, stored(server.admin_url)))


def test_while_the_store_waits_all_else_is_answered_and_then_each_push(server: RunningServer, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Connection(server.public_url)) for _ in range(MANY)]
        with nobody_writes(tmp_path):
            for mrn, connection in enumerate(connections, 100):
                body = envelope(mrn)
                connection.send(head(len(body)), body)
            began = time.monotonic()
            while time.monotonic() - began < 1.5:  # all are in, and some would have been answered by now
                asked = time.monotonic()
                assert get(f"{server.public_url}?wsdl").status == 200
                assert time.monotonic() - asked < 1
            assert all(connection.says_nothing(0.01) for connection in connections)
        assert all(connection.answer().acknowledged for connection in connections)
    assert jobs(server) == [0, 1, 2, *range(100, 100 + MANY)]


def test_a_store_that_cannot_be_had_is_told_to_each_and_the_next_push_is_taken(
    server: RunningServer, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Connection(server.public_url)) for _ in range(4)]
        with nobody_writes(tmp_path):
            for mrn, connection in enumerate(connections, 100):
                body = envelope(mrn)
                connection.send(head(len(body)), body)
            answers = [connection.answer() for connection in connections]
        assert {answer.status for answer in answers} == {500}
        assert all(b":Server<" in answer.body and int(answer.headers["retry-after"]) > 0 for answer in answers)
        for mrn, connection in enumerate(connections, 100):
            body = envelope(mrn)
            connection.send(head(len(body)), body)
            assert connection.answer().acknowledged
    assert jobs(server) == [0, 1, 2, 100, 101, 102, 103]


def test_requests_sent_one_behind_the_other_are_answered_in_their_order(server: RunningServer) -> None:
    refused = envelope(201).replace(b">201<", b">x<")  # the MRN
    bodies = [envelope(200), envelope(200), refused, envelope(202), b"no XML", envelope(203)]
    with Connection(server.public_url) as connection:
        connection.send(*(head(len(body)) + body for body in bodies))
        answers = [connection.answer() for _ in bodies]
    assert [answer.status for answer in answers] == [200, 200, 500, 200, 500, 200]
    assert [answer.acknowledged for answer in answers] == [True, True, False, True, False, True]
    assert answers[0].body == answers[1].body


def test_who_has_gone_before_the_answer_leaves_a_push_that_is_stored(server: RunningServer, tmp_path: Path) -> None:
    with nobody_writes(tmp_path), Connection(server.public_url) as connection:
        body = envelope(300)
        connection.send(head(len(body)), body)
        time.sleep(0.2)  # it is all in
        connection.reset()
    assert eventually(lambda: 300 in jobs(server))
    assert post(server.public_url, envelope(301)).acknowledged


def test_a_body_that_is_no_xml_is_refused_though_all_its_tags_are_known(server: RunningServer) -> None:
    answer = post(server.public_url, envelope(400).replace(b"<XDN>test2</XDN>", b"<XDN<test2>/XDN>"))
    assert (answer.status, b"XML-003" in answer.body) == (500, True)
    assert jobs(server) == [0, 1, 2]


def test_who_sends_one_push_behind_the_other_and_reads_no_answer_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Adjustments, "outbuf_high_watermark", 0)  # above it, a thread waits for who does not read
    with running_server(tmp_path) as server:
        for mrn in range(3):
            assert post(server.public_url, envelope(mrn)).acknowledged
        parts = urlsplit(server.public_url)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((parts.hostname, parts.port))
            client.settimeout(1)
            body = envelope(4)
            with contextlib.suppress(TimeoutError):
                while True:  # until the server reads no more of it, for its own answers are not read
                    client.sendall((head(len(body)) + body) * 100)
            assert get(f"{server.public_url}?wsdl").status == 200
            assert post(server.public_url, envelope(5)).acknowledged
            assert jobs(server) == [0, 1, 2, 4, 5]


def test_a_push_is_answered_where_no_thread_can_be_started_to_store_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_server(tmp_path) as server:
        start = threading.Thread.start

        def no_thread(thread: threading.Thread) -> None:
            if thread.name == "inbox-writer":
                raise RuntimeError("can't start new thread")
            start(thread)

        assert post(server.public_url, envelope(0)).acknowledged
        assert post(server.public_url, envelope(1)).acknowledged
        monkeypatch.setattr(threading.Thread, "start", no_thread)
        refused = post(server.public_url, envelope(2))
        assert (refused.status, b":Server<" in refused.body) == (500, True)
        monkeypatch.undo()
        assert post(server.public_url, envelope(2)).acknowledged
        assert jobs(server) == [0, 1, 2]
