"""Notes what goes over the wire around a receiver, for the exchange log; the receiver knows nothing but `Noted`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from soapsvc.clock import Clock, utc_now
from soapsvc.inbox.exchange import ANSWER_BYTES, Exchange, Headers
from soapsvc.inbox.exchange_log import ExchangeLog
from soapsvc.noted import Noted
from soapsvc.serving.request_parser import RefusedRequest
from soapsvc.wire.http_gate import recorded_headers
from soapsvc.wire.http_messages import RequestHead

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

UNREADABLE = "(unreadable) (unreadable) (unreadable)"  # in place of METHOD TARGET VERSION
_ORDINARY = frozenset({"accepted", "redelivery", "served"})


class ExchangeRecorder:
    """A WSGI application that hands on to another and notes each exchange.

    noted  what the receiver says of the request that a thread is answering
    """

    def __init__(self, receiver: WSGIApplication, noted: Noted, exchanges: ExchangeLog, clock: Clock = utc_now):
        self._receiver, self._noted, self._exchanges, self._clock = receiver, noted, exchanges, clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self._noted.begin()
        answered: list[Any] = []

        def start(status: str, http_headers: list[tuple[str, str]], *rest: Any) -> Any:
            answered[:] = (status, http_headers)
            return start_response(status, http_headers, *rest)

        body = list(self._receiver(environ, start))
        self._note(environ, answered[0], answered[1], b"".join(body))
        return body

    def refused(self, one: RefusedRequest) -> None:
        """Note a request that was answered before the receiver saw it."""
        at = self._clock()
        self._exchanges.note(lambda: _of_refused(one, at), ordinary=False)

    def _note(self, environ: WSGIEnvironment, status: str, http_headers: list[tuple[str, str]], body: bytes) -> None:
        noted = self._noted
        ended, at = time.perf_counter(), self._clock()
        push_id, outcome, source_ip = noted.push_id, noted.outcome, noted.source_ip
        times = (noted.began, noted.judged or ended, noted.stored or noted.judged or ended, ended)
        number = int(status[:3])
        if not outcome:
            outcome = "served" if number < 400 else "failed" if noted.judged or number >= 500 else "refused"
        kept = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
        kept |= {name: environ[name] for name in _KEPT if name in environ}

        def late() -> Exchange:
            target = kept.get("SCRIPT_NAME", "") + kept.get("PATH_INFO", "")
            target += f"?{kept['QUERY_STRING']}" if kept.get("QUERY_STRING") else ""
            length = kept.get("CONTENT_LENGTH", "")
            return Exchange(
                at=at,
                source_ip=source_ip or kept.get("REMOTE_ADDR", ""),
                peer=f"{kept.get('REMOTE_ADDR', '')} port {kept.get('REMOTE_PORT', '')}",
                request_line=f"{kept['REQUEST_METHOD']} {target} {kept.get('SERVER_PROTOCOL', 'HTTP/1.1')}",
                http_headers=recorded_headers(RequestHead("", "", "", _headers(kept), "")),
                body_bytes=int(length) if length.isdigit() else 0,
                push_id=push_id,
                outcome=outcome,
                status=number,
                answer_headers=tuple(http_headers),
                answer_body=body[:ANSWER_BYTES],
                answer_bytes=len(body),
                stages=tuple(
                    (name, round((times[i + 1] - times[i]) * 1000, 3))
                    for i, name in enumerate(("judge", "store", "answer"))
                    if times[i + 1] > times[i]
                ),
            )

        self._exchanges.note(late, ordinary=outcome in _ORDINARY)


_KEPT = (
    "CONTENT_TYPE", "CONTENT_LENGTH", "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR",
    "REMOTE_PORT", "SERVER_PROTOCOL",
)  # fmt: skip


def _headers(environ: dict[str, Any]) -> Headers:
    """As the WSGI server hands them on: names in title case, repeated ones joined."""
    named = [(name[5:], value) for name, value in environ.items() if name.startswith("HTTP_")]
    named += [(name, environ[name]) for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)]
    return tuple((name.replace("_", "-").title(), value) for name, value in named)


def _of_refused(one: RefusedRequest, at: datetime) -> Exchange:
    address, tcp_port = one.peer
    answer = one.answer
    return Exchange(
        at=at,
        source_ip=address,
        peer=f"{address} port {tcp_port}",
        request_line=one.request_line or UNREADABLE,
        http_headers=recorded_headers(RequestHead("", "", "", one.http_headers, "")),
        body_bytes=None,
        push_id=None,
        outcome="failed" if answer.status >= 500 else "refused",
        status=answer.status,
        answer_headers=tuple(answer.http_headers),
        answer_body=answer.body[:ANSWER_BYTES],
        answer_bytes=len(answer.body),
        stages=(("judge", round(one.seconds * 1000, 3)),),
    )
