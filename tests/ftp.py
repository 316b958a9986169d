"""A pyftpdlib server for as long as a test needs it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

POLL_SECONDS = 0.02


@contextlib.contextmanager
def serving(server: Any) -> Iterator[None]:
    """The server answers within. One thread serves and closes: to close what another one polls fails now and then."""
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            server.serve_forever(timeout=POLL_SECONDS, blocking=False, handle_exit=False)
        server.close_all()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
