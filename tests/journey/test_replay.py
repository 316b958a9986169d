"""Every sample over a real connection, by zeep and as raw bytes: acknowledged by the contract, stored as expected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import zeep
from lxml import etree

from soapsvc.namespaces import SOAP11_ENVELOPE
from soapsvc.sender.push_client import PushClient
from soapsvc.shipped import SAMPLES
from tests.pushing import TEXT_XML, Service, get, post, running_service
from tests.wsdl_schema import payload_schemas

SAMPLE_FILES = sorted(SAMPLES.glob("*.xml"))
REFUSED = {"badBase64": "Client", "badNumber": "Client", "dtd": "Client", "mustUnderstand": "MustUnderstand",
           "soap12": "VersionMismatch"}  # fmt: skip
NOW = "2012-11-04T13:05:45Z"
VENDOR = "http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Service]]:
    """A receiver for each way, because the second arrival of a sample would be a redelivery."""
    with (
        running_service(tmp_path_factory.mktemp("raw")) as raw,
        running_service(tmp_path_factory.mktemp("zeep")) as by_zeep,
    ):
        yield {"raw": raw, "zeep": by_zeep}


def sent(way: str, url: str, sample: Path) -> bytes:
    """The answer's bytes, after HTTP 200."""
    if way == "zeep":
        return PushClient(url).replay(sample.read_bytes()).raw
    answer = post(url, sample.read_bytes(), TEXT_XML)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    return answer.body


def newest(service: Service) -> dict:
    (listed,) = json.loads(get(f"{service.admin_url}/api/v1/pushes?limit=1").body)["pushes"]
    return json.loads(get(f"{service.admin_url}/api/v1/pushes/{listed['id']}").body)


def as_expected(push: dict) -> dict:
    """What is stored, in the shape of the expectations."""
    properties_of = push["document_properties"]
    return {
        **{name: push[name] for name in ("kind", "job", "submit_id", "status_code", "processing_id")},
        "properties": push["property_list"],
        "documents": [
            {
                **{name: document[name] for name in (
                    "n", "filename", "doctype", "charset", "detected_type", "encoding", "size_bytes", "sha256")},
                "properties": properties_of.get(str(document["n"]), []),
            }
            for document in push["documents"]
        ],
    }  # fmt: skip


@pytest.mark.parametrize("way", ["raw", "zeep"])
@pytest.mark.parametrize("sample", SAMPLE_FILES, ids=lambda sample: sample.stem)
def test_a_sample_is_acknowledged_by_the_contract_and_stored_as_expected(
    services: dict[str, Service], way: str, sample: Path
) -> None:
    service = services[way]
    expected = json.loads(sample.with_suffix(".expected.json").read_text())
    acknowledgement = sent(way, service.url, sample)

    (body,) = etree.fromstring(acknowledgement)
    (answer,) = body
    assert payload_schemas()[VENDOR].validate(answer), payload_schemas()[VENDOR].error_log
    assert answer.findtext(f".//{{{VENDOR}}}StatusCode") == "0"
    assert answer.findtext(f"{{{VENDOR}}}SubmitId") == expected["submit_id"]

    push = newest(service)
    assert (push["state"], push["deviations"], push["redeliveries"]) == ("accepted", 0, 0)
    assert as_expected(push) == expected
    for document in push["documents"]:
        (decoded,) = (SAMPLES / "decoded").glob(f"{sample.stem}.{document['n']}.*")
        url = f"{service.admin_url}/api/v1/pushes/{push['id']}/documents/{document['n']}"
        assert get(url).body == decoded.read_bytes()


@pytest.mark.parametrize("name", REFUSED)
def test_a_message_that_breaks_a_rule_gets_its_fault_and_is_kept(services: dict[str, Service], name: str) -> None:
    sample = SAMPLES / "refused" / f"{name}.xml"
    answer = post(services["raw"].url, sample.read_bytes(), TEXT_XML)
    assert answer.status == 500
    (fault,) = etree.fromstring(answer.body).find(f"{{{SOAP11_ENVELOPE}}}Body")
    assert fault.findtext("faultcode").rpartition(":")[2] == REFUSED[name]
    assert newest(services["raw"])["state"] == "quarantined"


def test_a_client_that_zeep_makes_of_the_served_wsdl_is_acknowledged(services: dict[str, Service]) -> None:
    """What an integrator does: read the WSDL from the receiver, call its operation at the address it names."""
    service = services["zeep"]
    client = zeep.Client(f"{service.url}?wsdl")
    (wsdl_service,) = client.wsdl.services.values()
    (port,) = wsdl_service.ports.values()
    assert port.binding_options["address"] == service.url
    header = client.get_element("{http://premconn.premiereconnect.com/2007/02}Response")
    answer = client.bind(wsdl_service.name, port.name).JobDocumentTransmitResult(
        Status={"StatusCode": 0, "StatusMessage": "OK", "SubmissionTime": NOW, "CompletionTime": NOW},
        JobDocumentData={
            "JobId": {"XDN": "test2", "MRN": 424242},
            "Document": [{"DocType": "text", "Filename": "a.txt", "DocData": {"_value_1": "QQ==", "format": "base64"}}],
        },
        _soapheaders=[header(SenderKey="s", ReceiverKey="r", ProcessingID="p")],
    )
    assert answer.Status.StatusCode == 0
    assert newest(service)["job"] == {"xdn": "test2", "mrn": "424242"}
