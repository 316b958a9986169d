"""The text of documents that did not decode, as it was sent: read from the raw envelope once more, for those alone."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

from soapsvc.spool import Content, Sink, Spool
from soapsvc.wire.envelope_target import Limits, push_parser


def copy_texts(utf8: Iterable[bytes], ordinals: Set[int], spool: Spool, limits: Limits) -> dict[int, Content]:
    """The character data directly in some elements of a message that is known to be well-formed, as UTF-8.

    utf8      the whole message
    ordinals  numbers of the elements in document order, from 0; each is a key of what comes back
    """
    target = _TextTarget(ordinals, spool)
    parser = push_parser(target, limits)
    for piece in utf8:
        parser.feed(piece)
        if target.failed is not None:  # lxml may put an error of its own on top
            break
    else:
        parser.close()
    # the parser and its target stay until the garbage collector comes, and all that they hold
    texts, failed, target.texts, target.failed = target.texts, target.failed, {}, None
    if failed is None:
        return texts
    try:
        raise failed
    finally:
        del failed


class _TextTarget:
    def __init__(self, ordinals: Set[int], spool: Spool):
        self._ordinals, self._spool = ordinals, spool
        self._elements = 0
        self._open: list[tuple[int, Sink] | None] = []
        self.texts: dict[int, Content] = {}
        self.failed: OSError | None = None

    def start(self, _tag: str, _attributes: Any, _nsmap: Any) -> None:
        n = self._elements
        self._open.append((n, self._spool.sink()) if n in self._ordinals else None)
        self._elements += 1

    def end(self, _tag: str) -> None:
        ended = self._open.pop()
        if ended is not None and self.failed is None:
            n, sink = ended
            try:
                self.texts[n] = sink.finish()
            except OSError as cause:
                self.failed = cause

    def data(self, text: str) -> None:
        innermost = self._open[-1]
        if innermost is None or self.failed is not None:
            return
        try:
            innermost[1].write(text.encode("utf-8"))
        except OSError as cause:
            self.failed = cause

    def close(self) -> None:
        """Nothing is built."""
