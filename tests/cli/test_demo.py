"""`soapsvc demo` shows all of it with one command, in any terminal, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from soapsvc.shipped import SAMPLES
from tests.cli.test_password import read_until
from tests.commands import soapsvc
from tests.pushing import get


def test_once_shows_every_sample_and_ends_well(tmp_path: Path) -> None:
    done = soapsvc("demo", "--once", env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for sample in SAMPLES.glob("*.xml"):
        assert sample.name in done.stdout
    (report,) = (SAMPLES / "decoded").glob("sampleReport*.csv")
    assert report.read_text(encoding="utf-8").splitlines()[0] in done.stdout
    assert "reconstruction" in done.stdout
    assert list(tmp_path.iterdir()) == [], "the demo left something behind"


def test_neither_environment_nor_file_changes_the_demo(tmp_path: Path) -> None:
    (tmp_path / "soapsvc.toml").write_text("nonsense = 1\n")
    paths = {"PYTHONPATH": str(Path(__file__).parent.parent.parent), "SOAPSVC_ALLOWED_SOURCES": '["192.0.2.0/24"]'}
    done = soapsvc("demo", "--once", cwd=tmp_path, env={**os.environ, **paths})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("columns", [80, 120])
def test_it_fits_the_terminal(columns: int) -> None:
    import pty

    child, terminal = pty.fork()
    if child == 0:
        environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(columns)}
        os.execve(sys.executable, [sys.executable, "-m", "soapsvc", "demo", "--once"], environment)
    shown = read_until(terminal, None).decode()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, shown
    os.close(terminal)
    for style in ("\x1b[1m", "\x1b[2m", "\x1b[0m"):
        shown = shown.replace(style, "")
    assert max(map(len, shown.splitlines())) <= columns


def test_it_stays_until_ctrl_c(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "soapsvc", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if "look at it" in line:
                break
        page = get(seen[-1].split()[-1])
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()  # what does not end would be waited for without an end
    assert (page.status, b"sampleReport" in page.body or b"<html" in page.body) == (200, True)
    assert list(tmp_path.iterdir()) == []
