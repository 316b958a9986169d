"""The deliveries of an inbox: what a worker asks for, and what operators put back, pause and give up.

a push is stored ─► its deliveries are queued, in the same transaction ─► tell() wakes this process's workers
worker: claim() ─► hand over to the target ─► settle()           keeper: renew() while that takes its time
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Condition
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from soapsvc.clock import Clock
from soapsvc.delivery_records import Attempt, Claim, Delivery, Hold, TargetFigures
from soapsvc.inbox import outbox_writes
from soapsvc.inbox.database import Database
from soapsvc.inbox.failures import not_usable
from soapsvc.inbox.group_commit import GroupCommit
from soapsvc.inbox.outbox_tables import ATTEMPTS, DELIVERIES, HOLDS, TARGETS
from soapsvc.inbox.outbox_writes import Settlement
from soapsvc.inbox.server_database import WRITER_LIMITS
from soapsvc.inbox.tables import PUSHES
from soapsvc.states import DEAD_LETTER, DeliveryState

T = TypeVar("T")
_D = DELIVERIES.c


class Writer(Protocol):
    """What commits a work (group_commit.py)."""

    def commit(self, work: Callable[[Connection], T], order: str = "") -> T: ...


class Outbox:
    """The deliveries of one inbox. Threads share it.

    Promise  what a method wrote is on disk when it returns; a push that was stored with deliveries has them, each of
             them is claimed by one worker at a time, and none ends but by its target's receipt, by its last failed
             attempt or by an operator
    Errors   StoreUnavailable, of every method: nothing was changed, or, where a commit is in doubt, nobody knows yet
    """

    def __init__(self, database: Database, writer: Callable[[], Writer], clock: Clock):
        """writer  asked for once something is to be written"""
        self._database, self._writer, self._clock = database, writer, clock
        self._news = Condition()
        self._told = 0

    # -- what a worker asks ----------------------------------------------------------------------------------------

    def register(self, targets: Sequence[str]) -> None:
        """Each of them can be paused, counted and kept in order."""
        with self._reading() as connection:
            known = set(connection.execute(select(TARGETS.c.name)).scalars())
        if not known.issuperset(targets):
            self._writer().commit(lambda connection: outbox_writes.register(connection, targets))

    def claim(self, target: str, *, ordered: bool, token: str, seconds: float) -> Claim | None:
        """The delivery that is due, held for that long; None: there is none. Asks by a read first, so that workers
        without work write nothing.

        ordered  oldest push first, and one at a time
        token    WORKER:CHANCE, never used before
        """
        now = self._clock()
        with self._reading() as connection:
            if connection.execute(outbox_writes.next_due(target, ordered, now)).first() is None:
                return None
        until = now + timedelta(seconds=seconds)
        return self._writer().commit(
            lambda connection: outbox_writes.claim(
                connection, target, ordered=ordered, token=token, now=now, until=until
            ),
            target,
        )

    def renew(self, claims: Sequence[Claim], seconds: float) -> None:
        """Hold them for that long from now on."""
        if claims:
            until = self._clock() + timedelta(seconds=seconds)
            self._writer().commit(lambda connection: outbox_writes.renew(connection, claims, until), claims[0].target)

    def settle(self, done: Settlement) -> bool:
        """Write down how an attempt ended; False: the claim was lost meanwhile, and another worker has it."""
        return self._writer().commit(lambda connection: outbox_writes.settle(connection, done), done.claim.target)

    def confirm(self, push_id: str, target: str, token: str) -> bool:
        """A consumer has what it claimed under this token; False: it holds it no longer. A claim whose time is over
        counts as long as nobody else has made one."""
        now = self._clock()
        return self._writer().commit(lambda c: outbox_writes.confirm(c, push_id, target, token, now), target)

    def tell(self) -> None:
        """Something was queued: wake who waits in this process."""
        with self._news:
            self._told += 1
            self._news.notify_all()

    @property
    def heard(self) -> int:
        """What has been told till now, for wait()."""
        return self._told

    def wait(self, heard: int, seconds: float) -> None:
        """Wait until something was told after `heard`, or that long."""
        with self._news:
            self._news.wait_for(lambda: self._told != heard, seconds)

    # -- what operators ask ----------------------------------------------------------------------------------------

    def requeue(self, push_id: str, target: str | None = None) -> list[str]:
        """Put deliveries of a push back with all their attempts before them; to which targets.

        target  None: all that have not arrived; named: that one, even if it has arrived or was never queued
        Errors  NoSuchPush; MoveNotListed: the one that was named is under way
        """
        done = self._writer().commit(lambda c: outbox_writes.requeue(c, push_id, target, self._clock()), target or "")
        self.tell()
        return done

    def requeue_dead(self, target: str | None = None) -> int:
        """Put every dead letter back, or those of a target; how many."""
        done = self._in_portions(lambda connection: outbox_writes.requeue_dead(connection, target, self._clock()))
        self.tell()
        return done

    def cancel(self, target: str) -> int:
        """Give up what has not arrived at a target; how many. What is under way just then is not touched."""
        return self._in_portions(lambda connection: outbox_writes.cancel(connection, target))

    def pause(self, target: str) -> None:
        """Every worker leaves the target alone, after what it has under way."""
        self._writer().commit(lambda connection: outbox_writes.pause(connection, target, self._clock()), target)

    def resume(self, target: str) -> None:
        self._writer().commit(lambda connection: outbox_writes.pause(connection, target, None), target)
        self.tell()

    def figures(self) -> tuple[TargetFigures, ...]:
        """How each target stands that ever was one, by name."""
        with self._reading(patiently=True) as connection:
            counted: dict[str, dict[str, int]] = defaultdict(dict)
            oldest: dict[str, str] = {}
            states = select(_D.target, _D.state, func.count().label("many"), func.min(_D.push_id).label("first"))
            for which in (_D.due_at.is_not(None), text("state = 'dead'")):
                for row in connection.execute(states.where(which).group_by(_D.target, _D.state)):
                    counted[row.target][row.state] = row.many
                    if row.state != DEAD_LETTER:
                        oldest[row.target] = min(row.first, oldest.get(row.target, row.first))
            arrived = select(PUSHES.c.id, PUSHES.c.received_at).where(PUSHES.c.id.in_(oldest.values()))
            at = {row.id: row.received_at for row in connection.execute(arrived)}
            rows = {row.name: row for row in connection.execute(select(TARGETS))}
        return tuple(
            _figures(name, rows.get(name), counted[name], at.get(oldest.get(name, "")))
            for name in sorted({*rows, *counted})
        )

    # -- how it is done --------------------------------------------------------------------------------------------

    def _in_portions(self, work: Callable[[Connection], int]) -> int:
        done = 0
        while portion := self._writer().commit(work):
            done += portion
        return done

    @contextmanager
    def _reading(self, *, patiently: bool = False) -> Iterator[Connection]:
        try:
            with self._database.reading(patiently=patiently) as connection:
                yield connection
        except SQLAlchemyError as cause:
            raise not_usable(cause, "read") from cause


class OutboxWriter:
    """What commits the deliveries' works.

    In a SQLite file the one that stores the pushes, whose turn to write is this process's turn. On a database server
    one of its own, with its own connection: whatever a worker waits for there, no sender waits with it.
    """

    def __init__(self, database: Database, of_pushes: GroupCommit):
        self._database, self._of_pushes = database, of_pushes
        self._own: GroupCommit | None = None
        self._making = Condition()

    def __call__(self) -> Writer:
        if self._database.path is not None:
            return self._of_pushes
        with self._making:
            if self._own is None:
                engine = self._database.engine_apart(1, WRITER_LIMITS)
                self._own = GroupCommit(_no_pushes, self._database.check_file, engine.connect, self._database.verify)
            return self._own

    def close(self) -> None:
        with self._making:
            if self._own is not None:
                self._own.close()


def deliveries_of(connection: Connection, push_id: str) -> tuple[Delivery, ...]:
    """Of one push, by the targets' names, each with what was tried."""
    tried: dict[str, list[Attempt]] = defaultdict(list)
    rows = connection.execute(select(DELIVERIES).where(_D.push_id == push_id).order_by(_D.target)).all()
    if rows:
        of_push = select(ATTEMPTS).where(ATTEMPTS.c.push_id == push_id).order_by(ATTEMPTS.c.target, ATTEMPTS.c.n)
        for row in connection.execute(of_push):
            tried[row.target].append(Attempt(row.n, row.at, row.outcome, row.said))
    return tuple(
        Delivery(row.target, DeliveryState(row.state), row.attempts, row.due_at, tuple(tried[row.target]))
        for row in rows
    )


def hold_of(connection: Connection, push_id: str) -> Hold | None:
    """Who looks after it says why it is kept; None: nobody does."""
    found = connection.execute(select(HOLDS.c.at, HOLDS.c.reason).where(HOLDS.c.push_id == push_id)).first()
    return None if found is None else Hold(found.at, found.reason)


def _figures(name: str, row: Any, counted: dict[str, int], oldest_at: datetime | None) -> TargetFigures:
    return TargetFigures(
        name=name,
        paused_at=None if row is None else row.paused_at,
        pending=counted.get(DeliveryState.PENDING.value, 0),
        forwarding=counted.get(DeliveryState.FORWARDING.value, 0),
        dead=counted.get(DeliveryState.DEAD_LETTER.value, 0),
        delivered=0 if row is None else row.delivered,
        failed_attempts=0 if row is None else row.failed_attempts,
        oldest_at=oldest_at,
    )


def _no_pushes(_connection: Connection, _pushes: Sequence[Any]) -> list[Any]:
    raise RuntimeError("pushes are stored by another writer")
