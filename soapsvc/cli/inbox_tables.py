"""Stored pushes as people see them: in full where the lines are long enough, shortened on a narrow terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from soapsvc.cli.output import count, facts, moment, size, table, text
from soapsvc.delivery_records import Delivery, TargetFigures
from soapsvc.records import (
    Deviation,
    InboxDocument,
    InboxRow,
    InboxStats,
    JobId,
    Property,
    PushState,
    StoredPush,
    Verdict,
)
from soapsvc.states import CANCELLED, DEAD_LETTER, DELIVERED, FORWARDING, PENDING

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from soapsvc.web.delivery_notes import KnownTarget

_NARROW = 76  # columns from which a push fits a line
_WIDE = 110  # columns from which a list shows whole ids and file names
_ROOMY = 140  # columns from which there is room for two blanks between what a list shows
_SHORT_ID_CHARS = 6  # the end of an id is chance: 30 bits tell some 10,000 pushes apart
_SHOWN_DIGEST_CHARS = 12  # --json has them whole
_DELIVERY_STYLE = {DELIVERED: "green", DEAD_LETTER: "red", PENDING: "yellow", FORWARDING: "yellow", CANCELLED: "dim"}
_STATE_STYLE = {PushState.ACCEPTED: "green", PushState.QUARANTINED: "red"}


def list_table(rows: Sequence[InboxRow], width: int) -> Table:
    """One line a push, in lines of that many columns; two where they are short."""
    if width < _NARROW:
        return _stacked_list(rows)
    if width < _WIDE:
        return _narrow_list(rows)
    return table(
        ("id", "received", "state", "kind", "job", "documents", "dev.", "again"),
        (
            (row.id, moment(row.received_at), state(row), row.kind, job(row.job),
             _documents_and_shares(row) or "-", row.deviations or "-", row.redeliveries or "-")
            for row in rows
        ),
        gap=2 if width >= _ROOMY else 1, right=("dev.", "again"),
        whole=("id", "received", "state", "kind", "dev.", "again"),
    )  # fmt: skip


def _stacked_list(rows: Sequence[InboxRow]) -> Table:
    return table(
        ("id and state\n  received (UTC), kind, job, documents",),
        (
            ((text(f"{row.id} ").append_text(state(row)),
              f"  {_short_moment(row.received_at)} {row.kind or '-'} {job(row.job)} "
              f"{_documents_in_short(row.documents)}"),)
            for row in rows
        ),
    )  # fmt: skip


def _narrow_list(rows: Sequence[InboxRow]) -> Table:
    return table(
        ("id ends", "received (UTC)", "state", "kind", "job", "documents", "dev.", "again"),
        (
            (row.id[-_SHORT_ID_CHARS:], _short_moment(row.received_at), state(row), row.kind, job(row.job),
             _documents_in_short(row.documents), row.deviations or "-", row.redeliveries or "-")
            for row in rows
        ),
        right=("documents", "dev.", "again"), gap=1,
        whole=("id ends", "received (UTC)", "state", "kind", "documents", "dev.", "again"),
    )  # fmt: skip


def quarantine_page(pushes: Iterable[StoredPush]) -> Iterator[Table | Text | str]:
    """Each push with its deviations."""
    for push in pushes:
        yield text(f"{push.row.id}  {moment(push.row.received_at)}  from {push.row.source_ip}, "
                   f"{size(push.row.raw_bytes)}", "bold")  # fmt: skip
        yield deviations(push.verdict.deviations, push.verdict.refused_for)
        yield ""


def push_page(push: StoredPush) -> Iterator[Table | Text | str]:
    """One push in full."""
    row, verdict = push.row, push.verdict
    yield facts(
        (
            ("id", row.id),
            ("received", f"{moment(row.received_at)} from {row.source_ip}"),
            *_came_from(row),
            ("state", f"{row.state}, in conflict with {row.conflict_of}" if row.conflict_of else state(row)),
            ("kind", row.kind),
            ("job", job(row.job)),
            ("submit id", push.submit_id),
            ("status code", push.status_code),
            ("processing id", push.processing_id),
            ("message", push.root),
            ("raw envelope", f"{size(row.raw_bytes)}, sha256 {push.raw_sha256}"),
            ("redeliveries", ", ".join(f"{moment(at)} from {ip}" for at, ip in push.arrivals) or row.redeliveries),
            ("judged", f"{moment(push.judged_at)} {_by(verdict)}"),
            *([("held", f"since {moment(push.held.at)}: {push.held.reason}")] if push.held else []),
        )
    )
    yield from _section(
        "deviations",
        deviations(verdict.deviations, verdict.refused_for) if verdict.deviations else text("none", "green"),
    )
    for at, earlier in push.history:
        yield from _section(
            f"earlier verdict: {moment(at)} {_by(earlier)}", deviations(earlier.deviations, earlier.refused_for)
        )
    if row.documents:
        yield from _section("documents", _documents(row.documents))
    if push.deliveries:
        yield from _section("deliveries", deliveries_table(push.deliveries))
    if push.properties:
        yield from _section("properties", _properties(push.properties))
    if push.header_blocks:
        yield from _section("header blocks", facts(push.header_blocks.items()))
    if push.http_headers:
        yield from _section("HTTP headers", facts(push.http_headers))


def stats_table(stats: InboxStats) -> Table:
    """What the inbox holds."""
    return facts(
        (
            ("accepted", f"{stats.accepted}, with {count(stats.documents, 'document')} "
                         f"of {size(stats.document_bytes)}"),
            ("quarantined", f"{stats.quarantined}, {size(stats.quarantine_bytes)}"),
            ("redeliveries", stats.redeliveries),
            ("conflicts", stats.conflicts),
            ("oldest", moment(stats.oldest_received_at)),
            ("newest", moment(stats.newest_received_at)),
            ("free on its disk", size(stats.free_bytes)),
            *((f"target {one.name}", _standing(one)) for one in stats.targets),
        )
    )  # fmt: skip


def deliveries_table(deliveries: Sequence[Delivery]) -> Table:
    """Each target with its state, and a line for each attempt."""
    rows: list[tuple[object, ...]] = []
    for one in deliveries:
        until = f"until {moment(one.due_at)}" if one.state is FORWARDING else f"next {moment(one.due_at)}"
        rows.append(
            (one.target, text(one.state, _DELIVERY_STYLE[one.state]), one.attempts, until if one.due_at else "-", "")
        )
        rows += [("", "", tried.n, moment(tried.at), f"{tried.outcome}: {tried.said}") for tried in one.tried]
    return table(("target", "state", "attempts", "when", "what was said"), rows, right=("attempts",),
                 whole=("target", "state", "attempts", "when"))  # fmt: skip


def targets_table(targets: Sequence[KnownTarget]) -> Table:
    """One line a target."""
    return table(
        ("target", "pending", "under way", "dead", "delivered", "failed attempts", "oldest waiting", "note"),
        (
            (one.name, one.pending, one.forwarding, text(one.dead, "red" if one.dead else ""), one.delivered,
             one.failed_attempts, moment(one.oldest_at), known.note or "-")
            for known in targets
            for one in (known.figures,)
        ),
        right=("pending", "under way", "dead", "delivered", "failed attempts"),
        whole=("target", "pending", "under way", "dead", "delivered", "failed attempts", "oldest waiting"),
    )  # fmt: skip


def _standing(one: TargetFigures) -> str:
    paused = ", paused" if one.paused_at else ""
    return f"{one.pending + one.forwarding} to deliver, {one.dead} dead, {one.delivered} delivered{paused}"


def deviations(found: Sequence[Deviation], refused_for: Sequence[Deviation]) -> Table:
    """What differs, where, and what would be right; in red what made it a refusal."""
    made = facts(())
    made.add_column(overflow="fold")
    for one in found:
        line = "where" if one.line is None else f"line {one.line}"
        made.add_row(text(one.rule, "red" if one in refused_for else "yellow"), text(line, "dim"),
                     text(one.path or "the whole message"))  # fmt: skip
        made.add_row("", text("found", "dim"), text(one.found))
        made.add_row("", text("wanted", "dim"), text(one.wanted))
    return made


def state(row: InboxRow) -> Text:
    """The state; "conflict" for an accepted push whose key came before with other content."""
    if row.conflict_of:
        return text("conflict", "yellow")
    return text(row.state, _STATE_STYLE[row.state])


def _came_from(row: InboxRow) -> Iterator[tuple[str, str]]:
    """Of what did not come by push: what lay where; and the pushes that have a document of the same bytes."""
    if row.origin is not None:
        as_what = "with its envelope" if row.origin.is_push else f"not by push: {row.origin.form} without its envelope"
        yield "taken in", f"{row.origin.name} at {row.origin.source}, put there {moment(row.origin.at)}, {as_what}"
    for one in row.shares:
        yield "same report" if one.same_report else "same document", one.push_id


def _documents_and_shares(row: InboxRow) -> tuple[str, ...]:
    told: tuple[str, ...] = () if row.origin is None else (f"from {row.origin.source}",)
    told += tuple(f"{'same report as' if one.same_report else 'shares with'} {one.push_id}" for one in row.shares)
    return (*map(document, row.documents), *told)


def job(job_id: JobId | None) -> str:
    """XDN:MRN, as --job takes it."""
    return "-" if job_id is None else f"{job_id.xdn or ''}:{job_id.mrn or ''}"


def document(one: InboxDocument) -> str:
    """File name and size in a line."""
    return f"{one.filename or '(no name)'}, {size(one.size_bytes)}"


def _documents(documents: Sequence[InboxDocument]) -> Table:
    return table(
        ("n", "file name", "type", "detected", "charset", "came as", "size", "sha256 begins"),
        (
            (one.n, one.filename, one.doctype, one.detected_type, one.charset, one.encoding, size(one.size_bytes),
             one.sha256[:_SHOWN_DIGEST_CHARS])
            for one in documents
        ),
        right=("n", "size"), whole=("n", "size", "sha256 begins"),
    )  # fmt: skip


def _properties(properties: Sequence[Property]) -> Table:
    return table(
        ("name", "value", "time", "segment"),
        (
            (one.name if one.name == one.sent_name else f"{one.name} (sent as {one.sent_name})", one.value,
             moment(one.at), one.segment)
            for one in properties
        ),
    )  # fmt: skip


def _by(verdict: Verdict) -> str:
    return f"{verdict.conformance}, by the contract {verdict.contract_sha256}"


def _section(title: str, content: Table | Text | str) -> Iterator[Table | Text | str]:
    yield ""
    yield text(title, "bold underline")
    yield content


def _documents_in_short(documents: Sequence[InboxDocument]) -> str:
    if not documents:
        return "-"
    return f"{len(documents)}, {size(sum(one.size_bytes for one in documents))}"


def _short_moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%m-%d %H:%M:%S}"
