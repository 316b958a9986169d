"""Several processes that are one service: forks of a process that has read the code and looks after them.

A fork takes along what threads have locked and not the threads, so that process has none, and it opens nothing but the
sockets: each fork opens what it needs. So they start at once, share the memory of what was read, and can be replaced.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import TracebackType

import structlog

from soapsvc.errors import SoapsvcError
from soapsvc.serving.forks import FORK, start_fork, take_signals
from soapsvc.shutdown import EndingSignals, Shutdown

log = structlog.get_logger()

RESTART_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0)  # before one that died at once is started again; the last one stays
SETTLED_SECONDS = 30.0  # one that was ready for so long and died is started again without a pause
CLOSING_SECONDS = 5.0  # beyond the shutdown's, for processes to close their stores before they are killed


class _Line:
    """A pipe on which nothing is said: who waits at one end does so until nobody holds the other one."""

    def __init__(self) -> None:
        self._end, self._held = os.pipe()

    def wait(self) -> None:
        wait([self._end])

    def let_go(self) -> None:
        if self._held >= 0:
            os.close(self._held)
            self._held = -1


@dataclass(frozen=True)
class _Lines:
    """What a process knows of its supervisor: it lives and holds each of these as long as

    starting    not all are ready
    working     nothing has ended the service
    """

    starting: _Line = field(default_factory=_Line)
    working: _Line = field(default_factory=_Line)

    def let_go(self) -> None:
        for line in (self.starting, self.working):
            line.let_go()


class Start:
    """What a process is given to say that it has started; where the service ends before that, it ends at once.

    alone  no other one was ready when it was started
    """

    def __init__(self, lines: _Lines, told: Connection, alone: bool):
        self._lines, self._told, self.alone = lines, told, alone
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
        self._lines.working.wait()
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

    signals           that end the service; a second one kills them all
    shutdown_seconds  which the processes have for what is under way
    """

    def __init__(self, signals: EndingSignals, shutdown_seconds: float):
        self._signals, self._shutdown_seconds = signals, shutdown_seconds
        signals.second = self._kill_all
        self._lines = _Lines()
        self._processes: list[_Process] = []

    def start(self, tasks: Iterable[Task]) -> None:
        """Start them, and wait until all of them are ready. Errors: SoapsvcError: what one of them met, or that it
        ended."""
        new = [_Process(task, self._lines) for task in tasks]
        for process in new:
            self._processes.append(process)
            try:
                process.start(self._none_is_ready)
            except OSError as cause:
                raise SoapsvcError(f"{process.name} cannot be started: {cause.strerror}") from cause
        for process in new:
            if (met := process.first_word()) is not None:
                raise met

    def keep(self) -> None:
        """Let them work, and replace those that die, until a signal comes."""
        self._lines.starting.let_go()
        while not self._signals.came:
            now = time.monotonic()
            for process in self._processes:
                process.start_when_due(now, self._none_is_ready)
            pauses = [process.start_at - now for process in self._processes if process.start_at is not None]
            running = [process.told for process in self._processes if process.start_at is None]
            saying = wait([self._signals.fileno(), *running], timeout=min(pauses, default=None))
            for process in self._processes:
                if process.start_at is None and process.told in saying:
                    process.hear()

    @property
    def _none_is_ready(self) -> bool:
        return not any(process.is_ready for process in self._processes)

    def end(self) -> None:
        """Have them finish what is under way; kill those that hang."""
        self._lines.working.let_go()
        self._lines.starting.let_go()  # who waited for others that did not come goes on, and ends
        until = time.monotonic() + self._shutdown_seconds + CLOSING_SECONDS
        for process in self._processes:
            process.end(until)

    def _kill_all(self, number: int, _frame: object) -> None:
        for process in self._processes:
            process.kill()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

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

    def __init__(self, task: Task, lines: _Lines):
        self.name, self._task, self._lines = task.name, task, lines
        self.start_at: float | None = None
        self._process: ForkProcess | None = None
        self._ready_at: float | None = None
        self._deaths = 0

    @property
    def is_ready(self) -> bool:
        """For all that was heard of it."""
        return self.start_at is None and self._ready_at is not None

    def start(self, alone: bool) -> None:
        """Errors: OSError: there is no room for one more."""
        self.told, theirs = FORK.Pipe(duplex=False)
        try:
            process = FORK.Process(target=self._run, args=(theirs, alone), name=self.name)
            start_fork(process)
        except OSError:
            self.told.close()
            raise
        finally:
            theirs.close()
        self._process, self._ready_at, self.start_at = process, None, None

    def _run(self, told: Connection, alone: bool) -> None:
        self._lines.let_go()
        self.told.close()
        # Ctrl-C reaches the supervisor too, which ends this one; to be ignored would be handed on to programs.
        signal.signal(signal.SIGINT, lambda *_: None)
        starting = Start(self._lines, told, alone)
        take_signals()
        met: SoapsvcError | None = None
        try:
            self._task.run(starting)
        except SoapsvcError as error:
            met = error
        except Exception as error:
            log.exception("internal error", process=self.name)
            met = SoapsvcError(f"{self.name} met an internal error ({type(error).__name__}), which the log tells")
        finally:
            # A fork ends without what a program does at its end, and from 3.13 on without what was asked for before the
            # fork: what temporary directories wait for.
            weakref.finalize._exitfunc()  # type: ignore[attr-defined]
        if met is not None:
            with contextlib.suppress(OSError):  # the supervisor is gone
                told.send(met)
            sys.exit(1)

    def first_word(self) -> SoapsvcError | None:
        """When it is ready: None; the error that it met; or that it has ended."""
        try:
            met: SoapsvcError | None = self.told.recv()
        except EOFError:
            return SoapsvcError(f"{self.name} ended with exit code {self._exit_code()} while it started")
        self._ready_at = time.monotonic()
        return met

    def hear(self) -> None:
        """Take in what it says, or that it has died."""
        try:
            met: SoapsvcError | None = self.told.recv()
        except EOFError:
            self._died()
            return
        if met is None:
            self._ready_at = time.monotonic()
        else:
            log.error("process failed", process=self.name, cause=str(met))

    def _died(self) -> None:
        exit_code, pid = self._exit_code(), self._process.pid if self._process else None
        self.told.close()
        self._task.died()
        if self._ready_at is not None and time.monotonic() - self._ready_at > SETTLED_SECONDS:
            self._deaths = 0
        pause = self._pause()
        log.error("process ended", process=self.name, pid=pid, exit_code=exit_code, restart_in=pause)

    def _pause(self) -> float:
        """Have the next one wait; for how long."""
        pause = RESTART_SECONDS[min(self._deaths, len(RESTART_SECONDS) - 1)]
        self._deaths += 1
        self.start_at = time.monotonic() + pause
        return pause

    def start_when_due(self, now: float, alone: bool) -> None:
        if self.start_at is None or now < self.start_at:
            return
        try:
            self.start(alone)
        except OSError as cause:
            log.error("process cannot be started", process=self.name, cause=cause.strerror, again_in=self._pause())

    def end(self, until: float) -> None:
        """Wait for it, until time.monotonic() says so; then kill it."""
        if self._process is None:
            return
        self._process.join(max(0.0, until - time.monotonic()))
        if self._process.is_alive():
            log.warning("process did not end and was killed", process=self.name, pid=self._process.pid)
            self.kill()
            self._process.join()

    def kill(self) -> None:
        """Where there is one; one that was stopped too."""
        if self._process is not None:
            self._process.kill()

    def _exit_code(self) -> int | None:
        if self._process is None:
            return None
        self._process.join()
        return self._process.exitcode
