"""The embedded default: every promise, and what SQLite in particular must be told."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from soapsvc.errors import StoreError, StoreUnavailable
from soapsvc.inbox import push_writes, totals
from soapsvc.inbox.content_files import ORPHAN_AGE_SECONDS
from soapsvc.inbox.database import Database, inbox_url
from soapsvc.inbox.push_rows import accepted_push, quarantined_push
from soapsvc.inbox.push_writes import Room
from soapsvc.inbox.sql_store import open_store, page_query
from soapsvc.records import PushState
from soapsvc.spool import Spool
from tests.inbox.kept_promises import KeptPromises
from tests.inbox.making import (
    LARGE,
    MIB,
    NOON,
    REFUSED,
    STRICT,
    OpenStore,
    all_ids,
    assert_whole,
    document_of,
    push,
    refused,
    spooled,
)
from tests.inbox.promises import InboxPromises


class TestSqliteInbox(InboxPromises, KeptPromises):
    pass


@pytest.mark.parametrize("name", ["reader", "writer"])
def test_every_connection_is_durable(inbox_file: Path, name: str) -> None:
    database = Database(inbox_url(f"sqlite:///{inbox_file}"), create=True)
    engine = getattr(database, name)
    connections = [engine.connect() for _ in range(3)]
    for connection in connections:
        asked = {p: connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in
                 ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}  # fmt: skip
        assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
        connection.close()
    database.close()


def plan_of(connection: sqlite3.Connection, statement: str, parameters: object) -> str:
    return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))  # type: ignore[arg-type]


def test_what_grows_with_the_inbox_is_never_read_whole(inbox_file: Path, open_inbox: OpenStore) -> None:
    """Accepting, a redelivery, a conflict, quarantine with eviction and the way out of it, the first page of each list:
    index look-ups."""
    store = open_inbox()
    for mrn in range(3):
        store.accept(push(mrn), STRICT)
    seen: list[tuple[str, object]] = []
    database = Database(inbox_url(f"sqlite:///{inbox_file}"), create=True)
    event.listen(database.writer, "before_cursor_execute", lambda c, k, s, p, x, m: seen.append((s, p[0] if m else p)))
    with database.writer.connect() as connection, connection.begin(), totals.gathering(connection):
        for one in (push(9), push(1), push(1, b"other")):
            push_writes.store_all(connection, [accepted_push(one, STRICT)])
        for n in range(3):  # the third makes room in both bounds
            push_writes.keep_refused(connection, quarantined_push(refused(bytes(1000), n)), Room(5_000, 5_000))
            push_writes.keep_refused(connection, quarantined_push(refused(b"", n)), Room(5_000, 4_000))
        kept_id = connection.execute(page_query(1, PushState.QUARANTINED, None)).mappings().one()["id"]
        other = replace(refused(b""), verdict=replace(REFUSED, contract_sha256="d" * 64))
        push_writes.refuse_again(connection, quarantined_push(other).instead_of(kept_id, NOON))
        push_writes.accept_kept(connection, accepted_push(push(20), STRICT).instead_of(kept_id, NOON))
        for state in (None, PushState.ACCEPTED, PushState.QUARANTINED):
            for before_id in (None, "1k0xpzcn164ywxd1g8e4"):
                connection.execute(page_query(50, state, before_id)).all()
    database.close()
    raw_connection = sqlite3.connect(inbox_file)
    plans = {s: plan_of(raw_connection, s, p) for s, p in seen if s.startswith(("SELECT", "UPDATE", "DELETE"))}
    raw_connection.close()
    assert len(plans) >= 8
    for statement, plan in plans.items():
        whole = [line for line in plan.splitlines() if line.startswith("SCAN") and "INDEX" not in line]
        assert whole == [], f"{statement}\n{plan}"
        assert "TEMP B-TREE" not in plan, f"{statement}\n{plan}"


def test_a_reader_sees_what_is_committed_while_another_process_writes(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    store.accept(push(1), STRICT)
    stop = threading.Event()

    def write() -> None:
        mrn = 1
        while not stop.is_set():
            mrn += 1
            store.accept(push(mrn, os.urandom(20_000)), STRICT)

    writer = threading.Thread(target=write)
    writer.start()
    program = (
        "import sys; from soapsvc.inbox.sql_store import open_store\n"
        "store = open_store(sys.argv[1], quarantine_max_bytes=0, quarantine_max_bytes_per_source=0, create=False)\n"
        "for n in range(20):\n"
        "    rows = list(store.rows(limit=None))\n"
        "    assert rows and all(store.stored(row.id).row.documents for row in rows[:5])\n"
        "store.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, f"sqlite:///{inbox_file}"], capture_output=True, text=True)
    stop.set()
    writer.join()
    assert (done.returncode, done.stderr) == (0, "")


def test_files_are_for_their_owner_alone(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    with Spool(store.spool_directory) as spool:
        store.accept(push(1, documents=(document_of(spooled(spool, [bytes(LARGE)])),)), STRICT)
    store.accept(push(2, bytes(LARGE)), STRICT)
    open_to_others = [p for p in inbox_file.parent.rglob("*") if stat.S_IMODE(p.stat().st_mode) & 0o077]
    assert open_to_others == []


def test_directories_on_the_way_are_made(tmp_path: Path) -> None:
    store = open_store(
        f"sqlite:///{tmp_path}/a/b c#%?x/inbox.db".replace("?", ""),
        quarantine_max_bytes=0,
        quarantine_max_bytes_per_source=0,
    )
    store.accept(push(), STRICT)
    store.close()
    assert (tmp_path / "a" / "b c#%x" / "inbox.db").is_file()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://", "sqlite:///:memory:", "mysql://localhost/x", "inbox.db", "nothing://x",
        "sqlite+aiosqlite:///inbox.db", "sqlite+pysqlcipher:///inbox.db", "sqlite+pysqlite:///inbox.db",
        "sqlite:///inbox.db?mode=memory", "sqlite:///inbox.db?", "sqlite://machine/inbox.db",
        "postgresql+psycopg://machine/x?options=-csynchronous_commit=off", "postgresql+asyncpg://machine/x",
    ],
)  # fmt: skip
def test_what_cannot_keep_an_inbox_is_refused(url: str) -> None:
    with pytest.raises(StoreError):
        open_store(url, quarantine_max_bytes=0, quarantine_max_bytes_per_source=0)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+pysqlcipher://:secret@/inbox.db", "sqlite+pysqlcipher:///inbox.db?password=secret",
        "postgresql+psycopg://user:secret@machine/x?a=b", "postgresql://user:a@secret@machine/x?b=c@secret",
        "nothing://user:a://secret@machine/x", "user:secret@machine", "postgresql://user:secret@machine:port/x",
        "sqlite:///inbox.db?key=secret", "nothing://machine/x?password=a@secret",
    ],
)  # fmt: skip
def test_a_refused_url_shows_no_password(url: str) -> None:
    with pytest.raises(StoreError) as told:
        open_store(url, quarantine_max_bytes=0, quarantine_max_bytes_per_source=0)
    shown = "".join(traceback.format_exception(told.value)).rpartition("soapsvc.errors.StoreError")[2]
    assert "secret" not in shown
    assert told.value.__suppress_context__ or told.value.__context__ is None


def test_a_part_of_an_id_is_looked_up_without_reading_pushes(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    accepted = store.accept(push(), STRICT)
    seen: list[tuple[str, object]] = []
    event.listen(store._database.reader, "before_cursor_execute", lambda c, k, s, p, x, m: seen.append((s, p)))
    assert store.ids_with(accepted.id[:15], 6) == store.ids_with(accepted.id[-6:], 6) == [accepted.id]
    with closing(sqlite3.connect(inbox_file)) as connection:
        plans = [plan_of(connection, statement, parameters) for statement, parameters in seen if statement != "BEGIN"]
    by_beginning = "SEARCH pushes USING COVERING INDEX sqlite_autoindex_pushes_1 (id>? AND id<?)"
    by_end = "SCAN pushes USING COVERING INDEX sqlite_autoindex_pushes_1"
    assert plans == [by_beginning, by_beginning, by_end]


@pytest.mark.parametrize("shorten", [str, lambda push_id: push_id[:13], lambda push_id: push_id[-6:]])
def test_the_command_line_takes_an_id_in_capitals_and_shortened(
    inbox_file: Path, open_inbox: OpenStore, shorten: Callable[[str], str]
) -> None:
    accepted = open_inbox().accept(push(document=b"what was sent"), STRICT)
    given = shorten(accepted.id).upper()
    command = [sys.executable, "-m", "soapsvc", "inbox", "get", given, "--inbox", f"sqlite:///{inbox_file}"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"what was sent"


def test_orphans_are_swept_and_nothing_else(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    sent = push(document=os.urandom(LARGE))
    accepted = store.accept(sent, STRICT)
    folder = inbox_file.with_name("inbox.db.files") / accepted.id[:4]
    orphan = folder / f"{accepted.id[:-1]}0-{'0' * 64}"
    orphan.write_bytes(b"of a process that was killed before its row")
    assert store.sweep() == 0, "a file that another process makes just now has no row yet"
    assert store.sweep(time.time() + ORPHAN_AGE_SECONDS + 1) == 1
    assert not orphan.exists()
    assert_whole(store, accepted, sent)


def test_the_spool_of_a_living_process_is_left_alone(inbox_file: Path, open_inbox: OpenStore) -> None:
    living = open_inbox()
    with Spool(living.spool_directory) as spool:
        content = spooled(spool, [bytes(LARGE)])
        dead = inbox_file.with_name("inbox.db.spool") / "1-dead"
        dead.mkdir()
        (dead / "alive").touch()
        (dead / "spool-1").touch()
        open_inbox().check_writable()
        assert not dead.exists()
        living.accept(push(documents=(document_of(content),)), STRICT)
    own = living.spool_directory
    living.close()
    assert not own.exists()


def test_files_of_what_was_cleared_out_of_quarantine_are_gone(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox(quarantine_max_bytes=MIB, quarantine_max_bytes_per_source=MIB)
    for n in range(8):
        store.quarantine(refused(os.urandom(LARGE), n))
    files = list(inbox_file.with_name("inbox.db.files").glob("*/*"))
    assert len(files) == len(all_ids(store)) == 3


def test_a_log_that_cannot_be_written_stops_nothing(inbox_file: Path, open_inbox: OpenStore) -> None:
    """stderr may lie on the full disk itself. In a process of its own: the log is one for all of a process."""
    program = (
        "import sys, structlog\n"
        "structlog.configure(logger_factory=structlog.PrintLoggerFactory(open('/dev/full', 'w', buffering=1)))\n"
        "from soapsvc.errors import StoreUnavailable\n"
        "from soapsvc.inbox.group_commit import GroupCommit\n"
        "def fails(*_): raise OSError(28, 'No space left on device')\n"
        "writer = GroupCommit(fails, fails, fails, fails)\n"
        "for _ in range(2):\n"
        "    try: writer.commit(print)\n"
        "    except StoreUnavailable as told: print(told)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.count("disk is full") == 2, done.stderr


def test_a_push_that_cannot_be_stored_does_not_take_others_with_it(open_inbox: OpenStore) -> None:
    store = open_inbox()
    outcomes: dict[int, object] = {}

    def deliver(mrn: int) -> None:
        sent = push(mrn)
        try:
            outcomes[mrn] = store.accept(replace(sent, fingerprint="no hex") if mrn == 7 else sent, STRICT)
        except StoreUnavailable as refusal:
            outcomes[mrn] = refusal

    threads = [threading.Thread(target=deliver, args=(mrn,)) for mrn in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [mrn for mrn, outcome in outcomes.items() if isinstance(outcome, StoreUnavailable)] == [7]
    assert len(all_ids(store)) == 19
