"""/api/v1: what programs read of the inbox."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import replace
from datetime import timedelta
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from flask.testing import FlaskClient

from soapsvc.inbox.indexer import Indexer
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.records import Conformance, Deviation, JobId, Property, Verdict
from soapsvc.rules import RULES
from soapsvc.settings import OwnSettings
from soapsvc.shipped import SAMPLES
from soapsvc.spool import Content, Spool
from soapsvc.web.admin_app import admin_app
from soapsvc.web.desk import Desk
from tests.inbox.making import MIB, NOON, REFUSED, STRICT, arrival, document_of, push, refused, spooled
from tests.web.looking import CONTRACT, client_of

HOSTILE_NAMES = [
    "../../etc/passwd",
    "..\\..\\windows\\system32\\cmd.exe",
    "/etc/passwd",
    "C:\\autoexec.bat",
    'a"; filename="evil.exe',
    "a\r\nSet-Cookie: x=1.csv",
    "a\nb.csv",
    "tab\there.csv",
    "Grüße aus Łódź 报告.csv",
    "right\u202eto-left.csv",
    "percent%2e%2e%2f.csv",
    "50% off;x=1.csv",
    "back\\slash.csv",
    ".htaccess",
    "..",
    "...",
    "/",
    " ",
    "\x7f",
    "a" * 5000 + ".csv",
    "报" * 300 + ".csv",
    "<script>alert(1)</script>.html",
    "\ud800.csv",
]


def pushed(store: SqlStore, mrn: int = 1000001, seconds: float = 0, document: bytes = b"a,b\n") -> str:
    return store.accept(push(mrn, document, arrival=arrival(seconds)), STRICT).id


def with_document(store: SqlStore, content: bytes | Content, **described: str | None) -> str:
    return store.accept(push(documents=(document_of(content, **described),)), STRICT).id


def said_name(disposition: str) -> tuple[str, str]:
    """The two names that a Content-Disposition gives: for old browsers, and for all others."""
    header = Message()
    header["Content-Disposition"] = disposition
    assert header.get_content_disposition() == "attachment"
    extended = re.fullmatch(r"attachment; filename=\"[^\"\\]*\"; filename\*=UTF-8''([\w.~%-]+)", disposition, re.ASCII)
    assert extended, disposition
    (plain,) = re.findall(r'filename="([^"]*)"', disposition)
    return plain, unquote(extended[1], errors="strict")


# The list ------------------------------------------------------------------------------------------------------------


def test_an_empty_inbox_lists_nothing(client: FlaskClient) -> None:
    assert client.get("/api/v1/pushes").json == {"pushes": [], "next": None}


def test_the_newest_push_comes_first(client: FlaskClient, store: SqlStore) -> None:
    ids = [pushed(store, mrn, seconds) for mrn, seconds in ((1, 0), (2, 20), (3, 10))]
    listed = [row["id"] for row in client.get("/api/v1/pushes").json["pushes"]]
    assert listed == [ids[1], ids[2], ids[0]]


def test_a_row_says_what_came_from_whom_and_when(client: FlaskClient, store: SqlStore) -> None:
    pushed(store)
    (row,) = client.get("/api/v1/pushes").json["pushes"]
    assert row["job"] == {"xdn": "test2", "mrn": "1000001"}
    assert (row["state"], row["kind"], row["source_ip"]) == ("accepted", "report", "192.0.2.7")
    assert row["received_at"] == "2026-11-23T12:00:00Z"
    assert row["properties"]["Subject"] == "Delivery report - job 1000001"
    assert [(one["n"], one["filename"], one["size_bytes"]) for one in row["documents"]] == [
        (1, "report_1000001.csv", 4)
    ]


def test_a_list_is_as_long_as_asked_and_says_where_it_goes_on(client: FlaskClient, store: SqlStore) -> None:
    ids = [pushed(store, mrn, mrn) for mrn in range(5)][::-1]
    seen, url = [], "/api/v1/pushes?limit=2"
    while url:
        answer = client.get(url).json
        seen.append([row["id"] for row in answer["pushes"]])
        url = f"/api/v1/pushes?limit=2&before={answer['next']}" if answer["next"] else ""
    assert seen == [ids[0:2], ids[2:4], ids[4:]]


def test_the_last_page_says_that_it_is_the_last_even_when_it_is_full(client: FlaskClient, store: SqlStore) -> None:
    for mrn in range(4):
        pushed(store, mrn, mrn)
    first = client.get("/api/v1/pushes?limit=2").json
    last = client.get(f"/api/v1/pushes?limit=2&before={first['next']}").json
    assert (len(last["pushes"]), last["next"]) == (2, None)


def test_fifty_rows_come_unless_told(client: FlaskClient, store: SqlStore) -> None:
    for mrn in range(51):
        pushed(store, mrn, mrn)
    answer = client.get("/api/v1/pushes").json
    assert (len(answer["pushes"]), answer["next"]) == (50, answer["pushes"][-1]["id"])
    assert len(client.get("/api/v1/pushes?limit=1000").json["pushes"]) == 51


@pytest.mark.parametrize("state", ["accepted", "quarantined"])
def test_a_state_alone_is_listed_when_asked_for(client: FlaskClient, store: SqlStore, state: str) -> None:
    ids = {"accepted": pushed(store), "quarantined": store.quarantine(refused(b"<junk/>"))}
    assert [row["id"] for row in client.get(f"/api/v1/pushes?state={state}").json["pushes"]] == [ids[state]]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("limit=0", "limit is '0'; wanted: a number from 1 to 1000"),
        ("limit=1001", "limit is '1001'; wanted: a number from 1 to 1000"),
        ("limit=-1", "limit is '-1'; wanted: a number from 1 to 1000"),
        ("limit=", "limit is ''; wanted: a number from 1 to 1000"),
        ("limit=ten", "limit is 'ten'; wanted: a number from 1 to 1000"),
        ("limit=1.5", "limit is '1.5'; wanted: a number from 1 to 1000"),
        ("limit=%C2%B2", "limit is '²'; wanted: a number from 1 to 1000"),
        ("limit=%D9%A3", "limit is '٣'; wanted: a number from 1 to 1000"),
        ("limit=" + "9" * 5000, "wanted: a number from 1 to 1000"),
        ("state=open", "state is 'open'; wanted: accepted or quarantined"),
        ("kind=email", "kind is 'email'; wanted: report, fax, cdr or other"),
        ("source=here", "source is 'here'; wanted: an address or a range, such as 192.0.2.7 or 192.0.2.0/24"),
        ("deviating=maybe", "deviating is 'maybe'; wanted: yes or no"),
        (
            "since=yesterday",
            "since is 'yesterday'; wanted: a day or a moment, such as 2026-11-23 or 2026-11-23T12:00:00Z",
        ),
        ("rule=X-1", "rule is 'X-1'; wanted: one of docs/rules.md"),
        ("state=Accepted", "state is 'Accepted'; wanted: accepted or quarantined"),
        ("before=1", "before is '1'; wanted: the id of a push"),
        ("before=%00", "wanted: the id of a push"),
        ("before=' OR 1=1 --", "wanted: the id of a push"),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/pushes", "/"])
def test_a_query_value_that_there_is_not_is_answered_with_what_was_wanted(
    client: FlaskClient, path: str, query: str, wanted: str
) -> None:
    answer = client.get(f"{path}?{query}")
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert answer.json["status"] == 400
    assert wanted in answer.json["detail"]


@pytest.mark.parametrize("query", ["state=", "kind=", "source=", "since=", "rule=", "deviating=", "before="])
def test_an_empty_value_is_a_mistake_of_a_program_and_an_empty_field_of_a_form(client: FlaskClient, query: str) -> None:
    assert client.get(f"/api/v1/pushes?{query}").status_code == 400
    assert client.get(f"/?{query}").status_code == 200


# One push ------------------------------------------------------------------------------------------------------------


def test_an_accepted_push_is_told_in_full(client: FlaskClient, store: SqlStore) -> None:
    sent = push()
    push_id = store.accept(sent, STRICT).id
    told = client.get(f"/api/v1/pushes/{push_id}").json
    assert (told["id"], told["submit_id"], told["status_code"]) == (push_id, "S1000001", "0")
    assert told["verdict"] == {
        "at": "2026-11-23T12:00:00Z", "conformance": "strict", "contract_sha256": "c" * 64, "accepted": True,
        "deviations": [], "refused_for": [],
    }  # fmt: skip
    assert told["history"] == []
    assert told["raw_sha256"] == sent.raw.sha256
    assert told["property_list"][1] == {
        "name": "StartTime", "sent_name": "StartTime", "segment": "Default", "value": "2012-11-04T13:05:45Z",
        "at": "2012-11-04T13:05:45Z", "b64charset": None,
    }  # fmt: skip
    assert told["http_headers"] == [
        ["Content-Type", "text/xml"], ["Authorization", "***"], ["X-Twice", "1"], ["X-Twice", "2"],
    ]  # fmt: skip


def test_a_push_that_came_out_of_quarantine_tells_why_it_was_there(client: FlaskClient, store: SqlStore) -> None:
    push_id = str(store.quarantine(refused(push().raw.inline or b"", read=push())))
    store.accept_kept(push_id, push(), STRICT)
    told = client.get(f"/api/v1/pushes/{push_id}").json
    assert (told["state"], told["received_at"]) == ("accepted", "2026-11-23T12:00:00Z")
    assert told["verdict"]["at"] > told["received_at"]
    (earlier,) = told["history"]
    assert (earlier["at"], earlier["conformance"]) == ("2026-11-23T12:00:00Z", "strict")
    assert [deviation["rule"] for deviation in earlier["refused_for"]] == ["XSD-001"]


def test_a_redelivery_is_told_with_its_arrival(client: FlaskClient, store: SqlStore) -> None:
    sent = push()
    push_id = store.accept(sent, STRICT).id
    store.accept(replace(sent, arrival=arrival(90, "198.51.100.9")), STRICT)
    told = client.get(f"/api/v1/pushes/{push_id}").json
    assert told["redeliveries"] == 1
    assert told["arrivals"] == [{"received_at": "2026-11-23T12:01:30Z", "source_ip": "198.51.100.9"}]


def test_a_conflict_names_the_push_that_was_first(client: FlaskClient, store: SqlStore) -> None:
    first, second = pushed(store), pushed(store, seconds=5, document=b"other,content\n")
    assert client.get(f"/api/v1/pushes/{second}").json["conflict_of"] == first
    assert client.get(f"/api/v1/pushes/{first}").json["conflict_of"] is None


def test_a_quarantined_push_is_told_with_what_it_was_refused_for(client: FlaskClient, store: SqlStore) -> None:
    push_id = store.quarantine(refused(b"<Envelope/>", read=push(job=JobId("test2", "44a"))))
    told = client.get(f"/api/v1/pushes/{push_id}").json
    assert (told["state"], told["verdict"]["accepted"], told["job"]["mrn"]) == ("quarantined", False, "44a")
    (deviation,) = told["verdict"]["refused_for"]
    assert deviation == {
        "rule": "XSD-001", "path": "/soapenv:Envelope/soapenv:Body", "line": 7, "found": "MRN reads 44a",
        "wanted": "digits", "mark": "SIBLING",
    }  # fmt: skip


def test_input_that_could_not_be_read_is_told_too(client: FlaskClient, store: SqlStore) -> None:
    push_id = store.quarantine(refused(b"\0\xff not XML"))
    told = client.get(f"/api/v1/pushes/{push_id}").json
    assert (told["state"], told["kind"], told["job"], told["documents"]) == ("quarantined", "other", None, [])


@pytest.mark.parametrize("push_id", ["00000000000000000000", "1", "x" * 3000, "%00", "..%2f..", "%ff", "' OR 1=1 --"])
@pytest.mark.parametrize("path", ["/api/v1/pushes/{}", "/api/v1/pushes/{}/raw", "/api/v1/pushes/{}/documents/1"])
def test_an_id_that_nothing_has_is_not_found(client: FlaskClient, store: SqlStore, path: str, push_id: str) -> None:
    pushed(store)
    answer = client.get(path.format(push_id))
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert answer.json["detail"]


def test_an_unknown_id_is_named_in_the_answer(client: FlaskClient) -> None:
    detail = client.get("/api/v1/pushes/0123456789abcdefghjk").json["detail"]
    assert detail == "No push with the id 0123456789abcdefghjk is stored."


# Documents -----------------------------------------------------------------------------------------------------------


def test_a_document_comes_back_bit_for_bit(client: FlaskClient, store: SqlStore) -> None:
    content = bytes(range(256)) * 100
    push_id = with_document(store, content, filename="all bytes.bin")
    answer = client.get(f"/api/v1/pushes/{push_id}/documents/1")
    assert answer.data == content
    assert answer.headers["Content-Length"] == str(len(content))
    (told,) = client.get(f"/api/v1/pushes/{push_id}").json["documents"]
    assert told["sha256"] == hashlib.sha256(answer.data).hexdigest()


def test_an_empty_document_comes_back_empty(client: FlaskClient, store: SqlStore) -> None:
    answer = client.get(f"/api/v1/pushes/{with_document(store, b'')}/documents/1")
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")


def test_a_large_document_comes_in_pieces(client: FlaskClient, store: SqlStore) -> None:
    piece = os.urandom(MIB)
    with Spool(store.spool_directory) as spool:
        push_id = with_document(store, spooled(spool, [piece] * 5))
    with client.get(f"/api/v1/pushes/{push_id}/documents/1", buffered=False) as answer:
        assert answer.headers["Content-Length"] == str(5 * MIB)
        pieces = list(answer.response)
    assert max(len(one) for one in pieces) <= 256 * 1024
    assert b"".join(pieces) == piece * 5


def test_a_large_document_is_let_go_of_when_nobody_reads_on(client: FlaskClient, store: SqlStore) -> None:
    with Spool(store.spool_directory) as spool:
        push_id = with_document(store, spooled(spool, [b"x" * MIB]))
    url = f"/api/v1/pushes/{push_id}/documents/1"
    before = open_files()
    head = client.head(url, buffered=False)
    head.close()
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(MIB))
    broken_off = client.get(url, buffered=False)
    next(iter(broken_off.response))
    broken_off.close()
    known = client.get(url, headers={"If-None-Match": head.headers["ETag"]}, buffered=False)
    known.close()
    assert (known.status_code, known.data) == (304, b"")
    assert open_files() == before


def open_files() -> set[str]:
    """Files of an inbox that this process has open."""
    return {str(Path(f"/dev/fd/{fd}").resolve()) for fd in os.listdir("/dev/fd") if Path(f"/dev/fd/{fd}").is_file()}


@pytest.mark.parametrize(
    "content", [b"<html><script>alert(1)</script>", b"<svg onload='alert(1)'/>", b"%PDF-1.4", b"GIF89a", b"<?xml?>"]
)
@pytest.mark.parametrize("what", ["documents/1", "raw"])
def test_what_a_sender_chose_is_never_shown_nor_run_by_a_browser(
    client: FlaskClient, store: SqlStore, content: bytes, what: str
) -> None:
    document = document_of(content, filename="page.html", doctype="HTML", detected_type="text/html")
    push_id = store.accept(push(raw=Content.of(content), documents=(document,)), STRICT).id
    answer = client.get(f"/api/v1/pushes/{push_id}/{what}")
    assert answer.data == content
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox;")


@pytest.mark.parametrize("filename", HOSTILE_NAMES, ids=lambda name: ascii(name)[:30])
def test_a_document_is_offered_under_a_name_that_harms_nobody(
    client: FlaskClient, store: SqlStore, filename: str
) -> None:
    if "\ud800" in filename:
        filename = filename.encode("utf-8", "replace").decode()  # no XML parser hands over half a character
    answer = client.get(f"/api/v1/pushes/{with_document(store, b'x', filename=filename)}/documents/1")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    for name in said_name(answer.headers["Content-Disposition"]):
        assert name
        assert name.isprintable()
        assert not set(name) & set("/\\\r\n")
        assert not name.startswith(".")
        assert len(name.encode()) <= 255


@pytest.mark.parametrize(
    ("filename", "plain", "full"),
    [
        ("report_1000001.csv", "report_1000001.csv", "report_1000001.csv"),
        ("../../etc/passwd", "passwd", "passwd"),
        ("Grüße.csv", "Gr__e.csv", "Grüße.csv"),
        ("cover note.txt", "cover note.txt", "cover note.txt"),
        ("a\r\nb.csv", "a__b.csv", "a__b.csv"),
        ("a" * 5000 + ".csv", "a" * 196 + ".csv", "a" * 196 + ".csv"),
        ("..", "document", "document"),
    ],
)
def test_as_much_of_a_name_is_kept_as_can_be(
    client: FlaskClient, store: SqlStore, filename: str, plain: str, full: str
) -> None:
    answer = client.get(f"/api/v1/pushes/{with_document(store, b'x', filename=filename)}/documents/1")
    assert said_name(answer.headers["Content-Disposition"]) == (plain, full)


def test_a_document_without_a_name_is_called_after_its_push(client: FlaskClient, store: SqlStore) -> None:
    push_id = with_document(store, b"x", filename=None)
    answer = client.get(f"/api/v1/pushes/{push_id}/documents/1")
    assert said_name(answer.headers["Content-Disposition"])[0] == f"{push_id}-1"


@pytest.mark.parametrize("n", ["0", "2", "01", "-1", "one", "9" * 30, "9" * 5000, "1.0", "%D9%A1"])
def test_a_document_that_a_push_has_not_is_not_found(client: FlaskClient, store: SqlStore, n: str) -> None:
    answer = client.get(f"/api/v1/pushes/{pushed(store)}/documents/{n}")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_of_a_quarantined_push_the_raw_envelope_is_there_and_no_document(client: FlaskClient, store: SqlStore) -> None:
    raw = b"<Envelope>\0\xff</Envelope>"
    push_id = store.quarantine(refused(raw, read=push()))
    assert client.get(f"/api/v1/pushes/{push_id}/raw").data == raw
    answer = client.get(f"/api/v1/pushes/{push_id}/documents/1")
    assert answer.status_code == 404
    assert "quarantine keeps the raw envelope alone" in answer.json["detail"]


def test_a_document_whose_file_is_gone_is_an_error_in_words(
    client: FlaskClient, store: SqlStore, inbox_file: Path
) -> None:
    with Spool(store.spool_directory) as spool:
        push_id = with_document(store, spooled(spool, [b"x" * MIB]))
    for file in Path(f"{inbox_file}.files").rglob("*"):
        if file.is_file():
            file.unlink()
    answer = client.get(f"/api/v1/pushes/{push_id}/documents/1")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert answer.json["detail"] == f"Document 1 of push {push_id} is missing on disk."


def test_the_figures_of_the_inbox_are_there(client: FlaskClient, store: SqlStore) -> None:
    pushed(store)
    store.quarantine(refused(b"<junk/>"))
    figures = client.get("/api/v1/stats").json
    assert (figures["accepted"], figures["quarantined"], figures["documents"]) == (1, 1, 1)


def test_properties_with_the_same_name_are_all_there_in_their_order(client: FlaskClient, store: SqlStore) -> None:
    values = ("first", "", "<third>")
    properties = tuple(Property("Note", "Note", None, value) for value in values)
    push_id = store.accept(push(properties=properties), REFUSED).id
    told = client.get(f"/api/v1/pushes/{push_id}").json
    assert [one["value"] for one in told["property_list"]] == list(values)


# What the pages are made of -------------------------------------------------------------------------------------------


def test_a_preview_is_the_table_its_outcomes_text_or_the_number_of_pages(client: FlaskClient, store: SqlStore) -> None:
    csv, text, unknown = b"job,status\n2,Busy\n1,Sent\n3,Sent\n", "Grüße\nzwei".encode(), b"\0\1"
    fax = (SAMPLES / "sampleFax.xml").read_bytes()
    documents = (
        document_of(csv), document_of(text, 2, detected_type="text/plain"),
        document_of(unknown, 3, detected_type=None), document_of(fax, 4, detected_type="application/pdf"),
    )  # fmt: skip
    push_id = store.accept(push(documents=documents), STRICT).id

    def told(n: int, query: str = "") -> dict[str, Any]:
        answer = client.get(f"/api/v1/pushes/{push_id}/documents/{n}/preview{query}")
        assert answer.status_code == 200
        return answer.json  # type: ignore[no-any-return]

    assert told(1)["table"] == {
        "head": ["job", "status"], "rows": [["2", "Busy"], ["1", "Sent"], ["3", "Sent"]], "sorted_by": 0,
    }  # fmt: skip
    assert told(1)["outcomes"] == {
        "column": "status", "rows": 3, "whole": True,
        "counts": [{"value": "Sent", "rows": 2}, {"value": "Busy", "rows": 1}],
    }  # fmt: skip
    assert [row[0] for row in told(1, "?sort=-1")["table"]["rows"]] == ["3", "2", "1"]
    assert (told(2)["lines"], told(2)["table"], told(2)["cut"]) == (["Grüße", "zwei"], None, False)
    assert told(3)["sentence"] == "Nothing of a document of this type can be shown."
    assert (told(4)["pages"], told(4)["sentence"] != "") == (0, True), "what is no PDF cannot be drawn"
    for sort in ("x", "1000", "--1", ""):
        assert client.get(f"/api/v1/pushes/{push_id}/documents/1/preview?sort={sort}").status_code == 400


def test_the_lines_around_a_deviation_are_told_with_their_numbers(client: FlaskClient, store: SqlStore) -> None:
    raw = b"".join(b"<line n='%d'>\n" % n for n in range(1, 4001))
    found = Verdict(Conformance.STRICT, "c0ffee" * 10 + "0000", (Deviation("XML-003", "", 3000, "f", "w"),))
    push_id = store.quarantine(replace(refused(raw), verdict=found))
    told = client.get(f"/api/v1/pushes/{push_id}/raw/lines").json
    by_number = {line["n"]: line for line in told["lines"]}
    assert {2998, 2999, 3000, 3001, 3002} <= set(by_number)
    assert by_number[3000]["text"] == "<line n='3000'>"
    assert [n for n, line in by_number.items() if line["gap"]] == [2997]
    indented = client.get(f"/api/v1/pushes/{push_id}/raw/lines?view=pretty").json
    assert (indented["view"], indented["sentence"][:12]) == ("raw", "Not indented")


def test_bytes_are_told_from_one_end_to_the_other(client: FlaskClient, store: SqlStore) -> None:
    push_id, raw, at = store.quarantine(refused(b"0123456789abcdef" * 600)), b"", 0
    while at is not None:
        told = client.get(f"/api/v1/pushes/{push_id}/raw/lines?view=hex&offset={at}").json
        assert told["offset"] == at
        raw += b"".join(bytes.fromhex(line["text"][10:57]) for line in told["lines"])
        before, at = told["previous"], told["next"]
    assert raw == b"0123456789abcdef" * 600
    assert before == 4096


def test_the_rules_the_service_and_what_stays_are_told(store: SqlStore) -> None:
    settings = {"public_url": "https://push.example.com/push", "retention": {"accepted": {"days": 90.0}}}
    client = client_of(store, **settings)
    rules = {one["id"]: one for one in client.get("/api/v1/rules").json["rules"]}
    assert list(rules) == list(RULES)
    assert rules["PAY-001"]["sentence"] == RULES["PAY-001"].sentence
    assert (rules["HTTP-005"]["http_status"], rules["HTTP-005"]["severity"]) == (413, "fatal")
    assert client.get("/api/v1/service").json == {
        "push_url": "https://push.example.com/push", "wsdl_url": "https://push.example.com/push?wsdl",
        "searches": False, "keeps_exchanges": False, "judges_again": False,
    }  # fmt: skip
    assert client.get("/api/v1/retention").json == {
        "accepted": {"days": 90.0, "count": None, "bytes": None},
        "quarantined": {"days": None, "count": None, "bytes": None},
        "sentence": "What stays: accepted: 90 days. What is held, or not delivered, stays in any case.",
    }
    assert client.get("/api/v1/facets").status_code == 503, "there is no index to ask"


def test_the_columns_of_the_charts_are_told(store: SqlStore) -> None:
    pushed(store, 1), pushed(store, 2)
    store.quarantine(refused(b"<junk/>"))
    index = store.search_index()
    Indexer(store, index, 1000).catch_up()
    desk = Desk(index, clock=lambda: NOON + timedelta(hours=2))
    client = admin_app(OwnSettings(), store, CONTRACT, desk).test_client()
    by_hour, by_day = (client.get(f"/api/v1/overview?days={days}").json for days in (1, 7))
    assert (by_hour["slot_hours"], len(by_hour["slots"])) == (1, 24)
    assert (by_day["slot_hours"], len(by_day["slots"])) == (24, 7)
    for told in (by_hour, by_day):
        assert sum(slot["accepted"] for slot in told["slots"]) == 2
        assert sum(slot["quarantined"] for slot in told["slots"]) == 1
    assert by_hour["slots"][-3]["began_at"] == "2026-11-23T12:00:00Z"
    assert by_hour["slots"][-3]["acknowledgement"]["pushes"] == 0, "no exchanges are kept here"
    assert client.get("/api/v1/facets").json == {"accounts": [], "sources": ["192.0.2.7"]}
