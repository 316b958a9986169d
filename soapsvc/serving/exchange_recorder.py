"""Notes what goes over the wire around a receiver, for the exchange log; the receiver knows nothing but `Noted`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from soapsvc.clock import Clock, utc_now
from soapsvc.inbox.exchange import ANSWER_BYTES, Exchange, Headers
from soapsvc.inbox.exchange_log import ExchangeLog
from soapsvc.receiver import Receiver, TakenAtOnce
from soapsvc.records import Accepted
from soapsvc.serving.request_parser import RefusedRequest
from soapsvc.wire.http_gate import recorded_headers
from soapsvc.wire.http_messages import Answer, RequestHead
from soapsvc.wire.incoming_body import IncomingBody

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

UNREADABLE = "(unreadable) (unreadable) (unreadable)"  # in place of METHOD TARGET VERSION
_ORDINARY = frozenset({"accepted", "redelivery", "served"})


class ExchangeRecorder:
    """A receiver that hands on to another and notes each exchange."""

    def __init__(self, receiver: Receiver, exchanges: ExchangeLog, clock: Clock = utc_now):
        self._receiver, self._noted, self._exchanges, self._clock = receiver, receiver.noted, exchanges, clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self._noted.begin()
        answered: list[Any] = []

        def start(status: str, http_headers: list[tuple[str, str]], *rest: Any) -> Any:
            answered[:] = (status, http_headers)
            return start_response(status, http_headers, *rest)

        body = list(self._receiver(environ, start))
        kept = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
        kept |= {name: environ[name] for name in _KEPT if name in environ}
        status, http_headers = answered
        self._note(lambda: _head_of(kept), Answer(int(status[:3]), tuple(http_headers), b"".join(body)))
        return body

    def at_once(self, body: IncomingBody) -> TakenAtOnce | None:
        """As the receiver's; its answer is noted."""
        taken = self._receiver.at_once(body)
        if taken is None or body.admitted is None:
            return None
        head = body.admitted.head

        def answer(outcome: Accepted | Exception) -> Answer:
            answer = taken.answer(outcome)
            length = ("Content-Length", str(len(answer.body)))
            self._note(lambda: head, replace(answer, http_headers=(*answer.http_headers, length)))
            return answer

        return TakenAtOnce(taken.prepare, answer)

    def refused(self, one: RefusedRequest) -> None:
        """Note a request that was answered before the receiver saw it."""
        at = self._clock()
        self._exchanges.note(lambda: _of_refused(one, at), ordinary=False)

    def _note(self, request: Callable[[], RequestHead], answer: Answer) -> None:
        noted = self._noted
        ended, at = time.perf_counter(), self._clock()
        push_id, outcome, source_ip = noted.push_id, noted.outcome, noted.source_ip
        times = (noted.began, noted.judged or ended, noted.stored or noted.judged or ended, ended)
        status = answer.status
        if not outcome:
            outcome = "served" if status < 400 else "failed" if noted.judged or status >= 500 else "refused"

        def late() -> Exchange:
            head = request()
            target = head.path + (f"?{head.query}" if head.query else "")
            lengths = head.values("Content-Length")
            return Exchange(
                at=at,
                source_ip=source_ip or head.peer,
                peer=f"{head.peer} port {head.peer_port or ''}",
                request_line=f"{head.method} {target} HTTP/{head.http_version}",
                http_headers=recorded_headers(head),
                body_bytes=int(lengths[0]) if lengths and lengths[0].isdigit() else 0,
                push_id=push_id,
                outcome=outcome,
                status=status,
                answer_headers=answer.http_headers,
                answer_body=answer.body[:ANSWER_BYTES],
                answer_bytes=len(answer.body),
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


def _head_of(environ: dict[str, Any]) -> RequestHead:
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    port = environ.get("REMOTE_PORT", "")
    return RequestHead(
        environ["REQUEST_METHOD"],
        path,
        environ.get("QUERY_STRING", ""),
        _headers(environ),
        environ.get("REMOTE_ADDR", ""),
        int(port) if port.isdigit() else 0,
        environ.get("SERVER_PROTOCOL", "HTTP/1.1").removeprefix("HTTP/"),
    )


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
