"""On PostgreSQL: the sums beside the entries of the search index, by hour or by week, so that they go with a week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from soapsvc.inbox.index_entry import IndexEntry
from soapsvc.inbox.partitions import week_of
from soapsvc.inbox.search_tables import ACCOUNTS, HOURS, RULES, SENDERS, STATE

_Key = tuple[Any, ...]


def lock(connection: Connection) -> None:
    """Until the end of the transaction nobody else changes entries or sums."""
    connection.execute(select(STATE.c.id).with_for_update())


def add(connection: Connection, entered: Sequence[IndexEntry], left: Sequence[IndexEntry]) -> None:
    """Add the entries that came, and take away those that went."""
    hours: dict[_Key, dict[str, Any]] = {}
    rules: dict[_Key, dict[str, Any]] = {}
    senders: dict[_Key, dict[str, Any]] = {}
    accounts: dict[_Key, dict[str, Any]] = {}
    for sign, entries in ((1, entered), (-1, left)):
        for one in entries:
            hour, week = hour_of(one.at), week_of(one.at)
            _sum(hours, (hour,), sign, accepted=int(one.accepted), quarantined=int(not one.accepted),
                 documents=one.documents, document_bytes=one.document_bytes, raw_bytes=one.raw_bytes)  # fmt: skip
            for rule in one.rules:
                _sum(rules, (hour, rule), sign, pushes=1)
            sender = _sum(senders, (week, one.source), sign, pushes=1)
            sender["first_at"] = min(one.at, sender.get("first_at", one.at))
            sender["last_at"] = max(one.at, sender.get("last_at", one.at))
            if one.account:
                _sum(accounts, (week, one.account), sign, pushes=1)
    for table, rows in ((HOURS, hours), (RULES, rules), (SENDERS, senders), (ACCOUNTS, accounts)):
        _add_to(connection, table, rows)


def forget(connection: Connection, begins: datetime, ends: datetime) -> None:
    """Of weeks that begin and end then."""
    for table in (HOURS, RULES, SENDERS, ACCOUNTS):
        period = next(iter(table.primary_key))
        connection.execute(delete(table).where(period >= begins, period < ends))


def hour_of(at: datetime) -> datetime:
    """The full hour before it."""
    return at.replace(minute=0, second=0, microsecond=0)


def _sum(sums: dict[_Key, dict[str, Any]], key: _Key, sign: int, **numbers: int) -> dict[str, Any]:
    row = sums.setdefault(key, dict.fromkeys(numbers, 0))
    for name, number in numbers.items():
        row[name] += sign * number
    return row


def _add_to(connection: Connection, table: Table, sums: Mapping[_Key, Mapping[str, Any]]) -> None:
    if not sums:
        return
    keys = [column.name for column in table.primary_key]
    statement = insert(table)
    joined = {
        column.name: {"first_at": func.least, "last_at": func.greatest}.get(column.name, _plus)(
            column, statement.excluded[column.name]
        )
        for column in table.c
        if column.name not in keys
    }
    rows = [dict(zip(keys, key, strict=True)) | dict(row) for key, row in sums.items()]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=joined), rows)


def _plus(one: Any, other: Any) -> Any:
    return one + other
