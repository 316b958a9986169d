"""A large body with its long texts taken out and decoded while it comes in, and no parser at work on them.

Most of a large push is the base64 of its documents. It is found by its angle brackets, decoded in pieces, and never
held or written as it came: what is left is a small body, to be read as one. Whether a long text stood where a document
may stand is for the reader of that one to say. Nothing is guessed: a text that could not be written again byte for
byte from what was decoded makes the whole body one to be read in the other way, from its first byte on.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterator
from math import lcm

import pybase64

from soapsvc.skeleton import (
    MAX_LINE_END_BYTES,
    Coding,
    CutContent,
    Place,
    Skeleton,
    rebuild,
    written,
)
from soapsvc.spool import INLINE_BYTES, Content, Sink, Spool
from soapsvc.wire.base64_lines import in_one_line, lines_of, take_line_ends
from soapsvc.wire.base64_reader import WHITE_SPACE, decoded_characters
from soapsvc.wire.plain_envelope import PlainBody

LONG_CHARS = 16 * 1024  # a shorter text stays where it is
MAX_LEFT_BYTES = 64 * 1024  # of a body without its long texts: it is read, and stored in one row, like a small one
HELD_BYTES = INLINE_BYTES  # of all long texts; a thousand senders may take ten minutes for their bodies
_HELD_BACK_BYTES = 128  # of a text, until it has ended: its last group may be padded, and white space may follow


class LongTextCutter:
    """Takes a body piece by piece, until it cannot be cut.

    most    long texts
    Errors  OSError from the spool
    """

    def __init__(self, spool: Spool, most: int):
        self._spool, self._most = spool, most
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        self._own = bytearray()
        self._short = bytearray()  # a text that has not ended and is not long so far
        self._within_tag = False
        self._long: _LongText | None = None
        self._places: list[Place] = []
        self._texts: dict[int, Content] = {}
        self._in_texts = 0  # bytes of the body
        self._rest = b""  # of the piece that could not be cut

    def feed(self, piece: bytes) -> bool:
        """Take the next piece; False: the body cannot be cut."""
        self._digest.update(piece)
        self._size_bytes += len(piece)
        at = 0
        while at < len(piece):
            closing = b">" if self._within_tag else b"<"
            found = piece.find(closing, at)
            end = len(piece) if found < 0 else found + self._within_tag  # `>` is the tag's, `<` the next one's
            if not self._take(piece[at:end]) or (found >= 0 and not self._within_tag and not self._end_text()):
                self._rest = piece[end:]
                return False
            if found >= 0:
                self._within_tag = not self._within_tag
            at = end
        return True

    def finish(self) -> PlainBody | None:
        """The body, all of which has been taken. None: it cannot be cut."""
        if self._long is not None or not self._end_text():
            return None
        texts = tuple(self._texts.values())
        raw = CutContent(self._digest.hexdigest(), self._size_bytes, skeleton=self._skeleton(), texts=texts)
        return PlainBody(raw.skeleton.own, raw, self._texts)

    @property
    def has_decoded(self) -> bool:
        """Whether anything of what was taken is no longer held as it came."""
        return bool(self._places) or (self._long is not None and self._long.has_decoded)

    def taken_back(self) -> Iterator[bytes]:
        """Every byte that was taken, as it came, the piece that could not be cut included."""
        texts = tuple(self._texts.values())
        yield from rebuild(self._skeleton(), lambda index: texts[index].open())
        if self._long is not None:
            yield from self._long.taken_back()
        yield bytes(self._short)
        yield self._rest

    def _skeleton(self) -> Skeleton:
        return Skeleton(bytes(self._own), tuple(self._places))

    def _take(self, said: bytes) -> bool:
        if self._within_tag:
            self._own += said
            return len(self._own) <= MAX_LEFT_BYTES
        if self._long is not None:
            return self._long.feed(said)
        self._short += said
        if len(self._short) < LONG_CHARS:
            return True
        begin = len(self._short) - len(self._short.lstrip(WHITE_SPACE))
        self._own += self._short[:begin]
        del self._short[:begin]
        if len(self._own) > MAX_LEFT_BYTES or len(self._places) == self._most:
            return False
        if len(self._short) < LONG_CHARS:
            return True
        self._long, self._short = _LongText(self._short, self._spool.sink(HELD_BYTES)), bytearray()
        return self._long.feed(b"")

    def _end_text(self) -> bool:
        if self._long is None:
            self._own += self._short
            self._short.clear()
        else:
            after = self._long.finish()
            if after is None:
                return False
            place = self._long.place(len(self._own) + self._in_texts, len(self._places))
            self._places.append(place)
            self._in_texts += place.size_bytes
            self._texts[2 * self._own.count(b"<")] = self._long.content
            self._own += after
            self._long = None
        return len(self._own) <= MAX_LEFT_BYTES


class _LongText:
    """A text in base64, in one line or in lines of one width, decoded as it comes.

    content  the decoded bytes, once it has ended
    """

    def __init__(self, begin: bytearray, sink: Sink):
        self._held, self._sink = begin, sink
        self._taken = 0  # characters that were decoded, their line ends included
        self._width, self._line_end = lines_of(begin)
        self._is_regular = len(self._line_end) <= MAX_LINE_END_BYTES
        self._size_bytes = 0
        self._step = self._width + len(self._line_end)
        self._block = lcm(4, self._width) // self._width * self._step if self._width else 4

    @property
    def has_decoded(self) -> bool:
        return self._taken > 0

    def feed(self, said: bytes) -> bool:
        """Take more of it; False: it is none that can be written again."""
        self._held += said
        whole = max(0, len(self._held) - _HELD_BACK_BYTES) // self._block * self._block
        if not self._is_regular:
            return False
        if not whole:
            return True
        characters = self._held[:whole]
        if self._width and not take_line_ends(characters, self._width, self._line_end, whole // self._step):
            return False
        try:
            decoded = pybase64.b64decode(characters, validate=True)
        except binascii.Error:
            return False
        if characters.endswith(b"="):
            return False  # something follows, which padding does not allow
        self._sink.write(decoded)
        self._taken += whole
        del self._held[:whole]
        return True

    def finish(self) -> bytes | None:
        """The white space behind it; None: it is none that can be written again."""
        last = bytes(self._held.rstrip(WHITE_SPACE))
        after = bytes(self._held[len(last) :])
        characters = in_one_line(last, self._width, self._line_end)
        decoded = None if characters is None else decoded_characters(characters)
        if decoded is None:
            return None
        self._sink.write(decoded)
        self._size_bytes = self._taken + len(last)
        if not last:  # the line end behind the last line that was decoded is none between two lines
            self._size_bytes -= len(self._line_end)
            after = self._line_end + after
        self.content = self._sink.finish()
        return after

    def place(self, at: int, index: int) -> Place:
        """Where it stood."""
        return Place(at, self._size_bytes, index, Coding.BASE64, self._width, self._line_end)

    def taken_back(self) -> Iterator[bytes]:
        """Every byte that was taken, as it came."""
        with self._sink.finish().open() as stream:
            yield from written(stream, Coding.BASE64, self._width, self._line_end)
        if self._taken:
            yield self._line_end
        yield bytes(self._held)
