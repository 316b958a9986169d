"""What a tree of processes takes of memory and CPU, read from /proc."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.02
TREE_SECONDS = 0.5  # looking for new processes reads all of /proc


def tree(roots: Iterable[int]) -> list[int]:
    """The processes and all that descend from them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, open_ = [], list(roots)
    while open_:
        pid = open_.pop()
        found.append(pid)
        open_ += children.get(pid, [])
    return found


def rss_bytes(pids: Iterable[int]) -> int:
    """Resident memory, added up: pages that two processes share count in both."""
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
        except (OSError, IndexError):  # it has ended
            continue
    return total


def shared_once_bytes(pids: Iterable[int]) -> int:
    """Resident memory, added up, a page that n processes share counted as an nth in each: PSS, proc_pid_smaps(5)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of the processes, and of their children that have ended."""
    return sum(sum(int(ticks) for ticks in fields[11:15]) for pid in pids if (fields := _stat(pid))) / TICKS


def machine_seconds() -> tuple[float, float]:
    """CPU time of all processes and of the kernel, and all that the cores had, since the machine began."""
    user, nice, system, idle, wait, irq, softirq, steal = (
        int(ticks) / TICKS for ticks in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    )
    busy = user + nice + system + irq + softirq + steal
    return busy, busy + idle + wait


def _stat(pid: int) -> list[str]:
    """/proc/PID/stat from the third field on; empty: it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


class PeakMemory:
    """Looks at a tree's memory 50 times a second, until the `with` ends; `peak_bytes` is the most that it saw."""

    def __init__(self, roots: Iterable[int]):
        self._roots = list(roots)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_bytes = rss_bytes(tree(self._roots))

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        pids, looked_at = tree(self._roots), time.monotonic()
        while not self._ended.wait(SAMPLE_SECONDS):
            if time.monotonic() - looked_at > TREE_SECONDS:
                pids, looked_at = tree(self._roots), time.monotonic()
            self.peak_bytes = max(self.peak_bytes, rss_bytes(pids))
