"""What came from a backup without its envelope, beside what was pushed: which of it is the same report.

A drop has no key that a push could have, and its content digest is another. It is the same report as a push when the
push says all that the drop says: the same job with domain and number, the same documents in number, order, name and
bytes, and each property with its value. Then nothing would be lost were there the push alone. A drop that says less (no
job) or other things is only told to share a document.

Pushes have no index by document: it would cost each of them, and drops are few. So pushes are looked through from
WINDOW before a drop's arrival to WINDOW after it: a sender turns to its backup within a day or two.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from soapsvc.inbox import push_record
from soapsvc.inbox.push_id import first_id_of
from soapsvc.inbox.push_rows import NewPush
from soapsvc.inbox.tables import CONTENTS, DROP_DOCUMENTS, PUSHES
from soapsvc.records import InboxRow, Property, PushState, Shared

WINDOW = timedelta(days=7)
OF_EMAIL = "email"
"""Segment of what an email's own header says: of the email, not of the report."""
_AT_ONCE = 400  # digests or ids in one statement
_SAYING = (PUSHES.c.id, PUSHES.c.received_at, PUSHES.c.xdn, PUSHES.c.mrn, PUSHES.c.record)


def same_report(connection: Connection, new: NewPush) -> str | None:
    """The stored push with an envelope that says all that this drop says; the oldest of several."""
    if not new.drop or not (new.push["xdn"] and new.push["mrn"]):
        return None
    found = _holding(connection, new.drop[:1], [new.push["received_at"]])
    for other in sorted(_saying(connection, {push_id for _, push_id in found}), key=lambda row: str(row["id"])):
        record = push_record.unpack(other["record"])
        if _is_push(record) and _says_all(other, record, new.push, push_record.unpack(new.push["record"])):
            return str(other["id"])
    return None


def with_shares(connection: Connection, rows: list[InboxRow]) -> list[InboxRow]:
    """The rows of a list, each with the pushes that share a document with it (`Shared`)."""
    accepted = [row for row in rows if row.state is PushState.ACCEPTED and _digests(row)]
    if not accepted or connection.execute(select(DROP_DOCUMENTS.c.push_id).limit(1)).first() is None:
        return rows
    holders: dict[str, set[str]] = defaultdict(set)
    for sha256, push_id in _dropped(connection, {one for row in accepted for one in _digests(row)}):
        holders[sha256].add(push_id)
    drops = [row for row in accepted if _is_drop(row)]
    found = _holding(connection, {one for row in drops for one in _digests(row)}, [row.received_at for row in drops])
    by_digest: dict[str, set[str]] = defaultdict(set)
    for sha256, push_id in found:
        by_digest[sha256].add(push_id)
    others = {
        row.id: {other for one in _digests(row) for other in (by_digest if _is_drop(row) else holders)[one]} - {row.id}
        for row in accepted
    }
    wanted = {push_id for row in accepted if others[row.id] for push_id in (row.id, *others[row.id])}
    saying = {str(row["id"]): (row, push_record.unpack(row["record"])) for row in _saying(connection, wanted)}
    return [replace(row, shares=_shares(row.id, others.get(row.id, ()), saying)) for row in rows]


def _shares(push_id: str, others: Iterable[str], saying: dict[str, tuple[RowMapping, Any]]) -> tuple[Shared, ...]:
    shares = []
    for other in sorted(set(others) & saying.keys()):
        (one, its), (two, other_s) = saying[push_id], saying[other]
        if _is_push(its) == _is_push(other_s):
            same = False  # two drops that are the same were one; two pushes have keys
        elif _is_push(its):
            same = _says_all(one, its, two, other_s)
        else:
            same = _says_all(two, other_s, one, its)
        shares.append(Shared(other, same))
    return tuple(shares)


def _says_all(push: Any, its: Any, drop: Any, of_drop: Any) -> bool:
    job = (drop["xdn"], drop["mrn"])
    if not all(job) or (_trimmed(push["xdn"]), _trimmed(push["mrn"])) != tuple(map(_trimmed, job)):
        return False
    if _names(its) != _names(of_drop):
        return False
    said = {(one.name, one.value.strip()) for one in push_record.properties_of(its)}
    return all((one.name, one.value.strip()) in said for one in _of_the_report(push_record.properties_of(of_drop)))


def _of_the_report(properties: Sequence[Property]) -> list[Property]:
    return [one for one in properties if one.segment != OF_EMAIL]


def _names(record: Any) -> list[tuple[str, str]]:
    return [(_trimmed(one.filename).rpartition("/")[2], one.sha256) for one in push_record.documents_of(record)]


def _is_push(record: Any) -> bool:
    origin = push_record.origin_of(record)
    return origin is None or origin.is_push


def _is_drop(row: InboxRow) -> bool:
    return row.origin is not None and not row.origin.is_push


def _digests(row: InboxRow) -> list[str]:
    return [document.sha256 for document in row.documents if document.size_bytes]  # nothing is in many of them


def _trimmed(value: str | None) -> str:
    return (value or "").strip()


def _dropped(connection: Connection, digests: Iterable[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for chosen in _cut(digests):
        query = select(DROP_DOCUMENTS.c.sha256, DROP_DOCUMENTS.c.push_id)
        found += [
            (row.sha256, row.push_id) for row in connection.execute(query.where(DROP_DOCUMENTS.c.sha256.in_(chosen)))
        ]
    return found


def _holding(connection: Connection, digests: Iterable[str], around: Sequence[datetime]) -> list[tuple[str, str]]:
    """Digest and id of each push that has such a document and arrived near one of the times."""
    found: list[tuple[str, str]] = []
    if not around:
        return found
    begin, end = first_id_of(min(around) - WINDOW), first_id_of(max(around) + WINDOW)
    for chosen in _cut(digests):
        query = select(CONTENTS.c.sha256, CONTENTS.c.push_id).where(
            CONTENTS.c.push_id >= begin, CONTENTS.c.push_id < end, CONTENTS.c.n > 0, CONTENTS.c.sha256.in_(chosen)
        )
        found += [(row.sha256, row.push_id) for row in connection.execute(query)]
    return found


def _saying(connection: Connection, ids: Iterable[str]) -> list[RowMapping]:
    rows: list[RowMapping] = []
    for chosen in _cut(ids):
        query = select(*_SAYING).where(PUSHES.c.id.in_(chosen), PUSHES.c.state == PushState.ACCEPTED.value)
        rows += connection.execute(query).mappings()
    return rows


def _cut(values: Iterable[str]) -> Iterable[list[str]]:
    every = sorted(set(values))
    return [every[begin : begin + _AT_ONCE] for begin in range(0, len(every), _AT_ONCE)]
