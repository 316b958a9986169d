"""Sums over the accepted pushes: gathered while a transaction does its works, written at its end.

A transaction locks a row of sums as the last thing it does, so that it waits for nobody while others wait for that row:
two could deadlock otherwise, over it and a push that both count. And it is one statement for all works together.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from soapsvc.inbox.driver_statements import add_to_totals
from soapsvc.inbox.tables import TOTAL_SLOTS

_SUMS = "soapsvc.totals"  # in Connection.info: of columns of `totals`; what was removed is negative


@contextmanager
def gathering(connection: Connection) -> Iterator[None]:
    """What is added within is written at the end of it, which is to be the last thing before the COMMIT."""
    connection.info[_SUMS] = Counter()
    try:
        yield
    finally:
        added = connection.info.pop(_SUMS)
    sums = {name: number for name, number in added.items() if number}
    if sums:
        slot = hash((os.getpid(), id(connection.engine))) % TOTAL_SLOTS  # of this store: two seldom wait for each other
        add_to_totals(connection, slot, sums)


def add(connection: Connection, **sums: int) -> None:
    connection.info[_SUMS].update(sums)


def gathered(connection: Connection) -> Counter[str]:
    """What has been added till now."""
    return Counter(connection.info[_SUMS])


def go_back(connection: Connection, sums: Counter[str]) -> None:
    """To what had been added when what is undone now began."""
    connection.info[_SUMS] = sums
