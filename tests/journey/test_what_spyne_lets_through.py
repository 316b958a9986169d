"""What Spyne alone answers wrongly to (docs/conformance.md lists it), with the answer that is given here."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from soapsvc.namespaces import SOAP11_ENVELOPE, SOAP12_ENVELOPE
from tests.pushing import TEXT_XML, HttpAnswer, Service, envelope, get, listed, post, running_service

GOOD = envelope()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("inbox")) as running:
        yield running


def edited(old: bytes, new: bytes) -> bytes:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


BODY_CHILD = GOOD[GOOD.index(b"<JobDocumentTransmitResult") : GOOD.index(b"</soapenv:Body>")]
TE = {"Content-Encoding": "gzip"}
MUST = b'<x:Unknown xmlns:x="urn:x" soapenv:mustUnderstand="1"/>'
DTD = b'<!DOCTYPE Envelope [<!ENTITY e "x">]><soapenv:Envelope'
REFUSED: dict[str, tuple[bytes, dict[str, str], int, str, str]] = {
    # what: message, further HTTP headers, status, faultcode ("" for plain text), rule or word in the answer
    "a DTD": (edited(b"<soapenv:Envelope", DTD), {}, 500, "Client", "DOCTYPE"),
    "an unknown mustUnderstand block": (
        edited(b"</soapenv:Header>", MUST + b"</soapenv:Header>"), {}, 500, "MustUnderstand", "Unknown"),
    "two Body children": (edited(b"</soapenv:Body>", BODY_CHILD + b"</soapenv:Body>"), {}, 500, "Client", "Body"),
    "an empty Body": (GOOD.replace(BODY_CHILD, b""), {}, 500, "Client", "Body"),
    "an empty request": (b"", {}, 500, "Client", "empty"),
    "a SOAP 1.2 envelope": (
        GOOD.replace(SOAP11_ENVELOPE.encode(), SOAP12_ENVELOPE.encode()), {}, 500, "VersionMismatch", "SOAP 1.1"),
    "a gzip body": (gzip.compress(GOOD), TE, 415, "", "Content-Encoding"),
    "a gzip body that nobody announced": (gzip.compress(GOOD), {}, 500, "Client", "XML"),
    "bad base64": (edited(b'format="base64">', b'format="base64">%%'), {}, 500, "Client", "base64"),
    "a processing instruction": (edited(b"<soapenv:Body>", b"<?x y?><soapenv:Body>"), {}, 500, "Client", "instruction"),
    "xsi:nil on a document": (
        edited(b'format="base64"', b'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="false" format="base64"'),
        {}, 500, "Client", "nil"),
    "a charset that decodes slowly": (GOOD, {"Content-Type": "text/xml; charset=punycode"}, 415, "", "punycode"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_with_the_right_answer_and_kept(service: Service, what: str) -> None:
    message, headers, status, faultcode, word = REFUSED[what]
    before = {push["id"] for push in listed(service.inbox)}
    answer = post(service.url, message, {**TEXT_XML, **headers})
    assert answer.status == status, answer
    if faultcode:
        assert f":{faultcode}</faultcode>".encode() in answer.body
    assert word in answer.body.decode()
    kept = [push for push in listed(service.inbox) if push["id"] not in before]
    assert [push["state"] for push in kept] == ["quarantined"]


def location(answer: HttpAnswer) -> bytes:
    return answer.body.split(b'location="')[1].split(b'"')[0]


def test_a_forged_host_header_does_not_reach_the_served_wsdl(service: Service, checkout: Path) -> None:
    forged = get(f"{service.url}?wsdl", {"Host": "evil.example"})
    honest = get(f"{service.url}?wsdl")
    assert forged.body == honest.body
    assert location(honest) == service.url.encode()
    shipped = (checkout / "wsdl" / "JobDocumentTransmit200810results.wsdl").read_bytes()
    assert honest.body.replace(location(honest), b"http://receiver.example.com/push") == shipped


@pytest.mark.parametrize("size", [12_000_000, 40_000_000])
def test_a_document_larger_than_a_parser_s_text_limit_is_taken_whole(service: Service, size: int) -> None:
    document = bytes(range(256)) * (size // 256)
    answer = post(service.url, envelope(size, document))
    assert answer.acknowledged, answer.body[:2000]
    newest = listed(service.inbox)[0]
    assert newest["documents"][0]["size_bytes"] == len(document)
