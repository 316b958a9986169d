"""What holds for every test: only loopback is reached, and in CI nothing is skipped that could be installed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import PostgresServer, running_server

IN_CI = os.environ.get("CI") == "true"
PRIVILEGE = "needs a privilege"
"""How the reason begins for which a test may skip in CI too: nothing that is installed gives it."""


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


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The top of the checkout that the tests run in."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for all tests that neither stop nor change it."""
    with running_server() as one:
        yield one
