"""The contract in force as a page shows it: records alone, for this room reads no WSDL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Component:
    """An element or attribute of a message.

    depth          from 0: how far inside
    name           local name; an attribute begins with @
    type           its type in a few words, facets included
    occurs         "1", "0..1", "1..*"
    mark           DOCUMENTED, SIBLING, INFERRED; None: the file says nothing
    documentation  without the mark
    """

    depth: int
    name: str
    type: str
    occurs: str
    mark: str | None
    documentation: str


@dataclass(frozen=True, slots=True)
class OperationInForce:
    """One operation and its messages, each in the order of the content model.

    request, answer, header_blocks  the elements; an answer of a one-way operation is empty
    """

    name: str
    soap_action: str
    documentation: str
    one_way: bool
    request: tuple[Component, ...]
    answer: tuple[Component, ...]
    header_blocks: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class DifferenceInForce:
    """One difference to the shipped contract; lines from 1, None: it is not there."""

    class_: str
    where: str
    what: str
    shipped_line: int | None
    line: int | None


@dataclass(frozen=True, slots=True)
class ContractInForce:
    """The WSDL that pushes are held against.

    file_name       of the WSDL
    is_shipped      byte for byte the one that soapsvc ships
    beside_shipped  class of the whole difference to that: identical, compatible, breaking
    files           file name to bytes: the WSDL first, then the schema files beside it
    """

    file_name: str
    sha256: str
    target_namespace: str
    is_shipped: bool
    operations: tuple[OperationInForce, ...]
    beside_shipped: str
    differences: tuple[DifferenceInForce, ...]
    files: Mapping[str, bytes] = field(repr=False)
