"""One connection: how long it may take, and how it ends so that the sender still reads the answer."""

from __future__ import annotations

import socket
import time
from functools import partial
from http import HTTPStatus
from typing import Any

import structlog
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, WSGITask

from soapsvc.serving.request_parser import JudgingParser
from soapsvc.wire.http_messages import Answer

log = structlog.get_logger()

GRACE_SECONDS = 10  # a request younger than this is not held against the least rate
STEP_BYTES = 8 * 1024  # parsed at a time where a request may end: waitress copies what is left after each
STALL_SECONDS = 60  # for a client that reads nothing of its answers: a thread may wait for it
LINGER_SECONDS = 5  # for the rest of a body that is not wanted
TOO_SLOW = Answer(
    408,
    (("Content-Type", "text/plain; charset=utf-8"),),
    b"The request came in too slowly; send it again over a faster connection, or ask whoever runs this receiver to "
    b"change request_seconds and min_bytes_per_second.\n",
)


class _RefusalTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    def execute(self) -> None:
        super().execute()
        if isinstance(self.request, JudgingParser):
            self.request.tell()


class _WholeAnswerTask(WSGITask):  # type: ignore[misc]  # waitress has no types
    """Hands head and body of an answer to its channel in one piece: to send each by itself is a call of the kernel and
    a packet more. The answer is that of the application, or the one that was given without it."""

    def execute(self) -> None:
        answer = self.request.answer
        if answer is None:
            super().execute()
            return
        self.complete = True
        self.status = f"{answer.status} {HTTPStatus(answer.status).phrase}"
        self.response_headers.extend(answer.http_headers)
        self.content_length = len(answer.body)
        self.write(answer.body)

    def write(self, data: bytes) -> None:
        self.channel.held = []
        try:
            super().write(data)
        finally:
            held, self.channel.held = self.channel.held, None
            self.channel.write_soon(b"".join(held))


class JudgingChannel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection whose requests are judged by their heads, timed, and answered also when the disk is full."""

    error_task_class = _RefusalTask
    task_class = _WholeAnswerTask
    request: JudgingParser | None
    close_when_flushed: bool
    held: list[bytes] | None = None  # what is written is kept here until it is whole
    _request_began = 0.0
    _lingers_until = 0.0  # 0: not lingering

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None):
        self.parser_class = partial(JudgingParser, peer=addr[:2], before_body=server.before_body, told=server.told,
                                    fields=server.fields)  # fmt: skip
        super().__init__(server, sock, addr, adj, map=map)

    def received(self, data: bytes) -> bool:
        try:
            at = 0
            while at < len(data):
                if self.request is None:
                    self._request_began = time.monotonic()
                step = max(STEP_BYTES, 0 if self.request is None else self.request.body_bytes_to_come)
                if not super().received(data[at : at + step]):
                    return False
                at += step
        except OSError as cause:  # the body goes to a file, and the disk does not take it
            log.error("request not spooled", cause=str(cause), peer=self.addr[0])
            self._end_request(self.server.spool_failed())
        return True

    def write_soon(self, data: Any) -> int:
        if self.held is None:
            return int(super().write_soon(data))
        self.held.append(data)
        return len(data)

    def _flush_outbufs_below_high_watermark(self) -> None:
        # The thread that receives waits for no client: it is the one that would see that this one reads again. What
        # piles up is bounded, for nothing is received from whom an answer is still to be sent to.
        if not self.server.is_own_thread():
            super()._flush_outbufs_below_high_watermark()

    def look_at_the_clock(self) -> None:
        """Let go of a sender that drips, and of one that does not read our answers. Called by the server's loop."""
        now = time.monotonic()
        if self._lingers_until and now > self._lingers_until:
            self.will_close = True
        stalled = time.time() - self.last_activity > min(STALL_SECONDS, self.server.request_seconds)
        if self.total_outbufs_len and stalled:
            log.warning("answers not read", peer=self.addr[0])
            self.handle_close()  # will_close would be looked at only when the socket takes bytes
            return
        if self.requests:
            self._request_began = now  # of the next one, which is not read meanwhile
            return
        if self.request is None:
            return
        taken = now - self._request_began
        came = self.request.header_bytes_received + self.request.body_bytes_received
        dripping = taken > GRACE_SECONDS and came < taken * self.server.min_bytes_per_second
        if taken > self.server.request_seconds or dripping:
            log.warning("request too slow", peer=self.addr[0], seconds=round(taken), bytes=came)
            self._end_request(TOO_SLOW)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way here."""
        return not (self.request or self.requests or self.total_outbufs_len or self.close_when_flushed
                    or self._lingers_until)  # fmt: skip

    def readable(self) -> bool:
        return bool(self._lingers_until or super().readable())

    def handle_read(self) -> None:
        if not self._lingers_until:
            super().handle_read()
        elif not self.recv(self.adj.recv_bytes):  # dropped; nothing: the sender has read the answer and closed
            self.will_close = True

    def handle_write(self) -> None:
        # A close with bytes unread makes the kernel send a reset, which can overtake the answer: so our side is closed
        # first, and what still comes is read and dropped for a while.
        if self.close_when_flushed and self.total_outbufs_len:
            self._flush_exception(self._flush_some)
        if self.close_when_flushed and not self.total_outbufs_len and not self._lingers_until:
            self.close_when_flushed = False
            self._lingers_until = time.monotonic() + LINGER_SECONDS
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.will_close = True  # it is gone already
        super().handle_write()

    def writable(self) -> bool:
        return bool(self.total_outbufs_len or self.will_close or (self.close_when_flushed and not self._lingers_until))

    def handle_close(self) -> None:
        if self.request is not None and not self.request.completed:
            came = self.request.header_bytes_received + self.request.body_bytes_received
            log.info("request broken off by its sender", peer=self.addr[0], bytes=came)
            self.request.close()
        super().handle_close()

    def _end_request(self, answer: Answer) -> None:
        with self.requests_lock:
            if self.request is None:
                return
            if not self.request.headers_finished:
                self.request.parse_header(b"GET / HTTP/1.0\r\n")
            self.request.refuse(answer)
            self.requests.append(self.request)
            self.request = None
            if len(self.requests) == 1:
                self.server.add_task(self)
