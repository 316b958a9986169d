"""Pushes as the contract room would hand them over, and the store's state as the tests look at it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from soapsvc.inbox.sql_store import SqlStore
from soapsvc.records import (
    Accepted,
    Arrival,
    Conformance,
    Deviation,
    Document,
    JobId,
    Property,
    Push,
    PushKind,
    RefusedPush,
    Verdict,
)
from soapsvc.spool import Content, Spool

STARTED = datetime(2012, 11, 4, 13, 5, 45, tzinfo=UTC)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LARGE = 300_000  # more than lies in a row
MIB = 1024 * 1024

STRICT = Verdict(Conformance.STRICT, "c" * 64)
DEVIATION = Deviation("XSD-001", "/soapenv:Envelope/soapenv:Body", 7, "MRN reads 44a", "digits", "SIBLING")
REFUSED = Verdict(Conformance.STRICT, "c" * 64, (DEVIATION,), (DEVIATION,))


def push(mrn: int = 1000001, document: bytes = b"reference,status\r\n", **changed: Any) -> Push:
    """A report push of the job, with one document; `changed` replaces fields of the record."""
    whole = Push(
        arrival=arrival(),
        raw=Content.of(b"<Envelope>" + str(mrn).encode() + hashlib.sha256(document).digest() + b"</Envelope>"),
        kind=PushKind.REPORT,
        root="{http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10}JobDocumentTransmitResult",
        job=JobId("test2", str(mrn)),
        submit_id=f"S{mrn}",
        status_code="0",
        processing_id=f"0A000001-0001-{mrn}",
        documents=(document_of(document, filename=f"report_{mrn}.csv"),),
        properties=(
            Property("Subject", "orig_email_subject", "USER", f"Delivery report - job {mrn}"),
            Property("StartTime", "StartTime", "Default", "2012-11-04T13:05:45Z", STARTED),
        ),
        header_blocks={"Response/ProcessingID": f"0A000001-0001-{mrn}", "Request/Authentication/Password": "***"},
        fingerprint="",
    )  # fmt: skip
    whole = replace(whole, **changed)
    return whole if whole.fingerprint else replace(whole, fingerprint=said_by(whole))


def said_by(push: Push) -> str:
    """A digest that differs where what the push brings differs."""
    documents = [(document.content.sha256, replace(document, content=None)) for document in push.documents]
    said = (push.root, push.job, push.submit_id, push.status_code, documents, push.properties)
    return hashlib.sha256(repr(said).encode()).hexdigest()


def arrival(seconds: float = 0, source_ip: str = "192.0.2.7") -> Arrival:
    """The circumstances of a request that came in so long after noon."""
    headers = (("Content-Type", "text/xml"), ("Authorization", "***"), ("X-Twice", "1"), ("X-Twice", "2"))
    return Arrival(NOON + timedelta(seconds=seconds), source_ip, headers)


def document_of(content: bytes | Content, n: int = 1, **changed: Any) -> Document:
    held = content if isinstance(content, Content) else Content.of(content)
    return replace(Document(n, "report.csv", "text", "text/csv", "UTF-8", "base64", held), **changed)


def submitted(store: SqlStore, *pushes: Push) -> list[Accepted | Exception]:
    """What is told of pushes that one thread submits together, in their order."""
    told: dict[int, Accepted | Exception] = {}
    all_told = threading.Semaphore(0)

    def telling(n: int) -> Callable[[Accepted | Exception], None]:
        def tell(outcome: Accepted | Exception) -> None:
            assert n not in told, "told twice"
            told[n] = outcome
            all_told.release()

        return tell

    ready = [store.prepare(one, STRICT) for one in pushes]
    for n, submit in enumerate(ready):
        assert submit is not None
        submit(telling(n))
    for _ in pushes:
        assert all_told.acquire(timeout=60), "nothing was told"
    return [told[n] for n in range(len(pushes))]


def refused(raw: bytes, seconds: float = 0, source_ip: str = "192.0.2.7", read: Push | None = None) -> RefusedPush:
    return RefusedPush(arrival(seconds, source_ip), Content.of(raw), REFUSED, read)


def spooled(spool: Spool, pieces: Sequence[bytes]) -> Content:
    """A content as the envelope reader makes it: written piece by piece, in a file when it is large."""
    sink = spool.sink()
    for piece in pieces:
        sink.write(piece)
    return sink.finish()


def assert_whole(store: SqlStore, accepted: Accepted, sent: Push) -> None:
    """Everything that was sent is there, bit for bit."""
    stored = store.stored(accepted.id)
    with store.open_raw(accepted.id) as raw:
        assert hashlib.file_digest(raw, "sha256").hexdigest() == sent.raw.sha256
    assert [d.sha256 for d in stored.row.documents] == [d.content.sha256 for d in sent.documents]
    for document in sent.documents:
        with store.open_document(accepted.id, document.n) as content:
            assert hashlib.file_digest(content, "sha256").hexdigest() == document.content.sha256


def all_ids(store: SqlStore) -> list[str]:
    return [row.id for row in store.rows(limit=None)]


OpenStore = Callable[..., SqlStore]
