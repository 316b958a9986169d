"""Which element holds a document is told by its declaration, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from soapsvc.contract.roles import read_push
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.records import Push
from tests.contract.reading import ARRIVAL, a_wsdl, body, envelope_of, schema

FACET = """<xs:element name="{}"><xs:simpleType><xs:restriction base="xs:base64Binary"><xs:maxLength value="99"/>
    </xs:restriction></xs:simpleType></xs:element>"""


def of(folder: Path, members: str, beside: str = "") -> WsdlDocument:
    push = f'<xs:element name="Push"><xs:complexType><xs:sequence>{members}</xs:sequence></xs:complexType></xs:element>'
    return a_wsdl(folder, schema(push + beside))


def pushed(wsdl: WsdlDocument, content: str) -> Push:
    message = body(f'<Push xmlns="urn:t">{content}</Push>')
    push, deviations = read_push(envelope_of(message, wsdl.document_names), ARRIVAL, wsdl)
    assert deviations == ()
    return push


def documents(push: Push) -> list[tuple[str | None, bytes | None]]:
    return [(document.filename, document.content.inline) for document in push.documents]


def test_a_document_with_a_facet_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    wsdl = of(tmp_path, '<xs:element name="Filename" type="xs:string"/>' + FACET.format("Content"))
    push = pushed(wsdl, "<Filename>a.csv</Filename><Content>am9i</Content>")
    assert documents(push) == [("a.csv", b"job")]


def test_a_document_whose_name_another_type_has_elsewhere_is_read_and_the_other_is_not(tmp_path: Path) -> None:
    numbered = """<xs:element name="Numbers"><xs:complexType><xs:sequence><xs:element name="report" type="xs:int"/>
        </xs:sequence></xs:complexType></xs:element>"""
    wsdl = of(tmp_path, '<xs:element name="Report" type="xs:base64Binary"/>' + numbered)
    push = pushed(wsdl, "<Report>am9i</Report><Numbers><report>1234</report></Numbers>")
    assert documents(push) == [(None, b"job")]


def test_documents_in_the_tree_and_out_of_it_keep_their_order(tmp_path: Path) -> None:
    wsdl = of(tmp_path, FACET.format("A") + '<xs:element name="B" type="xs:base64Binary"/>' + FACET.format("C"))
    assert wsdl.document_names == {"b", "docdata"}
    push = pushed(wsdl, "<A>YQ==</A><B>Yg==</B><C>Yw==</C>")
    assert [content for _, content in documents(push)] == [b"a", b"b", b"c"]


def test_an_element_that_only_a_wildcard_admits_is_no_document_that_is_lost(tmp_path: Path) -> None:
    anything = '<xs:any processContents="skip" namespace="##other"/>'
    wsdl = of(tmp_path, anything, FACET.format("Content"))
    assert documents(pushed(wsdl, '<Content xmlns="urn:elsewhere">am9i</Content>')) == [(None, b"job")]


def test_a_document_in_a_header_block_is_one_beside_documents_with_a_facet(tmp_path: Path) -> None:
    wsdl = of(tmp_path, FACET.format("Content"))
    block = '<h:Block xmlns:h="urn:h"><h:DocData>aGVhZA==</h:DocData></h:Block>'
    message = body('<Push xmlns="urn:t"><Content>am9i</Content></Push>', block)
    push, _ = read_push(envelope_of(message, wsdl.document_names), ARRIVAL, wsdl)
    assert documents(push) == [(None, b"head"), (None, b"job")]


@pytest.mark.parametrize("facet", ["", '<xs:maxLength value="99"/>'])
def test_a_property_of_base64_binary_is_a_property(tmp_path: Path, facet: str) -> None:
    binary = (
        f'<xs:simpleType name="Binary"><xs:restriction base="xs:base64Binary">{facet}</xs:restriction></xs:simpleType>'
    )
    named = '<xs:attribute name="name" type="xs:string"/>'
    members = f"""<xs:element name="Property"><xs:complexType><xs:simpleContent><xs:extension base="t:Binary">{named}
        </xs:extension></xs:simpleContent></xs:complexType></xs:element>"""
    push = pushed(of(tmp_path, members, binary), '<Property name="Picture">am9i</Property>')
    assert [(p.name, p.value) for p in push.properties] == [("Picture", "am9i")]
    assert push.documents == ()


@pytest.mark.parametrize("name", ["SubmitId", "MRN", "Filename", "DocType", "ProcessingID"])
def test_an_element_with_a_role_of_its_own_is_no_document(tmp_path: Path, name: str) -> None:
    wsdl = of(tmp_path, f'<xs:element name="{name}" type="xs:base64Binary"/>')
    assert pushed(wsdl, f"<{name}>am9i</{name}>").documents == ()
