"""What each push does to the tables without SQLAlchemy's work for it: statements are compiled once, and many rows are
handed to the driver together (one round trip to PostgreSQL). It is half the cost of a small push's storing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert
from sqlalchemy.exc import DBAPIError

from soapsvc.inbox.tables import KEYS, PUSHES, TOTALS

_Process = Callable[[Any], Any]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that have a value for every column."""
    if rows:
        statement = _insert_into(table, connection.dialect)
        parameters = [statement.parameters(row) for row in rows]
        if len(rows) == 1:
            _execute(connection, statement.sql, parameters[0])
        else:
            _execute(connection, statement.sql, parameters, many=True)


def insert_new_keys(connection: Connection, keys: Sequence[tuple[str, int, str]]) -> set[str]:
    """Insert those rows of `keys` (key, n, push_id) whose key and n are not there yet; the ids of their pushes."""
    process = _processor(KEYS, "key", connection.dialect)
    parameters = tuple(value for key, n, push_id in keys for value in (process(key), n, push_id))
    done = _execute(connection, _insert_keys(len(keys), connection.dialect.name), parameters)
    return {row[0] for row in done.fetchall()}


def holds_push(connection: Connection, key: str, content_digest: str) -> bool:
    """Whether a push is stored under this idempotency key with this content."""
    dialect = connection.dialect
    parameters = (
        _processor(KEYS, "key", dialect)(key),
        _processor(PUSHES, "content_digest", dialect)(content_digest),
    )
    return _execute(connection, _select_push(dialect.name), parameters).fetchone() is not None


def add_to_totals(connection: Connection, slot: int, sums: Mapping[str, int]) -> None:
    """Add to columns of one row of `totals`."""
    parameters = (*sums.values(), slot)
    _execute(connection, _update_totals(tuple(sums), connection.dialect.name), parameters)


def _execute(connection: Connection, sql: str, parameters: Any, *, many: bool = False) -> Any:
    """The driver's cursor. Errors: as SQLAlchemy would raise them."""
    cursor = connection.connection.cursor()
    of_driver = connection.dialect.loaded_dbapi.Error
    try:
        (cursor.executemany if many else cursor.execute)(sql, parameters)
    except of_driver as cause:
        raise DBAPIError.instance(sql, None, cause, of_driver, dialect=connection.dialect) from cause
    return cursor


@dataclass(frozen=True, slots=True)
class _Insert:
    """A compiled INSERT.

    names   of the columns, each with what makes of its value one that the driver takes (None: it is one)
    by_name the driver wants the parameters by name
    """

    sql: str
    names: tuple[tuple[str, _Process | None], ...]
    by_name: bool

    def parameters(self, row: Mapping[str, Any]) -> Any:
        if self.by_name:
            return {name: row[name] if process is None else process(row[name]) for name, process in self.names}
        return tuple([row[name] if process is None else process(row[name]) for name, process in self.names])


@lru_cache(maxsize=64)
def _insert_into(table: Table, dialect: Dialect) -> _Insert:
    compiled = insert(table).compile(dialect=dialect)
    order = compiled.positiontup if compiled.positional else None
    names = [column.name for column in table.columns] if order is None else order
    return _Insert(
        str(compiled),
        tuple((name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names),
        by_name=order is None,
    )


@lru_cache(maxsize=64)
def _processor(table: Table, column: str, dialect: Dialect) -> _Process:
    return table.c[column].type.dialect_impl(dialect).bind_processor(dialect) or (lambda value: value)


@lru_cache(maxsize=256)
def _insert_keys(rows: int, dialect_name: str) -> str:
    one = "(?, ?, ?)" if dialect_name == "sqlite" else "(%s, %s, %s)"
    return (
        f"INSERT INTO {KEYS.name} (key, n, push_id) VALUES {', '.join([one] * rows)}"  # noqa: S608  no value in it
        " ON CONFLICT DO NOTHING RETURNING push_id"
    )


@lru_cache(maxsize=2)
def _select_push(dialect_name: str) -> str:
    mark = "?" if dialect_name == "sqlite" else "%s"
    pushes, keys = PUSHES.name, KEYS.name
    return (
        f"SELECT 1 FROM {keys} JOIN {pushes} ON {keys}.push_id = {pushes}.id"  # noqa: S608  no value in it
        f" WHERE {keys}.key = {mark} AND {pushes}.content_digest = {mark} LIMIT 1"
    )


@lru_cache(maxsize=64)
def _update_totals(columns: tuple[str, ...], dialect_name: str) -> str:
    mark = "?" if dialect_name == "sqlite" else "%s"
    sums = ", ".join(f"{TOTALS.c[name].name} = {TOTALS.c[name].name} + {mark}" for name in columns)
    return f"UPDATE {TOTALS.name} SET {sums} WHERE slot = {mark}"  # noqa: S608  no value in it
