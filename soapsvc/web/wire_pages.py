"""The wire page: what went over the public listener, request and answer."""

from __future__ import annotations

from flask import Blueprint, render_template

from soapsvc.inbox.exchange import OUTCOMES, Exchange
from soapsvc.inbox.store import InboxStore
from soapsvc.web.asked import VIEWS, asked_limit, asked_number, asked_texts, asked_view, asked_wanted
from soapsvc.web.desk import Desk, asked_exchange
from soapsvc.web.envelope_views import of_exchange
from soapsvc.web.masking import masked_headers
from soapsvc.web.raw_view import pretty_lines
from soapsvc.web.wire_forms import answer_text, curl_command

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
        return render_template(
            "exchange.html", one=one, views=VIEWS, shown=of_exchange(store, one, asked_view("pretty")),
            request_headers=masked_headers(one.http_headers), answer_headers=masked_headers(one.answer_headers),
            answer=_answer(one), curl=curl_command(one, public_url),
        )  # fmt: skip

    return wire


def _answer(one: Exchange) -> list[str]:
    return pretty_lines(one.answer_body) or answer_text(one).splitlines()
