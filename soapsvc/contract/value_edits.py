"""Edits that let a value pass: a wider built-in type, one more enumerated value, no fixed value."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from soapsvc.contract.traffic import MAX_VALUES, Case
from soapsvc.contract.value_inclusion import Values, accepts
from soapsvc.contract.wsdl_site import Edit, Site, said_of
from soapsvc.namespaces import XML_SCHEMA, qname

_ADDED_VALUES = 5  # of an enumeration; a list of more is none
_WIDER = {
    "byte": "short", "short": "int", "int": "long", "long": "integer",
    "unsignedByte": "unsignedShort", "unsignedShort": "unsignedInt", "unsignedInt": "unsignedLong",
    "unsignedLong": "nonNegativeInteger", "positiveInteger": "nonNegativeInteger", "nonNegativeInteger": "integer",
    "negativeInteger": "nonPositiveInteger", "nonPositiveInteger": "integer", "integer": "decimal",
    "float": "double", "language": "token", "NMTOKEN": "token", "NCName": "token", "Name": "token", "ID": "NCName",
    "token": "normalizedString",
}  # fmt: skip
"""Built-in types to the next wider one (XML Schema part 2, 3); a string takes whatever is left."""


def value_edit(site: Site, case: Case) -> Edit | None:
    """An edit by which the texts of a case fit their type."""
    use = site.editable(case, "attribute" if case.attribute is not None else "element")
    if use is not None and use.get("ref") is not None:
        use = next((each for each in case.components[1:] if each is not None and each.tag == use.tag), None)
    return None if use is None or not site.text.holds(use) else _typed(site, case, use, "type")


def fixed_edit(site: Site, case: Case) -> Edit | None:
    """An edit by which a fixed value may be another one."""
    use = site.editable(case, "attribute" if case.attribute is not None else "element")
    if use is None or use.get("fixed") is None:
        return None
    return Edit(use, f'the value "{use.get("fixed")}" is not fixed', (site.text.set(use, "fixed", None),))


def _typed(site: Site, case: Case, at: etree._Element, attribute: str) -> Edit | None:
    """The same for a component whose type is named by an attribute, or written in it."""
    if at.get(attribute) is None:
        inner = next(at.iterchildren(qname(XML_SCHEMA, "simpleType")), None)
        if inner is not None:
            return _enumeration(site, case, inner)
        inside = next(at.iterchildren(qname(XML_SCHEMA, "complexType")), None)
        return None if inside is None else _simple_content(site, case, inside)
    name = site.clark(at, at.get(attribute, ""))
    if etree.QName(name).namespace == XML_SCHEMA:
        return _widened(site, case, at, attribute, etree.QName(name).localname)
    source = site.wsdl.schema.type(name, at).source
    if source is None or not site.text.holds(source):
        return None
    if source.tag == qname(XML_SCHEMA, "complexType"):
        return _simple_content(site, case, source)
    base = site.wsdl.schema.simple_base(site.wsdl.schema.type(name, at))
    plain = "string" if base is None else etree.QName(base).localname
    return _enumeration(site, case, source) or _widened(site, case, at, attribute, plain)


def _simple_content(site: Site, case: Case, source: etree._Element) -> Edit | None:
    for body in source.iterfind(f"{qname(XML_SCHEMA, 'simpleContent')}/{qname(XML_SCHEMA, 'extension')}"):
        return _typed(site, case, body, "base")
    return None


def _widened(site: Site, case: Case, at: etree._Element, attribute: str, builtin: str) -> Edit | None:
    """The nearest built-in type that takes every text."""
    if len(case.values) >= MAX_VALUES:
        builtin = "string"
    while builtin != "string" and not _all_accepted(builtin, case.values):
        builtin = _WIDER.get(builtin, "string")
    written = site.xs(at, builtin)
    if written == at.get(attribute):
        return None
    what = f"{attribute}: {at.get(attribute)} -> {written}"
    return Edit(at, what, (site.text.set(at, attribute, written),))


def _all_accepted(builtin: str, values: Iterable[str]) -> bool:
    return all(accepts(Values("atomic", builtin), value) for value in values)


def _enumeration(site: Site, case: Case, source: etree._Element) -> Edit | None:
    """The texts as further values, where the type is an enumeration and they are few and no secret."""
    restriction = next(source.iterchildren(qname(XML_SCHEMA, "restriction")), None)
    listed = [] if restriction is None else list(restriction.iterchildren(qname(XML_SCHEMA, "enumeration")))
    if not listed or case.secret or not 0 < len(case.values) <= _ADDED_VALUES:
        return None
    known = {each.get("value") for each in listed}
    new = [value for value in case.values if value not in known]
    if not new:
        return None
    said = said_of(case.pushes, f"as a value of {case.names[-1].rpartition('}')[2]}.")
    lines = [line for value in new for line in site.component(listed[-1], "enumeration", [("value", value)], said)]
    told = ", ".join(f'"{value}"' for value in new)
    return Edit(source, f"enumeration value {told} added", (site.text.after(listed[-1], lines),))
