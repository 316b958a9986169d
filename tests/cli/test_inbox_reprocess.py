"""`soapsvc inbox reprocess` as a program of its own: what was refused is judged once more, by today's settings."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from soapsvc.records import PushState
from soapsvc.shipped import WSDL_FILE
from tests.cli.conftest import REPORT, Inbox
from tests.commands import soapsvc
from tests.pushing import envelope, listed

UTF_8 = "text/xml; charset=utf-8"
WITH_EXTRA = envelope(42, REPORT).replace(b"<DocType>", b"<Extra/><DocType>")  # refused unless under observe


def reprocess(inbox: Inbox, *words: str) -> CompletedProcess[str]:
    return soapsvc("inbox", "reprocess", *words, "--inbox", inbox.url)


def shown(inbox: Inbox, push_id: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(soapsvc("inbox", "show", push_id, "--json", "--inbox", inbox.url).stdout)
    return told


def test_what_passes_now_is_accepted_under_its_id_with_its_first_time(inbox: Inbox) -> None:
    push_id = inbox.refuse(envelope(42, REPORT), UTF_8)
    done = reprocess(inbox, push_id[-6:])
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{push_id} accepted\n", "")
    (push,) = listed(inbox.url)
    assert (push["id"], push["state"], push["received_at"]) == (push_id, "accepted", "2026-11-23T08:00:01Z")
    assert push["job"] == {"xdn": "test2", "mrn": "42"}
    assert soapsvc("inbox", "get", push_id, "--inbox", inbox.url).stdout.encode() == REPORT.replace(b"\r\n", b"\n")
    page = soapsvc("inbox", "show", push_id, "--inbox", inbox.url).stdout
    assert f"earlier verdict: 2026-11-23 08:00:01Z strict, by the contract {'cd' * 32}" in page
    assert page.index("XSD-001") > page.index("earlier verdict")
    assert inbox.store.stats().quarantine_bytes == 0


def test_what_is_still_refused_stays_by_todays_verdict_and_is_exit_1(inbox: Inbox) -> None:
    passing, refused = inbox.refuse(envelope(1), UTF_8), inbox.refuse(WITH_EXTRA, UTF_8)
    done = reprocess(inbox, refused, passing)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [f"{refused} still refused (XSD-004)", f"{passing} accepted"]
    told = shown(inbox, refused)
    assert (told["state"], told["job"]["mrn"]) == ("quarantined", "42")
    assert [one["rule"] for one in told["verdict"]["refused_for"]] == ["XSD-004"]
    assert [(one["at"], one["contract_sha256"]) for one in told["history"]] == [("2026-11-23T08:00:02Z", "cd" * 32)]
    reprocess(inbox, refused)
    assert shown(inbox, refused) == told


def test_the_degree_is_that_of_the_flag_and_of_the_source(inbox: Inbox, tmp_path: Path) -> None:
    first, second = (inbox.refuse(WITH_EXTRA.replace(b"42", b"%d" % mrn), UTF_8) for mrn in (43, 44))
    assert reprocess(inbox, first, "--conformance", "observe").stdout == f"{first} accepted\n"
    config = tmp_path / "settings.toml"
    config.write_text('[conformance_by_source]\n"192.0.2.0/24" = "observe"\n')
    assert reprocess(inbox, second, "--config", str(config)).stdout == f"{second} accepted\n"
    told = shown(inbox, second)["verdict"]
    assert (told["conformance"], told["refused_for"]) == ("observe", [])
    assert [one["rule"] for one in told["deviations"]] == ["XSD-004"]


def test_the_contract_is_that_of_the_flag(inbox: Inbox, tmp_path: Path) -> None:
    wsdl = tmp_path / "vendor.wsdl"
    wsdl.write_text(WSDL_FILE.read_text().replace('name="MRN" type="xs:integer"', 'name="MRN" type="xs:string"'))
    push_id = inbox.refuse(envelope(42).replace(b"<MRN>42<", b"<MRN>4x2<"), UTF_8)
    assert reprocess(inbox, push_id).returncode == 1
    assert reprocess(inbox, push_id, "--wsdl", str(wsdl)).stdout == f"{push_id} accepted\n"
    told = shown(inbox, push_id)
    contracts = [one["contract_sha256"] for one in (*told["history"], told["verdict"])]
    assert len(set(contracts)) == 3


def test_the_oldest_is_judged_first_and_each_as_if_it_came_in(inbox: Inbox) -> None:
    stored = inbox.refuse(envelope(1), UTF_8)
    same = inbox.refuse(envelope(1).replace(b"\n", b"\r\n"), UTF_8)
    other = inbox.refuse(envelope(1, b"other content"), UTF_8)
    refused = inbox.refuse(b"<broken", UTF_8)
    done = reprocess(inbox, "--quarantined")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{stored} accepted", f"{same} redelivery of {stored}", f"{other} conflict with {stored}",
        f"{refused} still refused (XML-003)",
    ]  # fmt: skip
    assert [push["id"] for push in listed(inbox.url)] == [refused, other, stored]
    assert shown(inbox, stored)["arrivals"] == [{"received_at": "2026-11-23T08:00:02Z", "source_ip": "192.0.2.7"}]


def test_json_gives_an_object_a_line(inbox: Inbox) -> None:
    stored, same = inbox.refuse(envelope(1), UTF_8), inbox.refuse(envelope(1), UTF_8)
    refused = inbox.refuse(WITH_EXTRA, UTF_8)
    done = reprocess(inbox, "--quarantined", "--json")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"id": stored, "outcome": "accepted", "of": None, "refused_for": []},
        {"id": same, "outcome": "redelivery", "of": stored, "refused_for": []},
        {"id": refused, "outcome": "refused", "of": None, "refused_for": ["XSD-004"]},
    ]


@pytest.mark.parametrize(
    ("content_type", "rule"),
    [("application/soap+xml", "HTTP-010"), ("text/xml; charset=koi8-r", "HTTP-011"), ("text", "HTTP-009")],
)
def test_what_its_media_type_refused_stays_refused_under_every_degree(
    inbox: Inbox, content_type: str, rule: str
) -> None:
    push_id = inbox.refuse(envelope(1), content_type)
    done = reprocess(inbox, push_id, "--conformance", "observe")
    assert (done.returncode, done.stdout) == (1, f"{push_id} still refused ({rule})\n")
    assert inbox.store.open_raw(push_id).read() == envelope(1)


def test_a_charset_that_the_settings_take_now_is_read(inbox: Inbox, tmp_path: Path) -> None:
    sent = envelope(1).replace(b' encoding="UTF-8"', b"").replace(b"Delivery report", "Отчёт".encode("koi8-r"))
    push_id = inbox.refuse(sent, "text/xml; charset=koi8-r")
    config = tmp_path / "settings.toml"
    config.write_text('extra_charsets = ["koi8-r"]\n')
    assert reprocess(inbox, push_id, "--config", str(config)).stdout == f"{push_id} accepted\n"
    assert shown(inbox, push_id)["properties"]["Subject"] == "Отчёт - job 1"


def test_an_id_that_is_unknown_or_not_in_quarantine_is_exit_1_and_judges_none_of_the_others(inbox: Inbox) -> None:
    refused, accepted = inbox.refuse(envelope(1), UTF_8), inbox.accept(inbox.push(2)).id
    done = reprocess(inbox, refused, accepted)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"soapsvc: push {accepted} is not in quarantine: it was accepted\n"
    done = reprocess(inbox, refused, "zzzzzz")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no push has an id that begins or ends with zzzzzz" in done.stderr
    assert [row.id for row in inbox.store.rows(state=PushState.QUARANTINED)] == [refused]


@pytest.mark.parametrize("words", [(), ("1k0z", "--quarantined")])
def test_it_is_either_named_pushes_or_all(inbox: Inbox, words: tuple[str, ...]) -> None:
    done = reprocess(inbox, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "one of the two" in done.stderr


def test_a_push_that_is_named_twice_is_judged_once(inbox: Inbox) -> None:
    push_id = inbox.refuse(envelope(1), UTF_8)
    done = reprocess(inbox, push_id, push_id[-6:])
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{push_id} accepted\n", "")


def test_an_empty_quarantine_says_so(inbox: Inbox) -> None:
    inbox.accept(inbox.push(1))
    done = reprocess(inbox, "--quarantined")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing is in quarantine\n")


def test_an_inbox_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    done = soapsvc("inbox", "reprocess", "--quarantined", "--inbox", f"sqlite:///{tmp_path / 'none.db'}")
    assert (done.returncode, done.stdout) == (3, "")
    assert list(tmp_path.iterdir()) == []
