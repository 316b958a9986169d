"""What one push costs a PostgreSQL inbox: commits and WAL with 1, 2 and 4 writers, and the CPU of a receiver.

    python bench/scale.py [--seconds 5] [--document-bytes 7000] [--standby]

Starts a PostgreSQL of its own on loopback (--standby: with another that each commit waits for), fills it through the
real store, then through a real `soapsvc serve`, and prints the tables of docs/scale.md. Needs the extra `test`.
CPU is of the processes themselves, so that it says the same on a busy machine; pushes a second do not.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import platform
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # tests/ has what starts the servers

from soapsvc.inbox import server_database
from soapsvc.inbox.sql_store import SqlStore, open_store
from soapsvc.spool import Content
from tests.inbox.making import STRICT, document_of, push
from tests.postgres import PostgresServer, running_server
from tests.pushing import envelope, post, start_service

TICKS = os.sysconf("SC_CLK_TCK")
THREADS = 8  # the default of the setting


@dataclass(frozen=True)
class Measured:
    """What so many writers reached together; a figure `per push` is of all processes of its kind."""

    pushes_per_second: float
    wal_bytes: float
    kept_bytes: float
    syncs: float
    round_trips: float
    server_cpu_ms: float
    writer_cpu_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--document-bytes", type=int, default=7000, help="as samples/sampleReport.xml has")
    parser.add_argument("--standby", action="store_true")
    asked = parser.parse_args()
    print(f"{_machine()}, {datetime.now(UTC):%Y-%m-%d}; documents of {asked.document_bytes} bytes, "
          f"envelopes of {len(envelope(1, bytes(asked.document_bytes)))}\n")  # fmt: skip
    with running_server("max_connections=200", "shared_buffers=512MB", "max_wal_size=8GB") as server:
        standby = _followed(server) if asked.standby else None
        try:
            print("| writers | pushes/s | WAL bytes/push | bytes kept/push | WAL syncs/push | round trips/push "
                  "| CPU of the server, ms/push | CPU of the writer, ms/push |")  # fmt: skip
            print("|---|---|---|---|---|---|---|---|")
            for writers in (1, 2, 4):
                m = measure(server, writers, asked.seconds, asked.document_bytes)
                print(f"| {writers} | {m.pushes_per_second:.0f} | {m.wal_bytes:.0f} | {m.kept_bytes:.0f} "
                      f"| {m.syncs:.3f} | {m.round_trips:.1f} | {m.server_cpu_ms:.2f} | {m.writer_cpu_ms:.2f} |",
                      flush=True)  # fmt: skip
            rate, receiver_ms, server_ms = measure_receiver(server, asked.seconds, asked.document_bytes)
            print(f"\nA whole receiver, one process: {rate:.0f} pushes/s, {receiver_ms:.2f} ms of its CPU and "
                  f"{server_ms:.2f} ms of the server's a push")  # fmt: skip
            print(f"One sync of the WAL: {_sync_ms(server):.2f} ms (pg_test_fsync, fdatasync)")
        finally:
            if standby is not None:
                standby.remove()


def measure(server: PostgresServer, writers: int, seconds: float, document_bytes: int) -> Measured:
    """So many processes write to a new database, each through a store of its own, until the time is up."""
    url = f"{server.url}/{server.database()}"
    context = multiprocessing.get_context("spawn")
    begin, results = context.Barrier(writers + 1), context.Queue()
    with tempfile.TemporaryDirectory() as spool:
        _opened(url, Path(spool)).close()  # makes the tables
        processes = [
            context.Process(target=_write, args=(url, spool, number, seconds, document_bytes, begin, results))
            for number in range(writers)
        ]
        for process in processes:
            process.start()
        begin.wait()
        database = url.rpartition("/")[2]
        before = _figures(server, database)
        found = [results.get() for _ in processes]
        after = _figures(server, database)
        for process in processes:
            process.join()
    pushes = sum(count for count, _, _, _ in found)
    return Measured(
        pushes_per_second=pushes / max(took for _, took, _, _ in found),
        wal_bytes=(after["wal"] - before["wal"]) / pushes,
        kept_bytes=(after["size"] - before["size"]) / pushes,
        syncs=(after["syncs"] - before["syncs"]) / pushes,
        round_trips=sum(trips for _, _, trips, _ in found) / pushes,
        server_cpu_ms=(after["cpu"] - before["cpu"]) * 1000 / pushes,
        writer_cpu_ms=sum(cpu for _, _, _, cpu in found) * 1000 / pushes,
    )


def measure_receiver(server: PostgresServer, seconds: float, document_bytes: int) -> tuple[float, float, float]:
    """Pushes a second over HTTP, and the CPU of receiver and server for one, in ms."""
    inbox = f"{server.url}/{server.database()}"
    with tempfile.TemporaryDirectory() as folder:
        service = start_service(Path(folder), "--inbox", inbox, settings=f'spool = "{folder}/spool"\n')
        serial, done, until = itertools.count(1), itertools.count(), time.monotonic() + seconds

        def send() -> None:
            while time.monotonic() < until:
                mrn = next(serial)
                assert post(service.url, envelope(mrn, _document(mrn, document_bytes))).acknowledged
                next(done)

        cpu, server_cpu, began = _cpu_of(service.process.pid), _cpu_of_server(server), time.monotonic()
        senders = [threading.Thread(target=send) for _ in range(THREADS)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        pushes, took = next(done), time.monotonic() - began
        spent, server_spent = _cpu_of(service.process.pid) - cpu, _cpu_of_server(server) - server_cpu
        service.terminate()
    return pushes / took, spent * 1000 / pushes, server_spent * 1000 / pushes


def _write(url: str, spool: str, number: int, seconds: float, document_bytes: int, begin: Any, results: Any) -> None:
    trips = itertools.count()
    connection_class = server_database._bounded_connection()
    wait = connection_class.wait

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        next(trips)
        return wait(self, *args, **options)

    connection_class.wait = counted
    store = _opened(url, Path(spool))
    serial, done = itertools.count(number * 10_000_000 + 1), itertools.count()

    def accept() -> None:
        while time.monotonic() < until:
            mrn = next(serial)
            document = _document(mrn, document_bytes)
            raw = Content.of(envelope(mrn, document))
            store.accept(push(mrn, raw=raw, documents=(document_of(document),)), STRICT)
            next(done)

    store.check_writable()
    begin.wait()
    before, cpu, began = next(trips), time.process_time(), time.monotonic()
    until = began + seconds
    threads = [threading.Thread(target=accept) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((next(done), time.monotonic() - began, next(trips) - before, time.process_time() - cpu))
    store.close()


def _document(mrn: int, size: int) -> bytes:
    dice = random.Random(mrn)  # noqa: S311
    lines = (
        f"{mrn},INV-2012-{dice.randrange(10**6)},+1202{dice.randrange(10**7):07},Sent,"
        f"2012-11-04T13:{dice.randrange(60):02}:{dice.randrange(60):02}Z,1,{dice.randrange(200)},2\r\n"
        for _ in range(size // 60 + 1)
    )
    return "".join(lines).encode()[:size]


def _opened(url: str, spool: Path) -> SqlStore:
    return open_store(url, quarantine_max_bytes=0, quarantine_max_bytes_per_source=0, spool=spool)


def _figures(server: PostgresServer, database: str) -> dict[str, float]:
    ((wal, size, syncs),) = server.sql(
        f"SELECT pg_current_wal_lsn() - '0/0'::pg_lsn, pg_database_size('{database}'), "  # noqa: S608
        "(SELECT wal_sync FROM pg_stat_wal)"
    )
    return {"wal": float(str(wal)), "size": float(str(size)), "syncs": float(str(syncs)), "cpu": _cpu_of_server(server)}


def _cpu_of_server(server: PostgresServer) -> float:
    """Of the server with its processes, those that ended too, in seconds."""
    return _cpu_of(server.pid) + sum(_cpu_of(pid) for pid in server._children())


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / TICKS  # own and of children waited for, user and system


def _followed(server: PostgresServer) -> PostgresServer:
    standby = server.standby()
    standby.start("max_connections=200")  # no fewer than the primary has
    server.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
    server.sql("SELECT pg_reload_conf()")
    time.sleep(2)
    return standby


def _sync_ms(server: PostgresServer) -> float:
    from tests.postgres import programs

    command = [str(programs() / "pg_test_fsync"), "-s", "1", "-f", str(server.folder / "sync")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in said.splitlines() if line.strip().startswith("fdatasync"))
    return float(line.split()[-2]) / 1000  # "… ops/sec  … usecs/op"


def _machine() -> str:
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.machine(),
    )  # fmt: skip
    return f"{os.cpu_count()} × {model}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
