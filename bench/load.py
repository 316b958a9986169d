"""Drives load.c, the load generator: `python -m bench.load URL --message 10KB --connections 16`."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.messages import SIZES, write_message

SOURCE = Path(__file__).with_name("load.c")
BUILT = Path(__file__).with_name("built")
"""What is compiled or installed for the measurements; git does not see it."""


@dataclass(frozen=True)
class Load:
    """What came of one class of traffic. `seconds` ends with the last answer; errors are not in `requests`."""

    requests: int
    seconds: float
    rate: float
    errors: int
    first_error: str
    connects: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def generator() -> Path:
    """The compiled generator. Errors: RuntimeError: no C compiler, or it does not compile."""
    return compiled(SOURCE, "load")


def compiled(source: Path, name: str, *options: str) -> Path:
    """What a C file is compiled to. Errors: RuntimeError."""
    program = BUILT / name
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    if shutil.which("gcc") is None:
        raise RuntimeError(f"{source.name} is C, and gcc is not installed")
    BUILT.mkdir(exist_ok=True)
    made = subprocess.run(["gcc", "-O2", *options, "-o", program, source], capture_output=True, text=True)
    if made.returncode:
        raise RuntimeError(f"gcc does not compile {source.name}: {made.stderr.strip()}")
    return program


def run_load(url: str, classes: Sequence[tuple[Path, int]], *, seconds: float, least: int = 1) -> list[Load]:
    """Push each class's message over its number of connections, all at once, for so many seconds.

    least  answers that each class must have had before it ends; a slow peer is given up to ten times the seconds

    Errors: RuntimeError: the generator failed.
    """
    parts = urlsplit(url)
    first = time.time_ns() // 1000 % 10**12  # of its own for each run: no request is a redelivery of an earlier run's
    words = [generator(), parts.hostname, parts.port, parts.path or "/", seconds, least, first]
    words += [f"{file}:{connections}" for file, connections in classes]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr.strip()}")
    return [Load(**one) for one in json.loads(done.stdout)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("url", help="where to POST, such as http://127.0.0.1:8080/push")
    parser.add_argument("--message", choices=SIZES, action="append", help="size of the message; twice: two classes")
    parser.add_argument("--connections", type=int, action="append", help="for each --message (default: 16)")
    parser.add_argument("--seconds", type=float, default=5)
    given = parser.parse_args(arguments)
    sizes = given.message or ["10KB"]
    if len(sizes) > 2:
        parser.error("at most two classes")
    counts = (given.connections or []) + [16] * len(sizes)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        classes = [(write_message(size, Path(folder)), count) for size, count in zip(sizes, counts, strict=False)]
        done = run_load(given.url, classes, seconds=given.seconds)
    print(json.dumps([vars(load) for load in done], indent=2))
    return 1 if any(load.errors for load in done) else 0


if __name__ == "__main__":
    sys.exit(main())
