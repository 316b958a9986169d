"""WSDLs as the tools of others write them: each is served, holds valid and invalid messages apart, and is acknowledged by
its own element. tests/vendors/*.wsdl were written for this project in the manner of those tools."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import pytest
from lxml import etree

from soapsvc.contract.class_generator import generate
from soapsvc.contract.contract_difference import contract_difference
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.contract.wsdl_rules import verify
from soapsvc.judge import Judge, Judged
from soapsvc.namespaces import SOAP11_ENVELOPE
from soapsvc.records import Arrival, PushState
from soapsvc.settings import OwnSettings
from soapsvc.spool import Spool
from soapsvc.wire.http_messages import RequestHead
from soapsvc.wire.incoming_body import IncomingBody
from tests.contract.test_odd_contracts import untold
from tests.test_receiver import Called

HERE = Path(__file__).parent
CONTENT = b"reference,status\r\nINV-1,Sent\r\n"
B64 = base64.b64encode(CONTENT).decode()


@dataclass(frozen=True)
class Vendor:
    """A WSDL with messages (children of Body; with a header in front of "|" where there is one).

    valid    message to the answer's element (Clark name), None: HTTP 202, "": an empty Body
    invalid  message to the rules that it breaks
    """

    file: str
    valid: dict[str, str | None]
    invalid: dict[str, list[str]]
    documents: int = 1
    broken_rules: list[str] = field(default_factory=list)


NET = "http://tempuri.org/"
JOB = f"<JobId><XDN>a</XDN><MRN>7</MRN></JobId><Documents><Document><Filename>r.csv</Filename><Content>{B64}</Content></Document></Documents>"
NIL = '<Created xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>'
CDR, FAX, GROUPS, TWO = "urn:cdr", "http://fax.example.com/types", "urn:groups", "urn:two"
SPLIT = "http://reports.example.com/contract"
TICKET = f'<t:Ticket xmlns:t="{SPLIT}">t</t:Ticket>|'
CXF, SAP, SPYNE = "http://sink.reports.example.com/", "urn:sap-com:document:sap:soap:functions:mc-style", "spyne.sink"
PC, PJ = (
    "http://premconn.premiereconnect.com/2007/02",
    "http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10",
)
REQUEST = f'<Request xmlns="{PC}"><ReceiverKey>http://r.example/push</ReceiverKey></Request>|'
MOVED = (
    f'<j:JobDocumentTransmitResult xmlns:j="{PJ}" xmlns="{PC}"><j:Status><StatusCode>0</StatusCode></j:Status><j:SubmitId>S1'
    "</j:SubmitId><j:JobDocumentData><j:JobId><XDN>test2</XDN><MRN>7</MRN></j:JobId><j:Document><DocType>text</DocType>"
    f'<DocData format="base64">{B64}</DocData></j:Document><j:JobDocumentDataExtension><j:Segment name="Default">'
    '<Property name="Subject">Report</Property></j:Segment></j:JobDocumentDataExtension></j:JobDocumentData>'
    "</j:JobDocumentTransmitResult>"
)

VENDORS = [
    Vendor(
        "dotnet.wsdl",
        {f'<PushReport xmlns="{NET}"><SubmitID>1</SubmitID>{JOB}{NIL}</PushReport>': f"{{{NET}}}PushReportResponse"},
        {
            f'<PushReport xmlns="{NET}">{JOB}{NIL}</PushReport>': ["XSD-008"],
            f'<PushReport xmlns="{NET}"><SubmitID>1</SubmitID>{JOB.replace("7", "x")}{NIL}</PushReport>': ["XSD-011"],
            f'<PushReport xmlns="{NET}"><SubmitID>1</SubmitID>{JOB.replace(B64, "%" + B64)}{NIL}</PushReport>': ["PAY-001"],
            f'<PushReport xmlns="{NET}"><SubmitID>1</SubmitID>{JOB}<Created>now</Created></PushReport>': ["XSD-011"],
        },
        broken_rules=["R2401"],
    ),
    Vendor(
        "cxf.wsdl",
        {
            f'<ns2:push xmlns:ns2="{CXF}"><arg0 kind="FAX"><ns2:MRN>7</ns2:MRN><property name="Subject">x</property>'
            f"<docData>{B64}</docData></arg0></ns2:push>": f"{{{CXF}}}pushResponse",
        },
        {
            f'<ns2:push xmlns:ns2="{CXF}"><ns2:arg0/></ns2:push>': ["XSD-005"],
            f'<ns2:push xmlns:ns2="{CXF}"><arg0 kind="CDR"><docData>{B64}</docData></arg0></ns2:push>': ["XSD-017"],
            f'<ns2:push xmlns:ns2="{CXF}"><arg0><property>x</property></arg0></ns2:push>': ["XSD-014"],
        },
    ),
    Vendor(
        "one_way.wsdl",
        {f'<CallRecords xmlns="{CDR}"><DocData>{B64}</DocData><Filename>a.csv</Filename><Count>2</Count></CallRecords>': None},
        {
            f'<CallRecords xmlns="{CDR}"/>': ["XSD-008"],
            f'<CallRecords xmlns="{CDR}"><Count>65536</Count></CallRecords>': ["XSD-011"],
            f'<Calls xmlns="{CDR}"><Count>1</Count></Calls>': ["XSD-001"],
        },
    ),
    Vendor(
        "empty_answer.wsdl",
        {f'<FaxReceived xmlns="{FAX}" id="f-1"><Pages>3</Pages><DocData format="base64">{B64}</DocData></FaxReceived>': ""},
        {
            f'<FaxReceived xmlns="{FAX}" id="f 1"><DocData format="base64">{B64}</DocData></FaxReceived>': ["XSD-017"],
            f'<FaxReceived xmlns="{FAX}" id="f"><Pages>0</Pages><DocData format="base64">{B64}</DocData></FaxReceived>':
                ["XSD-011"],
            f'<FaxReceived xmlns="{FAX}" id="f"><DocData format="text">x</DocData></FaxReceived>': ["XSD-017"],
        },
    ),
    Vendor(
        "groups.wsdl",
        {
            f'<g:Report xmlns:g="{GROUPS}" g:lang="de" g:version="1.0" xmlns:o="urn:o" o:any="thing"><g:XDN>test2</g:XDN>'
            f"<g:MRN>7</g:MRN><g:Codes>1 -2 3</g:Codes><g:Result>none</g:Result><g:DocData>{B64}</g:DocData><o:More/>"
            "</g:Report>": f"{{{GROUPS}}}Taken",
        },
        {
            f'<g:Report xmlns:g="{GROUPS}"><g:XDN>Test2</g:XDN><g:MRN>7</g:MRN><g:DocData>{B64}</g:DocData></g:Report>':
                ["XSD-012"],
            f'<g:Report xmlns:g="{GROUPS}"><g:Codes>1 2 3 4</g:Codes><g:DocData>{B64}</g:DocData></g:Report>': ["XSD-012"],
            f'<g:Report xmlns:g="{GROUPS}" g:version="2.0"><g:DocData>{B64}</g:DocData></g:Report>': ["XSD-013"],
            f'<g:Report xmlns:g="{GROUPS}"><g:Part/></g:Report>': ["XSD-022"],
            f'<g:Report xmlns:g="{GROUPS}"><g:Result>some</g:Result><g:DocData>{B64}</g:DocData></g:Report>': ["XSD-011"],
        },
    ),
    Vendor(
        "moved.wsdl",
        {REQUEST + MOVED: f"{{{PJ}}}ResultReceived"},
        {
            MOVED: ["XSD-002"],
            REQUEST + MOVED.replace("<j:Segment name", "<j:Other name").replace("</j:Segment>", "</j:Other>"):
                ["XSD-004", "XSD-008"],
            REQUEST + MOVED.replace("<StatusCode>0", "<StatusCode>zero"): ["XSD-011"],
        },
    ),
    Vendor(
        "two_operations.wsdl",
        {
            f'<Report xmlns="{TWO}"><MRN>7</MRN><DocData>{B64}</DocData></Report>': f"{{{TWO}}}ReportAck",
            f'<Fax xmlns="{TWO}"><MRN>-7</MRN><DocData>{B64}</DocData></Fax>': f"{{{TWO}}}FaxAck",
        },
        {
            f'<Report xmlns="{TWO}"><MRN>-7</MRN><DocData>{B64}</DocData></Report>': ["XSD-011"],
            f'<Report xmlns="{TWO}"><MRN>7</MRN></Report>': ["XSD-008"],
        },
    ),
    Vendor(
        "sap.wsdl",
        {
            f'<n0:ZPushJob xmlns:n0="{SAP}"><Mrn>0000000007</Mrn><ItAttach><item><Filename>a.csv</Filename><Content>{B64}'
            "</Content></item></ItAttach></n0:ZPushJob>": f"{{{SAP}}}ZPushJobResponse",
        },
        {
            f'<n0:ZPushJob xmlns:n0="{SAP}"><Mrn>00000000007</Mrn></n0:ZPushJob>': ["XSD-012"],
            f'<n0:ZPushJob xmlns:n0="{SAP}"><n0:Mrn>7</n0:Mrn></n0:ZPushJob>': ["XSD-005"],
        },
    ),
    Vendor(
        "chameleon/contract.wsdl",
        {
            '<h:Header xmlns:h="urn:messages">a</h:Header>|<Push xmlns="urn:messages"><JobId mrn="7"/><Again><JobId mrn="8"/>'
            f"</Again><DocData>{B64}</DocData></Push>": "{urn:messages}Ack",
        },
        {
            f'<Push xmlns="urn:messages"><JobId mrn="7"/><DocData>{B64}</DocData></Push>': ["XSD-002"],
            '<h:Header xmlns:h="urn:messages"><x/></h:Header>|<Push xmlns="urn:messages"><JobId mrn="7"/></Push>': ["XSD-010"],
            '<h:Header xmlns:h="urn:messages"/>|<Push xmlns="urn:messages"><JobId/></Push>': ["XSD-014"],
        },
    ),
    Vendor(
        "nusoap.wsdl",
        {
            f'<ns1:takeRequestType xmlns:ns1="urn:reports"><docData>{B64}</docData><mrn>7</mrn></ns1:takeRequestType>':
                "{urn:reports}takeResponseType",
        },
        {
            f'<takeRequestType xmlns="urn:reports"><docData>{B64}</docData><mrn>7</mrn></takeRequestType>':
                ["XSD-005", "XSD-005"],
            '<ns1:takeRequestType xmlns:ns1="urn:reports"><mrn>7</mrn></ns1:takeRequestType>': ["XSD-008"],
        },
        broken_rules=["R4003, R4004"],
    ),
    Vendor(
        "spyne_like.wsdl",
        {
            f'<take xmlns="{SPYNE}"><mrn>7</mrn><properties><Item><name>x</name></Item></properties><file>{B64}</file></take>':
                f"{{{SPYNE}}}takeResponse",
        },
        {f'<take xmlns="{SPYNE}"><file>{B64}</file><mrn>7</mrn></take>': ["XSD-006"]},
    ),
    Vendor(
        "faults.wsdl",
        {
            f'<Push xmlns="urn:faults">as <Note/> said <DocData format="base64">{B64}</DocData></Push>': "{urn:faults}Ack",
        },
        {f'<Push xmlns="urn:faults"><DocData format="hex">{B64}</DocData></Push>': ["PAY-004"]},
    ),
    Vendor(
        "split/service.wsdl",
        {
            TICKET + f'<Take xmlns="{SPLIT}"><report xmlns:d="http://reports.example.com/types"><d:MRN>7</d:MRN>'
            f"<d:Content>{B64}</d:Content></report></Take>": f"{{{SPLIT}}}TakeResponse",
        },
        {
            f'<Take xmlns="{SPLIT}"><report xmlns:d="http://reports.example.com/types"><d:MRN>7</d:MRN></report></Take>':
                ["XSD-002"],
            TICKET + f'<Take xmlns="{SPLIT}"><report xmlns:d="http://reports.example.com/types"><d:MRN>x</d:MRN></report></Take>':
                ["XSD-011"],
            TICKET + f'<Take xmlns="{SPLIT}"><report><MRN>7</MRN></report></Take>': ["XSD-005"],
        },
    ),
]  # fmt: skip
NAMES = [vendor.file for vendor in VENDORS]
NEVER_KNOWN = {"dotnet.wsdl", "sap.wsdl", "spyne_like.wsdl", "faults.wsdl"}
"""Whose valid messages have markup that decides too little (xsi:nil, documents outside base64), or deviate in what is told
and not refused."""


def message(text: str) -> bytes:
    header, _, body = text.rpartition("|")
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return f'<s:Envelope xmlns:s="{SOAP11_ENVELOPE}">{head}<s:Body>{body}</s:Body></s:Envelope>'.encode()


@pytest.fixture
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Vendor, Called]]:
    vendor: Vendor = request.param
    called = Called(tmp_path, wsdl=HERE / vendor.file)
    yield vendor, called
    called.store.close()


def test_there_are_at_least_twelve_and_each_file_has_its_messages() -> None:
    assert len(VENDORS) >= 12
    read = {file.path.resolve() for name in NAMES for file in WsdlDocument.load(HERE / name).files}
    assert read == set(HERE.rglob("*.wsdl"))


@pytest.mark.parametrize("served", VENDORS, ids=NAMES, indirect=True)
def test_a_valid_message_is_acknowledged_by_the_wsdl_s_own_element_and_its_documents_are_kept(served) -> None:
    vendor, called = served
    for text, element in vendor.valid.items():
        answer = called.post(message(text))
        assert answer.status == (202 if element is None else 200), answer.body
        if element is not None:
            (body,) = etree.fromstring(answer.body)
            assert [child.tag for child in body] == ([element] if element else [])
        again = called.post(message(text))
        assert again.body == answer.body
        row = next(iter(called.store.rows(limit=1)))
        assert (row.state, row.redeliveries, len(row.documents)) == (PushState.ACCEPTED, 1, vendor.documents)
        with called.store.open_document(row.id, 1) as document:
            assert document.read() in (CONTENT, B64.encode())
    assert len(list(called.store.rows(limit=None))) == len(vendor.valid)


@pytest.mark.parametrize("served", VENDORS, ids=NAMES, indirect=True)
def test_an_invalid_message_is_refused_for_its_rules(served) -> None:
    vendor, called = served
    assert vendor.invalid
    for text, rules in vendor.invalid.items():
        answer = called.post(message(text))
        assert answer.status == 500, text
        row = next(iter(called.store.rows(limit=1)))
        assert row.state is PushState.QUARANTINED
        deviations = called.store.stored(row.id).verdict.refused_for
        assert [deviation.rule for deviation in deviations] == rules, deviations


def test_a_fault_that_the_wsdl_declares_is_used_for_the_detail_where_it_fits(tmp_path: Path) -> None:
    (vendor,) = (vendor for vendor in VENDORS if vendor.file == "faults.wsdl")
    (text,) = vendor.invalid
    called = Called(tmp_path, wsdl=HERE / vendor.file)
    detail = etree.fromstring(called.post(message(text)).body).find(".//detail")
    assert [entry.tag for entry in detail] == ["{urn:faults}PushFault", "{urn:soapsvc:verdict:1}verdict"]
    assert detail.findtext("{urn:faults}PushFault/{urn:faults}reason").startswith("Rule PAY-004 is not kept")
    called.store.close()


def test_a_declared_fault_that_cannot_be_filled_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "other.wsdl"
    demanded = b'<xs:element name="Severity" type="xs:int"/><xs:element name="reason"'
    path.write_bytes((HERE / "faults.wsdl").read_bytes().replace(b'<xs:element name="reason"', demanded))
    called = Called(tmp_path, wsdl=path)
    (text,) = next(vendor for vendor in VENDORS if vendor.file == "faults.wsdl").invalid
    detail = etree.fromstring(called.post(message(text)).body).find(".//detail")
    assert [entry.tag for entry in detail] == ["{urn:soapsvc:verdict:1}verdict"]
    called.store.close()
    found = contract_difference(WsdlDocument.load(HERE / "faults.wsdl"), WsdlDocument.load(path))
    assert (found.messages, found.contract) == ("identical", "breaking")


@pytest.mark.parametrize("vendor", VENDORS, ids=NAMES)
def test_whatever_the_texts_of_a_known_markup_say_it_is_taken_only_where_the_schema_takes_it(
    vendor: Vendor, tmp_path: Path
) -> None:
    settings = OwnSettings(wsdl=HERE / vendor.file)
    wsdl = WsdlDocument.load(HERE / vendor.file)
    action = f'"{wsdl.operations[0].soap_action}"'
    head = RequestHead("POST", "/push", "", (("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", action)))
    arrival = Arrival(datetime(2026, 11, 26, tzinfo=UTC), "192.0.2.1")

    def judged(judge: Judge, body: bytes, *, known: bool = False) -> Judged | None:
        with Spool(tmp_path) as spool:
            incoming = IncomingBody.of(io.BytesIO(body), spool, 10)
            return (judge.judge_known if known else judge.judge)(head, incoming, arrival)

    known = 0
    for text in vendor.valid:
        learned, body = Judge(settings, wsdl), message(text)
        for _ in range(3):
            judged(learned, body)
        pieces = re.split(rb"(<[^<>]*>)", body)
        for place in range(0, len(pieces), 2):
            for said in (
                b"",
                b" ",
                b"0",
                b"7",
                b"-1",
                b"a",
                b"44a",
                b"2012-11-04T13:05:45Z",
                b"yes",
                b"QUJD",
                b"http://a/b",
                b"x" * 99,
            ):
                other = b"".join([*pieces[:place], said, *pieces[place + 1 :]])
                taken = judged(learned, other, known=True)
                if taken is not None:
                    known += 1
                    assert taken == judged(Judge(settings, wsdl), other), other
    assert bool(known) is (vendor.file not in NEVER_KNOWN)


@pytest.mark.parametrize("vendor", VENDORS, ids=NAMES)
def test_verify_tells_what_the_file_breaks_and_that_it_can_be_served(vendor: Vendor) -> None:
    failed = [one.numbers for one in verify(HERE / vendor.file) if one.outcome == "fail"]
    assert failed == vendor.broken_rules


@pytest.mark.parametrize("vendor", VENDORS, ids=NAMES)
def test_its_classes_can_be_imported_and_it_differs_from_itself_in_nothing(vendor: Vendor) -> None:
    wsdl = WsdlDocument.load(HERE / vendor.file)
    compile(generate(wsdl), vendor.file, "exec")
    difference = contract_difference(wsdl, WsdlDocument.load(HERE / vendor.file))
    assert (difference.contract, difference.differences) == ("identical", ())


@pytest.mark.parametrize("vendor", VENDORS, ids=NAMES)
def test_the_schema_that_spyne_derives_from_its_classes_differs_in_what_they_say_and_nothing_else(
    vendor: Vendor,
) -> None:
    assert untold(WsdlDocument.load(HERE / vendor.file)) == []


ENCODED = list(zip([v for v in VENDORS if "/" not in v.file], cycle(["utf-16", "utf-8-sig", "CR LF"]), strict=False))


@pytest.mark.parametrize(("vendor", "how"), ENCODED, ids=[f"{vendor.file} in {how}" for vendor, how in ENCODED])
def test_encoding_byte_order_mark_and_line_ends_make_no_difference(vendor: Vendor, how: str, tmp_path: Path) -> None:
    raw = (HERE / vendor.file).read_bytes()
    text = raw.decode(etree.fromstring(raw).getroottree().docinfo.encoding or "utf-8")
    if how == "CR LF":
        changed = text.replace("\n", "\r\n").encode(etree.fromstring(raw).getroottree().docinfo.encoding or "utf-8")
    else:
        declared = text.partition("?>")[2].lstrip() if text.startswith("<?xml") else text
        changed = f'<?xml version="1.0" encoding="{how[:6].rstrip("-s")}"?>{declared}'.encode(how)
    path = tmp_path / "changed.wsdl"
    path.write_bytes(changed)
    wsdl = WsdlDocument.load(path)
    assert contract_difference(WsdlDocument.load(HERE / vendor.file), wsdl).contract == "identical"
    called = Called(tmp_path, wsdl=path)
    served = called.app._file(type("Head", (), {"query": "wsdl"})).body
    called.store.close()
    assert etree.fromstring(served).find(".//{*}address[@location='http://127.0.0.1:8080/push']") is not None


def test_what_stands_between_the_elements_of_one_message_is_not_said_by_the_next(tmp_path: Path) -> None:
    """Mixed content: its texts are in no place of a known markup."""
    settings, wsdl = OwnSettings(wsdl=HERE / "faults.wsdl"), WsdlDocument.load(HERE / "faults.wsdl")
    namespace = wsdl.target_namespace

    def fingerprint(judge: Judge, between: str) -> str:
        pushed = f'<Push xmlns="{namespace}"><Note>a</Note>{between}<DocData format="base64">{B64}</DocData></Push>'
        head = RequestHead("POST", "/push", "", (("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", '""')))
        with Spool(tmp_path) as spool:
            incoming = IncomingBody.of(io.BytesIO(message(pushed)), spool, 10)
            judged = judge.judge(head, incoming, Arrival(datetime(2026, 11, 26, tzinfo=UTC), "192.0.2.1"))
        assert judged.push is not None
        return judged.push.fingerprint

    learned = Judge(settings, wsdl)
    for _ in range(3):
        assert fingerprint(learned, "said once") == fingerprint(Judge(settings, wsdl), "said once")
    assert fingerprint(learned, "") == fingerprint(Judge(settings, wsdl), "")
