"""What cannot be listened on is said before anything is promised."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from soapsvc.errors import SettingsError
from soapsvc.serving.service import RunningServer
from soapsvc.settings import OwnSettings
from soapsvc.shipped import WSDL_FILE
from tests.pushing import free_port, running_service
from tests.serving.connection import Connection, eventually, head, running_server


def test_one_address_for_both_listeners_is_refused_by_name(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(SettingsError, match=f"admin is {address}, which cannot be listened on"):
        RunningServer(OwnSettings(listen=address, admin=address, inbox=f"sqlite:///{tmp_path / 'inbox.db'}"))


def test_the_log_tells_the_contract_in_force_and_how_far_it_is_from_the_shipped_one(tmp_path: Path) -> None:
    other = tmp_path / "other.wsdl"
    other.write_bytes(WSDL_FILE.read_bytes().replace(b"basicInvoke", b"other"))
    for wsdl, told in ((WSDL_FILE, "identical"), (other, "breaking")):
        with running_service(tmp_path / wsdl.stem, "--wsdl", str(wsdl), settings='log_format = "json"') as service:
            assert service.terminate() == 0
        lines = (tmp_path / wsdl.stem / "log").read_text().splitlines()
        (said,) = [json.loads(line) for line in lines if "contract in force" in line]
        assert (said["beside_the_shipped"], said["differences"]) == (told, int(told == "breaking"))
        assert said["sha256"] == hashlib.sha256(wsdl.read_bytes()).hexdigest()


MAKES_INBOX = """
import sys
from soapsvc.serving.shared_inbox import make_inbox
from soapsvc.serving.service import RunningServer
from soapsvc.settings import OwnSettings
settings = OwnSettings(listen="127.0.0.1:0", admin="127.0.0.1:0", inbox=sys.argv[1])
make_inbox(settings)
with RunningServer(settings):
    print("made here" if "alembic" in sys.modules else "found")
"""


def test_what_makes_a_new_inbox_stays_in_no_process_that_serves(tmp_path: Path) -> None:
    """It takes 10 MB."""
    inbox = f"sqlite:///{tmp_path / 'inbox.db'}"
    command = [sys.executable, "-c", MAKES_INBOX, inbox]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "found\n"
    (tmp_path / "inbox.db").unlink()
    command[2] = MAKES_INBOX.replace("\nmake_inbox(settings)", "")
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "made here\n"


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("name", ["file/inbox.db", "x" * 300], ids=["in a file", "too long"])
def test_an_inbox_that_cannot_be_made_is_told_once(tmp_path: Path, processes: str, name: str) -> None:
    (tmp_path / "file").touch()
    command = [sys.executable, "-m", "soapsvc", "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    inbox = f"sqlite:///{tmp_path / name}"
    done = subprocess.run(
        [*command, "--processes", processes, "--inbox", inbox], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3
    assert done.stderr.count("inbox unavailable") == 1
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("processes", ["1", "2"])
def test_what_makes_a_new_inbox_ends_with_who_waits_for_it(tmp_path: Path, processes: str) -> None:
    """It would keep the ports for as long as another process keeps the inbox from being made."""
    listen = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "soapsvc", "serve", "--listen", listen, "--admin", "127.0.0.1:0"]
    command += ["--processes", processes, "--inbox", f"sqlite:///{tmp_path / 'inbox.db'}"]
    with (tmp_path / "inbox.db.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(command) as process:
            assert eventually(lambda: (tmp_path / "inbox.db.lock").stat().st_ino in waited_for())
            for _ in range(2):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            assert process.wait(timeout=10) == -signal.SIGTERM
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            assert eventually(lambda: is_bound(free, listen))


def waited_for() -> set[int]:
    """Inodes of files whose lock somebody waits for; proc_locks(5)."""
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return {int(fields[6].rpartition(":")[2]) for fields in lines if fields[1] == "->"}


def is_bound(sock: socket.socket, address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        sock.bind((host, int(port)))
    except OSError:
        return False
    return True


def test_a_request_that_is_broken_off_is_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from soapsvc.logs import configure_logs, silence_logs

    configure_logs("json", logging.INFO)
    try:
        with running_server(tmp_path) as server:
            with Connection(server.public_url) as connection:
                connection.send(head(1000), b"x" * 800)
            said, patience = "", time.monotonic() + 10
            while "request broken off by its sender" not in said and time.monotonic() < patience:
                time.sleep(0.05)
                said += capfd.readouterr().err
    finally:
        silence_logs()
    assert "request broken off by its sender" in said
