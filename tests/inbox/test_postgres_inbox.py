"""The same promises on PostgreSQL, on a server of the test's own: two stores on one database are two nodes."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from soapsvc.inbox.tables import METADATA
from tests.inbox.conftest import opening
from tests.inbox.kept_promises import KeptPromises
from tests.inbox.making import OpenStore
from tests.inbox.promises import InboxPromises

_NUMBERS = count()


def _programs() -> Path | None:
    """Where initdb and pg_ctl lie; Debian keeps them outside PATH."""
    on_path = shutil.which("pg_ctl")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return found[-1] if found else Path(on_path).parent if on_path else None


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of a running PostgreSQL without a database's name."""
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'soapsvc[postgres]'")
    programs = _programs()
    if programs is None:
        pytest.skip("needs a PostgreSQL server: apt-get install postgresql")
    # PostgreSQL refuses to run as root, and its user cannot reach into pytest's directories
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    prefix = ["runuser", "-u", user, "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="soapsvc-pg-"))
    if prefix:
        shutil.chown(folder, user)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]

    def run(program: str, *words: str) -> None:
        subprocess.run([*prefix, str(programs / program), "-D", str(folder / "data"), *words], check=True, cwd=folder,
                       stdout=subprocess.DEVNULL)  # fmt: skip

    run("initdb", "--auth=trust", "--username=soapsvc", "--encoding=UTF8", "--locale=C.UTF-8")
    run(
        "pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-p {port} -k {folder} -c listen_addresses=127.0.0.1", "start"
    )
    try:
        yield f"postgresql+psycopg://soapsvc@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(folder)


class TestPostgresInbox(InboxPromises, KeptPromises):
    @pytest.fixture
    def database(self, server: str) -> str:
        """URL of a database of the test's own."""
        name = f"inbox_{next(_NUMBERS)}"
        engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return f"{server}/{name}"

    @pytest.fixture
    def open_inbox(self, database: str, tmp_path: Path) -> Iterator[OpenStore]:
        yield from opening(database, files=tmp_path / "inbox")

    def test_the_migrations_make_the_tables_that_the_code_uses(self, open_inbox: OpenStore, database: str) -> None:
        open_inbox()
        engine = create_engine(database)
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        engine.dispose()
