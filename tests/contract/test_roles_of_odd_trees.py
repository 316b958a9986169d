"""Whatever a message looks like, it is read and checked without an error."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from soapsvc.contract.roles import read_push
from soapsvc.contract.schema_check import SchemaCheck
from soapsvc.rules import RULES
from tests.contract.reading import ARRIVAL, HEADER, SOAP, VENDOR, envelope_of, shipped_wsdl
from tests.pushing import envelope

WORDS = [
    "Envelope",
    "Header",
    "Body",
    "Response",
    "Request",
    "Authentication",
    "XDDSAuth",
    "Password",
    "ProcessingID",
    "JobDocumentTransmitResult",
    "Status",
    "StatusCode",
    "SubmissionTime",
    "CompletionTime",
    "SubmitId",
    "SubmitID",
    "JobId",
    "XDN",
    "MRN",
    "JobDocumentData",
    "Document",
    "DocType",
    "Filename",
    "DocData",
    "CharacterSet",
    "DocumentExtension",
    "JobDocumentDataExtension",
    "Segment",
    "Property",
    "docdata",
    "PROPERTY",
]
TEXTS = (
    "",
    " ",
    "0",
    "44a",
    "QQ==",
    "QQ=",
    "UTF-8",
    "2012-11-04T13:05:45",
    "11/4/12 8:05:45 ET",
    "PDF",
    "text",
    "ü",
    "9" * 300,
)
ATTRIBUTES = ("name", "Name", "format", "b64charset", "ref", "{http://www.w3.org/2001/XMLSchema-instance}nil",
              "{http://www.w3.org/2001/XMLSchema-instance}type", f"{{{SOAP}}}mustUnderstand")  # fmt: skip
VALUES = (
    "",
    "Default",
    "indoc",
    "attach1",
    "StartTime",
    "base64",
    "text",
    "hex",
    "binary",
    "UTF-8",
    "true",
    "a:b",
    "USER/x",
)

names = st.builds(
    lambda namespace, word: f"{{{namespace}}}{word}" if namespace else word,
    st.sampled_from(("", VENDOR, HEADER, SOAP, "urn:x")),
    st.sampled_from(WORDS),
)


def element(name: str, attributes: dict[str, str], text: str, children: list[etree._Element]) -> etree._Element:
    made = etree.Element(name, attributes)
    made.text = text
    made.extend(children)
    return made


attributes = st.dictionaries(st.sampled_from(ATTRIBUTES), st.sampled_from(VALUES), max_size=3)
trees = st.recursive(
    st.builds(element, names, attributes, st.sampled_from(TEXTS), st.just([])),
    lambda inside: st.builds(element, names, attributes, st.sampled_from(TEXTS), st.lists(inside, max_size=4)),
    max_leaves=25,
)
CHECK = SchemaCheck(shipped_wsdl())
NAMES = shipped_wsdl().document_names


def wrapped(header: list[etree._Element], payload: list[etree._Element]) -> bytes:
    made = element(
        f"{{{SOAP}}}Envelope",
        {},
        "",
        [element(f"{{{SOAP}}}Header", {}, "", header), element(f"{{{SOAP}}}Body", {}, "", payload)],
    )
    return etree.tostring(made)


@settings(max_examples=80, deadline=None)
@given(st.lists(trees, max_size=2), st.lists(trees, max_size=2))
def test_any_tree_is_read_and_checked(header, payload):
    read = envelope_of(wrapped(header, payload), NAMES)
    before = etree.canonicalize(read.root)
    push, deviations = read_push(read, ARRIVAL)
    for deviation in (*deviations, *CHECK.check(read)):
        assert deviation.rule in RULES
        assert deviation.path.startswith("/")
        assert deviation.line is not None
        assert deviation.found
        assert deviation.wanted
    assert len(push.documents) >= len(read.documents)
    assert etree.canonicalize(read.root) == before


@settings(max_examples=50, deadline=None)
@given(trees)
def test_any_root_is_read(root):
    push, _ = read_push(envelope_of(etree.tostring(root), NAMES), ARRIVAL)
    assert push.raw.size_bytes


places = st.integers(min_value=3, max_value=40)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(places, st.sampled_from("drnta"), st.sampled_from(WORDS), st.sampled_from(VALUES)), max_size=4)
)
def test_a_mutated_push_deviates_exactly_when_libxml2_says_so(mutations):
    root = etree.fromstring(envelope(), etree.XMLParser(remove_blank_text=True))
    for place, how, word, value in mutations:
        elements = list(root.find(f"{{{SOAP}}}Body").iter(etree.Element))[1:]
        target = elements[place % len(elements)]
        parent = target.getparent()
        if how == "d" and parent.getparent() is not None and len(parent) > 1:
            parent.remove(target)
        elif how == "r":
            parent.insert(0, target)
        elif how == "n" and target is not elements[0]:
            target.tag = f"{{{VENDOR}}}{word}"
        elif how == "t":
            target.text = value
        elif how == "a":
            target.set("name", value)
    read = envelope_of(etree.tostring(root), NAMES)
    told = CHECK.check(read)
    with CHECK._schema.deciding() as decides:
        fits = decides.validate(read.root)
    payload = read.root.find(f"{{{SOAP}}}Body")[0]
    bound = read.root.find(f"{{{SOAP}}}Header/{{{HEADER}}}Response") is not None
    assert bool(told) == (not fits or not bound or payload.tag != f"{{{VENDOR}}}JobDocumentTransmitResult")
    assert not [deviation for deviation in told if deviation.rule == "XSD-024"], "everything has a rule of its own"
