"""What somebody who may write to a backup can try: links, odd names, bombs, emails in emails, records that lie."""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soapsvc.intake.email_message import NotReadable, read_email
from soapsvc.intake.said_values import NotASideFile, read_lines, read_side_file
from soapsvc.records import PushState
from tests.intake.conftest import Inbox, Place
from tests.intake.mails import REPORT, mail
from tests.pushing import envelope


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "backup"
    folder.mkdir()
    return Place(folder.as_uri(), folder, {})


def test_links_out_of_the_directory_are_not_followed(inbox: Inbox, place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_bytes(b"secret")
    (place.folder / "file.csv").symlink_to(outside / "secret.csv")
    (place.folder / "directory").symlink_to(outside)
    os.mkfifo(place.folder / "pipe.csv")
    assert inbox.look(place.url) == []


def test_a_file_or_directory_that_becomes_a_link_after_it_was_listed_is_left(
    inbox: Inbox, place: Place, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.csv").write_bytes(b"secret")
    place.drop("sub/a.csv", REPORT)
    place.drop("b.csv", REPORT)
    taking = inbox.intake(place.url)
    listed = taking._source.look()
    (place.folder / "b.csv").unlink()
    (place.folder / "b.csv").symlink_to(outside / "a.csv")
    (place.folder / "sub").rename(tmp_path / "away")
    (place.folder / "sub").symlink_to(outside)
    taking._source.look = lambda: listed  # type: ignore[method-assign]
    assert {(one.outcome, one.why) for one in taking.look()} == {("left", "it is not there any more, or no plain file")}
    assert list(inbox.store.rows()) == []


def test_names_are_kept_as_text_and_never_used_as_paths(inbox: Inbox, place: Place) -> None:
    names = [b"x\\..\\..\\evil.csv", b"a\nb.csv", b"\xff\xfe.csv", "Größe\u202e.csv".encode(), b"x" * 240 + b".csv"]
    for name in names:
        with open(os.path.join(os.fsencode(place.folder), name), "wb") as file:
            file.write(REPORT + name)
    outcomes = inbox.look(place.url)
    assert [one.outcome for one in outcomes] == ["accepted"] * len(names)
    for one in outcomes:
        json.dumps(one.as_object())
    assert len(list(place.folder.iterdir())) == len(names)


def test_a_directory_that_is_too_deep_is_not_entered_and_no_more_is_listed_than_the_setting(
    inbox: Inbox, place: Place
) -> None:
    place.drop("/".join("abcdefghijkl") + "/deep.csv", REPORT)
    assert inbox.look(place.url) == []
    for n in range(8):
        place.drop(f"{n}.csv", REPORT)
    assert len(inbox.look(place.url, intake_max_items=5)) == 5


def test_an_archive_is_a_document_and_is_not_unpacked(inbox: Inbox, place: Place) -> None:
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * 30_000_000)
    place.drop("report.zip", bomb.getvalue())
    place.drop("a.eml", mail(attached=[("report.zip", bomb.getvalue())]))
    assert [one.outcome for one in inbox.look(place.url)] == ["accepted", "accepted"]
    assert all(row.documents[0].size_bytes == len(bomb.getvalue()) for row in inbox.store.rows())


def test_a_record_cannot_hide_what_is_no_document_of_its_push(inbox: Inbox, place: Place) -> None:
    place.drop("a.csv", REPORT)
    place.drop("a.csv.envelope.xml", envelope(1, REPORT))
    place.drop("victim.csv", b"another report\r\n")
    place.drop("a.csv.json", json.dumps({"files": ["a.csv", "victim.csv", "../../etc/passwd", 7]}).encode())
    assert {one.name for one in inbox.look(place.url)} == {"a.csv", "victim.csv"}


def test_an_envelope_with_a_doctype_goes_to_quarantine(inbox: Inbox, place: Place) -> None:
    lol = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    place.drop("a.envelope.xml", envelope(1).replace(b"<soapenv:Envelope", lol + b"<soapenv:Envelope"))
    (refused,) = inbox.look(place.url)
    assert (refused.outcome, "XML-004" in refused.refused_for) == ("quarantined", True)


@pytest.mark.parametrize("depth", [17, 150, 5000])
@pytest.mark.parametrize("kind", ["multipart", "message"])
def test_emails_nested_without_end_are_refused_at_once(inbox: Inbox, place: Place, depth: int, kind: str) -> None:
    if kind == "message":
        nested = b"Content-Type: message/rfc822\n\n" * depth + b"Subject: x\n\nx\n"
    else:
        nested = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth))
    place.drop("a.eml", b"Subject: deep\n" + nested)
    begun = time.monotonic()
    (refused,) = inbox.look(place.url)
    assert (refused.outcome, refused.refused_for) == ("quarantined", ("BAK-003",))
    assert time.monotonic() - begun < 10


def test_more_parts_than_documents_are_taken_is_refused(inbox: Inbox, place: Place) -> None:
    place.drop("a.eml", mail(attached=[(f"{n}.csv", b"%d" % n) for n in range(7)]))
    (refused,) = inbox.look(place.url, max_documents=5)
    assert (refused.outcome, refused.refused_for) == ("quarantined", ("BAK-003",))


def test_what_an_email_says_of_itself_may_be_anything() -> None:
    odd = b"\n".join([
        b"Subject: =?no-such-charset?q?x?= =?utf-8?b?!!!?=", b"From: \xff\xfe", b"Date: yesterday", b"Message-ID: ",
        b"Content-Type: text/plain; charset=no-such-charset; name*=no-such''%ff",
        b"Content-Transfer-Encoding: base64", b"", b"!!!!",
    ])  # fmt: skip
    read = read_email(odd, 10)
    assert read.date is None
    assert len(read.attachments) == 1


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_no_damaged_email_raises_anything_else(seed: int, hits: int) -> None:
    dice = random.Random(seed)
    raw = bytearray(mail(7, [("a.csv", REPORT), ("b.bin", bytes(range(200)))]))
    for _ in range(hits):
        raw[dice.randrange(len(raw))] = dice.randrange(256)
    with contextlib.suppress(NotReadable):
        read_email(bytes(raw), 100)


@given(st.binary(max_size=300) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3)
    | st.dictionaries(st.sampled_from(["job", "xdn", "mrn", "properties", "property_list", "files", "http_headers",
                                       "name", "value"]), inside, max_size=4), max_leaves=20,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_no_side_file_raises_anything_else(content: bytes) -> None:
    with contextlib.suppress(NotASideFile):
        read_side_file(content)


@pytest.mark.parametrize("content", [b"[" * 200_000, b'{"a":' * 100_000, b"{" + b" " * 1000, b"\xff"])
def test_a_side_file_that_is_none_is_told_and_the_report_taken(inbox: Inbox, place: Place, content: bytes) -> None:
    place.drop("a.csv", REPORT)
    place.drop("a.csv.json", content)
    (taken,) = inbox.look(place.url)
    assert taken.outcome == "accepted"
    rules = {one.rule for one in inbox.store.stored(str(taken.push_id)).verdict.deviations}
    assert rules == {"BAK-001", "BAK-005"}


def test_a_side_file_that_is_too_large_is_told_and_not_read(inbox: Inbox, place: Place) -> None:
    place.drop("a.csv", REPORT)
    place.drop("a.csv.json", b'{"x": "' + b"x" * 2_000_000 + b'"}')
    (taken,) = inbox.look(place.url)
    assert taken.outcome == "accepted"
    (row,) = inbox.store.rows(state=PushState.ACCEPTED)
    assert row.deviations == 2


def test_lines_of_an_email_are_read_in_no_time_whatever_they_hold() -> None:
    begun = time.monotonic()
    read_lines("\n".join(["a " * 4000 + ":"] * 600))
    read_lines("Subject: " + " " * 100_000 + "x")
    read_lines(" -" * 100_000)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("text", "job"),
    [
        ("Job: test2:7", ("test2", "7")), ("> XDN: test2\n> MRN: 7", ("test2", "7")), ("MRN: 7", (None, "7")),
        ("JobId = test2:7", ("test2", "7")), ("Job: done", None), ("I say: job test2:7", None),
    ],
)  # fmt: skip
def test_the_job_is_read_from_lines_that_name_it(text: str, job: tuple[str | None, str] | None) -> None:
    read = read_lines(text).job
    assert (None if read is None else (read.xdn, read.mrn)) == job
