"""The first day of an integrator: the vendor's own WSDL in place of ours. tests/vendors/moved.wsdl moves the common types
into 2007/02, wraps the properties in Segment, sends a Request header, and answers with another element."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import zeep

from soapsvc.contract.wsdl_document import WsdlDocument
from tests.commands import soapsvc
from tests.pushing import Service, get, running_service

MOVED = Path(__file__).parent.parent / "vendors" / "moved.wsdl"
COMMON = "{http://premconn.premiereconnect.com/2007/02}"
REPORT = b"reference,status\r\nINV-1,Sent\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("vendor"), "--wsdl", str(MOVED)) as running:
        yield running


def test_it_is_served_pushed_to_by_zeep_stored_and_acknowledged(service: Service) -> None:
    client = zeep.Client(f"{service.url}?wsdl")
    header = client.get_element(f"{COMMON}Request")(ReceiverKey=service.url, ProcessingID="P-1")
    answer = client.service.JobDocumentTransmitResult(
        Status={"StatusCode": 0},
        SubmitId="S-7",
        JobDocumentData={
            "JobId": {"XDN": "test2", "MRN": 7},
            "Document": [{
                "DocType": "text", "Filename": "report.csv",
                "DocData": {"_value_1": base64.b64encode(REPORT).decode(), "format": "base64"},
            }],
            "JobDocumentDataExtension": {
                "Segment": [{"name": "Default", "Property": [{"name": "Subject", "_value_1": "Delivery report"}]}],
            },
        },
        _soapheaders=[header],
    )  # fmt: skip
    assert answer.StatusCode == 0
    assert answer.CompletionTime is not None
    (listed,) = json.loads(get(f"{service.admin_url}/api/v1/pushes").body)["pushes"]
    push = json.loads(get(f"{service.admin_url}/api/v1/pushes/{listed['id']}").body)
    assert (push["state"], push["kind"], push["job"], push["submit_id"]) == (
        "accepted", "report", {"xdn": "test2", "mrn": "7"}, "S-7")  # fmt: skip
    assert (push["properties"], push["property_list"][0]["segment"]) == ({"Subject": "Delivery report"}, "Default")
    assert push["processing_id"] == "P-1"
    assert push["verdict"]["contract_sha256"] == WsdlDocument.load(MOVED).sha256
    assert json.loads(get(f"{service.admin_url}/readyz").body)["contract"]["sha256"] == WsdlDocument.load(MOVED).sha256
    assert get(f"{service.admin_url}/api/v1/pushes/{listed['id']}/documents/1").body == REPORT


def test_diff_to_the_shipped_one_names_each_of_the_four() -> None:
    done = soapsvc("contract", "diff", "shipped", str(MOVED), "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["messages"], told["contract"]) == ("breaking", "breaking")
    whats = [f"{one['where']}: {one['what']}" for one in told["differences"]]
    for place, what in (
        ("JobDocumentTransmitResult/Status/StatusCode", "namespace: "),
        ("JobDocumentDataExtension/Segment", "renamed: Property -> Segment"),
        ("input/header", "header block {http://premconn.premiereconnect.com/2007/02}Request bound"),
        (
            "output",
            "answer: {http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10}JobDocumentTransmitResultAck -> ",
        ),
    ):
        assert any(place.split("/")[-1] in where and what in where for where in whats), (place, what, whats)
