"""The command line in a process of its own that does not start a Python anew: a second less for each command."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import traceback

from soapsvc.cli.main import main


def forked(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as `tests.pushing.soapsvc` does, in a fork of the tests: the same code, streams and exit code.

    Only where no other thread runs in the tests at the moment, which a fork would leave behind.
    """
    with tempfile.TemporaryFile("w+b") as out, tempfile.TemporaryFile("w+b") as err:
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process == 0:
            _become(out.fileno(), err.fileno(), words)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8"))
    return subprocess.CompletedProcess(words, status, *texts)


def _become(out: int, err: int, words: tuple[str, ...]) -> None:
    """Nothing of the tests runs on behind this."""
    status = 70
    try:
        for number, file in ((1, out), (2, err)):
            os.dup2(file, number)
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - as long as the process
        sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
        sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
        main(words)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
