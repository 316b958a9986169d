"""A push to a receiver that is down, once for each backup that the vendor offers: another receiver, an email address, an
FTP site. It arrives there with the report decoded and the properties readable, and the command says so with exit 3. Then
it comes home, and the original push again is the same one, whichever of the two was first."""

from __future__ import annotations

import email
import email.policy
import hashlib
import itertools
import json
import mailbox
import os
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.commands import soapsvc
from tests.intake.conftest import PASSWORD as IMAP_PASSWORD
from tests.intake.conftest import ImapServer
from tests.pushing import Service, free_port, get, listed, running_service
from tests.targets.servers import SECRET, ftp_server, mail_server

REPORT = "reference,status\r\nINV-1,Größe\r\n".encode()
PROPERTIES = {"Subject": "Grüße – report", "UserAccountNumber": "2000002"}
FIRST, SECOND = 1000001, 1000002  # job numbers: of a push that is taken in before it is pushed, and of one after
SMTP_FROM = "vendor@example.com"
PATIENCE_SECONDS = 30


@pytest.fixture
def report(tmp_path: Path) -> Path:
    file = tmp_path / "report.csv"
    file.write_bytes(REPORT)
    return file


def pushed(report: Path, mrn: int, to: str, *words: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """Exit code of `soapsvc push --json`, and what it tells. The envelope is made anew each time."""
    told = [word for name, value in PROPERTIES.items() for word in ("--property", f"{name}={value}")]
    done = soapsvc(
        "push", str(report), "--to", to, "--job", f"test2:{mrn}", *told, "--json", *words,
        env={**os.environ, **environment}, cwd=report.parent,
    )  # fmt: skip
    assert done.stdout, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def pushed_to_backup(report: Path, mrn: int, receiver: str, backup: str, **environment: str) -> dict[str, Any]:
    """What is told of a push whose receiver is down."""
    words = ("--backup", backup, "--attempts", "2", "--gap", "0")
    code, told = pushed(report, mrn, receiver, *words, **environment)
    assert (code, told["holder"]) == (3, "backup"), told
    assert [(one["is_backup"], one["taken"]) for one in told["attempts"]] == [
        (False, False),
        (False, False),
        (True, True),
    ]
    assert "Connection refused" in told["attempts"][0]["told"]
    return told


def assert_is_the_very_push(told: dict[str, Any], record: dict[str, Any], envelope: bytes) -> None:
    """The side files hold the push by which its id was made."""
    assert hashlib.sha256(envelope).hexdigest()[:24] == told["id"] == record["id"]
    assert record["raw_sha256"] == hashlib.sha256(envelope).hexdigest()
    assert record["properties"] == PROPERTIES
    assert record["job"] == {"xdn": "test2", "mrn": str(FIRST)}
    (document,) = record["documents"]
    assert document["sha256"] == hashlib.sha256(REPORT).hexdigest()


def taken_in(service: Service, place: str, **environment: str) -> dict[str, Any]:
    """What `soapsvc intake --json` tells of the one drop that is new at the place."""
    words = ("intake", place, "--settle", "0", "--json", "--inbox", service.inbox)
    done = soapsvc(*words, env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    (one,) = map(json.loads, done.stdout.splitlines())
    assert one["form"] == "envelope"
    return dict(one)


def assert_comes_home(report: Path, service: Service, place: str, **environment: str) -> None:
    """The push of the first job, which lies at the place, and the original push after it are one.

    service  the receiver, up again
    """
    home = taken_in(service, place, **environment)
    assert home["outcome"] == "accepted"
    assert pushed(report, FIRST, service.url)[0] == 0
    (held,) = held_by(service)
    assert_is_whole(service, held)
    assert (held["id"], held["redeliveries"], held["origin"]["source"]) == (home["id"], 1, place)


def assert_comes_home_after_it_was_pushed(
    report: Path, service: Service, place: str, backup: str, **environment: str
) -> None:
    """A push of the second job, and the same one that then lies at the place, are one."""
    assert pushed(report, SECOND, service.url)[0] == 0
    first, *others = held_by(service)
    pushed_to_backup(report, SECOND, f"http://127.0.0.1:{free_port()}/push", backup, **environment)
    told = taken_in(service, place, **environment)
    assert (told["outcome"], told["of"]) == ("redelivery", first["id"])
    assert [(push["id"], push["redeliveries"]) for push in listed(service.inbox)] == [
        (first["id"], 1),
        *((push["id"], push["redeliveries"]) for push in others),
    ]


def assert_is_whole(service: Service, held: dict[str, Any]) -> None:
    assert (held["state"], held["properties"], held["deviations"]) == ("accepted", PROPERTIES, 0)
    assert held["conflict_of"] is None
    assert get(f"{service.admin_url}/api/v1/pushes/{held['id']}/documents/1").body == REPORT


def test_another_receiver_has_it_and_hands_it_on_to_the_first(tmp_path: Path, report: Path) -> None:
    port = free_port()
    to = f"http://127.0.0.1:{port}/push"
    home = f'[[delivery]]\nname = "home"\ntarget = "{to}"\nattempts = 1000\ngaps = [0.1]\n'
    with running_service(tmp_path / "second", settings=home) as second:
        told = pushed_to_backup(report, FIRST, to, second.url)
        assert told["target"] == second.url
        (there,) = held_by(second)
        assert_is_whole(second, there)
        with running_service(tmp_path / "first", port=port) as first:
            held = until_held(first, FIRST, redeliveries=0)
            assert pushed(report, FIRST, to)[0] == 0
            assert_is_whole(first, until_held(first, FIRST, redeliveries=1))
            assert pushed(report, SECOND, to)[0] == 0
            pushed_to_backup(report, SECOND, f"http://127.0.0.1:{free_port()}/push", second.url)
            until_held(first, SECOND, redeliveries=1)
            assert [push["id"] for push in listed(first.inbox)][1:] == [held["id"]]


def held_by(service: Service) -> list[dict[str, Any]]:
    """The newest first."""
    return list(json.loads(get(f"{service.admin_url}/api/v1/pushes").body)["pushes"])


def until_held(service: Service, mrn: int, *, redeliveries: int) -> dict[str, Any]:
    """The one push of a job, as soon as it was repeated so often."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = [push for push in held_by(service) if push["job"]["mrn"] == str(mrn)]
        if [push["redeliveries"] for push in found] == [redeliveries]:
            return dict(found[0])
        assert time.monotonic() < patience, found
        time.sleep(0.05)


def assert_is_readable(raw: bytes, told: dict[str, Any]) -> None:
    mail = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert isinstance(mail, EmailMessage)
    assert (mail["From"], mail["Subject"]) == (SMTP_FROM, PROPERTIES["Subject"])
    body = mail.get_body()
    assert body is not None
    for name, value in PROPERTIES.items():
        assert f"{name}: {value}" in body.get_content()
    files = {str(part.get_filename()): part.get_payload(decode=True) for part in mail.iter_attachments()}
    assert files["report.csv"] == REPORT
    assert_is_the_very_push(told, json.loads(files["record.json"]), files["envelope.xml"])


def test_a_mailbox_has_it_and_it_comes_home_from_the_maildir(tmp_path: Path, report: Path) -> None:
    port, box = free_port(), mailbox.Maildir(tmp_path / "mail")
    with mail_server(keep=box.add) as server:
        smtp = {"SOAPSVC_SMTP_URL": f"smtp://127.0.0.1:{server.port}", "SOAPSVC_SMTP_FROM": SMTP_FROM}
        told = pushed_to_backup(report, FIRST, f"http://127.0.0.1:{port}/push", "mailto:reports@example.com", **smtp)
        (raw,) = (box.get_bytes(key) for key in box.keys())  # noqa: SIM118  (a mailbox iterates over its mails)
        assert_is_readable(raw, told)
        with running_service(tmp_path / "receiver", port=port) as service:
            place = f"maildir:{tmp_path / 'mail'}"
            assert_comes_home(report, service, place)
            assert_comes_home_after_it_was_pushed(report, service, place, "mailto:reports@example.com", **smtp)


def test_a_mailbox_has_it_and_it_comes_home_by_imap(tmp_path: Path, report: Path, imap_server: ImapServer) -> None:
    port, serial = free_port(), itertools.count()

    def keep(mail: bytes) -> None:
        imap_server.deliver("journey", mail, f"{next(serial)}.M1.host")

    with mail_server(keep=keep) as server:
        smtp = {"SOAPSVC_SMTP_URL": f"smtp://127.0.0.1:{server.port}", "SOAPSVC_SMTP_FROM": SMTP_FROM}
        told = pushed_to_backup(report, FIRST, f"http://127.0.0.1:{port}/push", "mailto:reports@example.com", **smtp)
        assert_is_readable(server.box.mails[0], told)
        with running_service(tmp_path / "receiver", port=port) as service:
            place = f"imap://journey@127.0.0.1:{imap_server.port}"
            assert_comes_home(report, service, place, SOAPSVC_INTAKE_PASSWORD=IMAP_PASSWORD.replace(" ", "_"))


def test_an_ftp_site_has_it_and_it_comes_home_from_there(tmp_path: Path, report: Path) -> None:
    root, port = tmp_path / "site", free_port()
    (root / "drop").mkdir(parents=True)
    secrets = {"SOAPSVC_BACKUP_PASSWORD": SECRET, "SOAPSVC_INTAKE_PASSWORD": SECRET}
    with ftp_server(root) as site:
        place = f"ftp://vendor@127.0.0.1:{site.port}/drop"
        told = pushed_to_backup(report, FIRST, f"http://127.0.0.1:{port}/push", place, **secrets)
        (document,) = root.rglob("report.csv")
        assert document.read_bytes() == REPORT
        record = json.loads((document.parent / "report.csv.json").read_text())
        assert_is_the_very_push(told, record, (document.parent / "report.csv.envelope.xml").read_bytes())
        with running_service(tmp_path / "receiver", port=port) as service:
            assert_comes_home(report, service, place, **secrets)
            assert_comes_home_after_it_was_pushed(report, service, place, place, **secrets)


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
