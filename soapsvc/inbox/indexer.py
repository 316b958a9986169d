"""Follows the inbox and fills the search index, in a thread of the process that shows the pages; of several such
processes one at a time does.

The order of ids is that of arrival, and a push is seen when it is committed: one may appear behind another that was
seen before. So new ids are followed at once, and what is older than SETTLED_SECONDS is walked once more for those that
were late. What is in quarantine changes (it is judged again, or makes room): those ids are held against the inbox, a
slice at a time, all over again. And so is everything else, more slowly: retention removes, and what a receiver stores
whose clock is behind may lie behind what was looked at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from threading import Event, Thread

import structlog

from soapsvc.clock import Clock, utc_now
from soapsvc.errors import NoSuchPush, StoreError
from soapsvc.inbox.push_id import first_id_of
from soapsvc.inbox.search_index import SearchIndex
from soapsvc.inbox.store import InboxStore
from soapsvc.records import InboxDocument, PushState, StoredPush

_LOG = structlog.get_logger(__name__)
PAUSE_SECONDS = 0.4
AFTER_FAILURE_SECONDS = 2.0
SLICE = 50  # pushes entered in one transaction
LATE_SLICE = 500  # ids looked at in one round
SETTLED_SECONDS = 60.0  # a commit takes less, or its sender has given up
MAX_TEXT_BYTES = 1024 * 1024  # of all documents of one push
AWAKE = 0.5  # of the time at most: a receiver in this process shares the processor
AWAKE_WHILE_RECEIVING = 0.1  # so long as there is more to follow: an index can wait, a sender does not
RECEIVING_SECONDS = 1.0  # after a push that others may follow

Heads = Mapping[tuple[str, str], bytes]
"""The beginnings of small documents, by push and digest: read for a slice at once, each by itself costs five times as
much as all else here."""


class Indexer:
    """Keeps one index beside one inbox.

    text_bytes  of each text document are searched; 0: none
    """

    def __init__(self, store: InboxStore, index: SearchIndex, text_bytes: int, clock: Clock = utc_now):
        self._store, self._index, self._text_bytes, self._clock = store, index, text_bytes, clock
        self._closing = Event()
        self._compared = self._walked = ""
        self._thread = Thread(target=self._follow, name="indexer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End after the slice under way, and leave the index to others."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
            try:
                self._index.leave()
            except StoreError as cause:
                _LOG.info("search index not left", cause=str(cause))

    def catch_up(self) -> None:
        """Enter everything that is in the inbox now."""
        while self.follow():
            pass
        self.settle()
        self.compare()

    def follow(self) -> int:
        """Enter the next slice of new pushes; how many they were."""
        ids = self._store.ids_after(self._index.fact("followed"), SLICE)
        if ids:
            self._enter(ids, followed=ids[-1])
        return len(ids)

    def settle(self) -> int:
        """Look once more at what must be committed by now; how many ids were looked at."""
        followed = self._index.fact("followed")
        until = first_id_of(self._clock() - timedelta(seconds=SETTLED_SECONDS))
        ids = [one for one in self._store.ids_after(self._index.fact("settled"), LATE_SLICE) if one < until]
        ids = [one for one in ids if one <= followed]
        if ids:
            late = self._index.unknown(ids)
            for at in range(0, len(late), SLICE):
                self._enter(late[at : at + SLICE])
            self._index.put((), settled=ids[-1])
        return len(ids)

    def compare(self) -> None:
        """Hold a slice of what the index has for quarantined against the inbox; a needless second look does no harm."""
        kept = self._index.ids_after(self._compared, LATE_SLICE, PushState.QUARANTINED)
        if kept:
            still = set(self._store.ids_after(self._compared, LATE_SLICE, PushState.QUARANTINED))
            left = [one for one in kept if one not in still]
            if left:
                self.look_again(left)
        self._compared = kept[-1] if len(kept) == LATE_SLICE else ""

    def walk(self) -> None:
        """Hold a slice of all entries against the inbox, and the inbox against them; the next one goes on there."""
        stored = self._store.ids_after(self._walked, LATE_SLICE)
        known = self._index.ids_after(self._walked, LATE_SLICE)
        ends = [ids[-1] for ids in (stored, known) if len(ids) == LATE_SLICE]
        until = min(ends, default=self._index.fact("followed"))
        differing = sorted(one for one in set(stored) ^ set(known) if one <= until)
        if differing:
            self.look_again(differing)
        self._walked = until if ends else ""

    def look_again(self, push_ids: list[str]) -> None:
        """Enter pushes anew that were judged again, and forget those that are gone."""
        for at in range(0, len(push_ids), SLICE):
            self._enter(push_ids[at : at + SLICE])

    def _enter(self, push_ids: list[str], **facts: str) -> None:
        stored = self._store.stored_of(push_ids)
        heads = self._store.heads_of(push_ids, self._text_bytes) if self._text_bytes else {}
        found = {one.row.id for one in stored}
        gone = [push_id for push_id in push_ids if push_id not in found]
        self._index.put([(one, self._said(one, heads)) for one in stored], gone, **facts)

    def _follow(self) -> None:
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                busy = self._index.may_fill() and self._fill()
                pause = (time.monotonic() - began) * (1 / self._awake() - 1) if busy else PAUSE_SECONDS
            except (StoreError, OSError) as cause:  # the inbox says so to its senders; here it is tried again
                _LOG.warning("search index not filled", cause=str(cause))
                pause = AFTER_FAILURE_SECONDS
            except Exception:  # a defect of ours; were the thread to end, nothing would ever be found again
                _LOG.exception("search index not filled")
                pause = AFTER_FAILURE_SECONDS
            self._closing.wait(pause)

    def _fill(self) -> bool:
        """Whether there is more to follow."""
        if self.follow() == SLICE or self.settle() == LATE_SLICE:
            return True
        self.compare()
        self.walk()
        return False

    def _awake(self) -> float:
        """The share of its time that it may take now."""
        lately = first_id_of(self._clock() - timedelta(seconds=RECEIVING_SECONDS))
        return AWAKE_WHILE_RECEIVING if self._store.ids_after(lately, 1) else AWAKE

    def _said(self, stored: StoredPush, heads: Heads) -> str:
        """Whatever can be searched in a push."""
        return "\n".join(filter(None, self._texts(stored, heads)))

    def _texts(self, stored: StoredPush, heads: Heads) -> Iterator[str]:
        row = stored.row
        yield row.id
        yield row.source_ip
        if row.job:
            yield f"{row.job.xdn or ''}:{row.job.mrn or ''}"
        yield from (stored.submit_id or "", stored.processing_id or "", stored.root or "")
        for one in stored.properties:
            yield f"{one.name} {one.sent_name if one.sent_name != one.name else ''} {one.value}"
        yield from stored.header_blocks.values()
        left = MAX_TEXT_BYTES
        for document in row.documents:
            yield document.filename or ""
            yield document.doctype or ""
            yield from (one.value for one in document.properties)
            if row.state is PushState.ACCEPTED and left > 0:
                text = self._text(row.id, document, heads)
                left -= len(text)
                yield text

    def _text(self, push_id: str, document: InboxDocument, heads: Heads) -> str:
        if not self._text_bytes or not (document.detected_type or "").startswith("text/"):
            return ""
        head = heads.get((push_id, document.sha256))
        if head is not None:
            return decoded(head, document)
        try:
            with self._store.open_document(push_id, document.n) as stream:
                head = stream.read(self._text_bytes)
        except (StoreError, OSError) as cause:
            if not isinstance(cause, NoSuchPush):
                _LOG.warning("document not searched", id=push_id, n=document.n, cause=str(cause))
            return ""
        return decoded(head, document)


def decoded(head: bytes, document: InboxDocument) -> str:
    """The beginning of a text document as text, whatever its charset says."""
    charset = document.charset if document.encoding == "base64" else None  # what was sent as text is UTF-8
    for name in (charset or "utf-8", "utf-8"):
        try:
            return head.decode(name, "replace").removeprefix("\ufeff")
        except (LookupError, ValueError):  # some of Python's codecs are for other things than text
            continue
    return ""
