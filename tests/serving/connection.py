"""A connection that sends exactly the bytes it is given, and what came in at the other end."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from soapsvc.serving.service import RunningServer
from soapsvc.settings import OwnSettings
from tests.pushing import TEXT_XML, HttpAnswer, get

PATIENCE_SECONDS = 20


class NoAnswer(Exception):
    """The connection ended where an answer was wanted."""


class Connection:
    """One TCP connection to the host and port of a URL."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=PATIENCE_SECONDS)
        self._came = b""

    def send(self, *pieces: bytes) -> None:
        self._socket.sendall(b"".join(pieces))

    def send_urgently(self, byte: bytes) -> None:
        self._socket.send(byte, socket.MSG_OOB)

    def status(self) -> int:
        """The status of the next answer whose head is read here and whose body is not: 100 Continue."""
        return int(self._until(b"\r\n\r\n").split(b" ", 2)[1])

    def answer(self, *, to_head: bool = False) -> HttpAnswer:
        """The next answer, which a 100 Continue is too."""
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        length = 0 if to_head else int(headers.get("content-length", "0"))
        while len(self._came) < length:
            self._more()
        body, self._came = self._came[:length], self._came[length:]
        return HttpAnswer(int(first.split(" ", 2)[1]), headers, body)

    def rest(self) -> bytes:
        """Everything until the other end closes; ConnectionResetError when it does not close in good order."""
        with contextlib.suppress(NoAnswer):
            while True:
                self._more()
        return self._came

    def says_nothing(self, seconds: float) -> bool:
        """Whether nothing comes for so long, not even the end."""
        self._socket.settimeout(seconds)
        try:
            self._more()
        except TimeoutError:
            return True
        except NoAnswer:
            return False
        finally:
            self._socket.settimeout(PATIENCE_SECONDS)
        return False

    def finish_sending(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close without a goodbye: the other end sees an error."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _until(self, end: bytes) -> bytes:
        while end not in self._came:
            self._more()
        head, _, self._came = self._came.partition(end)
        return head

    def _more(self) -> None:
        came = self._socket.recv(65536)
        if not came:
            raise NoAnswer(f"the connection ended after {self._came!r}")
        self._came += came


def head(
    length: int | None = None, *more: str, method: str = "POST", target: str = "/push", version: str = "HTTP/1.1"
) -> bytes:
    """The head of a push. more: further header lines."""
    lines = [f"{method} {target} {version}", "Host: receiver.example.net", *(f"{k}: {v}" for k, v in TEXT_XML.items())]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, *more, "", ""]).encode("latin-1")


def chunked(body: bytes, size: int = 1000) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@contextlib.contextmanager
def running_server(folder: Path, **changed: Any) -> Iterator[RunningServer]:
    """A receiver in threads of this process, its inbox in the folder."""
    settings = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "inbox": f"sqlite:///{folder / 'inbox.db'}"}
    with RunningServer(OwnSettings(**{**settings, **changed})) as server:
        yield server


def stored(admin_url: str, state: str = "accepted") -> list[str]:
    """The MRN of every push in this state, as the admin listener tells it."""
    answer = get(f"{admin_url.rstrip('/')}/api/v1/pushes?limit=500&state={state}")
    assert answer.status == 200, answer
    return sorted(str((push["job"] or {}).get("mrn")) for push in json.loads(answer.body)["pushes"])


def eventually(what: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Whether what() becomes true within so many seconds."""
    patience = time.monotonic() + seconds
    while not what():
        if time.monotonic() > patience:
            return False
        time.sleep(0.02)
    return True
