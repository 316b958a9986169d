"""What a drop becomes: the push that it was, or one that says it is none; and when two are one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from soapsvc.errors import AlreadyTakenIn
from soapsvc.intake.drop_reader import DropReader
from soapsvc.judge import Judge
from soapsvc.judging_again import judge_again
from soapsvc.records import DropForm, InboxRow, PushState, Shared, TakenIn
from tests.intake.conftest import Inbox, Place
from tests.intake.mails import REPORT, mail, mail_with_envelope
from tests.pushing import envelope


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "backup"
    folder.mkdir()
    return Place(folder.as_uri(), folder, {})


def drop_of_ours(place: Place, mrn: int, document: bytes = REPORT, **record: object) -> None:
    place.drop(f"report_{mrn}.csv", document)
    place.drop(f"report_{mrn}.csv.envelope.xml", envelope(mrn, document))
    place.drop(f"report_{mrn}.csv.json", json.dumps(record).encode())


def accepted(inbox: Inbox) -> list[InboxRow]:
    return list(inbox.store.rows(state=PushState.ACCEPTED))


# -- with its envelope -----------------------------------------------------------------------------------------------


def test_a_drop_that_is_pushed_afterwards_is_one_push(inbox: Inbox, place: Place) -> None:
    drop_of_ours(place, 1)
    (taken,) = inbox.look(place.url)
    again = inbox.push(envelope(1, REPORT))
    assert (again.id, again.redelivery) == (taken.push_id, True)
    (row,) = accepted(inbox)
    assert row.origin is not None
    assert (row.origin.form, row.deviations, row.redeliveries) == (DropForm.ENVELOPE, 0, 1)


def test_what_was_pushed_and_lies_at_the_backup_too_is_one_push(inbox: Inbox, place: Place) -> None:
    pushed = inbox.push(envelope(1, REPORT))
    drop_of_ours(place, 1)
    place.drop("mail.eml", mail_with_envelope(1))
    outcomes = inbox.look(place.url)
    assert [(one.outcome, one.of) for one in outcomes] == [("redelivery", pushed.id)] * 2
    (row,) = accepted(inbox)
    assert row.origin is None
    stored = inbox.store.stored(pushed.id)
    assert [source for _, source in stored.arrivals] == [place.url] * 2


def test_an_envelope_is_judged_by_the_degree_of_the_settings(inbox: Inbox, place: Place) -> None:
    place.drop("a.envelope.xml", envelope(1).replace(b"<DocType>", b"<Extra/><DocType>"))
    (refused,) = inbox.look(place.url)
    assert (refused.outcome, refused.refused_for) == ("quarantined", ("XSD-004",))
    place.drop("b.envelope.xml", envelope(2).replace(b"<DocType>", b"<Extra/><DocType>"))
    (taken,) = inbox.look(place.url, conformance="observe")
    assert taken.outcome == "accepted"
    judge = Judge(inbox.settings(conformance="observe"), inbox.wsdl)
    done = judge_again(inbox.store, judge, DropReader(inbox.settings(), judge), str(refused.push_id))
    assert done.outcome == "accepted"
    stored = inbox.store.stored(str(refused.push_id))
    assert stored.row.origin is not None
    assert stored.row.origin.name == "a"
    assert {one.rule for one in stored.verdict.deviations} == {"XSD-004"}, "there was no HTTP request to tell of"


def test_the_record_tells_the_charset_of_an_envelope(inbox: Inbox, place: Place) -> None:
    message = envelope(1).replace(b"Delivery report", "Größe".encode("latin-1"))
    message = message.replace(b' encoding="UTF-8"', b"")
    place.drop("r.csv.envelope.xml", message)
    headers = [["Content-Type", "text/xml; charset=iso-8859-1"]]
    place.drop("r.csv.json", json.dumps({"http_headers": headers}).encode())
    (taken,) = inbox.look(place.url)
    assert taken.outcome == "accepted"
    assert accepted(inbox)[0].properties["Subject"].startswith("Größe")


def test_a_lone_file_that_is_an_envelope_is_judged_as_one(inbox: Inbox, place: Place) -> None:
    place.drop("push.xml", envelope(1))
    (taken,) = inbox.look(place.url)
    assert (taken.outcome, taken.form) == ("accepted", "envelope")
    assert inbox.push(envelope(1)).redelivery


def test_further_documents_of_a_push_are_no_drops_of_their_own(inbox: Inbox, place: Place) -> None:
    message = envelope(1, b"one\r\n")
    first = message.index(b"<Document>")
    second = message[first : message.index(b"</Document>") + 11].replace(b"b25lDQo=", b"dHdvDQo=")
    place.drop("j/d/one.csv", b"one\r\n")
    place.drop("j/d/two.csv", b"two\r\n")
    place.drop("j/d/other.csv", b"somebody else's\r\n")
    place.drop("j/d/one.csv.envelope.xml", message[:first] + second + message[first:])
    files = ["root/j/d/one.csv", "root/j/d/two.csv", "root/j/d/other.csv"]
    place.drop("j/d/one.csv.json", json.dumps({"files": files}).encode())
    inbox.now = replace_clock(place.folder / "j/d/other.csv", 1)
    taking = inbox.intake(place.url, alone=60)
    assert [(one.name, one.form) for one in taking.look()] == [("j/d/one.csv", "envelope")]
    assert taking.fresh == 1
    assert [(one.name, one.form) for one in inbox.look(place.url)] == [("j/d/other.csv", "file")]
    assert inbox.look(place.url) == []


def test_a_lone_file_waits_for_the_record_that_may_come(inbox: Inbox, place: Place) -> None:
    place.drop("report.csv", REPORT)
    inbox.now = replace_clock(place.folder / "report.csv", 30)
    taking = inbox.intake(place.url, alone=60)
    assert list(taking.look()) == []
    assert taking.fresh == 1
    inbox.now = replace_clock(place.folder / "report.csv", 61)
    assert [one.outcome for one in taking.look()] == ["accepted"]


def replace_clock(file: Path, seconds: float):  # type: ignore[no-untyped-def]
    """The time so long after the file was written."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(file.stat().st_mtime + seconds, UTC)


# -- without ---------------------------------------------------------------------------------------------------------


def test_a_report_alone_says_that_it_did_not_come_by_push(inbox: Inbox, place: Place) -> None:
    place.drop("sub/report_7.csv", REPORT)
    side = {"job": {"xdn": "test2", "mrn": 7}, "properties": {"Subject": "Seven", "start_time": "2012-11-04T13:05:45Z",
                                                             "Password": "geheim"}}  # fmt: skip
    place.drop("sub/report_7.csv.json", json.dumps(side).encode())
    (taken,) = inbox.look(place.url)
    stored = inbox.store.stored(str(taken.push_id))
    row, (document,) = stored.row, stored.row.documents
    assert (document.filename, document.doctype, document.encoding) == ("report_7.csv", None, "file")
    assert document.detected_type == "text/csv"
    assert row.job is not None
    assert (row.job.xdn, row.job.mrn, row.kind) == ("test2", "7", "report")
    assert row.properties == {"Subject": "Seven", "StartTime": "2012-11-04T13:05:45Z", "Password": "***"}
    assert [one.rule for one in stored.verdict.deviations] == ["BAK-001"]
    assert stored.root in (None, "")
    with inbox.store.open_raw(row.id) as raw:
        assert raw.read() == REPORT


def test_an_email_brings_its_attachments_and_what_its_lines_say(inbox: Inbox, place: Place) -> None:
    place.drop("a.eml", mail(7, [("eins.csv", REPORT), ("z.zip", b"PK\x03\x04 not unpacked")]))
    (taken,) = inbox.look(place.url)
    stored = inbox.store.stored(str(taken.push_id))
    assert [(one.filename, one.encoding) for one in stored.row.documents] == [
        ("eins.csv", "attachment"), ("z.zip", "attachment"),
    ]  # fmt: skip
    assert stored.row.job is not None
    assert (stored.row.job.xdn, stored.row.job.mrn) == ("test2", "7")
    told = {(one.name, one.segment): one.value for one in stored.properties}
    assert told == {
        ("Subject", "email"): "Delivery report – job 7",
        ("From", "email"): "Reports <reports@vendor.example>",
        ("Date", "email"): "Sun, 04 Nov 2012 13:06:00 +0000",
        ("Message-ID", "email"): "<7@vendor.example>",
        ("UserAccountNumber", "email body"): "2000002",
        ("StartTime", "email body"): "2012-11-04T13:05:45Z",
    }
    with inbox.store.open_raw(stored.row.id) as raw:
        assert raw.read() == (place.folder / "a.eml").read_bytes()


def test_the_same_file_or_email_twice_is_one_push_wherever_it_lies(inbox: Inbox, place: Place) -> None:
    place.drop("a/report.csv", REPORT)
    place.drop("b/report.csv", REPORT)
    place.drop("a.eml", mail(7))
    place.drop("b.eml", b"Received: from elsewhere\n" + mail(7))
    outcomes = sorted(one.outcome for one in inbox.look(place.url))
    assert outcomes == ["accepted", "accepted", "redelivery", "redelivery"]
    assert len(accepted(inbox)) == 2
    assert inbox.store.stats().redeliveries == 2


def test_two_empty_files_of_two_days_are_two(inbox: Inbox, place: Place) -> None:
    place.drop("cdr-1.csv", b"")
    place.drop("cdr-2.csv", b"")
    assert [one.outcome for one in inbox.look(place.url)] == ["accepted", "accepted"]
    assert all(row.shares == () for row in accepted(inbox)), "nothing is in many of them"


def test_an_email_without_a_report_is_kept_in_quarantine_and_judged_once_more(inbox: Inbox, place: Place) -> None:
    place.drop("a.eml", mail(attached=(), Subject="Your invoice"))
    (refused,) = inbox.look(place.url)
    assert (refused.outcome, refused.refused_for) == ("quarantined", ("BAK-002",))
    stored = inbox.store.stored(str(refused.push_id))
    assert stored.row.properties["Subject"] == "Your invoice"
    judge = Judge(inbox.settings(), inbox.wsdl)
    done = judge_again(inbox.store, judge, DropReader(inbox.settings(), judge), stored.row.id)
    assert done.line == f"{stored.row.id} still refused (BAK-002)"
    assert inbox.store.stored(stored.row.id) == stored


def test_a_damaged_attachment_is_refused_and_under_observe_told(inbox: Inbox, place: Place) -> None:
    whole = mail(7, [("a.bin", b"twelve bytes")])
    assert b"dHdlbHZlIGJ5dGVz" in whole
    place.drop("a.eml", whole.replace(b"dHdlbHZlIGJ5dGVz", b"dHdlbHZlIGJ5dGV"))
    (refused,) = inbox.look(place.url)
    assert (refused.outcome, refused.refused_for) == ("quarantined", ("BAK-004",))
    judge = Judge(inbox.settings(conformance="observe"), inbox.wsdl)
    done = judge_again(inbox.store, judge, DropReader(inbox.settings(), judge), str(refused.push_id))
    assert done.outcome == "accepted"
    assert inbox.store.stored(str(refused.push_id)).row.documents[0].encoding == "undecodable"


# -- the same report -------------------------------------------------------------------------------------------------


def drop_alone(place: Place, mrn: int, document: bytes = REPORT, **properties: str) -> None:
    place.drop(f"report_{mrn}.csv", document)
    side = {"job": {"xdn": "test2", "mrn": str(mrn)}, "properties": properties}
    place.drop(f"report_{mrn}.csv.json", json.dumps(side).encode())


def test_a_report_whose_push_says_all_that_it_says_is_a_redelivery_of_it(inbox: Inbox, place: Place) -> None:
    pushed = inbox.push(envelope(7, REPORT))
    drop_alone(place, 7, UserAccountNumber="2000002")
    place.drop("mail.eml", mail(7))
    outcomes = inbox.look(place.url)
    assert [(one.outcome, one.of) for one in outcomes] == [("redelivery", pushed.id)] * 2
    assert len(accepted(inbox)) == 1


@pytest.mark.parametrize(
    "differs",
    [{"mrn": 8}, {"document": REPORT + b"more"}, {"UserAccountNumber": "1"}, {"Colour": "blue"}],
    ids=["job", "bytes", "value", "property"],
)
def test_a_report_that_says_anything_else_is_kept(inbox: Inbox, place: Place, differs: dict[str, object]) -> None:
    inbox.push(envelope(7, REPORT))
    drop_alone(place, **{"mrn": 7, **differs})  # type: ignore[arg-type]
    (taken,) = inbox.look(place.url)
    assert taken.outcome == "accepted"
    assert len(accepted(inbox)) == 2


def test_a_report_that_names_no_job_is_kept_and_the_lists_say_what_it_shares(inbox: Inbox, place: Place) -> None:
    pushed = inbox.push(envelope(7, REPORT))
    place.drop("report_7.csv", REPORT)
    (taken,) = inbox.look(place.url)
    by_id = {row.id: row.shares for row in accepted(inbox)}
    assert by_id == {pushed.id: (Shared(str(taken.push_id), False),), taken.push_id: (Shared(pushed.id, False),)}


def test_a_push_after_a_report_alone_is_kept_too_and_the_lists_say_they_are_the_same(
    inbox: Inbox, place: Place
) -> None:
    drop_alone(place, 7)
    (taken,) = inbox.look(place.url)
    pushed = inbox.push(envelope(7, REPORT))
    assert not pushed.redelivery
    by_id = {row.id: row.shares for row in accepted(inbox)}
    assert by_id == {pushed.id: (Shared(str(taken.push_id), True),), taken.push_id: (Shared(pushed.id, True),)}
    assert inbox.store.stored(pushed.id).row.shares == by_id[pushed.id]


# -- the ledger ------------------------------------------------------------------------------------------------------


def test_of_two_intakes_at_once_one_alone_stores_a_thing(inbox: Inbox, place: Place) -> None:
    place.drop("a.csv", REPORT)
    place.drop("bad.envelope.xml", b"<x")
    first = inbox.intake(place.url)
    second = inbox.intake(place.url, pause=lambda _: list(first.look()))
    assert list(second.look()) == []
    stats = inbox.store.stats()
    assert (stats.accepted, stats.redeliveries, stats.quarantined) == (1, 0, 1)


def test_an_entry_that_is_there_already_undoes_what_was_stored_with_it(inbox: Inbox, place: Place) -> None:
    place.drop("a.csv", REPORT)
    taking = inbox.intake(place.url)
    assert [one.outcome for one in taking.look()] == ["accepted"]
    (item,) = inbox.store.taken_in(taking._place)
    judge = Judge(inbox.settings(), inbox.wsdl)
    (row,) = accepted(inbox)
    from soapsvc.records import Arrival
    from soapsvc.spool import Content, Spool

    assert row.origin is not None
    arrival = Arrival(inbox.clock(), row.source_ip, (), replace(row.origin, name="b.csv"))
    with Spool(inbox.store.spool_directory) as spool:
        judged = DropReader(inbox.settings(), judge).file(Content.of(b"other"), None, arrival, spool)
        assert judged.accepted is not None
        with pytest.raises(AlreadyTakenIn):
            inbox.store.take_in(judged.accepted, judged.verdict, TakenIn(taking._place, item))
    assert len(accepted(inbox)) == 1


def test_what_lies_there_no_more_is_forgotten(inbox: Inbox, place: Place) -> None:
    place.drop("a.csv", REPORT)
    taking = inbox.intake(place.url)
    list(taking.look())
    assert len(inbox.store.taken_in(taking._place)) == 1
    (place.folder / "a.csv").unlink()
    list(taking.look())
    assert inbox.store.taken_in(taking._place) == {}


def test_what_is_larger_than_the_quarantine_is_told_once(inbox: Inbox, place: Place) -> None:
    place.drop("bad.envelope.xml", b"<" + b"x" * 5_000_000)
    (refused,) = inbox.look(place.url, max_name_chars=10_000_000)
    assert (refused.outcome, refused.push_id) == ("not kept", None)
    assert inbox.look(place.url) == []
