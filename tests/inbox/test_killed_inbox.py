"""Processes that are killed with SIGKILL at any moment: what they acknowledged is there, once, and whole."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

from soapsvc.inbox.content_files import ORPHAN_AGE_SECONDS
from soapsvc.inbox.sql_store import SqlStore
from tests.inbox.accepting import AcceptingProcess, Told, push_of
from tests.inbox.making import STRICT, OpenStore, all_ids, assert_whole

KILLS = int(os.environ.get("TEST_KILLS", "20"))


def assert_all_there(store: SqlStore, acknowledged: Told) -> None:
    stored = Counter(all_ids(store))
    assert set(stored.values()) <= {1}
    assert [push_id for push_id, _ in acknowledged if push_id not in stored] == [], "acknowledged and lost"
    mrn_of = {row.id: int(row.job.mrn or 0) for row in store.rows(limit=None) if row.job}
    assert set(Counter(mrn_of.values()).values()) <= {1}, "a push was stored twice"
    assert [push_id for push_id, mrn in acknowledged if mrn_of[push_id] != mrn] == []
    for mrn in mrn_of.values():  # those too that were stored and whose acknowledgement did not get out
        sent = push_of(mrn)
        accepted = store.accept(sent, STRICT)
        assert accepted.redelivery
        assert_whole(store, accepted, sent)


def test_what_was_acknowledged_before_a_sigkill_is_there_once_and_whole(
    inbox_file: Path, open_inbox: OpenStore
) -> None:
    dice = random.Random(20261123)
    acknowledged: Told = []
    for seed in range(KILLS):
        child = AcceptingProcess(inbox_file, seed)
        acknowledged += child.told(dice.randrange(20))
        acknowledged += child.kill()
    assert len(acknowledged) > 5 * KILLS, "hardly anything was acknowledged: this shows nothing"
    store = open_inbox()
    assert_all_there(store, acknowledged)
    store.sweep(time.time() + 2 * ORPHAN_AGE_SECONDS)
    assert_all_there(store, acknowledged)
    large = sum(row.documents[0].size_bytes > 1000 for row in store.rows(limit=None))
    files = list(inbox_file.with_name("inbox.db.files").glob("*/*"))
    assert len(files) == large, "files of pushes that are not stored were left"
    assert list(inbox_file.with_name("inbox.db.spool").iterdir()) == [], "spool files of dead processes were left"


def test_processes_that_deliver_the_same_pushes_at_once_store_each_once(
    inbox_file: Path, open_inbox: OpenStore
) -> None:
    children = [AcceptingProcess(inbox_file, seed, threads=16, jobs=40) for seed in range(2)]
    acknowledged = [told for child in children for told in child.told(300)]
    acknowledged += [told for child in children for told in child.kill()]
    assert len({push_id for push_id, _ in acknowledged}) == len({mrn for _, mrn in acknowledged}) == 40
    store = open_inbox()
    assert sum(1 + row.redeliveries for row in store.rows(limit=None)) >= len(acknowledged)
    assert store.stats().conflicts == 0
    assert_all_there(store, acknowledged)
