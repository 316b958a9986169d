"""The receiver with its two listeners, in one process or in several."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess, ForkServerProcess
from types import TracebackType
from typing import Any

import structlog

from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.contract.contract_difference import contract_difference
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.delivery.routes import routes
from soapsvc.errors import ContractError
from soapsvc.inbox.exchange_log import ExchangeLog, Kept
from soapsvc.inbox.sql_store import open_store, to_nobody
from soapsvc.logs import configure_logs
from soapsvc.receiver import Receiver
from soapsvc.serving.admin_desk import AdminDesk
from soapsvc.serving.exchange_recorder import ExchangeRecorder
from soapsvc.serving.listener import Listener, address_of, listening_socket
from soapsvc.serving.shared_connections import SharedConnections, without
from soapsvc.settings import Settings
from soapsvc.shipped import WSDL_FILE
from soapsvc.shutdown import EndingSignals, Shutdown
from soapsvc.web.admin_app import admin_app
from soapsvc.worker import Worker

log = structlog.get_logger()

ADMIN_THREADS = 4
GARBAGE_OBJECTS = 20_000  # before the collector looks at the youngest: some ten pushes' worth
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
RESTART_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0)  # before a process that died at once is started again; the last one stays
CLOSING_SECONDS = 5.0  # beyond the shutdown's, for receiver processes to close their stores before they are killed
SETTLED_SECONDS = 30.0  # one that lived so long and died is started again without a pause


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Errors: SettingsError, ContractError, StoreError at the start."""
    configure_logs(settings.log_format)
    signals = EndingSignals(signal.SIGTERM, signal.SIGINT)
    public = listening_socket(settings.listen, "listen")
    admin = listening_socket(settings.admin, "admin")
    settings = settings.model_copy(update={"listen": address_of(public), "admin": address_of(admin)})
    looking = _look_at_contract(settings)
    if settings.processes > 1:
        return _supervise(settings, public, admin, looking, signals)
    with _Rooms(settings) as rooms, rooms.worker():
        listeners = [rooms.admin_listener(admin), rooms.public_listener(public)]
        _hold_contract(settings, looking)
        signals.begin(rooms.shutdown)
        helper = threading.Thread(target=listeners[0].run, name="admin-listener")
        helper.start()
        _say_ready(settings, rooms)
        _leave_alone_what_stays()
        listeners[1].run()
        helper.join()
    return 0


class RunningServer:
    """Both listeners of one process, in threads: for the demo and for tests.

    public_url  where pushes go, …/push
    admin_url   of the admin page
    """

    def __init__(self, settings: Settings):
        public = listening_socket(settings.listen, "listen")
        admin = listening_socket(settings.admin, "admin")
        settings = settings.model_copy(update={"listen": address_of(public), "admin": address_of(admin)})
        self.public_url, self.admin_url = f"http://{settings.listen}/push", f"http://{settings.admin}/"
        _read_contract(settings)
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
        self._wsdl = _contract(settings)
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

    def tell_contract(self) -> None:
        """Log which contract is in force, and how far it is from the shipped one."""
        found = contract_difference(WsdlDocument.load(WSDL_FILE), self._wsdl)
        log.info(
            "contract in force",
            file=self._wsdl.path.name,
            sha256=self._wsdl.sha256,
            beside_the_shipped=found.contract,
            differences=len(found.differences),
        )

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


def _look_at_contract(settings: Settings) -> ForkProcess:
    """Read what explains deviations by the contract, in a child: that it can be read is to be known at the start, and
    a receiver whose pushes do not deviate needs neither it nor its memory. To be called before there are threads."""
    looking = multiprocessing.get_context("fork").Process(target=_end_with_contract, args=(settings,), name="contract")
    looking.start()
    return looking


def _contract(settings: Settings) -> WsdlDocument:
    return WsdlDocument.load(settings.wsdl or WSDL_FILE)


def _read_contract(settings: Settings) -> None:
    """With what explains deviations by it. Errors: ContractError."""
    CompiledSchema(_contract(settings))


def _end_with_contract(settings: Settings) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):  # what is kept of them is the service's
        signal.signal(number, signal.SIG_DFL)
    try:
        _read_contract(settings)
    except ContractError:
        sys.exit(1)


def _hold_contract(settings: Settings, looking: ForkProcess) -> None:
    """Errors: ContractError, what the child found."""
    looking.join()
    if looking.exitcode:
        _read_contract(settings)


def _say_ready(settings: Settings, rooms: _Rooms) -> None:
    rooms.tell_contract()
    processes = f", {settings.processes} processes" if settings.processes > 1 else ""
    print(
        f"soapsvc: pushes at http://{settings.listen}/push, inbox page at http://{settings.admin}/"
        f" (conformance {settings.conformance.value}{processes})",
        file=sys.stderr,
        flush=True,
    )


# Several processes ---------------------------------------------------------------------------------------------------


def _supervise(
    settings: Settings, public: socket.socket, admin: socket.socket, looking: ForkProcess, signals: EndingSignals
) -> int:
    """Keep `processes` receivers on one listening socket, and serve the admin listener here.

    The receivers are not forked from here: this process has threads, and a fork takes along their locks. They are forks
    of a process that has read the code and does nothing else, so that they start at once and share what they have read.
    """
    multiprocessing.set_forkserver_preload([__name__])
    forkserver.ensure_running()  # it reads the code while the rooms are made
    with _Rooms(settings) as rooms, rooms.worker():
        listener = rooms.admin_listener(admin)
        _hold_contract(settings, looking)
        signals.begin(rooms.shutdown)
        if rooms.shutdown.begun:  # while this started: who has connected is answered from here
            rooms.public_listener(public).run()
            return 0
        connections = multiprocessing.get_context("forkserver").RawArray("i", settings.processes)
        workers = [_Worker(settings, public, number, connections) for number in range(settings.processes)]
        helper = threading.Thread(target=listener.run, name="admin-listener")
        helper.start()
        _say_ready(settings, rooms)
        while not rooms.shutdown.wait(0.2):
            for worker in workers:
                worker.look_after()
        public.close()  # or senders would be kept waiting for nobody while the receivers finish
        for worker in workers:
            worker.stop()
        until = time.monotonic() + rooms.shutdown.seconds_left + CLOSING_SECONDS
        for worker in workers:
            worker.join(max(0.0, until - time.monotonic()))
        helper.join()
    return 0


class _Worker:
    """One receiver process, started again when it dies."""

    def __init__(self, settings: Settings, public: socket.socket, number: int, connections: Any):
        self._settings, self._public, self._number, self._connections = settings, public, number, connections
        self._deaths = 0
        self._start_at = 0.0
        self._start()

    def look_after(self) -> None:
        now = time.monotonic()
        if self._process.is_alive():
            return
        if self._start_at == 0.0:
            without(self._connections, self._number)
            self._deaths = 0 if now - self._started_at > SETTLED_SECONDS else self._deaths
            pause = RESTART_SECONDS[min(self._deaths, len(RESTART_SECONDS) - 1)]
            self._deaths += 1
            self._start_at = now + pause
            log.error(
                "receiver process died", pid=self._process.pid, exit_code=self._process.exitcode, restart_in=pause
            )
        if now >= self._start_at:
            self._start()

    def stop(self) -> None:
        self._lifeline.close()

    def join(self, seconds: float) -> None:
        self._process.join(seconds)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        theirs, self._lifeline = context.Pipe(duplex=False)
        self._process: ForkServerProcess = context.Process(
            target=_work, args=(self._settings, self._public, self._number, self._connections, theirs)
        )
        self._process.start()
        theirs.close()
        self._started_at, self._start_at = time.monotonic(), 0.0


def _work(settings: Settings, public: socket.socket, number: int, connections: Any, lifeline: Connection) -> None:
    """One receiver process, of this number from 0. It ends in good order on SIGTERM, and when the supervisor is gone,
    however that ended."""
    configure_logs(settings.log_format)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the supervisor too, which ends this one
    signals = EndingSignals(signal.SIGTERM)
    if settings.affinity == "auto":
        _stay_on_one_processor(number, settings.processes)
    with _Rooms(settings) as rooms:
        listener = rooms.public_listener(public, SharedConnections(connections, number))
        signals.begin(rooms.shutdown)

        def watch() -> None:
            try:
                lifeline.recv_bytes()  # nothing is ever sent: this ends when the other end does
            except (EOFError, OSError):
                rooms.shutdown.begin()

        threading.Thread(target=watch, name="lifeline", daemon=True).start()
        _leave_alone_what_stays()
        listener.run()


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
