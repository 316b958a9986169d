"""/api/v1: the inbox as JSON, and the bytes of its documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote

from flask import Blueprint, Response, abort, jsonify, request

from soapsvc.inbox.json_forms import row_object, stats_object, stored_object
from soapsvc.inbox.store import InboxStore
from soapsvc.records import PushState

MAX_LIMIT = 1000  # rows in one answer
PIECE_BYTES = 256 * 1024


def blueprint(store: InboxStore) -> Blueprint:
    """The routes below /api/v1 on one store."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")

    @api.get("/pushes")
    def pushes() -> Response:
        """Newest first. limit: 1 to 1000, 50 unless told; state: accepted or quarantined; before: an id."""
        limit, state = asked_limit(), asked_state()
        rows = list(store.rows(limit=limit, state=state, before_id=request.args.get("before")))
        after = rows[-1].id if len(rows) == limit else None
        return jsonify(pushes=[row_object(row) for row in rows], next=after)

    @api.get("/pushes/<push_id>")
    def push(push_id: str) -> Response:
        return jsonify(stored_object(store.stored(push_id)))

    @api.get("/pushes/<push_id>/documents/<int:n>")
    def document(push_id: str, n: int) -> Response:
        documents = {document.n: document for document in store.stored(push_id).row.documents}
        stream = store.open_document(push_id, n)
        found = documents[n]
        return _download(stream, found.filename or f"{push_id}-{n}", found.sha256, found.size_bytes)

    @api.get("/pushes/<push_id>/raw")
    def raw(push_id: str) -> Response:
        stored = store.stored(push_id)
        return _download(store.open_raw(push_id), f"{push_id}.xml", stored.raw_sha256, stored.row.raw_bytes)

    @api.get("/stats")
    def stats() -> Response:
        return jsonify(stats_object(store.stats()))

    return api


def asked_limit(default: int = 50) -> int:
    """?limit=, held to 1 … MAX_LIMIT; 400 for what is not a number."""
    text = request.args.get("limit", str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
        abort(400, f"limit is {text!r}; wanted: a number from 1 to {MAX_LIMIT}")
    return int(text)


def asked_state() -> PushState | None:
    """?state=; 400 for one that there is not."""
    text = request.args.get("state")
    if text is not None and text not in set(PushState):
        abort(400, f"state is {text!r}; wanted: accepted or quarantined")
    return PushState(text) if text else None


def _download(stream: BinaryIO, filename: str, sha256: str, size_bytes: int) -> Response:
    """Bytes that a sender chose: never rendered by a browser, never under a name with a path."""
    if request.if_none_match.contains(sha256):
        stream.close()
        return Response(status=304, headers={"ETag": f'"{sha256}"'})
    name = filename.replace("\\", "/").rpartition("/")[2].strip(". ") or "document"
    name = "".join(character if character.isprintable() else "_" for character in name)
    plain = "".join(character if character.isascii() and character not in '"\\%' else "_" for character in name)
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Length": str(size_bytes),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "ETag": f'"{sha256}"',
    }
    return Response(_pieces(stream), headers=headers, direct_passthrough=True)


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while piece := stream.read(PIECE_BYTES):
            yield piece
