"""The exchange log: kept beside the inbox, bounded, and never in anybody's way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from soapsvc.inbox import exchange_log
from soapsvc.inbox.exchange import Exchange
from soapsvc.inbox.exchange_log import PER_SECOND, QUEUED, ExchangeLog, Kept, Wanted
from tests.inbox.making import NOON


def exchange(
    seconds: float = 0, source_ip: str = "192.0.2.7", outcome: str = "accepted", **changed: object
) -> Exchange:
    values: dict = {
        "at": NOON + timedelta(seconds=seconds), "source_ip": source_ip, "peer": f"{source_ip} port 4711",
        "request_line": "POST /push HTTP/1.1", "http_headers": (("Content-Type", "text/xml"), ("X-A", "ü")),
        "body_bytes": 10, "push_id": None, "outcome": outcome, "status": 200,
        "answer_headers": (("Content-Type", "text/xml"),), "answer_body": b"\x00\xff<ok/>", "answer_bytes": 7,
        "stages": (("judge", 1.5), ("store", 2.0)),
    }  # fmt: skip
    return Exchange(**(values | changed))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.db.wire"


@pytest.fixture
def log(path: Path) -> Iterator[ExchangeLog]:
    one = ExchangeLog(path, Kept(1000, 30), lambda: NOON)
    one.start()
    yield one
    one.close()


def written(path: Path, *exchanges: Exchange, kept: Kept | None = None) -> ExchangeLog:
    log = ExchangeLog(path, kept or Kept(1000, 30), lambda: NOON)
    log.start()
    for one in exchanges:
        log.note(lambda one=one: one, ordinary=False)
    log.close()
    return log


def test_an_exchange_comes_back_as_it_was(path: Path) -> None:
    sent = exchange()
    log = written(path, sent)
    (kept,) = log.exchanges(Wanted())
    assert kept == exchange(n=kept.n)
    assert log.exchange(kept.n) == kept
    assert log.exchange(kept.n + 1) is None
    assert (kept.milliseconds, kept.method, kept.target) == (3.5, "POST", "/push")


def test_the_newest_comes_first_and_pages_go_on(path: Path) -> None:
    log = written(path, *(exchange(n) for n in range(7)))
    first = log.exchanges(Wanted(), limit=4)
    rest = log.exchanges(Wanted(), before=first[-1].n, limit=4)
    assert [one.at for one in (*first, *rest)] == [NOON + timedelta(seconds=n) for n in reversed(range(7))]


@pytest.mark.parametrize(
    ("wanted", "seconds"),
    [
        (Wanted(source=ip_network("192.0.2.7")), [1]),
        (Wanted(source=ip_network("192.0.2.0/24")), [2, 1]),
        (Wanted(source=ip_network("2001:db8::/64")), [3]),
        (Wanted(outcome="refused"), [3]),
        (Wanted(push_id="1k0z12cvpr6mdrs3mn98"), [2]),
        (Wanted(since=NOON + timedelta(seconds=2)), [3, 2]),
        (Wanted(until=NOON + timedelta(seconds=2)), [1]),
    ],
)
def test_what_is_asked_for_comes(path: Path, wanted: Wanted, seconds: list[int]) -> None:
    log = written(
        path, exchange(1), exchange(2, "192.0.2.9", push_id="1k0z12cvpr6mdrs3mn98"),
        exchange(3, "2001:db8::1", "refused"),
    )  # fmt: skip
    assert [int((one.at - NOON).total_seconds()) for one in log.exchanges(wanted)] == seconds


def test_no_more_are_kept_than_the_setting_says(path: Path) -> None:
    log = written(path, *(exchange(n) for n in range(50)), kept=Kept(10, 30))
    assert [int((one.at - NOON).total_seconds()) for one in log.exchanges(Wanted())] == list(reversed(range(40, 50)))


def test_none_is_kept_longer_than_the_setting_says(path: Path) -> None:
    log = written(path, exchange(-86400 * 3), exchange(-86400), kept=Kept(10, 2))
    assert [one.at for one in log.exchanges(Wanted())] == [NOON - timedelta(days=1)]


def test_of_many_in_a_second_those_that_went_well_give_way(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_log.time, "monotonic", lambda: 1.0)
    log = ExchangeLog(path, Kept(10_000, 30), lambda: NOON)
    for n in range(PER_SECOND * 3):
        log.note(lambda n=n: exchange(n), ordinary=True)
    for n in range(5):
        log.note(lambda n=n: exchange(n, outcome="refused"), ordinary=False)
    for _ in range(QUEUED * 2):
        log.note(exchange, ordinary=False)
    monkeypatch.undo()
    log.start()
    log.close()
    kept = log.exchanges(Wanted(), limit=10_000)
    assert len(kept) == QUEUED
    assert sum(one.outcome == "refused" for one in kept) == 5


def test_a_log_that_was_never_written_is_empty(path: Path) -> None:
    assert ExchangeLog(path, Kept(10, 1)).exchanges(Wanted()) == []
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"no database at all" * 1000])
def test_a_damaged_file_is_made_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert len(written(path, exchange()).exchanges(Wanted())) == 1


def test_where_nothing_can_be_written_nothing_happens(tmp_path: Path) -> None:
    (tmp_path / "wire").mkdir()
    written(tmp_path / "wire", exchange())


def test_nobody_else_may_read_it(path: Path) -> None:
    written(path, exchange())
    assert path.stat().st_mode & 0o777 == 0o600
