"""The WSDL files of a contract: the one that is served, and those beside it that it imports."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from soapsvc.contract.named_files import is_on_the_web, named_file
from soapsvc.contract.xml_files import line_of, parse_file
from soapsvc.errors import ContractError
from soapsvc.namespaces import WSDL11, qname

DEFINITIONS, IMPORT = qname(WSDL11, "definitions"), qname(WSDL11, "import")


@dataclass(frozen=True, slots=True)
class WsdlFile:
    """One wsdl:definitions.

    path          of the file
    location      as first written in the wsdl:import that led to it; None: it is the WSDL that is served
    raw           the bytes of the file
    from_the_web  an address on the web led to it: whoever reads the WSDL gets it there, and not from us
    """

    root: etree._Element
    path: Path
    raw: bytes = field(repr=False)
    location: str | None = None
    from_the_web: bool = False


def wsdls_of(wsdl: WsdlFile) -> tuple[WsdlFile, ...]:
    """A WSDL and what it leads to by wsdl:import, each once.

    Errors  ContractError: a file is missing, is no WSDL or that of another namespace, or would have to be fetched from
            a network
    """
    found = [wsdl]
    for file in found:  # grows while it is walked
        for reference in file.root.iterfind(IMPORT):
            imported = _imported(wsdl.path, file, reference)
            if imported.path.resolve() not in {one.path.resolve() for one in found}:
                found.append(imported)
    return tuple(found)


def _imported(wsdl: Path, file: WsdlFile, reference: etree._Element) -> WsdlFile:
    location = reference.get("location", "")
    if not location:
        raise ContractError(
            file.path, line_of(reference), "wsdl:import names no file", "the location of one (BP 1.1 R2007)"
        )
    path, raw = named_file(wsdl, file.path, reference, "location")
    root = parse_file(path, raw)
    if root.tag != DEFINITIONS:
        raise ContractError(
            file.path, line_of(reference), f"wsdl:import leads to {location}, which is {root.tag}",
            "a WSDL 1.1 file; a schema is imported by xs:import in wsdl:types (BP 1.1 R2001)",
        )  # fmt: skip
    if root.get("targetNamespace") != reference.get("namespace"):
        raise ContractError(
            path, line_of(root), f"targetNamespace is {root.get('targetNamespace')}",
            f"{reference.get('namespace')}, as the wsdl:import of it says",
        )  # fmt: skip
    return WsdlFile(root, path, raw, location, file.from_the_web or is_on_the_web(location))
