"""What every store promises; `sql_store` keeps it, `tests/inbox/` holds each store to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from soapsvc.inbox.outbox import Outbox
from soapsvc.inbox.retention import Retention
from soapsvc.records import (
    Accepted,
    InboxRow,
    InboxStats,
    Push,
    PushState,
    RefusedPush,
    StoredPush,
    TakenIn,
    Verdict,
)

Submit = Callable[[Callable[[Accepted | Exception], None]], None]


class InboxStore(Protocol):
    """A place where pushes are kept.

    Promise  when accept() returns, the push survives a crash of the process and of the machine; when it raises
             StoreUnavailable, nothing may be acknowledged. The same push is stored once, however often and however
             concurrently it comes in.
    """

    @property
    def spool_directory(self) -> Path:
        """On the store's own file system: where request bodies and documents lie until they are stored."""

    @property
    def outbox(self) -> Outbox:
        """The deliveries of what is accepted; they are queued by the transaction that stores a push."""

    @property
    def retention(self) -> Retention:
        """Removes what is old, and keeps what is held."""

    def accept(self, push: Push, verdict: Verdict) -> Accepted:
        """Store a push with its raw bytes and verdict; a redelivery is counted, other content under the same
        idempotency key is stored as a conflict. Errors: StoreUnavailable."""

    def prepare(self, push: Push, verdict: Verdict) -> Submit | None:
        """accept() in two steps, for a thread that must not wait for a disk: what is returned stores the push once it
        is called with whom to tell, from another thread, what accept() would return or raise. None: it needs files, so
        it has to be accept()ed."""

    def quarantine(self, refused: RefusedPush) -> str | None:
        """Keep refused input and return its id; the oldest make room. None: larger alone than what may be kept.
        Errors: StoreUnavailable, also where the disk is too full for it: accepted pushes come first."""

    def accept_kept(self, push_id: str, push: Push, verdict: Verdict) -> Accepted:
        """Take a push out of quarantine and store it as accept() does, under its id and with its first arrival. It has
        been read anew from its raw bytes; what it was refused for becomes its history. A redelivery of what is stored
        already is counted there, and its own id is no more. Errors: NoSuchPush: it is not in quarantine (any more);
        StoreUnavailable: it still is."""

    def take_in(self, push: Push, verdict: Verdict, taken: TakenIn) -> Accepted:
        """accept() of what lay at a backup, with its entry in the ledger in the same transaction. A drop that says
        nothing but what a stored push says is a redelivery of that push (drops.py). Errors: StoreUnavailable;
        AlreadyTakenIn."""

    def take_in_refused(self, refused: RefusedPush, taken: TakenIn) -> str | None:
        """quarantine() of what lay at a backup, with its entry; the entry is made also for what is larger alone than
        what may be kept. Errors: as of take_in()."""

    def taken_in(self, source: str) -> Mapping[str, str]:
        """What the ledger has of a place: the digest of each item, and `accepted`, `quarantined` or `refused` (and not
        kept). Errors: StoreUnavailable."""

    def keep_ledger(self, source: str, gone: list[str], state: str | None) -> None:
        """Remove entries whose items are not there any more, and note the place's state, all of which was taken in.
        Errors: StoreUnavailable."""

    def refuse_again(self, push_id: str, refused: RefusedPush) -> None:
        """Replace the verdict of a push in quarantine; one that differs becomes its history. Errors: as above."""

    def rows(
        self, *, limit: int | None = 50, state: PushState | None = None, before_id: str | None = None
    ) -> Iterator[InboxRow]:
        """Newest first; None: all. before_id: those that arrived before that push."""

    def ids_with(self, part: str, limit: int) -> list[str]:
        """The newest ids that begin so, or, where there are none, those that end so."""

    def stored(self, push_id: str) -> StoredPush:
        """One push in full. Errors: NoSuchPush."""

    def rows_of(self, push_ids: Sequence[str]) -> list[InboxRow]:
        """Those of them that are stored, newest first; at most some hundred ids."""

    def ids_after(self, push_id: str, limit: int, state: PushState | None = None) -> list[str]:
        """The ids that follow, oldest first; after "" the oldest of all. A push is seen when it is committed, which
        may be seconds after one with a greater id."""

    def stored_of(self, push_ids: Sequence[str]) -> list[StoredPush]:
        """Those of them that are stored, oldest first, in full but for their further arrivals."""

    def heads_of(self, push_ids: Sequence[str], head_bytes: int) -> dict[tuple[str, str], bytes]:
        """By push and sha256 the first bytes of those documents that lie in the database: to search in, for they are
        not held against their digest. Large documents lie elsewhere: `open_document`."""

    def open_document(self, push_id: str, n: int) -> BinaryIO:
        """The decoded bytes of document n, from 1. Errors: NoSuchPush, also for what is quarantined: of that the raw
        bytes alone are kept; StoreUnavailable, also while reading: they are not those that were received."""

    def open_raw(self, push_id: str) -> BinaryIO:
        """Every byte of the HTTP request body, as received. Errors: NoSuchPush; StoreUnavailable as above."""

    def stats(self) -> InboxStats:
        """What the inbox holds."""

    def check_writable(self) -> None:
        """Write and commit something small, and look whether files can be made. Errors: StoreUnavailable."""

    def free_bytes(self) -> int | None:
        """Free space on the store's file system; None where it is not ours to see."""

    def close(self) -> None:
        """Finish what is being committed and let go of the database."""
