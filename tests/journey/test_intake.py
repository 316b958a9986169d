"""From the backup home: `soapsvc intake` beside a running receiver, watched, ended and killed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.commands import soapsvc
from tests.pushing import envelope, get, listed, post, running_service

REPORT = b"reference,status\nINV-1,Sent\n"
LARGE = 300_000  # over the size at which a document gets a file of its own
KILLS = 2
AT_ONCE = ("--settle", "0", "--alone", "0")


def drop(folder: Path, mrn: int, document: bytes = REPORT) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"report_{mrn}.csv").write_bytes(document)
    (folder / f"report_{mrn}.csv.envelope.xml").write_bytes(envelope(mrn, document))
    (folder / f"report_{mrn}.csv.json").write_text("{}")


def test_pushed_before_or_after_it_is_one_push_beside_a_running_receiver(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        backup = tmp_path / "backup"
        drop(backup, 1)
        assert post(service.url, envelope(2, REPORT)).acknowledged
        drop(backup, 2)
        (backup / "bad.envelope.xml").write_bytes(b"<Envelope>")
        intake = ("intake", backup.as_uri(), *AT_ONCE, "--inbox", service.inbox)
        done = soapsvc(*intake, "--json")
        assert done.returncode == 1, done.stderr
        told = {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}
        outcomes = {name: one["outcome"] for name, one in told.items()}
        assert outcomes == {"report_1.csv": "accepted", "report_2.csv": "redelivery", "bad": "quarantined"}
        assert post(service.url, envelope(1, REPORT)).acknowledged
        again = soapsvc(*intake)
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "0 drops taken in\n")
        pushes = {push["id"]: push for push in listed(service.inbox)}
        assert Counter((push["state"], push["redeliveries"]) for push in pushes.values()) == {
            ("accepted", 1): 2, ("quarantined", 0): 1,
        }  # fmt: skip
        home = pushes[told["report_1.csv"]["id"]]
        assert home["origin"]["source"] == backup.as_uri()
        assert pushes[told["report_2.csv"]["of"]]["origin"] is None
        assert get(f"{service.admin_url}/api/v1/pushes/{home['id']}/documents/1").body == REPORT


def test_a_watch_takes_what_comes_survives_a_place_that_is_away_and_ends_at_sigterm(tmp_path: Path) -> None:
    backup, inbox = tmp_path / "backup", f"sqlite:///{tmp_path / 'inbox.db'}"
    drop(backup, 1)
    command = [sys.executable, "-m", "soapsvc", "intake", backup.as_uri(), *AT_ONCE, "--watch", "0.1", "--json",
               "--inbox", inbox]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert json.loads(process.stdout.readline())["name"] == "report_1.csv"
            backup.rename(tmp_path / "away")
            assert "cannot be used" in process.stderr.readline()
            (tmp_path / "away").rename(backup)
            drop(backup, 2)
            assert json.loads(process.stdout.readline())["name"].startswith("report_2.csv")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert soapsvc("intake", backup.as_uri(), *AT_ONCE, "--inbox", inbox).returncode == 0
    assert len({push["job"]["mrn"] for push in listed(inbox) if push["job"]}) == 2


def test_a_kill_at_any_moment_leaves_each_drop_once(tmp_path: Path) -> None:
    dice = random.Random(20261125)
    backup, inbox = tmp_path / "backup", f"sqlite:///{tmp_path / 'inbox.db'}"
    documents = {mrn: dice.randbytes(LARGE if mrn % 4 == 0 else 200) for mrn in range(1, 31)}
    for mrn, document in documents.items():
        drop(backup, mrn, document)
    for n in range(10):
        (backup / f"bad-{n}.envelope.xml").write_bytes(b"<%d" % n)
        (backup / f"alone-{n}.csv").write_bytes(b"a,b\r\n1,%d\r\n" % n)
    command = [sys.executable, "-m", "soapsvc", "intake", backup.as_uri(), *AT_ONCE, "--inbox", inbox]
    for _ in range(KILLS):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline()  # it is in the middle of it
            time.sleep(dice.uniform(0, 0.03))
            process.kill()
    assert 0 < len(listed(inbox)) < 50
    last = soapsvc(*command[3:])
    assert last.returncode in (0, 1)
    pushes = listed(inbox)
    states = Counter((push["state"], push["redeliveries"]) for push in pushes)
    assert states == {("accepted", 0): 40, ("quarantined", 0): 10}, "neither lost nor counted twice"
    forms = Counter(push["origin"]["form"] for push in pushes)
    assert forms == {"envelope": 40, "file": 10}
    assert soapsvc(*command[3:]).stdout == ""


def test_what_nobody_answers_for_is_exit_3_and_what_is_no_place_exit_2(tmp_path: Path) -> None:
    inbox = ("--inbox", f"sqlite:///{tmp_path / 'inbox.db'}")
    away = soapsvc("intake", (tmp_path / "nowhere").as_uri(), *inbox)
    assert (away.returncode, away.stdout) == (3, "")
    assert "No such file or directory" in away.stderr
    assert soapsvc("intake", "gopher://x/", *inbox).returncode == 2
    assert soapsvc("intake", "ftp://u:geheim@h/", *inbox).stderr.count("geheim") == 0
    both = soapsvc("intake", "file:///x", "--delete", "--move-to", "y", *inbox)
    assert (both.returncode, "one of the two" in both.stderr) == (2, True)


def test_the_list_and_the_push_say_that_it_did_not_come_by_push(tmp_path: Path) -> None:
    backup, inbox = tmp_path / "backup", f"sqlite:///{tmp_path / 'inbox.db'}"
    backup.mkdir()
    (backup / "report.csv").write_bytes(REPORT)
    done = soapsvc("intake", backup.as_uri(), *AT_ONCE, "--inbox", inbox)
    push_id = done.stdout.split()[1]
    assert f"from {backup.as_uri()}" in soapsvc("inbox", "list", "--inbox", inbox).stdout
    shown = soapsvc("inbox", "show", push_id, "--inbox", inbox).stdout
    assert "not by push: file without its envelope" in shown
    assert "BAK-001" in shown
    learned = soapsvc("contract", "learn", "--inbox", inbox)
    assert (learned.returncode, learned.stdout) == (0, ""), "there was no message to learn from"
