"""What can be seen of a document without taking it out: a table, text, or pages as images."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from soapsvc.errors import StoreError
from soapsvc.inbox.indexer import decoded
from soapsvc.inbox.store import InboxStore
from soapsvc.preview.page_images import KINDS, NoPageImage, PageImages
from soapsvc.records import InboxDocument

PREVIEW_BYTES = 256 * 1024
TABLE_ROWS, TABLE_COLUMNS, CELL_CHARS = 200, 40, 300
TEXT_LINES, LINE_CHARS = 200, 2000
OUTCOMES = 12  # different values that a status column has at most
PAGES = 12  # shown on the page of a push; each is an image of its own
_STATUS_WORDS = ("status", "result", "outcome", "disposition", "state")


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How often each value stands in a column that looks like a status, most frequent first.

    rows  that were counted; whole: they are all that the document has
    """

    column: str
    counts: tuple[tuple[str, int], ...]
    rows: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """One of: a table (head, rows), lines of text, pages; or a sentence that says why there is none.

    cut       there is more than is shown
    sorted_by column of the table, from 1; negative: descending; 0: as sent
    """

    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    lines: tuple[str, ...] = ()
    pages: int = 0
    outcomes: Outcomes | None = None
    cut: bool = False
    sorted_by: int = 0
    sentence: str = ""
    source: str = ""


def preview_object(one: Preview | None) -> dict[str, Any]:
    """As JSON; None: nothing of the document can be shown."""
    one = one or Preview(sentence="Nothing of a document of this type can be shown.")
    outcomes = one.outcomes
    return {
        "table": {"head": one.head, "rows": one.rows, "sorted_by": one.sorted_by} if one.head else None,
        "outcomes": outcomes and {
            "column": outcomes.column, "rows": outcomes.rows, "whole": outcomes.whole,
            "counts": [{"value": value, "rows": rows} for value, rows in outcomes.counts],
        },
        "lines": one.lines, "pages": one.pages, "cut": one.cut, "source": one.source, "sentence": one.sentence,
    }  # fmt: skip


class Previews:
    """Makes the previews of one inbox's documents."""

    def __init__(self, store: InboxStore):
        self._store, self.images = store, PageImages()

    def of(self, push_id: str, document: InboxDocument, sort: int = 0) -> Preview | None:
        """None: nothing of it can be shown. sort: column of a table, from 1; negative: descending."""
        kind = document.detected_type or ""
        if kind.startswith("text/"):
            with self._store.open_document(push_id, document.n) as stream:
                head = stream.read(PREVIEW_BYTES)
            whole = len(head) == document.size_bytes
            text = decoded(head, document)
            if kind == "text/csv":
                return _table(text, whole, sort) or _text(text, whole, kind)
            return _text(text, whole, kind)
        if kind in KINDS:
            try:
                with self._store.open_document(push_id, document.n) as stream:
                    return Preview(pages=self.images.image(stream, document.sha256, kind, 1).pages)
            except NoPageImage as no_image:
                return Preview(sentence=str(no_image))
            except StoreError as error:
                return Preview(sentence=str(error))
        return None


def _text(text: str, whole: bool, kind: str) -> Preview:
    lines = text.splitlines()
    if not whole and len(lines) > 1:
        lines.pop()  # it may be half a line
    cut = not whole or len(lines) > TEXT_LINES or any(len(line) > LINE_CHARS for line in lines[:TEXT_LINES])
    source = "HTML, shown as its source" if kind in ("text/html", "text/xml") else ""
    return Preview(lines=tuple(line[:LINE_CHARS] for line in lines[:TEXT_LINES]), cut=cut, source=source)


def _table(text: str, whole: bool, sort: int) -> Preview | None:
    """None: what is there is no table."""
    try:
        rows = [row[:TABLE_COLUMNS] for row in csv.reader(io.StringIO(text, newline=""), _dialect(text)) if row]
    except csv.Error:
        return None
    if not whole and len(rows) > 1:
        rows.pop()
    if not rows:
        return None
    head, body = tuple(cell[:CELL_CHARS] for cell in rows[0]), rows[1:]
    outcomes = _outcomes(head, body, whole)
    if sort and abs(sort) <= len(head):
        body = sorted(body, key=lambda row: _sort_key(row[abs(sort) - 1] if len(row) >= abs(sort) else ""))
        body = body[::-1] if sort < 0 else body
    else:
        sort = 0
    shown = tuple(
        tuple(cell[:CELL_CHARS] for cell in (*row, *[""] * (len(head) - len(row)))) for row in body[:TABLE_ROWS]
    )
    return Preview(head, shown, outcomes=outcomes, cut=not whole or len(body) > TABLE_ROWS, sorted_by=sort)


def _dialect(text: str) -> type[csv.Dialect]:
    """The separator that the first line has most of."""
    first = text.split("\n", 1)[0]
    separator = max(",;\t|", key=first.count)

    class Found(csv.excel):
        delimiter = separator

    return Found


def _sort_key(cell: str) -> tuple[int, float, str]:
    """Numbers by their value and before text."""
    try:
        number = float(cell)
    except ValueError:
        return (1, 0.0, cell.casefold())
    return (0, number, "") if number == number else (1, 0.0, cell)


def _outcomes(head: Sequence[str], rows: Sequence[Sequence[str]], whole: bool) -> Outcomes | None:
    """Of the first column that is named like a status and has few different values."""
    for i, name in enumerate(head):
        if not any(word in name.lower() for word in _STATUS_WORDS):
            continue
        counts = Counter(row[i].strip() or "(empty)" for row in rows if len(row) > i)
        if 0 < len(counts) <= OUTCOMES:
            shown = tuple((value[:CELL_CHARS], count) for value, count in counts.most_common())
            return Outcomes(name, shown, sum(counts.values()), whole)
    return None
