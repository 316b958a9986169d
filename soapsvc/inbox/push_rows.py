"""Pushes as rows, and rows as the records that lists and pages are given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from soapsvc.inbox.content_files import inline_bytes, is_inline
from soapsvc.inbox.idempotency import idempotency_key
from soapsvc.inbox.push_id import new_push_id
from soapsvc.inbox.tables import PUSHES
from soapsvc.records import (
    Conformance,
    Deviation,
    Document,
    InboxDocument,
    InboxRow,
    JobId,
    Property,
    Push,
    PushKind,
    PushState,
    RefusedPush,
    StoredPush,
    Verdict,
)
from soapsvc.spool import Content

ROW_BYTES = 1024  # about what a row and its index entries take beside what is counted by length

Values = dict[str, Any]

LIST_COLUMNS = (
    PUSHES.c.id,
    PUSHES.c.received_at,
    PUSHES.c.state,
    PUSHES.c.kind,
    PUSHES.c.xdn,
    PUSHES.c.mrn,
    PUSHES.c.source_ip,
    PUSHES.c.redeliveries,
    PUSHES.c.deviations,
    PUSHES.c.conflict_of,
    PUSHES.c.raw_bytes,
    PUSHES.c.properties,
)
"""What a list needs: not the verdict, nor the headers."""


@dataclass(frozen=True, slots=True)
class NewPush:
    """What one push puts into the tables.

    contents  each once, whatever number of documents hold it; the small ones with their bytes
    large     those of them that need a file and have none yet
    file_id   by which these files are named
    """

    push: Values
    documents: list[Values]
    contents: list[Values]
    large: tuple[Content, ...]
    file_id: str

    @property
    def id(self) -> str:
        return str(self.push["id"])

    def in_conflict_with(self, first_id: str) -> NewPush:
        return replace(self, push={**self.push, "conflict_of": first_id})

    def instead_of(self, push_id: str, judged_at: datetime) -> NewPush:
        """The same for a push that is in quarantine under that id, with its raw bytes in their place.

        The files of its documents keep an id of their own, so that two processes that judge one push at once never
        write, nor remove, each other's.
        """
        return replace(
            self,
            push={**self.push, "id": push_id, "judged_at": judged_at},
            documents=[{**document, "push_id": push_id} for document in self.documents],
            contents=[{**content, "push_id": push_id} for content in self.contents],
            large=tuple(content for content in self.large if content.sha256 != self.push["raw_sha256"]),
        )

    def after(self, earlier: RowMapping, raw_file_id: str | None) -> NewPush:
        """The same with what is kept of the push's row in quarantine: its verdicts, and the file of its raw bytes."""
        history = [*earlier["history"], {"at": earlier["judged_at"].isoformat(), **earlier["verdict"]}]
        raw_sha256 = self.push["raw_sha256"]
        return replace(
            self,
            push={**self.push, "history": history},
            contents=[
                {**content, "file_id": raw_file_id} if content["sha256"] == raw_sha256 else content
                for content in self.contents
            ],
        )

    def in_quarantine(self) -> NewPush:
        """The same with an estimate of what it takes there."""
        told = ("verdict", "history", "properties", "header_blocks", "http_headers")
        parts = (*(self.push[name] for name in told), self.documents)
        kept_bytes = self.push["raw_bytes"] + sum(len(json.dumps(part)) for part in parts) + ROW_BYTES
        return replace(self, push={**self.push, "kept_bytes": kept_bytes})


def accepted_push(push: Push, verdict: Verdict) -> NewPush:
    """The rows of a push that is stored with its documents."""
    values = _common(push.arrival.received_at, push.raw, verdict)
    values |= _of_push(push, PushState.ACCEPTED) | {
        "source_ip": _storable(push.arrival.source_ip),
        "http_headers": [list(header) for header in push.arrival.http_headers],
        "idempotency_key": idempotency_key(push),
        "content_digest": push.fingerprint,
    }
    return _new(values, push, (push.raw, *(document.content for document in push.documents)))


def quarantined_push(refused: RefusedPush) -> NewPush:
    """The rows of refused input: its raw bytes, and of what could be read all but the documents' content."""
    values = _common(refused.arrival.received_at, refused.raw, refused.verdict)
    values |= _of_push(refused.push, PushState.QUARANTINED) | {
        "source_ip": _storable(refused.arrival.source_ip),
        "http_headers": [list(header) for header in refused.arrival.http_headers],
    }
    return _new(values, refused.push, (refused.raw,)).in_quarantine()


def inbox_row(row: RowMapping, documents: Iterable[RowMapping]) -> InboxRow:
    """One push as a list shows it."""
    return InboxRow(
        id=row["id"],
        received_at=row["received_at"],
        state=PushState(row["state"]),
        kind=PushKind(row["kind"]),
        job=None if row["xdn"] is None and row["mrn"] is None else JobId(row["xdn"], row["mrn"]),
        source_ip=row["source_ip"],
        redeliveries=row["redeliveries"],
        deviations=row["deviations"],
        conflict_of=row["conflict_of"],
        raw_bytes=row["raw_bytes"],
        properties={p["name"]: p["value"] for p in row["properties"]},
        documents=tuple(_inbox_document(document) for document in documents),
    )


def stored_push(row: RowMapping, documents: Iterable[RowMapping], arrivals: Iterable[RowMapping]) -> StoredPush:
    """One push in full."""
    return StoredPush(
        row=inbox_row(row, documents),
        verdict=_read_verdict(row["verdict"]),
        judged_at=row["judged_at"],
        history=tuple((datetime.fromisoformat(values["at"]), _read_verdict(values)) for values in row["history"]),
        root=row["root"],
        submit_id=row["submit_id"],
        status_code=row["status_code"],
        processing_id=row["processing_id"],
        properties=_read_properties(row["properties"]),
        header_blocks=row["header_blocks"],
        http_headers=tuple((name, value) for name, value in row["http_headers"]),
        raw_sha256=row["raw_sha256"],
        idempotency_key=row["idempotency_key"],
        arrivals=tuple((arrival["received_at"], arrival["source_ip"]) for arrival in arrivals),
    )


def _new(values: Values, push: Push | None, contents: Sequence[Content]) -> NewPush:
    push_id = values["id"]
    by_digest = {content.sha256: content for content in contents}
    return NewPush(
        push=values,
        documents=[_document_values(push_id, document) for document in (push.documents if push else ())],
        contents=[
            {
                "push_id": push_id,
                "sha256": digest,
                "size_bytes": content.size_bytes,
                "inline": inline_bytes(content),
                "file_id": None if is_inline(content) else push_id,
            }
            for digest, content in by_digest.items()
        ],
        large=tuple(content for content in by_digest.values() if not is_inline(content)),
        file_id=push_id,
    )


def _common(received_at: datetime, raw: Content, verdict: Verdict) -> Values:
    return {
        "id": new_push_id(received_at),
        "received_at": received_at,
        "idempotency_key": None,
        "content_digest": None,
        "conflict_of": None,
        "redeliveries": 0,
        "deviations": len(verdict.deviations),
        "raw_sha256": raw.sha256,
        "raw_bytes": raw.size_bytes,
        "kept_bytes": raw.size_bytes,
        "verdict": {
            "conformance": verdict.conformance.value,
            "contract_sha256": verdict.contract_sha256,
            "deviations": [_deviation_values(deviation) for deviation in verdict.deviations],
            "refused_for": [_deviation_values(deviation) for deviation in verdict.refused_for],
        },
        "judged_at": received_at,
        "history": [],
    }


def _of_push(push: Push | None, state: PushState) -> Values:
    job = push.job if push else None
    return {
        "state": state.value,
        "kind": (push.kind if push else PushKind.OTHER).value,
        "root": _storable(push.root) if push else None,
        "xdn": _storable(job.xdn) if job else None,
        "mrn": _storable(job.mrn) if job else None,
        "submit_id": _storable(push.submit_id) if push else None,
        "status_code": _storable(push.status_code) if push else None,
        "processing_id": _storable(push.processing_id) if push else None,
        "properties": _property_values(push.properties if push else ()),
        "header_blocks": dict(push.header_blocks) if push else {},
    }


def _document_values(push_id: str, document: Document) -> Values:
    return {
        "push_id": push_id,
        "n": document.n,
        "filename": _storable(document.filename),
        "doctype": _storable(document.doctype),
        "detected_type": _storable(document.detected_type),
        "charset": _storable(document.charset),
        "encoding": document.encoding,
        "size_bytes": document.content.size_bytes,
        "sha256": document.content.sha256,
        "properties": _property_values(document.properties),
    }


def _inbox_document(row: RowMapping) -> InboxDocument:
    return InboxDocument(
        n=row["n"],
        filename=row["filename"],
        doctype=row["doctype"],
        detected_type=row["detected_type"],
        charset=row["charset"],
        encoding=row["encoding"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        properties=_read_properties(row["properties"]),
    )


def _deviation_values(deviation: Deviation) -> Values:
    return {name: getattr(deviation, name) for name in ("rule", "path", "line", "found", "wanted", "mark")}


def _read_verdict(values: Mapping[str, Any]) -> Verdict:
    return Verdict(
        conformance=Conformance(values["conformance"]),
        contract_sha256=values["contract_sha256"],
        deviations=tuple(Deviation(**deviation) for deviation in values["deviations"]),
        refused_for=tuple(Deviation(**deviation) for deviation in values["refused_for"]),
    )


def _property_values(properties: Iterable[Property]) -> list[Values]:
    """What is absent or says nothing new is left out: there are twenty of them in each push."""
    kept = []
    for one in properties:
        values: Values = {"name": one.name, "value": one.value}
        if one.sent_name != one.name:
            values["sent_name"] = one.sent_name
        if one.segment is not None:
            values["segment"] = one.segment
        if one.at is not None:
            values["at"] = one.at.isoformat()
        if one.b64charset is not None:
            values["b64charset"] = one.b64charset
        kept.append(values)
    return kept


def _read_properties(kept: Iterable[Mapping[str, Any]]) -> tuple[Property, ...]:
    return tuple(
        Property(
            name=values["name"],
            sent_name=values.get("sent_name", values["name"]),
            segment=values.get("segment"),
            value=values["value"],
            at=datetime.fromisoformat(values["at"]) if "at" in values else None,
            b64charset=values.get("b64charset"),
        )
        for values in kept
    )


def _storable(value: str | None) -> str | None:
    """Text that every database takes: PostgreSQL refuses NUL, and no UTF-8 has half a surrogate pair.

    XML allows neither; a decoded b64charset may bring them. The raw envelope has what was sent.
    """
    if value is None:
        return None
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
