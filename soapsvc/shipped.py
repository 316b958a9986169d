"""Where the shipped WSDL and samples lie: inside an installed wheel, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def _shipped(folder: str) -> Path:
    inside = _HERE / folder
    return inside if inside.is_dir() else _HERE.parent / folder


WSDL_FILE = _shipped("wsdl") / "JobDocumentTransmit200810results.wsdl"
SAMPLES = _shipped("samples")
