"""The target that is a command of the operator's: exec:PROGRAM ARGUMENTS, run without a shell once for each push.

It finds the record as JSON on its standard input, each document with `path`, the file that holds it, and
SOAPSVC_PUSH_ID in its environment; the files are gone when it ends.

    exit 0     it has the push
    exit 75    EX_TEMPFAIL: try it again later
    any other  it never wants this one

When it ends, or total_seconds are over, whatever it started is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soapsvc.errors import SettingsError, StoreError
from soapsvc.targets.file_names import document_name, safe_name
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.target import DeliveryFailed, OutgoingPush, Receipt

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h
SAID_BYTES = 2000  # read of what it wrote to stderr
SAID_CHARS = 300
_OURS = "SOAPSVC_"


class CommandTarget:
    """A program with its arguments.

    Errors  SettingsError from the constructor: there is none, or its words cannot be told apart
    """

    def __init__(self, url: str, options: TargetOptions):
        command = url.removeprefix("exec:")
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise SettingsError(f"the words of exec: cannot be told apart: {error}") from None
        if not self._words:
            raise SettingsError("exec: names no program; exec:/usr/local/bin/take --now is wanted")
        if shutil.which(self._words[0]) is None:
            raise SettingsError(f"exec: names {self._words[0]}, and there is no such program; give its whole path")
        self._url, self._options = f"exec:{self._words[0]}", options  # arguments may hold a secret

    @property
    def url(self) -> str:
        return self._url

    def close(self) -> None:
        """Nothing runs between two pushes."""

    def deliver(self, push: OutgoingPush) -> Receipt:
        """Run it. Errors: DeliveryFailed."""
        try:
            with tempfile.TemporaryDirectory(prefix="soapsvc-exec-") as name:
                folder = Path(name)
                self._write(push, folder)
                status, said = self._run(push, folder)
        except (OSError, StoreError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DeliveryFailed(f"{self._url} could not be run: {reason}", may_repeat=True) from error
        if status == 0:
            return Receipt(self._url, self._options.clock(), "exit 0")
        ended = f"exit {status}" if status > 0 else f"signal {-status}"
        raise DeliveryFailed(f"{self._url} ended with {ended}{said}", may_repeat=status == TRY_AGAIN or status < 0)

    def _write(self, push: OutgoingPush, folder: Path) -> None:
        """The documents as files, and the record that tells of them."""
        told: list[dict[str, Any]] = [dict(one) for one in push.record.get("documents") or ()]
        if len(told) != len(push.documents):
            told = [{"n": one.n, "filename": one.filename} for one in push.documents]
        for one, document in zip(told, push.documents, strict=True):
            path = folder / safe_name(f"{document.n}-{document_name(document)}")
            with document.open() as source, path.open("xb") as file:
                shutil.copyfileobj(source, file)
            one["path"] = str(path)
        envelope = folder / "envelope.xml"
        with push.open_raw() as source, envelope.open("xb") as file:
            shutil.copyfileobj(source, file)
        record = {**push.record, "id": push.id, "documents": told, "envelope_path": str(envelope)}
        (folder / "record.json").write_text(json.dumps(record, default=str), encoding="utf-8")

    def _run(self, push: OutgoingPush, folder: Path) -> tuple[int, str]:
        """Exit status, negative for a signal, and the first line that it wrote to stderr."""
        with (folder / "record.json").open("rb") as record, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self._words, stdin=record, stdout=subprocess.DEVNULL, stderr=errors, cwd=folder,
                env=_environment(push.id), start_new_session=True,
            )  # fmt: skip
            try:
                status = process.wait(self._options.total_seconds)
            except subprocess.TimeoutExpired:
                raise DeliveryFailed(
                    f"{self._url} took longer than {self._options.total_seconds:g} seconds and was killed",
                    may_repeat=True,
                ) from None
            finally:
                _end_group(process)
            errors.seek(0)
            lines = errors.read(SAID_BYTES).decode("utf-8", "replace").split("\n")
        said = next((" ".join(line.split()) for line in lines if line.strip()), "")[:SAID_CHARS]
        return status, f": {said}" if said else ""


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of the command's process group, itself included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _environment(push_id: str) -> Mapping[str, str]:
    """The own one without our settings, some of which are secrets."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_OURS)}
    return {**kept, "SOAPSVC_PUSH_ID": push_id}
