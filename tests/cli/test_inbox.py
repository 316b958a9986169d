"""`soapsvc inbox` as a program of its own on a real store."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from soapsvc.cli.inbox import still_stored
from soapsvc.records import JobId
from tests.cli.conftest import EVIL, REPORT, Inbox
from tests.cli.test_password import read_until
from tests.commands import soapsvc

STABLE = {
    "id", "received_at", "state", "kind", "job", "source_ip", "redeliveries", "deviations", "properties", "documents",
}  # fmt: skip


def asked(inbox: Inbox, *words: str, code: int = 0) -> str:
    done = soapsvc("inbox", *words, "--inbox", inbox.url)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def objects(inbox: Inbox, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in asked(inbox, *words, "--json").splitlines()]


def at_a_terminal(inbox: Inbox, *words: str, columns: int = 80, **environment: str) -> str:
    """What the command writes to a terminal of that width."""
    child, terminal = pty.fork()
    if child == 0:
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), **environment}
        os.execve(sys.executable, [sys.executable, "-m", "soapsvc", "inbox", *words, "--inbox", inbox.url], environment)
    seen = read_until(terminal, None).decode("utf-8")
    os.waitpid(child, 0)
    os.close(terminal)
    return seen


def plain(shown: str) -> str:
    """Without the styles that NO_COLOR leaves: bold, dim, underlined."""
    return re.sub(r"\x1b\[(?:[0124]|1;4)m", "", shown)


def test_the_list_is_one_json_object_a_line_newest_first(inbox: Inbox) -> None:
    first = inbox.accept(inbox.push(1)).id
    refused = inbox.refuse(b"<broken")
    listed = objects(inbox, "list")
    assert [one["id"] for one in listed] == [refused, first]
    assert set(listed[0]) >= STABLE
    report = listed[1]
    assert (report["received_at"], report["state"], report["kind"]) == ("2026-11-23T08:00:01Z", "accepted", "report")
    assert (report["job"], report["source_ip"]) == ({"xdn": "test2", "mrn": "1"}, "192.0.2.7")
    assert report["properties"]["Subject"] == "Delivery report"
    assert {"n", "filename", "doctype", "size_bytes", "sha256"} <= set(report["documents"][0])


def test_the_list_shows_fifty_unless_told(inbox: Inbox) -> None:
    for mrn in range(53):
        inbox.accept(inbox.push(mrn))
    assert len(objects(inbox, "list")) == 50
    assert len(objects(inbox, "list", "--limit", "3")) == 3
    assert len(objects(inbox, "list", "--all")) == 53


def test_a_redelivery_and_a_conflict_are_seen_in_the_list(inbox: Inbox) -> None:
    inbox.accept(inbox.push(1))
    inbox.accept(inbox.push(1))
    inbox.accept(inbox.push(1, b"something else"))
    header, conflict, first = asked(inbox, "list").splitlines()
    assert header.split() == ["id", "received", "state", "kind", "job", "documents", "dev.", "again"]
    assert conflict.split()[3] == "conflict"
    assert (first.split()[3], first.split()[-1]) == ("accepted", "1")


def test_piped_lines_are_neither_folded_nor_coloured(inbox: Inbox) -> None:
    inbox.accept(inbox.push(1, filename="a" * 300 + ".csv"))
    listed = asked(inbox, "list")
    assert "a" * 300 + ".csv" in listed
    assert "\x1b" not in listed
    assert all(line == line.rstrip() for line in listed.splitlines())


@pytest.mark.parametrize("columns", [80, 120])
def test_lines_fit_the_terminal_and_every_push_has_its_line(inbox: Inbox, columns: int) -> None:
    ids = [inbox.accept(inbox.push(1_000_000 + mrn)).id for mrn in range(3)]
    lines = plain(at_a_terminal(inbox, "list", columns=columns, NO_COLOR="1")).splitlines()
    assert len(lines) == 4
    assert all(len(line) <= columns for line in lines)
    for push_id, line in zip(reversed(ids), lines[1:], strict=True):
        assert line.startswith(push_id if columns == 120 else push_id[-6:])


@pytest.mark.parametrize("columns", [40, 60, 75])
def test_on_a_narrow_terminal_each_push_has_its_whole_id_and_no_character_is_lost(inbox: Inbox, columns: int) -> None:
    ids = [inbox.accept(inbox.push(1_000_000 + mrn)).id for mrn in range(3)]
    inbox.accept(inbox.push(1_000_000, b"something else"))
    lines = plain(at_a_terminal(inbox, "list", columns=columns, NO_COLOR="1")).splitlines()
    assert all(len(line) <= columns for line in lines)
    assert [line.split()[0] for line in lines if line.split()[0] in ids] == ids[::-1]
    shown = "".join("".join(lines).split())
    for mrn in range(3):
        assert f"08:00:0{mrn + 1}reporttest2:{1_000_000 + mrn}1,30bytes" in shown
    assert "conflict" in shown


@pytest.mark.parametrize("columns", [76, 80, 109, 110, 120, 200])
def test_nothing_of_a_long_job_or_file_name_is_lost_in_the_list(inbox: Inbox, columns: int) -> None:
    push = inbox.push(1, *[b"x" * 1000] * 3, filename="name" * 30 + ".csv")
    inbox.accept(replace(push, job=JobId("domain" * 30, "4711")))
    inbox.refuse(b"<broken")
    lines = plain(at_a_terminal(inbox, "list", columns=columns, NO_COLOR="1")).splitlines()
    assert all(len(line) <= columns for line in lines)
    shown = Counter("".join(lines))
    for letter, times in Counter("domain" * 30 + "quarantined" + "accepted" + "4711").items():
        assert shown[letter] >= times
    assert "quarantined" in "\n".join(lines)
    assert "2.9 KiB" in "\n".join(lines) or "1000 bytes" in "\n".join(lines)


def test_piped_lines_are_never_folded_however_long_a_value_is(inbox: Inbox) -> None:
    subject = "s" * 25_000
    push_id = inbox.accept(inbox.push(1, subject=subject)).id
    lines = asked(inbox, "show", push_id).splitlines()
    (line,) = [line for line in lines if "sss" in line]
    assert subject in line
    assert max(len(other) for other in lines if other != line) < 250, "padded to the width of the longest"


def test_at_a_terminal_a_very_long_value_is_cut_and_told_to_be(inbox: Inbox) -> None:
    push_id = inbox.accept(inbox.push(1, subject="s" * 25_000)).id
    shown = plain(at_a_terminal(inbox, "show", push_id, NO_COLOR="1"))
    told = re.search(r"… ([0-9]+) characters more, --json", " ".join(shown.split()))
    assert told is not None
    assert shown.count("s" * 10) * 10 < 1000
    assert len(shown.splitlines()) < 60


def test_no_color_is_honoured(inbox: Inbox) -> None:
    inbox.accept(inbox.push(1))
    assert "\x1b[32m" in at_a_terminal(inbox, "list")
    assert "\x1b[32m" not in at_a_terminal(inbox, "list", NO_COLOR="1")


@pytest.mark.parametrize("words", [("list",), ("show",), ("quarantine",), ("get",), ("show", "--raw")])
def test_what_a_sender_sent_does_not_move_the_terminal(inbox: Inbox, words: tuple[str, ...]) -> None:
    push_id = inbox.accept(inbox.push(1, EVIL.encode(), subject=EVIL, filename=EVIL)).id
    refused = inbox.refuse(EVIL.encode())
    which = {("show",): (push_id,), ("get",): (push_id,), ("show", "--raw"): (refused,)}.get(words, ())
    seen = at_a_terminal(inbox, *words, *which, columns=200, NO_COLOR="1")
    seen = plain(seen)
    assert {c for c in seen if unicodedata.category(c) in ("Cc", "Cf")} <= {"\n", "\r", "\t"}
    assert r"\x1b" in seen


def test_json_escapes_everything_beyond_ascii(inbox: Inbox) -> None:
    inbox.accept(inbox.push(1, subject=EVIL + "Grüße"))
    listed = asked(inbox, "list", "--json")
    assert listed.isascii()
    assert listed.rstrip("\n").isprintable()
    assert json.loads(listed)["properties"]["Subject"] == EVIL + "Grüße"


def test_show_tells_the_whole_push(inbox: Inbox) -> None:
    push_id = inbox.accept(inbox.push(7)).id
    inbox.accept(inbox.push(7))
    page = asked(inbox, "show", push_id)
    for told in (push_id, "192.0.2.7", "test2:7", "S7", "report.csv", "Subject (sent as USER/orig_email_subject)",
                 "Delivery report", "Response/ProcessingID", "***", "2026-11-23 08:00:02Z from 192.0.2.7"):  # fmt: skip
        assert told in page
    (told,) = objects(inbox, "show", push_id)
    assert (told["id"], told["submit_id"], told["verdict"]["accepted"]) == (push_id, "S7", True)


def test_show_tells_the_deviations_of_what_was_refused(inbox: Inbox) -> None:
    refused = inbox.refuse(b"<broken")
    for page in (asked(inbox, "show", refused), asked(inbox, "quarantine")):
        for told in (
            "XSD-001",
            "line 14",
            "/soapenv:Envelope/soapenv:Body/JobId/MRN",
            r"\x1b[2J44a",
            "xs:integer: digits",
        ):
            assert told in page
    (told,) = objects(inbox, "quarantine")
    assert told["verdict"]["refused_for"][0]["rule"] == "XSD-001"


def raw_bytes(inbox: Inbox, *words: str) -> bytes:
    command = [sys.executable, "-m", "soapsvc", "inbox", *words, "--inbox", inbox.url]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_get_gives_the_bytes_of_each_document(inbox: Inbox) -> None:
    large = os.urandom(3_000_000)
    push_id = inbox.accept(inbox.push(1, REPORT, large)).id
    assert raw_bytes(inbox, "get", push_id) == REPORT
    assert raw_bytes(inbox, "get", push_id, "2") == large
    assert "no document 3" in asked(inbox, "get", push_id, "3", code=1)


def test_show_raw_gives_the_request_body(inbox: Inbox) -> None:
    refused = inbox.refuse(b"\x00\xff<broken\r\n")
    assert raw_bytes(inbox, "show", refused, "--raw") == b"\x00\xff<broken\r\n"


def test_bytes_that_are_no_text_are_kept_from_a_terminal(inbox: Inbox) -> None:
    push_id = inbox.accept(inbox.push(1, b"II*\x00\x08\x00")).id
    assert "stdout is a terminal" in at_a_terminal(inbox, "get", push_id)


def test_an_id_may_be_shortened_to_its_beginning_or_its_end(inbox: Inbox) -> None:
    ids = [inbox.accept(inbox.push(mrn)).id for mrn in range(2)]
    for push_id in ids:
        assert objects(inbox, "show", push_id[:11])[0]["id"] == push_id
        assert objects(inbox, "show", push_id[-6:])[0]["id"] == push_id
    told = asked(inbox, "show", ids[0][:3], code=2)
    assert all(push_id in told for push_id in ids)


def test_an_unknown_id_is_exit_1(inbox: Inbox) -> None:
    assert asked(inbox, "show", "zzzzzz", code=1) == (
        "soapsvc: no push has an id that begins or ends with zzzzzz; `soapsvc inbox list --all` shows them\n"
    )


@pytest.mark.parametrize("push_id", [b"\xff\xfe", "ä".encode(), b"a\nb"])
def test_what_no_id_can_be_is_exit_2(inbox: Inbox, push_id: bytes) -> None:
    command = [sys.executable, "-m", "soapsvc", "inbox", "show", push_id, "--inbox", inbox.url]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is no id" in done.stderr


@pytest.mark.parametrize(
    "words", [("get", "x", "9" * 20), ("list", "--limit", "9" * 20), ("quarantine", "--limit", "9" * 20)]
)
def test_a_number_beyond_what_a_store_counts_is_exit_2(inbox: Inbox, words: tuple[str, ...]) -> None:
    assert "is not in the range" in asked(inbox, *words, code=2)


@pytest.mark.parametrize("url", ["i.db", "", "mysql://db/inbox"])
def test_a_url_that_is_no_inbox_is_exit_2(url: str) -> None:
    done = soapsvc("inbox", "list", "--inbox", url)
    assert (done.returncode, done.stdout) == (2, "")
    assert "inbox (from the flag --inbox) reads" in done.stderr


def test_what_made_room_for_others_while_the_quarantine_is_listed_is_left_out(inbox: Inbox) -> None:
    inbox.refuse(b"1" * 400_000)
    kept = inbox.refuse(b"2" * 400_000)
    first, second = sorted(inbox.store.rows(limit=None), key=lambda row: row.received_at)
    inbox.refuse(b"3" * 400_000)
    assert [push.row.id for push in still_stored(inbox.store, (second, first))] == [kept]


def test_stats_count_what_is_there(inbox: Inbox) -> None:
    inbox.accept(inbox.push(1))
    inbox.accept(inbox.push(1))
    inbox.refuse(b"<broken")
    (held,) = objects(inbox, "stats")
    assert (held["accepted"], held["quarantined"], held["redeliveries"], held["documents"]) == (1, 1, 1, 1)
    assert "1, with 1 document of 30 bytes" in asked(inbox, "stats")


def test_an_inbox_that_is_not_there_is_exit_3_and_is_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "none.db"
    done = soapsvc("inbox", "list", "--inbox", f"sqlite:///{missing}")
    assert (done.returncode, done.stdout) == (3, "")
    assert str(missing) in done.stderr
    assert "\n" not in done.stderr.strip()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_inbox_says_so_on_stderr(inbox: Inbox) -> None:
    done = soapsvc("inbox", "list", "--inbox", inbox.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing has come in yet\n")


def test_a_reader_that_leaves_early_gets_no_complaint(inbox: Inbox) -> None:
    push_id = inbox.accept(inbox.push(1, os.urandom(3_000_000))).id
    for mrn in range(2, 40):
        inbox.accept(inbox.push(mrn, subject="x" * 20_000))
    for words in (("list", "--json"), ("list",), ("get", push_id)):
        command = [sys.executable, "-m", "soapsvc", "inbox", *words, "--inbox", inbox.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(timeout=60) == 0


def test_raw_and_json_together_are_exit_2(inbox: Inbox) -> None:
    push_id = inbox.accept(inbox.push(1)).id
    assert "one of the two" in asked(inbox, "show", push_id, "--raw", "--json", code=2)


def test_a_password_in_a_url_that_is_no_inbox_is_not_told() -> None:
    done = soapsvc("inbox", "list", "--inbox", "postgres://me:secret@db.example.com/inbox")
    assert (done.returncode, done.stdout) == (2, "")
    assert "postgres://***@db.example.com/inbox" in done.stderr
    assert "secret" not in done.stderr
