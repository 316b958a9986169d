"""The search index of an inbox in PostgreSQL: tables that all its receivers share, and that one of them fills.

    words   tsvector, in a GIN index: which pushes have a word, or one that begins so
    said    the same words in their order: of those that have all words of a phrase, which have them in a row

A tsvector could hold the places of its words too, but only 256 of each, and none beyond the 16,383rd word: a phrase
in the last lines of a long report would not be found. So it holds none.

The newest that match are looked for in two ways. Those of a word that few pushes have are read off the GIN index, all
of them, and sorted; where there are MANY, the pushes are gone through backwards until there are enough. The planner
cannot tell which is which: it knows neither a new word nor what it costs to read a long text, and to go through all
pushes for the one with some invoice's number takes minutes. So it is asked for MANY first, in less and less time:

    all time: fewer than MANY? that is all
    ├─ the newer half: fewer than MANY? … and so on, down to NARROW, which is gone through backwards
    └─ the older half, where the newer did not have enough

Who fills it has a lease, by the clock of the database; when its process dies, another one takes over within
LEASE_SECONDS. Two that fill at once (one was stopped for a while) do each other no harm: they take turns by the lock on
`search_state`, and an entry is made once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Text, any_, bindparam, cast, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY
from sqlalchemy.exc import SQLAlchemyError

from soapsvc.inbox import search_sums
from soapsvc.inbox.database import Database
from soapsvc.inbox.failures import not_usable
from soapsvc.inbox.index_entry import IndexEntry, entry_of
from soapsvc.inbox.push_id import first_id_of, moment_of_id
from soapsvc.inbox.search_index import Facets, Hour, Sender
from soapsvc.inbox.search_query import Filters, account_key, plain_text, source_key, terms_of
from soapsvc.inbox.search_tables import ACCOUNTS, ENTRIES, HOURS, RULES, SENDERS, STATE
from soapsvc.inbox.search_words import words_of
from soapsvc.inbox.server_database import SEARCH_LIMITS, SEARCHERS
from soapsvc.records import PushState, StoredPush

LEASE_SECONDS = 10.0
MANY = 250
NARROW = timedelta(days=1)
MAX_LEXEME_BYTES = 2046  # of one word; PostgreSQL takes no longer one
MAX_LEXEMES_BYTES = 1_000_000  # of all words of a push, each once; a tsvector takes 2^20 - 1
_MICROSECOND = timedelta(microseconds=1)
_E = ENTRIES.c
_ENTRY = [_E[name] for name in IndexEntry.__slots__]


class PostgresIndex:
    """What search_index.py promises. Its connections are its own, so that no push waits for a search."""

    def __init__(self, database: Database):
        self._engine = database.engine_apart(SEARCHERS, SEARCH_LIMITS)
        self._name = secrets.token_hex(16)
        self._filled_until = 0.0  # by time.monotonic(); until then it is not asked again

    # -- what is asked ---------------------------------------------------------------------------------------------

    def find(self, filters: Filters, *, before_id: str | None = None, limit: int = 50) -> list[str]:
        with self._transaction() as connection:
            query = select(_E.push_id).where(*_conditions(filters, _spelling(connection)))
            if before_id is not None:
                query = query.where(_E.push_id < before_id)
            if not terms_of(filters.words):
                return list(connection.execute(query.order_by(_E.push_id.desc()).limit(limit)).scalars())
            oldest, newest = connection.execute(select(func.min(_E.push_id), func.max(_E.push_id))).one()
            if oldest is None:
                return []
            since = max(oldest, filters.since_id or oldest)
            until = min(newest, filters.until_id or newest, before_id or newest)
            span = _Span(moment_of_id(since), moment_of_id(until) + _MICROSECOND)
            return _newest(connection, query, span, limit)

    def newer_than(self, push_id: str, at_most: int) -> int:
        newer = select(_E.push_id).where(_E.push_id > push_id).limit(at_most).subquery()
        with self._transaction() as connection:
            return connection.execute(select(func.count()).select_from(newer)).scalar_one()

    def facets(self, each: int = 8) -> Facets:
        with self._transaction() as connection:
            accounts, sources = (
                tuple(
                    connection.execute(
                        select(value).group_by(value).having(func.sum(pushes) > 0)
                        .order_by(func.sum(pushes).desc(), value).limit(each)
                    ).scalars()
                )
                for value, pushes in ((ACCOUNTS.c.account, ACCOUNTS.c.pushes), (SENDERS.c.source, SENDERS.c.pushes))
            )  # fmt: skip
        return Facets(accounts, sources)

    def hours(self, since: datetime) -> list[Hour]:
        query = select(HOURS).where(HOURS.c.hour >= search_sums.hour_of(since)).order_by(HOURS.c.hour)
        with self._transaction() as connection:
            return [Hour(*row) for row in connection.execute(query)]

    def rules(self, since: datetime, limit: int = 30) -> list[tuple[str, int]]:
        pushes = func.sum(RULES.c.pushes)
        query = (
            select(RULES.c.rule, pushes)
            .where(RULES.c.hour >= search_sums.hour_of(since))
            .group_by(RULES.c.rule)
            .having(pushes > 0)
            .order_by(pushes.desc(), RULES.c.rule)
            .limit(limit)
        )
        with self._transaction() as connection:
            return [(rule, int(number)) for rule, number in connection.execute(query)]

    def senders(self, limit: int = 50) -> list[Sender]:
        s = SENDERS.c
        pushes, first_at, last_at = func.sum(s.pushes), func.min(s.first_at), func.max(s.last_at)
        query = select(s.source, pushes, first_at, last_at).group_by(s.source).having(pushes > 0)
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(last_at.desc()).limit(limit))
            return [Sender(source, int(number), first, last) for source, number, first, last in rows]

    # -- what the indexer tells ------------------------------------------------------------------------------------

    def may_fill(self) -> bool:
        now = time.monotonic()
        if now < self._filled_until:
            return True
        free = or_(STATE.c.filled_by == self._name, STATE.c.filled_until < func.now())
        lease = (
            update(STATE)
            .where(free)
            .values(filled_by=self._name, filled_until=func.now() + timedelta(seconds=LEASE_SECONDS))
        )
        with self._transaction() as connection:
            mine = connection.execute(lease).rowcount == 1
        self._filled_until = now + LEASE_SECONDS / 2 if mine else 0.0
        return mine

    def leave(self) -> None:
        self._filled_until = 0.0
        mine = update(STATE).where(STATE.c.filled_by == self._name)
        with self._transaction() as connection:
            connection.execute(mine.values(filled_by="", filled_until=func.now()))

    def fact(self, name: str) -> str:
        with self._transaction() as connection:
            return str(connection.execute(select(STATE.c[name])).scalar_one())

    def unknown(self, push_ids: Sequence[str]) -> list[str]:
        with self._transaction() as connection:
            known = set(connection.execute(select(_E.push_id).where(_E.push_id.in_(push_ids))).scalars())
        return [push_id for push_id in push_ids if push_id not in known]

    def ids_after(self, push_id: str, limit: int, state: PushState | None = None) -> list[str]:
        query = select(_E.push_id).where(_E.push_id > push_id).order_by(_E.push_id).limit(limit)
        if state is not None:
            query = query.where(_E.state == state.value)
        with self._transaction() as connection:
            return list(connection.execute(query).scalars())

    def put(self, pushes: Iterable[tuple[StoredPush, str]], gone: Iterable[str] = (), **facts: str) -> None:
        forgotten = set(gone)
        with self._transaction() as connection:
            spelled = _spelling(connection)
            told = {stored.row.id: (entry_of(stored, spelled), said) for stored, said in pushes}
            connection.execute(_NOT_AT_ONCE)
            search_sums.lock(connection)
            kept = [
                IndexEntry(*row)
                for row in connection.execute(select(*_ENTRY).where(_E.push_id.in_({*told, *forgotten})))
            ]
            left = [one for one in kept if one.push_id in forgotten or not one.accepted]
            stays = {one.push_id for one in kept} - {one.push_id for one in left}
            entered = [(entry, said) for push_id, (entry, said) in told.items() if push_id not in stays]
            if left:
                connection.execute(delete(ENTRIES).where(_E.push_id.in_([one.push_id for one in left])))
            if entered:
                connection.execute(_ENTER, [_row(entry, spelled(" ".join(words_of(said)))) for entry, said in entered])
            search_sums.add(connection, [entry for entry, _ in entered], left)
            if facts:
                further = {name: func.greatest(STATE.c[name], value) for name, value in facts.items()}
                connection.execute(update(STATE).values(further))

    # -- how it is done --------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as cause:
            raise not_usable(cause, "search") from cause


@dataclass(frozen=True, slots=True)
class _Span:
    """Ids of pushes that arrived from `since` to before `until`."""

    since: datetime
    until: datetime

    @property
    def narrow(self) -> bool:
        return self.until - self.since <= NARROW

    def of(self, query: Select[Any]) -> Select[Any]:
        return query.where(_E.push_id >= first_id_of(self.since), _E.push_id < first_id_of(self.until))

    def halves(self) -> tuple[_Span, _Span]:
        """The newer one first."""
        middle = self.since + (self.until - self.since) / 2
        return _Span(middle, self.until), _Span(self.since, middle)


def _newest(connection: Connection, query: Select[Any], span: _Span, limit: int) -> list[str]:
    connection.execute(_BY_WORDS)
    some = list(connection.execute(span.of(query).limit(MANY)).scalars())
    if len(some) < MANY:
        return sorted(some, reverse=True)[:limit]
    if span.narrow:
        connection.execute(_BACKWARDS)
        return list(connection.execute(span.of(query).order_by(_E.push_id.desc()).limit(limit)).scalars())
    newer, older = span.halves()
    found = _newest(connection, query, newer, limit)
    return found if len(found) == limit else found + _newest(connection, query, older, limit - len(found))


def _spelling(connection: Connection) -> Callable[[str], str]:
    """How a text is written so that the database takes it: in UTF-8 as it is; in an encoding that lacks some characters
    with their numbers."""
    driver_connection: Any = connection.connection.driver_connection
    encoding = driver_connection.info.encoding
    return lambda text: plain_text(text).encode(encoding, "xmlcharrefreplace").decode(encoding)


def _conditions(filters: Filters, spelled: Callable[[str], str]) -> Iterator[Any]:
    terms = [(spelled(" ".join(term.words)), term.begun) for term in terms_of(filters.words)]
    if terms:
        wanted = [
            f"'{_lexeme(word)}'" + ":*" * (begun and n == said.count(" "))
            for said, begun in terms
            for n, word in enumerate(said.split(" "))
        ]
        yield _E.words.bool_op("@@")(cast(" & ".join(wanted), TSQUERY))
    for said, begun in terms:
        if " " in said:
            yield func.strpos(_E.said, f" {said}" + " " * (not begun)) > 0
    if filters.since_id is not None:
        yield _E.push_id >= filters.since_id
    if filters.until_id is not None:
        yield _E.push_id < filters.until_id
    if filters.state is not None:
        yield _E.state == filters.state.value
    if filters.kind is not None:
        yield _E.kind == filters.kind.value
    if filters.account is not None:
        yield _E.account == account_key(spelled(filters.account))
    if isinstance(filters.source, str):
        yield _E.source == spelled(filters.source)
    elif filters.source is not None:
        first, last = filters.source.network_address, filters.source.broadcast_address
        if first == last:
            yield _E.source == str(first)
        else:
            yield _E.source_key.between(source_key(str(first)), source_key(str(last)))
    if filters.deviating is not None:
        yield _E.deviations > 0 if filters.deviating else _E.deviations == 0
    if filters.rule is not None:
        yield _E.deviations > 0
        yield any_(_E.rules) == spelled(filters.rule)


def _row(entry: IndexEntry, said: str) -> dict[str, Any]:
    """said  all words, with a blank between them"""
    row = {name: getattr(entry, name) for name in IndexEntry.__slots__}
    return row | {
        "source_key": source_key(entry.source), "rules": list(entry.rules),
        "lexemes": _lexemes(said.split()), "said": f" {said} ",
    }  # fmt: skip


def _lexemes(words: Iterable[str]) -> list[str]:
    """Each once, as many as a tsvector takes: the first, which are those of properties and names."""
    taken, size = [], 0
    for word in dict.fromkeys(map(_lexeme, words)):
        size += len(word.encode())
        if size > MAX_LEXEMES_BYTES:
            break
        taken.append(word)
    return taken


def _lexeme(word: str) -> str:
    if len(word) * 4 <= MAX_LEXEME_BYTES:
        return word
    return word.encode()[:MAX_LEXEME_BYTES].decode(errors="ignore")


def _planned(**settings: str) -> Select[Any]:
    """How the rest of the transaction is planned."""
    return select(*(func.set_config(name, value, True) for name, value in settings.items()))


_COMMON = {"plan_cache_mode": "force_custom_plan", "enable_seqscan": "off", "cpu_operator_cost": "0.25"}
_BY_WORDS = _planned(**_COMMON, enable_bitmapscan="on", enable_indexscan="off", enable_indexonlyscan="off")
_BACKWARDS = _planned(**_COMMON, enable_bitmapscan="off", enable_indexscan="on", enable_indexonlyscan="on")
_NOT_AT_ONCE = _planned(synchronous_commit="off")
"""A crash takes no more than the last entries and, with them, how far the indexer came."""
_ENTER = insert(ENTRIES).values(words=func.array_to_tsvector(bindparam("lexemes", type_=ARRAY(Text))))
