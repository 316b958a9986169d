"""The same promises with large contents in S3: a server of the test's own speaks its protocol on loopback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from soapsvc.errors import StoreError, StoreUnavailable
from tests.inbox.conftest import opening
from tests.inbox.kept_promises import KeptPromises
from tests.inbox.making import LARGE, STRICT, OpenStore, push
from tests.inbox.promises import InboxPromises
from tests.inbox.test_postgres_inbox import PlacePromises, database, open_inbox
from tests.postgres import PostgresServer
from tests.s3 import s3_server

__all__ = ["database", "open_inbox"]  # fixtures
_BUCKETS = count()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as url:
        yield url


class TestDocumentsInS3(InboxPromises, KeptPromises, PlacePromises):
    @pytest.fixture
    def documents(self, s3: str) -> str:
        import s3fs

        bucket = f"documents-{next(_BUCKETS)}"
        s3fs.S3FileSystem().mkdir(bucket)
        return f"s3://{bucket}/in/box"

    def test_those_of_another_inbox_are_refused(
        self, open_inbox: OpenStore, postgres: PostgresServer, documents: str, tmp_path: Path
    ) -> None:
        open_inbox().accept(push(document=os.urandom(LARGE)), STRICT)
        for other in opening(f"{postgres.url}/{postgres.database()}", documents=documents, spool=tmp_path / "other"):
            with pytest.raises(StoreError, match="holds documents of another inbox"):
                other()

    def test_without_the_bucket_nothing_is_stored(self, open_inbox: OpenStore, documents: str) -> None:
        import s3fs

        store = open_inbox()
        s3fs.S3FileSystem().rm(documents.split("/")[2], recursive=True)
        with pytest.raises(StoreUnavailable, match="nothing was stored"):
            store.accept(push(document=os.urandom(LARGE)), STRICT)
        with pytest.raises(StoreUnavailable):
            store.check_writable()
        assert store.stats().accepted == 0
