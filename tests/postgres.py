"""PostgreSQL servers of a test's own, on loopback: a primary, and a standby that it waits for at each commit."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from soapsvc.inbox.sql_store import open_store
from tests.pushing import free_port

_NUMBERS = count()
USER = "soapsvc"


@dataclass
class PostgresServer:
    """A running server; its data lies below `folder`."""

    folder: Path
    port: int
    _made: str | None = None

    @property
    def url(self) -> str:
        """Without a database's name."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self, *settings: str) -> None:
        """settings  such as fsync=off"""
        words = " ".join(f"-c {setting}" for setting in ("listen_addresses=127.0.0.1", *settings))
        options = f"-p {self.port} -k {self.folder} {words}"
        self.run(
            "pg_ctl", "-w", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-o", options, "start"
        )

    def restart(self, *settings: str) -> None:
        self.stop("fast")
        self.start(*settings)

    def stop(self, how: str = "immediate") -> None:
        self.run("pg_ctl", "-w", "-D", str(self.folder / "data"), "-m", how, "stop")

    def promote(self) -> None:
        """Make a standby the primary."""
        self.run("pg_ctl", "-w", "-D", str(self.folder / "data"), "promote")

    def kill(self) -> None:
        """SIGKILL for the server and all its processes at once, as if the machine had vanished."""
        pids = [self.pid, *self._children()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: the machine answers at the network, the server does not."""
        for pid in (self.pid, *self._children()):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in (self.pid, *self._children()):
            os.kill(pid, signal.SIGCONT)

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """The rows of one statement outside a transaction."""
        import psycopg

        with psycopg.connect(host="127.0.0.1", port=self.port, user=USER, dbname=database, autocommit=True) as one:
            cursor = one.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def empty_database(self) -> str:
        """Name of a new database."""
        name = f"inbox_{next(_NUMBERS)}"
        self.sql(f"CREATE DATABASE {name}")
        return name

    def database(self) -> str:
        """Name of a new database with an inbox of its own in it: a copy, since the migrations take a second."""
        if self._made is None:
            self._made = self.empty_database()
            open_store(f"{self.url}/{self._made}", quarantine_max_bytes=1, quarantine_max_bytes_per_source=1).close()
        name = f"inbox_{next(_NUMBERS)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {self._made}")
        self.sql(f"UPDATE inbox SET id = '{secrets.token_hex(16)}'", name)
        return name

    def standby(self) -> PostgresServer:
        """A copy that follows this server, not started yet."""
        standby = PostgresServer(_own_folder(), free_port())
        self.run(
            "pg_basebackup", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-D", str(standby.folder / "data"),
            "-R", "-C", "-S", f"standby_{standby.port}", "-c", "fast",
        )  # fmt: skip
        return standby

    def run(self, program: str, *words: str) -> None:
        done = subprocess.run([*_as_its_user(), str(programs() / program), *words], cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stderr}"

    def remove(self) -> None:
        """Stop it, where it runs, and remove its data."""
        with contextlib.suppress(AssertionError, OSError):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _children(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]


def programs() -> Path:
    """Where initdb and pg_ctl lie; Debian keeps them outside PATH. Skips where there are none."""
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'soapsvc[postgres]'")
    on_path = shutil.which("pg_ctl")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found and on_path is None:
        pytest.skip("needs a PostgreSQL server: apt-get install postgresql")
    return found[-1] if found else Path(str(on_path)).parent


@contextlib.contextmanager
def running_server(*settings: str) -> Iterator[PostgresServer]:
    """A new server, removed with the block."""
    programs()
    server = PostgresServer(_own_folder(), free_port())
    try:
        server.run(
            "initdb", "-D", str(server.folder / "data"), "--auth=trust", f"--username={USER}", "--encoding=UTF8",
            "--locale=C.UTF-8",
        )  # fmt: skip
        server.start(*settings)
        yield server
    finally:
        server.remove()


def _as_its_user() -> list[str]:
    # PostgreSQL refuses to run as root, and its user cannot reach into pytest's directories
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def _own_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="soapsvc-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    return folder
