"""`soapsvc inbox` as a program of its own on a real store."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import EVIL, REPORT, Inbox
from tests.cli.test_password import read_until
from tests.pushing import soapsvc

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
    lines = (
        at_a_terminal(inbox, "list", columns=columns, NO_COLOR="1")
        .replace("\x1b[1m", "")
        .replace("\x1b[0m", "")
        .splitlines()
    )
    assert len(lines) == 4
    assert all(len(line) <= columns for line in lines)
    for push_id, line in zip(reversed(ids), lines[1:], strict=True):
        assert line.startswith(push_id if columns == 120 else push_id[-6:])


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
    for own in ("\x1b[1;4m", "\x1b[1m", "\x1b[2m", "\x1b[4m", "\x1b[0m"):
        seen = seen.replace(own, "")
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
    assert (done.returncode, done.stdout) == (3, "")
    assert "postgres://***@db.example.com/inbox" in done.stderr
    assert "secret" not in done.stderr
