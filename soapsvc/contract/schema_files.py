"""The xs:schema elements of a contract: those inside the WSDL, and those in the files beside it that they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from soapsvc.contract.named_files import is_on_the_web, named_file
from soapsvc.contract.wsdl_files import WsdlFile
from soapsvc.contract.xml_files import line_of, parse_file
from soapsvc.errors import ContractError
from soapsvc.namespaces import SOAP11_ENVELOPE, WSDL11, XML, XML_SCHEMA, XML_SCHEMA_INSTANCE

SCHEMA = f"{{{XML_SCHEMA}}}schema"
WITHOUT_A_FILE = frozenset({XML, XML_SCHEMA, XML_SCHEMA_INSTANCE, SOAP11_ENVELOPE})
"""Namespaces that a schema may import without anybody bringing a schema for them."""

_REFERRING = ("type", "ref", "base", "itemType", "memberTypes", "substitutionGroup", "refer")


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """One xs:schema.

    target_namespace  in force: an included schema without one of its own has that of the schema that includes it
    path              of the file that it stands in: the WSDL, or a file beside it
    location          as first written where something led to that file; None: it stands inside the WSDL that is served
    raw               the bytes of the file; b"" where it stands inside a WSDL
    from_the_web      an address on the web led to it: whoever reads the WSDL gets it there, and not from us
    """

    element: etree._Element
    target_namespace: str | None
    path: Path
    location: str | None = None
    raw: bytes = field(default=b"", repr=False)
    from_the_web: bool = False


def schemas_of(wsdls: Sequence[WsdlFile]) -> tuple[SchemaFile, ...]:
    """Every schema of a WSDL: the inline ones in their order, then what they lead to, each once.

    wsdls   the one that is served, and those that it imports
    Errors  ContractError: a file is missing, is no schema, or would have to be fetched from a network; an imported
            namespace that something refers to and nobody brings a schema for (gSOAP imports that of the SOAP
            encoding wherever it writes a schema)
    """
    inline = inline_schemas(wsdls)
    found = list(inline)
    for file in found:  # grows while it is walked
        for named in _named_files(wsdls[0].path, file):
            if (named.path.resolve(), named.target_namespace) not in {
                (f.path.resolve(), f.target_namespace) for f in found if f.location is not None
            }:
                found.append(named)
    have = {file.target_namespace for file in found} | WITHOUT_A_FILE
    for file in found:
        for imported in file.element.iterfind(f"{{{XML_SCHEMA}}}import"):
            if imported.get("namespace") not in have and _refers_to(file.element, imported.get("namespace")):
                raise ContractError(
                    file.path, line_of(imported), f"no schema for namespace {imported.get('namespace')} is at hand",
                    "put the file beside the WSDL and name it in schemaLocation",
                )  # fmt: skip
    return tuple(found)


def inline_schemas(wsdls: Sequence[WsdlFile]) -> list[SchemaFile]:
    """The schemas that stand inside WSDLs, in their order."""
    return [
        SchemaFile(element, element.get("targetNamespace"), file.path, file.location, b"", file.from_the_web)
        for file in wsdls
        for element in file.root.iterfind(f"{{{WSDL11}}}types/{SCHEMA}")
    ]


def _refers_to(schema: etree._Element, namespace: str | None) -> bool:
    """Whether anything in a schema is of a component of a namespace."""
    for element in schema.iter(f"{{{XML_SCHEMA}}}*"):
        names = " ".join(element.get(attribute, "") for attribute in _REFERRING).split()
        if any(element.nsmap.get(name.rpartition(":")[0] or None) == namespace for name in names):
            return True
    return False


def references(schema: etree._Element) -> Iterator[tuple[str, etree._Element, str]]:
    """The files that a schema names: kind (include, redefine, import), the element, and its schemaLocation; without
    those that nobody needs."""
    for kind in ("include", "redefine", "import"):
        for reference in schema.iterfind(f"{{{XML_SCHEMA}}}{kind}"):
            location = reference.get("schemaLocation")
            if location is not None and (kind != "import" or reference.get("namespace") not in WITHOUT_A_FILE):
                yield kind, reference, location


def _named_files(wsdl: Path, file: SchemaFile) -> Iterator[SchemaFile]:
    for kind, reference, location in references(file.element):
        if kind == "redefine":
            raise ContractError(
                file.path,
                line_of(reference),
                "xs:redefine is not supported",
                "include the file and derive new types",
            )
        path, raw = named_file(wsdl, file.path, reference, "schemaLocation")
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
        yield SchemaFile(element, namespace, path, location, raw, file.from_the_web or is_on_the_web(location))
