"""What a receiver notes of the request that a thread is answering, for whoever records exchanges."""

from __future__ import annotations

import threading
import time


class Noted(threading.local):
    """Notes of this thread's request; a few assignments each, for they stand in the way of an acknowledgement.

    source_ip  of the sender; "" while it is not known
    push_id    of the push that the request became; None: none
    outcome    accepted, redelivery, conflict, quarantined; "": nothing was stored
    began, judged, stored  moments of `time.perf_counter`; 0: it did not come so far
    """

    source_ip: str = ""
    push_id: str | None = None
    outcome: str = ""
    began: float = 0.0
    judged: float = 0.0
    stored: float = 0.0

    def begin(self) -> None:
        """A new request."""
        self.source_ip, self.push_id, self.outcome = "", None, ""
        self.began, self.judged, self.stored = time.perf_counter(), 0.0, 0.0

    def resume(self, began: float, judged: float, source_ip: str) -> None:
        """A request that was judged before: then it began, and then it was judged."""
        self.begin()
        self.began, self.judged, self.source_ip = began, judged, source_ip

    def judge(self, source_ip: str) -> None:
        """The body was read and judged."""
        self.source_ip, self.judged = source_ip, time.perf_counter()

    def store(self, push_id: str | None, outcome: str) -> None:
        """It is on disk."""
        self.push_id, self.outcome, self.stored = push_id, outcome, time.perf_counter()
