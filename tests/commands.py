"""The command line as a user runs it, without the second that a new Python takes to read the code: each command is a
fork of a process that has read it and does nothing else. Streams, environment, working directory and exit code are the
command's own."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path

SECONDS = 120
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "soapsvc.cli.main", "soapsvc.cli.inbox", "soapsvc.cli.push", "soapsvc.cli.contract", "soapsvc.contract.contract_difference", "soapsvc.contract.proposal",
        "soapsvc.inbox.sql_store", "soapsvc.judging_again", "soapsvc.sender", "soapsvc.serving.service", "soapsvc.targets.opening",
        "psycopg", "tests.commands",
    ]
)  # fmt: skip


def soapsvc(
    *words: str,
    input: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command. Errors: subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("in", "out", "err")]
        streams[0].write_text(input or "", encoding="utf-8")
        environment = dict(os.environ if env is None else env)
        process = _CONTEXT.Process(target=_run, args=(words, streams, str(cwd or Path.cwd()), environment))
        process.start()
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["soapsvc", *words], SECONDS)
        said, complained = (path.read_text(encoding="utf-8") for path in streams[1:])
    return subprocess.CompletedProcess(["soapsvc", *words], process.exitcode, said, complained)


def _run(words: tuple[str, ...], streams: list[Path], cwd: str, environment: dict[str, str]) -> None:
    """In the fork: nothing of the tests runs on behind this."""
    status = 70
    try:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None
        for number, path in enumerate(streams):
            handle = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(handle, number)
            os.close(handle)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  as long as the process
        sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
        sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
        from soapsvc.cli.main import main

        main(words)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
