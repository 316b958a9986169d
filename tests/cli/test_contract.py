"""`soapsvc contract` tells which WSDL is in force, and prints its classes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from soapsvc.shipped import WSDL_FILE
from tests.commands import soapsvc


def test_show_tells_the_shipped_contract_and_that_it_is_a_reconstruction() -> None:
    done = soapsvc("contract", "show")
    assert done.returncode == 0, done.stderr
    for told in (hashlib.sha256(WSDL_FILE.read_bytes()).hexdigest(), "operation JobDocumentTransmitResult",
                 "JobDocumentTransmitResultAck", "is a reconstruction"):  # fmt: skip
        assert told in done.stdout


def test_show_json_is_one_object() -> None:
    told = json.loads(soapsvc("contract", "show", "--json").stdout)
    assert told["sha256"] == hashlib.sha256(WSDL_FILE.read_bytes()).hexdigest()
    assert [operation["name"] for operation in told["operations"]] == ["JobDocumentTransmitResult"]


def test_another_wsdl_is_shown_as_another(tmp_path: Path) -> None:
    other = tmp_path / "vendor.wsdl"
    other.write_bytes(WSDL_FILE.read_bytes().replace(b"basicInvoke", b"otherInvoke"))
    done = soapsvc("contract", "show", "--wsdl", str(other))
    assert '"otherInvoke"' in done.stdout
    assert "reconstruction" not in done.stdout.splitlines()[-1]


def test_a_file_that_is_no_wsdl_is_exit_2_with_its_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.wsdl"
    broken.write_text("<definitions>\n<unclosed>\n</definitions>\n")
    done = soapsvc("contract", "classes", str(broken))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{broken}, line 3" in done.stderr


def test_classes_prints_the_python_source_that_is_committed(tmp_path: Path, checkout: Path) -> None:
    done = soapsvc("contract", "classes")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (checkout / "soapsvc" / "contract" / "vendor_types.py").read_text(encoding="utf-8")
    out = tmp_path / "types.py"
    assert soapsvc("contract", "classes", str(WSDL_FILE), "--out", str(out)).returncode == 0
    assert out.read_text(encoding="utf-8") == done.stdout
