"""Processes that accept pushes without end and tell each acknowledgement, until they are killed."""

from __future__ import annotations

import multiprocessing
import random
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from soapsvc.errors import StoreUnavailable
from soapsvc.inbox.sql_store import open_store
from soapsvc.records import Push
from soapsvc.spool import Content, Spool
from tests.inbox.making import LARGE, MIB, STRICT, document_of, push, spooled

Told = list[tuple[str, int]]  # id of the push, number of its job

# children are forked from a process that has one thread and all imports: they are ready at once
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


def content_of(mrn: int) -> bytes:
    """The document of a job, the same in every process; each fifth is large."""
    return random.Random(mrn).randbytes(LARGE if mrn % 5 == 0 else 200)


def push_of(mrn: int, spool: Spool | None = None) -> Push:
    content = content_of(mrn)
    held = Content.of(content) if spool is None else spooled(spool, [content])
    return push(mrn, content, documents=(document_of(held, filename=f"report_{mrn}.csv"),))


class AcceptingProcess:
    """Accepts in several threads: fresh pushes, or again and again the jobs of a small range."""

    def __init__(self, inbox_file: Path, seed: int, *, threads: int = 4, jobs: int = 10**12):
        self._told, told = PROCESSES.Pipe(duplex=False)
        self._process: Any = PROCESSES.Process(
            target=_accept_for_ever, args=(f"sqlite:///{inbox_file}", seed, threads, jobs, told), daemon=True
        )
        self._process.start()
        told.close()
        assert self._told.recv() == "ready"

    def told(self, at_least: int) -> Told:
        """The next acknowledgements, waited for."""
        return [self._told.recv() for _ in range(at_least)]

    def kill(self) -> Told:
        """SIGKILL; what it had acknowledged and nobody has read yet."""
        self._process.kill()
        left = []
        try:
            while True:
                left.append(self._told.recv())
        except EOFError:
            self._process.join()
            return left


def _accept_for_ever(url: str, seed: int, threads: int, jobs: int, told: Connection) -> None:
    store = open_store(url, quarantine_max_bytes=MIB, quarantine_max_bytes_per_source=MIB)
    telling = threading.Lock()

    def accept_for_ever(n: int) -> None:
        dice = random.Random(f"{seed}-{n}")
        while True:
            mrn = dice.randrange(jobs)
            with Spool(store.spool_directory) as spool:
                accepted = store.accept(push_of(mrn, spool), STRICT)
            with telling:
                told.send((accepted.id, mrn))

    told.send("ready")
    working = [threading.Thread(target=accept_for_ever, args=(n,)) for n in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()


class AskedProcess:
    """Accepts a job's push when it is asked to; a limit may be set on it while it runs."""

    def __init__(self, inbox_file: Path):
        self._asking, asked = PROCESSES.Pipe()
        self._process: Any = PROCESSES.Process(target=_accept_what_is_asked, args=(f"sqlite:///{inbox_file}", asked))
        self._process.start()
        asked.close()
        self.pid: int = self._process.pid
        assert self._asking.recv() == "ready"

    def accept(self, mrn: int) -> str:
        """The id of the stored push. Errors: StoreUnavailable, as the process raised it."""
        self._asking.send(mrn)
        answer = self._asking.recv()
        if isinstance(answer, StoreUnavailable):
            raise answer
        assert isinstance(answer, str), answer
        return answer

    def end(self) -> None:
        self._asking.close()
        self._process.join()


def _accept_what_is_asked(url: str, asked: Connection) -> None:
    store = open_store(url, quarantine_max_bytes=MIB, quarantine_max_bytes_per_source=MIB)
    asked.send("ready")
    try:
        while True:
            mrn = asked.recv()
            try:
                with Spool(store.spool_directory) as spool:
                    asked.send(store.accept(push_of(mrn, spool), STRICT).id)
            except (StoreUnavailable, OSError) as refusal:  # OSError: the spool's own, met before the store is asked
                asked.send(refusal if isinstance(refusal, StoreUnavailable) else StoreUnavailable(str(refusal)))
    except EOFError:
        store.close()
