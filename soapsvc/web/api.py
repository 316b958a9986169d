"""/api/v1: the inbox as JSON, and the bytes of its documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote

from flask import Blueprint, Response, abort, jsonify, request

from soapsvc.errors import NoSuchPush
from soapsvc.inbox.json_forms import row_object, stats_object, stored_object
from soapsvc.inbox.push_id import ID_CHARS, is_push_id
from soapsvc.inbox.store import InboxStore
from soapsvc.records import InboxRow, PushState

MAX_LIMIT = 1000  # rows in one answer
MAX_NAME_BYTES = 200  # of a downloaded file; file systems take 255
PIECE_BYTES = 256 * 1024


def blueprint(store: InboxStore) -> Blueprint:
    """The routes below /api/v1 on one store."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")

    @api.get("/pushes")
    def pushes() -> Response:
        """Newest first. limit: 1 to 1000, 50 unless told; state: accepted or quarantined; before: an id."""
        rows, older = asked_rows(store)
        return jsonify(pushes=[row_object(row) for row in rows], next=older)

    @api.get("/pushes/<push_id>")
    def push(push_id: str) -> Response:
        return jsonify(stored_object(store.stored(push_id)))

    @api.get("/pushes/<push_id>/documents/<n>")
    def document(push_id: str, n: str) -> Response:
        found = {str(document.n): document for document in store.stored(push_id).row.documents}.get(n)
        if found is None:
            raise NoSuchPush(f"Push {push_id} has no document {n}.")
        stream = store.open_document(push_id, found.n)
        return _download(stream, found.filename or f"{push_id}-{n}", found.sha256, found.size_bytes)

    @api.get("/pushes/<push_id>/raw")
    def raw(push_id: str) -> Response:
        stored = store.stored(push_id)
        return _download(store.open_raw(push_id), f"{push_id}.xml", stored.raw_sha256, stored.row.raw_bytes)

    @api.get("/stats")
    def stats() -> Response:
        return jsonify(stats_object(store.stats()))

    return api


def asked_rows(store: InboxStore) -> tuple[list[InboxRow], str | None]:
    """The rows that ?limit=, ?state= and ?before= ask for, and the `before` of the page after; None: this is the last.

    400 for a value that is not one of theirs.
    """
    limit = asked_limit()
    rows = list(store.rows(limit=limit + 1, state=asked_state(), before_id=_asked_before()))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def asked_limit(default: int = 50) -> int:
    """?limit=; 400 for what is not a number from 1 to MAX_LIMIT."""
    text = request.args.get("limit", str(default))
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT)) else 0
    if not 1 <= number <= MAX_LIMIT:
        abort(400, f"limit is {text!r}; wanted: a number from 1 to {MAX_LIMIT}")
    return number


def asked_state() -> PushState | None:
    """?state=; 400 for one that there is not."""
    text = request.args.get("state")
    if text is not None and text not in set(PushState):
        abort(400, f"state is {text!r}; wanted: accepted or quarantined")
    return PushState(text) if text else None


def _asked_before() -> str | None:
    text = request.args.get("before")
    if text is not None and not is_push_id(text):
        abort(400, f"before is {text!r}; wanted: the id of a push, {ID_CHARS} characters, as `next` gives it")
    return text


def _download(stream: BinaryIO, filename: str, sha256: str, size_bytes: int) -> Response:
    """Bytes that a sender chose: never rendered by a browser, never under a name with a path."""
    if request.if_none_match.contains(sha256):
        stream.close()
        return Response(status=304, headers={"ETag": f'"{sha256}"'})
    printable = "".join(character if character.isprintable() else "_" for character in filename.replace("\\", "/"))
    last = printable.rpartition("/")[2].encode()[-MAX_NAME_BYTES:].decode("utf-8", "ignore")  # the end has the suffix
    name = last.strip(". ") or "document"
    plain = "".join(character if character.isascii() and character not in '"\\%' else "_" for character in name)
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Length": str(size_bytes),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "ETag": f'"{sha256}"',
    }
    response = Response(_pieces(stream), headers=headers, direct_passthrough=True)
    response.call_on_close(stream.close)  # nobody reads the pieces for a HEAD
    return response


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(PIECE_BYTES):
        yield piece
