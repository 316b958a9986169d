"""The claims that this process holds just now, so that they can be held for longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from soapsvc.delivery_records import Claim
from soapsvc.inbox.outbox import Outbox


class ClaimsHeld:
    """seconds  for which a claim is made, and made again as long as the attempt takes"""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._claims: dict[str, Claim] = {}
        self._lock = Lock()

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[None]:
        with self._lock:
            self._claims[claim.token] = claim
        try:
            yield
        finally:
            with self._lock:
                del self._claims[claim.token]

    def renew(self, outbox: Outbox) -> None:
        """To be called more than once in `seconds`. Errors: StoreUnavailable."""
        with self._lock:
            claims = list(self._claims.values())
        outbox.renew(claims, self.seconds)
