"""The wire page: what went over the public listener, request and answer."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request, url_for

from soapsvc.errors import StoreError
from soapsvc.inbox.exchange import OUTCOMES, Exchange
from soapsvc.inbox.store import InboxStore
from soapsvc.web.api import asked_exchange
from soapsvc.web.asked import asked_limit, asked_number, asked_texts, asked_wanted
from soapsvc.web.desk import Desk
from soapsvc.web.masking import codec_of, masked_headers
from soapsvc.web.raw_view import HEX_BYTES, PRETTY_BYTES, hex_lines, pretty_lines, raw_lines
from soapsvc.web.wire_forms import answer_text, curl_command

VIEWS = ("pretty", "raw", "hex")
_NAMES = ("source", "outcome", "push", "since", "until", "limit")


def blueprint(store: InboxStore, desk: Desk, public_url: str) -> Blueprint:
    """The pages on one log."""
    wire = Blueprint("wire", __name__)

    @wire.get("/wire")
    def exchanges() -> str:
        limit, asked = asked_limit(), asked_texts(_NAMES)
        wanted, before = asked_wanted(), asked_number("before")
        found = desk.exchanges.exchanges(wanted, before=before, limit=limit + 1) if desk.exchanges else []
        return render_template(
            "wire.html", exchanges=found[:limit], older=found[limit - 1].n if len(found) > limit else None,
            asked=asked, outcomes=OUTCOMES, kept=desk.exchanges is not None, before=before,
        )  # fmt: skip

    @wire.get("/wire/<n>")
    def exchange(n: str) -> str:
        one = asked_exchange(desk, n)
        view = request.args.get("view", "pretty")
        if view not in VIEWS:
            abort(400, f"view is {view!r}; wanted: pretty, raw or hex")
        offset = (asked_number("offset", 2**40) or 0) // 16 * 16
        shown, sentence = _body(store, one, view, offset)
        raw_link = url_for("api.raw", push_id=one.push_id) if one.push_id else None
        return render_template(
            "exchange.html", one=one, view=view, views=VIEWS, shown=shown, sentence=sentence, offset=offset,
            page=HEX_BYTES, request_headers=masked_headers(one.http_headers),
            answer_headers=masked_headers(one.answer_headers), answer=_answer(one),
            curl=curl_command(one, public_url), raw_link=raw_link,
        )  # fmt: skip

    return wire


def _body(store: InboxStore, one: Exchange, view: str, offset: int) -> tuple[list[str] | None, str]:
    """Lines of the request's body, and a sentence where there are none."""
    if one.body_bytes is None:
        return None, "The body was not read: the head of the request was refused."
    if one.push_id is None:
        return None, "The body is not kept: nothing was stored of it." if one.body_bytes else "The request has no body."
    said = ""
    if one.outcome == "redelivery":
        said = "Shown as it was stored when it came first: a redelivery is not kept twice."
    try:
        with store.open_raw(one.push_id) as stream:
            head = stream.read(PRETTY_BYTES + 1)
        codec = codec_of(head[:1024], one.http_headers)
        if view == "pretty":
            lines = pretty_lines(head)
            if lines is not None:
                return lines, said
            said = "Not indented: it is not well-formed XML, or too large for that."
        with store.open_raw(one.push_id) as stream:
            if view == "hex":
                return [f"{at}  {octets:<47}  {text}" for at, octets, text in hex_lines(stream, codec, offset)], said
            return [f"{line.text}{_more(line.more)}" for line in raw_lines(stream, codec)], said
    except StoreError as error:
        return None, str(error)


def _answer(one: Exchange) -> list[str]:
    return pretty_lines(one.answer_body) or answer_text(one).splitlines()


def _more(characters: int) -> str:
    return f"… {characters} more characters" if characters else ""
