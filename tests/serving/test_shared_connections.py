"""Of a few connections each process gets its share, and none waits for a process that does not come."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator

import pytest

from soapsvc.serving import listener
from soapsvc.serving.listener import Listener
from soapsvc.serving.shared_connections import SharedConnections, without
from soapsvc.serving.sockets import address_of, listening_socket
from soapsvc.settings import load_settings
from soapsvc.shutdown import Shutdown

PATIENCE_SECONDS = 30.0


def application(_environ: object, start_response: object) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "0")])  # type: ignore[operator]
    return []


@contextlib.contextmanager
def listening(numbers: list[int], counts: list[int]) -> Iterator[tuple[str, list[Listener]]]:
    """Listeners on one socket, as processes have them; and where they listen."""
    bound = listening_socket("127.0.0.1:0", "listen")
    settings = load_settings({})
    shutdown = Shutdown(settings.shutdown_seconds)
    listeners = [
        Listener(application, bound.dup(), settings, shutdown, threads=1, shared=SharedConnections(counts, number))
        for number in numbers
    ]
    threads = [threading.Thread(target=one.run) for one in listeners]
    for thread in threads:
        thread.start()
    try:
        yield address_of(bound), listeners
    finally:
        shutdown.begin()
        for thread in threads:
            thread.join()
        bound.close()


def connected(address: str) -> http.client.HTTPConnection:
    """A connection that stays, once its first request is answered."""
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)
    connection.request("GET", "/")
    connection.getresponse().read()
    return connection


def test_each_of_two_processes_has_half_of_a_few_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "LEFT_SECONDS", PATIENCE_SECONDS)  # on a busy machine the other one may take its time
    counts = [0, 0]
    with listening([0, 1], counts) as (address, listeners):
        connections = [connected(address) for _ in range(8)]
        assert [len(one.active_channels) for one in listeners] == [4, 4] == counts
        for connection in connections:
            connection.close()


def test_a_connection_that_nobody_else_takes_is_taken_after_a_moment() -> None:
    counts = [0, 0]  # the second process hangs
    with listening([0], counts) as (address, (one,)):
        began = time.monotonic()
        connections = [connected(address) for _ in range(5)]
        assert time.monotonic() - began < PATIENCE_SECONDS
        assert counts == [5, 0] == [len(one.active_channels), 0]
        for connection in connections:
            connection.close()


def test_nothing_is_left_to_a_process_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "LEFT_SECONDS", 10 * PATIENCE_SECONDS)
    counts = [0, 0]
    without(counts, 1)
    with listening([0], counts) as (address, _):
        for connection in [connected(address) for _ in range(5)]:
            connection.close()


def test_of_many_connections_a_process_may_have_a_few_more() -> None:
    counts = [100, 90]
    assert not SharedConnections(counts, 0).another_is_next()
    counts[0] = 113
    assert SharedConnections(counts, 0).another_is_next()
    assert not SharedConnections(counts, 1).another_is_next()
