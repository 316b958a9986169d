"""`python -m bench.stages [--sizes 10KB,1MB]`: where the time of one accepted push goes, stage by stage.

A receiver is asked as the server asks it, by one thread, with a store of its own on disk. A stage's figure is
the time between going in and coming out, less that of the stages inside it: the median, and the 20th percentile, which
other programs disturb less. What the server adds (its sockets, its threads) is not in it: `python -m bench` has the
CPU of the whole process.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from bench.messages import NUMBER, SIZES, message
from bench.report import PAGE, put_between, show, table
from soapsvc import judge, receiver
from soapsvc.contract import known_markup
from soapsvc.contract.push_reader import PushReader
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.inbox import sql_store
from soapsvc.inbox.sql_store import open_store
from soapsvc.logs import silence_logs
from soapsvc.serving.listener import RECEIVE_BYTES
from soapsvc.settings import load_settings
from soapsvc.shipped import WSDL_FILE
from soapsvc.wire.http_messages import RequestHead
from soapsvc.wire.incoming_body import IncomingBody

WARM = 50
REST = "the rest: log, answer"
HEADERS = (("Host", "127.0.0.1"), ("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", '"basicInvoke"'))


class Stages:
    """Times of functions, each without those of the others that it calls.

    pushes  of each, the seconds of each stage
    """

    def __init__(self) -> None:
        self.pushes: list[dict[str, float]] = []
        self._inside: list[float] = []

    def begin(self) -> None:
        """A push begins."""
        self.pushes.append(defaultdict(float))

    def of(self, stage: str) -> list[float]:
        """The milliseconds that a stage took, in rising order."""
        return sorted(1000 * push[stage] for push in self.pushes)

    def watch(self, owner: Any, name: str, stage: str) -> None:
        """Count the function of this name to a stage."""
        function: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            self._inside.append(0.0)
            began = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                taken = time.perf_counter() - began
                inside = self._inside.pop()
                self.pushes[-1][stage] += taken - inside
                if self._inside:
                    self._inside[-1] += taken

        setattr(owner, name, timed)


def measure(size: str, pushes: int) -> Stages:
    """The stages of so many pushes of that size, one after the other."""
    silence_logs()
    stages = Stages()
    with tempfile.TemporaryDirectory(prefix="bench-stages-") as folder:
        settings = load_settings({"inbox": f"sqlite:///{folder}/inbox.db"})
        store = open_store(settings.inbox, quarantine_max_bytes=2**30, quarantine_max_bytes_per_source=2**28)
        taking = receiver.Receiver(settings, WsdlDocument.load(WSDL_FILE), store)
        body = message(SIZES[size])
        for n in range(WARM):
            _push(taking, body, n)
        _watch(stages, taking, store)
        for n in range(WARM, WARM + pushes):
            stages.begin()
            _push(taking, body, n)
        store.close()
    return stages


def _watch(stages: Stages, taking: Any, store: Any) -> None:
    of_judge, check = taking._judge, taking._judge._schema_check
    for owner, name, stage in (
        (taking, "before_body", "head, free space"),
        (IncomingBody, "append", "what comes in: documents cut and decoded"),
        (taking, "at_once", REST),
        (taking, "_answer", REST),
        (taking, "_guarded", REST),
        (of_judge, "judge_known", "reading, and what is known of the markup"),
        (of_judge, "judge", "reading, and what is known of the markup"),
        (known_markup.KnownMarkup, "_surely_fits", "texts against their types"),
        (judge, "read_envelope", "reading, and what is known of the markup"),
        (known_markup, "parsed", "parse (libxml2)"),
        (known_markup, "decoded_whole", "base64"),
        (check, "fits", "schema (libxml2)"),
        (check, "check", "schema (libxml2)"),
        (PushReader, "push", "the push out of the texts"),
        (judge, "read_push", "the push out of the texts"),
        (taking._service, "acknowledge", "Spyne's service, acknowledgement"),
        (taking._service, "dispatch", "Spyne's service, acknowledgement"),
        (sql_store, "accepted_push", "rows: record and envelope packed"),
        (store, "accept", "store: files, waiting for the writer"),
        (store._writer, "_write_waiting", "store: transaction, commit, fsync"),
    ):
        stages.watch(owner, name, stage)


def _push(taking: Any, body: bytes, n: int) -> None:
    sent = body.replace(NUMBER.encode(), b"%012d" % n)
    head = RequestHead("POST", "/push", "", (*HEADERS, ("Content-Length", str(len(sent)))), "127.0.0.1")
    with taking.before_body(head) as incoming:
        for at in range(0, len(sent), RECEIVE_BYTES):
            incoming.append(sent[at : at + RECEIVE_BYTES])
        taken = taking.at_once(incoming)
        submit = None if taken is None else taken.prepare()
        if submit is None:
            answer = taking._guarded(head, lambda: taking._answer(head, incoming, incoming.admitted))
        else:
            told: SimpleQueue[Any] = SimpleQueue()
            submit(told.put)
            answer = taken.answer(told.get())
    if answer.status != 200:
        raise RuntimeError(f"a push was answered with {answer.status}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default="10KB,1MB,20MB")
    parser.add_argument("--pushes", type=int, default=1000, help="of the smallest size; of larger ones fewer")
    parser.add_argument("--write", action="store_true", help=f"into {Path(PAGE).name}")
    given = parser.parse_args()
    sizes = given.sizes.split(",")
    columns: dict[str, dict[str, str]] = {}
    for size in sizes:
        pushes = max(20, given.pushes * SIZES["10KB"] // SIZES[size])
        stages = measure(size, pushes)
        names = dict.fromkeys(name for push in stages.pushes for name in push)
        columns[size] = {name: _shown(stages.of(name)) for name in names}
    stages_of_all = dict.fromkeys(name for size in sizes for name in columns[size])
    rows = [[name, *(columns[size].get(name, "-") for size in sizes)] for name in stages_of_all]
    drawn = table(["stage", *sizes], rows)
    text = f"Milliseconds a push: the 20th percentile (the median), by `python -m bench.stages`.\n\n{drawn}\n"
    show(text)
    if given.write:
        PAGE.write_text(put_between(PAGE.read_text(), "stages", text))
    return 0


def _shown(taken: list[float]) -> str:
    return f"{taken[len(taken) // 5]:.3f} ({statistics.median(taken):.3f})"


if __name__ == "__main__":
    sys.exit(main())
