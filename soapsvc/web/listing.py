"""A page of the list of pushes: the inbox's own where nothing or the state alone is asked for, else by the index."""

from __future__ import annotations

from dataclasses import dataclass

from soapsvc.errors import StoreUnavailable
from soapsvc.inbox.search_index import Facets, SearchIndex
from soapsvc.inbox.store import InboxStore
from soapsvc.records import InboxRow
from soapsvc.web.asked import AskedList

USUAL = 50
NO_INDEX = (
    "This page was started without a search index: the list by itself and by state is there, no search or filter."
)


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows, newest first, and the `before` of the page after; None: this is the last."""

    rows: list[InboxRow]
    older: str | None


def listing(store: InboxStore, index: SearchIndex | None, asked: AskedList) -> Listing:
    """What a request asks for. Errors: StoreUnavailable."""
    limit = asked.limit or USUAL
    if not asked.filters.narrowed:
        rows = list(store.rows(limit=limit + 1, state=asked.filters.state, before_id=asked.before))
        return Listing(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)
    if index is None:
        raise StoreUnavailable(NO_INDEX)
    ids = index.find(asked.filters, before_id=asked.before, limit=limit + 1)
    older = ids[limit - 1] if len(ids) > limit else None
    return Listing(store.rows_of(ids[:limit]), older)


def offered(index: SearchIndex | None) -> Facets | None:
    """What the list can be narrowed to; None: the index cannot be used now, and the list is there all the same."""
    if index is None:
        return None
    try:
        return index.facets()
    except StoreUnavailable:
        return None
