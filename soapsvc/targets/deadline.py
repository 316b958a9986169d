"""The time that a whole delivery has: a peer that takes or gives a byte now and then does not get more."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from soapsvc.targets.target import DeliveryFailed

PIECE_BYTES = 64 * 1024


class Deadline:
    """A moment on the monotonic clock.

    Errors  DeliveryFailed, to be repeated, from whoever asks when it has passed
    """

    def __init__(self, seconds: float, target: str, monotonic: Callable[[], float] = time.monotonic):
        self._seconds, self._target, self._monotonic = seconds, target, monotonic
        self._end = monotonic() + seconds

    def left(self, at_most: float | None = None) -> float:
        """Seconds that are left, at least 0.001."""
        left = self._end - self._monotonic()
        if left <= 0:
            raise self.over()
        return max(0.001, left if at_most is None else min(left, at_most))

    @property
    def passed(self) -> bool:
        return self._monotonic() >= self._end

    def over(self) -> DeliveryFailed:
        """The error that says so."""
        return DeliveryFailed(
            f"{self._target} did not take the push within {self._seconds:g} seconds; whether it has it is not known",
            may_repeat=True,
        )

    def watched(self, stream: BinaryIO) -> BinaryIO:
        """The stream, which stops at the deadline."""
        return io.BufferedReader(_Watched(stream, self), PIECE_BYTES)


class _Watched(io.RawIOBase):
    def __init__(self, stream: BinaryIO, deadline: Deadline):
        self._stream, self._deadline = stream, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._deadline.left()
        piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._stream.close()
        super().close()


class Watchdog:
    """Calls `end` when the deadline passes within the block: for calls that have no time-out of the whole."""

    def __init__(self, deadline: Deadline, end: Callable[[], None]):
        self._timer = threading.Timer(deadline.left(), end)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
