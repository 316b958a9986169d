"""`python -m bench.recording`: what the exchange log and the search index cost a receiver for each push it accepts.

Three receivers by turns, each started afresh with an empty inbox and loaded over 16 connections with the message of
10 KB: as it is; without the exchange log (`exchanges_kept = 0`); and that one with nothing read of documents for the
search (`search_text_bytes = 0`). CPU is user and system time of the process, from the first push of the load until the
index has followed the last one, so that work put off is counted too. Medians of the rounds.

Then what the exchange log takes by itself, without the noise of a whole receiver: CPU of an exchange that is noted and
written, and of one that is passed over because there were many in that second.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from bench.load import run_load
from bench.machine import describe_machine
from bench.messages import write_message
from bench.processes import cpu_seconds, tree
from bench.report import PAGE, put_between, show, table
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.inbox.exchange import Exchange
from soapsvc.inbox.exchange_log import PER_SECOND, QUEUED, ExchangeLog, Kept
from soapsvc.inbox.sql_store import open_store
from soapsvc.receiver import Receiver
from soapsvc.serving.exchange_recorder import ExchangeRecorder
from soapsvc.settings import load_settings
from soapsvc.shipped import WSDL_FILE
from tests.pushing import running_service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

KINDS = {
    "as it is": "",
    "without the exchange log": "exchanges_kept = 0\n",
    "without it, no text of documents searched": "exchanges_kept = 0\nsearch_text_bytes = 0\n",
}
CONNECTIONS = 16
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Taken:
    """One load. CPU in milliseconds a push: while it lasted, and until the index had followed."""

    rate: float
    p99_ms: float
    under_load_ms: float
    in_all_ms: float


def measure_once(folder: Path, settings: str, message: Path, seconds: float) -> Taken:
    """Start a receiver with these settings, load it, and wait for its index."""
    with running_service(folder, settings=f'log_format = "json"\n{settings}') as service:
        run_load(service.url, [(message, CONNECTIONS)], seconds=0.5)
        _await_index(folder)
        pids = tree([service.process.pid])
        began = cpu_seconds(pids)
        (load,) = run_load(service.url, [(message, CONNECTIONS)], seconds=seconds)
        loaded = cpu_seconds(pids) - began
        _await_index(folder)
        whole = cpu_seconds(pids) - began
    pushes = load.requests
    return Taken(load.rate, load.p99_ms, loaded / pushes * 1000, whole / pushes * 1000)


def measure_log_alone(folder: Path, number: int = 20_000) -> tuple[float, float]:
    """CPU microseconds of an exchange that is kept, and of one that is passed over: the WSDL, asked for with a whole
    request's headers."""
    environ = {f"HTTP_X_HEADER_{n}": "a value" for n in range(8)} | {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/push", "QUERY_STRING": "wsdl", "wsgi.input": BytesIO(),
        "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "4711",
    }  # fmt: skip

    def taken(ask: WSGIApplication) -> float:
        began = time.process_time()
        for _ in range(number):
            list(ask(environ, lambda status, headers, *_: print))
        return (time.process_time() - began) / number * 1e6

    settings = load_settings({"inbox": f"sqlite:///{folder}/inbox.db"})
    log = ExchangeLog(folder / "wire", Kept(number, 1))
    with closing(open_store(settings.inbox, quarantine_max_bytes=1, quarantine_max_bytes_per_source=1)) as store:
        receiver = Receiver(settings, WsdlDocument.load(WSDL_FILE), store)
        recorder = ExchangeRecorder(receiver, log)
        bare = taken(receiver)
        passed_over = taken(recorder) - bare  # all but the first of each second
    log.start()
    log.close()
    log = ExchangeLog(folder / "wire", Kept(number, 1))
    began = time.process_time()
    for _ in range(0, number, QUEUED):
        for _ in range(QUEUED):
            log.note(lambda: _EXCHANGE, ordinary=False)
        log.start()
        log.close()
        log = ExchangeLog(folder / "wire", Kept(number, 1))
    return (time.process_time() - began) / number * 1e6 + passed_over, passed_over


_HEADERS = tuple((f"X-Header-{n}", "a value") for n in range(8))
_EXCHANGE = Exchange(
    datetime.now(UTC), "192.0.2.1", "192.0.2.1 port 4711", "POST /push HTTP/1.1", _HEADERS, 10_000, "1" * 20,
    "accepted", 200, _HEADERS[:1], b"<ack/>" * 100, 600, (("judge", 1.0), ("store", 2.0), ("answer", 0.1)),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    asked = parser.parse_args()
    taken: dict[str, list[Taken]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory(prefix="bench-recording-") as scratch:
        kept, passed_over = measure_log_alone(Path(scratch))
        message = write_message("10KB", Path(scratch))
        for n in range(asked.rounds):
            for i, (kind, settings) in enumerate(KINDS.items()):
                taken[kind].append(measure_once(Path(scratch) / f"{n}-{i}", settings, message, asked.seconds))
    lines = [
        [kind, *(f"{statistics.median(getattr(one, name) for one in ones):.2f}" for name in Taken.__dataclass_fields__)]
        for kind, ones in taken.items()
    ]
    text = table(["receiver, 10 KB", "a second", "p99 ms", "CPU ms a push under load", "until it is indexed"], lines)
    text += (
        f"\n\nThe exchange log by itself: {kept:.0f} µs of CPU for an exchange that is kept, {passed_over:.0f} µs for "
        f"one that is passed over, of which there are some above {PER_SECOND} a second in a process. "
        f"{datetime.now(UTC):%Y-%m-%d}, `python -m bench.recording`; {describe_machine(Path(tempfile.gettempdir()))}."
    )
    show(text)
    if asked.write:
        PAGE.write_text(put_between(PAGE.read_text(), "recording", text))
    return 0


def _await_index(folder: Path) -> None:
    """Errors: TimeoutError."""
    end = time.monotonic() + PATIENCE_SECONDS
    with closing(sqlite3.connect(f"file:{folder}/inbox.db?mode=ro", uri=True)) as inbox:
        wanted = inbox.execute("SELECT count(*) FROM pushes").fetchone()[0]
    while time.monotonic() < end:
        with closing(sqlite3.connect(f"file:{folder}/inbox.db.index?mode=ro", uri=True)) as index:
            if index.execute("SELECT count(*) FROM entries").fetchone()[0] == wanted:
                return
        time.sleep(0.2)
    raise TimeoutError(f"the index had not followed {wanted} pushes after {PATIENCE_SECONDS:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
