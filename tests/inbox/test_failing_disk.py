"""Disks and databases that fail: nothing is acknowledged, nothing is half there, and it ends by itself."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from soapsvc.errors import StoreError, StoreUnavailable
from soapsvc.inbox import push_writes
from soapsvc.inbox.push_rows import NewPush
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.records import Accepted, RefusedPush
from soapsvc.spool import Content, Spool
from tests.inbox.accepting import AskedProcess, push_of
from tests.inbox.conftest import DISK_BYTES, fill
from tests.inbox.making import (
    LARGE,
    MIB,
    REFUSED,
    STRICT,
    OpenStore,
    all_ids,
    assert_whole,
    document_of,
    push,
    refused,
    spooled,
    submitted,
)

IN_DOUBT = "whether this push was stored is not known"


def files_of(folder: Path) -> list[Path]:
    return sorted((folder / "inbox.db.files").glob("*/*"))


def assert_refused(store: SqlStore, mrn: int, size: int) -> None:
    with pytest.raises(StoreUnavailable) as told:
        store.accept(push(mrn, os.urandom(size)), STRICT)
    assert "inbox.db" not in str(told.value)
    assert "INSERT" not in str(told.value)
    (outcome,) = submitted(store, push(mrn, os.urandom(min(size, 100_000))))
    assert isinstance(outcome, StoreUnavailable)


@pytest.mark.parametrize("size", [50, 100_000, LARGE])
def test_a_full_disk_stores_nothing_and_recovers_when_there_is_room(
    small_disk: Path, open_on_small_disk: OpenStore, size: int
) -> None:
    store = open_on_small_disk()
    sent = push(1, os.urandom(size))
    accepted = store.accept(sent, STRICT)
    before = files_of(small_disk)
    filler = fill(small_disk)
    threads = [threading.Thread(target=assert_refused, args=(store, mrn, 100_000 + size)) for mrn in range(2, 14)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(StoreUnavailable):
        store.quarantine(refused(bytes(100_000)))
    assert all_ids(store) == [accepted.id]
    assert files_of(small_disk) == before
    filler.unlink()
    again = push(99, os.urandom(size))
    assert_whole(store, store.accept(again, STRICT), again)
    assert_whole(store, accepted, sent)
    store.check_writable()


@pytest.mark.parametrize("size", [3_000, 90_000, LARGE])
def test_a_disk_that_runs_full_keeps_what_was_acknowledged(
    small_disk: Path, open_on_small_disk: OpenStore, size: int
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(4 * MIB))
    store = open_on_small_disk()
    acknowledged = {}
    with contextlib.suppress(StoreUnavailable):
        for mrn in range(10_000):
            sent = push(mrn, os.urandom(size))
            acknowledged[store.accept(sent, STRICT)] = sent
        pytest.fail("the disk never ran full")
    assert len(acknowledged) >= 2
    assert sorted(all_ids(store)) == sorted(accepted.id for accepted in acknowledged)
    assert len(files_of(small_disk)) == (len(acknowledged) if size == LARGE else 0)
    ballast.unlink()
    sent = push(99_999, os.urandom(size))
    acknowledged[store.accept(sent, STRICT)] = sent
    store.close()
    reopened = open_on_small_disk()
    for accepted, sent in acknowledged.items():
        assert_whole(reopened, accepted, sent)


def test_a_full_disk_leaves_no_spool_file(small_disk: Path) -> None:
    filler = fill(small_disk)
    os.truncate(filler, filler.stat().st_size - 200_000)
    with pytest.raises(OSError, match="No space left"), Spool(small_disk) as spool:
        spooled(spool, [bytes(1000)] * 400)  # small pieces: what the last one leaves in the buffer fails once more
    assert list(small_disk.iterdir()) == [filler]


def test_refused_input_gives_way_on_a_disk_that_runs_full(small_disk: Path, open_on_small_disk: OpenStore) -> None:
    """The settings allow the quarantine more than the disk has: half of what is left is the bound then."""
    store = open_on_small_disk(quarantine_max_bytes=100 * MIB, quarantine_max_bytes_per_source=100 * MIB)
    for n in range(60):
        with contextlib.suppress(StoreUnavailable):
            store.quarantine(refused(os.urandom(LARGE), n))
    assert (store.free_bytes() or 0) > DISK_BYTES / 4
    sent = push(1, os.urandom(2 * MIB))
    assert_whole(store, store.accept(sent, STRICT), sent)


@pytest.mark.parametrize("mrn", [101, 100])  # in a row, in a file
def test_a_write_that_fails_in_the_middle_stores_nothing_and_recovers(
    inbox_file: Path, open_inbox: OpenStore, mrn: int
) -> None:
    """A limit on the size of files stands for a broken disk: a write fails, or the commit, wherever it meets it."""
    child = AskedProcess(inbox_file)
    try:
        acknowledged = [child.accept(1), child.accept(2)]
        _, hard = resource.prlimit(child.pid, resource.RLIMIT_FSIZE)
        for limit in (0, 2_000, 20_000, 40_000, 70_000, 110_000, 150_000):
            resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (limit, hard))
            for n in range(4):
                with contextlib.suppress(StoreUnavailable):
                    acknowledged.append(child.accept(mrn + 1000 * limit + 10 * n))
            resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (hard, hard))
            acknowledged.append(child.accept(mrn + 1000 * limit + 200))
    finally:
        child.end()
    store = open_inbox()
    assert len(acknowledged) < 2 + 7 * 5, "the limit was never met: this shows nothing"
    assert sorted(acknowledged) == sorted(all_ids(store))
    for row in store.rows(limit=None):
        assert row.job is not None
        sent = push_of(int(row.job.mrn or 0))
        assert_whole(store, store.accept(sent, STRICT), sent)
    stored_large = [row for row in store.rows(limit=None) if row.documents[0].size_bytes > 1000]
    assert len(files_of(inbox_file.parent)) == len(stored_large)


def test_files_of_a_commit_in_doubt_stay_until_the_database_could_be_asked(inbox_file: Path) -> None:
    """The file is written, and the WAL is already longer than the limit: the COMMIT itself reports an I/O error."""
    child = AskedProcess(inbox_file)
    try:
        for mrn in range(1, 400, 5):
            child.accept(mrn)
        limit = 500_000
        assert inbox_file.with_name("inbox.db-wal").stat().st_size > 2 * limit > 2 * LARGE
        _, hard = resource.prlimit(child.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (limit, hard))
        with pytest.raises(StoreUnavailable, match=f"reports an error; {IN_DOUBT}"):
            child.accept(1000)
        assert len(files_of(inbox_file.parent)) == 1
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (hard, hard))
        child.accept(2)
        assert files_of(inbox_file.parent) == []
        child.accept(1000)
        assert len(files_of(inbox_file.parent)) == 1
    finally:
        child.end()


def test_what_cannot_be_taken_out_of_quarantine_stays_there_and_leaves_no_file(
    inbox_file: Path, open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, sent = open_inbox(), push(document=os.urandom(LARGE), raw=Content.of(os.urandom(LARGE)))
    push_id = str(store.quarantine(RefusedPush(sent.arrival, sent.raw, REFUSED, sent)))
    before, files = store.stored(push_id), files_of(inbox_file.parent)
    quarantine_bytes = store.stats().quarantine_bytes

    def fail(connection: Connection, pushes: Sequence[NewPush]) -> None:
        assert len(files_of(inbox_file.parent)) == 2, "the document was not on disk before its row"
        raise RuntimeError

    with monkeypatch.context() as failing:
        failing.setattr(push_writes, "_insert_whole", fail)
        with pytest.raises(StoreUnavailable):
            store.accept_kept(push_id, sent, STRICT)
    assert (store.stored(push_id), files_of(inbox_file.parent)) == (before, files)
    assert store.stats().quarantine_bytes == quarantine_bytes
    assert_whole(store, store.accept_kept(push_id, sent, STRICT), sent)


def test_the_files_of_a_push_that_left_the_quarantine_in_doubt_stay(
    open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit takes place, and the look at the database after it fails."""
    store, sent = open_inbox(), push(document=os.urandom(LARGE))
    push_id = str(store.quarantine(RefusedPush(sent.arrival, sent.raw, REFUSED, sent)))
    checks = iter([None, OSError()])

    def check() -> None:
        if (trouble := next(checks, None)) is not None:
            raise trouble

    monkeypatch.setattr(store._writer, "_check", check)
    with pytest.raises(StoreUnavailable, match=IN_DOUBT):
        store.accept_kept(push_id, sent, STRICT)
    again = store.accept(sent, STRICT)
    assert (again.id, again.redelivery) == (push_id, True)
    assert_whole(store, again, sent)


def test_what_nobody_began_to_write_is_told_to_be_stored_nowhere(
    open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_inbox()

    @contextlib.contextmanager
    def turn() -> Iterator[None]:
        raise OSError("the lock cannot be had")
        yield

    with monkeypatch.context() as failing:
        failing.setattr(store._writer, "_turn", turn)
        with pytest.raises(StoreUnavailable, match="nothing was stored"):
            store.accept(push(1), STRICT)
    assert not store.accept(push(1), STRICT).redelivery


def test_what_a_writer_that_fails_has_begun_is_in_doubt(open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_inbox()

    def write(_gathered: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as failing:
        failing.setattr(store._writer, "_write", write)
        with pytest.raises(StoreUnavailable, match=IN_DOUBT):
            store.accept(push(1), STRICT)
    assert not store.accept(push(1), STRICT).redelivery


def test_a_locked_database_is_told_and_passes(
    inbox_file: Path, open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soapsvc.inbox.database.BUSY_SECONDS", 0.1)
    store = open_inbox()
    other = sqlite3.connect(inbox_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="busy"):
        store.accept(push(document=os.urandom(LARGE)), STRICT)
    assert files_of(inbox_file.parent) == []
    assert all_ids(store) == []  # readers do not wait for writers
    other.execute("COMMIT")
    other.close()
    assert store.accept(push(), STRICT).redelivery is False


def test_a_damaged_database_is_told(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    for mrn in range(50):
        store.accept(push(mrn, os.urandom(50_000)), STRICT)
    store.close()
    with inbox_file.open("r+b") as file:
        file.write(b"\xff" * 200)
    with pytest.raises(StoreUnavailable, match="damaged"):
        open_inbox()


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_database_that_was_taken_away_acknowledges_nothing(inbox_file: Path, open_inbox: OpenStore, how: str) -> None:
    store = open_inbox()
    store.accept(push(1), STRICT)
    inbox_file.rename(inbox_file.with_name("elsewhere.db"))
    if how == "replaced":
        inbox_file.touch()
    for mrn in (2, 3):
        with pytest.raises(StoreUnavailable):
            store.accept(push(mrn), STRICT)
    assert not inbox_file.exists() or inbox_file.stat().st_size == 0


def fail_once(store: SqlStore, inbox_file: Path) -> None:
    """A failure that ends by itself, and that leaves nothing behind: the file is away for a moment."""
    elsewhere = inbox_file.rename(inbox_file.with_name("elsewhere.db"))
    with pytest.raises(StoreUnavailable):
        store.check_writable()
    elsewhere.rename(inbox_file)


def test_an_acknowledged_push_that_is_gone_after_a_failure_stops_the_store(
    inbox_file: Path, open_inbox: OpenStore
) -> None:
    """A disk that lost what it had confirmed: whoever goes on acknowledging would hide it."""
    store = open_inbox()
    store.accept(push(1), STRICT)
    with contextlib.closing(sqlite3.connect(inbox_file, isolation_level=None)) as other:
        other.execute("PRAGMA foreign_keys = ON")
        other.execute("DELETE FROM pushes")
    fail_once(store, inbox_file)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="damaged"):
            store.accept(push(2), STRICT)


@pytest.mark.parametrize("size", [50, LARGE])
def test_an_acknowledged_content_that_was_altered_stops_the_store_after_a_failure(
    inbox_file: Path, open_inbox: OpenStore, size: int
) -> None:
    store = open_inbox()
    store.accept(push(1, os.urandom(size)), STRICT)
    if size == LARGE:
        os.truncate(files_of(inbox_file.parent)[0], LARGE - 1)
    else:
        with contextlib.closing(sqlite3.connect(inbox_file, isolation_level=None)) as other:
            other.execute("UPDATE contents SET inline = zeroblob(length(inline))")
    fail_once(store, inbox_file)
    with pytest.raises(StoreUnavailable, match="damaged"):
        store.accept(push(2), STRICT)


def test_what_was_committed_is_synced_afresh_after_a_failure(inbox_file: Path, open_inbox: OpenStore) -> None:
    """By a checkpoint, which begins the WAL anew."""
    store = open_inbox()
    for mrn in range(10):
        store.accept(push(mrn, os.urandom(50_000)), STRICT)
    wal = inbox_file.with_name("inbox.db-wal")
    before = wal.stat().st_size
    fail_once(store, inbox_file)
    store.check_writable()
    assert wal.stat().st_size < 50_000 < before


def test_a_lock_that_was_not_had_leaves_nothing_to_verify(
    inbox_file: Path, open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verifying needs the WAL for itself: a reader that stays would keep everything from being accepted."""
    monkeypatch.setattr("soapsvc.inbox.database.BUSY_SECONDS", 0.1)
    store = open_inbox()
    store.accept(push(1), STRICT)
    connect = partial(sqlite3.connect, inbox_file, isolation_level=None)
    with contextlib.closing(connect()) as reader, contextlib.closing(connect()) as writer:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM pushes").fetchall()
        store.accept(push(2), STRICT)
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="busy"):
            store.accept(push(3), STRICT)
        writer.execute("ROLLBACK")
        store.accept(push(3), STRICT)


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_wal_that_was_taken_away_acknowledges_nothing(inbox_file: Path, open_inbox: OpenStore, how: str) -> None:
    store = open_inbox()
    store.accept(push(1), STRICT)
    wal = inbox_file.with_name("inbox.db-wal")
    wal.rename(inbox_file.with_name("elsewhere.db-wal"))
    if how == "replaced":
        wal.touch()
    for mrn in (2, 3):
        with pytest.raises(StoreUnavailable, match="damaged"):
            store.accept(push(mrn), STRICT)


def test_a_wal_that_is_taken_away_during_a_commit_acknowledges_nothing(
    inbox_file: Path, open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_inbox()
    store.accept(push(1), STRICT)
    store_all = push_writes.store_all

    def store_and_remove(connection: Connection, pushes: Sequence[NewPush]) -> list[Accepted]:
        inbox_file.with_name("inbox.db-wal").unlink()
        return store_all(connection, pushes)

    monkeypatch.setattr(push_writes, "store_all", store_and_remove)
    with pytest.raises(StoreUnavailable, match=f"damaged .*; {IN_DOUBT}"):
        store.accept(push(2), STRICT)


def test_the_wal_stays_the_same_file_through_failures(open_inbox: OpenStore) -> None:
    """Also where nobody reads: SQLite removes it with the last connection."""
    store = open_inbox()
    for mrn in range(3):
        store.accept(push(mrn), STRICT)
        store._database.reader.dispose()
        with pytest.raises(StoreUnavailable):
            store._writer.commit(lambda connection: connection.exec_driver_sql("SELECT * FROM nothing"))
    assert not store.accept(push(3), STRICT).redelivery


@pytest.mark.parametrize("which", ["inbox.db.files", "inbox.db.files/*", "inbox.db.spool", "inbox.db.spool/*"])
def test_a_directory_that_vanishes_is_made_again(inbox_file: Path, open_inbox: OpenStore, which: str) -> None:
    store = open_inbox()

    def accept(mrn: int) -> None:
        with Spool(store.spool_directory) as spool:
            sent = push(mrn, documents=(document_of(spooled(spool, [os.urandom(LARGE)])),))
            assert_whole(store, store.accept(sent, STRICT), sent)

    accept(1)
    spool_directory = store.spool_directory
    for directory in list(inbox_file.parent.glob(which)):
        if directory.is_dir():
            shutil.rmtree(directory)
    accept(2)
    assert store.spool_directory == spool_directory, "waitress was told where it is, once"
    store.close()
    open_inbox().check_writable()


def test_a_spool_that_was_made_again_is_not_cleared_away(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    shutil.rmtree(store.spool_directory)
    made_again = store.spool_directory
    open_inbox()
    assert made_again.is_dir()


def test_a_store_whose_directories_cannot_be_made_is_not_writable(inbox_file: Path, open_inbox: OpenStore) -> None:
    for suffix in (".files", ".spool"):
        store = open_inbox()
        store.check_writable()
        directory = inbox_file.with_name(f"inbox.db{suffix}")
        shutil.rmtree(directory)
        directory.touch()
        with pytest.raises(StoreUnavailable):
            store.check_writable()
        directory.unlink()
        store.check_writable()


def test_a_spooled_document_that_was_cut_short_is_not_stored(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    with Spool(store.spool_directory) as spool:
        content = spooled(spool, [bytes(LARGE)])
        assert content.path is not None
        os.truncate(content.path, LARGE - 1)
        with pytest.raises(StoreUnavailable):
            store.accept(push(documents=(document_of(content),)), STRICT)
    assert files_of(inbox_file.parent) == []
    assert all_ids(store) == []


def test_looking_at_an_inbox_that_is_not_there_makes_none(inbox_file: Path, open_inbox: OpenStore) -> None:
    with pytest.raises(StoreError, match=r"no inbox at .*inbox\.db"):
        open_inbox(create=False)
    assert list(inbox_file.parent.iterdir()) == []


def test_a_closed_store_stores_nothing_more(open_inbox: OpenStore) -> None:
    store = open_inbox()
    store.accept(push(1), STRICT)
    store.close()
    with pytest.raises(StoreUnavailable):
        store.accept(push(2), STRICT)
