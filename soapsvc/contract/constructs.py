"""The constructs of a WSDL that are not known for certain, each with what the traffic says of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from soapsvc.contract.traffic import Case, Observed
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.contract.xml_files import line_of
from soapsvc.namespaces import WSDL11, WSDL_SOAP11_BINDING, XML_SCHEMA

TOLD_PUSHES = 5  # of one construct, deviation or edit: the count says the rest
UNCERTAIN = ("INFERRED", "SIBLING")
Outcome = Literal["confirmed", "contradicted", "untouched"]
_UNNAMED = frozenset({"sequence", "choice", "all", "simpleContent", "complexContent", "extension", "restriction",
                      "types", "definitions"})  # fmt: skip
_OWN = frozenset({XML_SCHEMA, WSDL11, WSDL_SOAP11_BINDING})


@dataclass(frozen=True, slots=True)
class Construct:
    """A component with a mark of its own.

    where    component path: `complexType JobIdType/element MRN`
    outcome  contradicted: a message deviates at it; confirmed: one has it as declared; untouched: none has it
    pushes   ids of those that say so, at most TOLD_PUSHES; count: how many there are
    cases    the deviations, where it is contradicted
    """

    where: str
    line: int | None
    mark: str
    outcome: Outcome
    pushes: tuple[str, ...]
    count: int
    cases: tuple[Case, ...] = ()


def constructs_of(wsdl: WsdlDocument, seen: Observed) -> tuple[Construct, ...]:
    """Every construct that is marked INFERRED or SIBLING, in the order of the files."""
    used: dict[etree._Element, dict[str, None]] = {}
    cases: dict[etree._Element, list[Case]] = {}
    for component, pushes in seen.used.items():
        bearer = _bearer(wsdl, component)
        if bearer is not None:
            used.setdefault(bearer, {}).update(pushes)
    for case in seen.cases.values():
        for bearer in dict.fromkeys(_bearer(wsdl, component) for component in case.components):
            if bearer is not None:
                cases.setdefault(bearer, []).append(case)
    return tuple(
        _construct(component, wsdl.mark(component) or "", used.get(component, {}), cases.get(component, []))
        for component in _marked(wsdl)
    )


def path_of(component: etree._Element) -> str:
    """Component path: the names from the global component (or the message, the binding) to it."""
    steps: list[str] = []
    at: etree._Element | None = component
    while at is not None:
        name = etree.QName(at)
        if name.localname == "schema" and steps:
            break
        if name.namespace in _OWN and name.localname not in _UNNAMED:
            said = next((at.get(key) for key in ("name", "ref", "value", "part", "targetNamespace") if at.get(key)), "")
            steps.insert(0, f"{name.localname} {said}".strip())
        at = at.getparent()
    return "/".join(steps) or etree.QName(component).localname


def _construct(component: etree._Element, mark: str, used: dict[str, None], cases: list[Case]) -> Construct:
    deviating = list(dict.fromkeys(push for case in cases for push in case.pushes))
    outcome: Outcome = "contradicted" if deviating else "confirmed" if used else "untouched"
    pushes = deviating or list(used)
    return Construct(path_of(component), line_of(component), mark, outcome, tuple(pushes[:TOLD_PUSHES]), len(pushes),
                     tuple(cases))  # fmt: skip


def _marked(wsdl: WsdlDocument) -> Iterator[etree._Element]:
    roots = dict.fromkeys(
        [*(file.root for file in wsdl.files), *(file.element for file in wsdl.schema_files if file.raw)]
    )
    for root in roots:
        for component in root.iter(etree.Element):
            if wsdl.own_mark(component) in UNCERTAIN:
                yield component


def _bearer(wsdl: WsdlDocument, component: etree._Element | None) -> etree._Element | None:
    """The component whose mark holds for another: itself, or the nearest around it."""
    while component is not None and wsdl.own_mark(component) is None:
        component = component.getparent()
    return component
