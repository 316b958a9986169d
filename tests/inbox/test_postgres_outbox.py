"""The promises of deliveries on PostgreSQL: two stores on one database are two machines. And weeks that are dropped."""

from __future__ import annotations

import os
import time
from datetime import timedelta

from soapsvc.delivery_settings import Bounds, RetentionSettings
from soapsvc.inbox.content_files import ORPHAN_AGE_SECONDS
from soapsvc.inbox.partitions import partition_name, week_of
from tests.inbox.making import LARGE, NOON, STRICT, OpenStore, all_ids, arrival, assert_whole, push, refused
from tests.inbox.outbox_promises import OutboxPromises, Watch, delivered, to
from tests.inbox.test_postgres_inbox import database, documents, open_inbox
from tests.postgres import PostgresServer

__all__ = ["database", "documents", "open_inbox"]  # fixtures
WEEK = 7 * 86400.0
RETENTION = RetentionSettings(accepted=Bounds(days=30), quarantined=Bounds(days=30))


class TestPostgresOutbox(OutboxPromises):
    def test_a_week_of_which_nothing_stays_is_dropped_with_its_partitions(
        self, open_inbox: OpenStore, postgres: PostgresServer, database: str
    ) -> None:
        watch = Watch(NOON)
        store = open_inbox(route=to("a"), clock=watch)
        week = [push(mrn, os.urandom(LARGE if mrn == 2 else 50), arrival=arrival(mrn)) for mrn in range(4)]
        for one in week:
            store.accept(one, STRICT)
        store.accept(week[0], STRICT)
        store.quarantine(refused(b"<bad/>", 5))
        later = push(9, os.urandom(LARGE), arrival=arrival(WEEK))
        kept = store.accept(later, STRICT)
        watch.now = NOON + timedelta(days=60)
        for _ in range(5):
            delivered(store)
        partitions = {
            partition_name(table, week_of(NOON)) for table in ("pushes", "deliveries", "attempts", "contents")
        }
        made = {row[0] for row in postgres.sql("SELECT relname FROM pg_class WHERE relkind = 'r'", database)}
        assert partitions <= made

        store.retention.hold(kept.id, "later")
        done = store.retention.apply(RETENTION)

        assert (done.pushes, done.weeks) == (5, 1)
        left = {row[0] for row in postgres.sql("SELECT relname FROM pg_class WHERE relkind = 'r'", database)}
        assert partitions & left == set()
        assert all_ids(store) == [kept.id]
        stats = store.stats()
        assert (stats.accepted, stats.documents, stats.redeliveries) == (1, 1, 0)
        assert (stats.quarantined, stats.quarantine_bytes) == (0, 0)
        assert_whole(store, kept, later)
        assert postgres.sql("SELECT count(*) FROM keys", database) == [(1,)]
        assert store.sweep(time.time() + 10**9) >= 0
        assert postgres.sql("SELECT count(DISTINCT file_id) FROM content_pieces", database) == [(1,)]
        assert not store.accept(week[0], STRICT).redelivery, "into the rest, as a push of its own"
        assert ORPHAN_AGE_SECONDS > 0

    def test_a_week_with_something_that_stays_is_cleared_row_by_row(
        self, open_inbox: OpenStore, postgres: PostgresServer, database: str
    ) -> None:
        watch = Watch(NOON)
        store = open_inbox(clock=watch)
        ids = [store.accept(push(mrn, arrival=arrival(mrn)), STRICT).id for mrn in range(4)]
        watch.now = NOON + timedelta(days=60)
        store.retention.hold(ids[2], "a dispute")
        done = store.retention.apply(RETENTION)
        assert (done.pushes, done.weeks) == (3, 0)
        assert all_ids(store) == [ids[2]]
        assert store.retention.release(ids[2])
        assert store.retention.apply(RETENTION).weeks == 1

    def test_a_reader_who_takes_long_keeps_a_week_and_nobody_waits_for_it(
        self, open_inbox: OpenStore, postgres: PostgresServer, database: str
    ) -> None:
        import psycopg

        watch = Watch(NOON)
        store = open_inbox(clock=watch)
        store.accept(push(1), STRICT)
        watch.now = NOON + timedelta(days=60)
        with psycopg.connect(f"{postgres.url}/{database}".replace("+psycopg", "")) as reader:
            reader.execute("SELECT count(*) FROM pushes")
            began = time.monotonic()
            done = store.retention.apply(RETENTION)
            assert time.monotonic() - began < 5
            assert (done.pushes, done.weeks) == (1, 0), "row by row"
            store.accept(push(2, arrival=arrival(60 * 86400)), STRICT)
