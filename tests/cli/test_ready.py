"""`soapsvc ready` says whether a push would be taken now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import soapsvc
from tests.pushing import free_port, running_service


def test_a_running_receiver_is_ready(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        done = soapsvc("ready", "--wait", "30", "--admin", service.admin_url.removeprefix("http://"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()


def test_a_receiver_whose_inbox_is_gone_is_not_ready(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        for file in tmp_path.glob("inbox.db*"):
            file.rename(tmp_path / f"away-{file.name}")
        done = soapsvc("ready", "--admin", service.admin_url.removeprefix("http://"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not ready (HTTP 503)" in done.stderr


@pytest.mark.parametrize("wait", [(), ("--wait", "0.3")])
def test_nobody_there_is_exit_3(wait: tuple[str, ...]) -> None:
    done = soapsvc("ready", *wait, "--admin", f"127.0.0.1:{free_port()}")
    assert (done.returncode, done.stdout) == (3, "")
    assert "nobody answers" in done.stderr


def test_the_address_comes_from_the_settings(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "settings.toml"
    config.write_text(f'admin = "127.0.0.1:{port}"\n')
    assert f"127.0.0.1:{port}/readyz" in soapsvc("ready", "--config", str(config)).stderr


def test_any_free_port_cannot_be_asked() -> None:
    assert soapsvc("ready", "--admin", "127.0.0.1:0").returncode == 2


def test_a_receiver_on_another_machine_is_asked_as_well() -> None:
    done = soapsvc("ready", "--admin", "receiver.invalid:8081")
    assert (done.returncode, done.stdout) == (3, "")
    assert "nobody answers at http://receiver.invalid:8081/readyz" in done.stderr


@pytest.mark.parametrize("address", ["here", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:²", ":1", ""])
def test_what_is_no_address_is_exit_2(address: str) -> None:
    done = soapsvc("ready", "--admin", address)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not HOST:PORT" in done.stderr


def test_a_host_that_no_name_can_be_is_exit_3() -> None:
    assert soapsvc("ready", "--admin", f"{'ä' * 70}:8081").returncode == 3
