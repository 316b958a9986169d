"""What a second processor brings: one process on one processor, and one and two processes on two of them.

`python -m bench.processors [--sizes a,b]`. The load generator runs on the same processors, and so does what a receiver
does beside its pushes. One process leaves that a processor of its own where there are two; therefore it is measured on
one processor too, with the generator (sched_setaffinity): as short of it as two processes on two are. And two processes
are measured with as many connections for each as the one has: with half of them, each waits for the disk now and then.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench.measuring import CONNECTIONS, Sample, measure_once
from bench.messages import SIZES
from bench.report import short, show, table
from bench.servers import SERVERS, names_of


@dataclass(frozen=True)
class Case:
    """A receiver on so many processors, with so many times the connections that belong to the size."""

    server: str
    processors: int
    times: int

    def label(self, size: str) -> str:
        many = f"{self.processors} processor{'s' if self.processors > 1 else ''}"
        return f"{SERVERS[self.server].label}, {many}, {self.times * CONNECTIONS[size]} connections"


ONE, ONE_OF_TWO, *_ = CASES = (
    Case("soapsvc", 1, 1), Case("soapsvc", 2, 1), Case("soapsvc-2", 2, 1), Case("soapsvc-2", 2, 2),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.processors", description=__doc__)
    parser.add_argument("--sizes", type=names_of(SIZES), default=["10KB", "1MB", "20MB"], help=f"of {','.join(SIZES)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--scratch", type=Path, help="directory on the disk to measure on; default: the temporary one")
    given = parser.parse_args(arguments)
    ours = os.sched_getaffinity(0)
    if len(ours) < 2:
        print("this machine has one processor: there is nothing to compare", file=sys.stderr)
        return 2
    console = Console(stderr=True)
    samples: dict[tuple[str, Case], list[Sample]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.scratch) as folder:
        for number in range(given.rounds):
            for size in given.sizes:
                for case in CASES:
                    os.sched_setaffinity(0, sorted(ours)[: case.processors])  # receiver and generator inherit it
                    try:
                        sample = measure_once(SERVERS[case.server], size, number, seconds=given.seconds, warm_seconds=1,
                                              messages=Path(folder), scratch=Path(given.scratch or folder),
                                              connections=case.times * CONNECTIONS[size])  # fmt: skip
                    finally:
                        os.sched_setaffinity(0, ours)
                    samples.setdefault((size, case), []).append(sample)
                    what = f"round {number + 1} of {given.rounds}, {size}, {case.label(size)}"
                    console.print(f"{what}: {sample.rate:,.0f}/s", highlight=False, soft_wrap=True)
    lines = [_line(size, case, samples) for size in given.sizes for case in CASES]
    show(table(["size", "receiver", "a second", "× 1 process on 1 processor", "× 1 process on 2", "p99 ms",
                "CPU ms a push", "errors"], lines) + "\n")  # fmt: skip
    return 1 if any(sample.errors for own in samples.values() for sample in own) else 0


def _line(size: str, case: Case, samples: dict[tuple[str, Case], list[Sample]]) -> list[object]:
    own = samples[size, case]

    def median(member: str) -> str:
        return short(statistics.median(float(getattr(sample, member)) for sample in own))

    def ratio(base: Case) -> str:  # each round's by itself: what slows the machine for a while slows both
        pairs = zip(own, samples[size, base], strict=True)
        return f"{statistics.median(sample.rate / of.rate for sample, of in pairs):.2f}"

    errors = sum(sample.errors for sample in own)
    return [size, case.label(size), median("rate"), ratio(ONE), ratio(ONE_OF_TWO), median("p99_ms"), median("cpu_ms"),
            errors or "-"]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
