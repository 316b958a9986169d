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

AS_EVER = {
    "sampleB64Charset.xml": "5f1dee064a9116574acba8ac2851ca8af19a32b9e308f69afa769386e942dcda",
    "sampleCdr.xml": "eb03d842ba0f93400ef2a04d497118d5977062be531c78c68551e075fa5b26a9",
    "sampleFax.xml": "5a9eca5cc3e511eaf6288e17062f8ea64ebe9d8a29887765a3e8f33f40a06ee8",
    "sampleOtherDialect.xml": "c7758ab6b13c16e679b58c96271e5f7ca81555a11d03e033973db0e7bf6cc9ee",
    "samplePdfReport.xml": "7c30d6c298b4af6c0efb896d808c1efc5f4c9539dbae0dc51674196fdd05726e",
    "sampleReport.xml": "07ffc8d33bd4eca39f1fadafff65adb09f3e4246dbacf6a5d4c9061c08dddd88",
    "sampleTextFormat.xml": "4493c81299d6a6d8621421cd4f9a37e430d31b3248157595388e12f841d2d72a",
    "sampleTwoDocuments.xml": "6407f28b601f5feb20efe520e26fac08f5b8e326693859f939b1860989026454",
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


@pytest.mark.parametrize("name", AS_EVER)
def test_a_sample_has_the_fingerprint_that_it_ever_had(name: str) -> None:
    """A push that a former version stored is known again when it comes once more."""
    assert fingerprint((SAMPLES / name).read_text()) == AS_EVER[name]


def test_every_sample_is_among_them() -> None:
    assert set(AS_EVER) == {sample.name for sample in SAMPLES.glob("*.xml")}
