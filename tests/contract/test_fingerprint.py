"""What a sender makes anew for each attempt leaves the fingerprint as it is; whatever else the Body says changes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from soapsvc.contract.roles import read_push
from soapsvc.shipped import SAMPLES
from tests.contract.reading import ARRIVAL, envelope_of, shipped_wsdl

NAMES = shipped_wsdl().document_names
REPORT = (SAMPLES / "sampleReport.xml").read_text()


def fingerprint(message: str) -> str:
    return read_push(envelope_of(message, NAMES), ARRIVAL)[0].fingerprint


def unwrapped(message: str) -> str:
    return re.sub(
        r"(<DocData[^>]*>)(.*?)(</DocData>)", lambda m: m[1] + "".join(m[2].split()) + m[3], message, flags=re.S
    )


SAME = {
    "base64 on one line": unwrapped(REPORT),
    "another ProcessingID": re.sub("<ProcessingID>.*?<", "<ProcessingID>another<", REPORT),
    "other times of the attempt": re.sub("<(Submission|Completion)Time>.*?<", r"<\1Time>2026-11-23T08:00:00Z<", REPORT),
    "no indentation": re.sub(r">\s+<", "><", REPORT),
    "a comment": REPORT.replace("<soapenv:Body>", "<soapenv:Body><!-- again -->"),
    "another prefix of SOAP": REPORT.replace("soapenv:", "s:").replace("xmlns:soapenv", "xmlns:s"),
    "white space around the job": REPORT.replace("<XDN>test2<", "<XDN> test2 <"),
}
OTHER = {
    "a status code": REPORT.replace("<StatusCode>0<", "<StatusCode>1<"),
    "a status message": re.sub("<StatusMessage>.*?<", "<StatusMessage>job failed<", REPORT),
    "a status of the job": REPORT.replace("</JobId>", "</JobId><Status><StatusCode>1</StatusCode></Status>"),
    "a second JobDocumentData": re.sub(
        "(<JobDocumentData>.*</JobDocumentData>)", r"\1<JobDocumentData/>", REPORT, flags=re.S
    ),
    "a property": REPORT.replace("Delivery report", "Final report"),
    "an attribute": REPORT.replace("<Document>", '<Document ref="a">'),
    "an element that the WSDL does not know": REPORT.replace("</JobId>", "</JobId><Report>important</Report>"),
    "one character of the document": REPORT.replace("am9i", "am9j", 1),
    "how the document came": REPORT.replace('format="base64"', 'format="text"'),
    "a second child of Body": REPORT.replace("</soapenv:Body>", '<x xmlns="urn:x"/></soapenv:Body>'),
    "an element in another namespace": REPORT.replace("<XDN>", '<XDN xmlns="urn:x">'),
}


@pytest.mark.parametrize("what", SAME)
def test_another_attempt_says_the_same(what: str) -> None:
    assert SAME[what] != REPORT, "the edit fits the sample"
    assert fingerprint(SAME[what]) == fingerprint(REPORT)


@pytest.mark.parametrize("what", OTHER)
def test_whatever_else_differs_says_something_else(what: str) -> None:
    assert OTHER[what] != REPORT, "the edit fits the sample"
    assert fingerprint(OTHER[what]) != fingerprint(REPORT)


def test_the_order_of_what_has_the_same_name_counts() -> None:
    one, other = ("".join(f'<Property name="x">{n}</Property>' for n in order) for order in ((1, 2), (2, 1)))
    assert fingerprint(REPORT.replace("</JobId>", f"</JobId>{one}")) != fingerprint(
        REPORT.replace("</JobId>", f"</JobId>{other}")
    )


def test_each_sample_says_something_of_its_own() -> None:
    samples = [Path(sample).read_text() for sample in SAMPLES.glob("*.xml")]
    assert len({fingerprint(sample) for sample in samples}) == len(samples)
