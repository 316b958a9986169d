"""What holds for every test: only loopback is reached, and in CI nothing is skipped that could be installed."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import PostgresServer, running_server

IN_CI = os.environ.get("CI") == "true"
PRIVILEGE = "needs a privilege"
"""How the reason begins for which a test may skip in CI too: nothing that is installed gives it."""
ONE_PYTHON = (
    "cli/test_contract_*", "cli/test_deliveries.py", "cli/test_inbox*", "cli/test_push_trial.py", "cli/test_streams.py",
    "contract/test_contract_difference.py", "contract/test_difference_against_instances.py", "contract/test_learn.py",
    "delivery/test_recipes.py", "delivery/test_worker.py", "inbox/test_failing_disk.py", "inbox/test_killed_inbox.py",
    "inbox/test_postgres_*", "inbox/test_sqlite_search.py", "intake/test_*", "journey/test_backup.py",
    "journey/test_deliveries_killed.py", "journey/test_disk_full.py", "journey/test_failover.py",
    "journey/test_intake.py", "journey/test_killed.py", "journey/test_other_clients.py", "journey/test_reprocess.py",
    "journey/test_two_receivers.py", "preview/*", "serving/test_processes.py", "serving/test_shutdown.py",
    "serving/test_slow_senders.py", "targets/test_file_targets.py", "targets/test_mail_target.py", "test_lanes.py",
    "test_package.py", "web/test_[!ar]*",
)  # fmt: skip
"""Tests that take long because of other programs, disks and clocks: what they show hardly hangs on the version of
Python, so `-m "not one_python"` leaves them out where a second version is tried."""


def pytest_configure() -> None:
    # a shell has what it puts into the background ignore Ctrl-C, and so would every program that the tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if any(fnmatch(str(item.path.relative_to(here)), pattern) for pattern in ONE_PYTHON):
            item.add_marker("one_python")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """A test that would skip for want of a program is a failure where CI installs all of them."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail") and PRIVILEGE not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"would skip, and in CI nothing may: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[Any]:
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"would skip, and in CI nothing may: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail whatever connects to anything but this machine."""
    connect = socket.socket.connect

    def guarded(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            loopback = host == "localhost" or ip_address(host).is_loopback
            assert loopback, f"a test connected to {host}: only loopback is allowed"
        connect(sock, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def in_the_same_folder() -> Iterator[None]:
    """Fail whatever leaves the process in another working directory: what runs next would look for its files there."""
    before = Path.cwd()
    yield
    patience = time.monotonic() + 5  # pyftpdlib answers a CWD a moment before it is back where it was
    while Path.cwd() != before and time.monotonic() < patience:
        time.sleep(0.01)
    left_in = Path.cwd()
    os.chdir(before)
    assert left_in == before


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The top of the checkout that the tests run in."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for all tests that neither stop nor change it."""
    with running_server() as one:
        yield one
