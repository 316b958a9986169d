"""`python -m bench.many [PUSHES]`: what an inbox of ten million pushes costs beside one of ten thousand.

Both inboxes are made by the store's own statements, row by row with keys and contents of their own, but many rows to a
transaction and without a sync. Then both are opened as a receiver opens them, and each figure is taken from the one and
the other in turn: accepting one more push (durable), recognising a redelivery, reading the first 50 of the list, what
the metrics ask for. The page cache of the larger one is as warm as the making of it left it; `--cold` drops it first
(for root). `--folder` keeps the inboxes, and `--make` only makes them: that takes ten minutes or more, and may be done
beside other work. Documents are small, so that the disk is enough: what is measured is the rows, not the bytes in them.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from rich.progress import Progress

from bench.messages import message
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.inbox import push_writes, totals
from soapsvc.inbox.database import Database, inbox_url
from soapsvc.inbox.idempotency import idempotency_key
from soapsvc.inbox.push_id import new_push_id
from soapsvc.inbox.push_rows import NewPush, accepted_push
from soapsvc.inbox.sql_store import SqlStore, open_store
from soapsvc.judge import Judge
from soapsvc.records import Arrival, Push, PushState, Verdict
from soapsvc.settings import load_settings
from soapsvc.shipped import WSDL_FILE
from soapsvc.spool import Spool
from soapsvc.wire.http_messages import RequestHead

FEW = 10_000
IN_ONE_TRANSACTION = 2_000
ROUNDS, OF_A_ROUND = 40, 25
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pushes", nargs="?", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where the inboxes are kept; needs 2 KB a push")
    parser.add_argument("--make", action="store_true", help="make them, and measure nothing")
    parser.add_argument("--cold", action="store_true", help="drop the page cache before it is measured (root)")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="bench-many-"))
    try:
        maker = _Maker(folder)
        sizes = {number: _made(folder / str(number), number, maker) for number in (FEW, asked.pushes)}
        if not asked.make:
            _run(folder, sizes, maker, cold=asked.cold)
    finally:
        if asked.folder is None:
            shutil.rmtree(folder)
    return 0


def _run(folder: Path, sizes: dict[int, int], maker: _Maker, *, cold: bool) -> None:
    many = max(sizes)
    if cold:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")
    stores = {number: _open(folder / str(number)) for number in sizes}
    print(f"{'':34}{f'{FEW:,}':>12}{f'{many:,}':>14}   ratio")
    for what, take in _MEASURES.items():
        taken: dict[int, list[float]] = {number: [] for number in sizes}
        for n in range(ROUNDS):
            for number, store in stores.items():
                taken[number] += take(store, maker, number, n)
        few, more = (statistics.median(taken[number]) for number in sizes)
        print(f"{what:34}{few * 1000:9.3f} ms{more * 1000:11.3f} ms{more / few:8.2f}")
    for number, store in stores.items():
        kept = store.stats()
        over = sizes[number] - kept.document_bytes
        print(f"{number:>10,} pushes: {sizes[number] / 1e6:,.0f} MB on disk, "
              f"{over / number:,.0f} bytes a push over the documents")  # fmt: skip
        store.close()


class _Maker:
    """Pushes that differ in whatever the inbox has an index on, made of one that was read from its bytes."""

    def __init__(self, folder: Path) -> None:
        judge = Judge(load_settings({}), WsdlDocument.load(WSDL_FILE))
        raw = message(0)
        head = RequestHead("POST", "/push", "", (("Content-Type", "text/xml; charset=utf-8"),), "127.0.0.1")
        with Spool(folder) as spool:
            judged = judge.judge_stream(head, BytesIO(raw), Arrival(BEGAN, "192.0.2.1", head.http_headers), spool)
        assert judged.accepted is not None, judged.verdict
        self._push, self._verdict = judged.accepted, judged.verdict
        self._row = accepted_push(self._push, self._verdict)

    def row(self, n: int) -> NewPush:
        """The rows of push n, seven milliseconds after the one before it."""
        at = BEGAN + timedelta(milliseconds=7 * n)
        push_id, digest = new_push_id(at), sha256(b"%d" % n).hexdigest()
        key = idempotency_key(self.push(n)[0])
        push = self._row.push | {
            "id": push_id, "received_at": at, "judged_at": at, "mrn": str(n), "submit_id": f"S{n}",
            "idempotency_key": key, "content_digest": digest, "raw_sha256": digest,
        }  # fmt: skip
        contents = [content | {"push_id": push_id} for content in self._row.contents]
        return replace(self._row, push=push, contents=contents, file_id=push_id)

    def push(self, n: int) -> tuple[Push, Verdict]:
        """Push n as the receiver hands it to the store, whole."""
        job = replace(self._push.job, mrn=str(n)) if self._push.job else None
        arrival, digest = replace(self._push.arrival, received_at=datetime.now(UTC)), sha256(b"%d" % n).hexdigest()
        return replace(self._push, job=job, arrival=arrival, submit_id=f"S{n}", fingerprint=digest), self._verdict


def _made(folder: Path, number: int, maker: _Maker) -> int:
    """Make an inbox, unless it is there; its bytes on disk when it was made."""
    made = folder / "made"
    if not made.exists():
        made.write_text(str(_make(folder, number, maker)))
    return int(made.read_text())


def _make(folder: Path, number: int, maker: _Maker) -> int:
    folder.mkdir(parents=True)
    _open(folder).close()
    database = Database(inbox_url(f"sqlite:///{folder}/inbox.db"), create=True)
    with Progress(transient=True) as progress, database.writer.connect() as connection:
        driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        driver.execute("PRAGMA synchronous = OFF")
        task = progress.add_task(f"making {number:,} pushes", total=number)
        for begin in range(0, number, IN_ONE_TRANSACTION):
            with connection.begin(), totals.gathering(connection):
                end = min(number, begin + IN_ONE_TRANSACTION)
                for part in range(begin, end, 64):
                    push_writes.store_all(connection, [maker.row(n) for n in range(part, min(end, part + 64))])
            progress.update(task, completed=end)
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    database.close()
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def _open(folder: Path) -> SqlStore:
    return open_store(f"sqlite:///{folder}/inbox.db", quarantine_max_bytes=10**9, quarantine_max_bytes_per_source=10**9)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _accept(store: SqlStore, maker: _Maker, number: int, n: int) -> list[float]:
    ones = [maker.push(10**9 + n * OF_A_ROUND + each) for each in range(OF_A_ROUND)]
    return [_timed(lambda one=one: store.accept(*one)) for one in ones]  # type: ignore[misc]


def _redelivery(store: SqlStore, maker: _Maker, number: int, n: int) -> list[float]:
    """Any of those that are there, once more."""
    ones = [maker.push(random.randrange(number)) for _ in range(OF_A_ROUND)]  # noqa: S311
    return [_timed(lambda one=one: store.accept(*one)) for one in ones]  # type: ignore[misc]


def _list(store: SqlStore, maker: _Maker, number: int, n: int) -> list[float]:
    return [_timed(lambda: list(store.rows(limit=50)))]


def _list_quarantined(store: SqlStore, maker: _Maker, number: int, n: int) -> list[float]:
    return [_timed(lambda: list(store.rows(limit=50, state=PushState.QUARANTINED)))]


def _stats(store: SqlStore, maker: _Maker, number: int, n: int) -> list[float]:
    return [_timed(store.stats)]


_MEASURES = {
    "accepting one more, durable": _accept,
    "recognising a redelivery, durable": _redelivery,
    "the first 50 of the list": _list,
    "the first 50 in quarantine": _list_quarantined,
    "figures of /metrics": _stats,
}


if __name__ == "__main__":
    sys.exit(main())
