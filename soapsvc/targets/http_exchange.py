"""One POST over HTTP within a time for the whole of it: no redirects, no proxy of the environment, TLS verified.

A connection carries one request. One that was kept open may have been closed by its peer just before, and whether that
took what was sent on it is then not known; and the address is looked up, and judged, for each.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from soapsvc import __version__
from soapsvc.targets.addresses import is_public, resolved
from soapsvc.targets.deadline import Deadline, Watchdog
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.target import DeliveryFailed

ANSWER_BYTES = 1024 * 1024  # an acknowledgement has some hundred bytes, a fault with its detail some thousand
LINE_CHARS = 300
MAX_RETRY_AFTER_SECONDS = 24 * 3600.0
OTHERS_MATTER = frozenset({401, 403, 404, 407, 408, 421, 423, 425, 429})
"""Statuses of the class 4xx that say something of the receiver's state or set-up, and not of this push."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer, read to its end; the names are those of requests, so that zeep reads it as one of its own."""

    status_code: int
    reason: str
    headers: CaseInsensitiveDict[str]
    content: bytes = field(repr=False)
    encoding: str | None = None

    @property
    def first_line(self) -> str:
        """Of its text, shortened; what HTTP calls the status where there is none."""
        text = self.content[: 4 * LINE_CHARS].decode("utf-8", "replace").strip().splitlines()
        line = " ".join(text[0].split()) if text else self.reason
        return line if len(line) <= LINE_CHARS else f"{line[:LINE_CHARS]}…"


class Body:
    """What a request carries: its size is known before, and it is read in pieces."""

    def __init__(self, stream: BinaryIO, size_bytes: int, deadline: Deadline):
        self._stream, self._size_bytes, self._deadline = stream, size_bytes, deadline

    def __len__(self) -> int:
        return self._size_bytes

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(65536):
            yield piece

    def read(self, size: int = -1) -> bytes:
        self._deadline.left()
        return self._stream.read(size)


def post(
    url: str,
    body: Body,
    headers: Mapping[str, str],
    *,
    options: TargetOptions,
    deadline: Deadline,
    user: str | None = None,
    password: str | None = None,
    public_only: bool = False,
) -> HttpAnswer:
    """The answer to one POST.

    public_only  connect to no address that is not public, whatever name leads there
    Errors       DeliveryFailed: no answer came; whatever the body raises
    """
    target = HttpTarget(url)
    session = requests.Session()
    session.trust_env = False  # no proxy, netrc or CA file of the environment's: the settings say all
    session.verify = str(options.ca_file) if options.ca_file else True
    adapter = _Adapter(deadline, options.connect_seconds, public_only, target)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    told = {"User-Agent": f"soapsvc/{__version__}", "Connection": "close", "Accept-Encoding": "identity", **headers}
    auth = HTTPBasicAuth(user.encode(), (password or "").encode()) if user is not None else None
    try:
        with session, Watchdog(deadline, adapter.hang_up):
            answer = session.post(
                url, data=body, headers=told, auth=auth, allow_redirects=False, stream=True,
                timeout=(deadline.left(options.connect_seconds), deadline.left()),
            )  # fmt: skip
            with answer:
                content = _read(answer)
        if deadline.passed:
            raise _no_answer(target)
    except requests.exceptions.InvalidURL as error:
        raise DeliveryFailed(f"{target.shown} is no URL that HTTP can use", may_repeat=False) from error
    except requests.exceptions.SSLError as error:
        raise DeliveryFailed(f"{target.shown} is not believed: {_reason(error)}", may_repeat=True) from error
    except (requests.Timeout, TimeoutError) as error:
        raise _no_answer(target) from error
    except (requests.RequestException, OSError) as error:
        raise _broken(error, target, deadline) from error
    except Exception as error:  # what urllib3 raises while an answer is read is not one of requests' own
        if type(error).__module__.startswith(("urllib3", "http")):
            raise _broken(error, target, deadline) from error
        raise
    if len(content) > ANSWER_BYTES:
        raise DeliveryFailed(
            f"HTTP {answer.status_code}: {target.shown} answers with more than {ANSWER_BYTES} bytes", may_repeat=True
        )
    return HttpAnswer(answer.status_code, answer.reason or "", answer.headers, content, answer.encoding)


def _read(answer: requests.Response) -> bytes:
    """To its end, where urllib3 tells whether it was cut; of an answer that is too long, more than ANSWER_BYTES."""
    content = bytearray()
    while len(content) <= ANSWER_BYTES and (piece := answer.raw.read(65536, decode_content=False)):
        content += piece
    return bytes(content)


def _no_answer(target: HttpTarget) -> DeliveryFailed:
    return DeliveryFailed(
        f"No answer from {target.shown} in time; whether it took the push is not known.", may_repeat=True
    )


def _broken(error: Exception, target: HttpTarget, deadline: Deadline) -> DeliveryFailed:
    if deadline.passed or isinstance(_innermost(error), TimeoutError):
        return _no_answer(target)
    return DeliveryFailed(f"{target.shown} cannot be reached: {_reason(error)}", may_repeat=True)


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """A URL that is posted to, for sentences."""

    url: str = field(repr=False)

    @property
    def shown(self) -> str:
        return self.url.partition("?")[0].partition("#")[0]


def retry_after_seconds(answer: HttpAnswer, now: datetime) -> float | None:
    """What the answer says of when to come again, at most a day; None: nothing that can be read."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_RETRY_AFTER_SECONDS)
    try:
        at = parsedate_to_datetime(value)
        seconds = (at - now).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(0.0, seconds), MAX_RETRY_AFTER_SECONDS)


def may_repeat_after(status_code: int) -> bool:
    """Whether a status leaves hope for the same push: not a redirect, and of 4xx only those of OTHERS_MATTER."""
    return status_code in OTHERS_MATTER or not 300 <= status_code < 500


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class _Adapter(HTTPAdapter):
    """Makes connections that the deadline can end."""

    def __init__(self, deadline: Deadline, connect_seconds: float, public_only: bool, target: HttpTarget):
        self._deadline, self._connect_seconds = deadline, connect_seconds
        self._public_only, self._target = public_only, target
        self._sockets: list[socket.socket] = []
        super().__init__(max_retries=0)

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **more)
        adapter = self

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return adapter.dial(self._dns_host, self.port)

        class Secured(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return adapter.dial(self._dns_host, self.port)

            def connect(self) -> None:
                super().connect()
                if self.sock is not None:
                    adapter.watch(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecuredPool(HTTPSConnectionPool):
            ConnectionCls = Secured

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecuredPool}

    def dial(self, host: str, port: int) -> socket.socket:
        """A connection to the first address that answers, of those that may be connected to.

        Errors  DeliveryFailed: none may; OSError: none answers
        """
        addresses = resolved(host, port)
        allowed = [(family, at) for family, at in addresses if not self._public_only or is_public(at[0])]
        if not allowed:
            listed = ", ".join(dict.fromkeys(at[0] for _, at in addresses))
            raise DeliveryFailed(
                f"{self._target.shown} leads to {listed}, inside a network, where no webhook is sent; allow_internal "
                "lets it",
                may_repeat=False,
            )
        failed: OSError | None = None
        for family, at in allowed:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.settimeout(self._deadline.left(self._connect_seconds))
                sock.connect(at)
            except OSError as error:
                sock.close()
                failed = error
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.watch(sock)
            return sock
        assert failed is not None, "there is an address"
        raise failed

    def watch(self, sock: socket.socket) -> None:
        self._sockets.append(sock)

    def hang_up(self) -> None:
        """End every connection, so that whoever waits for one wakes."""
        for sock in self._sockets:
            with contextlib.suppress(OSError):  # detached when TLS took it over, or closed already
                sock.shutdown(socket.SHUT_RDWR)


def _innermost(error: BaseException) -> BaseException:
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error


def _reason(error: Exception) -> str:
    """What went wrong without requests' own nesting of objects."""
    inner = _innermost(error)
    told = str(getattr(inner, "verify_message", None) or getattr(inner, "strerror", None) or inner)
    return " ".join(told.split())[:LINE_CHARS]
