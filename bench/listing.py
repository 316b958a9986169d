"""`python -m bench.listing [PUSHES] [--inbox URL]`: how long the pages take with 100,000 pushes in the inbox.

The inbox is made by the store's own statements, many rows to a transaction. Then a `soapsvc serve` of its own is
started on it, which fills its search index; the time and the CPU of that are told. Then each page is asked for over
HTTP, in turn, and what a page took is from the first byte sent to the last byte of its answer. `--write` puts the table
into docs/performance.md. `--at-most MS`: exit 1 when the median of a page is over it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.progress import Progress
from sqlalchemy import text

from bench.machine import describe_machine
from bench.processes import cpu_seconds, rss_bytes, tree
from bench.report import PAGE, put_between
from soapsvc.inbox import push_writes, totals
from soapsvc.inbox.database import Database, inbox_url
from soapsvc.inbox.push_rows import NewPush, accepted_push
from soapsvc.inbox.search_index import SearchIndex
from soapsvc.inbox.sql_store import SqlStore, open_store
from soapsvc.records import Deviation, Property, Push, PushKind, Verdict
from tests.inbox.making import STRICT, arrival, document_of, push, refused
from tests.pushing import get, running_service

BEGAN = datetime(2026, 10, 1, tzinfo=UTC)
IN_ONE_TRANSACTION = 2_000
REFUSED_OF = 200  # one in so many is in quarantine
DEVIATING_OF = 50
ROUNDS = 30
NOTED = Verdict(STRICT.conformance, STRICT.contract_sha256,
                (Deviation("HTTP-024", "SOAPAction", None, "an empty one", "basicInvoke"),))  # fmt: skip
_WORDS = ("invoice", "statement", "reminder", "order", "delivery", "tariff", "harbour", "maple", "quartz", "violet")
MARKER = "pages"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pushes", nargs="?", type=int, default=100_000)
    parser.add_argument("--inbox", help="an empty PostgreSQL database, as URL; else a SQLite file is made")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--at-most", type=float, help="milliseconds; exit 1 when the median of a page is over it")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    asked = parser.parse_args()
    if asked.inbox and asked.write:
        parser.error("the table of docs/performance.md is that of a SQLite file")
    with tempfile.TemporaryDirectory(prefix="bench-listing-") as folder:
        inbox = asked.inbox or f"sqlite:///{folder}/inbox.db"
        with closing(_open(inbox)) as store:
            _make(store, inbox, asked.pushes)
            lines, slowest = _measure(store, Path(folder), inbox, asked.pushes, asked.rounds)
    print("\n".join(lines))
    if asked.write:
        _write(lines)
    return 1 if asked.at_most is not None and slowest > asked.at_most else 0


# The inbox -----------------------------------------------------------------------------------------------------------


def made_push(n: int, number: int) -> Push:
    """Push n of so many: 50 accounts, 250 source addresses, some words each, over the days since BEGAN to now."""
    span = datetime.now(UTC) - BEGAN
    at = BEGAN + span * (n / number)
    kind = (PushKind.REPORT, PushKind.REPORT, PushKind.FAX, PushKind.CDR)[n % 4]
    words = " ".join(_WORDS[(n * step) % len(_WORDS)] for step in (1, 3, 7))
    text = f"reference,status\r\nINV-{n},Sent\r\nINV-{n}-2,{words}\r\n".encode()
    one = push(n)
    return replace(
        one,
        kind=kind,
        arrival=replace(arrival(source_ip=f"192.0.2.{n % 250}"), received_at=at),
        documents=(document_of(text, filename=f"report_{n}.csv"),),
        properties=(
            *one.properties,
            Property("UserAccountNumber", "UserAccountNumber", "Default", str(2_000_000 + n % 50)),
            Property("BillingCode", "BillingCode", "Default", f"{words} {n}"),
        ),
        fingerprint=f"{n:064x}",
    )


def _make(store: SqlStore, inbox: str, number: int) -> None:
    for n in range(0, number, REFUSED_OF):
        at = BEGAN + (datetime.now(UTC) - BEGAN) * (n / number)
        told = refused(f"<refused n='{n}'/>".encode())
        store.quarantine(replace(told, arrival=replace(told.arrival, received_at=at)))
    database = Database(inbox_url(inbox), create=True)
    with Progress(transient=True) as progress, database.writer.connect() as connection:
        if database.path is not None:
            connection.connection.driver_connection.execute("PRAGMA synchronous = OFF")  # type: ignore[union-attr]
        task = progress.add_task(f"making {number:,} pushes", total=number)
        rows: list[NewPush] = []
        for n in range(number):
            if n % REFUSED_OF:
                rows.append(accepted_push(made_push(n, number), STRICT if n % DEVIATING_OF else NOTED))
            if len(rows) == IN_ONE_TRANSACTION or n == number - 1:
                with connection.begin(), totals.gathering(connection):
                    for part in range(0, len(rows), 64):
                        push_writes.store_all(connection, rows[part : part + 64])
                rows.clear()
                progress.update(task, completed=n)
        if database.path is not None:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # type: ignore[union-attr]
    database.close()


def _open(inbox: str) -> SqlStore:
    return open_store(inbox, quarantine_max_bytes=10**9, quarantine_max_bytes_per_source=10**9)


# The pages -----------------------------------------------------------------------------------------------------------


def _asked(number: int) -> Iterator[tuple[str, str]]:
    """What is asked for, and the path."""
    late = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
    yield "the list, newest", "/"
    yield "quarantine", "/?state=quarantined"
    yield "search: a word in one push", f"/?q=INV-{number // 3 + 1}"
    yield "search: a word in every tenth", "/?q=harbour"
    yield "search: a word in all of them", "/?q=delivery"
    yield "search: two words and a phrase", '/?q=maple+quartz+"Delivery+report"'
    yield "search: a word that is nowhere", "/?q=nowhere"
    yield "filter: a kind", "/?kind=fax"
    yield "filter: a source address", "/?source=192.0.2.77"
    yield "filter: a range of addresses", "/?source=192.0.2.64/27"
    yield "filter: an account", "/?account=2000007"
    yield "filter: since the day before yesterday", f"/?since={late}"
    yield "filter: has deviations", "/?deviating=yes"
    yield "filter: a rule", "/?rule=HTTP-024"
    yield "all at once", f"/?q=quartz&kind=report&source=192.0.2.0/24&deviating=no&since={late}"
    yield "overview of 30 days", "/overview?days=30"
    yield "what came since (server-sent event)", "/api/v1/events"


def _measure(store: SqlStore, folder: Path, inbox: str, number: int, rounds: int) -> tuple[list[str], float]:
    index = store.search_index()
    with running_service(folder, "--inbox", inbox) as service:
        pids = tree([service.process.pid])
        began = time.monotonic()
        while time.monotonic() - began < 3600 and not _is_filled(index, number):
            time.sleep(0.2)
        filled, cpu = time.monotonic() - began, cpu_seconds(pids)
        taken: dict[str, list[float]] = {}
        for _ in range(rounds):
            for what, path in _asked(number):
                at = time.perf_counter()
                answer = get(service.admin_url + path.replace('"', "%22"), {"Accept": "text/html"})
                taken.setdefault(what, []).append((time.perf_counter() - at) * 1000)
                assert answer.status == 200, (path, answer.status, answer.body[:300])
        memory = rss_bytes(tree([service.process.pid]))
    size = _index_bytes(inbox, folder)
    lines = ["| page | median ms | slowest ms |", "| --- | --: | --: |"]
    medians = {what: statistics.median(times) for what, times in taken.items()}
    lines += [f"| {what} | {medians[what]:.1f} | {max(times):.1f} |" for what, times in taken.items()]
    lines += [
        "",
        f"- {number:,} pushes, each page {rounds} times in turn over HTTP, from the first byte sent to the last of the "
        f"answer. {datetime.now(UTC):%Y-%m-%d}, `python -m bench.listing`; {describe_machine(folder)}.",
        f"- The index was filled beside the waiting receiver in {filled:.0f} s, {cpu / number * 1000:.2f} ms of CPU a "
        f"push; it takes {size / 1e6:,.0f} MB of disk. The process has {memory / 2**20:,.0f} MiB at the end.",
    ]
    return lines, max(medians.values())


def _is_filled(index: SearchIndex, number: int) -> bool:
    return sum(hour.accepted + hour.quarantined for hour in index.hours(BEGAN - timedelta(days=1))) == number


def _index_bytes(inbox: str, folder: Path) -> int:
    if inbox.startswith("sqlite:"):
        return sum(file.stat().st_size for file in folder.glob("inbox.db.index*"))
    database = Database(inbox_url(inbox), create=False)
    tables = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname LIKE 'search\\_%'"
    with closing(database), database.reader.connect() as connection:
        return int(connection.execute(text(tables)).scalar_one())


def _write(lines: list[str]) -> None:
    text = PAGE.read_text()
    if f"<!-- {MARKER} -->" not in text:
        text += f"\n## The pages of the admin listener\n\n<!-- {MARKER} -->\n<!-- /{MARKER} -->\n"
    PAGE.write_text(put_between(text, MARKER, "\n".join(lines)))


if __name__ == "__main__":
    sys.exit(main())
