"""What an index knows of a push beside its words: by which lists are narrowed, and what is summed up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from soapsvc.inbox.search_query import account_key, plain_text
from soapsvc.records import PushState, StoredPush

ACCOUNT = "UserAccountNumber"  # the property (docs/contract.md)


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One push.

    at       when it arrived; aware UTC
    account  as `account_key` gives it; "": none
    rules    ids of the rules of its verdict, once each, sorted
    """

    push_id: str
    at: datetime
    state: str
    kind: str
    source: str
    account: str
    deviations: int
    documents: int
    document_bytes: int
    raw_bytes: int
    rules: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        return self.state == PushState.ACCEPTED.value


def entry_of(stored: StoredPush, spelled: Callable[[str], str] = plain_text) -> IndexEntry:
    """The entry of a stored push. spelled: writes a text so that the index's database takes it."""
    row = stored.row
    return IndexEntry(
        row.id, row.received_at, row.state.value, row.kind.value, row.source_ip,
        account_key(spelled(row.properties.get(ACCOUNT, ""))), row.deviations, len(row.documents),
        sum(document.size_bytes for document in row.documents), row.raw_bytes,
        tuple(sorted({deviation.rule for deviation in stored.verdict.deviations})),
    )  # fmt: skip
