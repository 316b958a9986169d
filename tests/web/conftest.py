"""A real store in a file, and the admin application on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from soapsvc.inbox.sql_store import SqlStore
from tests.inbox.conftest import opening
from tests.web.looking import client_of


@pytest.fixture(scope="session")
def empty_inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store with all its tables: to copy it takes less time than to make them."""
    file = tmp_path_factory.mktemp("empty") / "inbox.db"
    for open_inbox in opening(f"sqlite:///{file}"):
        open_inbox()
    return file


@pytest.fixture
def inbox_file(tmp_path: Path, empty_inbox: Path) -> Path:
    return Path(shutil.copy(empty_inbox, tmp_path))


@pytest.fixture
def store(inbox_file: Path) -> Iterator[SqlStore]:
    for open_inbox in opening(f"sqlite:///{inbox_file}"):
        yield open_inbox()


@pytest.fixture
def client(store: SqlStore) -> FlaskClient:
    return client_of(store)
