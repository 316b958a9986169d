"""The order in which works of one transaction are done. What is promised of it all: promises.py, on both stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import Connection, create_engine

from soapsvc.errors import StoreUnavailable
from soapsvc.inbox.group_commit import GroupCommit
from soapsvc.inbox.push_rows import NewPush, accepted_push
from soapsvc.records import Accepted
from tests.inbox.making import NOON, STRICT, push


def test_the_quarantine_is_locked_before_keys_and_keys_before_stored_pushes(tmp_path: Path) -> None:
    """Two machines that lock in another order wait for each other."""
    done: list[str] = []
    begun, go_on = Event(), Event()

    def store_all(_connection: Connection, pushes: Sequence[NewPush]) -> list[Accepted]:
        done.append(f"{len(pushes)} keys")
        return [Accepted(new.id, NOON, None) for new in pushes]

    def hold(_connection: Connection) -> None:
        begun.set()
        assert go_on.wait(60)

    engine = create_engine(f"sqlite:///{tmp_path}/any.db", connect_args={"check_same_thread": False})
    writer = GroupCommit(store_all, lambda: None, engine.connect, lambda _connection: None)
    first = Thread(target=writer.commit, args=(hold,))
    first.start()
    assert begun.wait(60)

    def noting(what: str) -> Callable[[Connection], None]:
        return lambda _connection: done.append(what)

    waiting = [
        Thread(target=writer.commit, args=(noting("stored push"), "a key")),
        Thread(target=writer.store, args=(accepted_push(push(1), STRICT),)),
        Thread(target=writer.commit, args=(noting("quarantine"),)),
        Thread(target=writer.store, args=(accepted_push(push(2), STRICT),)),
    ]
    for number, thread in enumerate(waiting, 1):
        thread.start()
        while len(writer._waiting) < number:
            pass
    go_on.set()
    for thread in [first, *waiting]:
        thread.join(60)
    writer.close()
    engine.dispose()
    assert done == ["quarantine", "2 keys", "stored push"]


def test_the_first_push_that_is_submitted_while_another_thread_writes_is_written_after_it(tmp_path: Path) -> None:
    begun, go_on, told = Event(), Event(), Event()
    outcomes: list[Accepted | Exception] = []

    def hold(_connection: Connection) -> None:
        begun.set()
        assert go_on.wait(60)

    def tell(outcome: Accepted | Exception) -> None:
        outcomes.append(outcome)
        told.set()

    engine = create_engine(f"sqlite:///{tmp_path}/any.db", connect_args={"check_same_thread": False})
    writer = GroupCommit(
        lambda _connection, pushes: [Accepted(new.id, NOON, None) for new in pushes],
        lambda: None,
        engine.connect,
        lambda _connection: None,
    )
    first = Thread(target=writer.commit, args=(hold,))
    first.start()
    assert begun.wait(60)
    new = accepted_push(push(), STRICT)
    writer.submit(new, tell)
    assert not told.is_set()
    go_on.set()
    assert told.wait(60)
    first.join(60)
    writer.close()
    engine.dispose()
    assert outcomes == [Accepted(new.id, NOON, None)]


def test_who_cannot_be_told_keeps_nobody_else_from_being_told(tmp_path: Path) -> None:
    begun, go_on, told = Event(), Event(), Event()
    outcomes: list[Accepted | Exception] = []

    def hold(_connection: Connection) -> None:
        begun.set()
        assert go_on.wait(60)

    def fail(_outcome: Accepted | Exception) -> None:
        raise OSError("nobody listens")

    def tell(outcome: Accepted | Exception) -> None:
        outcomes.append(outcome)
        told.set()

    engine = create_engine(f"sqlite:///{tmp_path}/any.db", connect_args={"check_same_thread": False})
    writer = GroupCommit(
        lambda _connection, pushes: [Accepted(new.id, NOON, None) for new in pushes],
        lambda: None,
        engine.connect,
        lambda _connection: None,
    )
    first = Thread(target=writer.commit, args=(hold,))
    first.start()
    assert begun.wait(60)
    news = [accepted_push(push(mrn), STRICT) for mrn in range(3)]
    for new in news:  # one transaction
        writer.submit(new, fail)
    last = accepted_push(push(3), STRICT)
    writer.submit(last, tell)
    go_on.set()
    assert told.wait(60)
    first.join(60)
    assert writer.store(news[0]) == Accepted(news[0].id, NOON, None)
    writer.close()
    writer.submit(last, tell)  # there is nobody any more who could store it
    engine.dispose()
    assert outcomes[0] == Accepted(last.id, NOON, None)
    assert isinstance(outcomes[1], StoreUnavailable)
