"""What traffic says of a WSDL, and the WSDL that it asks for: each edit on its own, and all of them on random traffic."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from lxml import etree

from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.contract.constructs import TOLD_PUSHES
from soapsvc.contract.contract_difference import contract_difference
from soapsvc.contract.proposal import Learned, learn
from soapsvc.contract.schema_check import SchemaCheck
from soapsvc.contract.traffic import RawPush, Traffic
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.contract.wsdl_rules import verify
from soapsvc.errors import ContractError, NoSuchPush
from soapsvc.settings import OwnSettings
from soapsvc.shipped import WSDL_FILE
from tests.contract.instances import Instances, edited
from tests.contract.reading import HEADER, VENDOR, a_wsdl, body, envelope_of, schema, shipped_wsdl
from tests.pushing import ENVELOPE

PUSH = ENVELOPE.format(mrn=1000001, document="QQ==")
BLOCK = PUSH[PUSH.index("<Response") : PUSH.index("</Response>") + len("</Response>")]
COMMON = ("StatusCode", "SubmissionTime", "CompletionTime", "XDN", "MRN")
SEEDS = int(os.environ.get("TEST_EXAMPLES", "8"))
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def changed(old: str, new: str, message: str = PUSH) -> str:
    assert message.count(old) == 1, old
    return message.replace(old, new)


def in_header_namespace(message: str) -> str:
    for name in COMMON:
        message = message.replace(f"<{name}>", f'<h:{name} xmlns:h="{HEADER}">').replace(f"</{name}>", f"</h:{name}>")
    return message


def in_segment(message: str) -> str:
    message = changed('Extension name="Default">', 'Extension><Segment name="Default">', message)
    return changed("</JobDocumentDataExtension>", "</Segment></JobDocumentDataExtension>", message)


def learned(*messages: str | bytes, wsdl: WsdlDocument | None = None) -> Learned:
    raws = [message.encode() if isinstance(message, str) else message for message in messages]

    def opener(raw: bytes) -> Callable[[], closing[io.BytesIO]]:
        return lambda: closing(io.BytesIO(raw))

    pushes = [RawPush(f"push{n}", opener(raw), "text/xml; charset=utf-8") for n, raw in enumerate(raws, 1)]
    return learn(wsdl or shipped_wsdl(), Traffic(pushes, OwnSettings()))


def told(found: Learned) -> list[str]:
    return [edit.what for edit in found.edits]


def hold_promises(found: Learned, *messages: str) -> None:
    """What every proposal promises, judged anew from its bytes."""
    proposal = WsdlDocument(WSDL_FILE, found.proposal.raw)
    check = SchemaCheck(proposal)
    for message in messages:
        assert check.check(envelope_of(message)) == ()
    replaced = any(edit.replaces for edit in found.edits)
    assert contract_difference(found.contract, proposal).old_valid_under_new is True or replaced


ONE_EDIT = {
    "an unknown element": (
        changed("<SubmitId>", "<RemoteId>7</RemoteId><SubmitId>"),
        "optional element RemoteId added",
        '<xs:element name="RemoteId" type="xs:string" minOccurs="0">',
    ),
    "an unknown element with children": (
        changed("<SubmitId>", "<Remote><Id>7</Id></Remote><SubmitId>"),
        "optional element Remote added",
        '<xs:element name="Remote" type="xs:anyType" minOccurs="0">',
    ),
    "an unknown element that repeats": (
        changed("<XDN>", "<Hop>1</Hop><Hop>2</Hop><XDN>"),
        "optional element Hop added",
        '<xs:element name="Hop" type="xs:string" minOccurs="0" maxOccurs="unbounded">',
    ),
    "an unknown element without a namespace": (
        changed("<SubmitId>", '<Id xmlns="">7</Id><SubmitId>'),
        "optional element Id added",
        '<xs:element name="Id" type="xs:string" form="unqualified" minOccurs="0">',
    ),
    "an unknown element of another namespace": (
        changed("<SubmitId>", '<Id xmlns="urn:other">7</Id><SubmitId>'),
        "optional element Id added",
        '<xs:element ref="ns1:Id" minOccurs="0">',
    ),
    "an unknown attribute": (
        changed("<Document>", '<Document lang="en">'),
        "attribute lang added",
        '<xs:attribute name="lang" type="xs:string">',
    ),
    "an unknown attribute of a plain text": (
        changed("<XDN>", '<XDN kind="domain">'),
        "attribute kind added",
        '<xs:extension base="xs:string">',
    ),
    "an unknown attribute of another namespace": (
        changed("<Document>", '<Document x:lang="en" xmlns:x="urn:other">'),
        "attributes of the namespace urn:other added",
        '<xs:anyAttribute namespace="urn:other" processContents="lax">',
    ),
    "a text for a number": (
        changed("<MRN>1000001", "<MRN>44a"),
        "type: xs:integer -> xs:string",
        '<xs:element name="MRN" type="xs:string">',
    ),
    "a fraction for a whole number": (
        changed("<StatusCode>0", "<StatusCode>1.5"),
        "type: xs:integer -> xs:decimal",
        '<xs:element name="StatusCode" type="xs:decimal">',
    ),
    "another enumerated value": (
        changed('format="base64"', 'format="hex"'),
        'enumeration value "hex" added',
        '<xs:enumeration value="hex">',
    ),
    "a missing element": (
        changed("<XDN>test2</XDN>", ""),
        "XDN: minOccurs 1 -> 0",
        '<xs:element name="XDN" type="xs:string" minOccurs="0">',
    ),
    "a missing attribute": (
        changed('<Property name="Subject">', "<Property>"),
        "attribute name: use required -> optional",
        '<xs:attribute name="name" type="xs:string" use="optional">',
    ),
    "one element too many": (
        changed("<SubmitId>", "<SubmitId>S0</SubmitId><SubmitId>"),
        "SubmitId: maxOccurs 1 -> unbounded",
        'minOccurs="0" maxOccurs="unbounded">',
    ),
    "another order": (
        changed("<XDN>test2</XDN>", "").replace("</MRN>", "</MRN><XDN>test2</XDN>"),
        "order: the elements may stand in any order",
        "<xs:all>",
    ),
    "another order of elements that repeat": (
        changed("<JobDocumentData>", '<JobDocumentData><JobDocumentDataExtension><Property name="a">b</Property>'
                "</JobDocumentDataExtension>"),
        "order: the elements may stand in any order, as often as one likes",
        '<xs:choice maxOccurs="unbounded" minOccurs="0">',
    ),
    "text between elements": (
        changed("<JobId>", "<JobId>test2"),
        "text may stand between the child elements",
        '<xs:complexType name="JobIdType" mixed="true">',
    ),
    "elements for a text": (
        changed("<XDN>test2</XDN>", "<XDN><Name>test2</Name></XDN>"),
        "type: xs:string -> xs:anyType",
        '<xs:element name="XDN" type="xs:anyType">',
    ),
    "a nil": (
        changed("<XDN>test2</XDN>", f'<XDN {XSI} xsi:nil="true"/>'),
        "XDN may be nil",
        'nillable="true"',
    ),
    "another letter case": (
        PUSH.replace("SubmitId", "SubmitID"),
        f"element SubmitId: or {{{VENDOR}}}SubmitID",
        '<xs:element name="SubmitID" type="xs:string">',
    ),
    "no header block": (
        changed(BLOCK, ""),
        f"header block {{{HEADER}}}Response no longer bound",
        "",
    ),
    "a root of another name": (
        PUSH.replace("JobDocumentTransmitResult", "JobDocumentTransmitPush"),
        f"element of the Body: {{{VENDOR}}}JobDocumentTransmitResult -> {{{VENDOR}}}JobDocumentTransmitPush",
        'element="tns:JobDocumentTransmitPush"',
    ),
    "a root in another namespace with all that is in it": (
        PUSH.replace(VENDOR, f"{VENDOR}/a"),
        f"namespace: {VENDOR} -> {VENDOR}/a",
        f'targetNamespace="{VENDOR}/a"',
    ),
    "a block that must be understood": (
        changed("<soapenv:Header>", '<soapenv:Header><x:Tx xmlns:x="urn:tx" soapenv:mustUnderstand="1">1</x:Tx>'),
        "header block {urn:tx}Tx bound",
        'part="header_Tx" use="literal"/>',
    ),
}  # fmt: skip


@pytest.mark.parametrize("deviation", ONE_EDIT)
def test_one_deviation_is_mended_by_one_small_edit(deviation: str, tmp_path: Path) -> None:
    message, what, text = ONE_EDIT[deviation]
    found = learned(message)
    assert told(found) == [what]
    assert text in found.proposal.raw.decode()
    hold_promises(found, message)
    path = tmp_path / "proposal.wsdl"
    path.write_bytes(found.proposal.raw)
    assert [judged.numbers for judged in verify(path) if judged.outcome == "fail"] == []


def test_traffic_that_fits_changes_nothing_and_confirms_what_it_uses() -> None:
    found = learned(PUSH)
    assert found.edits == ()
    assert found.proposal.raw == WSDL_FILE.read_bytes()
    outcomes = {one.where: one.outcome for one in found.constructs}
    assert outcomes["complexType JobIdType/element MRN"] == "confirmed"
    assert outcomes["complexType DocumentType/element DocumentExtension"] == "untouched"
    assert outcomes["element JobDocumentTransmitResult"] == "confirmed"
    assert outcomes["message JobDocumentTransmitResultMessage/part response_header"] == "confirmed"
    assert outcomes["element JobDocumentTransmitResultAck"] == "untouched"
    assert {one.mark for one in found.constructs} == {"INFERRED", "SIBLING"}
    assert "contradicted" not in outcomes.values()


def test_a_deviation_contradicts_the_construct_that_it_is_at_and_no_other() -> None:
    found = learned(PUSH, ONE_EDIT["a text for a number"][0])
    (one,) = [construct for construct in found.constructs if construct.outcome == "contradicted"]
    assert (one.where, one.mark, one.pushes, one.count) == (
        "complexType JobIdType/element MRN", "SIBLING", ("push2",), 1,
    )  # fmt: skip
    assert [(case.rule, case.count) for case in one.cases] == [("XSD-011", 1)]
    line = WSDL_FILE.read_text().splitlines()[(one.line or 0) - 1]
    assert 'name="MRN"' in line


@pytest.mark.parametrize("around", ["{}", "<Part>{}</Part>"])
def test_an_unknown_element_that_names_its_type_may_be_anything(around: str) -> None:
    named = f'<x:Z xmlns:x="urn:x" {XSI} xmlns:v="{VENDOR}" xsi:type="v:JobIdType"><XDN>a</XDN><MRN>1</MRN></x:Z>'
    message = changed("<SubmitId>", around.format(named) + "<SubmitId>")
    found = learned(changed("<SubmitId>", '<x:Z xmlns:x="urn:x">text</x:Z><SubmitId>'), message)
    hold_promises(found, message)
    assert 'name="Z" type="xs:anyType"' in found.proposal.raw.decode()


def test_what_was_not_edited_stays_as_it_was_written() -> None:
    found = learned(ONE_EDIT["an unknown element"][0])
    added = """
          <xs:element name="RemoteId" type="xs:string" minOccurs="0">
            <xs:annotation>
              <xs:documentation>INFERRED: seen in 1 push, in JobDocumentTransmitResult.</xs:documentation>
            </xs:annotation>
          </xs:element>"""
    text = found.proposal.raw.decode()
    assert text.count(added) == 1
    assert text.replace(added, "") == WSDL_FILE.read_text()
    assert [line for line in found.difference() if line.startswith("-")] == [f"--- {WSDL_FILE.name}"]
    assert found.proposal.mark([f"{{{VENDOR}}}JobDocumentTransmitResult", f"{{{VENDOR}}}RemoteId"]) == "INFERRED"


def test_common_types_that_all_came_in_the_header_namespace_move_there() -> None:
    message = in_header_namespace(PUSH)
    found = learned(message)
    assert told(found) == [f"type {name} moved to namespace {HEADER}" for name in ("StatusType", "JobIdType")]
    hold_promises(found, message)


OUTCOMES: dict[str, tuple[str, dict[str, str]]] = {
    "properties in a Segment": (
        in_segment(PUSH),
        {"complexType SegmentType": "contradicted", "complexType SegmentType/element Property": "contradicted",
         "complexType PropertyType": "untouched", "complexType JobIdType/element MRN": "confirmed"},
    ),
    "common types in the header namespace": (
        in_header_namespace(PUSH),
        {"complexType JobIdType/element MRN": "contradicted", "complexType StatusType/element StatusCode":
         "contradicted", "complexType StatusType/element StatusMessage": "untouched",
         "complexType DocumentType/element Filename": "confirmed"},
    ),
    "an unknown element": (
        ONE_EDIT["an unknown element"][0],
        {"complexType JobDocumentTransmitResultType": "contradicted",
         "complexType JobDocumentTransmitResultType/element SubmitId": "confirmed"},
    ),
    "an unknown attribute": (ONE_EDIT["an unknown attribute"][0], {"complexType DocumentType": "contradicted"}),
    "a text for a number": (
        ONE_EDIT["a text for a number"][0],
        {"complexType JobIdType/element MRN": "contradicted", "complexType JobIdType/element XDN": "confirmed"},
    ),
    "no header block": (
        ONE_EDIT["no header block"][0],
        {"message JobDocumentTransmitResultMessage/part response_header": "contradicted",
         "element Response": "untouched", "element JobDocumentTransmitResult": "confirmed"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OUTCOMES)
def test_each_marked_construct_is_confirmed_contradicted_or_untouched_with_the_pushes_that_show_it(case: str) -> None:
    message, outcomes = OUTCOMES[case]
    found = learned(message, message)
    assert {one.where: one.outcome for one in found.constructs}.items() >= outcomes.items()
    for one in found.constructs:
        assert (one.pushes == ("push1", "push2")) is (one.outcome != "untouched"), one
        assert bool(one.cases) is (one.outcome == "contradicted")
    assert all(edit.pushes == ("push1", "push2") for edit in found.edits)


def test_where_both_namespaces_came_both_are_allowed() -> None:
    found = learned(PUSH, in_header_namespace(PUSH))
    assert told(found) == [f"element {name}: or {{{HEADER}}}{name}" for name in COMMON]
    assert contract_difference(found.contract, found.proposal).old_valid_under_new is True
    hold_promises(found, PUSH, in_header_namespace(PUSH))


def test_properties_inside_a_segment_need_two_edits() -> None:
    found = learned(in_segment(PUSH), PUSH)
    assert told(found) == ["optional element Segment added", "Property: minOccurs 1 -> 0"]
    assert found.edits[0].pushes == ("push1",)
    hold_promises(found, PUSH, in_segment(PUSH))


def test_another_header_block_that_every_push_has_takes_the_place_of_the_missing_one() -> None:
    other = BLOCK.replace("Response", "Request").replace("SenderKey", "ReceiverKey")
    authentication = "<XDDSAuth><RequesterID>a</RequesterID><Password>b</Password></XDDSAuth>"
    other = changed("<ProcessingID>0A000001-0001-1000001</ProcessingID>",
                    f"<Authentication>{authentication}</Authentication>", other)  # fmt: skip
    found = learned(changed(BLOCK, other))
    assert told(found) == [f"header block: {{{HEADER}}}Response -> {{{HEADER}}}Request"]
    hold_promises(found, changed(BLOCK, other))


def test_a_header_block_that_only_some_pushes_lack_is_not_bound_any_more() -> None:
    found = learned(PUSH, changed(BLOCK, ""))
    assert [edit.pushes for edit in found.edits] == [("push2",)]
    hold_promises(found, PUSH, changed(BLOCK, ""))


def test_two_roots_are_left_because_one_part_holds_one() -> None:
    found = learned(PUSH, ONE_EDIT["a root of another name"][0])
    assert found.edits == ()
    assert [(case.rule, list(case.pushes)) for case in found.rest.cases.values()] == [("XSD-001", ["push2"])]


def test_what_no_edit_mends_is_left_beside_what_one_does() -> None:
    twice = changed(BLOCK, BLOCK + BLOCK)
    found = learned(changed("<XDN>test2</XDN>", "", twice))
    assert told(found) == ["XDN: minOccurs 1 -> 0"]
    assert [case.rule for case in found.rest.cases.values()] == ["XSD-003"]


def test_what_is_not_xml_or_not_soap_is_left_out_and_counted() -> None:
    found = learned(b"report", b"<report/>", PUSH.replace("soap/envelope/", "soap/envelope/2"), PUSH)
    assert found.seen.left_out == ["push1", "push2", "push3"]
    assert found.seen.judged == ["push4"]
    assert found.edits == ()


@pytest.mark.parametrize("content_type", ["text/xml; charset=iso-8859-1", "application/octet-stream", None])
def test_a_message_is_read_in_the_charset_of_its_content_type_where_that_names_one(content_type: str | None) -> None:
    raw = changed("<SubmitId>", "<Löschung>7</Löschung><SubmitId>")
    if content_type is not None and "iso" in content_type:
        raw = raw.replace(' encoding="UTF-8"', "")
        sent = raw.encode("iso-8859-1")
    else:
        sent = raw.encode()
    push = RawPush("push1", lambda: closing(io.BytesIO(sent)), content_type)
    assert told(learn(shipped_wsdl(), Traffic([push], OwnSettings()))) == ["optional element Löschung added"]


def test_a_push_that_is_put_out_meanwhile_is_no_part_of_the_traffic() -> None:
    def gone() -> closing[io.BytesIO]:
        raise NoSuchPush("put out")

    found = learn(shipped_wsdl(), Traffic([RawPush("gone", gone, None)], OwnSettings()))
    assert (found.seen.judged, found.seen.left_out) == ([], [])


def test_at_most_five_pushes_are_told_and_all_are_counted() -> None:
    found = learned(*[ONE_EDIT["an unknown element"][0]] * 7)
    (edit,) = found.edits
    assert (len(edit.pushes), edit.count) == (TOLD_PUSHES, 7)
    assert "INFERRED: seen in 7 pushes, in" in found.proposal.raw.decode()


def test_a_credential_is_never_written_into_the_proposal(tmp_path: Path) -> None:
    secret = schema(
        '<xs:element name="Push"><xs:complexType><xs:sequence><xs:element name="Password" type="t:Kind"/></xs:sequence>'
        '</xs:complexType></xs:element><xs:simpleType name="Kind"><xs:restriction base="xs:string">'
        '<xs:enumeration value="a"/></xs:restriction></xs:simpleType>'
    )
    message = body('<Push xmlns="urn:t"><Password>hunter2</Password></Push>')
    found = learned(message, wsdl=a_wsdl(tmp_path, secret))
    assert told(found) == ["type: t:Kind -> xs:string"]
    assert b"hunter2" not in found.proposal.raw


def test_a_schema_in_a_file_beside_the_wsdl_is_not_edited(tmp_path: Path) -> None:
    beside = schema('<xs:element name="Push"><xs:complexType><xs:sequence><xs:element name="A" type="xs:int"/>'
                    "</xs:sequence></xs:complexType></xs:element>")  # fmt: skip
    declared = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" '
    (tmp_path / "beside.xsd").write_text(beside.replace("<xs:schema ", declared))
    wsdl = a_wsdl(tmp_path, schema('<xs:include schemaLocation="beside.xsd"/>'))
    found = learned(body('<Push xmlns="urn:t"><A>one</A></Push>'), wsdl=wsdl)
    assert found.edits == ()
    assert [case.rule for case in found.rest.cases.values()] == ["XSD-011"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_the_proposal_is_in_the_encoding_of_the_file(tmp_path: Path, encoding: str) -> None:
    text = WSDL_FILE.read_text().replace('encoding="UTF-8"', f'encoding="{encoding}"')
    path = tmp_path / "other.wsdl"
    path.write_bytes(text.encode(encoding))
    found = learned(ONE_EDIT["an unknown element"][0], wsdl=WsdlDocument.load(path))
    assert told(found) == ["optional element RemoteId added"]
    assert found.proposal.raw.startswith(codecs.BOM_UTF16) is (encoding == "utf-16")
    assert 'name="RemoteId"' in found.proposal.raw.decode(encoding)
    assert found.difference()


def random_vendor(chance: random.Random) -> WsdlDocument:
    """The shipped contract with one to five edits, drawn again until they make a contract."""
    while True:
        root = shipped_wsdl().root
        for _ in range(chance.randrange(1, 6)):
            root = edited(root, chance)
        with contextlib.suppress(ContractError):
            vendor = WsdlDocument(WSDL_FILE, etree.tostring(root))
            CompiledSchema(vendor)
            return vendor


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_traffic_of_a_contract_with_random_differences_is_valid_by_the_proposal(seed: int) -> None:
    chance = random.Random(seed)
    vendor = random_vendor(chance)
    instances, operation = Instances(vendor.schema, chance), vendor.operations[0]

    def message(names: tuple[str, ...]) -> str:
        return "".join(etree.tostring(instances.element(vendor.schema.elements[name])).decode() for name in names)

    messages = [body(message((operation.input_element,)), message(operation.header_blocks)) for _ in range(4)]
    hold_promises(learned(*messages), *messages)
