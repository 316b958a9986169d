"""The xs:schema elements of a contract: those inside the WSDL, and those in the files beside it that they name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml import etree

from soapsvc.contract.xml_files import line_of, parse_file, read_file
from soapsvc.errors import ContractError
from soapsvc.namespaces import SOAP11_ENVELOPE, WSDL11, XML, XML_SCHEMA, XML_SCHEMA_INSTANCE

SCHEMA = f"{{{XML_SCHEMA}}}schema"
WITHOUT_A_FILE = frozenset({XML, XML_SCHEMA, XML_SCHEMA_INSTANCE, SOAP11_ENVELOPE})
"""Namespaces that a schema may import without anybody bringing a schema for them."""


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """One xs:schema.

    target_namespace  in force: an included schema without one of its own has that of the schema that includes it
    path              of the file that it stands in: the WSDL, or a file beside it
    location          as first written in the schemaLocation that led to it; None: it stands inside the WSDL
    raw               the bytes of the file; b"" where it stands inside the WSDL
    """

    element: etree._Element
    target_namespace: str | None
    path: Path
    location: str | None = None
    raw: bytes = field(default=b"", repr=False)


def schemas_of(wsdl: Path, definitions: etree._Element) -> tuple[SchemaFile, ...]:
    """Every schema of a WSDL: the inline ones in their order, then what they lead to, each once.

    Errors  ContractError: a file is missing, is no schema, or would have to be fetched from a network; an imported
            namespace that nobody brings a schema for
    """
    inline = [
        SchemaFile(element, element.get("targetNamespace"), wsdl)
        for element in definitions.iterfind(f"{{{WSDL11}}}types/{SCHEMA}")
    ]
    found = list(inline)
    for file in found:  # grows while it is walked
        for named in _named_files(file):
            if (named.path.resolve(), named.target_namespace) not in {
                (f.path.resolve(), f.target_namespace) for f in found if f.location is not None
            }:
                found.append(named)
    have = {file.target_namespace for file in found} | WITHOUT_A_FILE
    for file in found:
        for imported in file.element.iterfind(f"{{{XML_SCHEMA}}}import"):
            if imported.get("namespace") not in have:
                raise ContractError(
                    file.path, line_of(imported), f"no schema for namespace {imported.get('namespace')} is at hand",
                    "put the file beside the WSDL and name it in schemaLocation",
                )  # fmt: skip
    return tuple(found)


def _named_files(file: SchemaFile) -> Iterator[SchemaFile]:
    for kind in ("include", "redefine", "import"):
        for reference in file.element.iterfind(f"{{{XML_SCHEMA}}}{kind}"):
            location = reference.get("schemaLocation")
            if location is None or (kind == "import" and reference.get("namespace") in WITHOUT_A_FILE):
                continue
            if kind == "redefine":
                raise ContractError(
                    file.path,
                    line_of(reference),
                    "xs:redefine is not supported",
                    "include the file and derive new types",
                )
            scheme = urlsplit(location).scheme
            if scheme:
                does = "is no relative location" if scheme.lower() == "file" else "would be fetched from a network"
                raise ContractError(
                    file.path, line_of(reference), f"schemaLocation {location} {does}",
                    "put the file beside the WSDL and name it by a relative location",
                )  # fmt: skip
            path = file.path.parent / unquote(urlsplit(location).path)
            raw = read_file(path)
            element = parse_file(path, raw)
            if element.tag != SCHEMA:
                raise ContractError(path, line_of(element), f"the root element is {element.tag}", f"{SCHEMA}")
            namespace = element.get("targetNamespace")
            if namespace is None and kind == "include":
                namespace = file.target_namespace
            wanted = file.target_namespace if kind == "include" else reference.get("namespace")
            if namespace != wanted:
                raise ContractError(
                    path,
                    line_of(element),
                    f"targetNamespace is {namespace}",
                    f"{wanted}, as the xs:{kind} of it says",
                )
            yield SchemaFile(element, namespace, path, location, raw)
