"""What stands behind stdin, stdout and stderr may be full, closed, or of another charset: a sentence, never a fault."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from soapsvc.cli.main import UNREACHABLE, USAGE, WELL
from tests.cli.conftest import Inbox


def in_a_shell(words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`soapsvc` with these words and redirections."""
    return subprocess.run(
        ["sh", "-c", f"{shlex.quote(sys.executable)} -m soapsvc {words}"],
        capture_output=True, env={**os.environ, **environment}, text=True, input="x\n", timeout=60,
    )  # fmt: skip


@pytest.fixture
def of_inbox(inbox: Inbox) -> str:
    inbox.accept(inbox.push(1, b"x" * 3_000_000, subject="報告"))
    return f"--inbox {shlex.quote(inbox.url)}"


@pytest.mark.parametrize(("stdout", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")])
@pytest.mark.parametrize("words", ["list", "list --json", "stats", "show ID", "get ID", "show ID --raw"])
def test_an_inbox_that_cannot_be_printed_is_exit_3(
    inbox: Inbox, of_inbox: str, words: str, stdout: str, why: str
) -> None:
    words = words.replace("ID", next(iter(inbox.store.rows(limit=1))).id)
    done = in_a_shell(f"inbox {words} {of_inbox} {stdout}")
    assert done.stderr == f"soapsvc: stdout does not take what was asked for: {why}\n"
    assert (done.returncode, done.stdout) == (UNREACHABLE, "")


@pytest.mark.parametrize("words", ["--help", "--version", "contract show", "contract classes", "password"])
@pytest.mark.parametrize("stdout", [">/dev/full", ">&-"])
def test_every_command_tells_that_stdout_takes_nothing(words: str, stdout: str) -> None:
    done = in_a_shell(f"{words} {stdout}")
    assert done.returncode == UNREACHABLE
    assert "stdout does not take what was asked for" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
def test_diagnostics_that_nobody_can_read_change_neither_stdout_nor_the_exit_code(
    tmp_path: Path, of_inbox: str, stderr: str
) -> None:
    missing = in_a_shell(f"inbox list --inbox sqlite:///{tmp_path}/none.db {stderr}")
    assert (missing.returncode, missing.stdout) == (UNREACHABLE, "")
    wrong = in_a_shell(f"inbox list --limit 0 {stderr}")
    assert (wrong.returncode, wrong.stdout) == (USAGE, "")
    limited = in_a_shell(f"inbox list --limit 1 --json {of_inbox} {stderr}")
    assert (limited.returncode, len(limited.stdout.splitlines())) == (WELL, 1)


def test_a_line_is_written_at_once_where_python_is_told_not_to_buffer() -> None:
    code = "import time; from soapsvc.cli.streams import *; prepare_streams(); print('now'); time.sleep(600)"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        process.kill()


def test_a_closed_stdin_has_nothing_in_it() -> None:
    done = in_a_shell("password <&-")
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert "no password came in" in done.stderr


def test_nothing_that_is_opened_later_takes_the_place_of_a_closed_stream(of_inbox: str) -> None:
    done = in_a_shell(f"inbox stats {of_inbox} <&- >&- 2>&-")
    assert done.returncode == UNREACHABLE


def test_a_character_that_stdout_does_not_have_is_written_as_an_escape(inbox: Inbox, of_inbox: str) -> None:
    (row,) = inbox.store.rows(limit=1)
    shown = in_a_shell(f"inbox show {row.id} {of_inbox}", PYTHONIOENCODING="latin-1")
    assert shown.returncode == WELL, shown.stderr
    assert r"\u5831\u544a" in shown.stdout
