"""Pushes as rows, and rows as the records that lists and pages are given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from soapsvc.inbox import push_record
from soapsvc.inbox.content_files import inline_bytes, is_inline
from soapsvc.inbox.envelope_skeleton import take_out
from soapsvc.inbox.idempotency import idempotency_key
from soapsvc.inbox.push_id import new_push_id
from soapsvc.inbox.skeleton_form import to_bytes
from soapsvc.inbox.tables import PUSHES
from soapsvc.records import InboxRow, JobId, Push, PushKind, PushState, RefusedPush, StoredPush, Verdict
from soapsvc.spool import INLINE_BYTES, Content

ROW_BYTES = 512  # about what a row and its index entries take beside what is counted by length
REQUEST_BODY = 0  # number of the content that is the request body; documents are 1 and on

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
    PUSHES.c.record,
)
"""What a list needs: not the envelope."""


@dataclass(frozen=True, slots=True)
class NewPush:
    """What one push puts into the tables.

    push      its row
    contents  rows: each content once, whatever number of documents hold it; the small ones with their bytes
    large     those contents that need a file and have none yet
    file_id   by which these files are named
    drop      digests of the documents of a push that came without its envelope, empty ones left out
    deliveries  names of the targets that it is queued for
    """

    push: Values
    contents: list[Values]
    large: tuple[Content, ...]
    file_id: str
    drop: tuple[str, ...] = ()
    deliveries: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return str(self.push["id"])

    @property
    def verdict(self) -> Values:
        """As it is in the record."""
        verdict: Values = push_record.unpack(self.push["record"])["verdict"]
        return verdict

    def queued_for(self, targets: tuple[str, ...]) -> NewPush:
        return replace(self, deliveries=targets) if targets else self

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
            contents=[{**content, "push_id": push_id} for content in self.contents],
            large=tuple(content for content in self.large if content.sha256 != self.push["raw_sha256"]),
        )

    def after(self, earlier: RowMapping, raw_file_id: str | None) -> NewPush:
        """The same with what is kept of the push's row in quarantine: its verdicts, and the file of its raw bytes."""
        record = push_record.after(
            push_record.unpack(self.push["record"]), push_record.unpack(earlier["record"]), earlier["judged_at"]
        )
        return replace(
            self,
            push={**self.push, "record": push_record.pack(record)},
            contents=[
                {**content, "file_id": raw_file_id} if content["sha256"] == self.push["raw_sha256"] else content
                for content in self.contents
            ],
        )

    def in_quarantine(self) -> NewPush:
        """The same with an estimate of what it takes there."""
        kept_bytes = self.push["raw_bytes"] + len(self.push["record"]) + ROW_BYTES
        return replace(self, push={**self.push, "kept_bytes": kept_bytes})


def accepted_push(push: Push, verdict: Verdict) -> NewPush:
    """The rows of a push that is stored: its documents, and its request body without them where that is possible."""
    documents = [document.content for document in push.documents]
    distinct = list({content.sha256: content for content in documents}.values())
    skeleton = take_out(push.raw, distinct)
    envelope = None if skeleton is None else to_bytes(skeleton)
    if envelope is not None and len(envelope) > INLINE_BYTES:
        envelope = None
    contents = dict(enumerate(distinct, REQUEST_BODY + 1))
    if envelope is None and all(content.sha256 != push.raw.sha256 for content in distinct):
        contents[REQUEST_BODY] = push.raw
    values = _common(push.arrival.received_at, push.raw, verdict) | _of_push(push) | {
        "state": PushState.ACCEPTED.value,
        "source_ip": push_record.storable(push.arrival.source_ip),
        "idempotency_key": idempotency_key(push),
        "content_digest": push.fingerprint,
        "record": push_record.pack(push_record.record_of(push, verdict)),
        "envelope": envelope,
    }  # fmt: skip
    origin = push.arrival.origin
    drop = () if origin is None or origin.is_push else tuple(one.sha256 for one in distinct if one.size_bytes)
    return _new(values, contents, drop)


def quarantined_push(refused: RefusedPush) -> NewPush:
    """The rows of refused input: its raw bytes, and of what could be read all but the documents' content."""
    values = _common(refused.arrival.received_at, refused.raw, refused.verdict) | _of_push(refused.push) | {
        "state": PushState.QUARANTINED.value,
        "source_ip": push_record.storable(refused.arrival.source_ip),
        "record": push_record.pack(push_record.record_of_refused(refused)),
    }  # fmt: skip
    return _new(values, {REQUEST_BODY: refused.raw}).in_quarantine()


def inbox_row(row: RowMapping) -> InboxRow:
    """One push as a list shows it."""
    return _inbox_row(row, push_record.unpack(row["record"]))


def stored_push(row: RowMapping, arrivals: Iterable[RowMapping]) -> StoredPush:
    """One push in full."""
    record = push_record.unpack(row["record"])
    return StoredPush(
        row=_inbox_row(row, record),
        verdict=push_record.verdict_of(record),
        judged_at=row["judged_at"],
        history=push_record.history_of(record),
        root=record.get("root"),
        submit_id=row["submit_id"],
        status_code=record.get("status_code"),
        processing_id=record.get("processing_id"),
        properties=push_record.properties_of(record),
        header_blocks=record.get("header_blocks", {}),
        http_headers=tuple((name, value) for name, value in record["http_headers"]),
        raw_sha256=row["raw_sha256"],
        idempotency_key=row["idempotency_key"],
        arrivals=tuple((arrival["received_at"], arrival["source_ip"]) for arrival in arrivals),
    )


def _inbox_row(row: RowMapping, record: Values) -> InboxRow:
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
        properties={one["name"]: one["value"] for one in record.get("properties", ())},
        documents=push_record.documents_of(record),
        origin=push_record.origin_of(record),
    )


def _new(values: Values, contents: dict[int, Content], drop: tuple[str, ...] = ()) -> NewPush:
    push_id = values["id"]
    return NewPush(
        push=values,
        contents=[
            {
                "push_id": push_id,
                "n": n,
                "sha256": content.sha256,
                "size_bytes": content.size_bytes,
                "file_id": None if is_inline(content) else push_id,
                "inline": inline_bytes(content),
            }
            for n, content in contents.items()
        ],
        large=tuple(content for content in contents.values() if not is_inline(content)),
        file_id=push_id,
        drop=drop,
    )


def _common(received_at: datetime, raw: Content, verdict: Verdict) -> Values:
    return {
        "id": new_push_id(received_at),
        "received_at": received_at,
        "judged_at": received_at,
        "idempotency_key": None,
        "content_digest": None,
        "conflict_of": None,
        "redeliveries": 0,
        "deviations": len(verdict.deviations),
        "raw_sha256": raw.sha256,
        "raw_bytes": raw.size_bytes,
        "kept_bytes": 0,
        "envelope": None,
    }


def _of_push(push: Push | None) -> Values:
    job = push.job if push else None
    contents: Sequence[Content] = [document.content for document in push.documents] if push else ()
    return {
        "kind": (push.kind if push else PushKind.OTHER).value,
        "xdn": push_record.storable(job.xdn) if job else None,
        "mrn": push_record.storable(job.mrn) if job else None,
        "submit_id": push_record.storable(push.submit_id) if push else None,
        "documents": len(contents),
        "document_bytes": sum(content.size_bytes for content in contents),
    }
