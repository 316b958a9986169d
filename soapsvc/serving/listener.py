"""A waitress server on a socket that is bound already, with an end that loses nothing."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any

import structlog
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from soapsvc.receiver import TakenAtOnce
from soapsvc.records import Accepted
from soapsvc.serving.channel import JudgingChannel
from soapsvc.serving.request_parser import BeforeBody, HeaderFields, Told
from soapsvc.serving.shared_connections import SharedConnections
from soapsvc.serving.sockets import BACKLOG
from soapsvc.settings import Settings
from soapsvc.shutdown import Shutdown
from soapsvc.wire.http_messages import Answer
from soapsvc.wire.incoming_body import IncomingBody

log = structlog.get_logger()

AtOnce = Callable[[IncomingBody], TakenAtOnce | None]

CONNECTIONS = 1000  # waitress' default of 100 is used up by 100 slow senders
CONNECTIONS_WANTED = 800  # above, idle ones are let go
RECEIVE_BYTES = 256 * 1024  # at 8 KiB, the default, a large body takes three times as long
FORM_BYTES = 256 * 1024  # of a body that is put nowhere: it is held
LEFT_SECONDS = 0.005  # that a new connection is left to a process that has fewer, at most
LOOK_SECONDS = 0.001  # between two looks at whether that one has taken it
GATHERED = 16  # pushes that are stored together at most: beyond, one gets hardly cheaper
UNDER_WAY = 64  # taken and not answered: where the store is slow, the next ones wait as they came, in less memory
THREADS_SECONDS = 0.5  # at least, at the end, for threads that have nothing to do
READERS = 32  # slow ones that a thread each may wait for, beside those that answer the others
READS_SLOWLY_SECONDS = 0.1  # after which another thread takes the place of one that waits for its reader
QUIET_SECONDS = 0.1  # at the end, before a connection without a request is let go: one may be on its way
CLEAN_UP_SECONDS = 1.0  # between two looks at who takes too long
IDLE_SECONDS = 60  # a kept-alive connection without a request
HEAD_BYTES = 64 * 1024
DISK_FULL = Answer(503, (("Content-Type", "text/plain; charset=utf-8"),), b"The disk is full; try again later.\n")


class Listener(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """Serves one WSGI application on one socket until the shutdown begins.

    before_body   judges a request by its head: the answer, or what the body is put into; None: nobody does
    at_once       takes a request whose body is in such a thing, without the application and a thread for it, or None;
                  None: none is taken so
    told          of each request that the application does not see; None: nobody is
    spool_failed  the answer when a body could not be written to disk
    shared        with processes that accept from the same socket; None: there are none
    """

    channel_class = JudgingChannel

    def __init__(
        self,
        application: Any,
        listening: socket.socket,
        settings: Settings,
        shutdown: Shutdown,
        *,
        threads: int,
        before_body: BeforeBody | None = None,
        at_once: AtOnce | None = None,
        told: Told | None = None,
        spool_failed: Callable[[], Answer] = lambda: DISK_FULL,
        shared: SharedConnections | None = None,
    ):
        self._shared, self._left_until = shared, 0.0
        self.fields = HeaderFields()
        self._at_once = at_once
        self._complete: deque[JudgingChannel] = deque()
        self._taken: list[tuple[JudgingChannel, TakenAtOnce]] = []
        self._stored: deque[tuple[JudgingChannel, TakenAtOnce, Accepted | Exception]] = deque()
        self.readers: dict[JudgingChannel, float] = {}  # who keeps a thread with what is not read, since when
        self._under_way = 0  # taken at once and not answered
        self._told_of_stored = self._ended = False
        self._ending = threading.Lock()
        self._thread: int | None = None  # whose loop this is
        self._cleans_up_at = 0.0
        self.before_body, self.told, self.spool_failed = before_body, told, spool_failed
        self.request_seconds = settings.request_seconds
        self.min_bytes_per_second = settings.min_bytes_per_second
        self.shutdown = shutdown
        adjustments = Adjustments(
            sockets=[listening],
            threads=threads,
            backlog=BACKLOG,
            connection_limit=CONNECTIONS,
            asyncore_use_poll=True,
            recv_bytes=RECEIVE_BYTES,
            inbuf_overflow=FORM_BYTES,
            max_request_body_size=1
            + (settings.max_envelope_bytes if before_body else FORM_BYTES),  # it is to be smaller
            max_request_header_size=HEAD_BYTES,
            channel_timeout=IDLE_SECONDS,
            ident="soapsvc",
            clear_untrusted_proxy_headers=False,  # X-Forwarded-For is judged by the gate, against trusted_proxies
            expose_tracebacks=False,
            log_socket_errors=False,
        )
        super().__init__(
            application,
            _sock=listening,
            adj=adjustments,
            bind_socket=False,
            sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
        )
        # Waitress would clean up while it gathers what is polled: the number of a connection that is closed there may
        # be that of a new one when poll() complains of it.
        self.next_channel_cleanup = math.inf

    def run(self) -> None:
        """Serve until the shutdown begins, then finish what is under way, for as long as that gives."""
        self._thread = threading.get_ident()
        self.shutdown.then(self._look_again)
        while not self.shutdown.begun:
            self._poll()
        self._accept_the_last()
        began = time.time()
        while (self.active_channels or self._has_taken) and self.shutdown.seconds_left:
            self._poll()
            self._let_go_of_idle(began)
        self.task_dispatcher.shutdown(cancel_pending=False, timeout=max(THREADS_SECONDS, self.shutdown.seconds_left))
        with self._ending:
            self._ended = True
        wasyncore.close_all(self._map)

    def _accept_the_last(self) -> None:
        """Whose connection the kernel has made has sent a request, for all it knows: it is answered."""
        before = -1
        while before < len(self.active_channels) < CONNECTIONS:
            before = len(self.active_channels)
            super().handle_accept()
        self.accepting = False
        self.del_channel()
        self.socket.close()

    def _let_go_of_idle(self, began: float) -> None:
        now = time.time()
        for channel in list(self.active_channels.values()):
            if channel.idle and now - max(began, channel.last_activity) > QUIET_SECONDS:
                channel.will_close = True

    def _look_again(self) -> None:
        """Let the loop go round. From any thread."""
        with self._ending:
            if not self._ended:  # else the trigger's number may be that of another file by now
                super().pull_trigger()

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        self._make_room()
        for channel in list(self.active_channels.values()):
            channel.look_at_the_clock()

    def readable(self) -> bool:
        return bool(super().readable()) and not self._leaves

    def handle_accept(self) -> None:
        if self._shared is not None and self._shared.another_is_next():
            now = time.monotonic()
            if now > self._left_until + LEFT_SECONDS:  # else it was left a moment ago, and nobody took it
                self._left_until = now + LEFT_SECONDS
                return
        super().handle_accept()
        self._tell()

    @property
    def _leaves(self) -> bool:
        """Whether a new connection is left to another process, for a moment."""
        return self._shared is not None and time.monotonic() < self._left_until and self._shared.another_is_next()

    def _tell(self) -> None:
        if self._shared is not None:
            self._shared.tell(len(self.active_channels))

    def _make_room(self) -> None:
        """Let go of the connections that were idle longest, before there are so many that no sender gets in."""
        over = len(self.active_channels) - CONNECTIONS_WANTED
        if over > 0:
            idle = [channel for channel in self.active_channels.values() if channel.idle]
            for channel in sorted(idle, key=lambda channel: channel.last_activity)[:over]:
                channel.will_close = True

    def _replace_waiting_threads(self) -> None:
        """Another thread for each that has an answer which is hardly read, so that it keeps none from anybody else.
        Where all that there may be have one, and somebody waits, who has read nothing for longest is let go."""
        until = time.monotonic() - READS_SLOWLY_SECONDS
        slow = [channel for channel, since in self.readers.copy().items() if since < until]
        if len(slow) >= self.adj.threads + READERS:
            wanted = min(len(self.task_dispatcher.queue), self.adj.threads)
            for channel in sorted(slow, key=attrgetter("last_activity"))[:wanted]:
                log.warning("answer read too slowly, and others wait", peer=channel.addr[0])
                channel.handle_close()
        self._set_threads(self.adj.threads + min(len(slow), READERS))

    def _set_threads(self, wanted: int) -> None:
        dispatcher = self.task_dispatcher
        before = dispatcher.threads.copy()
        try:
            while (running := len(dispatcher.threads) - dispatcher.stop_count) < wanted:
                before = dispatcher.threads.copy()
                dispatcher.set_thread_count(running + 1)
        except RuntimeError as cause:  # there is no room for one more now, and waitress counts it all the same
            log.warning("thread not started", cause=str(cause))
            with dispatcher.lock:
                dispatcher.threads &= before
        else:
            dispatcher.set_thread_count(wanted)

    def _poll(self) -> None:
        now = time.time()
        if now >= self._cleans_up_at:
            self._cleans_up_at = now + CLEAN_UP_SECONDS
            self.maintenance(now)
        if self.readers or len(self.task_dispatcher.threads) > self.adj.threads:
            self._replace_waiting_threads()
        self._tell()
        at_work = self._taken or (self._complete and self._under_way < UNDER_WAY)
        seconds = QUIET_SECONDS if self.shutdown.begun else READS_SLOWLY_SECONDS if self.readers else 0.5
        waits = 0.0 if at_work else LOOK_SECONDS if self._leaves else seconds
        wasyncore.loop(timeout=waits, map=self._map, use_poll=True, count=1)
        self._answer_stored()
        if not self._take_complete() or len(self._taken) >= GATHERED:
            self._submit_taken()

    @property
    def _has_taken(self) -> bool:
        """Whether there is a push that came in whole and is not answered, be its sender gone or not."""
        return bool(self._complete or self._taken or self._under_way)

    # What is taken at once ----------------------------------------------------------------------------------------

    def add_task(self, channel: JudgingChannel) -> None:
        if self._at_once is not None and channel.requests[0].body is not None:
            self._complete.append(channel)  # of a thread that has answered its request before: it pulls the trigger
        else:
            super().add_task(channel)

    def pull_trigger(self) -> None:
        """Let the loop look again at what it waits for; in its own thread it does so anyway."""
        if threading.get_ident() != self._thread:
            super().pull_trigger()

    def _take_complete(self) -> bool:
        """Take requests that are all in, as many as are stored together; whether there was one."""
        came = False
        while self._complete and self._under_way < UNDER_WAY and len(self._taken) < GATHERED:
            came = True
            channel = self._complete.popleft()
            taken = self._at_once(channel.requests[0].body) if self._at_once is not None and channel.requests else None
            if taken is not None:
                self._under_way += 1
                self._taken.append((channel, taken))
            elif channel.requests:
                super().add_task(channel)
        return came

    def _submit_taken(self) -> None:
        """Have those stored together that were taken while no other was all in. Each step is done for all of them: it
        takes less time when it has just been done."""
        taken, self._taken = self._taken, []
        prepared = [(channel, one, one.prepare()) for channel, one in taken]
        for channel, one, submit in prepared:
            if submit is None:
                self._under_way -= 1
                super().add_task(channel)
            else:
                submit(partial(self._told, channel, one))

    def _told(self, channel: JudgingChannel, taken: TakenAtOnce, outcome: Accepted | Exception) -> None:
        self._stored.append((channel, taken, outcome))
        if not self._told_of_stored:  # one call of the kernel for all that were stored together
            self._told_of_stored = True
            self._look_again()

    def _answer_stored(self) -> None:
        self._told_of_stored = False  # before it is looked at what there is
        while self._stored:
            channel, taken, outcome = self._stored.popleft()
            self._under_way -= 1
            if not channel.requests:  # the client has gone
                continue
            try:
                channel.requests[0].answer = taken.answer(outcome)
                channel.service()
            except Exception:  # one connection ends, not the loop
                log.exception("answer not sent", peer=channel.addr[0])
                channel.handle_close()
