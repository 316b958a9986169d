"""Has a process of its own learn from the newest pushes, when somebody asks, and keeps what it told."""

from __future__ import annotations

import contextlib
import json
import pickle
import subprocess
import sys
import threading
from base64 import b64decode
from dataclasses import replace
from typing import Any

import structlog

from soapsvc.clock import Clock, utc_now
from soapsvc.inbox.store import InboxStore
from soapsvc.settings import Settings
from soapsvc.web.learned_record import Learning, LearningState

log = structlog.get_logger()

MOST_PUSHES = 1000  # two seconds a pass
WALL_SECONDS = 90.0  # the process has 60 of a processor, and gives way to everybody else
MAX_LINE_BYTES = 32 * 1024 * 1024
_CUT_SHORT = "There was no time for the whole proposal: `soapsvc contract learn --out FILE` takes what it needs."
_FAILED = "It took too long, or more memory than it is given: `soapsvc contract learn` has no such bounds."


class PageLearner:
    """For the pages of one service; one run at a time. Closed with the listener."""

    def __init__(self, settings: Settings, contract_sha256: str, store: InboxStore, clock: Clock = utc_now):
        self._settings, self._sha256, self._store, self._clock = settings, contract_sha256, store, clock
        self._lock = threading.Lock()
        self._known = Learning(LearningState.UNASKED, MOST_PUSHES)
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def look(self) -> Learning:
        with self._lock:
            return self._known

    def ask(self) -> Learning:
        """Errors: StoreUnavailable."""
        newest = next((row.id for row in self._store.rows(limit=1)), None)
        with self._lock:
            known = self._known
            current = known.state is LearningState.DONE and known.newest == newest
            if self._closed or current or known.state is LearningState.UNDER_WAY:
                return known
            self._known = Learning(LearningState.UNDER_WAY, MOST_PUSHES, self._clock(), newest)
            self._thread = threading.Thread(target=self._run, name="learner", daemon=True)
            self._thread.start()
            return self._known

    def close(self) -> None:
        """End a run that is under way."""
        with self._lock:
            self._closed = True
            process, thread = self._process, self._thread
        if process is not None:
            process.kill()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        try:
            self._listen()
        except (OSError, ValueError) as cause:
            log.warning("nothing learned", cause=str(cause))
        with self._lock:
            if self._thread is not threading.current_thread():
                return  # it had told all, and the next run began before it was over
            self._process = None
            if self._known.state is LearningState.UNDER_WAY:
                cut = self._known.told is not None
                state = LearningState.CUT_SHORT if cut else LearningState.FAILED
                self._known = replace(self._known, state=state, why=_CUT_SHORT if cut else _FAILED)

    def _listen(self) -> None:
        """Start the process, and take what it says. Errors: OSError; ValueError: it was killed amid a line."""
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "soapsvc.serving.learning_process"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        killer = threading.Timer(WALL_SECONDS, process.kill)
        killer.daemon = True
        killer.start()
        try:
            with self._lock:
                self._process = process
                if self._closed:
                    process.kill()
            assert process.stdin is not None, "a pipe"
            assert process.stdout is not None, "a pipe"
            process.stdin.write(pickle.dumps((self._settings, self._sha256)))
            process.stdin.close()
            while line := process.stdout.readline(MAX_LINE_BYTES):
                self._take(json.loads(line))
        finally:
            killer.cancel()
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def _take(self, said: dict[str, Any]) -> None:
        with self._lock:
            if "failed" in said:
                self._known = replace(self._known, state=LearningState.FAILED, why=said["failed"])
            elif "proposal" in said:
                proposal = said["proposal"]
                self._known = replace(
                    self._known, state=LearningState.DONE, told=said["told"], difference=tuple(said["difference"]),
                    proposal=None if proposal is None else b64decode(proposal),
                )  # fmt: skip
            else:
                self._known = replace(self._known, told=said["told"])
