"""An inbox of the test's own, as SQLite file; the backends' classes may give another."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from soapsvc.inbox.indexer import Indexer
from soapsvc.inbox.search_index import SearchIndex
from soapsvc.inbox.sql_store import SqlStore, open_store
from tests.inbox.making import MIB, NOON, OpenStore

DISK_BYTES = 12 * MIB
LATER = NOON + timedelta(days=1)


@pytest.fixture
def inbox_file(tmp_path: Path) -> Path:
    return tmp_path / "inbox.db"


@pytest.fixture
def open_inbox(inbox_file: Path) -> Iterator[OpenStore]:
    yield from opening(f"sqlite:///{inbox_file}")


@pytest.fixture
def store(open_inbox: OpenStore) -> SqlStore:
    return open_inbox()


@pytest.fixture
def index(store: SqlStore) -> SearchIndex:
    return store.search_index()


@pytest.fixture
def indexer(store: SqlStore, index: SearchIndex) -> Indexer:
    return Indexer(store, index, 64 * 1024, lambda: LATER)


def opening(url: str, **common: Any) -> Iterator[OpenStore]:
    """What opens the store at the URL, and closes every store that it opened at the end."""
    opened: list[SqlStore] = []

    def open_one(**changed: Any) -> SqlStore:
        settings = {"quarantine_max_bytes": 64 * MIB, "quarantine_max_bytes_per_source": 16 * MIB}
        store = open_store(url, **{**settings, **common, **changed})
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True) if os.geteuid() == 0 else None
    if mounted is None or mounted.returncode:
        pytest.skip("a file system of its own can only be mounted by root with CAP_SYS_ADMIN")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def open_on_small_disk(small_disk: Path) -> Iterator[OpenStore]:
    yield from opening(f"sqlite:///{small_disk / 'inbox.db'}")


def fill(folder: Path) -> Path:
    """Take every byte that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler
