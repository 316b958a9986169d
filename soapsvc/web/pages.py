"""The pages that people look at: the inbox, and one push."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from flask import Blueprint, render_template, request

from soapsvc.inbox.store import InboxStore
from soapsvc.records import InboxDocument, PushState
from soapsvc.rules import RULES
from soapsvc.web.api import asked_limit, asked_rows, asked_state

PREVIEW_BYTES = 8 * 1024
PREVIEW_LINES = 12
_TEXT_TYPES = ("text/",)


@dataclass(frozen=True, slots=True)
class Preview:
    """The first lines of a document: rows of cells where it is CSV, else lines. cut: there is more."""

    rows: list[list[str]]
    lines: list[str]
    cut: bool


def blueprint(store: InboxStore, push_url: str) -> Blueprint:
    """The pages on one store.

    push_url  where pushes go, shown while there are none
    """
    pages = Blueprint("pages", __name__)
    pages.add_app_template_filter(_size, "size")
    pages.add_app_template_filter(lambda at: f"{at:%Y-%m-%d %H:%M:%S}Z", "moment")

    @pages.get("/")
    def inbox() -> str:
        rows, older = asked_rows(store)
        return render_template(
            "inbox.html", rows=rows, older=older, stats=store.stats(), state=asked_state(), states=PushState,
            limit=asked_limit() if "limit" in request.args else None, before=request.args.get("before"),
            push_url=push_url,
        )  # fmt: skip

    @pages.get("/pushes/<push_id>")
    def push(push_id: str) -> str:
        stored = store.stored(push_id)
        kept = stored.row.documents if stored.row.state is PushState.ACCEPTED else ()
        previews = {document.n: _preview(store, push_id, document) for document in kept}
        return render_template("push.html", stored=stored, row=stored.row, rules=RULES, previews=previews)

    return pages


def _preview(store: InboxStore, push_id: str, document: InboxDocument) -> Preview | None:
    """None: it is no text, or its charset is not known."""
    if document.detected_type is None or not document.detected_type.startswith(_TEXT_TYPES):
        return None
    with store.open_document(push_id, document.n) as stream:
        head = stream.read(PREVIEW_BYTES)
    try:
        charset = document.charset if document.encoding == "base64" else None  # a text that was sent as text is UTF-8
        text = head.decode(charset or "utf-8", "replace").removeprefix("\ufeff")
    except (LookupError, ValueError):  # some of Python's codecs are for other things than text, and cannot replace
        return None
    lines = text.splitlines()
    cut = len(head) < document.size_bytes or len(lines) > PREVIEW_LINES
    lines = lines[:PREVIEW_LINES]
    if document.detected_type == "text/csv":
        return Preview(list(csv.reader(io.StringIO("\n".join(lines)))), [], cut)
    return Preview([], lines, cut)


def _size(size_bytes: int) -> str:
    amount = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{size_bytes} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
