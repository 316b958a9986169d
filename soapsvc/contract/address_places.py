"""Where the address of a service stands in the bytes of a WSDL: all else of the file is served as it is."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from soapsvc.errors import ContractError
from soapsvc.namespaces import WSDL_SOAP11_BINDING

_ATTRIBUTE = re.compile(r"""\s+([^\s=>/]+)\s*=\s*("[^"]*"|'[^']*')""")


class AddressPlace(NamedTuple):
    """The byte range of a quoted address, and the codec that the file is in."""

    start: int
    end: int
    codec: str


def address_places(path: Path, raw: bytes, encoding: str | None) -> list[AddressPlace]:
    """The values of soap:address/@location of SOAP 1.1, in the order of the file.

    encoding  that lxml found the file to be in
    Errors    ContractError: expat does not read this encoding
    """
    codec = _codec(raw, encoding)
    starts: list[int] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def start_element(name: str, attributes: dict[str, str]) -> None:
        if name == f"{WSDL_SOAP11_BINDING} address" and "location" in attributes:
            starts.append(parser.CurrentByteIndex)

    parser.StartElementHandler = start_element
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise ContractError(
            path, error.lineno, f"the address cannot be replaced in this encoding ({error})",
            "save the WSDL as UTF-8 or UTF-16 (BP 1.1 R4003)",
        ) from error  # fmt: skip
    return [_place(raw, start, codec) for start in starts]


def _place(raw: bytes, tag_start: int, codec: str) -> AddressPlace:
    text = raw[tag_start:].decode(codec)
    at = re.compile(r"<[^\s/>]+").match(text)
    while at is not None:
        at = _ATTRIBUTE.match(text, at.end())
        if at is not None and at[1] == "location":
            break
    assert at is not None, "expat saw the attribute"
    start = tag_start + len(text[: at.start(2)].encode(codec))
    return AddressPlace(start, start + len(at[2].encode(codec)), codec)


def _codec(raw: bytes, encoding: str | None) -> str:
    """The codec of the file, without a byte order mark's part in it."""
    for mark, codec in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if raw.startswith(mark):
            return codec
    return "utf-8" if raw.startswith(codecs.BOM_UTF8) else encoding or "utf-8"
