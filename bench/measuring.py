"""Interleaved rounds: every server in turn, in every round, so that what else the machine does meets all of them."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.load import run_load
from bench.messages import write_message
from bench.processes import PeakMemory, cpu_seconds, machine_seconds, tree
from bench.servers import LeftOut, Server, running

CONNECTIONS = {"10KB": 16, "1MB": 4, "20MB": 2, "100MB": 1}
BASE, BASE_BYTES = "naive", "naive-bytes"
"""What the ratios are to: the document as the contract has it, a text, and as what its text means."""
FREE_BYTES = 8 * 1024**3  # what the fastest can write of large messages before its directory is removed


@dataclass(frozen=True)
class Sample:
    """One server, one size, one round."""

    server: str
    size: str
    round: int
    requests: int
    errors: int
    first_error: str
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    peak_mib: float
    ready_seconds: float
    others: float
    """Share of the machine's CPU time that went to neither the server nor the load generator."""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Row:
    """A server's medians at one size; spread is (largest - smallest) / median of the rates."""

    server: str
    rate: float
    spread: float
    ratio: float | None
    ratio_to_bytes: float | None
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    peak_mib: float
    requests: int
    errors: int
    first_error: str


def measure_once(
    server: Server,
    size: str,
    number: int,
    *,
    seconds: float,
    warm_seconds: float,
    messages: Path,
    scratch: Path,
    connections: int = 0,
) -> Sample:
    """Start the server afresh, warm it, load it, end it. Errors: LeftOut.

    connections  0: as many as belong to the size
    """
    if shutil.disk_usage(scratch).free < FREE_BYTES:
        raise LeftOut(f"less than {FREE_BYTES >> 30} GiB are free on the disk")
    classes = [(write_message(size, messages), connections or CONNECTIONS[size])]
    with running(server, scratch=scratch) as peer:
        run_load(peer.url, classes, seconds=warm_seconds)
        cpu, generator, machine = cpu_seconds(tree(peer.pids)), _generator_seconds(), machine_seconds()
        with PeakMemory(peer.pids) as memory:
            (load,) = run_load(peer.url, classes, seconds=seconds)
        cpu, generator = cpu_seconds(tree(peer.pids)) - cpu, _generator_seconds() - generator
        busy, all_ = (after - before for after, before in zip(machine_seconds(), machine, strict=True))
        ready = peer.ready_seconds
    os.sync()  # so that one server's unwritten pages are not the next one's wait
    return Sample(
        server=server.name,
        size=size,
        round=number,
        requests=load.requests,
        errors=load.errors,
        first_error=load.first_error,
        rate=load.rate,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        cpu_ms=1000 * cpu / max(1, load.requests),
        peak_mib=memory.peak_bytes / 2**20,
        ready_seconds=ready,
        others=max(0.0, busy - cpu - generator) / max(all_, 0.01),
    )


def _generator_seconds() -> float:
    """CPU time of this process, which samples the memory, and of its children that have ended."""
    own = os.times()
    return own.user + own.system + own.children_user + own.children_system


def measure(
    servers: Sequence[Server],
    sizes: Sequence[str],
    *,
    rounds: int,
    seconds: float,
    warm_seconds: float,
    messages: Path,
    scratch: Path,
    tell: Callable[[str], None],
    step: Callable[[Sample | None], None],
) -> tuple[list[Sample], dict[str, str]]:
    """All samples, and for each server that was left out, why.

    tell  is given what is measured next; step what came of it, None when it was left out
    """
    samples: list[Sample] = []
    left_out: dict[str, str] = {}
    for number in range(rounds):
        # the order turns with each round: whoever comes after the busiest peer is not always the same
        turned = [*servers[number % len(servers) :], *servers[: number % len(servers)]]
        for size in sizes:
            for server in turned:
                if server.name in left_out:
                    step(None)
                    continue
                tell(f"round {number + 1} of {rounds}, {size}, {server.name}")
                try:
                    sample = measure_once(server, size, number, seconds=seconds, warm_seconds=warm_seconds,
                                          messages=messages, scratch=scratch)  # fmt: skip
                except LeftOut as reason:
                    left_out[server.name] = str(reason)
                    step(None)
                    continue
                samples.append(sample)
                step(sample)
    return samples, left_out


def rows_of(samples: Iterable[Sample], size: str) -> dict[str, Row]:
    """The medians of each server at that size, by its name."""
    of_server: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.size == size:
            of_server.setdefault(sample.server, []).append(sample)
    bases = [{sample.round: sample.rate for sample in of_server.get(name, [])} for name in (BASE, BASE_BYTES)]
    return {name: _row(name, own, *bases) for name, own in of_server.items()}


def _row(name: str, own: Sequence[Sample], base: dict[int, float], base_bytes: dict[int, float]) -> Row:
    def median(member: str) -> float:
        return statistics.median(float(getattr(sample, member)) for sample in own)

    def ratio(to: dict[int, float]) -> float | None:
        # each round's ratio by itself: what slows the machine for a while slows both
        ratios = [sample.rate / to[sample.round] for sample in own if to.get(sample.round)]
        return statistics.median(ratios) if ratios else None

    rates = [sample.rate for sample in own]
    return Row(
        server=name,
        rate=median("rate"),
        spread=(max(rates) - min(rates)) / median("rate") if median("rate") else 0.0,
        ratio=ratio(base),
        ratio_to_bytes=ratio(base_bytes),
        p50_ms=median("p50_ms"),
        p99_ms=median("p99_ms"),
        cpu_ms=median("cpu_ms"),
        peak_mib=max(sample.peak_mib for sample in own),
        requests=sum(sample.requests for sample in own),
        errors=sum(sample.errors for sample in own),
        first_error=next((sample.first_error for sample in own if sample.errors), ""),
    )
