"""The ledger and what drops share, in an inbox on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.inbox.sql_store import open_store
from soapsvc.records import Shared
from tests.intake.conftest import MIB, Inbox, Place
from tests.intake.mails import REPORT
from tests.intake.test_drops import accepted, drop_alone, drop_of_ours
from tests.postgres import PostgresServer
from tests.pushing import envelope

LARGE = 300_000


@pytest.fixture
def inbox(postgres: PostgresServer, tmp_path: Path, wsdl: WsdlDocument) -> Iterator[Inbox]:
    url = f"{postgres.url}/{postgres.database()}"
    room = {"quarantine_max_bytes": 4 * MIB, "quarantine_max_bytes_per_source": 4 * MIB}
    store = open_store(url, spool=tmp_path / "spool", **room)
    yield Inbox(url, store, wsdl)
    store.close()


def test_it_keeps_there_what_it_keeps_in_sqlite(inbox: Inbox, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    folder.mkdir()
    place = Place(folder.as_uri(), folder, {})
    large = bytes(LARGE)
    pushed = inbox.push(envelope(1, large))
    drop_of_ours(place, 1, large)
    drop_of_ours(place, 2, large)
    drop_alone(place, 3)
    place.drop("bad.envelope.xml", b"<x")
    first = inbox.intake(place.url)
    outcomes = {one.name: one for one in first.look()}
    assert {name: one.outcome for name, one in outcomes.items()} == {
        "report_1.csv": "redelivery", "report_2.csv": "accepted", "report_3.csv": "accepted", "bad": "quarantined",
    }  # fmt: skip
    assert outcomes["report_1.csv"].of == pushed.id
    assert list(first.look()) == []
    assert inbox.push(envelope(2, large)).redelivery
    drop_alone(place, 4)
    other = inbox.intake(place.url)
    late = inbox.intake(place.url, pause=lambda _: list(other.look()))
    assert list(late.look()) == [], "of two at once one alone stores a thing"
    third = inbox.push(envelope(3, REPORT))
    shares = {row.id: row.shares for row in accepted(inbox)}
    assert shares[third.id][0] == Shared(str(outcomes["report_3.csv"].push_id), True)
    (folder / "report_1.csv").unlink()
    list(first.look())
    assert inbox.store.stats().accepted == 5
