"""Whether a 20 MB push holds up small ones: p99 of 16 connections with 10 KB, alone and beside one that repeats 20 MB.

`python -m bench.mixed [--peers a,b] [--rounds N]`. Both are measured on one started receiver, one after the other.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.load import Load, run_load
from bench.messages import write_message
from bench.report import short, show, table
from bench.servers import SERVERS, LeftOut, Server, names_of, running

DEFAULT = ("naive", "soapsvc", "soapsvc-2", "bare")
SMALL_CONNECTIONS, LARGE_CONNECTIONS = 16, 1
WARM_SECONDS = 1.0


def measure_pair(
    server: Server, small: Path, large: Path, *, seconds: float, scratch: Path | None
) -> tuple[Load, Load, Load]:
    """Small ones alone; small ones beside large ones; those large ones. Errors: LeftOut."""
    with running(server, scratch=scratch) as peer:
        run_load(peer.url, [(small, SMALL_CONNECTIONS)], seconds=WARM_SECONDS)
        (alone,) = run_load(peer.url, [(small, SMALL_CONNECTIONS)], seconds=seconds)
        beside, large_ones = run_load(
            peer.url, [(small, SMALL_CONNECTIONS), (large, LARGE_CONNECTIONS)], seconds=seconds
        )
    return alone, beside, large_ones


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.mixed", description=__doc__)
    parser.add_argument("--peers", type=names_of(SERVERS), default=list(DEFAULT), help=f"of {','.join(SERVERS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--scratch", type=Path, help="directory on the disk to measure on; default: the temporary one")
    given = parser.parse_args(arguments)
    console = Console(stderr=True)
    loads: dict[str, list[tuple[Load, Load, Load]]] = {}
    left_out: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.scratch) as folder:
        small, large = (write_message(size, Path(folder)) for size in ("10KB", "20MB"))
        for number in range(given.rounds):
            for name in given.peers:
                if name in left_out:
                    continue
                with console.status(f"round {number + 1} of {given.rounds}, {name}"):
                    try:
                        one = measure_pair(SERVERS[name], small, large, seconds=given.seconds, scratch=given.scratch)
                    except LeftOut as reason:
                        left_out[name] = str(reason)
                        continue
                loads.setdefault(name, []).append(one)
                alone, beside, large_ones = one
                console.print(
                    f"round {number + 1} {name}: p99 {alone.p99_ms:.1f} ms alone, {beside.p99_ms:.1f} ms beside "
                    f"{large_ones.rate:.1f} large ones a second",
                    soft_wrap=True,
                )
    lines = [_line(name, own) for name, own in loads.items()]
    header = ["receiver", "alone: a second", "p50 ms", "p99 ms", "beside 20 MB: a second", "p50 ms", "p99 ms",
              "20 MB a second", "errors"]  # fmt: skip
    notes = [f"- Left out: {SERVERS[name].label}: {reason}" for name, reason in left_out.items()]
    notes += [f"- {name}: first error: `{load.first_error}`" for name, load in _failed(loads)]
    show("\n\n".join([table(header, lines), "\n".join(notes)]).strip() + "\n")
    return 1 if _failed(loads) else 0


def _line(name: str, own: Sequence[tuple[Load, Load, Load]]) -> list[object]:
    def median(which: int, member: str) -> str:
        return short(statistics.median(float(getattr(loads[which], member)) for loads in own))

    small = [median(which, member) for which in (0, 1) for member in ("rate", "p50_ms", "p99_ms")]
    errors = sum(load.errors for loads in own for load in loads)
    return [SERVERS[name].label, *small, median(2, "rate"), errors or "-"]


def _failed(loads: dict[str, list[tuple[Load, Load, Load]]]) -> list[tuple[str, Load]]:
    return [(name, load) for name, own in loads.items() for three in own for load in three if load.errors]


if __name__ == "__main__":
    sys.exit(main())
