"""The same promises on PostgreSQL, on a server of the test's own: two stores on one database are two nodes.

Once for each place where large contents may lie.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from soapsvc.errors import StoreError, StoreUnavailable
from soapsvc.inbox.content_files import ORPHAN_AGE_SECONDS
from soapsvc.inbox.content_ledger import ContentLedger
from soapsvc.inbox.content_pieces import PIECE_BYTES
from soapsvc.inbox.search_tables import SEARCH_METADATA
from soapsvc.inbox.tables import METADATA
from soapsvc.spool import Content
from tests.inbox.conftest import opening
from tests.inbox.kept_promises import KeptPromises
from tests.inbox.making import LARGE, STRICT, OpenStore, assert_whole, push
from tests.inbox.promises import InboxPromises
from tests.postgres import PostgresServer

LATER = ORPHAN_AGE_SECONDS + 60.0


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """Name of a database of the test's own."""
    return postgres.database()


@pytest.fixture
def documents() -> str | None:
    """The setting of that name; the classes below change it."""
    return None


@pytest.fixture
def open_inbox(postgres: PostgresServer, database: str, documents: str | None, tmp_path: Path) -> Iterator[OpenStore]:
    yield from opening(f"{postgres.url}/{database}", spool=tmp_path / "spool", documents=documents)


class PlacePromises:
    """What holds of each place for large contents."""

    @pytest.mark.parametrize("size", [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 12 * PIECE_BYTES + 5])
    def test_a_content_comes_back_whole_whatever_its_size(self, open_inbox: OpenStore, size: int) -> None:
        store, sent = open_inbox(), push(document=os.urandom(size))
        accepted = store.accept(sent, STRICT)
        store.close()
        assert_whole(open_inbox(), accepted, sent)
        assert_whole(open_inbox(create=False), accepted, sent)

    def test_what_was_placed_and_got_no_row_is_removed_after_an_hour_and_nothing_else(
        self, open_inbox: OpenStore
    ) -> None:
        store, sent, orphan = open_inbox(), push(document=os.urandom(LARGE)), Content.of(os.urandom(LARGE))
        accepted = store.accept(sent, STRICT)
        key = (accepted.id[:-1] + "z", orphan.sha256)
        store._files.place(key[0], orphan)
        assert store._files.holds(key, LARGE)
        assert store.sweep() == 0, "another process may be about to write its row"
        assert store._files.holds(key, LARGE)
        assert store.sweep(time.time() + LATER) == 1
        assert not store._files.holds(key, LARGE)
        assert store.sweep(time.time() + LATER) == 0
        assert_whole(store, accepted, sent)

    def test_what_is_placed_is_not_removed_while_a_commit_that_names_it_is_under_way(
        self, open_inbox: OpenStore
    ) -> None:
        """A commit in doubt may wait for its standby: not to be seen, and yet to come."""
        store, content = open_inbox(), Content.of(os.urandom(LARGE))
        key = ("1k0xpzcn164ywxd1g8e4", content.sha256)
        store._files.place(key[0], content)
        with store._database.writer.connect() as connection, connection.begin():
            store._files.named(connection, [key])
            store._files.remove([key])
            assert open_inbox().sweep(time.time() + LATER) == 0
            assert store._files.holds(key, LARGE)
        assert store.sweep(time.time() + LATER) == 0, "its row came about"
        assert store._files.holds(key, LARGE)

    def test_a_push_whose_content_was_swept_meanwhile_is_not_stored(
        self, open_inbox: OpenStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, sent = open_inbox(), push(document=os.urandom(LARGE))
        place = store._files.place

        def place_and_lose(file_id: str, content: Content) -> None:
            place(file_id, content)
            assert open_inbox().sweep(time.time() + LATER) == 1

        with monkeypatch.context() as patch:
            patch.setattr(store._files, "place", place_and_lose)
            with pytest.raises(StoreUnavailable, match="took too long"):
                store.accept(sent, STRICT)
        assert store.stats().accepted == 0
        assert_whole(store, store.accept(sent, STRICT), sent)

    def test_a_content_that_is_gone_is_told_as_lost(self, open_inbox: OpenStore) -> None:
        assert_lost(open_inbox)


def assert_lost(open_inbox: OpenStore) -> None:
    store, sent = open_inbox(), push(document=os.urandom(LARGE))
    accepted = store.accept(sent, STRICT)
    ledger = store._files
    assert isinstance(ledger, ContentLedger)
    ledger._place.discard((accepted.id, sent.documents[0].content.sha256))
    with pytest.raises(StoreUnavailable, match=f"Document 1 of push {accepted.id} is (missing|damaged) "):
        store.open_document(accepted.id, 1).read()


def is_no_partition(_object: object, name: str | None, *_: object) -> bool:
    return re.search(r"_rest\b|_rest_|_p\d{4}_", name or "") is None


class TestDocumentsInTheDatabase(InboxPromises, KeptPromises, PlacePromises):
    def test_the_migrations_make_the_tables_that_the_code_uses(
        self, open_inbox: OpenStore, postgres: PostgresServer, database: str
    ) -> None:
        open_inbox()
        engine = create_engine(f"{postgres.url}/{database}")
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"include_object": is_no_partition})
            assert compare_metadata(context, [METADATA, SEARCH_METADATA]) == []
        engine.dispose()

    def test_a_piece_that_was_altered_is_not_handed_out(
        self, open_inbox: OpenStore, postgres: PostgresServer, database: str
    ) -> None:
        store, sent = open_inbox(), push(document=os.urandom(2 * PIECE_BYTES + 3))
        accepted = store.accept(sent, STRICT)
        postgres.sql(
            "UPDATE content_pieces SET piece = set_byte(piece, 1, 255 - get_byte(piece, 1)) WHERE n = 1", database
        )
        with (
            store.open_document(accepted.id, 1) as stream,
            pytest.raises(StoreUnavailable, match="damaged in the data"),
        ):
            stream.read()

    def test_no_piece_is_compressed(self, open_inbox: OpenStore, postgres: PostgresServer, database: str) -> None:
        open_inbox()
        which = "attrelid = 'content_pieces'::regclass AND attname = 'piece'"
        assert postgres.sql(f"SELECT attstorage::text FROM pg_attribute WHERE {which}", database) == [("e",)]


class TestDocumentsInASharedDirectory(InboxPromises, KeptPromises, PlacePromises):
    @pytest.fixture
    def documents(self, tmp_path: Path) -> str:
        return f"file://{tmp_path}/docu%20ments"

    def test_those_of_another_inbox_are_refused(
        self, open_inbox: OpenStore, postgres: PostgresServer, documents: str, tmp_path: Path
    ) -> None:
        open_inbox().accept(push(document=os.urandom(LARGE)), STRICT)
        for other in opening(f"{postgres.url}/{postgres.database()}", documents=documents, spool=tmp_path / "other"):
            with pytest.raises(StoreError, match="holds documents of another inbox"):
                other()
        assert len(list((tmp_path / "docu ments").glob("*/*"))) == 1
