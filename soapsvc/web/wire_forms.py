"""Exchanges as programs read them: JSON, HAR 1.2, a curl command; what is a credential is masked in all of them."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from soapsvc import __version__
from soapsvc.inbox.exchange import Exchange
from soapsvc.inbox.json_forms import time_text
from soapsvc.web.masking import codec_of, masked, masked_headers

Object = dict[str, Any]
BodyOf = Callable[[Exchange], bytes | None]
"""The bytes of a request's body; None: it is not kept."""
HAR_BODY_BYTES = 1024 * 1024  # of one body in an export; a larger one is left out, and the entry says so
HAR_BYTES = 32 * 1024 * 1024  # of all bodies in an export


def exchange_object(one: Exchange) -> Object:
    """As a list shows it."""
    return {
        "n": one.n, "at": time_text(one.at), "source_ip": one.source_ip, "peer": one.peer, "method": one.method,
        "target": one.target, "outcome": one.outcome, "status": one.status,
        "milliseconds": round(one.milliseconds, 3), "body_bytes": one.body_bytes, "push_id": one.push_id,
        "answer_bytes": one.answer_bytes,
    }  # fmt: skip


def stored_exchange_object(one: Exchange, public_url: str) -> Object:
    """In full. public_url: of the receiver, for the command."""
    return exchange_object(one) | {
        "request_line": one.request_line,
        "http_headers": [list(pair) for pair in masked_headers(one.http_headers)],
        "tls": [list(pair) for pair in one.tls_facts],
        "answer_headers": [list(pair) for pair in masked_headers(one.answer_headers)],
        "answer_body": answer_text(one),
        "stages": [{"stage": name, "milliseconds": taken} for name, taken in one.stages],
        "curl": curl_command(one, public_url),
    }


def answer_text(one: Exchange) -> str:
    """What was answered, as text."""
    return masked(one.answer_body.decode(codec_of(one.answer_body, one.answer_headers), "replace"))


def har(exchanges: Iterable[Exchange], public_url: str, body_of: BodyOf) -> Object:
    """HTTP Archive 1.2, oldest first. public_url: of the receiver, for the addresses."""
    entries, left = [], HAR_BYTES
    for one in sorted(exchanges, key=lambda one: one.n):
        body = body_of(one) if left > 0 else None
        left -= len(body or b"")
        entries.append(_entry(one, public_url, body))
    return {"log": {"version": "1.2", "creator": {"name": "soapsvc", "version": __version__}, "entries": entries}}


def curl_command(one: Exchange, public_url: str) -> str | None:
    """A command that sends the same request; its body is the raw envelope, downloaded first. None: it was no request
    that curl could send."""
    if not one.method.isalpha():
        return None
    words = ["curl", "--include"]
    if one.method not in ("GET", "POST"):
        words += ["--request", one.method]
    for name, value in masked_headers(one.http_headers):
        if name.lower() not in ("host", "content-length", "connection", "accept-encoding", "expect"):
            words += ["--header", f"{name}: {value}"]
    if one.method == "POST":
        words += ["--data-binary", f"@{one.push_id}.xml" if one.push_id else "@envelope.xml"]
    return shlex.join([*words, url_of(one, public_url)])


def url_of(one: Exchange, public_url: str) -> str:
    """Of the request, at the receiver's own address."""
    parts = urlsplit(public_url)
    return f"{parts.scheme}://{parts.netloc}{one.target}"


def _entry(one: Exchange, public_url: str, body: bytes | None) -> Object:
    url = url_of(one, public_url)
    version = one.request_line.rpartition(" ")[2]
    request: Object = {
        "method": one.method, "url": url, "httpVersion": version, "cookies": [],
        "headers": _named(masked_headers(one.http_headers)),
        "queryString": _named(parse_qsl(urlsplit(url).query, keep_blank_values=True)), "headersSize": -1,
        "bodySize": -1 if one.body_bytes is None else one.body_bytes,
    }  # fmt: skip
    if body is not None:
        media_type = next((value for name, value in one.http_headers if name.lower() == "content-type"), "")
        request["postData"] = {"mimeType": media_type, "params": [], **_body_text(body, one.http_headers)}
    elif one.body_bytes:
        request["comment"] = "the body is not kept, or too large for an export"
    answer_type = next((value for name, value in one.answer_headers if name.lower() == "content-type"), "")
    stages = dict(one.stages)
    return {
        "startedDateTime": time_text(one.at - timedelta(milliseconds=one.milliseconds)),
        "time": round(one.milliseconds, 3),
        "request": request,
        "response": {
            "status": one.status, "statusText": "", "httpVersion": version, "cookies": [],
            "headers": _named(masked_headers(one.answer_headers)),
            "content": {"size": one.answer_bytes, "mimeType": answer_type, "text": answer_text(one)},
            "redirectURL": "", "headersSize": -1, "bodySize": one.answer_bytes,
        },
        "cache": {},
        "timings": {"send": 0, "wait": round(one.milliseconds, 3), "receive": 0},
        "comment": f"soapsvc exchange {one.n}: {one.outcome}"
        + "".join(f", {name} {taken} ms" for name, taken in stages.items())
        + (f", push {one.push_id}" if one.push_id else ""),
    }  # fmt: skip


def _body_text(body: bytes, http_headers: Sequence[tuple[str, str]]) -> Object:
    """HAR has text alone; what is none in the charset that was sent goes as base64, and says so in a comment."""
    codec = codec_of(body, http_headers)
    try:
        return {"text": masked(body.decode(codec))}
    except UnicodeDecodeError:
        shown = masked(body.decode("latin-1"), keep_length=True).encode("latin-1")
        return {
            "text": base64.b64encode(shown).decode(),
            "comment": "base64 of bytes that are no text in their charset",
        }


def _named(pairs: Iterable[tuple[str, str]]) -> list[Object]:
    return [{"name": name, "value": value} for name, value in pairs]
