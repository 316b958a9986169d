"""The text of documents that did not decode, as it was sent: read from the raw envelope once more, for those alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from soapsvc.spool import Sink
from soapsvc.wire.envelope_target import push_parser


def copy_texts(utf8: Iterable[bytes], sinks: Mapping[int, Sink]) -> None:
    """Write the character data directly in some elements of a message that is known to be well-formed.

    utf8   the whole message
    sinks  number of the element in document order, from 0, to where its text goes, as UTF-8
    """
    target = _TextTarget(sinks)
    parser = push_parser(target)
    for piece in utf8:
        parser.feed(piece)
        if target.failed is not None:  # lxml may have put an error of its own on top
            raise target.failed
    parser.close()


class _TextTarget:
    def __init__(self, sinks: Mapping[int, Sink]):
        self._sinks = sinks
        self._elements = 0
        self._open: list[Sink | None] = []
        self.failed: OSError | None = None

    def start(self, _tag: str, _attributes: Any, _nsmap: Any) -> None:
        self._open.append(self._sinks.get(self._elements))
        self._elements += 1

    def end(self, _tag: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        sink = self._open[-1]
        if sink is None or self.failed is not None:
            return
        try:
            sink.write(text.encode("utf-8"))
        except OSError as cause:
            self.failed = cause

    def close(self) -> None:
        """Nothing is built."""
