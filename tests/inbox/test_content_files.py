"""Large contents are handed out as they were received or not at all, and removed only when they are orphans."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import pytest

from soapsvc.errors import StoreError, StoreUnavailable
from soapsvc.inbox.content_files import ORPHAN_AGE_SECONDS, ContentFiles
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.records import Accepted
from soapsvc.spool import Content
from tests.inbox.making import LARGE, STRICT, OpenStore, assert_whole, push

LATER = ORPHAN_AGE_SECONDS + 60.0


def files_of(inbox_file: Path) -> list[Path]:
    return sorted(inbox_file.with_name("inbox.db.files").glob("*/*"))


def move_aside(inbox_file: Path) -> Path:
    aside = inbox_file.with_name("aside")
    aside.mkdir()
    for file in inbox_file.parent.glob("inbox.db*"):
        if file.is_file():
            file.rename(aside / file.name)
    return aside


# -- the sweep -----------------------------------------------------------------------------------------------------


def test_a_new_database_beside_old_documents_is_refused_and_removes_none(
    inbox_file: Path, open_inbox: OpenStore
) -> None:
    store = open_inbox()
    sent = push(document=os.urandom(LARGE))
    accepted = store.accept(sent, STRICT)
    store.close()
    aside = move_aside(inbox_file)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"inbox\.db\.files holds documents of another inbox"):
            open_inbox()
    assert len(files_of(inbox_file)) == 1
    for file in aside.iterdir():
        file.replace(inbox_file.with_name(file.name))
    assert_whole(open_inbox(), accepted, sent)


def test_a_directory_without_an_id_that_holds_documents_is_refused(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    store.accept(push(document=os.urandom(LARGE)), STRICT)
    store.close()
    inbox_file.with_name("inbox.db.files").joinpath("inbox-id").unlink()
    with pytest.raises(StoreError, match="another inbox"):
        open_inbox()


def test_a_new_database_takes_over_a_directory_that_holds_no_documents(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    store.check_writable()
    store.close()
    move_aside(inbox_file)
    store = open_inbox()
    sent = push(document=os.urandom(LARGE))
    assert_whole(store, store.accept(sent, STRICT), sent)
    store.close()
    open_inbox()


def test_documents_that_come_in_while_it_is_looked_whose_they_are_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process of the same inbox writes the id, and then its first document."""
    ours, of_another_process = (ContentFiles(tmp_path / "inbox.db.files", "the same") for _ in range(2))
    look = ours._documents

    def look_when_there_is_one() -> object:
        of_another_process.place("1k0xpzcn164ywxd1g8e4", Content.of(b"first"))
        return look()

    monkeypatch.setattr(ours, "_documents", look_when_there_is_one)
    assert not ours.is_anothers()


def test_documents_put_there_while_the_store_is_open_are_left_alone(
    tmp_path: Path, inbox_file: Path, open_inbox: OpenStore
) -> None:
    store = open_inbox()
    store.accept(push(1, os.urandom(LARGE)), STRICT)
    store.close()
    files = inbox_file.with_name("inbox.db.files")
    files.rename(tmp_path / "old.files")
    inbox_file.unlink()
    store = open_inbox()
    (tmp_path / "old.files").rename(files)
    with pytest.raises(StoreUnavailable, match="damaged"):
        store.accept(push(2, os.urandom(LARGE)), STRICT)
    with pytest.raises(StoreUnavailable, match="damaged"):
        store.check_writable()
    assert len(files_of(inbox_file)) == 1


def test_a_database_that_was_replaced_while_it_is_swept_loses_no_documents(
    inbox_file: Path, open_inbox: OpenStore
) -> None:
    store = open_inbox()
    store.accept(push(document=os.urandom(LARGE)), STRICT)
    other = inbox_file.with_name("other.db")
    with closing(sqlite3.connect(inbox_file)) as source:
        source.execute("VACUUM INTO ?", (str(other),))
    with closing(sqlite3.connect(other, isolation_level=None)) as emptied:
        emptied.execute("DELETE FROM contents")
    other.replace(inbox_file)
    inbox_file.with_name("inbox.db-wal").unlink()
    inbox_file.with_name("inbox.db-shm").unlink()
    store._database.reader.dispose()
    with pytest.raises(Exception, match="replaced"):
        store.sweep(time.time() + LATER)
    assert len(files_of(inbox_file)) == 1


def test_foreign_files_are_never_swept(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    accepted = store.accept(push(document=os.urandom(LARGE)), STRICT)
    folder = files_of(inbox_file)[0].parent
    foreign = [
        folder / "notes.txt", folder / f"{accepted.id}-{'0' * 63}", folder / f"{accepted.id}-{'G' * 64}",
        folder / f"{accepted.id}-{'0' * 64}.part", folder / f"{accepted.id.upper()}-{'0' * 64}",
    ]  # fmt: skip
    for file in foreign:
        file.touch()
    directory = folder / f"{accepted.id}-{'1' * 64}"
    directory.mkdir()
    assert store.sweep(time.time() + LATER) == 0
    assert all(path.exists() for path in [*foreign, directory])


def test_a_name_that_is_no_utf_8_does_not_end_the_sweep(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    accepted = store.accept(push(document=os.urandom(LARGE)), STRICT)
    folder = files_of(inbox_file)[0].parent
    for name in (b"\xff", accepted.id.encode() + b"-\xff" + b"0" * 63):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).touch()
    (folder / f"{accepted.id}-{'0' * 64}").touch()
    assert store.sweep(time.time() + LATER) == 1


# -- handed out ----------------------------------------------------------------------------------------------------


def altered(file: Path) -> None:
    with file.open("r+b") as writer:
        writer.seek(LARGE - 1)
        writer.write(b"!")


def cut_short(file: Path) -> None:
    os.truncate(file, LARGE - 1)


def lengthened(file: Path) -> None:
    os.truncate(file, LARGE + 1)


def whole(stream: BinaryIO) -> bytes:
    return stream.read()


def in_pieces(stream: BinaryIO) -> bytes:
    """As the command line and the API do."""
    return b"".join(iter(lambda: stream.read(100_000), b""))


@pytest.fixture
def stored_large(open_inbox: OpenStore) -> tuple[SqlStore, Accepted]:
    """A push whose document and raw envelope are one content, so that there is one file."""
    store, content = open_inbox(), bytes(LARGE)
    return store, store.accept(push(document=content, raw=Content.of(content)), STRICT)


@pytest.mark.parametrize("damage", [altered, cut_short, lengthened])
@pytest.mark.parametrize("read", [whole, in_pieces])
def test_a_damaged_file_is_never_handed_out_as_whole(
    inbox_file: Path,
    stored_large: tuple[SqlStore, Accepted],
    damage: Callable[[Path], None],
    read: Callable[[BinaryIO], bytes],
) -> None:
    store, accepted = stored_large
    damage(files_of(inbox_file)[0])
    with pytest.raises(StoreError, match=f"Document 1 of push {accepted.id} is damaged on disk"):
        read(store.open_document(accepted.id, 1))
    with pytest.raises(StoreError, match=f"Raw envelope of push {accepted.id} is damaged on disk"):
        read(store.open_raw(accepted.id))


@pytest.mark.parametrize("damage", [cut_short, altered])
def test_what_is_damaged_while_it_is_read_is_not_handed_out_to_its_end(
    inbox_file: Path, open_inbox: OpenStore, damage: Callable[[Path], None]
) -> None:
    store, content = open_inbox(), bytes(16 * LARGE)
    accepted = store.accept(push(document=content), STRICT)
    (file,) = files_of(inbox_file)
    with store.open_document(accepted.id, 1) as stream:
        assert stream.read(10) == bytes(10)
        os.truncate(file, 16 * LARGE - 1) if damage is cut_short else os.truncate(file, 16 * LARGE + 1)
        with pytest.raises(StoreError, match="damaged on disk"):
            in_pieces(stream)


def test_a_damaged_content_in_a_row_is_not_handed_out(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    accepted = store.accept(push(document=b"small"), STRICT)
    with closing(sqlite3.connect(inbox_file, isolation_level=None)) as other:
        other.execute("UPDATE contents SET inline = zeroblob(length(inline))")
    with pytest.raises(StoreError, match=f"Document 1 of push {accepted.id} is damaged in the database"):
        store.open_document(accepted.id, 1)


def test_a_missing_file_is_told_as_that(inbox_file: Path, stored_large: tuple[SqlStore, Accepted]) -> None:
    store, accepted = stored_large
    files_of(inbox_file)[0].unlink()
    with pytest.raises(StoreError, match=f"Document 1 of push {accepted.id} is missing on disk"):
        store.open_document(accepted.id, 1)
    with pytest.raises(StoreError, match=f"Raw envelope of push {accepted.id} is missing on disk"):
        store.open_raw(accepted.id)


@pytest.mark.parametrize("damage", [altered, cut_short, Path.unlink])
def test_inbox_get_of_a_damaged_document_exits_with_3_and_says_which(
    inbox_file: Path, stored_large: tuple[SqlStore, Accepted], damage: Callable[[Path], None]
) -> None:
    _, accepted = stored_large
    damage(files_of(inbox_file)[0])
    command = [sys.executable, "-m", "soapsvc", "inbox", "get", accepted.id, "--inbox", f"sqlite:///{inbox_file}"]
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 3
    assert f"Document 1 of push {accepted.id}" in done.stderr.decode()
    assert len(done.stdout) < LARGE


def test_the_files_of_redeliveries_that_race_are_removed(
    inbox_file: Path, open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them have looked before the first is stored."""
    store, sent = open_inbox(), push(document=os.urandom(LARGE))
    looked, is_stored = threading.Barrier(8), store._is_stored

    def look_together(new: object) -> bool:
        found = is_stored(new)  # type: ignore[arg-type]
        looked.wait()
        return found

    monkeypatch.setattr(store, "_is_stored", look_together)
    answers: list[Accepted] = []
    threads = [threading.Thread(target=lambda: answers.append(store.accept(sent, STRICT))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(accepted.redelivery for accepted in answers) == [False] + [True] * 7
    assert len(files_of(inbox_file)) == 1
    assert_whole(store, answers[0], sent)


def test_a_backup_with_its_files_is_an_inbox(tmp_path: Path, inbox_file: Path, open_inbox: OpenStore) -> None:
    """As docs/inbox.md says it, while pushes come in without end."""
    store, stop = open_inbox(), threading.Event()
    acknowledged: dict[int, Accepted] = {}
    sent = {mrn: push(mrn, os.urandom(LARGE if mrn % 5 == 0 else 20_000)) for mrn in range(50)}

    def accept_without_end() -> None:
        mrn = 0
        while not stop.is_set():
            accepted = store.accept(sent.get(mrn) or push(mrn, os.urandom(20_000)), STRICT)
            acknowledged[mrn] = accepted
            mrn += 1

    accepting = threading.Thread(target=accept_without_end)
    accepting.start()
    try:
        while len(acknowledged) < len(sent):
            time.sleep(0.01)
        backup = tmp_path / "backup" / "inbox.db"
        backup.parent.mkdir()
        program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM INTO ?', (sys.argv[2],))"
        before = len(acknowledged)
        subprocess.run([sys.executable, "-c", program, inbox_file, backup], check=True, timeout=30)
        shutil.copytree(inbox_file.with_name("inbox.db.files"), backup.with_name("inbox.db.files"))
        assert len(acknowledged) > before, "nothing came in meanwhile: this shows nothing"
    finally:
        stop.set()
        accepting.join()
    store.close()
    for file in inbox_file.parent.glob("inbox.db*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    for file in backup.parent.iterdir():
        file.rename(inbox_file.with_name(file.name))
    restored = open_inbox()
    for mrn, one in sent.items():
        assert_whole(restored, acknowledged[mrn], one)
