"""Several processes that are one service: forks of a process that has read the code and looks after them.

A fork takes along what threads have locked and not the threads, so that process has none, and no store and no listener:
each fork opens what it needs. So they start at once, share the memory of what was read, and each can be replaced.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import TracebackType

import structlog

from soapsvc.errors import SoapsvcError
from soapsvc.shutdown import EndingSignals, Shutdown

log = structlog.get_logger()

_ENDING = (signal.SIGTERM, signal.SIGINT)
RESTART_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0)  # before one that died at once is started again; the last one stays
SETTLED_SECONDS = 30.0  # one that lived so long and died is started again without a pause
CLOSING_SECONDS = 5.0  # beyond the shutdown's, for processes to close their stores before they are killed

_FORK = multiprocessing.get_context("fork")


class _Line:
    """A pipe on which nothing is said: who reads from it waits until nobody holds the other end any more."""

    def __init__(self) -> None:
        self._end, self._held = os.pipe()

    def wait(self) -> None:
        os.read(self._end, 1)

    def let_go(self) -> None:
        if self._held >= 0:
            os.close(self._held)
            self._held = -1


@dataclass(frozen=True)
class _Lines:
    """What a process has of the one that it was forked from.

    supervisor  there is one
    starting    not all are ready
    """

    supervisor: _Line = field(default_factory=_Line)
    starting: _Line = field(default_factory=_Line)


class Start:
    """What a process is given to say that it has started; one whose supervisor ends before that ends at once."""

    def __init__(self, lines: _Lines, told: Connection):
        self._lines, self._told = lines, told
        self._signals = EndingSignals(signal.SIGTERM)
        self._shutdown: Shutdown | None = None
        threading.Thread(target=self._watch, name="supervisor-lives", daemon=True).start()

    def ready(self, shutdown: Shutdown) -> None:
        """It can work; this returns when all can. The shutdown begins on SIGTERM, and when the supervisor ends, however
        that does."""
        self._shutdown = shutdown
        self._signals.begin(shutdown)
        with contextlib.suppress(OSError):  # the supervisor is gone
            self._told.send(None)
        self._lines.starting.wait()

    def _watch(self) -> None:
        self._lines.supervisor.wait()
        if self._shutdown is None:
            os._exit(1)
        self._shutdown.begin()


@dataclass(frozen=True)
class Task:
    """What one of the processes does.

    run   until the shutdown that it calls `ready` with; a SoapsvcError that it raises is told to the supervisor
    died  is called in the supervisor when the process has ended before it was to
    """

    name: str
    run: Callable[[Start], None]
    died: Callable[[], None] = lambda: None


class Supervisor:
    """Starts processes, replaces those that die, and ends all of them when it is left.

    signals           that end the service
    shutdown_seconds  which the processes have for what is under way
    """

    def __init__(self, signals: EndingSignals, shutdown_seconds: float):
        self._signals, self._shutdown_seconds = signals, shutdown_seconds
        self._lines = _Lines()
        self._processes: list[_Process] = []

    def start(self, tasks: Iterable[Task]) -> None:
        """Start them, and wait until all of them are ready. Errors: SoapsvcError: what one of them met, or that it
        ended."""
        new = [_Process(task, self._lines) for task in tasks]
        self._processes += new
        for process in new:
            if (met := process.first_word()) is not None:
                raise met

    def keep(self) -> None:
        """Let them work, and replace those that die, until a signal comes."""
        self._lines.starting.let_go()
        while not self._signals.came:
            now = time.monotonic()
            for process in self._processes:
                process.start_when_due(now)
            pauses = [process.start_at - now for process in self._processes if process.start_at is not None]
            running = [process.told for process in self._processes if process.start_at is None]
            saying = wait([self._signals.fileno(), *running], timeout=min(pauses, default=None))
            for process in self._processes:
                if process.told in saying:
                    process.hear()

    def end(self) -> None:
        """Have them finish what is under way; kill those that hang."""
        self._lines.supervisor.let_go()
        self._lines.starting.let_go()
        until = time.monotonic() + self._shutdown_seconds + CLOSING_SECONDS
        for process in self._processes:
            process.end(until)

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


class _Process:
    """The process that does a task, and the next one when it has died.

    told      what it says: None for ready, an error that it met; it ends when the process does
    start_at  when the next one is due, time.monotonic(); None while there is one
    """

    told: Connection
    start_at: float | None

    def __init__(self, task: Task, lines: _Lines):
        self._task, self._lines = task, lines
        self._deaths = 0
        self._start()

    def _start(self) -> None:
        self.told, theirs = _FORK.Pipe(duplex=False)
        self._process: ForkProcess = _FORK.Process(target=self._run, args=(theirs,), name=self._task.name)
        # A handler of this process would write into its own pipe: none is called in the fork before it has its own.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self._started_at, self.start_at = time.monotonic(), None

    def _run(self, told: Connection) -> None:
        self._lines.supervisor.let_go()
        self._lines.starting.let_go()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the supervisor too, which ends this one
        starting = Start(self._lines, told)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        try:
            self._task.run(starting)
        except SoapsvcError as error:
            with contextlib.suppress(OSError):
                told.send(error)
            sys.exit(1)

    def first_word(self) -> SoapsvcError | None:
        """When it is ready: None; the error that it met; or that it has ended."""
        try:
            met: SoapsvcError | None = self.told.recv()
        except EOFError:
            self._process.join()
            return SoapsvcError(f"{self._task.name} ended with exit code {self._process.exitcode} while it started")
        return met

    def hear(self) -> None:
        """Take in what it says, or that it has died."""
        try:
            met: SoapsvcError | None = self.told.recv()
        except EOFError:
            self._died()
        else:
            if met is not None:
                log.error("process cannot start", process=self._task.name, cause=str(met))

    def _died(self) -> None:
        self._process.join()
        self._task.died()
        now = time.monotonic()
        if now - self._started_at > SETTLED_SECONDS:
            self._deaths = 0
        pause = RESTART_SECONDS[min(self._deaths, len(RESTART_SECONDS) - 1)]
        self._deaths += 1
        self.start_at = now + pause
        log.error(
            "process died",
            process=self._task.name,
            pid=self._process.pid,
            exit_code=self._process.exitcode,
            restart_in=pause,
        )

    def start_when_due(self, now: float) -> None:
        if self.start_at is not None and now >= self.start_at:
            self.told.close()
            self._start()

    def end(self, until: float) -> None:
        """Wait for it, until time.monotonic() says so; then kill it."""
        self._process.join(max(0.0, until - time.monotonic()))
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
