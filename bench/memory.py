"""Memory of each receiver: idle, with one document of 100 MB, with eight at once; and how soon it is ready.

`python -m bench.memory [--peers a,b]`. Each figure is of a receiver that was started for it: what one push made a
process keep would hide what the next one needs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console

from bench.load import run_load
from bench.messages import write_message
from bench.processes import PeakMemory, rss_bytes, shared_once_bytes, tree
from bench.report import show, table
from bench.servers import SERVERS, LeftOut, Server, names_of, running

DEFAULT = ("naive", "soapsvc", "soapsvc-2", "bare")
AT_ONCE = (1, 8)
SETTLE_SECONDS = 1.0  # what a start leaves behind is freed by then
BARELY = 0.01  # seconds of load: each connection sends once


@dataclass(frozen=True)
class Use:
    """What pushes at the same time took. MiB; at rest pages that processes share count once; the peak is over that of
    resident memory."""

    ready_seconds: float
    idle_mib: float
    over_idle_mib: float
    seconds: float
    errors: int
    first_error: str


def measure_use(server: Server, message: Path, at_once: int, *, scratch: Path | None) -> Use:
    """Start the server, let it settle, push the message so many times at once. Errors: LeftOut."""
    with running(server, scratch=scratch) as peer:
        time.sleep(SETTLE_SECONDS)
        pids = tree(peer.pids)
        idle, resident = shared_once_bytes(pids), rss_bytes(pids)
        with PeakMemory(peer.pids) as memory:
            (load,) = run_load(peer.url, [(message, at_once)], seconds=BARELY)
        over = memory.peak_bytes - resident
        return Use(peer.ready_seconds, idle / 2**20, over / 2**20, load.seconds, load.errors, load.first_error)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--peers", type=names_of(SERVERS), default=list(DEFAULT), help=f"of {','.join(SERVERS)}")
    parser.add_argument("--size", default="100MB", choices=["1MB", "20MB", "100MB"])
    parser.add_argument("--scratch", type=Path, help="directory on the disk to measure on; default: the temporary one")
    given = parser.parse_args(arguments)
    console = Console(stderr=True)
    lines: list[list[object]] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.scratch) as folder:
        message = write_message(given.size, Path(folder))
        for name in given.peers:
            uses: list[Use] = []
            try:
                for at_once in AT_ONCE:
                    with console.status(f"{name}, {at_once} × {given.size}"):
                        uses.append(measure_use(SERVERS[name], message, at_once, scratch=given.scratch))
                    use = uses[-1]
                    console.print(
                        f"{name}, {at_once} × {given.size}: {use.over_idle_mib:,.0f} MiB over idle", soft_wrap=True
                    )
                    if use.errors:
                        notes.append(
                            f"- {name}, {at_once} at once: {use.errors} failed; the first: `{use.first_error}`"
                        )
            except LeftOut as reason:
                notes.append(f"- Left out: {SERVERS[name].label}: {reason}")
                continue
            figures = [f"{figure:,.0f}" for use in uses for figure in (use.over_idle_mib,)]
            took = [f"{use.seconds:.1f}" for use in uses]
            ready, idle = (
                median(one) for one in zip(*((use.ready_seconds, use.idle_mib) for use in uses), strict=True)
            )
            lines.append([SERVERS[name].label, f"{ready:.1f}", f"{idle:,.0f}",
                          figures[0], took[0], figures[1], took[1]])  # fmt: skip
    header = ["receiver", "ready after s", "idle MiB", f"one {given.size}: MiB over idle", "in s",
              "eight at once: MiB over idle", "in s"]  # fmt: skip
    show("\n\n".join([table(header, lines), "\n".join(notes)]).strip() + "\n")
    return 1 if any("failed" in note for note in notes) else 0


if __name__ == "__main__":
    sys.exit(main())
