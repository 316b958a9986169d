"""An acknowledgement as Spyne writes it, with gaps for what differs from push to push.

Spyne makes the bytes once for each shape; to make them anew costs it 30 times what it costs to fill the gaps.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from soapsvc.contract.acknowledgement import xs_date_time
from soapsvc.records import Accepted

_MARKS = Accepted("1soapsvc2id3", datetime(1812, 9, 14, 3, 5, 7, 89000, UTC), "1soapsvc2submit3")
"""What nobody writes into a WSDL, so that it is found again in what Spyne made of it."""
_TRIALS = (
    _MARKS,
    Accepted("1k0z12ct1vsspsqchwyj", datetime(2012, 11, 4, 13, 20, 1, 31999, UTC), "S1000001"),
    Accepted("0", datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), "a&b<c>\"d'\r\n\t]]> \u00e9\u20ac\U0001f600&amp; "),
)


class AnswerTemplate:
    """The acknowledgements of one operation that tell a SubmitId, or of those that tell none."""

    def __init__(self, made_of_marks: bytes):
        self._marks = _gaps(_MARKS)
        self._pieces = re.split(b"(" + b"|".join(map(re.escape, self._marks)) + b")", made_of_marks)

    @classmethod
    def of(cls, make: Callable[[Accepted], bytes], *, submit_id: bool) -> AnswerTemplate | None:
        """The template of what `make` makes; None: that does more than to put the values into their places."""
        trials = _TRIALS if submit_id else tuple(replace(trial, submit_id=None) for trial in _TRIALS)
        template = cls(make(trials[0]))
        return template if all(template.filled(trial) == make(trial) for trial in trials) else None

    def filled(self, accepted: Accepted) -> bytes:
        """The acknowledgement of a store's word, whose SubmitId is there, or None, as in the template."""
        values = dict(zip(self._marks, _gaps(accepted), strict=True))
        return b"".join([values.get(piece, piece) for piece in self._pieces])


def _gaps(accepted: Accepted) -> tuple[bytes, bytes, bytes]:
    """What may stand in a gap, as XML text in UTF-8."""
    return _text(accepted.id), _text(xs_date_time(accepted.received_at)), _text(accepted.submit_id or "")


def _text(value: str) -> bytes:
    """As lxml writes it."""
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;")):
        value = value.replace(character, escaped)
    return value.encode()
