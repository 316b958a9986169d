"""The body of a request while it comes in: a small one is held, a large one loses its long texts to their decoder.

Memory stays the same however large the body is, and nothing of it is written that is not kept, unless it cannot be cut.
"""

from __future__ import annotations

from functools import cached_property
from types import TracebackType
from typing import BinaryIO

from soapsvc.skeleton import CutContent
from soapsvc.spool import Content, Sink, Spool
from soapsvc.wire.envelope_reader import PIECE_BYTES, Stream
from soapsvc.wire.http_messages import AdmittedRequest
from soapsvc.wire.long_texts import HELD_BYTES, LongTextCutter
from soapsvc.wire.plain_envelope import PLAIN_BYTES, PlainBody


class IncomingBody:
    """Takes a body piece by piece; then it is there to be judged, or to be read like a file.

    spool           where its files lie, and may lie what is made of it; closed with it
    document_limit  how many long texts are taken out at most
    admitted        the request that it is the body of, when that was let in by its head; None: nobody has asked

    Errors  OSError from append(), plain and raw when the spool cannot be written
    """

    def __init__(self, spool: Spool, document_limit: int, admitted: AdmittedRequest | None = None):
        self.spool, self.admitted, self._document_limit = spool, admitted, document_limit
        self._small: bytearray | None = bytearray()
        self._cutter: LongTextCutter | None = None
        self._uncut: Sink | None = None  # what came after the piece that could not be cut
        self._size_bytes = 0
        self._stream: BinaryIO | None = None

    @classmethod
    def of(cls, stream: Stream, spool: Spool, document_limit: int) -> IncomingBody:
        """All that a stream has."""
        body = cls(spool, document_limit)
        while piece := stream.read(PIECE_BYTES):
            body.append(piece)
        return body

    def append(self, piece: bytes) -> None:
        """Take the next piece."""
        self._size_bytes += len(piece)
        if self._uncut is not None:
            self._uncut.write(piece)
        elif self._cutter is not None:
            self._cut(piece)
        elif self._small is not None:
            self._small += piece
            if len(self._small) > PLAIN_BYTES:
                self._cutter = LongTextCutter(self.spool, self._document_limit)
                self._cut(bytes(self._small))
                self._small = None

    @cached_property
    def plain(self) -> PlainBody | None:
        """The body, of which all is in, if it may be a plain message; None: it is none."""
        if self._small is not None:
            return PlainBody.of(bytes(self._small))
        return self._cutter.finish() if self._cutter is not None and self._uncut is None else None

    @cached_property
    def raw(self) -> Content:
        """Every byte of it, in one piece: what is refused is kept so."""
        if self.plain is not None and not isinstance(self.plain.raw, CutContent):
            return self.plain.raw
        if self._cutter is None and self._uncut is not None:
            return self._uncut.finish()
        whole = self.spool.sink()
        if self._cutter is not None:
            for piece in self._cutter.taken_back():
                whole.write(piece)
        if self._uncut is not None:
            with self._uncut.finish().open() as rest:
                while piece := rest.read(PIECE_BYTES):
                    whole.write(piece)
        return whole.finish()

    def read(self, size: int = -1, /) -> bytes:
        """As a file that is read once, for whoever knows nothing of all this."""
        if self._stream is None:
            self._stream = self.raw.open()
        return self._stream.read(size)

    def close(self) -> None:
        """Remove whatever the inbox did not take over."""
        if self._stream is not None:
            self._stream.close()
        self.spool.close()

    def __len__(self) -> int:
        return self._size_bytes

    def __enter__(self) -> IncomingBody:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        self.close()

    def _cut(self, piece: bytes) -> None:
        assert self._cutter is not None
        if self._cutter.feed(piece):
            return
        self._uncut = self.spool.sink(HELD_BYTES)
        if not self._cutter.has_decoded:  # nothing has to be put together again: what follows is written behind it
            for taken in self._cutter.taken_back():
                self._uncut.write(taken)
            self._cutter = None
