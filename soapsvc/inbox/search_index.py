"""What the lists search, filter and sum up: an index beside the pushes, filled after the acknowledgement.

    sqlite_index.py    of an inbox in SQLite: FTS5, in a file of its own
    postgres_index.py  of an inbox in PostgreSQL: tsvector, in tables that all its receivers share

Accepting a push knows nothing of it: `indexer` follows the inbox and tells the index. So a list that is narrowed may be
a second behind the inbox, and a list that is not never is, for that one is read from the inbox itself.
`tests/inbox/search_promises.py` holds both to the same answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from soapsvc.inbox.search_query import Filters
from soapsvc.records import PushState, StoredPush


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


class SearchIndex(Protocol):
    """The index of one inbox. Threads share it; one process at a time fills it. Errors, of every method:
    StoreUnavailable."""

    # -- what is asked ---------------------------------------------------------------------------------------------

    def find(self, filters: Filters, *, before_id: str | None = None, limit: int = 50) -> list[str]:
        """The ids of the newest pushes that match, or of those before one of them."""

    def newer_than(self, push_id: str, at_most: int) -> int:
        """How many came after that one; counted no further than `at_most`."""

    def facets(self, each: int = 8) -> Facets:
        """The most frequent values."""

    def hours(self, since: datetime) -> list[Hour]:
        """The hours in which something came, from that on, oldest first."""

    def rules(self, since: datetime, limit: int = 30) -> list[tuple[str, int]]:
        """The rules that pushes deviated from since then, and how many pushes each; most frequent first."""

    def senders(self, limit: int = 50) -> list[Sender]:
        """The source addresses, the one that was heard last first."""

    # -- what the indexer tells ------------------------------------------------------------------------------------

    def may_fill(self) -> bool:
        """Whether it is this process that fills it now; asked again before each slice."""

    def leave(self) -> None:
        """Another process may fill it from now on."""

    def fact(self, name: str) -> str:
        """How far the indexer came: "followed" and "settled", ids."""

    def unknown(self, push_ids: Sequence[str]) -> list[str]:
        """Those of some ids that have no entry yet."""

    def ids_after(self, push_id: str, limit: int, state: PushState | None = None) -> list[str]:
        """Ids of entries that follow, oldest first; after "" the oldest of all. state: as it was last looked at."""

    def put(self, pushes: Iterable[tuple[StoredPush, str]], gone: Iterable[str] = (), **facts: str) -> None:
        """Enter pushes with the text to search in them, in place of the entries that they have; take others away. An
        entry of an accepted push stays as it is, for that changes no more.

        facts  what `fact` answers from now on
        """
