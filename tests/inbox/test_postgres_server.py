"""What a database server may do to an inbox, and what a sender then hears in time."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from soapsvc.errors import StoreError, StoreUnavailable
from soapsvc.inbox import server_database
from soapsvc.inbox.content_files import ORPHAN_AGE_SECONDS
from soapsvc.inbox.sql_store import SqlStore, open_store
from soapsvc.spool import Content
from tests.commands import soapsvc
from tests.inbox.conftest import opening
from tests.inbox.making import LARGE, STRICT, OpenStore, all_ids, assert_whole, push, refused
from tests.postgres import USER, PostgresServer, running_server
from tests.pushing import free_port

SENDER_SECONDS = 15.0  # after which the vendor's sender gives up


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_server() as one:
        yield one


@pytest.fixture
def database(server: PostgresServer) -> str:
    return server.empty_database()


@pytest.fixture
def open_inbox(server: PostgresServer, database: str, tmp_path: Path) -> Iterator[OpenStore]:
    yield from opening(f"{server.url}/{database}", spool=tmp_path / "spool")


def opened(url: str, spool: Path) -> SqlStore:
    return open_store(url, quarantine_max_bytes=0, quarantine_max_bytes_per_source=0, spool=spool)


def reconfigured(server: PostgresServer, *statements: str) -> None:
    for statement in statements:
        server.sql(statement)
    server.sql("SELECT pg_reload_conf()")
    time.sleep(0.3)  # the reload is a signal


# -- which server keeps an inbox -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off"), ("synchronous_commit", "local")],
)
def test_a_server_that_may_lose_what_it_committed_is_refused(
    server: PostgresServer, database: str, tmp_path: Path, name: str, value: str
) -> None:
    reconfigured(server, f"ALTER SYSTEM SET {name} = {value}")
    try:
        with pytest.raises(StoreError, match=f"runs with {name}={value}.* Set {name}=on"):
            opened(f"{server.url}/{database}", tmp_path / "spool")
    finally:
        reconfigured(server, f"ALTER SYSTEM RESET {name}")
    opened(f"{server.url}/{database}", tmp_path / "spool").close()


def test_a_server_that_was_set_so_while_in_use_is_refused_at_the_next_connection(
    server: PostgresServer, database: str, open_inbox: OpenStore
) -> None:
    store = open_inbox()
    store.accept(push(1), STRICT)
    server.sql(f"ALTER DATABASE {database} SET synchronous_commit = off")
    server.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            store.accept(push(2), STRICT)
    server.sql(f"ALTER DATABASE {database} RESET synchronous_commit")
    store.accept(push(2), STRICT)


def test_of_several_hosts_the_one_that_takes_writes_is_used(
    server: PostgresServer, database: str, tmp_path: Path
) -> None:
    hosts = f"host=127.0.0.1,127.0.0.1&port={free_port()},{server.port}"
    url = f"postgresql+psycopg://{USER}@/{database}?{hosts}&target_session_attrs=read-write"
    store = opened(url, tmp_path / "spool")
    store.accept(push(), STRICT)
    store.close()
    server.sql(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    with pytest.raises(StoreUnavailable):
        opened(f"{server.url}/{database}", tmp_path / "spool")
    looking = open_store(url.partition("&target")[0], quarantine_max_bytes=0, quarantine_max_bytes_per_source=0,
                         create=False)  # fmt: skip
    assert len(all_ids(looking)) == 1, "who only looks may look at a standby"
    looking.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://h/d?password=geheim", "has the parameter password"),
        ("postgresql+psycopg://h/d?options=-cfsync%3Dgeheim", "has the parameter options"),
        ("postgresql+asyncpg://u:geheim@h/d", "names the driver postgresql\\+asyncpg"),
        ("postgresql+psycopg://u:geheim@h/", "names no database"),
        ("postgresql+psycopg://u:geheim@h/d?target_session_attrs=any", "a receiver writes"),
    ],
)
def test_a_url_that_will_not_do_is_told_without_its_password(url: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=said) as told:
        opened(url, tmp_path / "spool")
    assert "geheim" not in str(told.value)


def test_the_password_comes_from_the_environment_or_a_passfile_and_is_shown_nowhere(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hba = server.folder / "data" / "pg_hba.conf"
    trusting = hba.read_text()
    hba.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{trusting}")
    reconfigured(server, "CREATE ROLE guarded LOGIN PASSWORD 'geheim'")
    server.sql("CREATE DATABASE guarded OWNER guarded")
    url = f"postgresql+psycopg://guarded@127.0.0.1:{server.port}/guarded"
    with pytest.raises(StoreUnavailable, match=r"cannot be reached|let this receiver in"):
        opened(url, tmp_path / "spool")
    monkeypatch.setenv("PGPASSWORD", "not geheim")
    with pytest.raises(StoreUnavailable) as told:
        opened(url, tmp_path / "spool")
    assert "geheim" not in str(told.value)
    monkeypatch.setenv("PGPASSWORD", "geheim")
    opened(url, tmp_path / "spool").close()
    monkeypatch.delenv("PGPASSWORD")
    passfile = tmp_path / "passfile"
    passfile.write_text("127.0.0.1:*:guarded:guarded:geheim\n")
    passfile.chmod(0o600)
    opened(f"{url}?passfile={passfile}", tmp_path / "spool").close()
    opened(url.replace("guarded@", "guarded:geheim@"), tmp_path / "spool").close()
    assert "geheim" not in "".join(capfd.readouterr())


def test_an_older_server_than_is_supported_would_be_told(monkeypatch: pytest.MonkeyPatch, server: PostgresServer,
                                                         database: str, tmp_path: Path) -> None:  # fmt: skip
    monkeypatch.setattr(server_database, "OLDEST_SERVER", 990000)
    with pytest.raises(StoreError, match="an inbox needs 14 or newer"):
        opened(f"{server.url}/{database}", tmp_path / "spool")


# -- a sender hears in time ----------------------------------------------------------------------------------------


def all_refused(store: SqlStore, numbers: range, sizes: tuple[int, ...] = (20, LARGE)) -> float:
    """Each push is refused; the longest that one of them waited, in seconds. They come in one after the other."""

    def wait(mrn: int) -> float:
        time.sleep((mrn - numbers[0]) * 0.7)
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            store.accept(push(mrn, os.urandom(sizes[mrn % len(sizes)])), STRICT)
        return time.monotonic() - began

    with ThreadPoolExecutor(len(numbers)) as senders:
        return max(senders.map(wait, numbers))


def test_when_the_server_hangs_every_sender_hears_in_time_and_afterwards_all_goes_on(
    server: PostgresServer, open_inbox: OpenStore
) -> None:
    store = open_inbox()
    sent = push(1)
    accepted = store.accept(sent, STRICT)
    server.freeze()
    try:
        longest = all_refused(store, range(2, 12))
    finally:
        server.thaw()
    print(f"server hangs: the longest wait of a sender was {longest:.1f} s")
    assert longest < SENDER_SECONDS - 2
    assert_whole(store, accepted, sent)
    after = push(99)
    assert_whole(store, store.accept(after, STRICT), after)


@contextmanager
def without_its_standby(server: PostgresServer) -> Iterator[None]:
    """Each COMMIT waits for a standby that is not there."""
    reconfigured(server, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    try:
        yield
    finally:
        reconfigured(server, "ALTER SYSTEM RESET synchronous_standby_names")


def test_a_commit_that_waits_for_its_standby_is_in_doubt_and_nothing_of_it_is_removed(
    server: PostgresServer, open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_inbox()
    small, large = push(1), push(2, os.urandom(LARGE))
    store.accept(push(3), STRICT)
    place = store._files.place

    def place_and_lose_the_standby(file_id: str, content: Content) -> None:
        place(file_id, content)
        reconfigured(server, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")

    monkeypatch.setattr(store._files, "place", place_and_lose_the_standby)
    for one in (large, small):
        began = time.monotonic()
        with without_its_standby(server) if one is small else nullcontext(), pytest.raises(StoreUnavailable):
            store.accept(one, STRICT)
        assert time.monotonic() - began < SENDER_SECONDS - 2
        if one is large:  # the next transaction settles what is in doubt, as far as that is possible
            assert store.stats().accepted == 1
            with pytest.raises(StoreUnavailable):
                store.accept(push(4), STRICT)
            assert store.sweep(time.time() + 2 * ORPHAN_AGE_SECONDS) == 0
            reconfigured(server, "ALTER SYSTEM RESET synchronous_standby_names")
        monkeypatch.undo()
        again = store.accept(one, STRICT)
        assert again.redelivery, "it was committed after all, and is known now"
        assert_whole(store, again, one)


def test_a_cancelled_wait_for_the_standby_is_not_taken_for_a_commit(
    server: PostgresServer, database: str, open_inbox: OpenStore
) -> None:
    """PostgreSQL answers yes, with a warning: only the primary has it."""
    store = open_inbox()
    store.accept(push(1), STRICT)
    cancelled: list[object] = []

    def cancel() -> None:
        until = time.monotonic() + 4
        while not cancelled and time.monotonic() < until:
            cancelled.extend(server.sql(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                f"WHERE datname = '{database}' AND wait_event = 'SyncRep'"
            ))  # fmt: skip
            time.sleep(0.05)

    with without_its_standby(server):
        helper = threading.Thread(target=cancel)
        helper.start()
        with pytest.raises(StoreUnavailable):
            store.accept(push(2), STRICT)
        helper.join()
    assert cancelled
    assert store.accept(push(2), STRICT).redelivery


def test_a_lock_that_another_holds_is_told_as_busy(
    server: PostgresServer, database: str, open_inbox: OpenStore
) -> None:
    import psycopg

    store = open_inbox()
    with psycopg.connect(host="127.0.0.1", port=server.port, user=USER, dbname=database) as other:
        other.execute("LOCK TABLE pushes IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="The inbox is busy; nothing was stored"):
            store.accept(push(), STRICT)
        assert time.monotonic() - began < SENDER_SECONDS / 2
    store.accept(push(), STRICT)


def test_a_server_that_is_stopped_and_started_again_is_used_again(
    server: PostgresServer, open_inbox: OpenStore
) -> None:
    store, sent = open_inbox(), push(1)
    accepted = store.accept(sent, STRICT)
    server.stop("fast")
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        store.accept(push(2), STRICT)
    server.start()
    after = push(3, os.urandom(LARGE))
    assert_whole(store, store.accept(after, STRICT), after)
    assert_whole(store, accepted, sent)


def test_a_process_holds_no_more_connections_than_is_told(
    server: PostgresServer, database: str, open_inbox: OpenStore
) -> None:
    store = open_inbox()
    most = 0

    def work(mrn: int) -> None:
        store.accept(push(mrn, os.urandom(LARGE)), STRICT)
        store.stats()

    with ThreadPoolExecutor(16) as threads:
        running = [threads.submit(work, mrn) for mrn in range(64)]
        while not all(one.done() for one in running):
            counted = server.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'")
            most = max(most, int(str(counted[0][0])))
        for one in running:
            one.result()
    assert 2 <= most <= server_database.WRITERS + server_database.READERS


# -- the command line ----------------------------------------------------------------------------------------------


def test_every_inbox_command_takes_a_database_server(
    server: PostgresServer, database: str, open_inbox: OpenStore, tmp_path: Path
) -> None:
    url, document = f"{server.url}/{database}", b"a line of a report\n" * (LARGE // 10)

    def inbox(*words: str, code: int = 0) -> str:
        done = soapsvc("inbox", *words, "--inbox", url, cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path)})
        assert done.returncode == code, done.stderr
        return done.stdout

    told = soapsvc("inbox", "list", "--inbox", url, cwd=tmp_path)
    assert (told.returncode, "is no inbox" in told.stderr) == (3, True), told.stderr
    store = open_inbox()
    accepted = store.accept(push(1, document), STRICT)
    kept = store.quarantine(refused(b"<Envelope/>"))
    assert {json.loads(line)["id"] for line in inbox("list", "--json").splitlines()} == {kept, accepted.id}
    assert json.loads(inbox("show", accepted.id, "--json"))["documents"][0]["size_bytes"] == len(document)
    assert json.loads(inbox("stats", "--json"))["accepted"] == 1
    assert inbox("reprocess", "--quarantined", code=1).startswith(f"{kept} still refused")
    assert inbox("get", accepted.id).encode() == document
