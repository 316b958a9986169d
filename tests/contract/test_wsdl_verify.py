"""`contract verify`: each rule passes on the shipped file and sees an edit that breaks it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from soapsvc.contract.wsdl_rules import Judged, verify
from soapsvc.errors import ContractError
from soapsvc.namespaces import WSDL11, XML_SCHEMA
from soapsvc.shipped import WSDL_FILE
from tests.contract.test_contract_difference import EDITS

TEXT = WSDL_FILE.read_text(encoding="utf-8")
IMPORT = '<wsdl:import namespace="{}" location="{}"/><wsdl:types>'
BODY = '<soap:body parts="parameter" use="literal"/>\n      </wsdl:output>'
OPERATION_END = "    </wsdl:operation>\n  </wsdl:portType>"
BOUND_END = "    </wsdl:operation>\n  </wsdl:binding>"

BREAKING: dict[str, tuple[str, str]] = {
    "R2028, R2029": ('parts="parameter" use="literal"', 'parts="parameter" use="other"'),
    "R2001, R2002": ("<wsdl:types>", IMPORT.format("urn:x", "types.xsd")),
    "R2003, R2004": ("<wsdl:types>", f'<xs:import xmlns:xs="{XML_SCHEMA}" namespace="urn:x"/><wsdl:types>'),
    "R2007": ("<wsdl:types>", IMPORT.format("urn:x", "")),
    "R2803": ("<wsdl:types>", IMPORT.format("relative", "x.wsdl")),
    "R2005": ("<wsdl:types>", IMPORT.format("urn:x", "http://x.example/x.wsdl")),
    "R2022, R2023": ("</wsdl:types>", '</wsdl:types><wsdl:import namespace="urn:x" location="x.wsdl"/>'),
    "R2026": ("<soap:address", f'<soap:address xmlns:wsdl="{WSDL11}" wsdl:required="true"'),
    "R4003, R4004": ('encoding="UTF-8"', 'encoding="ISO-8859-1"'),
    "R2101, R2102": ('type="tns:JobIdType"', 'type="hdr:JobIdType2"'),
    "R2105": ('targetNamespace="http://premconn.premiereconnect.com/2007/02"', ""),
    "R2110, R2111": ("<xs:attribute ", '<xs:attribute wsdl:arrayType="xs:string[]" '),
    "R2112": ('name="SegmentType"', 'name="ArrayOfProperty"'),
    "R2201, R2210": ('<soap:body parts="parameter"', '<soap:body parts="parameter response_header"'),
    "R2204, R2205": ('element="hdr:Response"', 'type="hdr:ResponseType"'),
    "R2206": ('element="hdr:Response"', 'element="hdr:ResponseType"'),
    "R2306": ('element="hdr:Response"', 'element="hdr:Response" type="hdr:ResponseType"'),
    "R2209": ('<soap:header message="tns:JobDocumentTransmitResultMessage" part="response_header" use="literal"/>', ""),
    "R2303": ('<wsdl:input message="tns:JobDocumentTransmitResultMessage"/>', ""),
    "R2304": (OPERATION_END, '</wsdl:operation><wsdl:operation name="JobDocumentTransmitResult">'
                             '<wsdl:input message="tns:JobDocumentTransmitResultMessage"/>' + OPERATION_END),
    "R2401": ('<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>', ""),
    "R2701, R2702": ("http://schemas.xmlsoap.org/soap/http", "http://schemas.xmlsoap.org/soap/smtp"),
    "R2705": (BOUND_END, '</wsdl:operation><wsdl:operation name="Other"><soap:operation style="rpc"/>' + BOUND_END),
    "R2706, R2723": ('part="response_header" use="literal"', 'part="response_header" use="encoded"'),
    "R2710": (BOUND_END, """</wsdl:operation><wsdl:operation name="JobDocumentTransmitResult"><soap:operation soapAction=""/>
      <wsdl:input><soap:body parts="parameter" use="literal"/></wsdl:input>
      <wsdl:output><soap:body parts="parameter" use="literal"/></wsdl:output>""" + BOUND_END),
    "R2711": ("</wsdl:service>", """<wsdl:port name="Other" binding="tns:JobDocumentTransmitResultBinding">
      <soap:address location="http://receiver.example.com/push"/></wsdl:port></wsdl:service>"""),
    "R2716": (BODY, BODY.replace("use", 'namespace="urn:x" use')),
    "R2718": ("</wsdl:portType>", """<wsdl:operation name="Other">
      <wsdl:input message="tns:JobDocumentTransmitResultMessage"/></wsdl:operation></wsdl:portType>"""),
    "R2720, R2749": ('part="response_header"', 'parts="response_header"'),
    "R2721, R2754": ("      </wsdl:output>\n    </wsdl:operation>", """      </wsdl:output>
      <wsdl:fault name="a"><soap:fault name="b" use="literal"/></wsdl:fault></wsdl:operation>"""),
    "R2800, R2801": ('<xs:extension base="xs:string">', "<xs:extension>"),
    "soapsvc": ('style="document"', 'style="rpc"'),
}  # fmt: skip


def judged(folder: Path, text: str) -> dict[str, Judged]:
    path = folder / "contract.wsdl"
    path.write_text(text, encoding="utf-8")
    (folder / "types.xsd").write_text(f'<xs:schema xmlns:xs="{XML_SCHEMA}" targetNamespace="urn:x"/>')
    return {one.numbers: one for one in verify(path)}


def test_the_shipped_file_breaks_no_rule(tmp_path: Path) -> None:
    found = judged(tmp_path, TEXT)
    assert [one for one in found.values() if one.outcome == "fail"] == []
    assert {numbers for numbers, one in found.items() if one.outcome == "not applicable"} == {
        "R2001, R2002", "R2003, R2004", "R2007", "R2803", "R2005", "R2721, R2754",
    }  # fmt: skip


def test_every_rule_has_an_edit_that_breaks_it(tmp_path: Path) -> None:
    assert list(judged(tmp_path, TEXT)) == list(BREAKING)


@pytest.mark.parametrize("numbers", BREAKING)
def test_a_broken_rule_is_told_with_its_line(tmp_path: Path, numbers: str) -> None:
    old, new = BREAKING[numbers]
    assert old in TEXT, "the edit fits the file"
    judgement = judged(tmp_path, TEXT.replace(old, new))[numbers]
    assert judgement.outcome == "fail"
    for breach in judgement.breaches:
        assert breach.file == "contract.wsdl"
        assert breach.found


def test_every_edit_that_still_is_a_contract_is_judged_without_an_error(tmp_path: Path) -> None:
    from lxml import etree

    for edit, _, _ in list(EDITS.values())[::3]:
        root = etree.fromstring(WSDL_FILE.read_bytes())
        edit(root)
        assert "soapsvc" in judged(tmp_path, etree.tostring(root).decode())


def test_a_schema_in_a_file_beside_is_judged_by_its_own_lines(tmp_path: Path) -> None:
    schema = f"""<xs:schema xmlns:xs="{XML_SCHEMA}" targetNamespace="urn:x">

<xs:complexType name="ArrayOfThings"/></xs:schema>"""
    text = TEXT.replace("<wsdl:types>", f'<wsdl:types><xs:schema xmlns:xs="{XML_SCHEMA}">'
                                        '<xs:import namespace="urn:x" schemaLocation="beside.xsd"/></xs:schema>')  # fmt: skip
    (tmp_path / "beside.xsd").write_text(schema)
    (breach,) = judged(tmp_path, text)["R2112"].breaches
    assert (breach.file, breach.line, breach.found) == ("beside.xsd", 3, "ArrayOfThings")


def test_a_wsdl_whose_answer_cannot_be_filled_is_one_that_cannot_be_served(tmp_path: Path) -> None:
    start = TEXT.index('<xs:complexType name="JobDocumentTransmitResultAckType">')
    at = TEXT.index("</xs:sequence>", start)
    text = f'{TEXT[:at]}<xs:element name="Receipt" type="xs:string"/>{TEXT[at:]}'
    one = judged(tmp_path, text)["soapsvc"]
    assert one.outcome == "fail"
    assert "the acknowledgement demands JobDocumentTransmitResultAck/Receipt" in one.breaches[0].found
    assert one.breaches[0].line


def test_what_is_no_wsdl_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.wsdl"
    shutil.copy(WSDL_FILE.parent.parent / "samples" / "sampleReport.xml", other)
    with pytest.raises(ContractError, match="the root element is"):
        verify(other)
