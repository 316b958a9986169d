"""Notes what goes over the wire around a receiver, for the exchange log; the receiver knows nothing but `Noted`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from soapsvc.clock import Clock, utc_now
from soapsvc.inbox.exchange import ANSWER_BYTES, Exchange
from soapsvc.inbox.exchange_log import ExchangeLog
from soapsvc.receiver import Receiver, TakenAtOnce, request_head
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
        stream = environ["wsgi.input"]
        admitted = stream.admitted if isinstance(stream, IncomingBody) else None
        head = request_head(environ) if admitted is None else admitted.head
        length = environ.get("CONTENT_LENGTH", "")  # also of a chunked body, which is all in
        status, http_headers = answered
        answer = Answer(int(status[:3]), tuple(http_headers), b"".join(body))
        self._note(head, int(length) if length.isdigit() else 0, answer)
        return body

    def at_once(self, body: IncomingBody) -> TakenAtOnce | None:
        """As the receiver's; its answer is noted."""
        taken = self._receiver.at_once(body)
        if taken is None or body.admitted is None:
            return None
        head, body_bytes = body.admitted.head, len(body)

        def answer(outcome: Accepted | Exception) -> Answer:
            answer = taken.answer(outcome)
            length = ("Content-Length", str(len(answer.body)))
            self._note(head, body_bytes, replace(answer, http_headers=(*answer.http_headers, length)))
            return answer

        return TakenAtOnce(taken.prepare, answer)

    def refused(self, one: RefusedRequest) -> None:
        """Note a request that was answered before the receiver saw it."""
        at = self._clock()
        self._exchanges.note(lambda: _of_refused(one, at), ordinary=False)

    def _note(self, head: RequestHead, body_bytes: int, answer: Answer) -> None:
        noted = self._noted
        ended, at = time.perf_counter(), self._clock()
        push_id, outcome, source_ip = noted.push_id, noted.outcome, noted.source_ip
        times = (noted.began, noted.judged or ended, noted.stored or noted.judged or ended, ended)
        status = answer.status
        if not outcome:
            outcome = "served" if status < 400 else "failed" if noted.judged or status >= 500 else "refused"

        def late() -> Exchange:
            target = head.path + (f"?{head.query}" if head.query else "")
            return Exchange(
                at=at,
                source_ip=source_ip or head.peer,
                peer=f"{head.peer} port {head.peer_port or ''}",
                request_line=f"{head.method} {target} HTTP/{head.http_version}",
                http_headers=recorded_headers(head),
                body_bytes=body_bytes,
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
