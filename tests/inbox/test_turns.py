from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

from soapsvc.inbox.database import Database, inbox_url

WRITES_SECONDS = 0.005


def test_who_waits_to_write_comes_before_who_has_just_written(inbox_file: Path) -> None:
    url = inbox_url(f"sqlite:///{inbox_file}")
    with closing(Database(url, create=True)) as busy, closing(Database(url, create=True)) as other:
        turns, ended = [0], threading.Event()

        def write_all_the_time() -> None:
            while not ended.is_set():
                with busy.turn():
                    turns[0] += 1
                    ended.wait(WRITES_SECONDS)

        thread = threading.Thread(target=write_all_the_time)
        thread.start()
        try:
            before_us = []
            for _ in range(10):
                seen = turns[0]
                with other.turn():
                    before_us.append(turns[0] - seen)
        finally:
            ended.set()
            thread.join()
    assert max(before_us) <= 2, "the turn that it was at, and one that it had asked for before"
