"""Envelopes by any WSDL: what was given is what the receiver reads, and the schema has nothing to say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.errors import SendError
from soapsvc.namespaces import SOAP11_ENVELOPE
from soapsvc.records import JobId
from soapsvc.sender import PushContent, SentDocument
from soapsvc.sender.made_push import MadePush, PushMaker
from soapsvc.shipped import WSDL_FILE
from tests.contract.reading import a_wsdl, schema
from tests.test_receiver import Called

VENDORS = Path(__file__).parent.parent / "vendors"
NOW = datetime(2026, 11, 25, 10, 30, 1, 31000, tzinfo=UTC)
CSV, PDF, TIFF = b"reference,status\r\nINV-1,Sent\r\n", b"%PDF-1.4\n%\xe2\xe3\n", b"II*\0\x08\0\0\0"
JOB = JobId("test2", "7")
SUBJECT = (("Subject", "Grüße <&> \"'"),)

TAKES = {
    "JobDocumentTransmit200810results.wsdl": {"job", "property", "several", "names"},
    "chameleon/contract.wsdl": set(),
    "cxf.wsdl": {"property", "mrn"},
    "dotnet.wsdl": {"job", "several", "names"},
    "empty_answer.wsdl": set(),
    "faults.wsdl": set(),
    "groups.wsdl": {"job", "several"},
    "moved.wsdl": {"job", "property", "several", "names"},
    "nusoap.wsdl": {"mrn"},
    "one_way.wsdl": {"several", "names"},
    "sap.wsdl": {"mrn", "several", "names"},
    "split/service.wsdl": {"mrn"},
    "spyne_like.wsdl": {"mrn"},
    "two_operations.wsdl": {"mrn"},
}
"""What the WSDLs have a place for, beside one document."""


def wsdl_of(name: str) -> Path:
    return WSDL_FILE if name == WSDL_FILE.name else VENDORS / name


def made(
    wsdl: Path, *documents: SentDocument, operation: str | None = None, now: datetime = NOW, **more: object
) -> MadePush:
    content = PushContent(documents, **more)  # type: ignore[arg-type]
    return PushMaker(wsdl, operation).make(content, now=now, receiver="http://r.example/push")


def report(content: bytes = CSV, filename: str = "report.csv") -> SentDocument:
    return SentDocument.of(filename, content)


def test_every_wsdl_of_the_tests_is_here() -> None:
    to_be_served = [file for file in VENDORS.rglob("*.wsdl") if file.parent.name != "abstract"]
    assert set(TAKES) == {WSDL_FILE.name} | {str(file.relative_to(VENDORS)) for file in to_be_served}


@pytest.mark.parametrize("name", TAKES)
def test_what_is_written_is_accepted_by_the_receiver_and_reads_back_as_what_was_given(
    name: str, tmp_path: Path
) -> None:
    takes = TAKES[name]
    job = JOB if "job" in takes else JobId(None, "7") if "mrn" in takes else None
    properties = SUBJECT if "property" in takes else ()
    push = made(wsdl_of(name), report(), job=job, properties=properties)
    called = Called(tmp_path, wsdl=wsdl_of(name))
    try:
        answer = called.post(push.envelope, {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'})
        (row,) = called.store.rows(limit=None)
        stored = called.store.stored(row.id)
        with called.store.open_document(row.id, 1) as stream:
            assert stream.read() == CSV
    finally:
        called.store.close()
    deviations = [one for one in stored.verdict.deviations if not one.rule.startswith("HTTP-")]  # its SOAPAction
    assert (answer.status in (200, 202), row.state.value, deviations) == (True, "accepted", [])
    if job is not None:
        assert row.job is not None
        assert row.job.mrn == "7"
    assert [(p.name, p.value) for p in stored.properties] == list(properties)
    assert push.outgoing.documents[0].filename == ("report.csv" if "names" in takes else None)


@pytest.mark.parametrize("name", [name for name, takes in TAKES.items() if takes & {"job", "mrn"}])
def test_a_job_that_is_pushed_again_by_the_same_words_is_one_push_at_the_receiver(name: str, tmp_path: Path) -> None:
    job = JOB if "job" in TAKES[name] else JobId(None, "7")
    first, later = (made(wsdl_of(name), report(), job=job, now=now) for now in (NOW, NOW + timedelta(days=1)))
    called = Called(tmp_path, wsdl=wsdl_of(name))
    try:
        for push in (first, later):
            called.post(push.envelope, {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'})
        assert [(one.state.value, one.redeliveries) for one in called.store.rows(limit=None)] == [("accepted", 1)]
    finally:
        called.store.close()


@pytest.mark.parametrize("name", TAKES)
def test_several_documents_go_each_with_its_own_name_or_are_refused_before_they_are_sent(name: str) -> None:
    documents = [report(), report(PDF, "a.pdf"), report(TIFF, "b.tif")]
    if "several" not in TAKES[name]:
        with pytest.raises(SendError, match="has no place for 2 of 3 documents"):
            made(wsdl_of(name), *documents)
        return
    push = made(wsdl_of(name), *documents)
    names = [one.filename for one in documents] if "names" in TAKES[name] else [None] * 3
    assert [one.filename for one in push.outgoing.documents] == names
    assert [one.open().read() for one in push.outgoing.documents] == [CSV, PDF, TIFF]


@pytest.mark.parametrize("name", [name for name, takes in TAKES.items() if "property" not in takes])
def test_a_property_without_a_place_is_told_and_nothing_is_made(name: str) -> None:
    with pytest.raises(SendError, match="no place for the property Subject"):
        made(wsdl_of(name), report(), properties=SUBJECT)


def test_doctype_and_charset_are_those_of_the_file() -> None:
    files = [report(), report("Grüße".encode("cp1252"), "a.txt"), report(PDF, "a.PDF"), report(TIFF, "b.tiff")]
    told = [(one.doctype, one.charset) for one in made(WSDL_FILE, *files).outgoing.documents]
    assert told == [("text", "UTF-8"), ("text", "windows-1252"), ("PDF", None), ("TIFF", None)]


def test_a_contract_that_lists_its_doctypes_gets_one_of_its_own(tmp_path: Path) -> None:
    listed = "".join(f'<xs:enumeration value="{value}"/>' for value in ("CSV", "pdf"))
    kind = f'<xs:simpleType><xs:restriction base="xs:string">{listed}</xs:restriction></xs:simpleType>'
    wsdl = a_wsdl(tmp_path, schema(
        '<xs:element name="Push"><xs:complexType><xs:sequence><xs:element name="Document" maxOccurs="9"><xs:complexType>'
        f'<xs:sequence><xs:element name="DocType">{kind}</xs:element><xs:element name="DocData" type="xs:base64Binary"/>'
        "</xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>"
    ))  # fmt: skip
    push = made(wsdl.path, report(), report(PDF, "a.pdf"))
    assert [one.doctype for one in push.outgoing.documents] == ["CSV", "pdf"]


def test_the_header_block_has_a_processing_id_where_the_wsdl_binds_one() -> None:
    push = made(WSDL_FILE, report())
    block = etree.fromstring(push.envelope).find(f"{{{SOAP11_ENVELOPE}}}Header/*")
    assert block is not None
    told = {etree.QName(one).localname: one.text for one in block}
    assert told["ReceiverKey"] == "http://r.example/push"
    assert str(told["ProcessingID"]).endswith("-0001-261125103001031")
    assert push.outgoing.record["processing_id"] == told["ProcessingID"]


def test_the_id_is_that_of_the_bytes() -> None:
    push = made(WSDL_FILE, report())
    again = PushMaker(WSDL_FILE).replay(push.envelope, now=NOW, name="x")
    assert push.id == again.id
    assert again.outgoing.open_raw().read() == push.envelope


def test_a_large_document_is_read_back_whole() -> None:
    content = bytes(range(256)) * 4096
    (document,) = made(WSDL_FILE, report(content, "large.bin")).outgoing.documents
    assert document.open().read() == content


@pytest.mark.parametrize("envelope", [b"no XML", b"<a/>", b"", b'<!DOCTYPE a><a xmlns="x"/>'])
def test_what_cannot_be_read_is_replayed_all_the_same(envelope: bytes) -> None:
    push = PushMaker(WSDL_FILE).replay(envelope, now=NOW, name="x")
    assert push.outgoing.open_raw().read() == envelope
    assert (push.outgoing.documents, push.outgoing.kind.value) == ((), "other")


@pytest.mark.parametrize(
    ("name", "more", "told"),
    [
        (WSDL_FILE.name, {"job": JobId("a", "b")}, "MRN does not take 'b'; it takes integer"),
        ("groups.wsdl", {"job": JobId("TEST", "7")}, "XDN does not take 'TEST'"),
        (WSDL_FILE.name, {"properties": (("Subject", "a\0b"),)}, "a character that XML cannot carry"),
        (WSDL_FILE.name, {"operation": "Other"}, "has no operation Other; there are JobDocumentTransmitResult"),
    ],
)  # fmt: skip
def test_what_the_contract_does_not_take_is_one_sentence(name: str, more: dict, told: str) -> None:
    with pytest.raises(SendError) as raised:
        made(wsdl_of(name), report(), **more)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_operation_is_the_one_that_is_named() -> None:
    wsdl = WsdlDocument.load(VENDORS / "two_operations.wsdl")
    for operation in wsdl.operations:
        push = made(wsdl.path, report(), operation=operation.name)
        assert push.outgoing.record["root"] == operation.input_element


def test_a_contract_that_holds_no_document_says_so(tmp_path: Path) -> None:
    wsdl = a_wsdl(tmp_path, schema('<xs:element name="Push" type="xs:string"/>'))
    with pytest.raises(SendError, match="no place for 1 of 1 documents"):
        made(wsdl.path, report())


ONE = '<xs:element name="DocData" type="xs:base64Binary"/>'


@pytest.mark.parametrize(
    "content",
    [
        f'<xs:choice><xs:element name="Nothing" type="xs:int"/>{ONE}</xs:choice>',
        f'<xs:sequence><xs:sequence minOccurs="0" maxOccurs="unbounded"><xs:element name="Filename" type="xs:string"/>{ONE}'
        "</xs:sequence></xs:sequence>",
        f'<xs:sequence><xs:element name="When" type="xs:dateTime"/><xs:element name="Day" type="xs:date"/>{ONE}'
        '<xs:element name="Number" type="xs:positiveInteger" minOccurs="2" maxOccurs="3"/></xs:sequence>'
        '<xs:attribute name="kind" use="required"><xs:simpleType><xs:restriction base="xs:string"><xs:enumeration '
        'value="R"/></xs:restriction></xs:simpleType></xs:attribute>',
        f'<xs:sequence>{ONE}<xs:any namespace="##other" processContents="lax"/></xs:sequence>',
        '<xs:sequence><xs:element name="Sub" maxOccurs="unbounded"><xs:complexType><xs:sequence><xs:element name="Document" '
        f'maxOccurs="unbounded"><xs:complexType><xs:sequence>{ONE}</xs:sequence></xs:complexType></xs:element>'
        "</xs:sequence></xs:complexType></xs:element></xs:sequence>",
        f'<xs:all><xs:element name="Size" type="xs:unsignedByte"/>{ONE}</xs:all>',
    ],
    ids=["choice", "repeated sequence", "required values", "wildcard", "repeated within repeated", "all"],
)
def test_what_else_is_required_is_filled(content: str, tmp_path: Path) -> None:
    wsdl = a_wsdl(tmp_path, schema(f'<xs:element name="Push"><xs:complexType>{content}</xs:complexType></xs:element>'))
    (document,) = made(wsdl.path, report()).outgoing.documents
    assert document.open().read() == CSV


def test_a_choice_between_a_document_and_more_of_the_same_takes_the_document(tmp_path: Path) -> None:
    wsdl = a_wsdl(tmp_path, schema(
        '<xs:element name="Push" type="t:P"/><xs:complexType name="P"><xs:choice><xs:element name="Part" type="t:P"/>'
        '<xs:element name="DocData" type="xs:base64Binary"/></xs:choice></xs:complexType>'
    ))  # fmt: skip
    assert len(made(wsdl.path, report()).outgoing.documents) == 1


def test_elements_without_end_are_refused(tmp_path: Path) -> None:
    wsdl = a_wsdl(tmp_path, schema(
        '<xs:element name="Push" type="t:P"/><xs:complexType name="P"><xs:sequence><xs:element name="Push" type="t:P"/>'
        '<xs:element name="DocData" type="xs:base64Binary"/></xs:sequence></xs:complexType>'
    ))  # fmt: skip
    with pytest.raises(SendError, match="without end"):
        made(wsdl.path, report())
