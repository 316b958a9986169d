"""What the inbox holds, as the traffic that contracts are held against, and what was learned of it as an object."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any, BinaryIO

from soapsvc.contract.proposal import Learned
from soapsvc.contract.traffic import Case, RawPush
from soapsvc.errors import NoSuchPush
from soapsvc.inbox.store import InboxStore


def raw_pushes(store: InboxStore, newest: int | None = None, most_bytes: int | None = None) -> Iterator[RawPush]:
    """The pushes of the store, the oldest first, without what came from a backup as a bare document.

    newest      so many at most, the newest; None: all
    most_bytes  of these no more than have so many bytes in all, the newest first; None: all
    """
    rows, left = [], most_bytes
    for row in store.rows(limit=newest):
        if row.origin is not None and not row.origin.is_push:
            continue
        if left is not None:
            left -= row.raw_bytes
            if left < 0:
                break
        rows.append(row.id)
    for push_id in reversed(rows):
        try:
            stored = store.stored(push_id)
        except NoSuchPush:  # the receiver has put it out meanwhile to make room
            continue
        named = (value for name, value in stored.http_headers if name.lower() == "content-type")
        yield RawPush(push_id, partial(_raw, store, push_id), next(named, None))


def learned_object(learned: Learned, most: int | None = None) -> dict[str, Any]:
    """For programs. most: deviations told of one construct, and of what is left; None: all."""
    left = [(push, case) for case in learned.rest.cases.values() for push in case.pushes]
    return {
        "contract": {"file": str(learned.contract.path), "sha256": learned.contract.sha256},
        "pushes": len(learned.seen.judged),
        "left_out": len(learned.seen.left_out),
        "constructs": [
            {
                "where": one.where,
                "line": one.line,
                "mark": one.mark,
                "outcome": one.outcome,
                "pushes": list(one.pushes),
                "count": one.count,
                "deviations": [_case_object(case) for case in one.cases[:most]],
            }
            for one in learned.constructs
        ],
        "edits": [
            {"where": one.where, "line": one.line, "what": one.what, "rule": one.rule, "pushes": list(one.pushes),
             "count": one.count}
            for one in learned.edits
        ],
        "left": [{"id": push, "rule": case.rule, "path": case.path} for push, case in left[:most]],
    }  # fmt: skip


def _case_object(case: Case) -> dict[str, Any]:
    return {"rule": case.rule, "path": case.path, "count": case.count}


def _raw(store: InboxStore, push_id: str) -> closing[BinaryIO]:
    return closing(store.open_raw(push_id))
