"""samples/ are what their README says: valid by the shipped WSDL, told truly by what lies beside them, made anew to the
byte."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

from soapsvc.contract.schema_check import SchemaCheck
from soapsvc.namespaces import SOAP11_ENVELOPE
from soapsvc.shipped import SAMPLES
from soapsvc.wire.soap_rules import check_soap
from tests.contract.reading import envelope_of, shipped_wsdl
from tests.wsdl_schema import payload_schemas

SAMPLE_FILES = sorted(SAMPLES.glob("*.xml"))
NAMES = [sample.stem for sample in SAMPLE_FILES]
KINDS = {"sampleFax": "fax", "sampleCdr": "cdr"}


def expectation(name: str) -> dict:
    return json.loads((SAMPLES / f"{name}.expected.json").read_text())


@pytest.mark.parametrize("sample", SAMPLE_FILES, ids=NAMES)
def test_a_sample_is_valid_by_the_schemas_of_the_wsdl(sample: Path) -> None:
    """By lxml on the schemas as they stand in the file, with nothing of soapsvc between."""
    root = etree.parse(sample).getroot()
    body = root.find(f"{{{SOAP11_ENVELOPE}}}Body")
    for part in [*root.find(f"{{{SOAP11_ENVELOPE}}}Header"), *body]:
        schema = payload_schemas()[etree.QName(part).namespace]
        assert schema.validate(part), schema.error_log


@pytest.mark.parametrize("sample", SAMPLE_FILES, ids=NAMES)
def test_a_sample_deviates_from_nothing(sample: Path) -> None:
    wsdl = shipped_wsdl()
    envelope = envelope_of(sample.read_bytes(), wsdl.document_names)
    understood = frozenset(block for operation in wsdl.operations for block in operation.header_blocks)
    assert (envelope.deviations, check_soap(envelope, understood), SchemaCheck(wsdl).check(envelope)) == ((), (), ())


@pytest.mark.parametrize("name", NAMES)
def test_the_decoded_documents_are_those_of_the_expectation(name: str) -> None:
    expected = expectation(name)["documents"]
    decoded = sorted((SAMPLES / "decoded").glob(f"{name}.*"))
    assert [file.name.split(".")[1] for file in decoded] == [str(document["n"]) for document in expected]
    for file, document in zip(decoded, expected, strict=True):
        content = file.read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (document["size_bytes"], document["sha256"])


def test_every_shape_of_the_evidence_has_its_sample() -> None:
    all_of_them = {name: expectation(name) for name in NAMES}
    assert {name: one["kind"] for name, one in all_of_them.items() if one["kind"] != "report"} == KINDS
    report = SAMPLES / "sampleReport.xml"
    assert 10_000 < report.stat().st_size < 12_000
    lines = (SAMPLES / "decoded" / "sampleReport.1.csv").read_text().splitlines()
    assert len(lines) == 101
    assert len({line.split(",")[2] for line in lines[1:]}) > 1, "mixed results"
    assert len(all_of_them["sampleTwoDocuments"]["documents"]) == 2
    assert all_of_them["sampleTextFormat"]["documents"][0]["encoding"] == "text"
    charsets = {prop["b64charset"] for prop in all_of_them["sampleB64Charset"]["properties"]} - {None}
    assert charsets == {"UTF-8", "ISO-8859-1", "Shift_JIS", "binary"}
    spellings = {prop["sent_name"]: prop for prop in all_of_them["sampleOtherDialect"]["properties"]}
    assert spellings["orig_email_subject"]["name"] == "Subject"
    assert spellings["start_time"]["at"] == "2012-11-04T13:05:45Z"
    assert spellings["cover_sheet"]["value"] == ""


def test_the_fax_has_three_pages_of_group_4() -> None:
    image = pytest.importorskip("PIL.Image")
    with image.open(SAMPLES / "decoded" / "sampleFax.1.tif") as fax:
        assert (fax.n_frames, fax.info["compression"]) == (3, "group4")


def test_the_samples_are_made_anew_to_the_byte(tmp_path: Path, checkout: Path) -> None:
    subprocess.run([sys.executable, "-m", "tests.make_samples", str(tmp_path)], cwd=checkout, check=True)
    made = {str(file.relative_to(tmp_path)): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    shipped = {str(file.relative_to(SAMPLES)): file.read_bytes() for file in SAMPLES.rglob("*") if file.is_file()}
    assert set(made) == set(shipped) - {"README.md"}
    assert [name for name, content in made.items() if shipped[name] != content] == []


def test_the_readme_of_the_samples_tells_of_each() -> None:
    readme = (SAMPLES / "README.md").read_text()
    files = [*SAMPLE_FILES, *SAMPLES.glob("refused/*.xml")]
    assert [file.name for file in files if f"`{file.name}`" not in readme] == []
