"""A mailbox: what arrives at a real SMTP server, and what is said when it does not."""

from __future__ import annotations

import email
import json
from dataclasses import replace
from email import policy
from email.message import EmailMessage

import pytest

from soapsvc.errors import SettingsError
from soapsvc.targets.opening import open_target
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.target import DeliveryFailed, OutgoingPush
from tests.pushing import envelope, free_port
from tests.targets.outgoing import AT, REPORT, SUBJECT, a_document, a_push
from tests.targets.servers import SECRET, Certificate, MailServer, mail_server, raw_server

OPTIONS = TargetOptions(connect_seconds=5, total_seconds=10, mail_from="soapsvc@example.com", clock=lambda: AT)
TO = "mailto:reports@example.org"


def to(server: MailServer, **more: object) -> TargetOptions:
    return replace(OPTIONS, smtp_url=f"smtp://127.0.0.1:{server.port}", **more)  # type: ignore[arg-type]


def only_mail(server: MailServer) -> EmailMessage:
    (mail,) = server.box.mails
    return email.message_from_bytes(mail, policy=policy.default)  # type: ignore[return-value]


def failure(url: str, options: TargetOptions, push: OutgoingPush | None = None) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as raised:
        open_target(url, options).deliver(push or a_push())
    assert ("\n" in str(raised.value), SECRET in str(raised.value)) == (False, False)
    return raised.value


def test_the_report_arrives_decoded_with_readable_properties_record_and_envelope() -> None:
    with mail_server() as server:
        receipt = open_target(f"{TO},second@example.org", to(server)).deliver(a_push())
        mail = only_mail(server)
    assert server.box.recipients == [["reports@example.org", "second@example.org"]]
    assert (mail["Subject"], receipt.reference) == (SUBJECT, f"Message-ID {mail['Message-ID']}")
    body = mail.get_body(("plain",))
    assert body is not None
    assert f"Subject: {SUBJECT}" in body.get_content()
    assert "report.csv" in body.get_content()
    attached = {part.get_filename(): part.get_payload(decode=True) for part in mail.iter_attachments()}
    assert list(attached) == ["report.csv", "record.json", "envelope.xml"]
    assert (attached["report.csv"], attached["envelope.xml"]) == (REPORT, envelope())
    assert json.loads(attached["record.json"])["properties"] == {"Subject": SUBJECT}


def test_the_same_push_has_the_same_message_id_in_every_attempt() -> None:
    with mail_server() as server:
        first, again, other = (
            open_target(TO, to(server)).deliver(a_push(push_id=push_id)).reference for push_id in ("a", "a", "b")
        )
    assert (first == again, first == other) == (True, False)


@pytest.mark.parametrize(
    "text", ["Report\r\nBcc: everybody@example.org", "a\nb", "\r\n\r\nbody", "x\u2028y", "ü" * 400, "", "\udc80"]
)
def test_nothing_in_a_push_becomes_a_header(text: str) -> None:
    push = a_push(a_document(filename=text), subject=text, push_id=f"id{text}")
    with mail_server() as server:
        open_target(TO, to(server)).deliver(push)
        mail = only_mail(server)
    assert server.box.recipients == [["reports@example.org"]]
    assert sorted(mail.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "X-Soapsvc-Push-Id", "Auto-Submitted", "MIME-Version", "Content-Type",
         "X-Peer", "X-MailFrom", "X-RcptTo"] if mail["X-Peer"] else
        ["From", "To", "Subject", "Date", "Message-ID", "X-Soapsvc-Push-Id", "Auto-Submitted", "MIME-Version", "Content-Type"]
    )  # fmt: skip
    assert len(list(mail.iter_attachments())) == 3


@pytest.mark.parametrize(
    ("filename", "arrives"),
    [
        ("übersicht für märz.csv", "übersicht für märz.csv"), ("../../etc/passwd", "___.._etc_passwd"),
        ("record.json", "record-2.json"), ("a" * 240 + ".csv", "a" * 146 + ".csv"), ("日本" * 60 + ".pdf", None),
    ],
)  # fmt: skip
def test_a_name_arrives_safe_and_whole(filename: str, arrives: str | None) -> None:
    with mail_server() as server:
        open_target(TO, to(server)).deliver(a_push(a_document(filename=filename)))
        mail = only_mail(server)
    first = next(iter(mail.iter_attachments()))
    name = first.get_filename()
    assert name is not None
    assert name.endswith((".csv", ".pdf", ".json", "passwd"))
    if arrives is not None:
        assert name == arrives
    assert max(map(len, server.box.mails[0].split(b"\r\n"))) <= 998, "RFC 5322, 2.1.1"
    assert server.box.mails[0].isascii()


def test_two_documents_of_one_name_are_two_attachments() -> None:
    with mail_server() as server:
        open_target(TO, to(server)).deliver(a_push(a_document(b"1", "A.csv"), a_document(b"2", "a.csv", 2)))
        names = [part.get_filename() for part in only_mail(server).iter_attachments()]
    assert names[:2] == ["A.csv", "a-2.csv"]


def test_every_byte_of_a_document_arrives() -> None:
    content = bytes(range(256)) * 100 + b".\r\n.\n\r"
    with mail_server() as server:
        open_target(TO, to(server)).deliver(a_push(a_document(content)))
        first = next(iter(only_mail(server).iter_attachments()))
    assert first.get_payload(decode=True) == content


@pytest.mark.parametrize("implicit_tls", [False, True])
def test_login_goes_over_tls_that_is_verified(certificate: Certificate, implicit_tls: bool) -> None:
    scheme = "smtps" if implicit_tls else "smtp"
    with mail_server(certificate, implicit_tls=implicit_tls, login=True) as server:
        url = f"{scheme}://vendor@127.0.0.1:{server.port}"
        options = replace(OPTIONS, smtp_url=url, smtp_password=SECRET, ca_file=certificate.ca)
        open_target(TO, options).deliver(a_push())
        assert len(server.box.mails) == 1
        assert "certificate" in str(failure(TO, replace(options, ca_file=None)))
        wrong = failure(TO, replace(options, smtp_password="something"))
    assert ("something" in str(wrong), wrong.may_repeat) == (False, True)


def test_no_tls_where_it_is_required_is_a_failure() -> None:
    with mail_server() as server:
        error = failure(TO, replace(OPTIONS, smtp_url=f"smtp://127.0.0.1:{server.port}?tls=required"))
    assert "offers no STARTTLS" in str(error)


def test_a_mail_over_the_servers_limit_is_told_with_both_numbers_and_not_sent() -> None:
    with mail_server(size_limit=10_000) as server:
        error = failure(TO, to(server), a_push(a_document(b"x" * 20_000)))
    assert (error.may_repeat, "takes at most 10000" in str(error), server.box.mails) == (False, True, [])


@pytest.mark.parametrize(
    ("answer", "may_repeat"), [("451 come again", True), ("554 no thanks", False), ("421 closing", True)]
)
def test_what_the_server_says_of_a_mail_decides(answer: str, may_repeat: bool) -> None:
    with mail_server() as server:
        server.box.refuse = answer
        error = failure(TO, to(server))
    assert (error.may_repeat, answer[4:] in str(error)) == (may_repeat, True)


@pytest.mark.parametrize(("answer", "may_repeat"), [("450 busy", True), ("550 no such user", False)])
def test_what_the_server_says_of_a_recipient_decides(answer: str, may_repeat: bool) -> None:
    with mail_server() as server:
        server.box.refuse_recipient = answer
        assert failure(TO, to(server)).may_repeat is may_repeat


def test_a_server_that_is_away_or_silent_may_be_there_later() -> None:
    assert failure(TO, replace(OPTIONS, smtp_url=f"smtp://127.0.0.1:{free_port()}")).may_repeat
    with raw_server(lambda connection: connection.recv(1) and None) as port:
        options = replace(OPTIONS, smtp_url=f"smtp://127.0.0.1:{port}", connect_seconds=0.3)
        assert failure(TO, options).may_repeat


@pytest.mark.parametrize(
    ("url", "changed", "wanted"),
    [
        ("mailto:nobody", {}, "mail address"),
        ("mailto:", {}, "mail address"),
        ("mailto:a@b%0d%0aBcc:c@d", {}, "mail address"),
        ("mailto:a@b.example?cc=x", {}, "takes no option 'cc'"),
        (TO, {"smtp_url": None}, "set smtp_url"),
        (TO, {"smtp_url": "http://x"}, "smtp://HOST:PORT"),
        (TO, {"smtp_url": "smtp://user@h"}, "needs a password"),
        (TO, {"mail_from": "me"}, "mail_from"),
    ],
)
def test_what_cannot_be_mailed_to_is_said_before(url: str, changed: dict[str, str], wanted: str) -> None:
    with pytest.raises(SettingsError, match=wanted):
        open_target(url, replace(OPTIONS, **{"smtp_url": "smtp://127.0.0.1:25", **changed}))  # type: ignore[arg-type]
