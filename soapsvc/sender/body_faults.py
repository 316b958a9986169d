"""What a request's body goes through to try a receiver: slowed down, cut off, or let go before the acknowledgement."""

from __future__ import annotations

import time
from collections.abc import Callable

from soapsvc.targets.http_exchange import Body
from soapsvc.targets.target import DeliveryFailed

SLICES_PER_SECOND = 10  # of a slow body: small enough that it drips, not bursts

Sleep = Callable[[float], object]


class HungUp(DeliveryFailed):
    """The sender has ended the connection on purpose."""

    def __init__(self, sentence: str):
        super().__init__(sentence, may_repeat=True)


class _Through(Body):
    """A body that is read out of another; its length is told as that."""

    def __init__(self, body: Body):
        self._body = body

    def __len__(self) -> int:
        return len(self._body)


class SlowBody(_Through):
    """A body that goes out with so many bytes a second."""

    def __init__(self, body: Body, bytes_per_second: float, sleep: Sleep = time.sleep):
        super().__init__(body)
        self._bytes_per_second, self._sleep = bytes_per_second, sleep

    def read(self, size: int = -1) -> bytes:
        slice_bytes = max(1, int(self._bytes_per_second / SLICES_PER_SECOND))
        piece = self._body.read(slice_bytes if size < 0 else min(size, slice_bytes))
        if piece:
            self._sleep(len(piece) / self._bytes_per_second)
        return piece


class CutBody(_Through):
    """A body that ends with the connection after so many bytes, at the latest before its last one."""

    def __init__(self, body: Body, after_bytes: int):
        super().__init__(body)
        self._after_bytes = self._left = min(after_bytes, len(body) - 1)

    def read(self, size: int = -1) -> bytes:
        if self._left <= 0:
            raise HungUp(f"The connection was cut on purpose after {self._after_bytes} of {len(self._body)} bytes.")
        piece = self._body.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(piece)
        return piece


class UnheardBody(_Through):
    """A body that goes out whole, and then the connection ends before the answer is read."""

    def read(self, size: int = -1) -> bytes:
        piece = self._body.read(size)
        if not piece:
            raise HungUp("The connection was ended on purpose before the acknowledgement.")
        return piece
