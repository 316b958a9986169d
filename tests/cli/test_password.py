"""`soapsvc password` prints what the settings take."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from pathlib import Path

from werkzeug.security import check_password_hash

from soapsvc.settings import load_settings
from tests.commands import soapsvc


def test_a_password_piped_in_becomes_a_hash_that_the_settings_take(tmp_path: Path) -> None:
    done = soapsvc("password", input="correct horse\n")
    assert done.returncode == 0, done.stderr
    printed = done.stdout.strip()
    assert check_password_hash(printed, "correct horse")
    config = tmp_path / "soapsvc.toml"
    config.write_text(f'[basic_users]\nvendor = "{printed}"\n')
    assert load_settings(config=config).basic_users["vendor"].get_secret_value() == printed


def test_nothing_piped_in_is_exit_2() -> None:
    done = soapsvc("password", input="")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no password came in" in done.stderr


def test_at_a_terminal_it_is_asked_twice_and_not_echoed() -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "soapsvc", "password"])
    seen = b""
    for question in (b"Password", b"Once more"):
        seen += read_until(terminal, question + b": ")
        os.write(terminal, b"correct horse\n")
    seen += read_until(terminal, None)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert b"correct horse" not in seen
    assert check_password_hash(seen.decode().split()[-1], "correct horse")


def read_until(terminal: int, wanted: bytes | None) -> bytes:
    """What the program writes, up to the wanted text; None: to its end."""
    seen, patience = b"", time.monotonic() + 30
    while wanted is None or wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0, patience - time.monotonic()))
        assert ready, f"no more than {seen!r} came"
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # Linux says so at the end of a terminal
            break
        if not piece:
            break
        seen += piece
    assert wanted is None or wanted in seen, f"it ended with {seen!r}"
    return seen
