"""What a request asks for in its query: read, or 400 with a sentence that says what was wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeVar

from flask import abort, request

from soapsvc.inbox.exchange import OUTCOMES
from soapsvc.inbox.exchange_log import Wanted
from soapsvc.inbox.push_id import ID_CHARS, is_push_id
from soapsvc.inbox.search_query import Filters
from soapsvc.records import PushKind, PushState
from soapsvc.rules import RULES

T = TypeVar("T")
MAX_LIMIT = 1000  # rows in one answer
MAX_CHARS = 500  # of a search
_PLACE = re.compile(r"(?:file|s?ftp|ftps|s3|mbox|maildir|imaps?):.")
_MAX_NUMBER = 2**62


@dataclass(frozen=True, slots=True)
class AskedList:
    """A page of a list.

    before   id of the last push of the page before; None: the first page
    limit    None: as many as usual
    """

    filters: Filters
    before: str | None
    limit: int | None

    def query(self, **changed: str | None) -> dict[str, str]:
        """The query of a link to the same list with something changed; None takes it away."""
        return {name: value for name, value in (asked_texts() | changed).items() if value}


@dataclass(frozen=True, slots=True)
class AskedView:
    """How a raw envelope is to be shown: raw, pretty or hex; offset: the first byte of hex, a multiple of 16."""

    view: str
    offset: int


VIEWS = ("raw", "pretty", "hex")
MAX_OFFSET = 2**40
MAX_COLUMN = 999
FILTER_NAMES = ("q", "kind", "state", "source", "account", "since", "until", "deviating", "rule")


def asked_texts(names: tuple[str, ...] = (*FILTER_NAMES, "limit")) -> dict[str, str | None]:
    """What was asked for, as it was written."""
    return {name: request.args[name] for name in names if request.args.get(name)}


def asked_list() -> AskedList:
    """?q=, kind, state, source, account, since, until, deviating, rule, before and limit."""
    before = given("before")
    if before is not None and not is_push_id(before):
        abort(400, f"before is {before!r}; wanted: the id of a push, {ID_CHARS} characters, as `next` gives it")
    filters = Filters(
        words=_short("q") or "",
        kind=_one_of("kind", {kind.value: kind for kind in PushKind}),
        state=_one_of("state", {state.value: state for state in PushState}),
        source=_source_or_place(),
        account=_short("account"),
        since=_moment("since"),
        until=_moment("until"),
        deviating=_one_of("deviating", {"yes": True, "no": False}),
        rule=_one_of("rule", {rule: rule for rule in RULES}),
    )
    return AskedList(filters, before, asked_limit() if "limit" in request.args else None)


def asked_limit(default: int = 50) -> int:
    """?limit=; 400 for what is not a number from 1 to MAX_LIMIT."""
    text = request.args.get("limit", str(default))
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT)) else 0
    if not 1 <= number <= MAX_LIMIT:
        abort(400, f"limit is {text!r}; wanted: a number from 1 to {MAX_LIMIT}")
    return number


def asked_number(name: str, most: int = _MAX_NUMBER, least: int = 1) -> int | None:
    """A number; None: it is not asked for."""
    text = request.args.get(name)
    if text is None:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else -1
    if not least <= number <= most:
        abort(400, f"{name} is {text!r}; wanted: a number from {least} to {most}")
    return number


def asked_view(usual: str) -> AskedView:
    """?view= and offset; usual: the view where none is asked for."""
    view = _one_of("view", {view: view for view in VIEWS})
    return AskedView(view or usual, (asked_number("offset", MAX_OFFSET, 0) or 0) // 16 * 16)


def asked_column() -> int:
    """?sort=: a column of a table, from 1; negative: descending; 0: none."""
    text = request.args.get("sort", "0")
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and int(digits[:9]) <= MAX_COLUMN):
        abort(400, f"sort is {text!r}; wanted: the number of a column, from 1, or with a minus: descending")
    return int(text)


def asked_reason() -> str:
    """?reason=, or the field of a form: one line; empty: none is given."""
    text = _short("reason") or ""
    if not text.isprintable():
        abort(400, "reason has characters that do not print; wanted: a line of text")
    return text


def asked_wanted() -> Wanted:
    """Which exchanges: ?source=, outcome, push, since, until."""
    push_id = given("push")
    if push_id is not None and not is_push_id(push_id):
        abort(400, f"push is {push_id!r}; wanted: the id of a push, {ID_CHARS} characters")
    return Wanted(
        asked_source(), _one_of("outcome", {one: one for one in OUTCOMES}), push_id, _moment("since"), _moment("until")
    )


def given(name: str) -> str | None:
    """A parameter of the query, or a field of a page's form; None: there is none. A form sends its empty fields too; a
    program means it."""
    text = request.values.get(name)
    if text is None or (not text.strip() and not request.path.startswith("/api/")):
        return None
    return text.strip()


def asked_source() -> IPv4Network | IPv6Network | None:
    """?source=: an address, or a range as CIDR writes it; host bits in it do no harm."""
    text = given("source")
    if text is None:
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        abort(400, f"source is {text!r}; wanted: an address or a range, such as 192.0.2.7 or 192.0.2.0/24")


def _source_or_place() -> IPv4Network | IPv6Network | str | None:
    """?source= of a list of pushes: the place of a backup, too, as intake names it."""
    text = given("source")
    if text is not None and _PLACE.match(text):
        return text
    try:
        return None if text is None else ip_network(text, strict=False)
    except ValueError:
        abort(400, f"source is {text!r}; wanted: an address or a range, such as 192.0.2.7 or 192.0.2.0/24, or the "
                   "place of a backup, such as file:///srv/backup")  # fmt: skip


def _one_of(name: str, choices: Mapping[str, T]) -> T | None:
    text = given(name)
    if text is None:
        return None
    if text not in choices:
        *others, last = choices
        wanted = f"{', '.join(others)} or {last}" if len(choices) < 10 else "one of docs/rules.md"
        abort(400, f"{name} is {text!r}; wanted: {wanted}")
    return choices[text]


def _short(name: str) -> str | None:
    text = (request.values.get(name) or "").strip()
    if len(text) > MAX_CHARS:
        abort(400, f"{name} has {len(text)} characters; wanted: at most {MAX_CHARS}")
    return text or None


def _moment(name: str) -> datetime | None:
    """A day or a moment by ISO 8601; without a zone it is UTC."""
    text = given(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter for the first and the last day that there is
        abort(400, f"{name} is {text!r}; wanted: a day or a moment, such as 2026-11-23 or 2026-11-23T12:00:00Z")
