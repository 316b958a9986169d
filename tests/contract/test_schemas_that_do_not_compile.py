"""A schema that does not compile is refused with file and line, wherever it lies and whoever asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.errors import ContractError
from tests.commands import soapsvc
from tests.contract.reading import a_wsdl, schema

PUSH = """
<xs:element name="Push"><xs:complexType><xs:sequence>
  <xs:element name="A" type="t:S"/>
</xs:sequence></xs:complexType></xs:element>
"""
FAULTS = {
    "a circular simple type": '<xs:simpleType name="S"><xs:restriction base="t:S"/></xs:simpleType>',
    "occurs that are no number": """<xs:complexType name="S"><xs:sequence>
        <xs:element name="B" minOccurs="x"/></xs:sequence></xs:complexType>""",
    "an empty simple type": '<xs:simpleType name="S"/>',
    "a facet that is no value": """<xs:simpleType name="S"><xs:restriction base="xs:int"><xs:maxInclusive value="abc"/>
        </xs:restriction></xs:simpleType>""",
    "a circular extension": """<xs:complexType name="S"><xs:complexContent><xs:extension base="t:S"/></xs:complexContent>
        </xs:complexType>""",
    "a circular group": """<xs:group name="G"><xs:sequence><xs:group ref="t:G"/></xs:sequence></xs:group>
        <xs:complexType name="S"><xs:group ref="t:G"/></xs:complexType>""",
    "a type that is not there": '<xs:simpleType name="S"><xs:restriction base="t:Nowhere"/></xs:simpleType>',
    "a built-in type that is not there": '<xs:simpleType name="S"><xs:restriction base="xs:strin"/></xs:simpleType>',
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_refusal_names_file_and_line(tmp_path: Path, fault: str) -> None:
    wsdl = a_wsdl(tmp_path, schema(PUSH + FAULTS[fault]))
    with pytest.raises(ContractError, match="do not compile") as refused:
        CompiledSchema(wsdl)
    assert refused.value.file == wsdl.path
    lines = wsdl.path.read_text().splitlines()
    first = next(n for n, line in enumerate(lines, 1) if 'name="A"' in line)
    assert refused.value.line is not None
    assert first <= refused.value.line <= first + FAULTS[fault].count("\n") + 2


@pytest.mark.parametrize("command", ["show", "classes"])
@pytest.mark.parametrize("fault", ["a circular simple type", "a built-in type that is not there"])
def test_the_command_line_refuses_it_too(tmp_path: Path, command: str, fault: str) -> None:
    path = a_wsdl(tmp_path, schema(PUSH + FAULTS[fault])).path
    done = soapsvc("contract", command, *(("--wsdl", str(path)) if command == "show" else (str(path),)))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{path}, line " in done.stderr


def test_a_fault_in_a_file_beside_the_wsdl_is_told_with_that_file_and_its_line(tmp_path: Path) -> None:
    (tmp_path / "types.xsd").write_text("""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
        targetNamespace="urn:u">
      <xs:element name="First" type="xs:int"/>
      <xs:element name="Second" type="xs:strin"/></xs:schema>""")
    imported = '<xs:import namespace="urn:u" schemaLocation="types.xsd"/><xs:element name="Push" type="xs:int"/>'
    wsdl = a_wsdl(tmp_path, schema(imported))
    with pytest.raises(ContractError) as refused:
        CompiledSchema(wsdl)
    assert (refused.value.file, refused.value.line) == (tmp_path / "types.xsd", 4)


def test_a_circular_substitution_group_is_refused_with_its_line(tmp_path: Path) -> None:
    circle = '<xs:element name="Q" substitutionGroup="t:R"/><xs:element name="R" substitutionGroup="t:Q"/>'
    with pytest.raises(ContractError, match="substitution group is circular") as refused:
        a_wsdl(tmp_path, schema('<xs:element name="Push"/>' + circle))
    assert refused.value.file == str(tmp_path / "made.wsdl")
    assert refused.value.line


def test_what_xmlschema_cannot_read_is_refused(tmp_path: Path) -> None:
    empty = '<xs:group name="G"/><xs:element name="Push"><xs:complexType><xs:group ref="t:G"/></xs:complexType></xs:element>'
    with pytest.raises(ContractError, match=r"made\.wsdl: the schemas cannot be read"):
        CompiledSchema(a_wsdl(tmp_path, schema(empty)))


# What compiles -------------------------------------------------------------------------------------------------------


def test_a_reference_to_an_attribute_of_the_envelope_needs_no_schema(tmp_path: Path) -> None:
    soap = "http://schemas.xmlsoap.org/soap/envelope/"
    block = f"""<xs:import namespace="{soap}"/><xs:element name="Push"/><xs:element name="H"><xs:complexType>
        <xs:attribute xmlns:e="{soap}" ref="e:mustUnderstand"/></xs:complexType></xs:element>"""
    wsdl = a_wsdl(tmp_path, schema(block), header="t:H")
    compiled = CompiledSchema(wsdl)
    assert set(compiled.components.maps.elements["{urn:t}H"].attributes) == {f"{{{soap}}}mustUnderstand"}
    (use,) = wsdl.schema.attributes(wsdl.schema.type_of(wsdl.schema.elements["{urn:t}H"]))
    assert use.name == f"{{{soap}}}mustUnderstand"


BARE = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="Bare" type="xs:int"/></xs:schema>'
HOLDS_BARE = '<xs:element name="Push"><xs:complexType><xs:sequence><xs:element ref="{}"/></xs:sequence></xs:complexType></xs:element>'


def test_what_refers_to_an_imported_schema_without_a_namespace_means_none(tmp_path: Path) -> None:
    (tmp_path / "bare.xsd").write_text(BARE)
    imported = '<xs:import schemaLocation="bare.xsd"/>'
    wsdl = a_wsdl(tmp_path, schema(imported + HOLDS_BARE.format("Bare")))
    CompiledSchema(wsdl)
    (child,) = wsdl.schema.children(wsdl.schema.type_of(wsdl.schema.elements["{urn:t}Push"]))
    assert child.name == "Bare"


def test_an_included_schema_without_a_namespace_has_that_of_the_one_that_includes_it(tmp_path: Path) -> None:
    more = BARE.replace("</xs:schema>", '<xs:element name="Holds"><xs:complexType><xs:sequence><xs:element ref="Bare"/>'
                        "</xs:sequence></xs:complexType></xs:element></xs:schema>")  # fmt: skip
    (tmp_path / "bare.xsd").write_text(more)
    wsdl = a_wsdl(tmp_path, schema('<xs:include schemaLocation="bare.xsd"/>' + HOLDS_BARE.format("t:Holds")))
    CompiledSchema(wsdl)
    (child,) = wsdl.schema.children(wsdl.schema.type_of(wsdl.schema.elements["{urn:t}Holds"]))
    assert child.name == "{urn:t}Bare"


def test_a_file_address_is_not_called_a_network(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"schemaLocation file:///x\.xsd is no relative location"):
        a_wsdl(
            tmp_path, schema('<xs:import namespace="urn:u" schemaLocation="file:///x.xsd"/><xs:element name="Push"/>')
        )
