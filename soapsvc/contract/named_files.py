"""Where the files lie that a WSDL or a schema names, and their bytes: nothing is fetched."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml import etree

from soapsvc.contract.xml_files import line_of
from soapsvc.errors import ContractError


def place_of(folder: Path, of: Path, location: str) -> Path:
    """Where the file of a location lies: one on the web in a folder of its host's name beside the WSDL, where
    `soapsvc contract fetch` puts it; any other beside the file that names it.

    folder  of the WSDL that is served
    of      the file that names it
    """
    parts = urlsplit(location)
    if not is_on_the_web(location):
        return of.parent / unquote(parts.path)
    name = unquote(parts.path) + (f"?{parts.query}" if parts.query else "")
    return folder / parts.netloc.rpartition("@")[2] / os.path.normpath(f"/{name}").lstrip("/")


def is_on_the_web(location: str) -> bool:
    """Whether a location names a file of another host."""
    return urlsplit(location).scheme.lower() in ("http", "https")


def named_file(wsdl: Path, of: Path, reference: etree._Element, attribute: str) -> tuple[Path, bytes]:
    """Where the file lies that an element of another names, and its bytes.

    wsdl       that is served
    of         the file that the element stands in
    attribute  that holds the location
    Errors     ContractError: it is not there, or would have to be fetched from a network
    """
    location = reference.get(attribute, "")
    path = place_of(wsdl.parent, of, location)
    if is_on_the_web(location) and not path.is_file():
        raise ContractError(
            of, line_of(reference), f"{attribute} {location} would be fetched from a network",
            "let `soapsvc contract fetch` put the file beside the WSDL once, or name one there by a relative location",
        )  # fmt: skip
    if urlsplit(location).scheme and not is_on_the_web(location):
        raise ContractError(
            of, line_of(reference), f"{attribute} {location} is no relative location",
            "put the file beside the WSDL and name it by a relative location",
        )  # fmt: skip
    try:
        return path, path.read_bytes()
    except OSError as error:
        raise ContractError(
            of, line_of(reference),
            f"{attribute} {location} leads to {path}: the file cannot be read: {error.strerror}",
            "put the file there, or name one that is there and readable",
        ) from error  # fmt: skip
