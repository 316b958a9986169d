"""Forks of this process, which does not hand on what it does about signals."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.context import ForkProcess

from soapsvc.shutdown import ENDING_SIGNALS

FORK = multiprocessing.get_context("fork")


def start_fork(process: ForkProcess) -> None:
    """Start it with ENDING_SIGNALS held back until `take_signals`: a handler of this process, called in the fork, would
    write into the pipe of this one. To be called where there are no threads. Errors: OSError."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def take_signals() -> None:
    """In the fork, once it has handlers of its own."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)


def end_with_parent() -> None:
    """In a fork that has nothing to finish: signals end it, and so does the end of the process that made it."""
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    take_signals()
    threading.Thread(target=_watch_parent, name="parent-lives", daemon=True).start()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
