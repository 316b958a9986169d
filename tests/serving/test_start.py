"""What cannot be listened on is said before anything is promised."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from soapsvc.errors import SettingsError
from soapsvc.serving import RunningServer
from soapsvc.settings import OwnSettings
from tests.pushing import free_port
from tests.serving.connection import Connection, head, running_server


def test_one_address_for_both_listeners_is_refused_by_name(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(SettingsError, match=f"admin is {address}, which cannot be listened on"):
        RunningServer(OwnSettings(listen=address, admin=address, inbox=f"sqlite:///{tmp_path / 'inbox.db'}"))


def test_a_request_that_is_broken_off_is_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from soapsvc.logs import configure_logs, silence_logs

    configure_logs("json", logging.INFO)
    try:
        with running_server(tmp_path) as server, Connection(server.public_url) as connection:
            connection.send(head(1000), b"x" * 800)
    finally:
        silence_logs()
    assert "request broken off by its sender" in capfd.readouterr().err
