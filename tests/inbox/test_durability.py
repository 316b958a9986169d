"""What is on disk before a push is acknowledged, in which order, and in how many commits."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from soapsvc.errors import StoreError
from soapsvc.inbox import push_writes, totals
from soapsvc.inbox.database import Database, inbox_url
from soapsvc.inbox.group_commit import GroupCommit
from soapsvc.inbox.push_rows import accepted_push
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.inbox.tables import ARRIVALS, PUSHES
from soapsvc.spool import Spool
from tests.inbox.making import LARGE, STRICT, OpenStore, document_of, push, spooled


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What was done, in order: fsync and link with the inode that they were done to, commit with 0."""
    told: list[tuple[str, int]] = []
    fsync, link = os.fsync, os.link

    def told_fsync(handle: int) -> None:
        fsync(handle)
        told.append(("fsync", os.fstat(handle).st_ino))

    def told_link(source: Path, target: Path) -> None:
        link(source, target)
        told.append(("link", target.stat().st_ino))

    monkeypatch.setattr(os, "fsync", told_fsync)
    monkeypatch.setattr(os, "link", told_link)
    return told


def tell_commits(store: SqlStore, done: list[tuple[str, int]]) -> None:
    event.listen(store._database.writer, "commit", lambda connection: done.append(("commit", 0)))


@pytest.mark.parametrize("comes", ["in memory", "spooled"])
def test_a_large_content_and_every_name_on_the_way_to_it_are_synced_before_the_commit(
    inbox_file: Path, open_inbox: OpenStore, done: list[tuple[str, int]], comes: str
) -> None:
    store = open_inbox()
    tell_commits(store, done)
    with Spool(store.spool_directory) as spool:
        content = os.urandom(LARGE)
        held = spooled(spool, [content]) if comes == "spooled" else content
        done.clear()
        store.accept(push(documents=(document_of(held),)), STRICT)
    (file,) = inbox_file.with_name("inbox.db.files").glob("*/*")
    inode = file.stat().st_ino
    assert done.count(("commit", 0)) == 1
    assert (("link", inode) in done) == (comes == "spooled")
    before_commit = done[: done.index(("commit", 0))]
    synced_file = before_commit.index(("fsync", inode))
    assert ("fsync", file.parent.stat().st_ino) in before_commit[synced_file:], "the name of the file"
    assert ("fsync", file.parents[1].stat().st_ino) in before_commit, "the name of its directory"
    assert ("fsync", file.parents[2].stat().st_ino) in before_commit, "the name of the directory of all"


def test_the_name_of_each_file_is_synced_also_in_a_directory_that_is_known(
    inbox_file: Path, open_inbox: OpenStore, done: list[tuple[str, int]]
) -> None:
    store = open_inbox()
    tell_commits(store, done)
    store.accept(push(0, os.urandom(LARGE)), STRICT)
    for mrn in (1, 2):
        done.clear()
        store.accept(push(mrn, os.urandom(LARGE)), STRICT)
        file = max(inbox_file.with_name("inbox.db.files").glob("*/*"), key=lambda path: path.stat().st_ctime_ns)
        assert done == [("fsync", file.stat().st_ino), ("fsync", file.parent.stat().st_ino), ("commit", 0)]


def test_the_name_of_a_new_database_is_synced(tmp_path: Path, done: list[tuple[str, int]]) -> None:
    file = tmp_path / "new" / "inbox.db"
    Database(inbox_url(f"sqlite:///{file}"), create=True).close()
    assert ("fsync", file.parent.stat().st_ino) in done
    assert ("fsync", tmp_path.stat().st_ino) in done


class Careless(sqlite3.Connection):
    """Answers what it is asked, and does not do what it is told."""

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        told = "PRAGMA synchronous = "
        return super().execute(told + "1" if statement.startswith(told) else statement, *parameters)


def test_a_connection_that_does_not_sync_its_commits_is_refused(
    open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Careless))
    with pytest.raises(StoreError):
        open_inbox()


def test_what_waits_is_committed_together(inbox_file: Path, open_inbox: OpenStore) -> None:
    database = Database(inbox_url(f"sqlite:///{inbox_file}"), create=True)
    commits: list[object] = []
    event.listen(database.writer, "commit", commits.append)
    writer = GroupCommit(push_writes.store_all, database.check_file, database.writer.connect, database.verify)
    begun, go_on = threading.Event(), threading.Event()

    def hold_up(connection: object) -> None:
        begun.set()
        go_on.wait()

    threads = [threading.Thread(target=writer.commit, args=(hold_up,))]
    threads[0].start()
    begun.wait()
    new = [accepted_push(push(mrn), STRICT) for mrn in range(64)]
    threads += [threading.Thread(target=writer.store, args=(one,)) for one in new]
    for thread in threads[1:]:
        thread.start()
    while len(writer._waiting) < 64:
        threads[-1].join(0.01)
    go_on.set()
    for thread in threads:
        thread.join()
    writer.close()
    assert len(commits) == 2
    with database.reader.connect() as connection:
        assert len(connection.execute(select(PUSHES.c.id)).all()) == 64
    database.close()


def test_of_a_push_that_is_repeated_without_end_the_first_thousand_arrivals_are_kept(
    inbox_file: Path, open_inbox: OpenStore
) -> None:
    database = Database(inbox_url(f"sqlite:///{inbox_file}"), create=True)
    with database.writer.connect() as connection, connection.begin():
        with totals.gathering(connection):
            for _ in range(1003):
                push_writes.store_all(connection, [accepted_push(push(), STRICT)])
        assert connection.execute(select(PUSHES.c.redeliveries)).scalar_one() == 1002
        assert [n for (n,) in connection.execute(select(ARRIVALS.c.n))] == list(range(1, 1001))
    database.close()


def test_opening_an_inbox_again_leaves_the_locks_of_who_has_it_open(inbox_file: Path, open_inbox: OpenStore) -> None:
    """To close any handle on a file drops all locks of the process on it, those of SQLite too."""
    store = open_inbox()
    store.check_writable()
    open_inbox().close()
    open_inbox(create=False).close()
    with closing(sqlite3.connect(inbox_file)) as other:
        other.execute("SELECT * FROM pushes").fetchall()
    locks = Path("/proc/locks")
    if not locks.exists():
        pytest.skip("who holds which locks is only told by Linux")
    inode = inbox_file.stat().st_ino
    held = [line for line in locks.read_text().splitlines() if f":{inode} " in line and f" {os.getpid()} " in line]
    assert held != []
