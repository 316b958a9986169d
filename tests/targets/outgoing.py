"""A push on its way out, made for a test."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime

from soapsvc.records import JobId, Property, PushKind
from soapsvc.targets.target import OutgoingDocument, OutgoingPush
from tests.pushing import envelope

AT = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
REPORT = b"reference,status\r\nINV-1,Sent\r\n"
SUBJECT = "Grüße – report 1"


def a_document(content: bytes = REPORT, filename: str | None = "report.csv", n: int = 1) -> OutgoingDocument:
    return OutgoingDocument(
        n, filename, "text", "text/csv", "UTF-8", len(content), hashlib.sha256(content).hexdigest(),
        lambda: io.BytesIO(content),
    )  # fmt: skip


def a_push(
    *documents: OutgoingDocument, push_id: str = "push1", subject: str = SUBJECT, raw: bytes | None = None
) -> OutgoingPush:
    documents = documents or (a_document(),)
    sent = envelope() if raw is None else raw
    told = [{"n": d.n, "filename": d.filename, "sha256": d.sha256, "size_bytes": d.size_bytes} for d in documents]
    return OutgoingPush(
        push_id, AT, PushKind.REPORT, JobId("test2", "1000001"), (Property("Subject", "Subject", "Default", subject),),
        documents, {"id": push_id, "kind": "report", "documents": told, "properties": {"Subject": subject}},
        lambda: io.BytesIO(sent),
    )  # fmt: skip
