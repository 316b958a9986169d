"""A stored push as a target is handed it."""

from __future__ import annotations

from functools import partial

from soapsvc.inbox.json_forms import stored_object
from soapsvc.inbox.store import InboxStore
from soapsvc.targets.target import OutgoingDocument, OutgoingPush

OURS = frozenset({"deliveries", "held"})
"""What of the record is nobody else's business: where else a push goes, and why it is kept."""


def outgoing_push(store: InboxStore, push_id: str, *, is_repeat: bool = False) -> OutgoingPush:
    """The push with its documents to be opened. Errors: NoSuchPush, StoreUnavailable."""
    stored = store.stored(push_id)
    row = stored.row
    return OutgoingPush(
        id=push_id,
        received_at=row.received_at,
        kind=row.kind,
        job=row.job,
        properties=stored.properties,
        documents=tuple(
            OutgoingDocument(
                n=one.n,
                filename=one.filename,
                doctype=one.doctype,
                detected_type=one.detected_type,
                charset=one.charset,
                size_bytes=one.size_bytes,
                sha256=one.sha256,
                open=partial(store.open_document, push_id, one.n),
            )
            for one in row.documents
        ),
        record={name: value for name, value in stored_object(stored).items() if name not in OURS},
        open_raw=partial(store.open_raw, push_id),
        is_repeat=is_repeat,
    )
