"""One writer a process: it commits in one transaction what requests have handed over meanwhile.

    request threads:  commit(work) ──► queue ─┐                      ┌─► each gets its own result
    writer thread:                            └─ BEGIN, work, work, … COMMIT

A fsync costs the same for one push and for fifty, and threads that each commit for themselves wait for the lock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from soapsvc.errors import StoreError, StoreUnavailable
from soapsvc.inbox.failures import CommitInDoubt, in_doubt, is_busy, not_stored

T = TypeVar("T")
Work = Callable[[Connection], T]

MAX_GATHERED = 64  # in one transaction; beyond 16 a commit gets hardly cheaper a push, and the wait grows


@dataclass(slots=True)
class _Waiting:
    """A request that waits for its commit.

    order  works of one transaction run in this order, so that two nodes lock the same rows in the same order
    """

    work: Work[Any]
    order: str
    result: Future[Any] = field(default_factory=Future)


class GroupCommit:
    """Runs works in shared transactions on a connection of its own.

    check            called before and after each transaction: raises when the database is not to be written
    open_connection  a connection whose transactions write; called again after each failure
    verify           called on the first connection after a failure, before anything else is committed: raises when
                     what was acknowledged is not there. A second fsync after a failed one says yes and lies, so
                     nothing that was begun before a failure is ever finished after it.
    """

    def __init__(
        self,
        check: Callable[[], None],
        open_connection: Callable[[], Connection],
        verify: Callable[[Connection], None],
    ):
        self._check, self._open_connection, self._verify = check, open_connection, verify
        self._waiting: list[_Waiting] = []
        self._changed = Condition()
        self._closing = False
        self._thread: Thread | None = None
        self._connection: Connection | None = None
        self._failed = False

    def commit(self, work: Work[T], order: str = "") -> T:
        """What the work returns, once its transaction is on disk.

        The work gets the connection, and runs in a savepoint: when it raises, only it is undone.
        Errors  StoreUnavailable: it is not stored; CommitInDoubt: nobody knows yet; StoreError as the work raises it
        """
        waiting = _Waiting(work, order)
        with self._changed:
            if self._closing:
                raise StoreUnavailable("The receiver is shutting down; this push was not stored. Send it again.")
            if self._thread is None:  # not before it is needed: readers never write
                self._thread = Thread(target=self._run, name="inbox-writer", daemon=True)
                self._thread.start()
            self._waiting.append(waiting)
            self._changed.notify()
        result: T = waiting.result.result()
        return result

    def close(self) -> None:
        """Finish what has been handed over, then let go of the connection."""
        with self._changed:
            self._closing = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while gathered := self._gather():
            try:
                self._write(gathered)
            except BaseException as cause:  # were this thread to end, every request from now on would wait for ever
                self._after_failure()
                _refuse(
                    [waiting for waiting in gathered if not waiting.result.done()],
                    CommitInDoubt(str(not_stored(cause, "writer"))),
                )
        self._drop_connection()

    def _gather(self) -> list[_Waiting]:
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            gathered, self._waiting = self._waiting[:MAX_GATHERED], self._waiting[MAX_GATHERED:]
        return sorted(gathered, key=lambda waiting: waiting.order)

    def _write(self, gathered: list[_Waiting]) -> None:
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
            outcomes = [_in_savepoint(connection, waiting.work) for waiting in gathered]
        except Exception as cause:
            self._after_failure()
            _refuse(gathered, not_stored(cause, "write"))
            return
        try:
            transaction.commit()
        except Exception as cause:
            self._after_failure()
            refusal = not_stored(cause, "commit")
            _refuse(gathered, CommitInDoubt(str(refusal)) if in_doubt(cause) else refusal)
            return
        try:
            self._check()  # once more: it may have gone into a file that has no name any more
        except Exception as cause:
            self._after_failure()
            _refuse(gathered, CommitInDoubt(str(not_stored(cause, "commit"))))
            return
        for waiting, outcome in zip(gathered, outcomes, strict=True):
            if isinstance(outcome, Exception):
                waiting.result.set_exception(
                    outcome if isinstance(outcome, StoreError) else not_stored(outcome, "push")
                )
            else:
                waiting.result.set_result(outcome)

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


def _in_savepoint(connection: Connection, work: Work[Any]) -> Any:
    """The work's result, or the exception that undid it alone. What concerns the database as a whole is raised."""
    connection.exec_driver_sql("SAVEPOINT one_push")
    try:
        outcome = work(connection)
    except Exception as cause:
        if isinstance(cause, DBAPIError) and not isinstance(cause, IntegrityError | DataError):
            raise
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT one_push")
        outcome = cause
    connection.exec_driver_sql("RELEASE SAVEPOINT one_push")
    return outcome


def _refuse(gathered: list[_Waiting], refusal: StoreUnavailable) -> None:
    for waiting in gathered:  # each its own: a traceback is not to be shared among threads
        waiting.result.set_exception(type(refusal)(str(refusal)))
