"""`soapsvc contract learn` on inboxes that a real service filled, and its proposals served to the same messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from soapsvc.shipped import WSDL_FILE
from tests.commands import soapsvc
from tests.pushing import ENVELOPE, listed, post, running_service

OBSERVE = 'conformance = "observe"\n'
HEADER = "http://premconn.premiereconnect.com/2007/02"


def push(mrn: int) -> str:
    return ENVELOPE.format(mrn=mrn, document="UmVwb3J0")


def in_segment(message: str) -> str:
    message = message.replace('Extension name="Default">', 'Extension><Segment name="Default">')
    return message.replace("</JobDocumentDataExtension>", "</Segment></JobDocumentDataExtension>")


def in_header_namespace(message: str) -> str:
    for name in ("StatusCode", "SubmissionTime", "CompletionTime", "XDN", "MRN"):
        message = message.replace(f"<{name}>", f'<h:{name} xmlns:h="{HEADER}">').replace(f"</{name}>", f"</h:{name}>")
    return message


def with_unknowns(message: str) -> str:
    return message.replace("<SubmitId>", "<RemoteId>7</RemoteId><SubmitId>").replace(
        "<Document>", '<Document lang="en">'
    )


def with_text_for_a_number(message: str) -> str:
    return message.replace("<MRN>", "<MRN>A-")


def without_header(message: str) -> str:
    start, end = message.index("<soapenv:Header>"), message.index("</soapenv:Header>")
    return message[:start] + message[end + len("</soapenv:Header>") :]


def of_another_vendor(message: str) -> str:
    for vary in (in_segment, with_unknowns, with_text_for_a_number, without_header, in_header_namespace):
        message = vary(message)
    return message


OUTCOMES = {
    "complexType SegmentType": "contradicted", "complexType JobIdType/element MRN": "contradicted",
    "complexType DocumentType/element Filename": "confirmed",
}  # fmt: skip


def test_the_proposal_takes_under_strict_what_was_observed(tmp_path: Path) -> None:
    messages = [of_another_vendor(push(mrn)).encode() for mrn in (1000001, 1000002)]
    with running_service(tmp_path / "observing", settings=OBSERVE) as observing:
        assert all(post(observing.url, message).acknowledged for message in messages)
    proposal = tmp_path / "proposal.wsdl"
    done = soapsvc("contract", "learn", "--inbox", observing.inbox, "--out", str(proposal), "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    ids = sorted(row["id"] for row in listed(observing.inbox))
    assert (told["pushes"], told["left"], told["left_out"]) == (2, [], 0)
    assert {one["where"]: one["outcome"] for one in told["constructs"]}.items() >= OUTCOMES.items()
    for one in told["constructs"]:
        assert (sorted(one["pushes"]) == ids) is (one["outcome"] != "untouched"), one
        assert bool(one["deviations"]) is (one["outcome"] == "contradicted")
    assert all(sorted(edit["pushes"]) == ids for edit in told["edits"])

    assert soapsvc("contract", "verify", str(proposal)).returncode == 0
    with running_service(tmp_path / "strict", "--wsdl", str(proposal)) as strict:
        for message in messages:
            answer = post(strict.url, message)
            assert answer.acknowledged, answer.body
    again = soapsvc("contract", "learn", "--inbox", strict.inbox, "--wsdl", str(proposal))
    assert again.returncode == 0, again.stdout


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three pushes under strict: one accepted, one with a text for a number, one that is not XML."""
    with running_service(tmp_path_factory.mktemp("receiver")) as service:
        assert post(service.url, push(1000001).encode()).acknowledged
        assert post(service.url, with_text_for_a_number(push(1000002)).encode()).status == 500
        assert post(service.url, b"no XML").status == 500
    return service.inbox


def learn(inbox: str, *words: str) -> Any:
    return soapsvc("contract", "learn", "--inbox", inbox, *words)


def test_quarantined_pushes_are_traffic_and_what_is_not_xml_is_counted(inbox: str) -> None:
    told = json.loads(learn(inbox, "--json").stdout)
    assert set(told) == {"contract", "pushes", "left_out", "constructs", "edits", "left"}
    assert (told["pushes"], told["left_out"]) == (2, 1)
    (edit,) = told["edits"]
    quarantined = {row["id"] for row in listed(inbox) if row["state"] == "quarantined"}
    assert set(edit) == {"where", "line", "what", "rule", "pushes", "count"}
    assert edit["what"] == "type: xs:integer -> xs:string"
    assert set(edit["pushes"]) <= quarantined
    assert 'name="MRN"' in WSDL_FILE.read_text().splitlines()[edit["line"] - 1]


def test_people_get_a_table_and_a_diff_on_stdout(inbox: str) -> None:
    done = learn(inbox)
    assert done.returncode == 1
    row = next(line for line in done.stdout.splitlines() if line.startswith("complexType JobIdType/element MRN"))
    assert row.split()[3:6] == ["241", "SIBLING", "contradicted"]
    for line in (
        f"--- {WSDL_FILE.name}",
        f"+++ {WSDL_FILE.name} (proposed)",
        '-          <xs:element name="MRN" type="xs:integer">',
        '+          <xs:element name="MRN" type="xs:string">',
    ):
        assert line in done.stdout.splitlines()
    assert "2 pushes, 1 edit, all valid by the proposal; 1 left out, which is not XML or not SOAP" in done.stderr


def test_no_file_is_ever_overwritten(inbox: str, tmp_path: Path) -> None:
    there = tmp_path / "there.wsdl"
    there.write_text("mine")
    done = learn(inbox, "--out", str(there))
    assert done.returncode == 2
    assert "exists" in done.stderr
    assert there.read_text() == "mine"


def test_a_place_that_cannot_be_written_is_a_sentence(inbox: str, tmp_path: Path) -> None:
    done = learn(inbox, "--out", str(tmp_path / "no such folder" / "proposal.wsdl"))
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_contract_in_force_takes_needs_no_edit_and_is_exit_0(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        empty = learn(service.inbox, "--out", str(tmp_path / "proposal.wsdl"))
        assert (empty.returncode, empty.stdout) == (0, "")
        assert "nothing to learn from" in empty.stderr
        assert post(service.url, push(1000001).encode()).acknowledged
    done = learn(service.inbox, "--out", str(tmp_path / "proposal.wsdl"))
    assert done.returncode == 0
    assert "needs no edit" in done.stderr
    assert not (tmp_path / "proposal.wsdl").exists()


def test_what_no_edit_mends_is_told_with_its_push(tmp_path: Path) -> None:
    block = push(1000001)[push(1000001).index("<Response") : push(1000001).index("</soapenv:Header>")]
    with running_service(tmp_path) as service:
        assert post(service.url, push(1000001).replace(block, block + block).encode()).status == 500
    done = learn(service.inbox, "--json")
    (row,) = listed(service.inbox)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["edits"] == []
    assert [(one["id"], one["rule"]) for one in told["left"]] == [(row["id"], "XSD-003")]
    assert told["left"][0]["path"].startswith("/soapenv:Envelope/soapenv:Header/Response")
    assert "No edit helps" in learn(service.inbox).stdout
