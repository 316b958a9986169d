"""How many connections each of several processes has that accept from one socket: the kernel gives a new one to whoever
wakes first, so that of a few long ones one process may have all, and the others nothing to do."""

from __future__ import annotations

from collections.abc import MutableSequence

MORE = 1.25  # times as many as another, before a new one is left to that


class SharedConnections:
    """The counts, seen from one process.

    counts  one number for each process, in memory that all of them share
    number  of this process, from 0
    """

    def __init__(self, counts: MutableSequence[int], number: int):
        self._counts, self._number = counts, number

    def tell(self, connections: int) -> None:
        """This process has so many."""
        self._counts[self._number] = connections

    def another_is_next(self) -> bool:
        """Whether one of the others should have the next one."""
        return self._counts[self._number] > MORE * min(self._counts)


def without(counts: MutableSequence[int], number: int) -> None:
    """A process has ended: nothing is left to it."""
    counts[number] = 2**31 - 1
