"""On what, and with which versions, was measured."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.servers import CHECKOUT

PACKAGES = ("soapsvc", "spyne", "lxml", "waitress", "pybase64", "SQLAlchemy")
PROGRAMS = {
    "PHP": ["php", "--version"],
    "nginx": ["/usr/sbin/nginx", "-v"],
    "node": ["node", "--version"],
    "gSOAP": ["soapcpp2", "-V"],
    "gcc": ["gcc", "--version"],
    "PostgreSQL": ["pg_config", "--version"],
}


def describe_machine(scratch: Path) -> str:
    """Cores, memory, system, and how long the disk takes to sync 4 KiB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {_system()}, Linux "
        f"{platform.release().split('-')[0]}; {_file_system(scratch)}, fsync {_sync_ms(scratch):.2f} ms; "
        f"load average before {os.getloadavg()[0]:.1f}"
    )


def describe_versions() -> str:
    """Of Python, of the packages that do the work, and of the peers' programs that are there."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    found.append(f"SQLite {sqlite3.sqlite_version}")
    for name, words in PROGRAMS.items():
        if shutil.which(words[0]) and (number := _number(words)):
            found.append(f"{name} {number}")
    return ", ".join(found)


def describe_commit() -> str:
    """The commit that is checked out, and whether anything differs from it."""
    told = subprocess.run(["git", "describe", "--always", "--dirty=, changed since"], cwd=CHECKOUT, capture_output=True,
                          text=True)  # fmt: skip
    return told.stdout.strip() or "not in git"


def _number(words: list[str]) -> str:
    try:
        told = subprocess.run(words, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+\.\d+(?:\.\d+)?", told.stdout + told.stderr)
    return found[0] if found else ""


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _file_system(folder: Path) -> str:
    told = subprocess.run(["stat", "--file-system", "--format=%T", folder], capture_output=True, text=True)
    return told.stdout.strip() or "unknown file system"


def _sync_ms(folder: Path) -> float:
    took = []
    with tempfile.TemporaryFile(dir=folder) as probe:
        for _ in range(100):
            probe.write(b"x" * 4096)
            probe.flush()
            began = time.perf_counter()
            os.fsync(probe.fileno())
            took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)
