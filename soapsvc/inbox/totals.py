"""Sums over the accepted pushes: gathered while a transaction does its works, written at its end.

A transaction locks a row of sums as the last thing it does, so that it waits for nobody while others wait for that row:
two could deadlock otherwise, over it and a push that both count. And it is one statement for all works together.
"""

from __future__ import annotations

import os
from collections import Counter

from sqlalchemy import Connection

from soapsvc.inbox.driver_statements import add_to_totals
from soapsvc.inbox.tables import TOTAL_SLOTS

Sums = Counter[str]  # of columns of `totals`; what was removed is negative
_SUMS = "soapsvc.totals"  # in Connection.info


def begin(connection: Connection, sums: Sums | None = None) -> None:
    """Forget what an earlier transaction gathered and did not write; go on from these sums."""
    connection.info[_SUMS] = Counter(sums or ())


def gathered(connection: Connection) -> Sums:
    """A copy of what the transaction has gathered till now."""
    return Counter(connection.info.get(_SUMS, ()))


def add(connection: Connection, **sums: int) -> None:
    """To what the transaction writes at its end."""
    connection.info[_SUMS].update(sums)


def write(connection: Connection) -> None:
    """The last statement of a transaction before its COMMIT."""
    sums = {name: number for name, number in connection.info.pop(_SUMS, {}).items() if number}
    if sums:
        slot = hash((os.getpid(), id(connection.engine))) % TOTAL_SLOTS  # of this store: two seldom wait for each other
        add_to_totals(connection, slot, sums)
