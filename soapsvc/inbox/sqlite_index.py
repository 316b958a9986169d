"""The search index of an inbox in SQLite: FTS5, in a file of its own (index_file.py)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import structlog

from soapsvc.errors import StoreUnavailable
from soapsvc.inbox.index_entry import IndexEntry, entry_of
from soapsvc.inbox.index_file import IndexFile, is_damage
from soapsvc.inbox.push_id import number_of
from soapsvc.inbox.search_index import Facets, Hour, Sender
from soapsvc.inbox.search_query import (
    Filters,
    Term,
    account_key,
    micros,
    moment_of,
    plain_text,
    source_key,
    terms_of,
)
from soapsvc.records import PushState, StoredPush

_LOG = structlog.get_logger(__name__)
_HOUR = 3_600_000_000  # microseconds


class SqliteIndex:
    """What search_index.py promises."""

    def __init__(self, path: Path, inbox_id: str):
        self._file = IndexFile(path, inbox_id)

    # -- what is asked ---------------------------------------------------------------------------------------------

    def find(self, filters: Filters, *, before_id: str | None = None, limit: int = 50) -> list[str]:
        with self._asking() as connection:
            before = None if before_id is None else _number(connection, before_id)
            statement, values = _find_statement(filters, before, limit)
            return [row["id"] for row in connection.execute(statement, values)]

    def newer_than(self, push_id: str, at_most: int) -> int:
        with self._asking() as connection:
            newer = "SELECT count(*) FROM (SELECT 1 FROM entries WHERE n > ? LIMIT ?)"
            return int(connection.execute(newer, (_number(connection, push_id), at_most)).fetchone()[0])

    def facets(self, each: int = 8) -> Facets:
        with self._asking() as connection:
            accounts, sources = (
                tuple(
                    row[0]
                    for row in connection.execute(
                        f"SELECT {name} FROM {table} WHERE pushes > 0 ORDER BY pushes DESC, {name} LIMIT ?",  # noqa: S608
                        (each,),
                    )
                )
                for table, name in (("accounts", "account"), ("senders", "source"))
            )
            return Facets(accounts, sources)

    def hours(self, since: datetime) -> list[Hour]:
        with self._asking() as connection:
            rows = connection.execute("SELECT * FROM hours WHERE hour >= ? ORDER BY hour", (micros(since) // _HOUR,))
            return [Hour(moment_of(row["hour"] * _HOUR), *tuple(row)[1:]) for row in rows]

    def rules(self, since: datetime, limit: int = 30) -> list[tuple[str, int]]:
        with self._asking() as connection:
            return [
                (row[0], row[1])
                for row in connection.execute(
                    "SELECT rule, sum(pushes) AS pushes FROM hour_rules WHERE hour >= ? GROUP BY rule "
                    "HAVING sum(pushes) > 0 ORDER BY 2 DESC, 1 LIMIT ?",
                    (micros(since) // _HOUR, limit),
                )
            ]

    def senders(self, limit: int = 50) -> list[Sender]:
        with self._asking() as connection:
            rows = connection.execute("SELECT * FROM senders WHERE pushes > 0 ORDER BY last_at DESC LIMIT ?", (limit,))
            return [Sender(row[0], row[1], moment_of(row[2]), moment_of(row[3])) for row in rows]

    # -- what the indexer tells ------------------------------------------------------------------------------------

    def may_fill(self) -> bool:
        return True  # no other process shows the pages of this inbox

    def leave(self) -> None:
        pass

    def fact(self, name: str) -> str:
        with self._filling() as connection:
            found = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
            if found is None:
                raise sqlite3.DatabaseError(f"it does not say what is {name}")
            return str(found[0])

    def unknown(self, push_ids: Sequence[str]) -> list[str]:
        with self._filling() as connection:
            marks = ",".join("?" * len(push_ids))
            known = connection.execute(f"SELECT id FROM entries WHERE id IN ({marks})", list(push_ids))  # noqa: S608
            found = {row[0] for row in known}
            return [push_id for push_id in push_ids if push_id not in found]

    def ids_after(self, push_id: str, limit: int, state: PushState | None = None) -> list[str]:
        with self._filling() as connection:
            after = _number(connection, push_id) if push_id else -1
            where, values = ("n > ?", [after]) if state is None else ("state = ? AND n > ?", [state.value, after])
            rows = connection.execute(f"SELECT id FROM entries WHERE {where} ORDER BY n LIMIT ?", [*values, limit])  # noqa: S608
            return [row[0] for row in rows]

    def put(self, pushes: Iterable[tuple[StoredPush, str]], gone: Iterable[str] = (), **facts: str) -> None:
        with self._filling() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for push_id in gone:
                _take_out(connection, push_id, gone=True)
            for stored, said in pushes:
                if _take_out(connection, stored.row.id):
                    _put_in(connection, entry_of(stored), plain_text(said))
            for name, value in facts.items():
                connection.execute("UPDATE facts SET value = ? WHERE name = ?", (value, name))
            connection.execute("COMMIT")

    # -- how it is done --------------------------------------------------------------------------------------------

    @contextmanager
    def _asking(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._file.connection() as connection:
                yield connection
        except (OSError, sqlite3.Error) as cause:
            raise _unavailable(cause) from cause

    @contextmanager
    def _filling(self) -> Iterator[sqlite3.Connection]:
        """What is damaged is made anew, and filled again from the beginning."""
        try:
            with self._file.connection() as connection:
                yield connection
        except (OSError, sqlite3.Error) as cause:
            if isinstance(cause, sqlite3.DatabaseError) and is_damage(cause):
                _LOG.warning("search index made anew", cause=str(cause))
                self._make_anew()
            raise _unavailable(cause) from cause

    def _make_anew(self) -> None:
        try:
            self._file.make_anew()
        except (OSError, sqlite3.Error) as cause:
            raise _unavailable(cause) from cause


def _unavailable(cause: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"The search index cannot be used now ({cause}); try again later.")


def _find_statement(filters: Filters, before: int | None, limit: int) -> tuple[str, list[object]]:
    """The ids that match, newest first; before: only entries with a smaller number."""
    where: list[str] = []
    values: list[object] = []

    def hold(condition: str, *of: object) -> None:
        where.append(condition)
        values.extend(of)

    table, number = "entries", "entries.n"
    terms = match_expression(terms_of(filters.words))
    if terms:
        table, number = "words JOIN entries ON entries.n = words.rowid", "words.rowid"
        hold("words MATCH ?", terms)
    if before is not None:
        hold(f"{number} < ?", before)
    if filters.since_id is not None:
        hold(f"{number} >= ?", number_of(filters.since_id))
    if filters.until_id is not None:
        hold(f"{number} < ?", number_of(filters.until_id))
    for name, value in (("state", filters.state), ("kind", filters.kind)):
        if value is not None:
            hold(f"entries.{name} = ?", value.value)
    if filters.account is not None:
        hold("entries.account = ?", account_key(plain_text(filters.account)))
    if isinstance(filters.source, str):
        hold("entries.source = ?", plain_text(filters.source))
    elif filters.source is not None:
        first, last = filters.source.network_address, filters.source.broadcast_address
        if first == last:
            hold("entries.source = ?", str(first))
        else:  # +: read in the order of arrival, which ends with the page, rather than sorted by address
            hold("+entries.source_key BETWEEN ? AND ?", source_key(str(first)), source_key(str(last)))
    if filters.deviating is not None:
        hold("entries.deviations > 0" if filters.deviating else "entries.deviations = 0")
    if filters.rule is not None:
        hold("entries.deviations > 0 AND instr(' ' || entries.rules || ' ', ' ' || ? || ' ')", plain_text(filters.rule))
    condition = " AND ".join(where) or "1"
    # S608: the pieces are those above, and what was asked for goes in as values
    return f"SELECT entries.id FROM {table} WHERE {condition} ORDER BY {number} DESC LIMIT ?", [*values, limit]  # noqa: S608


def match_expression(terms: Sequence[Term]) -> str:
    """The terms as FTS5 reads them, each in quotes, so that none is an operator; "" where there is none."""
    return " ".join('"' + plain_text(term.said).replace('"', '""') + '"' + "*" * term.begun for term in terms)


def _number(connection: sqlite3.Connection, push_id: str) -> int:
    found = connection.execute("SELECT n FROM entries WHERE id = ?", (push_id,)).fetchone()
    return int(found[0]) if found else number_of(push_id)


def _put_in(connection: sqlite3.Connection, entry: IndexEntry, said: str) -> None:
    number = number_of(entry.push_id)
    while connection.execute("SELECT 1 FROM entries WHERE n = ?", (number,)).fetchone():
        number += 1  # another one of the same microsecond
    connection.execute(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number, entry.push_id, micros(entry.at), entry.state, entry.kind, entry.source, source_key(entry.source),
            entry.account, entry.deviations, entry.documents, entry.document_bytes, entry.raw_bytes,
            " ".join(entry.rules), None if entry.accepted else said,
        ),
    )  # fmt: skip
    connection.execute("INSERT INTO words (rowid, said) VALUES (?, ?)", (number, said))
    _sum_up(connection, connection.execute("SELECT * FROM entries WHERE n = ?", (number,)).fetchone(), 1)


def _take_out(connection: sqlite3.Connection, push_id: str, *, gone: bool = False) -> bool:
    """Whether there is room for an entry of the push now: one of an accepted push stays, for that changes no more."""
    entry = connection.execute("SELECT * FROM entries WHERE id = ?", (push_id,)).fetchone()
    if entry is None:
        return True
    if entry["said"] is None and not gone:
        return False
    if entry["said"] is not None:  # an index without content has to be told what it forgets; else nothing joins it
        connection.execute(
            "INSERT INTO words (words, rowid, said) VALUES ('delete', ?, ?)", (entry["n"], entry["said"])
        )
    connection.execute("DELETE FROM entries WHERE n = ?", (entry["n"],))
    _sum_up(connection, entry, -1)
    return True


def _sum_up(connection: sqlite3.Connection, entry: sqlite3.Row, sign: int) -> None:
    """Add an entry to the sums, or take it from them."""
    hour, accepted = entry["at"] // _HOUR, entry["state"] == PushState.ACCEPTED.value
    connection.execute(
        "INSERT INTO hours VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (hour) DO UPDATE SET accepted = accepted + "
        "excluded.accepted, quarantined = quarantined + excluded.quarantined, documents = documents + "
        "excluded.documents, document_bytes = document_bytes + excluded.document_bytes, raw_bytes = raw_bytes + "
        "excluded.raw_bytes",
        (hour, sign * accepted, sign * (not accepted), sign * entry["documents"], sign * entry["document_bytes"],
         sign * entry["raw_bytes"]),
    )  # fmt: skip
    for rule in entry["rules"].split():
        connection.execute(
            "INSERT INTO hour_rules VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET pushes = pushes + excluded.pushes",
            (hour, rule, sign),
        )
    connection.execute(
        "INSERT INTO senders VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET pushes = pushes + excluded.pushes, "
        "first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)",
        (entry["source"], sign, entry["at"], entry["at"]),
    )
    if entry["account"]:
        connection.execute(
            "INSERT INTO accounts VALUES (?, ?) ON CONFLICT DO UPDATE SET pushes = pushes + excluded.pushes",
            (entry["account"], sign),
        )
