"""A shutdown begins once, tells everybody once, and leaves all of them together so many seconds."""

from __future__ import annotations

import subprocess
import sys

from soapsvc.shutdown import Shutdown

SIGNALLED = """
import os, signal, sys
from soapsvc.shutdown import EndingSignals, Shutdown
signals = EndingSignals(signal.SIGTERM)
os.kill(os.getpid(), signal.SIGTERM)
print("goes on", flush=True)
shutdown = Shutdown(60)
signals.begin(shutdown)
print(shutdown.wait(30), flush=True)
os.kill(os.getpid(), signal.SIGTERM)
print("goes on", flush=True)
"""


def test_each_action_is_called_once_those_that_come_later_at_once() -> None:
    told: list[str] = []
    shutdown = Shutdown(60)
    shutdown.then(lambda: told.append("before"))
    assert (told, shutdown.begun, shutdown.seconds_left) == ([], False, 60)
    shutdown.begin()
    shutdown.begin()
    shutdown.then(lambda: told.append("after"))
    assert (told, shutdown.begun) == (["before", "after"], True)
    assert 0 < shutdown.seconds_left < 60


def test_an_action_that_fails_keeps_nobody_from_being_told() -> None:
    told: list[str] = []
    shutdown = Shutdown(60)
    shutdown.then(lambda: told.remove("what is not there"))
    shutdown.then(lambda: told.append("told"))
    shutdown.begin()
    assert told == ["told"]


def test_the_seconds_are_never_less_than_none() -> None:
    shutdown = Shutdown(0)
    shutdown.begin()
    assert shutdown.seconds_left == 0


def test_a_signal_is_kept_until_there_is_what_it_ends_and_a_second_one_ends_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", SIGNALLED], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.splitlines(), done.returncode) == (["goes on", "True"], -15), done.stderr
