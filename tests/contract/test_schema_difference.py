"""Two schemas are held against each other component by component: noise makes no difference, every edit makes one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from soapsvc.contract.schema_difference import Difference, differences
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.shipped import WSDL_FILE

TEXT = WSDL_FILE.read_text(encoding="utf-8")
TNS = "{http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10}"
ROOT = f"{TNS}JobDocumentTransmitResult"
DATA = f"{ROOT}/JobDocumentData"


def between(folder: Path, new: str, old: str = TEXT) -> tuple[Difference, ...]:
    documents = []
    for name, text in (("old.wsdl", old), ("new.wsdl", new)):
        (folder / name).write_text(text, encoding="utf-8")
        documents.append(WsdlDocument.load(folder / name))
    return differences(documents[0].schema, documents[1].schema)


def globals_reversed(text: str) -> str:
    def reverse(schema: re.Match[str]) -> str:
        parts = re.split(r"(?m)^(?=      <xs:(?:simpleType|complexType|element) )", schema[2])
        return schema[1] + parts[0] + "".join(part.rstrip() + "\n" for part in reversed(parts[1:])) + schema[3]

    return re.sub(r"(<xs:schema.*?>)(.*?)(</xs:schema>)", reverse, text, flags=re.DOTALL)


XDN = re.search(r'<xs:element name="XDN".*?</xs:element>', TEXT, re.S)[0]  # type: ignore[index]
MRN = re.search(r'<xs:element name="MRN".*?</xs:element>', TEXT, re.S)[0]  # type: ignore[index]
FORMAT = 'name="format" type="tns:DocEncodingFormat" use="required"'
JOB_ID_TYPE = re.search(r'<xs:complexType name="JobIdType">.*?</xs:complexType>', TEXT, re.S)[0]  # type: ignore[index]
JOB_ID_NOTE = re.search(r'(?<=type="tns:JobIdType" minOccurs="0">)\s*<xs:annotation>.*?</xs:annotation>', TEXT, re.S)[0]  # type: ignore[index]
JOB_ID = 'name="JobId" type="tns:JobIdType" minOccurs="0"'

NOISE = {
    "annotations": re.sub(r"<xs:annotation>.*?</xs:annotation>", "", TEXT, flags=re.DOTALL),
    "order of global components": globals_reversed(TEXT),
    "prefixes": TEXT.replace("tns:", "body:").replace("xmlns:tns", "xmlns:body").replace("xs:", "x:").replace(
        "xmlns:xs", "xmlns:x"),
    "a sequence in a sequence": TEXT.replace(XDN, f"<xs:sequence>{XDN}</xs:sequence>"),
    "a group": TEXT.replace(f"{XDN}", '<xs:group ref="tns:G"/>').replace(
        '<xs:complexType name="JobIdType">', f'<xs:group name="G"><xs:sequence>{XDN}</xs:sequence></xs:group>'
        '<xs:complexType name="JobIdType">'),
    "an anonymous type for a named one": TEXT.replace(' type="tns:JobIdType"', "").replace(
        JOB_ID_NOTE, JOB_ID_NOTE + JOB_ID_TYPE.replace(' name="JobIdType"', "")),
    "another name of a type": TEXT.replace("JobIdType", "JobNumberType").replace("PropertyType", "NamedValueType"),
    "defaults written out": TEXT.replace(JOB_ID, f'{JOB_ID} maxOccurs="1" nillable="false"'),
}  # fmt: skip

EDITS = {
    "narrowed": (JOB_ID, 'name="JobId" type="tns:JobIdType"', f"{DATA}/JobId", "minOccurs: 0 -> 1"),
    "widened": (JOB_ID, f'{JOB_ID} maxOccurs="unbounded"', f"{DATA}/JobId", "maxOccurs: 1 -> unbounded"),
    "nillable": (JOB_ID, f'{JOB_ID} nillable="true"', f"{DATA}/JobId", "nillable: false -> true"),
    "default": ('name="XDN" type="xs:string"', 'name="XDN" type="xs:string" default="a"', f"{DATA}/JobId/XDN",
                "default: none -> a"),
    "fixed": ('name="XDN" type="xs:string"', 'name="XDN" type="xs:string" fixed="a"', f"{DATA}/JobId/XDN",
              "fixed: none -> a"),
    "base type": ('name="MRN" type="xs:integer"', 'name="MRN" type="xs:long"', f"{DATA}/JobId/MRN",
                  "base type: integer -> long"),
    "facet": ('<xs:enumeration value="base64"/>', "", f"{DATA}/Document/DocData/@format",
              "facets: enumeration=base64, enumeration=text -> enumeration=text"),
    "attribute removed": (f"<xs:attribute {FORMAT}>", '<xs:attribute name="format" use="prohibited">',
                          f"{DATA}/Document/DocData/@format", "attribute removed"),
    "attribute use": (FORMAT, FORMAT.replace(' use="required"', ""), f"{DATA}/Document/DocData/@format",
                      "use: required -> optional"),
    "element removed": (XDN, "", f"{DATA}/JobId/{TNS}XDN", "removed"),
    "element added": (XDN, f'{XDN}<xs:element name="New" type="xs:string"/>', f"{DATA}/JobId/{TNS}New", "added"),
    "any added": (XDN, f'{XDN}<xs:any namespace="##other"/>', f"{DATA}/JobId/any", "added"),
    "order": (XDN, "", f"{DATA}/JobId", f"order: {TNS}XDN {TNS}MRN -> {TNS}MRN {TNS}XDN"),
    "mixed": ('name="JobIdType"', 'name="JobIdType" mixed="true"', f"{DATA}/JobId", "mixed: false -> true"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOISE)
def test_noise_is_no_difference(tmp_path: Path, name: str) -> None:
    assert NOISE[name] != TEXT
    renamed = name == "another name of a type"
    found = between(tmp_path, NOISE[name])
    assert [d for d in found if not (renamed and "Type" in d.where)] == []


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_told_with_its_place(tmp_path: Path, name: str) -> None:
    old, new, where, what = EDITS[name]
    assert old in TEXT
    edited = TEXT.replace(old, new)
    if name == "order":
        edited = edited.replace(MRN, MRN + XDN)
    assert [(d.where, d.what) for d in between(tmp_path, edited)] == [(where, what)]


def test_a_global_element_added_or_removed_is_told(tmp_path: Path) -> None:
    added = '<xs:element name="Another" type="xs:string"/>\n      <xs:complexType name="StatusType">'
    more = TEXT.replace('<xs:complexType name="StatusType">', added)
    (found,) = between(tmp_path, more)
    assert (found.where, found.what, found.old_line) == (f"{TNS}Another", "global element added", None)
    assert found.new_line == more[: more.index('name="Another"')].count("\n") + 1
    (found,) = between(tmp_path, TEXT, more)
    assert (found.where, found.what, found.new_line) == (f"{TNS}Another", "global element removed", None)


def test_a_difference_in_a_type_that_is_used_twice_is_told_once_and_with_the_lines_of_both_files(
    tmp_path: Path,
) -> None:
    edited = "<!-- -->\n" + TEXT.removeprefix('<?xml version="1.0" encoding="UTF-8"?>\n').replace(
        'name="StatusMessage" type="xs:string" minOccurs="0"', 'name="StatusMessage" type="xs:string"'
    )
    (found,) = between(tmp_path, edited)
    assert found.where == f"{ROOT}/Status/StatusMessage"
    line = TEXT[: TEXT.index('name="StatusMessage"')].count("\n") + 1
    assert (found.old_line, found.new_line) == (line, line)
