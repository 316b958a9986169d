"""A full disk: nothing is acknowledged, the sender is told to keep the push, and it ends when there is room."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PRIVILEGE
from tests.pushing import HttpAnswer, Service, envelope, listed, post, running_service

SIZE_BYTES = 48 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(folder)], capture_output=True, text=True
    ) if os.geteuid() == 0 else None  # fmt: skip
    if mounted is None or mounted.returncode:
        pytest.skip(f"{PRIVILEGE}: a file system of its own is mounted by root with CAP_SYS_ADMIN alone")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take every byte that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65536)
        except OSError:
            pass
    return filler


def is_server_fault(answer: HttpAnswer) -> bool:
    return answer.status == 500 and b":Server</faultcode>" in answer.body and "retry-after" in answer.headers


def push_many(service: Service, serials: range, size: int) -> list[HttpAnswer]:
    return [post(service.url, envelope(mrn, os.urandom(size))) for mrn in serials]


def stored_jobs(service: Service) -> list[int]:
    return sorted(int(push["job"]["mrn"]) for push in listed(service.inbox))


@pytest.mark.parametrize("size", [4_000, 400_000, 3_000_000])  # in the row, in a file, and through the server's spool
def test_a_full_disk_acknowledges_nothing_and_recovers(small_disk: Path, size: int) -> None:
    with running_service(small_disk, settings="min_free_bytes = 1_000_000") as service:
        assert post(service.url, envelope(1, os.urandom(size))).acknowledged
        filler = fill(small_disk)
        refused = push_many(service, range(100, 120), size)
        assert [answer for answer in refused if not is_server_fault(answer)] == []
        filler.unlink()
        assert [a for a in push_many(service, range(200, 202), size) if not a.acknowledged] == []
        assert stored_jobs(service) == [1, 200, 201]


@pytest.mark.parametrize("size", [4_000, 400_000, 3_000_000])
def test_a_write_that_fails_though_there_seemed_to_be_room_acknowledges_nothing_and_recovers(
    tmp_path: Path, size: int
) -> None:
    """The limit on a file's size stands for a quota: free space looks well, and the write fails all the same."""
    with running_service(tmp_path) as service:
        assert post(service.url, envelope(1, os.urandom(size))).acknowledged
        _, hard = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (2_000, hard))
        refused = push_many(service, range(100, 120), size)
        assert [answer for answer in refused if not is_server_fault(answer)] == []
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert [a for a in push_many(service, range(200, 202), size) if not a.acknowledged] == []
        assert stored_jobs(service) == [1, 200, 201]
