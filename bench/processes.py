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
    """Resident memory, with what these processes share counted once.

    Of what they have written (anonymous memory) a page that n of them share counts as an nth in each: PSS,
    proc_pid_smaps(5). Of what they have read from files the most that one has counts for all that run its program; that
    others have read the same takes nothing off.
    """
    written = 0
    read: dict[str, int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended
            program = os.readlink(f"/proc/{pid}/exe")
            of_files = _bytes(pid, "status", "RssFile")
            written += _bytes(pid, "smaps_rollup", "Pss_Anon") + _bytes(pid, "smaps_rollup", "Pss_Shmem")
            read[program] = max(read.get(program, 0), of_files)
    return written + sum(read.values())


def _bytes(pid: int, file: str, name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


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
