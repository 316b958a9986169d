"""Measures soapsvc beside other receivers of the same push, interleaved; see bench/README.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.load import BUILT, generator
from bench.machine import describe_commit, describe_machine, describe_versions
from bench.measuring import Sample, measure, rows_of
from bench.messages import SIZES
from bench.report import PAGE, draw, markdown, show, write_table
from bench.servers import SERVERS, SYNC_MS, names_of

FULL_SIZES = ("10KB", "1MB", "20MB")
QUICK_SIZES = ("10KB", "1MB")
QUICK_SERVERS = ("naive", "soapsvc", "soapsvc-2", "bare")


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parse(arguments)
    console = Console(stderr=True)
    if given.sync_ms:
        os.environ[SYNC_MS] = str(given.sync_ms)
    try:
        generator()
    except RuntimeError as cause:
        console.print(f"[red]{cause}[/red]")
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.scratch) as folder:
        scratch = Path(given.scratch or tempfile.gettempdir())
        machine = describe_machine(scratch)
        samples, left_out = _measure(given, Path(folder), scratch, console)
    rows = {size: rows_of(samples, size) for size in given.sizes}
    minutes = (time.monotonic() - began) / 60
    command = " ".join(["python -m bench", *(sys.argv[1:] if arguments is None else arguments)])
    facts = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `{command}` in {minutes:.0f} minutes: {given.rounds} interleaved "
        f"rounds, {given.seconds:g} s each; medians; spread is (largest - smallest) / median of the rates; the ratio "
        "is the median of each round's ratio.",
        f"Machine: {machine}. The load generator runs on the same cores; other programs took "
        f"{_others(samples):.0%} of their time while measuring (median; most {_others(samples, max):.0%}).",
        f"Versions: {describe_versions()}; commit of the soapsvc measured: {describe_commit()}.",
    ]
    BUILT.mkdir(exist_ok=True)
    kept = {"facts": facts, "left_out": left_out, "samples": [sample.as_dict() for sample in samples]}
    (BUILT / "last.json").write_text(json.dumps(kept, indent=1))
    if given.write:
        if given.sync_ms:
            write_table("slow disk", markdown(rows, left_out, facts, picture=False))
        else:
            write_table("peers", markdown(rows, left_out, facts, picture=True))
            draw(rows)
        console.print(f"Written to {PAGE}")
    show(markdown(rows, left_out, facts, picture=False))
    return 1 if any(sample.errors for sample in samples) else 0


def _others(samples: Sequence[Sample], pick: Callable[[list[float]], float] = median) -> float:
    return pick([sample.others for sample in samples]) if samples else 0.0


def _measure(
    given: argparse.Namespace, messages: Path, scratch: Path, console: Console
) -> tuple[list[Sample], dict[str, str]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console) as progress:
        total = given.rounds * len(given.sizes) * len(given.peers)
        task = progress.add_task("starting", total=total)

        def step(sample: Sample | None) -> None:
            progress.advance(task)
            if sample is None:
                return
            errors = f", [red]{sample.errors} errors[/red]" if sample.errors else ""
            progress.console.print(
                f"[dim]round {sample.round + 1}[/dim] {sample.size:>5} {sample.server:<16} {sample.rate:>8,.1f}/s  p99 "
                f"{sample.p99_ms:>7,.1f} ms  {sample.cpu_ms:>7.2f} ms CPU  {sample.peak_mib:>6,.0f} MiB{errors}",
                highlight=False,
                soft_wrap=True,
            )

        return measure(
            [SERVERS[name] for name in given.peers],
            given.sizes,
            rounds=given.rounds,
            seconds=given.seconds,
            warm_seconds=given.warm_seconds,
            messages=messages,
            scratch=scratch,
            tell=lambda what: progress.update(task, description=what),
            step=step,
        )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10KB and 1MB; naive, soapsvc and bare; under two minutes")
    parser.add_argument("--peers", type=names_of(SERVERS), help=f"of {','.join(SERVERS)}; ratios need naive")
    parser.add_argument("--sizes", type=names_of(SIZES), help=f"of {','.join(SIZES)}")
    parser.add_argument("--rounds", type=int, help="default: 5; quick: 3")
    parser.add_argument("--seconds", type=float, help="of each measurement; default: 5; quick: 2")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md; a full run always does")
    parser.add_argument("--scratch", type=Path, help="directory on the disk to measure on; default: the temporary one")
    parser.add_argument("--sync-ms", type=int, help="by which each fsync takes longer: a slow disk; a table of its own")
    given = parser.parse_args(arguments)
    full = not (given.quick or given.peers or given.sizes or given.rounds or given.seconds or given.sync_ms)
    given.write = given.write or full
    given.peers = given.peers or list(QUICK_SERVERS if given.quick else SERVERS)
    given.sizes = given.sizes or list(QUICK_SIZES if given.quick else FULL_SIZES)
    given.rounds = given.rounds or (3 if given.quick else 5)
    given.seconds = given.seconds or (2.0 if given.quick else 5.0)
    given.warm_seconds = 0.4 if given.quick else 1.0
    return given


if __name__ == "__main__":
    sys.exit(main())
