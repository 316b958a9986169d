"""What the shipped WSDL says of itself. (The rules for a WSDL: tests/contract/test_wsdl_verify.py.)"""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree

from soapsvc.namespaces import WSDL11, WSDL_SOAP12_BINDING
from soapsvc.shipped import WSDL_FILE


def test_every_source_that_the_file_cites_is_listed_in_the_documentation(checkout: Path) -> None:
    cited = set(re.findall(r"\[(S\d+b?)\]", WSDL_FILE.read_text(encoding="utf-8")))
    table = (checkout / "docs" / "contract.md").read_text(encoding="utf-8").partition("## Sources")[2]
    listed = {name for row in re.findall(r"^\| (S[^|]*) \|", table, re.MULTILINE) for name in row.split(", ")}
    assert len(cited) > 20
    assert cited <= listed


def test_there_is_no_soap_1_2_in_it() -> None:
    assert WSDL_SOAP12_BINDING.encode() not in WSDL_FILE.read_bytes()
    assert b"soap12" not in WSDL_FILE.read_bytes()


def test_it_says_at_its_top_that_it_is_a_reconstruction_and_refers_to_no_file_outside_the_project() -> None:
    raw = WSDL_FILE.read_bytes()
    assert b"RECONSTRUCTION" in raw[:200], "for who reads the file"
    assert "RECONSTRUCTION" in str(etree.fromstring(raw).findtext(f"{{{WSDL11}}}documentation")), (
        "for who reads what it parses to"
    )
    assert b"evidence.md" not in raw
    assert b"docs/contract.md" in raw
