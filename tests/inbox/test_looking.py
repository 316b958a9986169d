"""Those who only look at an inbox: they change nothing, need no right to, and are told what is in the way."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from soapsvc.errors import StoreError, StoreUnavailable
from soapsvc.inbox.sql_store import open_store
from tests.inbox.accepting import PROCESSES, AcceptingProcess
from tests.inbox.making import LARGE, STRICT, OpenStore, all_ids, assert_whole, push

NOBODY = 65534


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_looking_leaves_no_trace(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    sent = push(document=os.urandom(LARGE))
    accepted = store.accept(sent, STRICT)
    store.close()
    inbox_file.with_name("inbox.db.lock").unlink()
    before = content_of(inbox_file.parent)
    looking = open_inbox(create=False)
    assert_whole(looking, accepted, sent)
    assert looking.stats().accepted == 1
    looking.close()
    assert content_of(inbox_file.parent) == before


def test_whoever_looks_cannot_store(inbox_file: Path, open_inbox: OpenStore) -> None:
    open_inbox()
    with pytest.raises(StoreUnavailable, match="read-only"):
        open_inbox(create=False).accept(push(), STRICT)


def test_a_look_is_at_what_is_committed_now(open_inbox: OpenStore) -> None:
    """Also where the receiver was started after the look began."""
    open_inbox().close()
    looking = open_inbox(create=False)
    assert all_ids(looking) == []
    accepted = open_inbox().accept(push(), STRICT)
    assert all_ids(looking) == [accepted.id]


def test_what_a_killed_receiver_left_is_seen(inbox_file: Path, open_inbox: OpenStore) -> None:
    child = AcceptingProcess(inbox_file, 1)
    told = child.told(10) + child.kill()
    assert {push_id for push_id, _ in told} <= set(all_ids(open_inbox(create=False)))


@pytest.mark.parametrize("holds", ["nothing", "another table"])
def test_a_file_that_is_no_inbox_stays_as_it_is(inbox_file: Path, open_inbox: OpenStore, holds: str) -> None:
    inbox_file.touch()
    if holds == "another table":
        with closing(sqlite3.connect(inbox_file)) as other:
            other.execute("CREATE TABLE pushes (id INTEGER)")
    before = content_of(inbox_file.parent)
    with pytest.raises(StoreError, match="is no inbox"):
        open_inbox(create=False)
    assert content_of(inbox_file.parent) == before


@pytest.mark.parametrize(("revision", "told"), [("0000", "older soapsvc"), ("9999", "newer soapsvc")])
def test_an_inbox_of_another_version_is_not_migrated_by_a_look(
    inbox_file: Path, open_inbox: OpenStore, revision: str, told: str
) -> None:
    open_inbox().close()
    with closing(sqlite3.connect(inbox_file, isolation_level=None)) as other:
        other.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    before = content_of(inbox_file.parent)
    with pytest.raises(StoreError, match=told):
        open_inbox(create=False)
    assert content_of(inbox_file.parent) == before


@pytest.mark.parametrize("left", ["closed", "as a kill leaves it"])
def test_an_inbox_on_a_read_only_mount_can_be_looked_at(
    small_disk: Path, open_on_small_disk: OpenStore, tmp_path: Path, left: str
) -> None:
    store = open_on_small_disk()
    sent = push(document=os.urandom(LARGE))
    accepted = store.accept(sent, STRICT)
    if left == "closed":
        store.close()
    else:
        shutil.copytree(small_disk, tmp_path / "copy")
        store.close()
        shutil.copytree(tmp_path / "copy", small_disk, dirs_exist_ok=True)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert_whole(open_on_small_disk(create=False), accepted, sent)
    with pytest.raises(StoreUnavailable, match="read-only"):
        open_on_small_disk()


@pytest.fixture
def public_inbox() -> Iterator[Path]:
    """In a directory that everybody may read; pytest's own are for their owner."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    folder = Path(tempfile.mkdtemp(prefix="soapsvc-look-"))
    folder.chmod(0o755)
    yield folder / "inbox.db"
    shutil.rmtree(folder)


def seen_by_nobody(inbox_file: Path) -> object:
    """Ids of the pushes, or the sentence that a user without any rights is told."""
    answered, answer = PROCESSES.Pipe(duplex=False)
    child = PROCESSES.Process(target=_look_as_nobody, args=(f"sqlite:///{inbox_file}", answer))
    child.start()
    answer.close()
    seen = answered.recv()
    child.join()
    return seen


def _look_as_nobody(url: str, answer: Connection) -> None:
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    try:
        store = open_store(url, quarantine_max_bytes=0, quarantine_max_bytes_per_source=0, create=False)
        answer.send(all_ids(store))
        store.close()
    except StoreError as error:
        answer.send(str(error))


@pytest.mark.parametrize("running", [True, False])
def test_another_users_inbox_can_be_looked_at(public_inbox: Path, running: bool) -> None:
    store = open_store(f"sqlite:///{public_inbox}", quarantine_max_bytes=0, quarantine_max_bytes_per_source=0)
    try:
        accepted = store.accept(push(), STRICT)
        if not running:
            store.close()
        for file in public_inbox.parent.glob("inbox.db*"):
            file.chmod(0o755 if file.is_dir() else 0o644)
        before = sorted(public_inbox.parent.iterdir())
        assert seen_by_nobody(public_inbox) == [accepted.id]
        assert sorted(public_inbox.parent.iterdir()) == before
    finally:
        store.close()


@pytest.mark.parametrize("barred", ["inbox.db", "inbox.db-wal", "."])
def test_an_inbox_that_may_not_be_read_is_told_as_that(public_inbox: Path, barred: str) -> None:
    store = open_store(f"sqlite:///{public_inbox}", quarantine_max_bytes=0, quarantine_max_bytes_per_source=0)
    try:
        for file in public_inbox.parent.glob("inbox.db*"):
            file.chmod(0o755 if file.is_dir() else 0o644)
        (public_inbox.parent / barred).chmod(0o600)
        assert seen_by_nobody(public_inbox) == "The inbox may not be read by this user."
    finally:
        store.close()
