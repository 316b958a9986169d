"""A command of the operator's: what it finds, and what its exit says."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from soapsvc.errors import SettingsError
from soapsvc.targets.opening import open_target
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.target import DeliveryFailed, Target
from tests.pushing import envelope
from tests.targets.outgoing import AT, REPORT, a_document, a_push

OPTIONS = TargetOptions(total_seconds=20, clock=lambda: AT)


def running(tmp_path: Path, code: str, *arguments: str, options: TargetOptions = OPTIONS) -> Target:
    script = tmp_path / "the script.py"
    script.write_text(code)
    words = " ".join(f"'{word}'" for word in (sys.executable, str(script), *arguments))
    return open_target(f"exec:{words}", options)


def test_it_finds_the_record_and_the_documents_as_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAPSVC_SMTP_PASSWORD", "secret")
    told = tmp_path / "told.json"
    code = (
        "import json, os, sys\n"
        "record = json.load(sys.stdin)\n"
        "record['read'] = [open(d['path'], 'rb').read().decode() for d in record['documents']]\n"
        "record['raw'] = open(record['envelope_path']).read()\n"
        "record['environment'] = {k: v for k, v in os.environ.items() if k.startswith('SOAPSVC_')}\n"
        "json.dump(record, open(sys.argv[1], 'w'))\n"
    )
    push = a_push(a_document(filename="../; rm -rf x $(y).csv"), a_document(b"two", None, 2))
    receipt = running(tmp_path, code, str(told)).deliver(push)
    assert (receipt.target, receipt.reference) == (f"exec:{sys.executable}", "exit 0")
    found = json.loads(told.read_text())
    assert (found["id"], found["read"], found["raw"]) == ("push1", [REPORT.decode(), "two"], envelope().decode())
    assert found["environment"] == {"SOAPSVC_PUSH_ID": "push1"}
    assert not any(Path(document["path"]).exists() for document in found["documents"])


def test_no_shell_reads_its_words(tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = "import sys\nopen(sys.argv[1], 'w').write(sys.argv[2])\n"
    running(tmp_path, code, str(told), "$HOME; touch x | `y` *").deliver(a_push())
    assert told.read_text() == "$HOME; touch x | `y` *"


@pytest.mark.parametrize(("status", "may_repeat"), [(75, True), (1, False), (2, False), (127, False)])
def test_its_exit_decides(tmp_path: Path, status: int, may_repeat: bool) -> None:
    code = f"import sys\nprint('disk is full\\nmore', file=sys.stderr)\nsys.exit({status})\n"
    with pytest.raises(DeliveryFailed, match=f"exit {status}: disk is full$") as raised:
        running(tmp_path, code).deliver(a_push())
    assert raised.value.may_repeat is may_repeat


def test_one_that_takes_too_long_is_killed_with_whatever_it_started(tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    child = f"import time\nwhile True:\n    open({str(beat)!r}, 'a').write('.')\n    time.sleep(0.02)\n"
    code = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)\n"
    with pytest.raises(DeliveryFailed, match="longer than 1 seconds and was killed") as raised:
        running(tmp_path, code, options=replace(OPTIONS, total_seconds=1)).deliver(a_push())
    assert raised.value.may_repeat
    size = beat.stat().st_size
    assert size > 0
    time.sleep(0.2)
    assert beat.stat().st_size == size


def test_one_that_a_signal_ends_may_be_tried_again(tmp_path: Path) -> None:
    with pytest.raises(DeliveryFailed, match="signal 9") as raised:
        running(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n").deliver(a_push())
    assert raised.value.may_repeat


def test_one_that_reads_nothing_and_writes_much_is_no_trouble(tmp_path: Path) -> None:
    code = "import sys\nsys.stdout.write('x' * 5_000_000)\nsys.stderr.write('y' * 5_000_000)\n"
    running(tmp_path, code).deliver(a_push(a_document(b"x" * 5_000_000)))


@pytest.mark.parametrize(
    ("url", "wanted"), [("exec:", "names no program"), ("exec:'a", "words"), ("exec:/no/such", "no such program")]
)
def test_what_cannot_be_run_is_said_before(url: str, wanted: str) -> None:
    with pytest.raises(SettingsError, match=wanted):
        open_target(url, OPTIONS)
