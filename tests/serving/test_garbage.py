"""What a request leaves to Python's garbage collector, which comes rarely, holds nothing of its message: else memory
grows with each until it comes."""

from __future__ import annotations

import base64
import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from soapsvc.serving.service import RunningServer
from tests.pushing import TEXT_XML, envelope, post
from tests.serving.connection import running_server

NO_TEXT, LINES = os.urandom(300_000), b"a,b,c,d\r\n" * 30_000
HOLDERS = {"frame", "traceback", "_Element", "_Document", "IncomingBody", "Envelope", "LineIndex", "xmlparser"}
LARGE_BYTES = 50_000
MESSAGES: dict[str, Callable[[int], bytes]] = {
    "text": lambda mrn: envelope(mrn, LINES),
    "no text, though it says so": lambda mrn: envelope(mrn, NO_TEXT),
    "no base64": lambda mrn: envelope(mrn, NO_TEXT).replace(b'format="base64">', b'format="base64">!'),
    "no base64, held in memory": lambda mrn: envelope(mrn, NO_TEXT[:75_000]).replace(
        b'format="base64">', b'format="base64">!'
    ),
    "cut": lambda mrn: envelope(mrn, NO_TEXT)[:-40],
    "no XML": lambda _: NO_TEXT,
    "a DTD": lambda mrn: envelope(mrn, NO_TEXT).replace(b"<soapenv:Env", b"<!DOCTYPE a><soapenv:Env", 1),
    "an entity": lambda mrn: envelope(mrn, NO_TEXT).replace(b"test2", b"&nope;"),
    "not by the contract": lambda mrn: envelope(mrn, NO_TEXT).replace(b"<XDN>test2</XDN>", b"<X/>" * 100),
    "not in its charset": lambda mrn: envelope(mrn, LINES).replace(b"test2", b"t\xe9st"),
    "text as it is": lambda mrn: envelope(mrn).replace(
        b' format="base64">' + base64.b64encode(b"reference,status\r\nINV-1,Sent\r\n"), b' format="text">' + LINES
    ),
    "the same again": lambda _: envelope(1, NO_TEXT),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def garbage_of(work: Callable[[], object]) -> list[object]:
    """What is unreachable after the work and was not freed."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        work()
        gc.collect()
        return list(gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def assert_holds_nothing(garbage: list[object]) -> None:
    assert {type(one).__name__ for one in garbage} & HOLDERS == set()
    held = {id(one): sys.getsizeof(one) for each in garbage for one in [each, *gc.get_referents(each)]
            if isinstance(one, bytes | bytearray | str)}  # fmt: skip
    assert sum(held.values()) < LARGE_BYTES


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
@pytest.mark.parametrize("content_type", ["text/xml; charset=utf-8", "text/plain"])
def test_a_message_is_freed_with_its_answer(
    server: RunningServer, message: Callable[[int], bytes], content_type: str
) -> None:
    for mrn in (1, 2):  # what is made once is made
        post(server.public_url, message(mrn), {**TEXT_XML, "Content-Type": content_type})
    body = message(3)
    garbage = garbage_of(lambda: post(server.public_url, body, {**TEXT_XML, "Content-Type": content_type}))
    assert_holds_nothing(garbage)


def test_a_message_that_cannot_be_stored_is_freed_with_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why it cannot does not come from SQLAlchemy here, whose errors are cycles of their own."""

    def check() -> None:
        raise OSError("the disk is gone")

    with running_server(tmp_path) as server:
        for mrn in range(3):
            assert post(server.public_url, envelope(mrn, LINES)).acknowledged
            assert post(server.public_url, envelope(10 + mrn)).acknowledged
        monkeypatch.setattr(server._rooms._store._writer, "_check", check)
        for body in (envelope(4, LINES), envelope(5)):
            assert post(server.public_url, body).status == 500
            assert_holds_nothing(garbage_of(lambda body=body: post(server.public_url, body)))
