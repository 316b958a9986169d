"""A WSDL and the files that it names, brought together in a folder once: a receiver that fetched them at each start
would depend on another's server, and its contract could change under it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from lxml import etree

from soapsvc.contract.named_files import is_on_the_web, place_of
from soapsvc.contract.schema_files import SCHEMA, references
from soapsvc.contract.wsdl_files import IMPORT
from soapsvc.contract.xml_files import line_of, parse_file, read_file
from soapsvc.errors import ContractError
from soapsvc.namespaces import WSDL11

MAX_FILES = 200  # that one WSDL leads to; the largest known public ones have a few dozen

Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class _Found:
    """A file of the contract, where it lies and where it came from.

    url  None: it was there
    """

    path: Path
    url: str | None
    raw: bytes


def bring_together(
    wsdl: Path, url: str | None, raw: bytes, fetch: Fetch, *, everything: bool = True, within: Path | None = None
) -> Iterator[tuple[Path, bytes]]:
    """The WSDL, when it comes from a URL, and every file that it leads to and that is not there yet: each with
    the place where `named_files` looks for it.

    wsdl        where the WSDL lies, or will lie
    url         where it came from; None: it lies there
    fetch       the bytes behind an http or https URL
    everything  False: only what is named by a relative location, so that it belongs to the WSDL
    within      a folder that nothing is put outside of; None: that of the WSDL
    Errors  ContractError: a file is no XML, or would lie outside that folder; whatever fetch raises
    """
    folder = (within or wsdl.parent).resolve()
    found = [_Found(wsdl, url, raw)]
    if url is not None:
        yield wsdl, raw
    for file in found:  # grows while it is walked
        for reference, location in _locations(file):
            if is_on_the_web(location) and not everything:
                continue
            path = place_of(wsdl.parent, file.path, location)
            if path.resolve() in {one.path.resolve() for one in found}:
                continue
            source = urljoin(file.url, location) if file.url else location
            if len(found) > MAX_FILES:
                raise ContractError(
                    file.path, line_of(reference), f"the WSDL leads to more than {MAX_FILES} files", "one that does not"
                )
            if is_on_the_web(source) and not path.is_file():
                if not path.resolve().is_relative_to(folder):
                    raise ContractError(
                        file.path, line_of(reference), f"{location} leads out of the folder {within or wsdl.parent}",
                        "fetch the file by hand and name it by a relative location",
                    )  # fmt: skip
                found.append(_Found(path, source, fetch(source)))
                yield path, found[-1].raw
            else:
                found.append(_Found(path, source if is_on_the_web(source) else None, read_file(path)))


def name_of(url: str) -> str:
    """A file name for the WSDL behind a URL: /push?wsdl gives push.wsdl."""
    base = posixpath.basename(urlsplit(url).path) or "contract"
    return base if base.lower().endswith(".wsdl") else f"{base}.wsdl"


def _locations(file: _Found) -> Iterator[tuple[etree._Element, str]]:
    root = parse_file(file.path, file.raw)
    for imported in root.iterfind(IMPORT):
        if imported.get("location"):
            yield imported, imported.get("location", "")
    schemas = [root] if root.tag == SCHEMA else root.iterfind(f"{{{WSDL11}}}types/{SCHEMA}")
    for schema in schemas:
        for _, reference, location in references(schema):
            yield reference, location
