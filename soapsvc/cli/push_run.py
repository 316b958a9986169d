"""Many pushes at a pace: read, made and sent, several at once where that is wanted, each told as it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from soapsvc.errors import SendError

if TYPE_CHECKING:
    from soapsvc.sender.made_push import MadePush
    from soapsvc.sender.outcome import Outcome
    from soapsvc.sender.sender import Sender


class Stopped(Exception):
    """The run was interrupted while a push waited for its next attempt."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A push that is still to be made.

    make  reads the files and writes the envelope. Errors: SendError, OSError
    """

    name: str
    make: Callable[[Sender], MadePush]


@dataclass(frozen=True, slots=True)
class Ended:
    """One push that was sent, or could not be made.

    outcome  None: it could not be made, and `wrong` says why
    seconds  from the first attempt to the end of the last
    """

    name: str
    outcome: Outcome | None
    wrong: str = ""
    size_bytes: int = 0
    seconds: float = 0.0


class Pause:
    """Waits that an interruption ends."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def __call__(self, seconds: float) -> None:
        """Errors: Stopped."""
        if self._stop.wait(seconds):
            raise Stopped

    def stop(self) -> None:
        self._stop.set()


class Pace:
    """So many starts a second, evenly; what comes late is not made up for in a burst."""

    def __init__(self, per_second: float | None, pause: Pause, monotonic: Callable[[], float] = time.monotonic):
        self._gap_seconds = 0.0 if per_second is None else 1 / per_second
        self._pause, self._monotonic, self._next = pause, monotonic, monotonic()

    def wait(self) -> None:
        """Until the next start. Errors: Stopped."""
        now = self._monotonic()
        if self._next > now:
            self._pause(self._next - now)
        self._next = max(self._next, now) + self._gap_seconds


def run(
    sender: Sender, planned: Iterable[Planned], *, repeat: int, parallel: int, pace: Pace, pause: Pause
) -> Iterator[Ended]:
    """Send each push `repeat` times, `parallel` at once; each is told as it ends.

    Promise  no more than 2 * parallel envelopes are in memory, however many files there are
    """
    under_way: set[Future[Ended]] = set()
    with ThreadPoolExecutor(parallel) as pool:
        try:
            for one in planned:
                try:
                    made = one.make(sender)
                except (SendError, OSError) as error:
                    told = f"{error.strerror or error}" if isinstance(error, OSError) else str(error)
                    yield Ended(one.name, None, told)
                    continue
                for _ in range(repeat):
                    pace.wait()
                    under_way.add(pool.submit(_sent, sender, made))
                    if len(under_way) >= 2 * parallel or parallel == 1:
                        done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                        yield from (future.result() for future in done)
            while under_way:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BaseException:
            pause.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _sent(sender: Sender, made: MadePush) -> Ended:
    begun = time.perf_counter()
    outcome = sender.send(made)
    return Ended(made.name, outcome, size_bytes=len(made.envelope), seconds=time.perf_counter() - begun)
