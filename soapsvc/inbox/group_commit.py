"""One writer at a time: it commits in one transaction what requests have handed over meanwhile.

    request threads:  commit(work), store(push) ──► queue ─┐                              ┌─► each gets its own result
    one of them:                                           └─ BEGIN, pushes, work, … COMMIT
    the server's thread:  submit(push, told) ──► queue, and goes on; told from the thread that has written

A fsync costs the same for one push and for fifty, and threads that each commit for themselves wait for the lock. Who
finds nobody writing writes, its own work and whatever waits, and then hands the writing on to the first that has come
since: a thread for it alone would be two more changes of threads for each, which cost more than the storing. For what
is submitted, many at once and by a thread that must not wait, there is such a thread, and they share its changes. The
pushes of one transaction are stored together: a database on another machine is asked once for all of them.
"""

from __future__ import annotations

import contextlib
from _thread import allocate_lock
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Condition, Semaphore, Thread
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from soapsvc.errors import StoreError, StoreUnavailable
from soapsvc.inbox import totals
from soapsvc.inbox.failures import in_doubt, is_busy, is_deadlock, not_stored, perhaps_stored
from soapsvc.inbox.push_rows import NewPush
from soapsvc.records import Accepted

_LOG = structlog.get_logger(__name__)
T = TypeVar("T")
Turn = Callable[[], AbstractContextManager[None]]
StoreAll = Callable[[Connection, Sequence[NewPush]], list[Accepted]]
Work = Callable[[Connection], T]
Do = Callable[[Connection, Work[Any]], Any]
Told = Callable[[Accepted | Exception], None]

DEADLOCK_ATTEMPTS = 3  # of one transaction; each time at least one of those that wait for each other gets through
MAX_GATHERED = 64  # in one transaction; beyond 16 a commit gets hardly cheaper a push, and the wait grows


class _Waiting:
    """A request that waits for its commit.

    work     what it wants done; a NewPush: wants to be stored
    order    works of one transaction run in this order, so that two nodes lock the same rows in the same order; "":
             before all pushes
    outcome  what came of it, an exception included; None: nothing yet
    wake     held until there is an outcome, or until the thread that waits is to write
    """

    __slots__ = ("order", "outcome", "wake", "work")

    def __init__(self, work: Work[Any] | NewPush, order: str):
        self.work, self.order = work, order
        self.outcome: _Outcome | None = None
        self.wake = allocate_lock()
        self.wake.acquire()

    def end(self, value: Any, *, failed: bool = False) -> None:
        self.outcome = _Outcome(value, failed)
        self.wake.release()

    def lead(self) -> None:
        """Its thread is to write."""
        self.wake.release()


class _Submitted(_Waiting):
    """A push that nobody waits for.

    told  of its outcome, by the thread that has written
    turn  released where it is this one's thread that is to write
    """

    __slots__ = ("_told", "_turn")

    def __init__(self, new: NewPush, told: Told, turn: Semaphore):
        super().__init__(new, str(new.push["idempotency_key"]))
        self._told, self._turn = told, turn

    def end(self, value: Any, *, failed: bool = False) -> None:
        self.outcome = _Outcome(value, failed)
        try:
            self._told(value)
        except Exception:  # the others of the transaction are told all the same
            _LOG.exception("outcome of a push not told")

    def lead(self) -> None:
        self._turn.release()


@dataclass(frozen=True, slots=True)
class _Outcome:
    value: Any
    failed: bool


class GroupCommit:
    """Runs works in shared transactions on a connection of its own.

    store_all        what stores the pushes of one transaction
    check            called before and after each transaction: raises when the database is not to be written
    open_connection  a connection whose transactions write; called again after each failure
    verify           called on the first connection after a failure, before anything else is committed: raises when
                     what was acknowledged is not there. A second fsync after a failed one says yes and lies, so
                     nothing that was begun before a failure is ever finished after it.
    turn             a context in which no other process writes: entered before the waiting are gathered, so that those
                     who come meanwhile are in one transaction too
    """

    def __init__(
        self,
        store_all: StoreAll,
        check: Callable[[], None],
        open_connection: Callable[[], Connection],
        verify: Callable[[Connection], None],
        turn: Turn = nullcontext,
    ):
        self._store_all, self._turn = store_all, turn
        self._check, self._open_connection, self._verify = check, open_connection, verify
        self._waiting: list[_Waiting] = []
        self._changed = Condition()
        self._writing = False  # some thread is at it
        self._closing = False
        self._turn_of_submitted = Semaphore(0)
        self._submitted_writer: Thread | None = None  # made when there is something for it
        self._connection: Connection | None = None
        self._failed = False

    def commit(self, work: Work[T], order: str = "") -> T:
        """What the work returns, once its transaction is on disk.

        The work gets the connection. It may be run again from the beginning; when it raises, only it is undone.
        Errors  StoreUnavailable: it is not stored; CommitInDoubt: nobody knows yet; StoreError as the work raises it
        """
        result: T = self._wait(_Waiting(work, order))
        return result

    def store(self, new: NewPush) -> Accepted:
        """The push stored, or counted, once that is on disk. Errors: as of commit()."""
        accepted: Accepted = self._wait(_Waiting(new, str(new.push["idempotency_key"])))
        return accepted

    def submit(self, new: NewPush, told: Told) -> None:
        """store() for a thread that does not wait: what that would return or raise is told, by another thread where
        one is needed to know it."""
        waiting = _Submitted(new, told, self._turn_of_submitted)
        try:
            with self._changed:
                self._must_be_open()
                if self._submitted_writer is None:
                    writer = Thread(target=self._write_submitted, name="inbox-writer", daemon=True)
                    writer.start()
                    self._submitted_writer = writer
                leads = self._queue(waiting)
        except StoreUnavailable as closing:
            told(closing)
        except RuntimeError as no_thread:
            told(not_stored(no_thread, "writer"))
        else:
            if leads:
                waiting.lead()

    def _write_submitted(self) -> None:
        while True:
            self._turn_of_submitted.acquire()
            if not self._writing:  # closed
                return
            self._write_waiting()

    def _queue(self, waiting: _Waiting) -> bool:
        """Whether it is the one that is to write. Errors: StoreUnavailable: nothing is taken any more."""
        with self._changed:
            self._must_be_open()
            self._waiting.append(waiting)
            leads, self._writing = not self._writing, True
            return leads

    def _must_be_open(self) -> None:
        if self._closing:
            raise StoreUnavailable("The receiver is shutting down; this push was not stored. Send it again.")

    def _wait(self, waiting: _Waiting) -> Any:
        if not self._queue(waiting):
            waiting.wake.acquire()
        if waiting.outcome is None:
            self._write_waiting()
        outcome = waiting.outcome
        assert outcome is not None, "it was the first that waited, so it was gathered"
        try:
            if outcome.failed:
                raise outcome.value
            return outcome.value
        finally:  # else the error has this frame, which has the error: a cycle, with all that the frames above it hold
            del outcome, waiting

    def close(self) -> None:
        """Finish what has been handed over, then let go of the connection."""
        with self._changed:
            self._closing = True
            while self._writing:
                self._changed.wait()
        if self._submitted_writer is not None:
            self._turn_of_submitted.release()
            self._submitted_writer.join()
        self._drop_connection()

    def _write_waiting(self) -> None:
        """Write what waits, and let the first that came meanwhile write next."""
        gathered: list[_Waiting] = []
        try:
            with self._turn():
                gathered = self._gather()
                self._write(gathered)
        except BaseException as cause:  # were nobody told, every request from now on would wait for ever
            self._after_failure()
            if gathered:
                left = [waiting for waiting in gathered if waiting.outcome is None]
                _refuse(left, perhaps_stored(cause, "writer"))
            else:
                _refuse(self._gather(), not_stored(cause, "writer"))
            if not isinstance(cause, Exception):
                raise
        finally:
            with self._changed:
                self._writing = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].lead()
                self._changed.notify_all()

    def _gather(self) -> list[_Waiting]:
        with self._changed:
            gathered, self._waiting = self._waiting[:MAX_GATHERED], self._waiting[MAX_GATHERED:]
        return sorted(gathered, key=lambda waiting: waiting.order)

    def _write(self, gathered: list[_Waiting], attempts: int = DEADLOCK_ATTEMPTS, *, each_apart: bool = False) -> None:
        """One transaction. each_apart: what fails is undone alone, which costs two more statements for each."""
        try:
            self._check()
            connection = self._connected()
            transaction = connection.begin()
        except Exception as cause:
            if not is_busy(cause):  # nothing was written: there is nothing to be verified after it
                self._after_failure()
            _refuse(gathered, not_stored(cause, "begin"))
            return
        try:
            with totals.gathering(connection):
                outcomes = self._outcomes(connection, gathered, _in_savepoint if each_apart else _at_once)
        except Exception as cause:
            if is_deadlock(cause) and attempts > 1:  # two machines wanted the same rows: the server chose this one
                transaction.rollback()
                self._write(gathered, attempts - 1, each_apart=each_apart)
                return
            if not each_apart and not _concerns_all(cause):
                transaction.rollback()
                self._write(gathered, attempts, each_apart=True)
                return
            self._after_failure()
            _refuse(gathered, not_stored(cause, "write"))
            return
        try:
            transaction.commit()
        except Exception as cause:
            self._after_failure()
            _refuse(gathered, (perhaps_stored if in_doubt(cause) else not_stored)(cause, "commit"))
            return
        try:
            self._check()  # once more: it may have gone into a file that has no name any more
        except Exception as cause:
            self._after_failure()
            _refuse(gathered, perhaps_stored(cause, "commit"))
            return
        for waiting, outcome in zip(gathered, outcomes, strict=True):
            if isinstance(outcome, Exception):
                waiting.end(outcome if isinstance(outcome, StoreError) else not_stored(outcome, "push"), failed=True)
            else:
                waiting.end(outcome)

    def _outcomes(self, connection: Connection, gathered: list[_Waiting], do: Do) -> list[Any]:
        """What each brought, in their order: its result, or the exception that undid it alone.

        Two nodes lock in the same order: the quarantine, which works without an order are about, then new keys, then
        pushes that are stored, and at the end the sums (totals.py).
        """
        early = [w.work for w in gathered if not w.order and not isinstance(w.work, NewPush)]
        quarantine = [do(connection, work) for work in early]
        stored = iter(self._stored(connection, [w.work for w in gathered if isinstance(w.work, NewPush)], do))
        return quarantine + [
            next(stored) if isinstance(waiting.work, NewPush) else do(connection, waiting.work)
            for waiting in gathered[len(quarantine) :]
        ]

    def _stored(self, connection: Connection, pushes: list[NewPush], do: Do) -> list[Any]:
        if not pushes:
            return []
        together = do(connection, lambda connection: self._store_all(connection, pushes))
        if isinstance(together, list):
            return together
        if len(pushes) == 1:
            return [together]
        return [outcome for new in pushes for outcome in self._stored(connection, [new], do)]  # which one is it?

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._open_connection()
            try:
                if self._failed:
                    self._verify(connection)
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
            self._connection, self._failed = connection, False
        return self._connection

    def _after_failure(self) -> None:
        self._failed = True
        self._drop_connection()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(Exception):  # it failed before: how it goes does not matter, that it goes does
                connection.invalidate()
            with contextlib.suppress(Exception):
                connection.close()


def _at_once(connection: Connection, work: Work[Any]) -> Any:
    return work(connection)


def _in_savepoint(connection: Connection, work: Work[Any]) -> Any:
    """The work's result, or the exception that undid it alone. What concerns the database as a whole is raised."""
    connection.exec_driver_sql("SAVEPOINT one_work")
    sums = totals.gathered(connection)
    try:
        outcome = work(connection)
    except Exception as cause:
        if _concerns_all(cause):
            raise
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT one_work")
        totals.go_back(connection, sums)
        outcome = cause
    connection.exec_driver_sql("RELEASE SAVEPOINT one_work")
    return outcome


def _concerns_all(cause: Exception) -> bool:
    """Whether it is the database that fails, not one work."""
    return isinstance(cause, DBAPIError) and not isinstance(cause, IntegrityError | DataError)


def _refuse(gathered: list[_Waiting], refusal: StoreUnavailable) -> None:
    for waiting in gathered:  # each its own: a traceback is not to be shared among threads
        waiting.end(type(refusal)(str(refusal)), failed=True)
