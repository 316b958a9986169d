"""WSDLs that other tools write: each gives classes that start and a service, or a refusal with its line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from lxml import etree

from soapsvc.contract.class_generator import generate
from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.contract.push_service import PushService
from soapsvc.contract.schema_difference import Difference, differences
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.errors import ContractError
from soapsvc.namespaces import XML_SCHEMA
from soapsvc.records import Accepted, Arrival, Conformance, Push, PushKind, Verdict
from soapsvc.spool import Content
from tests.contract.generated import application_of, module_of, schema_of
from tests.contract.reading import a_wsdl, schema

AT = datetime(2012, 11, 4, 13, 20, 1, tzinfo=UTC)


def element(name: str, of: str = "xs:string") -> str:
    return f'<xs:element name="{name}" type="{of}"/>'


def push_type(content: str, beside: str = "") -> str:
    of_type = f'<xs:complexType name="Type">{content}</xs:complexType>'
    return schema(element("Push", "t:Type") + of_type + beside)


def sequence(*names: str, of: str = "xs:string") -> str:
    return f"<xs:sequence>{''.join(element(name, of) for name in names)}</xs:sequence>"


def take(push: Push, verdict: Verdict) -> Accepted:
    return Accepted("1k0z12ct1vsspsqchwyj", AT, push.submit_id)


def acknowledged(service: PushService, root: str) -> bytes:
    arrival, raw, digest = Arrival(AT, "192.0.2.1"), Content.of(b""), "0" * 64
    one = Push(arrival, raw, PushKind.REPORT, root, None, "S-1", None, None, (), (), {}, digest)
    return service.dispatch(one, Verdict(Conformance.STRICT, "0" * 64))


def module(wsdl: WsdlDocument) -> ModuleType:
    """The generated module; that Spyne starts on it and derives a schema, and that a service starts, is held here."""
    made = module_of(generate(wsdl))
    application_of(made)
    schema_of(made)
    PushService(wsdl, take)
    return made


def members(made: ModuleType, name: str = "Type") -> dict[str, str]:
    """Python name to name on the wire, of the members of a class."""
    of = getattr(made, name)
    return {python: member.Attributes.sub_name or python for python, member in of.get_flat_type_info(of).items()}


# Names ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["get_type_name", "get_namespace", "_type_info", "__x", "None", "as_dict", "Empty"])
def test_an_element_whose_name_spyne_or_python_has_keeps_it_on_the_wire(tmp_path: Path, name: str) -> None:
    assert list(members(module(a_wsdl(tmp_path, push_type(sequence("A", name))))).values()) == ["A", name]


def test_elements_that_would_get_the_same_name_in_python_get_two(tmp_path: Path) -> None:
    made = members(module(a_wsdl(tmp_path, push_type(sequence("class", "class_")))))
    assert made == {"class__": "class", "class_": "class_"}


def test_attributes_whose_names_spyne_has_are_left_out_and_listed(tmp_path: Path) -> None:
    names = ("Attributes", "Annotations", "customize", "class")
    attributes = "".join(f'<xs:attribute name="{name}" type="xs:string"/>' for name in names)
    made = module(a_wsdl(tmp_path, push_type(sequence("A") + attributes)))
    assert members(made) == {"A": "A"}
    for name in names:
        assert f"Type: attribute {name} has a name that Spyne keeps for itself and is left out" in made.NOT_EXPRESSED


def test_simple_content_beside_attributes_named_value_and_text_is_kept(tmp_path: Path) -> None:
    attributes = '<xs:attribute name="value" type="xs:string"/><xs:attribute name="text" type="xs:string"/>'
    content = f'<xs:simpleContent><xs:extension base="xs:string">{attributes}</xs:extension></xs:simpleContent>'
    assert set(members(module(a_wsdl(tmp_path, push_type(content))))) == {"text_2", "value", "text"}


def test_a_member_that_an_extension_repeats_is_kept_once_and_listed(tmp_path: Path) -> None:
    base = f'<xs:complexType name="A">{sequence("P")}</xs:complexType>'
    content = (
        f'<xs:complexContent><xs:extension base="t:A">{sequence("P", of="xs:int")}</xs:extension></xs:complexContent>'
    )
    made = module(a_wsdl(tmp_path, push_type(content, base)))
    assert "Type: element P stands in more than one place; the first alone is kept" in made.NOT_EXPRESSED


# Header blocks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["xs:string", "xs:anyType"])
def test_a_header_block_that_spyne_has_no_class_for_is_left_out_and_listed(tmp_path: Path, of: str) -> None:
    wsdl = a_wsdl(tmp_path, push_type(sequence("A"), f'<xs:element name="Token" type="{of}"/>'), header="t:Token")
    made = module(wsdl)
    assert made.T.public_methods["Push"].in_header is None
    assert "operation Push: header block {urn:t}Token is left out: no class has its name" in made.NOT_EXPRESSED


def test_a_header_block_with_the_name_of_another_type_is_not_taken_for_that(tmp_path: Path) -> None:
    beside = f"""<xs:element name="Auth" type="t:Right"/><xs:complexType name="Right">{sequence("Yes")}</xs:complexType>
        <xs:complexType name="Auth">{sequence("No")}</xs:complexType>"""
    made = module(a_wsdl(tmp_path, push_type(sequence("A"), beside), header="t:Auth"))
    assert made.T.public_methods["Push"].in_header is None


# Types ---------------------------------------------------------------------------------------------------------------


def test_a_type_that_extends_the_type_which_holds_it_has_that_for_its_base(tmp_path: Path) -> None:
    kid = '<xs:sequence><xs:element name="Kid" type="t:B" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>'
    beside = f"""<xs:complexType name="A">{kid}</xs:complexType><xs:complexType name="B"><xs:complexContent>
        <xs:extension base="t:A">{sequence("Extra")}</xs:extension></xs:complexContent></xs:complexType>"""
    made = module(a_wsdl(tmp_path, push_type(sequence("T", of="t:A"), beside)))
    assert issubclass(made.B, made.A)
    assert "A_Kid: its type extends a type that holds it; its place is any XML" in made.NOT_EXPRESSED


@pytest.mark.parametrize(
    ("of", "bound"), [("positiveInteger", "ge=1"), ("negativeInteger", "le=-1"), ("nonPositiveInteger", "le=0")]
)
def test_an_integer_that_is_bounded_stays_so(tmp_path: Path, of: str, bound: str) -> None:
    wsdl = a_wsdl(tmp_path, push_type(sequence("N", of=f"xs:{of}")))
    assert f"N = Integer.customize({bound}, min_occurs=1" in generate(wsdl)
    assert not [sentence for sentence in module(wsdl).NOT_EXPRESSED if "read as" in sentence]


def test_two_choices_of_a_type_and_of_the_type_that_it_extends_stay_apart(tmp_path: Path) -> None:
    def choices(*pairs: str) -> str:
        each = (sequence(*pair).replace("sequence>", "choice>") for pair in pairs)
        return f"<xs:sequence>{''.join(f'<xs:sequence>{one}</xs:sequence>' for one in each)}</xs:sequence>"

    base = f'<xs:complexType name="A">{choices("PQ")}</xs:complexType>'
    content = f'<xs:complexContent><xs:extension base="t:A">{choices("CD", "FG")}</xs:extension></xs:complexContent>'
    of = module(a_wsdl(tmp_path, push_type(content, base))).Type
    groups = {name: member.Attributes.xml_choice_group for name, member in of.get_flat_type_info(of).items()}
    assert groups == {"P": "choice0", "Q": "choice0", "C": "choice1", "D": "choice1", "F": "choice2", "G": "choice2"}


def test_all_documentation_of_a_component_is_told(tmp_path: Path) -> None:
    texts = "".join(f"<xs:documentation>{text}</xs:documentation>" for text in ("First.", "", "Second."))
    annotated = f"<xs:annotation>{texts}</xs:annotation>{sequence('A')}"
    assert module(a_wsdl(tmp_path, push_type(annotated))).Type.__doc__ == "First. Second."


NOT_EXPRESSED = {
    "a nillable body element": (
        schema('<xs:element name="Push" nillable="true" type="xs:int"/>'),
        "Push: nillable is left out at a global element",
    ),
    "a body element that is abstract": (
        push_type(sequence("A"), '<xs:element name="Head" abstract="true" type="t:Type"/>'),
        "Head: abstract is left out at a global element",
    ),
    "a substitution group": (
        push_type(sequence("A"), '<xs:element name="H" type="t:Type"/><xs:element name="S" substitutionGroup="t:H"/>'),
        "S: that it may stand for t:H is left out",
    ),
    "a default value of a body element": (
        schema('<xs:element name="Push" default="1" type="xs:int"/>'),
        "Push: default value '1' is left out at a global element",
    ),
    "a repeated choice": (
        push_type(sequence("A", "B").replace("sequence>", 'choice>').replace("<xs:choice>", '<xs:choice maxOccurs="9">')),
        "Type: a repeated or optional group is written as single elements",
    ),
    "a sequence in a choice": (
        push_type(f"<xs:choice>{sequence('A', 'B')}{sequence('C')}</xs:choice>"),
        "Type: a sequence in an xs:choice is written as single members of that",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_EXPRESSED)
def test_what_spyne_cannot_say_is_listed(tmp_path: Path, case: str) -> None:
    written, sentence = NOT_EXPRESSED[case]
    assert sentence in module(a_wsdl(tmp_path, written)).NOT_EXPRESSED


def untold(wsdl: WsdlDocument) -> list[Difference]:
    """The differences between a schema and the one that Spyne derives from its classes that no sentence is about: none
    names the component, or the type of one on the way to it."""
    made = module(wsdl)
    told = {word for sentence in made.NOT_EXPRESSED for word in re.findall(r"\w+", sentence.partition(":")[0])}
    return [
        difference
        for difference in differences(wsdl.schema, schema_of(made))
        if difference.what != "global element added" and not told & words(wsdl, difference.where)
    ]


def words(wsdl: WsdlDocument, where: str) -> set[str]:
    """The local names on the way to a component, and those of the named types of the elements there."""
    steps = re.findall(r"(?:\{[^}]*\})?([\w-]+)", where.removeprefix("type "))
    types = {e.local_name: e.type_name for e in wsdl.schema.every_element() if e.type_name and e.local_name in steps}
    return {*steps, *(etree.QName(name).localname for name in types.values())}


@pytest.mark.parametrize("case", NOT_EXPRESSED)
def test_every_difference_of_the_derived_schema_has_a_sentence(tmp_path: Path, case: str) -> None:
    assert untold(a_wsdl(tmp_path, NOT_EXPRESSED[case][0])) == []


def test_every_difference_of_the_schema_derived_from_hard_wsdl_has_a_sentence() -> None:
    assert untold(WsdlDocument.load(Path(__file__).parent / "hard.wsdl")) == []


def test_an_input_without_members_is_taken_as_any_xml_and_listed(tmp_path: Path) -> None:
    sentence = "operation Push: what it takes adds no member to its base; its place is any XML"
    assert sentence in module(a_wsdl(tmp_path, push_type(""))).NOT_EXPRESSED


def test_the_facets_of_a_body_element_are_kept(tmp_path: Path) -> None:
    facet = '<xs:simpleType><xs:restriction base="xs:string"><xs:maxLength value="3"/></xs:restriction></xs:simpleType>'
    wsdl = a_wsdl(tmp_path, schema(f'<xs:element name="Push">{facet}</xs:element>'))
    assert "max_len=3, min_occurs=1, nillable=False" in generate(wsdl)
    module(wsdl)


# Services ------------------------------------------------------------------------------------------------------------


TWO = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" xmlns:u="urn:u" targetNamespace="urn:t">
  <types>{types}</types>{messages}{port_types}{bindings}<service name="S">{ports}</service></definitions>"""


def two(folder: Path, inputs: tuple[str, str], port_types: tuple[str, str]) -> Path:
    """A WSDL with two port types (or one), each with an operation that takes an element; Ack1 and Ack2 answer."""
    transport = '<s:binding transport="http://schemas.xmlsoap.org/soap/http"/>'
    messages, abstract, bound = "", dict.fromkeys(port_types, ""), dict.fromkeys(port_types, transport)
    for n, (taken, port_type) in enumerate(zip(inputs, port_types, strict=True), 1):
        name = "push" if len(abstract) == 2 else f"push{n}"
        for message, of in (("In", taken), ("Out", f"t:Ack{n}")):
            messages += f'<message name="{message}{n}"><part name="b" element="{of}"/></message>'
        abstract[port_type] += (
            f'<operation name="{name}"><input message="t:In{n}"/><output message="t:Out{n}"/></operation>'
        )
        sides = "".join(f'<{side}><s:body use="literal"/></{side}>' for side in ("input", "output"))
        bound[port_type] += f'<operation name="{name}"><s:operation soapAction=""/>{sides}</operation>'
    acks = "".join(
        f'<xs:element name="Ack{n}"><xs:complexType>{sequence(name)}</xs:complexType></xs:element>'
        for n, name in ((1, "StatusCode"), (2, "SubmitId"))
    )
    address = '<s:address location="http://x.example/"/>'
    text = TWO.format(
        types=schema(element("Push", "xs:int"), "urn:u") + schema(element("Push") + element("Other") + acks),
        messages=messages,
        port_types="".join(f'<portType name="{name}">{each}</portType>' for name, each in abstract.items()),
        bindings="".join(
            f'<binding name="B{n}" type="t:{name}">{each}</binding>' for n, (name, each) in enumerate(bound.items())
        ),
        ports="".join(f'<port name="P{n}" binding="t:B{n}">{address}</port>' for n in range(len(bound))),
    )
    (folder / "two.wsdl").write_text(text)
    return folder / "two.wsdl"


@pytest.mark.parametrize("port_types", [("P", "Q"), ("A.B", "A-B"), ("CLASSES", "Service"), ("P", "PHandler")])
@pytest.mark.parametrize(("first", "second"), [("t:Push", "t:Other"), ("t:Push", "u:Push")])
def test_two_port_types_with_an_operation_of_one_name_are_answered_each_by_its_own(
    tmp_path: Path, port_types: tuple[str, str], first: str, second: str
) -> None:
    wsdl = WsdlDocument.load(two(tmp_path, (first, second), port_types))
    service = PushService(wsdl, take)
    for n, operation in enumerate(wsdl.operations, 1):
        (answer,) = etree.fromstring(acknowledged(service, operation.input_element))[0]
        assert answer.tag == f"{{urn:t}}Ack{n}"


def test_two_operations_that_spyne_cannot_tell_apart_are_refused_with_the_line(tmp_path: Path) -> None:
    wsdl = WsdlDocument.load(two(tmp_path, ("t:Push", "u:Push"), ("P", "P")))
    with pytest.raises(ContractError, match="both take an element named Push") as refused:
        PushService(wsdl, take)
    assert refused.value.line


def test_a_wsdl_without_a_target_namespace_is_served(tmp_path: Path) -> None:
    path = a_wsdl(tmp_path, push_type(sequence("A"))).path
    text = path.read_text().replace(' targetNamespace="urn:t"\n', "\n")
    for attribute in ("message", "binding", "type"):
        text = text.replace(f'{attribute}="t:In"', f'{attribute}="In"').replace(
            f'{attribute}="t:B"', f'{attribute}="B"'
        )
    path.write_text(text.replace('type="t:T"', 'type="T"'))
    assert module(WsdlDocument.load(path)).TARGET_NAMESPACE == "urn:t"


def test_components_without_a_namespace_are_served_and_listed(tmp_path: Path) -> None:
    bare = '<xs:schema><xs:element name="Bare" type="xs:string"/></xs:schema>'
    wsdl = a_wsdl(tmp_path, bare, push_type(sequence("A")), element="Bare")
    sentence = "components without a namespace: they are written in urn:no-namespace, Spyne has none without one"
    assert sentence in module(wsdl).NOT_EXPRESSED
    assert acknowledged(PushService(wsdl, take), "Bare") == b""


def test_prefixes_may_be_of_any_letters(tmp_path: Path) -> None:
    wsdl = a_wsdl(tmp_path, push_type(sequence("A")).replace("xs:", "größe:").replace("<größe:schema", "<größe:schema "
        f'xmlns:größe="{XML_SCHEMA}"'))  # fmt: skip
    CompiledSchema(wsdl)
    module(wsdl)


def test_an_answer_without_content_leaves_its_name_in_python_to_a_type_of_the_file(tmp_path: Path) -> None:
    named = '<xs:element name="PushResponse"><xs:complexType/></xs:element>'
    path = a_wsdl(tmp_path, push_type(sequence("A"), named)).path
    text = path.read_text().replace("</wsdl:message>", '</wsdl:message><wsdl:message name="Nothing"/>')
    text = text.replace('message="t:In"/>', 'message="t:In"/><wsdl:output message="t:Nothing"/>')
    path.write_text(text.replace("</wsdl:input>", '</wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output>'))
    wsdl = WsdlDocument.load(path)
    assert "PushResponse_2" in generate(wsdl)
    module(wsdl)
    (body,) = etree.fromstring(acknowledged(PushService(wsdl, take), "{urn:t}Push"))
    assert len(body) == 0
