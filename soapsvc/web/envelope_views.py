"""A raw envelope as people read it: one view of it at a time, for the page of a push, for that of an exchange and for
the API; what is a credential is masked in each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from soapsvc.errors import StoreError
from soapsvc.inbox.exchange import Exchange
from soapsvc.inbox.store import InboxStore
from soapsvc.records import StoredPush
from soapsvc.web.asked import AskedView
from soapsvc.web.masking import codec_of
from soapsvc.web.raw_view import HEX_BYTES, PRETTY_BYTES, RawLine, hex_lines, pretty_lines, raw_lines

HEAD_BYTES = 1024  # read to find out the codec
EXCERPT_LINES = 2  # before and after a line that deviates
_NOT_INDENTED = "Not indented: it is not well-formed XML, has a DTD, or is larger than 2 MiB."


@dataclass(frozen=True, slots=True)
class EnvelopeView:
    """What is shown.

    view      raw: its lines; pretty: indented; hex: offset, bytes and characters
    codec     that its text is read in; None: there is nothing to read
    lines     numbered from 1; of a long one the beginning
    offset    of the first byte of hex; previous, following: where hex has more before and after; None: it has not
    sentence  what has to be said of it, or why there are no lines; else empty
    """

    view: str
    codec: str | None
    lines: tuple[RawLine, ...]
    offset: int = 0
    previous: int | None = None
    following: int | None = None
    sentence: str = ""


def of_push(store: InboxStore, stored: StoredPush, asked: AskedView) -> EnvelopeView:
    """The envelope of a push; the lines that its verdict names are among the raw ones. Errors: StoreError."""
    named = {one.line for one in stored.verdict.deviations if one.line is not None}
    return _view(lambda: store.open_raw(stored.row.id), stored.row.raw_bytes, stored.http_headers, asked, named)


def of_exchange(store: InboxStore, one: Exchange, asked: AskedView) -> EnvelopeView:
    """The body of a request that was logged: a push has it, nothing else does."""

    def nothing(sentence: str) -> EnvelopeView:
        return EnvelopeView(asked.view, None, (), sentence=sentence)

    if one.body_bytes is None:
        return nothing("The body was not read: the head of the request was refused.")
    if not one.body_bytes:
        return nothing("The request has no body.")
    if one.push_id is None:
        return nothing("The body is not kept: nothing was stored of it.")
    said = "Shown as it was stored when it came first: a redelivery is not kept twice."
    push_id = one.push_id
    try:
        return _view(lambda: store.open_raw(push_id), one.body_bytes, one.http_headers, asked,
                     sentence=said if one.outcome == "redelivery" else "")  # fmt: skip
    except StoreError as error:
        return nothing(str(error))


def excerpts(store: InboxStore, stored: StoredPush) -> dict[int, list[RawLine]]:
    """The lines around each line that the verdict names; none where the envelope cannot be read."""
    named = {one.line for one in stored.verdict.deviations if one.line is not None}
    if not named:
        return {}
    try:
        lines = of_push(store, stored, AskedView("raw", 0)).lines
    except (StoreError, OSError):
        return {}
    return {n: [line for line in lines if abs(line.n - n) <= EXCERPT_LINES] for n in named}


def envelope_view_object(one: EnvelopeView) -> dict[str, Any]:
    """As JSON."""
    return {
        "view": one.view, "codec": one.codec, "lines": [asdict(line) for line in one.lines], "offset": one.offset,
        "previous": one.previous, "next": one.following, "sentence": one.sentence,
    }  # fmt: skip


def _view(
    opened: Callable[[], BinaryIO],
    size_bytes: int,
    http_headers: Iterable[tuple[str, str]],
    asked: AskedView,
    named: Collection[int] = (),
    sentence: str = "",
) -> EnvelopeView:
    with opened() as stream:
        head = stream.read(PRETTY_BYTES + 1 if asked.view == "pretty" else HEAD_BYTES)
    codec = codec_of(head[:HEAD_BYTES], http_headers)
    if asked.view == "pretty":
        indented = pretty_lines(head)
        if indented is not None:
            return EnvelopeView("pretty", codec, _numbered(indented), sentence=sentence)
        sentence = _NOT_INDENTED
    with opened() as stream:
        if asked.view != "hex":
            return EnvelopeView("raw", codec, tuple(raw_lines(stream, codec, named)), sentence=sentence)
        shown = _numbered(f"{at}  {octets:<47}  {text}" for at, octets, text in hex_lines(stream, codec, asked.offset))
    after = asked.offset + HEX_BYTES
    return EnvelopeView(
        "hex", codec, shown, asked.offset, max(asked.offset - HEX_BYTES, 0) if asked.offset else None,
        after if after < size_bytes else None, sentence,
    )  # fmt: skip


def _numbered(lines: Iterable[str]) -> tuple[RawLine, ...]:
    return tuple(RawLine(n, text) for n, text in enumerate(lines, 1))
