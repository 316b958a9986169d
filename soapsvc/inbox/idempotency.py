"""What makes two pushes the same push. docs/inbox.md gives the reasons; change it there too.

The key says which push a message claims to be, the push's fingerprint what it brings:

    same key, same content   a redelivery: stored once, counted
    same key, other content  a conflict: stored as a push of its own that names the first
    another key              another push
"""

from __future__ import annotations

import hashlib
import json

from soapsvc.records import Push

_encode = json.JSONEncoder(separators=(",", ":")).encode


def idempotency_key(push: Push) -> str:
    """The unique key of a push: `job-`, `processing-`, `raw-` or `drop-` and a hex SHA-256.

    job         root, XDN, MRN, submit id, and name and type of each document; where there is an MRN
    processing  root and ProcessingID; where there is no MRN
    raw         digest of the request body; where the sender gave neither: then only the same bytes are the same push
    drop        what lay at a backup without its envelope: all that it says; so a key is never in conflict
    """
    if push.arrival.origin is not None and not push.arrival.origin.is_push:
        return "drop-" + push.fingerprint
    xdn, mrn = (_trimmed(push.job.xdn), _trimmed(push.job.mrn)) if push.job else ("", "")
    processing_id = _trimmed(push.processing_id)
    if mrn:
        names = [[_trimmed(document.filename), _trimmed(document.doctype)] for document in push.documents]
        return "job-" + _digest([push.root, xdn, mrn, _trimmed(push.submit_id), names])
    if processing_id:
        return "processing-" + _digest([push.root, processing_id])
    return "raw-" + push.raw.sha256


def _trimmed(value: str | None) -> str:
    return (value or "").strip()


def _digest(value: object) -> str:
    # JSON, because lengths and quotes keep ["a", "bc"] and ["ab", "c"] apart; ASCII, so that any string has bytes
    return hashlib.sha256(_encode(value).encode("ascii")).hexdigest()
