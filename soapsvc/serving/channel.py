"""One connection: how long it may take, and how it ends so that the sender still reads the answer."""

from __future__ import annotations

import contextlib
import re
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
STEP_BYTES = 8 * 1024  # read at a time where a request may end: what is behind the end is copied once more
_BLANK_LINES = re.compile(rb"(?:\r\n)*")  # before a request: RFC 9112, 2.2
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

    def build_response_header(self) -> bytes:
        if self.channel.server.shutdown.begun and not self.channel.has_more:
            self.request.headers["CONNECTION"] = "close"  # or the next request would come in vain
        head: bytes = super().build_response_header()
        return head

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
    _came, _read_to = b"", 0  # of what came, up to where it was read
    _request_began = 0.0
    _was_refused = False  # the last request: what comes may be its body
    _lingers_until = 0.0  # 0: not lingering

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None):
        self.parser_class = partial(JudgingParser, peer=addr[:2], before_body=server.before_body, told=server.told,
                                    fields=server.fields)  # fmt: skip
        super().__init__(server, sock, addr, adj, map=map)

    def received(self, data: bytes) -> bool:
        self._came, self._read_to = data, 0  # readable() is false while some of it is still to be read
        self._read_on()
        return True

    def _read_on(self) -> None:
        """Read requests in what came, as long as nothing of an earlier one is to be done or sent: what a client sends
        behind it without reading its answers stays in as many bytes as it came in, and no thread is kept by it."""
        try:
            with self.requests_lock:
                while self._is_to_be_read:
                    self._read_some()
                    if self._read_to == len(self._came):
                        self._came, self._read_to = b"", 0
                    if self.request is not None:
                        self._go_on_with(self.request)
        except OSError as cause:  # the body goes to a file, and the disk does not take it
            log.error("request not spooled", cause=str(cause), peer=self.addr[0])
            self._end_request(self.server.spool_failed())

    @property
    def _is_to_be_read(self) -> bool:
        """Whether there is more of what came, and its turn is now."""
        return bool(self._came) and not (self.requests or self.total_outbufs_len or self._closes)

    @property
    def _closes(self) -> bool:
        return bool(self.will_close or self.close_when_flushed or self._lingers_until or not self.connected)

    def _read_some(self) -> None:
        if self.request is None:
            self._read_to = _BLANK_LINES.match(self._came, self._read_to).end()  # type: ignore[union-attr]
            if self._read_to == len(self._came):
                return
            self._request_began = time.monotonic()
            self.request = self.parser_class(self.adj)
        until = self._read_to + max(STEP_BYTES, self.request.body_bytes_to_come)
        self._read_to += self.request.received(self._came[self._read_to : until])

    def _go_on_with(self, request: JudgingParser) -> None:
        """As waitress' received() does, which reads all that came at once and so has a queue of requests."""
        if request.expect_continue:
            self.send_continue()
        if request.completed:
            self.request = None
            if not request.empty:
                self._was_refused = request.error is not None
                self.requests.append(request)
                self.server.add_task(self)

    @property
    def has_more(self) -> bool:
        """Whether something came behind the request that is answered, but for blank lines."""
        behind = self._came[self._read_to :]
        if not behind:
            with contextlib.suppress(OSError):  # nothing is there, or the other end has gone
                behind = self.socket.recv(STEP_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        return bool(behind.lstrip(b"\r\n"))

    def write_soon(self, data: Any) -> int:
        if self.held is None:
            return int(super().write_soon(data))
        self.held.append(data)
        return len(data)

    def service(self) -> None:
        try:
            super().service()
        finally:
            self.server.readers.pop(self, None)

    def _flush_outbufs_below_high_watermark(self) -> None:
        if self.total_outbufs_len > self.adj.outbuf_high_watermark:
            self.server.readers.setdefault(self, time.monotonic())
        super()._flush_outbufs_below_high_watermark()

    def look_at_the_clock(self) -> None:
        """Let go of a sender that drips, and of one that does not read our answers. Called by the server's loop."""
        now = time.monotonic()
        stalled = time.time() - self.last_activity > min(STALL_SECONDS, self.server.request_seconds)
        if (self.total_outbufs_len or self._is_to_be_read) and stalled:
            log.warning("answers not read", peer=self.addr[0])
            self.handle_close()
            return
        if self.will_close or (self._lingers_until and now > self._lingers_until):
            self.handle_close()  # else it would only be closed once the socket takes bytes again
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
        under_way = self.request or self.requests or self.total_outbufs_len or self.close_when_flushed
        unread = self._was_refused if self._lingers_until else self._came
        return not (under_way or unread)

    def readable(self) -> bool:
        return bool(self._lingers_until or (not self._came and super().readable()))

    def handle_read(self) -> None:
        if not self._lingers_until:
            super().handle_read()
        elif not self.recv(self.adj.recv_bytes):  # dropped; nothing: the sender has read the answer and closed
            self.will_close = True

    def handle_expt(self) -> None:
        log.info("urgent data, which HTTP has not", peer=self.addr[0])
        try:
            self.socket.recv(1, socket.MSG_OOB)  # else poll() tells of it again and again
        except OSError:
            self.handle_close()

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
        if self._is_to_be_read:
            self._read_on()

    def writable(self) -> bool:
        to_close = self.will_close or (self.close_when_flushed and not self._lingers_until)
        return bool(self.total_outbufs_len or to_close or self._is_to_be_read)

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
            self._was_refused = True
            self.server.add_task(self)
