"""What the lists search, filter and sum up: an index in a file of its own, filled after the acknowledgement.

Accepting a push knows nothing of it: `indexer` follows the inbox and tells this. So a list that is narrowed may be a
second behind the inbox, and a list that is not never is, for that one is read from the inbox itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from soapsvc.inbox.index_file import IndexFile
from soapsvc.inbox.push_id import number_of
from soapsvc.inbox.search_query import Filters, find_statement, micros, moment_of, source_key
from soapsvc.records import PushState, StoredPush

ACCOUNT = "UserAccountNumber"  # the property (docs/contract.md)
_HOUR = 3_600_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class Hour:
    """What came in within one hour, or several together.

    began_at  aware UTC
    """

    began_at: datetime
    accepted: int
    quarantined: int
    documents: int
    document_bytes: int
    raw_bytes: int


@dataclass(frozen=True, slots=True)
class Sender:
    """One source address, and when it was heard; aware UTC."""

    source: str
    pushes: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Facets:
    """What a list can be narrowed to, most frequent first: the accounts and the source addresses."""

    accounts: tuple[str, ...]
    sources: tuple[str, ...]


class SearchIndex:
    """The index of one inbox. Threads share it; one process fills it."""

    def __init__(self, path: Path, inbox_id: str):
        self._file = IndexFile(path, inbox_id)

    # -- what is asked ---------------------------------------------------------------------------------------------

    def find(self, filters: Filters, *, before_id: str | None = None, limit: int = 50) -> list[str]:
        """The ids of the newest pushes that match, or of those before one of them."""
        with self._file.connection() as connection:
            before = None if before_id is None else _number(connection, before_id)
            statement, values = find_statement(filters, before, limit)
            return [row["id"] for row in connection.execute(statement, values)]

    def newer_than(self, push_id: str, at_most: int) -> int:
        """How many came after that one; counted no further than `at_most`."""
        with self._file.connection() as connection:
            newer = "SELECT count(*) FROM (SELECT 1 FROM entries WHERE n > ? LIMIT ?)"
            return int(connection.execute(newer, (_number(connection, push_id), at_most)).fetchone()[0])

    def facets(self, each: int = 8) -> Facets:
        """The most frequent values."""
        with self._file.connection() as connection:
            accounts = connection.execute("SELECT account FROM accounts ORDER BY pushes DESC, account LIMIT ?", (each,))
            sources = connection.execute("SELECT source FROM senders ORDER BY pushes DESC, source LIMIT ?", (each,))
            return Facets(tuple(row[0] for row in accounts), tuple(row[0] for row in sources))

    def hours(self, since: datetime) -> list[Hour]:
        """The hours in which something came, from that on, oldest first."""
        with self._file.connection() as connection:
            rows = connection.execute("SELECT * FROM hours WHERE hour >= ? ORDER BY hour", (micros(since) // _HOUR,))
            return [Hour(moment_of(row["hour"] * _HOUR), *tuple(row)[1:]) for row in rows]

    def rules(self, since: datetime, limit: int = 30) -> list[tuple[str, int]]:
        """The rules that pushes deviated from since then, and how many pushes each; most frequent first."""
        with self._file.connection() as connection:
            return [
                (row[0], row[1])
                for row in connection.execute(
                    "SELECT rule, sum(pushes) AS pushes FROM hour_rules WHERE hour >= ? GROUP BY rule "
                    "HAVING sum(pushes) > 0 ORDER BY 2 DESC, 1 LIMIT ?",
                    (micros(since) // _HOUR, limit),
                )
            ]

    def senders(self, limit: int = 50) -> list[Sender]:
        """The source addresses, the one that was heard last first."""
        with self._file.connection() as connection:
            rows = connection.execute("SELECT * FROM senders ORDER BY last_at DESC LIMIT ?", (limit,))
            return [Sender(row[0], row[1], moment_of(row[2]), moment_of(row[3])) for row in rows]

    # -- what the indexer tells ------------------------------------------------------------------------------------

    def fact(self, name: str) -> str:
        """How far the indexer came: "followed" and "settled", ids."""
        with self._file.connection() as connection:
            return str(connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()[0])

    def unknown(self, push_ids: Sequence[str]) -> list[str]:
        """Those of some ids that have no entry yet."""
        with self._file.connection() as connection:
            marks = ",".join("?" * len(push_ids))
            known = connection.execute(f"SELECT id FROM entries WHERE id IN ({marks})", list(push_ids))  # noqa: S608
            found = {row[0] for row in known}
            return [push_id for push_id in push_ids if push_id not in found]

    def quarantined_after(self, push_id: str, limit: int) -> list[str]:
        """Ids of entries that were quarantined when they were last looked at, oldest first."""
        with self._file.connection() as connection:
            rows = connection.execute(
                "SELECT id FROM entries WHERE state = 'quarantined' AND n > ? ORDER BY n LIMIT ?",
                (_number(connection, push_id) if push_id else -1, limit),
            )
            return [row[0] for row in rows]

    def put(self, pushes: Iterable[tuple[StoredPush, str]], gone: Iterable[str] = (), **facts: str) -> None:
        """Enter pushes with the text to search in them, in place of the entries that they have; take others away.

        facts  what `fact` answers from now on
        """
        with self._file.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for push_id in gone:
                _take_out(connection, push_id, gone=True)
            for stored, said in pushes:
                if _take_out(connection, stored.row.id):
                    _put_in(connection, stored, said)
            for name, value in facts.items():
                connection.execute("UPDATE facts SET value = ? WHERE name = ?", (value, name))
            connection.execute("COMMIT")

    def make_anew(self) -> None:
        """Forget all: the index is damaged, or what it is made of is searched differently now."""
        self._file.make_anew()


def _number(connection: sqlite3.Connection, push_id: str) -> int:
    found = connection.execute("SELECT n FROM entries WHERE id = ?", (push_id,)).fetchone()
    return int(found[0]) if found else number_of(push_id)


def _put_in(connection: sqlite3.Connection, stored: StoredPush, said: str) -> None:
    row = stored.row
    number = number_of(row.id)
    while connection.execute("SELECT 1 FROM entries WHERE n = ?", (number,)).fetchone():
        number += 1  # another one of the same microsecond
    account = row.properties.get(ACCOUNT, "")
    quarantined = row.state is PushState.QUARANTINED
    rules = sorted({deviation.rule for deviation in stored.verdict.deviations})
    connection.execute(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number, row.id, micros(row.received_at), row.state.value, row.kind.value, row.source_ip,
            source_key(row.source_ip), account, row.deviations, len(row.documents),
            sum(document.size_bytes for document in row.documents), row.raw_bytes, " ".join(rules),
            said if quarantined else None,
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
