"""Clients that ask for much and hardly read it: they keep no answer from anybody else."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from soapsvc.serving import listener
from soapsvc.serving.service import ADMIN_THREADS, RunningServer
from tests.pushing import envelope, get, post
from tests.serving.connection import eventually, running_server

THREADS = 2  # of the receiver
DOCUMENT = bytes(30 * 1024 * 1024)  # its envelope is more than a connection holds for its reader


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path, threads=THREADS) as server:
        yield server


@pytest.fixture
def raw(server: RunningServer) -> str:
    """The URL of an envelope of 42 MB."""
    assert post(server.public_url, envelope(document=DOCUMENT)).status == 200
    (push,) = json.loads(get(f"{server.admin_url}api/v1/pushes").body)["pushes"]
    return f"{server.admin_url}api/v1/pushes/{push['id']}/raw"


def slow_reader(url: str) -> socket.socket:
    """Has asked for it, and reads nothing."""
    parts = urlsplit(url)
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.settimeout(20)
    one.connect((parts.hostname, parts.port))
    one.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    return one


def workers() -> int:
    return sum(thread.name.startswith("waitress-") for thread in threading.enumerate())


def has_connection(server: RunningServer, reader: socket.socket) -> bool:
    """Whether the admin listener has that end of it still."""
    return reader.getsockname() in [channel.addr for channel in list(server._listeners[0].active_channels.values())]


def is_whole(reader: socket.socket) -> bool:
    """Whether its answer comes to the end, when it is read."""
    came = 0
    while came < len(DOCUMENT) and (some := reader.recv(1024 * 1024)):
        came += len(some)
    return came >= len(DOCUMENT)


def test_readers_who_read_nothing_keep_no_page_from_others(server: RunningServer, raw: str) -> None:
    readers = [slow_reader(raw) for _ in range(ADMIN_THREADS * 3)]
    try:
        assert eventually(lambda: workers() == THREADS + ADMIN_THREADS + len(readers))
        for path in ("readyz", "api/v1/pushes", "healthz"):
            assert get(server.admin_url + path).status == 200
        assert is_whole(readers[0])
        assert eventually(lambda: workers() == THREADS + ADMIN_THREADS + len(readers) - 1)
        assert has_connection(server, readers[0])
    finally:
        for reader in readers:
            reader.close()
    assert eventually(lambda: workers() == THREADS + ADMIN_THREADS), "they are ended when there is no more need"
    assert get(raw).status == 200


def test_of_very_many_readers_one_who_reads_nothing_is_let_go_when_somebody_waits(
    server: RunningServer, raw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "READERS", 2)
    readers = [slow_reader(raw) for _ in range(ADMIN_THREADS + 2)]
    finished = threading.Event()

    def read_on() -> None:
        while not finished.wait(0.02) and readers[0].recv(32 * 1024):
            pass

    steady = threading.Thread(target=read_on)
    steady.start()
    try:
        assert eventually(lambda: len(server._listeners[0].readers) == len(readers))
        assert workers() == THREADS + ADMIN_THREADS + 2
        assert all(has_connection(server, reader) for reader in readers), "nobody waits"
        assert get(server.admin_url + "readyz").status == 200
        assert sum(has_connection(server, reader) for reader in readers) == len(readers) - 1
        assert has_connection(server, readers[0]), "it reads on, if slowly"
    finally:
        finished.set()
        steady.join()
        for reader in readers:
            reader.close()


def test_where_there_is_no_room_for_another_thread_the_others_go_on(
    server: RunningServer, raw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, refused = threading.Thread.start, threading.Event()

    def start_or_not(thread: threading.Thread) -> None:
        if thread.name.startswith("waitress-"):
            refused.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as no_room, slow_reader(raw):
        no_room.setattr(threading.Thread, "start", start_or_not)
        assert refused.wait(20)
        assert get(server.admin_url + "readyz").status == 200
    readers = [slow_reader(raw) for _ in range(ADMIN_THREADS)]
    try:
        assert eventually(lambda: workers() == THREADS + ADMIN_THREADS + len(readers))
        assert get(server.admin_url + "readyz").status == 200
    finally:
        for reader in readers:
            reader.close()
