"""The pages that people look at: the inbox, and one push with its verdict, documents and raw envelope."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint, render_template, request

from soapsvc.delivery_settings import DeliverySettings
from soapsvc.inbox.store import InboxStore
from soapsvc.records import Deviation, InboxRow, PushKind, PushState, StoredPush
from soapsvc.rules import RULES, Stage
from soapsvc.states import DeliveryState
from soapsvc.web.actions import said_outcome
from soapsvc.web.asked import FILTER_NAMES, VIEWS, asked_list, asked_number, asked_texts, asked_view
from soapsvc.web.charts import bar
from soapsvc.web.delivery_notes import known_targets
from soapsvc.web.desk import Desk
from soapsvc.web.envelope_views import excerpts, of_push
from soapsvc.web.listing import listing, offered
from soapsvc.web.previews import PAGES, Preview, Previews

DEVIATIONS_SHOWN = 200  # each with the lines around it; a verdict has up to a thousand
DELIVERY_BADGES = {  # state to class of its badge
    DeliveryState.PENDING: "",
    DeliveryState.FORWARDING: "",
    DeliveryState.DELIVERED: "accepted",
    DeliveryState.DEAD_LETTER: "quarantined",
    DeliveryState.CANCELLED: "warn",
}


def blueprint(
    store: InboxStore, desk: Desk, previews: Previews, push_url: str, entries: Sequence[DeliverySettings]
) -> Blueprint:
    """The pages on one store.

    push_url  where pushes go, shown while there are none
    entries   of the settings: what is delivered where
    """
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def inbox() -> str:
        asked = asked_list()
        found = listing(store, desk.index, asked)
        return render_template(
            "inbox.html", rows=found.rows, older=found.older, asked=asked, stats=store.stats(),
            filters=asked_texts(FILTER_NAMES), kinds=PushKind, states=PushState, push_url=push_url,
            facets=offered(desk.index), newest=_newest(store),
            filter_links=_filter_links(asked.query),
        )  # fmt: skip

    @pages.get("/pushes/<push_id>")
    def push(push_id: str) -> str:
        stored = store.stored(push_id)
        delivered = stored.row.state is PushState.ACCEPTED and (entries or stored.deliveries)
        targets = known_targets(entries, store.outbox.figures()) if delivered else []
        return render_template(
            "push.html", stored=stored, row=stored.row, rules=RULES, page_limit=PAGES,
            excerpts=excerpts(store, stored), previews=_previews(stored.row), doubted=_doubted(stored),
            said=said_outcome(), exchanges=desk.exchanges is not None, may_judge=desk.judge_again is not None,
            delivery_badges=DELIVERY_BADGES, most_deviations=DEVIATIONS_SHOWN,
            targets=targets, notes={one.figures.name: one.note for one in targets},
            deliveries={one.target: one for one in stored.deliveries},
        )  # fmt: skip

    @pages.get("/pushes/<push_id>/raw")
    def raw(push_id: str) -> str:
        stored = store.stored(push_id)
        return render_template(
            "raw.html", stored=stored, row=stored.row, views=VIEWS, named=_by_line(stored),
            shown=of_push(store, stored, asked_view("raw")),
        )  # fmt: skip

    @pages.get("/rules")
    def rules() -> str:
        return render_template("rules.html", rules=RULES.values(), stages=Stage)

    def _previews(row: InboxRow) -> dict[int, Preview | None]:
        if row.state is not PushState.ACCEPTED:
            return {}
        sorted_n, sort = asked_number("document", 1_000_000), request.args.get("sort", "")
        column = int(sort) if sort.lstrip("-").isdigit() and len(sort) < 5 and sort.isascii() else 0
        return {
            document.n: previews.of(row.id, document, column if document.n == sorted_n else 0)
            for document in row.documents[:20]
        }

    return pages


def add_filters(add: Callable[[Callable[..., object], str], object]) -> None:
    """What the templates write with."""
    add(size, "size")
    add(lambda at: f"{at:%Y-%m-%d %H:%M:%S}Z", "moment")
    add(duration, "duration")
    add(cut, "cut")
    add(lambda outcomes: bar(
        [(f"{value}: {count}", count, f"part{i % 6}") for i, (value, count) in enumerate(outcomes.counts)],
        f"{outcomes.column}: " + ", ".join(f"{value} {count}" for value, count in outcomes.counts),
    ), "outcome_bar")  # fmt: skip


def size(size_bytes: int | None) -> str:
    """Bytes in the largest unit that has a whole number of them; "–" where it is not known."""
    if size_bytes is None:
        return "–"
    amount = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{size_bytes} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def cut(text: str, most: int = 300) -> str:
    """Its beginning: a sender may fill a value with a megabyte, and a list shows fifty. The API tells the whole."""
    return text if len(text) <= most else f"{text[:most]}… {len(text) - most} more characters"


def duration(seconds: float) -> str:
    """In the largest unit: 42 s, 5 min, 3 h, 12 days."""
    for unit, least in (("days", 86400 * 2), ("h", 3600), ("min", 60)):
        if seconds >= least:
            return f"{int(seconds // {'days': 86400, 'h': 3600, 'min': 60}[unit])} {unit}"
    return f"{max(0, int(seconds))} s"


def _newest(store: InboxStore) -> str:
    return next((row.id for row in store.rows(limit=1)), "")


def _filter_links(query: Callable[..., dict[str, str]]) -> list[tuple[str, list[tuple[str, dict[str, str], bool]]]]:
    """Groups of links: label, and for each the text, the query and whether it holds now."""
    now = asked_texts(FILTER_NAMES)
    groups = []
    for name, choices in (
        ("state", [(state.value, state.value) for state in PushState]),
        ("kind", [(kind.value, kind.value) for kind in PushKind]),
        ("deviating", [("yes", "deviating"), ("no", "without deviations")]),
    ):
        links = [("all", query(**{name: None}), name not in now)]
        links += [(text, query(**{name: value}), now.get(name) == value) for value, text in choices]
        groups.append((name, links))
    return groups


def _doubted(stored: StoredPush) -> list[Deviation]:
    """What it was refused for first, then the rest, each in its order."""
    return sorted(stored.verdict.deviations, key=lambda one: one not in stored.verdict.refused_for)


def _by_line(stored: StoredPush) -> dict[int, list[Deviation]]:
    named: dict[int, list[Deviation]] = {}
    for deviation in stored.verdict.deviations:
        if deviation.line is not None:
            named.setdefault(deviation.line, []).append(deviation)
    return named
