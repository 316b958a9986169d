"""What every place promises that a sender's backup may be: a directory here or elsewhere, a mailbox.

A source hands over bytes and names; what they mean is for `drop_reader` to say. A name is for people and for the
ledger: nothing here is ever opened by what another one called it but through the source that listed it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

Write = Callable[[bytes], object]
"""Takes the next bytes of a part; raises TooLarge when there are too many."""


class PartKind(StrEnum):
    """What one of the files of a drop is."""

    REPORT = "report"
    SIDE = "side"
    """The record in JSON beside a report."""
    ENVELOPE = "envelope"
    """The SOAP envelope beside a report."""
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a drop, or one email.

    place       by which the source that listed it opens it
    size_bytes  as listed; None: the place does not tell
    """

    kind: PartKind
    place: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """One drop: an email, or a report with what lies beside it.

    name   for people, and in the push's origin
    mark   by which the ledger knows it: another one when it was changed
    parts  at most one of each kind
    at     aware UTC: when it was put there, as far as the place tells
    """

    name: str
    mark: tuple[str, ...]
    parts: tuple[Part, ...]
    at: datetime | None = None

    def part(self, kind: PartKind) -> Part | None:
        return next((part for part in self.parts if part.kind is kind), None)

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is to come beside it: the record is written last."""
        kinds = {part.kind for part in self.parts}
        return PartKind.EMAIL in kinds or {PartKind.SIDE, PartKind.ENVELOPE} <= kinds

    @property
    def size_bytes(self) -> int:
        """Of all parts, as listed."""
        return sum(part.size_bytes or 0 for part in self.parts)


@dataclass(frozen=True, slots=True)
class Disposal:
    """What is done at the place with what was taken in, after the commit; by default nothing.

    delete   it is removed
    move_to  it is moved there: the name of a directory, a folder or a mailbox of the same place
    seen     emails are marked as read
    """

    delete: bool = False
    move_to: str | None = None
    seen: bool = False

    @property
    def anything(self) -> bool:
        return self.delete or self.move_to is not None or self.seen

    @property
    def only_marks(self) -> bool:
        """Whether all of it stays where it is."""
        return self.seen and not self.delete and self.move_to is None


class Gone(Exception):
    """What was listed is not there any more, or is no plain file now: somebody else takes care of it."""


class TooLarge(Exception):
    """A part has more bytes than are taken."""


class Source(Protocol):
    """A place that is looked into.

    url      without secrets: for the record, the ledger, and people
    settles  whether what is listed may still be being written, so that it is looked at twice
    Errors   Unreachable from each method: nobody answers, or what answers says no
    """

    @property
    def url(self) -> str: ...

    @property
    def settles(self) -> bool: ...

    def state(self) -> tuple[str, ...] | None:
        """What changes whenever anything there does, had without listing it; None: the place tells nothing like it."""

    def look(self) -> Sequence[Found]:
        """All that lies there, in a steady order, but for what is plainly unfinished."""

    def fetch(self, part: Part, write: Write) -> None:
        """Hand over a part's bytes in order. Errors: Gone, TooLarge as `write` raises it."""

    def put_away(self, taken: Sequence[Found], how: Disposal) -> None:
        """Do with what was taken in as told. What is gone already is no error."""

    def close(self) -> None: ...
