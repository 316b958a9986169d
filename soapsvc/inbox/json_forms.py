"""Pushes as the JSON objects that command line and API show: names as README.md gives them, times in UTC with a Z."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from soapsvc.records import Deviation, InboxDocument, InboxRow, InboxStats, Property, StoredPush, Verdict

Object = dict[str, Any]


def row_object(row: InboxRow) -> Object:
    """One push as a list shows it."""
    return {
        "id": row.id,
        "received_at": time_text(row.received_at),
        "state": row.state.value,
        "kind": row.kind.value,
        "job": {"xdn": row.job.xdn, "mrn": row.job.mrn} if row.job else None,
        "source_ip": row.source_ip,
        "redeliveries": row.redeliveries,
        "deviations": row.deviations,
        "conflict_of": row.conflict_of,
        "raw_bytes": row.raw_bytes,
        "properties": dict(row.properties),
        "documents": [_document_object(document) for document in row.documents],
    }


def stored_object(stored: StoredPush) -> Object:
    """One push in full: the object of the list, with `properties` still by name, and what a list leaves out."""
    return row_object(stored.row) | {
        "root": stored.root,
        "submit_id": stored.submit_id,
        "status_code": stored.status_code,
        "processing_id": stored.processing_id,
        "verdict": _verdict_object(stored.judged_at, stored.verdict) | {"accepted": stored.verdict.accepted},
        "history": [_verdict_object(at, verdict) for at, verdict in stored.history],
        "property_list": [_property_object(one) for one in stored.properties],
        "document_properties": {
            str(document.n): [_property_object(one) for one in document.properties]
            for document in stored.row.documents
            if document.properties
        },
        "header_blocks": dict(stored.header_blocks),
        "http_headers": [[name, value] for name, value in stored.http_headers],
        "raw_sha256": stored.raw_sha256,
        "idempotency_key": stored.idempotency_key,
        "arrivals": _arrivals(stored.arrivals),
    }


def stats_object(stats: InboxStats) -> Object:
    """What the inbox holds."""
    return {
        "accepted": stats.accepted,
        "quarantined": stats.quarantined,
        "redeliveries": stats.redeliveries,
        "conflicts": stats.conflicts,
        "documents": stats.documents,
        "document_bytes": stats.document_bytes,
        "quarantine_bytes": stats.quarantine_bytes,
        "oldest_received_at": time_text(stats.oldest_received_at),
        "newest_received_at": time_text(stats.newest_received_at),
        "free_bytes": stats.free_bytes,
    }


def _document_object(document: InboxDocument) -> Object:
    return {
        "n": document.n,
        "filename": document.filename,
        "doctype": document.doctype,
        "size_bytes": document.size_bytes,
        "sha256": document.sha256,
        "detected_type": document.detected_type,
        "charset": document.charset,
        "encoding": document.encoding,
    }


def _property_object(one: Property) -> Object:
    return {
        "name": one.name,
        "sent_name": one.sent_name,
        "segment": one.segment,
        "value": one.value,
        "at": time_text(one.at),
        "b64charset": one.b64charset,
    }


def _verdict_object(at: datetime, verdict: Verdict) -> Object:
    return {
        "at": time_text(at),
        "conformance": verdict.conformance.value,
        "contract_sha256": verdict.contract_sha256,
        "deviations": [_deviation_object(deviation) for deviation in verdict.deviations],
        "refused_for": [_deviation_object(deviation) for deviation in verdict.refused_for],
    }


def _deviation_object(deviation: Deviation) -> Object:
    return {name: getattr(deviation, name) for name in ("rule", "path", "line", "found", "wanted", "mark")}


def _arrivals(arrivals: Iterable[tuple[datetime, str]]) -> list[Object]:
    return [{"received_at": time_text(at), "source_ip": source_ip} for at, source_ip in arrivals]


def time_text(at: datetime | None) -> str | None:
    """ISO 8601 in UTC with a Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
