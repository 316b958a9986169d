"""Mailboxes on disk: mbox and Maildir."""

from __future__ import annotations

import mailbox
from collections.abc import Callable
from pathlib import Path

import pytest

from soapsvc.errors import Unreachable
from soapsvc.intake.source import Disposal
from tests.intake.conftest import Inbox
from tests.intake.mails import mail, mail_with_envelope

Deliver = Callable[[bytes], object]


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    path = tmp_path / "mail.mbox"
    box = mailbox.mbox(path)
    for mrn in (1, 2):
        box.add(mail(mrn))
    box.add(mail_with_envelope(3))
    box.close()
    return path


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    box = mailbox.Maildir(tmp_path / "Maildir")
    box.add(mail(1))
    read = mailbox.MaildirMessage(mail_with_envelope(2))
    read.set_subdir("cur")
    read.set_flags("S")
    box.add(read)
    return tmp_path / "Maildir"


def test_messages_of_an_mbox_are_taken_in_once_and_it_stays_as_it_is(inbox: Inbox, mbox: Path) -> None:
    before = mbox.read_bytes(), mbox.stat().st_mtime_ns
    outcomes = inbox.look(f"mbox:{mbox}")
    assert [(one.name, one.form) for one in outcomes] == [
        ("message 1", "email"), ("message 2", "email"), ("message 3", "envelope"),
    ]  # fmt: skip
    assert inbox.look(f"mbox:{mbox}") == []
    assert (mbox.read_bytes(), mbox.stat().st_mtime_ns) == before
    box = mailbox.mbox(mbox)
    box.remove(0)
    box.add(mail(4))
    box.close()
    assert [one.outcome for one in inbox.look(f"mbox:{mbox}")] == ["accepted"]
    assert sorted(path.name for path in mbox.parent.iterdir()) == ["inbox", "mail.mbox"]


def test_an_mbox_that_is_unchanged_is_not_read(inbox: Inbox, mbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox.look(f"mbox:{mbox}")
    taking = inbox.intake(f"mbox:{mbox}")
    monkeypatch.setattr(taking._source, "look", lambda: pytest.fail("it was read"))
    assert list(taking.look()) == []


def test_messages_of_an_mbox_are_moved_and_removed_when_told(inbox: Inbox, mbox: Path) -> None:
    inbox.look(f"mbox:{mbox}", Disposal(move_to="taken.mbox"))
    assert len(mailbox.mbox(mbox)) == 0
    moved = mbox.with_name("taken.mbox")
    again = inbox.look(f"mbox:{moved}", Disposal(delete=True))
    assert [one.outcome for one in again] == ["redelivery"] * 3
    assert moved.read_bytes() == b""


def test_messages_of_a_maildir_are_taken_in_once_and_stay_as_they_are(inbox: Inbox, maildir: Path) -> None:
    before = sorted(path.relative_to(maildir) for path in maildir.rglob("*"))
    assert {one.form for one in inbox.look(f"maildir:{maildir}")} == {"email", "envelope"}
    assert sorted(path.relative_to(maildir) for path in maildir.rglob("*")) == before
    (new,) = (maildir / "new").iterdir()
    new.rename(maildir / "cur" / f"{new.name}:2,S")  # somebody has read it
    assert inbox.look(f"maildir:{maildir}") == []


def test_messages_of_a_maildir_are_moved_to_a_folder_or_removed_when_told(inbox: Inbox, maildir: Path) -> None:
    inbox.look(f"maildir:{maildir}", Disposal(move_to="Taken"))
    box = mailbox.Maildir(maildir)
    assert (len(box), box.list_folders(), len(box.get_folder("Taken"))) == (0, ["Taken"], 2)
    again = inbox.look(f"maildir:{maildir / '.Taken'}", Disposal(delete=True))
    assert {one.outcome for one in again} == {"redelivery"}
    assert len(box.get_folder("Taken")) == 0


def test_a_maildir_message_that_is_a_symbolic_link_is_not_followed(inbox: Inbox, maildir: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(mail(9))
    (maildir / "new" / "9.link").symlink_to(tmp_path / "elsewhere")
    assert len(inbox.look(f"maildir:{maildir}")) == 2


@pytest.mark.parametrize("scheme", ["mbox", "maildir"])
def test_a_mailbox_that_is_not_there_is_unreachable_and_is_not_made(inbox: Inbox, tmp_path: Path, scheme: str) -> None:
    with pytest.raises(Unreachable, match="nowhere"):
        inbox.look(f"{scheme}:{tmp_path / 'nowhere'}")
    assert not (tmp_path / "nowhere").exists()
