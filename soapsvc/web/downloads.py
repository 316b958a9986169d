"""Bytes that somebody else chose: never rendered by a browser, never under a name with a path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote

from flask import Response, request

MAX_NAME_BYTES = 200  # of a downloaded file; file systems take 255
PIECE_BYTES = 256 * 1024
SANDBOX = "sandbox; default-src 'none'"


def download(stream: BinaryIO, filename: str, sha256: str, size_bytes: int) -> Response:
    """An attachment with its digest as ETag; 304 where the browser has it."""
    if request.if_none_match.contains(sha256):
        stream.close()
        return Response(status=304, headers={"ETag": f'"{sha256}"'})
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": attachment(filename),
        "Content-Length": str(size_bytes),
        "Content-Security-Policy": SANDBOX,
        "ETag": f'"{sha256}"',
    }
    response = Response(_pieces(stream), headers=headers, direct_passthrough=True)
    response.call_on_close(stream.close)  # nobody reads the pieces for a HEAD
    return response


def attachment(filename: str) -> str:
    """Content-Disposition with a safe form of the name (RFC 6266)."""
    printable = "".join(character if character.isprintable() else "_" for character in filename.replace("\\", "/"))
    last = printable.rpartition("/")[2].encode("utf-8", "replace")[-MAX_NAME_BYTES:].decode("utf-8", "ignore")
    name = last.strip(". ") or "document"  # the end of a name that was cut has the suffix
    plain = "".join(character if character.isascii() and character not in '"\\%' else "_" for character in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(PIECE_BYTES):
        yield piece
