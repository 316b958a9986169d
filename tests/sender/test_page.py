"""What docs/senders-and-backups.md shows does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from soapsvc.cli.push import push
from soapsvc.sender import SCHEDULES, Holder, Profile
from soapsvc.settings import load_settings
from tests.sender.test_push_client import ACKNOWLEDGEMENT
from tests.targets.servers import http_server


@pytest.fixture
def page(checkout: Path) -> str:
    return (checkout / "docs" / "senders-and-backups.md").read_text()


def block(page: str, language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)[0]


def test_the_profile_is_one(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PUSH_PASSWORD", "s3cret")
    Path("soapsvc.toml").write_text(block(page, "toml"))
    profile = Profile.from_settings(load_settings(), "trial")
    assert (profile.schedule.gaps_seconds, len(profile.backups), profile.password) == ((60, 300, 300), 2, "s3cret")


def test_the_program_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("report.csv").write_text("a,b\n")
    Path("backup").mkdir()
    found: dict[str, object] = {}
    with http_server() as receiver:
        receiver.body = ACKNOWLEDGEMENT.encode()
        program = block(page, "python").replace("http://127.0.0.1:8080/push", receiver.url)
        exec(program.replace("/var/spool/reports", str(tmp_path / "backup")), found)
    assert found["outcome"].holder is Holder.RECEIVER  # type: ignore[attr-defined]


def test_every_schedule_and_every_flag_that_is_shown_there_exists(page: str) -> None:
    assert re.findall(r"^\| `([a-z][a-z0-9-]+)` \|", page, re.MULTILINE) == list(SCHEDULES)
    flags = {flag for one in push.params for flag in one.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page)) <= flags
