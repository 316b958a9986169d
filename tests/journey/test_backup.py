"""A push to a receiver that is down, once for each backup that the vendor offers: another receiver, an email address, an
FTP site. It arrives there with the report decoded and the properties readable, and the command says so with exit 3."""

from __future__ import annotations

import email
import email.policy
import hashlib
import json
import os
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.commands import soapsvc
from tests.pushing import free_port, listed, post, running_service
from tests.targets.servers import SECRET, ftp_server, mail_server

REPORT = "reference,status\r\nINV-1,Größe\r\n".encode()
PROPERTIES = {"Subject": "Grüße – report", "UserAccountNumber": "2000002"}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    file = tmp_path / "report.csv"
    file.write_bytes(REPORT)
    return file


def push(report: Path, backup: str, **environment: str) -> dict:
    """What `soapsvc push --json` tells of a push whose receiver is down."""
    words = [word for name, value in PROPERTIES.items() for word in ("--property", f"{name}={value}")]
    to = f"http://127.0.0.1:{free_port()}/push"
    done = soapsvc(
        "push", str(report), "--to", to, "--backup", backup, "--job", "test2:1000001", *words, "--json",
        "--attempts", "2", "--gap", "0", env={**os.environ, **environment}, cwd=report.parent,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["holder"] == "backup"
    assert [(one["is_backup"], one["taken"]) for one in told["attempts"]] == [
        (False, False),
        (False, False),
        (True, True),
    ]
    assert "Connection refused" in told["attempts"][0]["told"]
    assert SECRET not in done.stdout + done.stderr
    return told


def assert_is_the_very_push(told: dict, record: dict, envelope: bytes) -> None:
    """The side files hold the push by which its id was made."""
    assert hashlib.sha256(envelope).hexdigest()[:24] == told["id"] == record["id"]
    assert record["raw_sha256"] == hashlib.sha256(envelope).hexdigest()
    assert record["properties"] == PROPERTIES
    assert record["job"] == {"xdn": "test2", "mrn": "1000001"}
    (document,) = record["documents"]
    assert document["sha256"] == hashlib.sha256(REPORT).hexdigest()


def test_another_receiver_has_it(tmp_path: Path, report: Path) -> None:
    with running_service(tmp_path / "second") as second:
        told = push(report, second.url)
        (held,) = listed(second.inbox)
        got = soapsvc("inbox", "get", held["id"], "--inbox", second.inbox)
    assert (held["state"], held["properties"], held["deviations"]) == ("accepted", PROPERTIES, 0)
    assert got.stdout == REPORT.decode().replace("\r\n", "\n")
    assert told["target"] == second.url


def test_a_mailbox_has_it(tmp_path: Path, report: Path) -> None:
    with mail_server() as server:
        smtp = {"SOAPSVC_SMTP_URL": f"smtp://127.0.0.1:{server.port}", "SOAPSVC_SMTP_FROM": "vendor@example.com"}
        told = push(report, "mailto:reports@example.com", **smtp)
        (raw,) = server.box.mails
    mail = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert isinstance(mail, EmailMessage)
    assert (mail["From"], mail["Subject"]) == ("vendor@example.com", PROPERTIES["Subject"])
    body = mail.get_body()
    assert body is not None
    for name, value in PROPERTIES.items():
        assert f"{name}: {value}" in body.get_content()
    files = {str(part.get_filename()): part.get_payload(decode=True) for part in mail.iter_attachments()}
    assert files["report.csv"] == REPORT
    assert_is_the_very_push(told, json.loads(files["record.json"]), files["envelope.xml"])


def test_an_ftp_site_has_it(tmp_path: Path, report: Path) -> None:
    root = tmp_path / "site"
    root.mkdir()
    with ftp_server(root) as site:
        told = push(report, f"ftp://vendor@127.0.0.1:{site.port}/", SOAPSVC_BACKUP_PASSWORD=SECRET)
    (document,) = root.rglob("report.csv")
    assert document.read_bytes() == REPORT
    record = json.loads((document.parent / "report.csv.json").read_text())
    assert_is_the_very_push(told, record, (document.parent / "report.csv.envelope.xml").read_bytes())


def test_the_envelope_at_the_backup_is_one_push_with_what_arrives_by_push_later(tmp_path: Path, report: Path) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    push(report, backup.as_uri())
    (envelope,) = backup.rglob("*.envelope.xml")
    with running_service(tmp_path / "receiver") as receiver:
        assert post(receiver.url, envelope.read_bytes()).acknowledged
        done = soapsvc("push", str(envelope), "--to", receiver.url)
        assert done.returncode == 0, done.stderr
        (held,) = listed(receiver.inbox)
    assert (held["state"], held["redeliveries"]) == ("accepted", 1)


def test_who_has_nothing_is_exit_1_with_a_line_for_each_destination(tmp_path: Path, report: Path) -> None:
    receiver, backup = (f"http://127.0.0.1:{free_port()}/push" for _ in range(2))
    done = soapsvc("push", str(report), "--to", receiver, "--backup", backup)
    assert (done.returncode, done.stdout) == (1, "")
    told = [f"soapsvc: {url} cannot be reached: Connection refused" for url in (receiver, backup)]
    assert done.stderr.splitlines() == told


def test_a_receiver_without_room_says_when_and_the_backup_has_it(tmp_path: Path, report: Path) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    full = "min_free_bytes = 4611686018427387904\n"  # no disk has that much free
    with running_service(tmp_path / "receiver", settings=full) as receiver:
        done = soapsvc("push", str(report), "--to", receiver.url, "--backup", backup.as_uri(), "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["holder"]) == (3, "backup")
    assert (told["attempts"][0]["retry_after_seconds"], told["attempts"][0]["final"]) == (60, False)
