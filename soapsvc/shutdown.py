"""The end of a service in good order."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

import structlog

log = structlog.get_logger()

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Shutdown:
    """Begins once. Who works is told to begin nothing more, and all of them together have `seconds` for what is under
    way."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._until = 0.0
        self._begun = threading.Event()
        self._lock = threading.Lock()
        self._actions: list[Callable[[], None]] = []

    @property
    def begun(self) -> bool:
        return self._begun.is_set()

    @property
    def seconds_left(self) -> float:
        """All of them until it has begun, and never less than 0."""
        return max(0.0, self._until - time.monotonic()) if self.begun else self._seconds

    def wait(self, seconds: float | None = None) -> bool:
        """Until it begins, or for so long; whether it has begun."""
        return self._begun.wait(seconds)

    def then(self, action: Callable[[], None]) -> None:
        """Have it called when this begins: at once if it has. An action only tells; it does not wait."""
        with self._lock:
            if not self.begun:
                self._actions.append(action)
                return
        action()

    def begin(self) -> None:
        """May be called from any thread and more than once, but not by a signal handler."""
        with self._lock:
            if self.begun:
                return
            self._until = time.monotonic() + self._seconds
            self._begun.set()
        for action in self._actions:
            try:
                action()
            except Exception:  # the others are told all the same
                log.exception("not told of the shutdown")


class EndingSignals:
    """The first of these signals is kept until there is a Shutdown that it begins, a second one ends the process.
    To be made in the main thread.

    came    whether there was one; where there is no Shutdown, select() and its like tell when
    second  what a second one does instead: a handler, of the signal module
    """

    def __init__(self, *numbers: signal.Signals):
        self._numbers = numbers
        self._read_end, self._write_end = os.pipe()
        self.came = False
        self.second: Callable[[int, FrameType | None], object] | signal.Handlers = signal.SIG_DFL
        for number in numbers:
            signal.signal(number, self._keep)

    def begin(self, shutdown: Shutdown) -> None:
        """Now, if there was one, else when there is: in a thread, for a signal handler interrupts the main thread
        anywhere, so within any lock."""

        def watch() -> None:
            os.read(self._read_end, 1)
            shutdown.begin()

        if self.came:
            shutdown.begin()
        else:
            threading.Thread(target=watch, name="signals", daemon=True).start()

    def fileno(self) -> int:
        """Readable when a signal has come, unless a Shutdown is begun by it."""
        return self._read_end

    def _keep(self, _number: int, _frame: object) -> None:
        for number in self._numbers:
            signal.signal(number, self.second)
        self.came = True
        os.write(self._write_end, b"\0")
