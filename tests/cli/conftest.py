"""An inbox that holds something, without a receiver: the command line is asked about a real store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from soapsvc.inbox.sql_store import SqlStore, open_store
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
from soapsvc.spool import Content

MIB = 1024 * 1024
FIRST = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
REPORT = b"reference,status\r\nINV-1,Sent\r\n"
EVIL = "\x1b]0;owned\x07\x9b2J[red]\u202egnp.exe"
DEVIATION = Deviation(
    "XSD-001", "/soapenv:Envelope/soapenv:Body/JobId/MRN", 14, "\x1b[2J44a", "xs:integer: digits", "SIBLING"
)


@dataclass
class Inbox:
    """A store and the ways to fill it; a second passes with each push."""

    url: str
    store: SqlStore
    now: datetime = FIRST

    def arrival(self, content_type: str = "text/xml") -> Arrival:
        self.now += timedelta(seconds=1)
        http_headers = (("Content-Type", content_type), ("Soapaction", '"basicInvoke"'), ("Authorization", "***"))
        return Arrival(self.now, "192.0.2.7", http_headers)

    def push(self, mrn: int, *documents: bytes, subject: str = "Delivery report", filename: str = "report.csv") -> Push:
        return Push(
            arrival=self.arrival(), raw=Content.of(b"<Envelope>%d</Envelope>" % mrn), kind=PushKind.REPORT,
            root="{urn:x}JobDocumentTransmitResult", job=JobId("test2", str(mrn)), submit_id=f"S{mrn}", status_code="0",
            processing_id=f"P{mrn}",
            documents=tuple(
                Document(n, filename, "text", "text/csv", "UTF-8", "base64", Content.of(content))
                for n, content in enumerate(documents or (REPORT,), start=1)
            ),
            properties=(Property("Subject", "USER/orig_email_subject", "Default", subject),
                        Property("StartTime", "StartTime", "Default", "2026-11-23T08:00:00Z", FIRST)),
            header_blocks={"Response/ProcessingID": f"P{mrn}"},
            fingerprint=hashlib.sha256(repr((mrn, documents, subject, filename)).encode()).hexdigest(),
        )  # fmt: skip

    def accept(self, push: Push) -> Accepted:
        return self.store.accept(push, Verdict(Conformance.STRICT, "cd" * 32))

    def refuse(self, raw: bytes, content_type: str = "text/xml") -> str:
        verdict = Verdict(Conformance.STRICT, "cd" * 32, (DEVIATION,), (DEVIATION,))
        kept = self.store.quarantine(RefusedPush(self.arrival(content_type), Content.of(raw), verdict))
        assert kept is not None
        return kept


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    url = f"sqlite:///{tmp_path / 'inbox.db'}"
    store = open_store(url, quarantine_max_bytes=MIB, quarantine_max_bytes_per_source=MIB)
    yield Inbox(url, store)
    store.close()
