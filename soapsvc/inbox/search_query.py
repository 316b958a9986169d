"""What is looked for among the pushes, whichever index is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from soapsvc.inbox.push_id import first_id_of
from soapsvc.inbox.search_words import words_of
from soapsvc.records import PushKind, PushState

MAX_TERMS = 16  # of a search; what follows is not looked at
MAX_ACCOUNT_CHARS = 250  # a B-tree of PostgreSQL takes 2,704 bytes
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TERM = re.compile(r'"([^"]*)"?|(\S+)')


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; everything given has to hold.

    words      all of them, in properties, file names or the text of documents; "in quotes": as a phrase; the last
               letters of a word may be missing
    source     address or range, or the place of a backup as it stands
    account    the property UserAccountNumber, of a very long one the beginning
    since      received at or after; until: before; aware
    deviating  True: with deviations alone; False: without alone; None: both
    rule       id of a rule that it deviates from
    """

    words: str = ""
    kind: PushKind | None = None
    state: PushState | None = None
    source: IPv4Network | IPv6Network | str | None = None
    account: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    deviating: bool | None = None
    rule: str | None = None

    @property
    def narrowed(self) -> bool:
        """Whether the index is needed: the inbox itself lists all, and by state."""
        return self != Filters(state=self.state)

    @property
    def since_id(self) -> str | None:
        """The smallest id that a push of `since` can have."""
        return None if self.since is None else first_id_of(max(self.since, _EPOCH))

    @property
    def until_id(self) -> str | None:
        return None if self.until is None else first_id_of(max(self.until, _EPOCH))


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is looked for.

    said   as it was typed, without its quotes
    words  of it (search_words.py), at least one; several: one after the other
    begun  the last letters of the last word may be missing
    """

    said: str
    words: tuple[str, ...]
    begun: bool


def terms_of(words: str) -> list[Term]:
    """What was typed, read; what has no word in it is left out."""
    typed = [(phrase or word, bool(word)) for phrase, word in _TERM.findall(words)]
    terms = [Term(said, tuple(words_of(said)), begun) for said, begun in typed]
    return [term for term in terms if term.words][:MAX_TERMS]


def account_key(account: str) -> str:
    """By what an account is known in an index: no more of it than that bears."""
    return account[:MAX_ACCOUNT_CHARS]


def plain_text(text: str) -> str:
    """Text that every database takes: no NUL, no lone surrogate."""
    return text.replace("\0", " ").encode(errors="replace").decode()


def source_key(source: str) -> bytes:
    """An address as 16 bytes, so that those of a range stand together; IPv4 as it is mapped into IPv6."""
    try:
        address: IPv4Address | IPv6Address = ip_address(source)
    except ValueError:
        return b""
    return bytes(10) + b"\xff\xff" + address.packed if isinstance(address, IPv4Address) else address.packed


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment_of(micros_since_1970: int) -> datetime:
    """The reverse; aware UTC."""
    return _EPOCH + micros_since_1970 * _MICROSECOND
