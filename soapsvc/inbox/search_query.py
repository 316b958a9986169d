"""What is looked for among the pushes, and the SQL that finds it in the index."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from soapsvc.inbox.push_id import first_id_of, number_of
from soapsvc.records import PushKind, PushState

MAX_WORDS = 16  # of a search; what follows is not looked at
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TERM = re.compile(r'"([^"]*)"?|(\S+)')
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; everything given has to hold.

    words      all of them, in properties, file names or the text of documents; "in quotes": as a phrase; the last
               letters of a word may be missing
    source     address or range, or the place of a backup as it stands
    account    the property UserAccountNumber
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


def find_statement(filters: Filters, before: int | None, limit: int) -> tuple[str, list[object]]:
    """The ids that match, newest first; before: only entries with a smaller number."""
    where: list[str] = []
    values: list[object] = []

    def hold(condition: str, *of: object) -> None:
        where.append(condition)
        values.extend(of)

    table, number = "entries", "entries.n"
    terms = match_expression(filters.words)
    if terms:
        table, number = "words JOIN entries ON entries.n = words.rowid", "words.rowid"
        hold("words MATCH ?", terms)
    if before is not None:
        hold(f"{number} < ?", before)
    if filters.since is not None:
        hold(f"{number} >= ?", number_of(first_id_of(max(filters.since, _EPOCH))))
    if filters.until is not None:
        hold(f"{number} < ?", number_of(first_id_of(max(filters.until, _EPOCH))))
    for name, value in (("state", filters.state), ("kind", filters.kind), ("account", filters.account)):
        if value is not None:
            hold(f"entries.{name} = ?", str(value))
    if isinstance(filters.source, str):
        hold("entries.source = ?", filters.source)
    elif filters.source is not None:
        first, last = filters.source.network_address, filters.source.broadcast_address
        if first == last:
            hold("entries.source = ?", str(first))
        else:  # +: read in the order of arrival, which ends with the page, rather than sorted by address
            hold("+entries.source_key BETWEEN ? AND ?", source_key(str(first)), source_key(str(last)))
    if filters.deviating is not None:
        hold("entries.deviations > 0" if filters.deviating else "entries.deviations = 0")
    if filters.rule is not None:
        hold("entries.deviations > 0 AND instr(' ' || entries.rules || ' ', ' ' || ? || ' ')", filters.rule)
    condition = " AND ".join(where) or "1"
    # S608: the pieces are those above, and what was asked for goes in as values
    return f"SELECT entries.id FROM {table} WHERE {condition} ORDER BY {number} DESC LIMIT ?", [*values, limit]  # noqa: S608


def match_expression(words: str) -> str:
    """The words as FTS5 reads them, each in quotes, so that none is an operator; "" where there is no word."""
    terms = []
    for phrase, word in _TERM.findall(words.replace("\0", " ")):
        if _WORD.search(phrase):
            terms.append(f'"{phrase}"')
        elif _WORD.search(word):
            terms.append('"' + word.replace('"', '""') + '"*')
    return " ".join(terms[:MAX_WORDS])


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
