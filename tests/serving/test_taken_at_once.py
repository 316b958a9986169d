"""Small pushes of known markup are taken by the thread that receives them: nothing that a store does holds that up."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from soapsvc.serving import RunningServer
from soapsvc.serving.listener import UNDER_WAY
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
