"""A mailbox on a real IMAP server: Dovecot."""

from __future__ import annotations

import imaplib
from itertools import count

import pytest

from soapsvc.errors import Unreachable
from soapsvc.intake.source import Disposal
from tests.intake.conftest import PASSWORD, Certificate, ImapServer, Inbox
from tests.intake.mails import mail, mail_with_envelope

_USERS = count()
WORD = PASSWORD.replace(" ", "_")


@pytest.fixture
def user(imap_server: ImapServer) -> str:
    name = f"user{next(_USERS)}"
    imap_server.deliver(name, mail(mrn=1), "1.M1.host")
    return name


def url(server: ImapServer, user: str, mailbox: str = "") -> str:
    return f"imap://{user}@127.0.0.1:{server.port}{mailbox}"


def asked(server: ImapServer, user: str, mailbox: str = "INBOX") -> list[bytes]:
    """Flags of each message, as another client sees them."""
    with imaplib.IMAP4("127.0.0.1", server.port) as client:
        client.login(user, WORD)
        if client.select(f'"{mailbox}"', readonly=True)[0] != "OK":
            return []
        answers = client.uid("FETCH", "1:*", "(FLAGS)")[1]
        return [one for one in answers if isinstance(one, bytes)]


def test_messages_are_taken_in_once_and_nothing_changes_there(inbox: Inbox, imap_server: ImapServer, user: str) -> None:
    (taken,) = inbox.look(url(imap_server, user), intake_password=WORD)
    assert (taken.outcome, taken.form) == ("accepted", "email")
    assert taken.name.startswith("UID 1 of ")
    origin = inbox.store.stored(str(taken.push_id)).row.origin
    assert origin is not None
    assert origin.source == url(imap_server, user)
    assert origin.at is not None
    assert inbox.look(url(imap_server, user), intake_password=WORD) == []
    (flags,) = asked(imap_server, user)
    assert rb"\Seen" not in flags
    imap_server.deliver(user, mail_with_envelope(mrn=2), "2.M2.host")
    (second,) = inbox.look(url(imap_server, user), intake_password=WORD)
    assert (second.outcome, second.form) == ("accepted", "envelope")


def test_over_tls_the_certificate_is_checked(
    inbox: Inbox, imap_server: ImapServer, user: str, certificate: Certificate
) -> None:
    there = f"imaps://{user}@127.0.0.1:{imap_server.tls_port}/INBOX"
    with pytest.raises(Unreachable, match="certificate verify failed"):
        inbox.look(there, intake_password=WORD)
    (taken,) = inbox.look(there, intake_password=WORD, intake_ca_file=certificate.certificate)
    assert taken.outcome == "accepted"


def test_marked_as_read_only_when_told(inbox: Inbox, imap_server: ImapServer, user: str) -> None:
    inbox.look(url(imap_server, user), Disposal(seen=True), intake_password=WORD)
    (flags,) = asked(imap_server, user)
    assert rb"\Seen" in flags
    assert inbox.look(url(imap_server, user), Disposal(seen=True), intake_password=WORD) == []


def test_what_was_taken_in_before_is_moved_when_told(inbox: Inbox, imap_server: ImapServer, user: str) -> None:
    inbox.look(url(imap_server, user), intake_password=WORD)
    imap_server.deliver(user, mail(mrn=2), "2.M2.host")
    assert len(inbox.look(url(imap_server, user), Disposal(move_to="Geprüft"), intake_password=WORD)) == 1
    assert asked(imap_server, user) == []
    assert len(asked(imap_server, user, "Gepr&APw-ft")) == 2
    again = inbox.look(url(imap_server, user, "/Gepr%C3%BCft"), intake_password=WORD)
    assert {one.outcome for one in again} == {"redelivery"}


def test_removed_when_told_but_not_what_is_in_quarantine(inbox: Inbox, imap_server: ImapServer, user: str) -> None:
    imap_server.deliver(user, mail(mrn=2, attached=()), "2.M2.host")
    outcomes = inbox.look(url(imap_server, user), Disposal(delete=True), intake_password=WORD)
    assert [one.outcome for one in outcomes] == ["accepted", "quarantined"]
    assert len(asked(imap_server, user)) == 1


def test_a_wrong_password_is_told_without_it(inbox: Inbox, imap_server: ImapServer, user: str) -> None:
    with pytest.raises(Unreachable) as told:
        inbox.look(url(imap_server, user), intake_password="geheim geheim")
    assert "geheim" not in str(told.value)
    assert "uthentication" in str(told.value)


def test_a_mailbox_that_begins_its_uids_anew_brings_nothing_twice(
    inbox: Inbox, imap_server: ImapServer, user: str
) -> None:
    inbox.look(url(imap_server, user), intake_password=WORD)
    for name in ("dovecot-uidlist", "dovecot.index.log", "dovecot.index", "dovecot.index.cache", "dovecot-uidvalidity"):
        (imap_server.mail / user / name).unlink(missing_ok=True)
    for one in (imap_server.mail / user).glob("dovecot-uidvalidity.*"):
        one.unlink()
    import time

    time.sleep(1.1)  # Dovecot makes a UIDVALIDITY of the second
    (again,) = inbox.look(url(imap_server, user), intake_password=WORD)
    assert again.outcome == "redelivery"
    assert inbox.store.stats().accepted == 1


def test_nobody_there_is_unreachable(inbox: Inbox) -> None:
    with pytest.raises(Unreachable, match="cannot be used"):
        inbox.look("imap://user@127.0.0.1:1", intake_password=WORD)
