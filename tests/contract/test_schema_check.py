"""A push held against the shipped WSDL, rule by rule."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from lxml import etree

from soapsvc.contract.schema_check import AnswerDeviates, SchemaCheck
from soapsvc.judgement import refused_for
from soapsvc.records import Conformance, Deviation
from soapsvc.rules import RULES, Stage
from tests.contract.reading import HEADER, SOAP, VENDOR, envelope_of, shipped_wsdl
from tests.pushing import ENVELOPE

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
PUSH = ENVELOPE.format(mrn=1000001, document="QQ==")


@pytest.fixture(scope="module")
def check() -> Callable[[str], tuple[Deviation, ...]]:
    schema_check = SchemaCheck(shipped_wsdl())
    return lambda message: schema_check.check(envelope_of(message))


def changed(old: str, new: str) -> str:
    assert PUSH.count(old) == 1, old
    return PUSH.replace(old, new)


BLOCK = PUSH[PUSH.index("<Response") : PUSH.index("</Response>") + len("</Response>")]
BREAKING = {
    "XSD-001": PUSH.replace("JobDocumentTransmitResult", "JobDocumentTransmitRequest"),
    "XSD-002": changed(BLOCK, ""),
    "XSD-003": changed(BLOCK, BLOCK + BLOCK),
    "XSD-004": changed("<SubmitId>", "<RemoteId>7</RemoteId><SubmitId>"),
    "XSD-005": changed("<SubmitId>S1000001</SubmitId>", "<SubmitID>S1000001</SubmitID>"),
    "XSD-006": changed("<XDN>test2</XDN>", "").replace("</MRN>", "</MRN><XDN>test2</XDN>"),
    "XSD-007": changed("<SubmitId>", "<SubmitId>S0</SubmitId><SubmitId>"),
    "XSD-008": changed("<XDN>test2</XDN>", ""),
    "XSD-009": changed("<JobId>", "<JobId>test2"),
    "XSD-010": changed("<XDN>test2</XDN>", "<XDN><Name>test2</Name></XDN>"),
    "XSD-011": changed("<MRN>1000001</MRN>", "<MRN>44a</MRN>"),
    "XSD-014": changed('<Property name="Subject">', "<Property>"),
    "XSD-015": changed("<XDN>", '<XDN kind="domain">'),
    "XSD-017": changed('format="base64"', 'format="hex"'),
    "XSD-018": changed("<XDN>test2</XDN>", f'<XDN {XSI} xsi:nil="false">test2</XDN>'),
    "XSD-020": changed("<XDN>test2</XDN>", f'<XDN {XSI} xsi:nil="perhaps">test2</XDN>'),
    "XSD-021": changed("<XDN>test2</XDN>", f'<XDN {XSI} xsi:type="NoSuchType">test2</XDN>'),
}


def test_a_message_of_the_contract_deviates_from_nothing(check):
    assert check(PUSH) == ()


@pytest.mark.parametrize("rule", BREAKING)
def test_a_message_that_breaks_one_rule_is_told_by_that_rule_alone(rule, check):
    assert [deviation.rule for deviation in check(BREAKING[rule])] == [rule]


def test_every_schema_rule_has_a_source_and_is_a_matter_of_the_contract():
    for rule in RULES.values():
        if rule.stage is Stage.SCHEMA:
            assert rule.id.startswith("XSD-")
            assert rule.source
            assert rule.severity == "contract"


def test_a_deviation_tells_where_what_and_what_would_be_right(check):
    (deviation,) = check(BREAKING["XSD-011"])
    line = PUSH[: PUSH.index("<MRN>")].count("\n") + 1
    assert deviation == Deviation(
        rule="XSD-011",
        path="/soapenv:Envelope/soapenv:Body/JobDocumentTransmitResult/JobDocumentData/JobId/MRN",
        line=line,
        found='MRN reads "44a"',
        wanted="xs:integer: digits",
        mark="SIBLING",
    )


def test_an_attribute_is_told_by_its_path(check):
    (deviation,) = check(BREAKING["XSD-017"])
    assert deviation.path.endswith("/Document/DocData/@format")
    assert deviation.found == 'attribute format of DocData reads "hex"'
    assert deviation.wanted == "one of text, base64"


def test_five_deviations_in_five_places_are_all_told(check):
    message = (
        BREAKING["XSD-011"]
        .replace('format="base64"', 'format="hex"')
        .replace('<Property name="Subject">', "<Property>")
        .replace("<XDN>test2</XDN>", "")
        .replace("<StatusCode>0</StatusCode>", "<StatusCode>none</StatusCode><Colour/>")
    )
    told = [(deviation.rule, deviation.path.rpartition("/")[2]) for deviation in check(message)]
    assert sorted(told) == [
        ("XSD-004", "Colour"),
        ("XSD-008", "JobId"),
        ("XSD-011", "MRN"),
        ("XSD-011", "StatusCode"),
        ("XSD-014", "@name"),
        ("XSD-017", "@format"),
    ]


def test_two_deviations_in_the_same_parent_are_both_told(check):
    message = changed("<StatusCode>0</StatusCode>", "<Colour/>").replace("<CompletionTime>", "<Shape/><CompletionTime>")
    told = [(deviation.rule, deviation.found) for deviation in check(message)]
    assert sorted(told) == [
        ("XSD-004", "Colour, which has no place here"),
        ("XSD-004", "Shape, which has no place here"),
        ("XSD-008", "Status without StatusCode before SubmissionTime"),
    ]


def test_what_stands_in_a_broken_parent_is_checked_all_the_same(check):
    message = BREAKING["XSD-006"].replace("<MRN>1000001", "<MRN>x").replace("<SubmitId>", "<Extra/><SubmitId>")
    assert sorted(deviation.rule for deviation in check(message)) == ["XSD-004", "XSD-006", "XSD-011"]


def test_children_in_another_namespace_are_told_one_by_one_and_still_checked(check):
    message = changed("<JobId>", f'<JobId xmlns="{HEADER}">').replace("<MRN>1000001", "<MRN>x")
    told = check(message)
    assert sorted((d.rule, d.path.rpartition("/")[2]) for d in told) == [
        ("XSD-005", "JobId"),
        ("XSD-005", "MRN"),
        ("XSD-005", "XDN"),
        ("XSD-011", "MRN"),
    ]
    assert told[0].found == f"JobId in namespace {HEADER}"
    assert told[0].wanted == f"JobId in namespace {VENDOR}"


def test_a_root_in_another_namespace_is_a_deviation_and_its_attributes_and_values_are_still_read(check):
    message = changed(f'Result xmlns="{VENDOR}"', f'Result xmlns="{HEADER}"').replace("<MRN>1000001", "<MRN>x")
    told = check(message)
    assert told[0].rule == "XSD-001"
    assert told[0].found == f"{{{HEADER}}}JobDocumentTransmitResult"
    assert told[0].wanted == f"{{{VENDOR}}}JobDocumentTransmitResult"
    assert {deviation.rule for deviation in told} == {"XSD-001", "XSD-005", "XSD-011"}


def test_a_header_block_that_no_binding_describes_is_checked_where_the_wsdl_declares_it(check):
    request = f'<Request xmlns="{HEADER}"><ReceiverKey>http://x.example/</ReceiverKey></Request>'
    (deviation,) = check(changed(BLOCK, BLOCK + request))
    assert (deviation.rule, deviation.found) == ("XSD-008", "Request without Authentication")
    assert check(changed(BLOCK, BLOCK + '<Other xmlns="urn:other"><Any/></Other>')) == ()


@pytest.mark.parametrize("attribute", ["actor", "mustUnderstand"])
def test_a_header_block_may_have_the_attributes_of_soap(attribute, check):
    block = BLOCK.replace("<Response", f'<Response soapenv:{attribute}="0"')
    envelope = envelope_of(PUSH.replace(BLOCK, block))
    assert SchemaCheck(shipped_wsdl()).check(envelope) == ()
    assert envelope.root[0][0].get(f"{{{SOAP}}}{attribute}") == "0", "the tree is as it was"


def test_credentials_are_never_told(check):
    request = (
        f'<Request xmlns="{HEADER}"><ReceiverKey>http://x.example/</ReceiverKey><Authentication><XDDSAuth>'
        '<RequesterID colour="red">alice</RequesterID><Password><b>hunter2</b></Password><Password>hunter3</Password>'
        "</XDDSAuth></Authentication></Request>"
    )
    told = check(changed(BLOCK, BLOCK + request))
    assert {deviation.rule for deviation in told} == {"XSD-007", "XSD-010", "XSD-015"}
    assert not any(secret in str(told) for secret in ("alice", "hunter", "red"))


def test_a_long_value_is_cut(check):
    (deviation,) = check(changed("<MRN>1000001", "<MRN>" + "9x" * 500))
    assert len(deviation.found) < 100
    assert deviation.found.endswith('…"')


def test_guarded_takes_a_deviation_from_what_is_inferred_alone(check):
    inferred = check(BREAKING["XSD-002"])
    known = check(BREAKING["XSD-011"])
    assert [deviation.mark for deviation in (*inferred, *known)] == ["INFERRED", "SIBLING"]
    assert refused_for((*inferred, *known), Conformance.GUARDED) == known


def test_one_check_serves_many_threads():
    schema_check = SchemaCheck(shipped_wsdl())
    messages = [(PUSH, []), (BREAKING["XSD-011"], ["XSD-011"]), (BREAKING["XSD-004"], ["XSD-004"])]
    wrong = []

    def run() -> None:
        for _ in range(30):
            for message, rules in messages:
                told = [deviation.rule for deviation in schema_check.check(envelope_of(message))]
                if told != rules:
                    wrong.append(told)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def acknowledgement(status_code: str = "0") -> etree._Element:
    time = "2012-11-04T13:20:01Z"
    return etree.fromstring(
        f'<JobDocumentTransmitResultAck xmlns="{VENDOR}"><Status><StatusCode>{status_code}</StatusCode><SubmissionTime>{time}'
        f"</SubmissionTime><CompletionTime>{time}</CompletionTime></Status></JobDocumentTransmitResultAck>"
    )


def test_our_own_answer_is_held_against_the_output():
    schema_check = SchemaCheck(shipped_wsdl())
    schema_check.check_answer(acknowledgement())
    with pytest.raises(AnswerDeviates, match="StatusCode"):
        schema_check.check_answer(acknowledgement("fine"))
    with pytest.raises(AnswerDeviates, match="JobDocumentTransmitResultAck"):
        schema_check.check_answer(etree.fromstring(f'<JobDocumentTransmitResult xmlns="{VENDOR}"/>'))


@pytest.mark.parametrize("number", ["1_000", "٣", "９", "5\u00a0", "0x1", "1e3", "--1", ""])
def test_what_python_would_read_as_a_number_and_xml_schema_does_not_is_told_as_no_number(check, number):
    (deviation,) = check(PUSH.replace("<MRN>1000001", f"<MRN>{number}"))
    assert (deviation.rule, deviation.wanted) == ("XSD-011", "xs:integer: digits")


def test_what_is_no_uri_is_told_as_that(check):
    (deviation,) = check(PUSH.replace("<SenderKey>http://", '<SenderKey>ht"tp://'))
    assert (deviation.rule, deviation.wanted) == ("XSD-011", "xs:anyURI: a URI")
