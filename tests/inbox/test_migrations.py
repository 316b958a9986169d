"""The tables come from the migrations alone, from whatever state, by however many processes at once."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from soapsvc.errors import StoreError
from soapsvc.inbox.database import MIGRATIONS, NEWEST_REVISION, Database, inbox_url
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.inbox.tables import METADATA
from tests.inbox.making import STRICT, OpenStore, all_ids, push


def test_the_migrations_make_the_tables_that_the_code_uses(inbox_file: Path) -> None:
    database = Database(inbox_url(f"sqlite:///{inbox_file}"), create=True)
    with database.reader.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    database.close()


def test_partial_indexes_are_partial(inbox_file: Path) -> None:
    """Alembic's comparison does not look at their condition."""
    Database(inbox_url(f"sqlite:///{inbox_file}"), create=True).close()
    connection = sqlite3.connect(inbox_file)
    made = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))
    connection.close()
    wanted = {
        index.name: index.dialect_options["sqlite"]["where"] for t in METADATA.sorted_tables for index in t.indexes
    }
    assert made.keys() == wanted.keys()
    for name, where in wanted.items():
        assert made[name].partition(" WHERE ")[2] == ("" if where is None else str(where))


def test_the_newest_revision_is_the_one_that_the_code_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [NEWEST_REVISION]


def test_opening_again_changes_nothing(inbox_file: Path, open_inbox: OpenStore) -> None:
    store = open_inbox()
    accepted = store.accept(push(), STRICT)
    assert all_ids(open_inbox()) == [accepted.id]
    assert all_ids(open_inbox(create=False)) == [accepted.id]


def test_many_open_a_new_inbox_at_once(open_inbox: OpenStore) -> None:
    opened: list[SqlStore] = []
    threads = [threading.Thread(target=lambda: opened.append(open_inbox())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 8
    for mrn, store in enumerate(opened):
        store.accept(push(mrn), STRICT)
    assert len(all_ids(opened[0])) == 8


def test_an_inbox_of_a_newer_version_is_left_alone(inbox_file: Path, open_inbox: OpenStore) -> None:
    open_inbox().close()
    connection = sqlite3.connect(inbox_file)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="newer soapsvc"):
        open_inbox()
