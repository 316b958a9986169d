"""What Spyne's classes say, as a WSDL to be compared with the file that they were made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from soapsvc.contract.contract_difference import contract_difference
from soapsvc.contract.derived_schema import as_classes_say
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.shipped import WSDL_FILE

VENDORS = Path(__file__).parent.parent / "vendors"


def compared(path: Path, folder: Path) -> list[tuple[str, str]]:
    wsdl = WsdlDocument.load(path)
    files = as_classes_say(wsdl)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    said = WsdlDocument.load(folder / next(iter(files)))
    return [(one.where, one.what) for one in contract_difference(wsdl, said).differences]


@pytest.mark.parametrize("vendor", ["dotnet.wsdl", "spyne_like.wsdl"])
def test_the_classes_of_a_plain_wsdl_say_what_the_file_says(vendor: str, tmp_path: Path) -> None:
    assert compared(VENDORS / vendor, tmp_path) == []


def test_of_the_shipped_file_they_do_not_say_the_attributes_that_header_blocks_may_carry(tmp_path: Path) -> None:
    ((where, what),) = compared(WSDL_FILE, tmp_path)
    assert "header {http://premconn.premiereconnect.com/2007/02}Response" in where
    assert what.startswith("any attribute: ")
    assert what.endswith("-> none")
