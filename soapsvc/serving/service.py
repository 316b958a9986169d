"""The receiver with its two listeners, in one process or in several, once it has its sockets."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from multiprocessing.context import ForkProcess
from types import TracebackType
from typing import Any

import structlog

from soapsvc.delivery.routes import routes
from soapsvc.inbox.exchange_log import ExchangeLog, Kept
from soapsvc.inbox.sql_store import open_store, to_nobody
from soapsvc.receiver import Receiver
from soapsvc.serving.admin_desk import AdminDesk
from soapsvc.serving.contract_reading import contract_in_force, hold_contract, read_contract, tell_contract
from soapsvc.serving.exchange_recorder import ExchangeRecorder
from soapsvc.serving.forks import FORK
from soapsvc.serving.listener import Listener
from soapsvc.serving.shared_connections import SharedConnections, without
from soapsvc.serving.shared_inbox import SharedInbox, make_inbox
from soapsvc.serving.sockets import bound_sockets
from soapsvc.serving.supervisor import Start, Supervisor, Task
from soapsvc.settings import Settings
from soapsvc.shutdown import EndingSignals, Shutdown
from soapsvc.web.admin_app import admin_app
from soapsvc.worker import Worker

log = structlog.get_logger()

ADMIN_THREADS = 4
GARBAGE_OBJECTS = 20_000  # before the collector looks at the youngest: some ten pushes' worth
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def serve_in_one_process(
    settings: Settings, public: socket.socket, admin: socket.socket, looking: ForkProcess, signals: EndingSignals
) -> None:
    """Until one of the signals. Errors: SettingsError, ContractError, StoreError at the start."""
    make_inbox(settings)
    with _Rooms(settings) as rooms, rooms.worker():
        listeners = [rooms.admin_listener(admin), rooms.public_listener(public)]
        hold_contract(settings, looking)
        signals.begin(rooms.shutdown)
        helper = threading.Thread(target=listeners[0].run, name="admin-listener")
        helper.start()
        tell_contract(settings)
        _say_ready(settings)
        _leave_alone_what_stays()
        listeners[1].run()
        helper.join()


def serve_in_several_processes(
    settings: Settings, public: socket.socket, admin: socket.socket, looking: ForkProcess, signals: EndingSignals
) -> None:
    """As with one, but `processes` receivers on one listening socket, and one process for all that is not receiving."""
    make_inbox(settings)
    _leave_alone_what_stays()
    counts = FORK.RawArray("i", settings.processes)
    inbox = SharedInbox(settings)

    @contextlib.contextmanager
    def opened(start: Start) -> Iterator[_Rooms]:
        inbox.check(alone=start.alone)
        with _Rooms(settings) as rooms:
            inbox.opened(alone=start.alone)
            yield rooms

    def office(start: Start) -> None:
        public.close()
        with opened(start) as rooms, rooms.worker():
            listener = rooms.admin_listener(admin)
            start.ready(rooms.shutdown)
            _leave_alone_what_stays()
            listener.run()

    def receiver(number: int, start: Start) -> None:
        admin.close()
        if settings.affinity == "auto":
            _stay_on_one_processor(number, settings.processes)
        with opened(start) as rooms:
            listener = rooms.public_listener(public, SharedConnections(counts, number))
            start.ready(rooms.shutdown)
            _leave_alone_what_stays()
            listener.run()

    with Supervisor(signals, settings.shutdown_seconds) as supervisor:
        supervisor.start([Task("admin page", office)])  # alone: it brings the inbox up to date
        hold_contract(settings, looking)
        supervisor.start(
            Task(f"receiver {number + 1}", partial(receiver, number), partial(without, counts, number))
            for number in range(settings.processes)
        )
        tell_contract(settings)
        _say_ready(settings)
        supervisor.keep()
        public.close()  # or senders would be kept waiting for nobody while the receivers finish
        admin.close()


class RunningServer:
    """Both listeners of one process, in threads: for the demo and for tests.

    public_url  where pushes go, …/push
    admin_url   of the admin page
    """

    def __init__(self, settings: Settings):
        public, admin, settings = bound_sockets(settings)
        self.public_url, self.admin_url = f"http://{settings.listen}/push", f"http://{settings.admin}/"
        read_contract(settings)
        self._rooms = _Rooms(settings)
        self._worker = self._rooms.worker()
        self._worker.__enter__()
        self._listeners = [self._rooms.admin_listener(admin), self._rooms.public_listener(public)]
        self._threads = [threading.Thread(target=listener.run, daemon=True) for listener in self._listeners]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is under way, and close the store."""
        self._rooms.shutdown.begin()
        for thread in self._threads:
            thread.join()
        self._worker.__exit__(None, None, None)
        self._rooms.close()

    def __enter__(self) -> RunningServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Rooms:
    """The contract, the store, and what is made of them, in this process.

    shutdown  of all of that
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self.shutdown = Shutdown(settings.shutdown_seconds)
        self._wsdl = contract_in_force(settings)
        self._store = open_store(
            settings.inbox,
            quarantine_max_bytes=settings.quarantine_max_bytes,
            quarantine_max_bytes_per_source=settings.quarantine_max_bytes_per_source,
            documents=settings.documents,
            spool=settings.spool,
            route=routes(settings.delivery) if settings.delivery else to_nobody,
        )
        kept = Kept(settings.exchanges_kept, settings.exchanges_days)
        self._exchanges = ExchangeLog(self._store.companion("wire"), kept) if kept.exchanges else None
        self._desk: AdminDesk | None = None

    def public_listener(self, listening: socket.socket, shared: SharedConnections | None = None) -> Listener:
        receiver = Receiver(self._settings, self._wsdl, self._store)
        application: Any = receiver
        told = None
        if self._exchanges is not None:
            self._exchanges.start()
            application = ExchangeRecorder(receiver, self._exchanges)
            told = application.refused
        return Listener(
            application,
            listening,
            self._settings,
            self.shutdown,
            threads=self._settings.threads,
            before_body=receiver.before_body,
            at_once=application.at_once,
            told=told,
            spool_failed=receiver.spool_failed,
            shared=shared,
        )

    def admin_listener(self, listening: socket.socket) -> Listener:
        self._desk = AdminDesk(self._settings, self._wsdl, self._store, self._exchanges)
        app = admin_app(self._settings, self._store, self._wsdl.sha256, self._desk.opened())
        return Listener(app, listening, self._settings, self.shutdown, threads=ADMIN_THREADS)

    def worker(self) -> AbstractContextManager[object]:
        """What delivers and removes, where that is this service's: in one of its processes."""
        if self._settings.delivery_worker != "serve":
            return nullcontext()
        return Worker(self._settings, self._store, self.shutdown)

    def close(self) -> None:
        if self._desk is not None:
            self._desk.close()
        if self._exchanges is not None:
            self._exchanges.close()
        self._store.close()

    def __enter__(self) -> _Rooms:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _say_ready(settings: Settings) -> None:
    processes = f", {settings.processes} processes" if settings.processes > 1 else ""
    print(
        f"soapsvc: pushes at http://{settings.listen}/push, inbox page at http://{settings.admin}/"
        f" (conformance {settings.conformance.value}{processes})",
        file=sys.stderr,
        flush=True,
    )


def _leave_alone_what_stays() -> None:
    """Code, contract and schema stay until the end: the garbage collector need not look at them for every few pushes,
    which leave hardly anything in a cycle behind."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
    _keep_room_for_bodies()


def _keep_room_for_bodies() -> None:
    """The pieces of a large body are of a size for which the C library asks the kernel each time, and which it gives
    back at once: to fill the pages anew takes a fifth of the time of a large push. Where it is glibc it can be told."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 4 * 1024 * 1024)
        mallopt(_M_TRIM_THRESHOLD, 16 * 1024 * 1024)


def _stay_on_one_processor(number: int, processes: int) -> None:
    """Where each process can have one of its own: threads that hand each other the interpreter's lock from one
    processor to another spend half of their time on that (docs/performance.md)."""
    if not hasattr(os, "sched_setaffinity"):  # macOS
        return
    processors = sorted(os.sched_getaffinity(0))
    if processes <= len(processors):
        os.sched_setaffinity(0, {processors[number]})
