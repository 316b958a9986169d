"""A push read from envelopes of many shapes: by role, never by one path."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from soapsvc.records import JobId, PushKind
from soapsvc.rules import RULES, Severity
from tests.contract.reading import ARRIVAL, HEADER, VENDOR, body, pushed
from tests.pushing import envelope


def b64(text: str | bytes, charset: str = "utf-8") -> str:
    return base64.b64encode(text.encode(charset) if isinstance(text, str) else text).decode()


def properties(content: str) -> list[tuple[str, str, str | None, str]]:
    push, _ = pushed(body(f"<R>{content}</R>"))
    return [(p.name, p.sent_name, p.segment, p.value) for p in push.properties]


def only_document(content: str):
    push, deviations = pushed(body(f"<R>{content}</R>"))
    (document,) = push.documents
    return document, deviations


def test_a_push_of_the_contract_is_read_whole():
    push, deviations = pushed(envelope(7, b"reference,status\r\nINV-1,Sent\r\n"))
    assert deviations == ()
    assert push.arrival is ARRIVAL
    assert push.raw.inline == envelope(7, b"reference,status\r\nINV-1,Sent\r\n")
    assert push.kind is PushKind.REPORT
    assert push.root == f"{{{VENDOR}}}JobDocumentTransmitResult"
    assert push.job == JobId("test2", "7")
    assert (push.submit_id, push.status_code, push.processing_id) == ("S7", "0", "0A000001-0001-7")
    assert push.header_blocks == {
        "Response/SenderKey": "http://sender.example.net/wsda",
        "Response/ProcessingID": "0A000001-0001-7",
    }
    (document,) = push.documents
    assert (document.n, document.filename, document.doctype, document.charset) == (1, "report_7.csv", "text", "UTF-8")
    assert (document.detected_type, document.encoding) == ("text/csv", "base64")
    assert document.content.inline == b"reference,status\r\nINV-1,Sent\r\n"
    assert [(p.name, p.segment, p.value) for p in push.properties] == [
        ("UserAccountNumber", "Default", "2000002"),
        ("Subject", "Default", "Delivery report - job 7"),
        ("StartTime", "Default", "2012-11-04T13:05:45Z"),
    ]
    assert push.properties[2].at == datetime(2012, 11, 4, 13, 5, 45, tzinfo=UTC)


def test_namespaces_and_letter_case_do_not_matter():
    message = envelope().decode().replace(VENDOR, HEADER)
    for name in ("JobId", "XDN", "MRN", "SubmitId", "DocType", "Filename", "CharacterSet", "StatusCode"):
        message = message.replace(f"<{name}>", f"<{name.upper()}>").replace(f"</{name}>", f"</{name.upper()}>")
    push, _ = pushed(message.replace('name="Subject"', 'NAME="sUBJECT"'))
    assert push.root == f"{{{HEADER}}}JobDocumentTransmitResult"
    assert push.job == JobId("test2", "1000001")
    assert (push.submit_id, push.status_code) == ("S1000001", "0")
    assert [(d.filename, d.doctype, d.charset) for d in push.documents] == [("report_1000001.csv", "text", "UTF-8")]
    assert [(p.name, p.sent_name) for p in push.properties][1] == ("Subject", "sUBJECT")


def test_the_other_dialect_has_the_same_canonical_names():
    assert properties(
        '<JobDocumentDataExtension><Segment name="USER"><Property name="USER">7</Property>'
        '<Property name="orig_email_subject">S</Property><Property name="ORIG_EMAIL_FROM">a@example.com</Property>'
        '<Property name="start_time"/><Property name="Entry_Time">x</Property><Property name="own">1</Property>'
        "</Segment></JobDocumentDataExtension>"
    ) == [
        ("UserAccountNumber", "USER", "USER", "7"),
        ("Subject", "orig_email_subject", "USER", "S"),
        ("OrigFromAddress", "ORIG_EMAIL_FROM", "USER", "a@example.com"),
        ("StartTime", "start_time", "USER", ""),
        ("EntryTime", "Entry_Time", "USER", "x"),
        ("own", "own", "USER", "1"),
    ]


def test_a_segment_in_front_of_the_name_is_the_segment():
    assert properties('<Property name="USER/orig_email_subject">S</Property>') == [
        ("Subject", "USER/orig_email_subject", "USER", "S")
    ]


@pytest.mark.parametrize(
    "wrapped",
    [
        '<JobDocumentDataExtension name="Default">{}</JobDocumentDataExtension>',
        '<JobDocumentDataExtension><Segment name="Default">{}</Segment></JobDocumentDataExtension>',
        '<JobDocumentDataExtension name="Outer"><Segment name="Default">{}</Segment></JobDocumentDataExtension>',
        '<Extensions><JobDocumentDataExtension name="Default"><Segment>{}</Segment></JobDocumentDataExtension></Extensions>',
    ],
)
def test_the_segment_is_the_nearest_group_with_a_name(wrapped):
    assert properties(wrapped.format('<Property name="a">1</Property>')) == [("a", "a", "Default", "1")]


@pytest.mark.parametrize("name", ["SubmitId", "SubmitID", "SUBMITID"])
def test_the_submit_id_has_two_spellings(name):
    push, _ = pushed(body(f"<R><{name}> 7 </{name}></R>"))
    assert push.submit_id == "7"


def test_what_is_empty_counts_as_absent_but_an_empty_property_is_kept():
    push, _ = pushed(
        body('<R><SubmitId/><Status><StatusCode/></Status><JobId><XDN/><MRN/></JobId><Property name="a"/></R>')
    )
    assert (push.submit_id, push.status_code, push.job, push.processing_id) == (None, None, None, None)
    assert [(p.name, p.value, p.at) for p in push.properties] == [("a", "", None)]


def test_the_outer_status_counts():
    push, _ = pushed(
        body("<R><D><Status><StatusCode>2</StatusCode></Status></D><Status><StatusCode>0</StatusCode></Status></R>")
    )
    assert push.status_code == "0"


@pytest.mark.parametrize(
    ("header", "blocks", "processing_id"),
    [
        ("", {}, None),
        ("<Response><ProcessingID>7</ProcessingID></Response>", {"Response/ProcessingID": "7"}, "7"),
        ("<Request><RequestID>8</RequestID></Request>", {"Request/RequestID": "8"}, None),
        ("<x:Other xmlns:x='urn:x'><x:a>1</x:a><x:a>2</x:a></x:Other>", {"Other/a": "1", "Other/a[2]": "2"}, None),
        ("<Flag>1</Flag>", {"Flag": "1"}, None),
    ],
)
def test_any_header_block_is_recorded(header, blocks, processing_id):
    push, _ = pushed(body("<R/>", header))
    assert push.header_blocks == blocks
    assert push.processing_id == processing_id


def test_credentials_in_header_blocks_are_masked():
    push, _ = pushed(
        body(
            "<R/>",
            "<Request><Authentication><XDDSAuth><RequesterID>alice</RequesterID><Password>hunter2</Password></XDDSAuth>"
            "</Authentication></Request><w:Security xmlns:w='urn:w'><w:Token>hunter3</w:Token></w:Security>",
        )
    )
    assert set(push.header_blocks.values()) == {"***"}
    assert "Request/Authentication/XDDSAuth/Password" in push.header_blocks


DOC = "<DocType>PDF</DocType><Filename>a.pdf</Filename><DocData>{}</DocData><CharacterSet>UTF-8</CharacterSet>".format(
    b64("%PDF-1.4")
)


@pytest.mark.parametrize(
    "content",
    [
        f"<JobDocumentData><Document>{DOC}</Document></JobDocumentData>",
        f"<JobDocumentData><Documents><Document>{DOC}</Document></Documents></JobDocumentData>",
        f"<JobDocumentData><Document><Content>{DOC}</Content></Document></JobDocumentData>",
        f"<JobDocumentData>{DOC}</JobDocumentData>",
        DOC,
    ],
)
def test_a_document_is_found_wherever_its_wrapper_puts_it(content):
    document, deviations = only_document(content)
    assert (document.filename, document.doctype, document.charset) == ("a.pdf", "PDF", "UTF-8")
    assert (document.detected_type, deviations) == ("application/pdf", ())


def test_documents_side_by_side_keep_their_own_names():
    one = "<DocType>text</DocType><Filename>{0}</Filename><DocData format='text'>{0}</DocData><CharacterSet>{0}</CharacterSet>"
    push, _ = pushed(body(f"<R>{one.format('a')}{one.format('b')}<DocData format='text'>c</DocData></R>"))
    assert [(d.n, d.filename, d.charset, d.doctype) for d in push.documents] == [
        (1, "a", "a", "text"),
        (2, "b", "b", "text"),
        (3, None, None, None),
    ]


def test_properties_of_a_document_are_its_own():
    extension = '<{0} name="{1}"><Property name="{2}">1</Property></{0}>'
    push, _ = pushed(
        body(
            "<R><JobDocumentData>"
            f"<Document><DocData/>{extension.format('DocumentExtension', 'x', 'inside')}</Document>"
            "<Document><DocData/></Document><Document ref='cover'><DocData/></Document>"
            + "".join(
                extension.format("JobDocumentDataExtension", segment, segment)
                for segment in ("InDoc", "attach1", "cover", "attach9", "Default")
            )
            + "</JobDocumentData></R>"
        )
    )
    assert [[p.name for p in d.properties] for d in push.documents] == [["inside", "InDoc"], ["attach1"], ["cover"]]
    assert [p.name for p in push.properties] == ["attach9", "Default"]


def test_text_with_b64charset_is_decoded_wherever_it_stands():
    document, deviations = only_document(
        f'<Document><Filename b64charset="windows-1252">{b64("Übersicht.csv", "cp1252")}</Filename><DocData/></Document>'
        f'<Property name="Subject" b64charset="UTF-8">{b64("Grüße")}</Property>'
    )
    assert (document.filename, deviations) == ("Übersicht.csv", ())
    push, _ = pushed(
        body(f'<R><Property name="Subject" b64charset="SHIFT-JIS">{b64("報告", "shift_jis")}</Property></R>')
    )
    assert [(p.value, p.b64charset) for p in push.properties] == [("報告", "SHIFT-JIS")]


def test_binary_stays_base64():
    push, deviations = pushed(body('<R><Property name="a" b64charset="Binary">AAH/</Property></R>'))
    assert [(p.value, p.b64charset) for p in push.properties] == [("AAH/", "Binary")]
    assert deviations == ()


@pytest.mark.parametrize(
    ("b64charset", "sent", "rule", "severity"),
    [
        ("UTF-8", "R3L8w59l!", "PAY-013", Severity.PROTOCOL),
        ("binary", "R3", "PAY-013", Severity.PROTOCOL),
        ("UTF-8", "Qh==", "PAY-013", Severity.PROTOCOL),
        ("UTF-8", b64("Grüße", "latin-1"), "PAY-014", Severity.PROTOCOL),
        ("ISO-2022-CN", "QQ==", "PAY-015", Severity.NOTE),
        ("punycode", "QQ==", "PAY-015", Severity.NOTE),
    ],
)
def test_text_that_b64charset_does_not_give_is_told_and_kept_as_sent(b64charset, sent, rule, severity):
    push, (deviation,) = pushed(body(f'<R><Property name="a" b64charset="{b64charset}">{sent}</Property></R>'))
    assert [p.value for p in push.properties] == [sent]
    assert deviation.rule == rule
    assert RULES[rule].severity is severity
    assert deviation.path == "/s:Envelope/s:Body/R/Property"


@pytest.mark.parametrize(
    ("value", "at", "rule"),
    [
        ("2012-11-04T13:05:45Z", datetime(2012, 11, 4, 13, 5, 45, tzinfo=UTC), None),
        ("11/5/12 8:05:45 ET", datetime(2012, 11, 5, 13, 5, 45, tzinfo=UTC), None),
        ("2012-11-04T13:05:45", None, "PAY-010"),
        ("11/4/12 8:05:45", None, "PAY-010"),
        ("yesterday", None, "PAY-011"),
        ("11/4/12 1:30:00 ET", datetime(2012, 11, 4, 5, 30, tzinfo=UTC), "PAY-012"),
    ],
)
def test_a_time_is_utc_where_it_tells_an_instant_and_its_text_is_kept(value, at, rule):
    push, deviations = pushed(body(f'<R><Property name="start_time">{value}</Property></R>'))
    assert [(p.value, p.at) for p in push.properties] == [(value, at)]
    assert [deviation.rule for deviation in deviations] == ([rule] if rule else [])
    assert all(RULES[deviation.rule].severity is Severity.NOTE for deviation in deviations)


def test_a_property_that_only_sounds_like_a_time_is_no_deviation():
    push, deviations = pushed(
        body('<R><Property name="HoldTime">30</Property><Property name="EndTime">2012-11-04T13:05:45Z</Property></R>')
    )
    assert [p.at is not None for p in push.properties] == [False, True]
    assert deviations == ()


def test_a_doctype_that_the_first_bytes_contradict_is_noted():
    document, (deviation,) = only_document(
        f"<Document><DocType>PDF</DocType><DocData>{b64('GIF89a')}</DocData></Document>"
    )
    assert (document.doctype, document.detected_type) == ("PDF", "image/gif")
    assert (deviation.rule, RULES["PAY-016"].severity) == ("PAY-016", Severity.NOTE)
    assert deviation.path.endswith("/Document/DocType")
    assert deviation.found == 'DocType reads "PDF" beside content that begins like image/gif'


@pytest.mark.parametrize("doctype", ["unspec", "empty", "XAR", "of their own"])
def test_a_doctype_without_a_promise_is_never_contradicted(doctype):
    _, deviations = only_document(
        f"<Document><DocType>{doctype}</DocType><DocData>{b64('GIF89a')}</DocData></Document>"
    )
    assert deviations == ()


def test_a_document_that_does_not_decode_has_no_detected_type():
    document, _ = only_document("<Document><DocType>PDF</DocType><DocData>R0lG*</DocData></Document>")
    assert (document.encoding, document.detected_type) == ("undecodable", None)


def test_what_is_shown_of_a_property_is_short():
    _, (deviation,) = pushed(body(f'<R><Property name="StartTime">{"9" * 5000}</Property></R>'))
    assert len(deviation.found) < 120


def test_a_property_that_is_a_password_by_its_name_is_kept_in_the_raw_envelope_alone():
    push, _ = pushed(body('<R><Property name="PdfPassword">s3cr3t</Property></R>'))
    assert [(p.sent_name, p.value) for p in push.properties] == [("PdfPassword", "***")]


def test_a_password_in_a_url_of_the_header_is_not_told():
    push, _ = pushed(
        body("<R/>", '<Response xmlns="urn:h"><ReceiverKey>https://u:s3cr3t@r.example/push</ReceiverKey></Response>')
    )
    assert push.header_blocks == {"Response/ReceiverKey": "https://***@r.example/push"}
