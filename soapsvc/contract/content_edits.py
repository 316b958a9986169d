"""Edits that let an element have what the traffic puts into it: children, attributes, text, xsi:nil."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from soapsvc.contract.schema_components import ComplexType, Element
from soapsvc.contract.traffic import Case
from soapsvc.contract.wsdl_edits import Splice
from soapsvc.contract.wsdl_site import GROUPS, Edit, Site, said_of
from soapsvc.namespaces import XML_SCHEMA, qname

_EXTENSION = qname(XML_SCHEMA, "extension")
_SIMPLE_CONTENT, _COMPLEX_CONTENT = qname(XML_SCHEMA, "simpleContent"), qname(XML_SCHEMA, "complexContent")


# Children ------------------------------------------------------------------------------------------------------------


def unknown_element_edit(site: Site, case: Case) -> Edit | None:
    """An optional element where an unknown one came."""
    of = site.editable(case, "complexType")
    if of is None:
        return None
    name = etree.QName(case.tag)
    neighbours = [*((each, False) for each in case.previous), *((each, True) for each in case.following)]
    place = next(((use, before) for tag, before in neighbours if (use := _use(site, of, tag)) is not None), None)
    at = of if place is None else place[0]
    said = said_of(case.pushes, f"in {etree.QName(case.names[-2]).localname}.")
    type_name = site.xs(at, "anyType" if case.has_children or case.names_type else "string")
    occurs = [("minOccurs", "0"), *([("maxOccurs", "unbounded")] if case.most > 1 else [])]
    splices: list[Splice] = []
    attributes = [("name", name.localname), ("type", type_name), *_form(site, at, case), *occurs]
    lines = site.component(at, "element", attributes, said)
    if name.namespace is not None and name.namespace != site.target(at):
        if case.tag not in site.wsdl.schema.elements:
            made = site.component(at, "element", [("name", name.localname), ("type", type_name)], said)
            splices += site.added_global(name.namespace, at, made)
        lines = site.component(at, "element", [("ref", site.written(at, case.tag)), *occurs], said)
        splices += site.imported(at, name.namespace)
    splices.append(_placed(site, of, place, lines))
    return Edit(of, f"optional element {name.localname} added", tuple(splices))


def _form(site: Site, at: etree._Element, case: Case) -> list[tuple[str, str]]:
    """What has to be said for a local name to be in the namespace that it was sent in."""
    is_qualified = site.of_schema(at).get("elementFormDefault") == "qualified"
    wanted = etree.QName(case.tag).namespace is not None
    return [] if is_qualified is wanted else [("form", "qualified" if wanted else "unqualified")]


def _use(site: Site, of: etree._Element, tag: str) -> etree._Element | None:
    """The xs:element of a content model by which a child of a Clark name is there."""
    waiting = list(of)
    while waiting:
        at = waiting.pop(0)
        if at.tag == qname(XML_SCHEMA, "element"):
            if at.get("ref") is not None:
                if site.clark(at, at.get("ref", "")) == tag:
                    return at
            elif at.get("name") == etree.QName(tag).localname:
                return at
        elif at.tag in (*GROUPS, _EXTENSION, _COMPLEX_CONTENT):
            waiting[:0] = list(at)
    return None


def _placed(site: Site, of: etree._Element, place: tuple[etree._Element, bool] | None, lines: Sequence[str]) -> Splice:
    """Lines of a new particle: beside that of a neighbour, out of the choices that it stands in, or at the end."""
    if place is not None:
        beside, before = place
        for around in beside.iterancestors(*GROUPS):
            if around.getparent() is not None and around.getparent().tag not in GROUPS:  # type: ignore[union-attr]
                break  # it stands in the outermost group
            if around.tag == GROUPS[1] or around.get("maxOccurs", "1") != "1":
                beside = around
        return site.text.before(beside, lines) if before else site.text.after(beside, lines)
    group = next((each for each in of.iter(*GROUPS)), None)
    if group is not None:
        return site.text.last_in(group, lines)
    tag = site.xs(of, "sequence")
    body = next(of.iter(_EXTENSION), of)
    made = [f"<{tag}>", *("  " + line for line in lines), f"</{tag}>"]
    note = body.find(qname(XML_SCHEMA, "annotation"))
    return site.text.first_in(body, made) if note is None else site.text.after(note, made)


def missing_element_edit(site: Site, case: Case) -> Edit | None:
    """An element of the content model that may be absent."""
    use = site.editable(case, "element", "any")
    if use is None or use.get("minOccurs", "1") == "0":
        return None
    name = use.get("name") or use.get("ref") or "any element"
    return Edit(use, f"{name}: minOccurs {use.get('minOccurs', '1')} -> 0", (site.text.set(use, "minOccurs", "0"),))


def too_many_edit(site: Site, case: Case) -> Edit | None:
    """An element that may come more often."""
    use = site.editable(case, "element")
    if use is None or use.get("maxOccurs") == "unbounded":
        return None
    parent = use.getparent()
    if parent is not None and parent.tag == GROUPS[2]:
        return repeated_choice_edit(site, case)  # within xs:all an element comes once at most
    what = f"{use.get('name') or use.get('ref')}: maxOccurs {use.get('maxOccurs', '1')} -> unbounded"
    return Edit(use, what, (site.text.set(use, "maxOccurs", "unbounded"),))


def any_order_edit(site: Site, case: Case) -> Edit | None:
    """The same elements, each as often as before, in any order: xs:all, where XML Schema allows it."""
    of = site.editable(case, "complexType")
    group = None if of is None else next(of.iterchildren(GROUPS[0]), None)
    if of is None or group is None or len(of.findall(_COMPLEX_CONTENT)) or group.get("maxOccurs", "1") != "1":
        return None
    members = [each for each in group.iterchildren(etree.Element) if each.tag != qname(XML_SCHEMA, "annotation")]
    once = all(each.tag == qname(XML_SCHEMA, "element") and each.get("maxOccurs", "1") == "1" for each in members)
    name = of.get("name")
    derived = name is not None and any(
        site.clark(each, each.get("base", "")) == qname(site.target(of), name)
        for each in site.elements_named("extension")
    )
    if not once or derived:
        return None
    return Edit(group, "order: the elements may stand in any order", tuple(site.text.renamed(group, "all")))


def repeated_choice_edit(site: Site, case: Case) -> Edit | None:
    """The same elements in any order and as often as one likes."""
    of = site.editable(case, "complexType")
    group = None if of is None else next(of.iter(*GROUPS), None)
    if group is None or (group.tag == GROUPS[1] and group.get("maxOccurs") == "unbounded"):
        return None
    splices = site.text.renamed(group, "choice")
    splices += [site.text.set(group, "maxOccurs", "unbounded"), site.text.set(group, "minOccurs", "0")]
    for member in group.iterchildren(etree.Element):  # within a repeated choice they would be ambiguous
        splices += [site.text.set(member, key, None) for key in ("minOccurs", "maxOccurs") if member.get(key)]
    return Edit(group, "order: the elements may stand in any order, as often as one likes", tuple(splices))


# Text and attributes -------------------------------------------------------------------------------------------------


def mixed_edit(site: Site, case: Case) -> Edit | None:
    """Text between the children."""
    of = site.editable(case, "complexType")
    if of is None or of.get("mixed") == "true":
        return None
    return Edit(of, "text may stand between the child elements", (site.text.set(of, "mixed", "true"),))


def anything_edit(site: Site, case: Case) -> Edit | None:
    """Children where the type has none, or an xsi:type that is no kind of it: anything at all."""
    declared = site.editable(case, "element")
    if declared is None or declared.get("type") is None or declared.get("type") == site.xs(declared, "anyType"):
        return None
    written = site.xs(declared, "anyType")
    what = f"type: {declared.get('type')} -> {written}"
    return Edit(declared, what, (site.text.set(declared, "type", written),))


def optional_attribute_edit(site: Site, case: Case) -> Edit | None:
    """A demanded attribute that may be absent."""
    use = site.editable(case, "attribute")
    if use is None or use.get("use") != "required":
        return None
    name = use.get("name") or use.get("ref")
    return Edit(use, f"attribute {name}: use required -> optional", (site.text.set(use, "use", "optional"),))


def unknown_attribute_edit(site: Site, case: Case) -> Edit | None:
    """An optional attribute where an unknown one came; of another namespace: whatever of that."""
    assert case.attribute is not None, "the rule is one of attributes"
    name, of = etree.QName(case.attribute), site.editable(case, "complexType")
    at = of if of is not None else site.declaration(case)
    if at is None:
        return None
    said = said_of(case.pushes, f"on {etree.QName(case.tag).localname}.")
    if name.namespace in (None, site.target(at)):
        form = [("form", "qualified")] if name.namespace else []
        lines = site.component(at, "attribute", [("name", name.localname), ("type", site.xs(at, "string")), *form],
                               said)  # fmt: skip
        what = f"attribute {name.localname} added"
    else:
        wildcard = [("namespace", name.namespace or ""), ("processContents", "lax")]
        lines = site.component(at, "anyAttribute", wildcard, said)
        what = f"attributes of the namespace {name.namespace} added"
    if of is None:
        return _with_attributes(site, at, lines, what)
    body = next((b for content in (_SIMPLE_CONTENT, _COMPLEX_CONTENT) for b in of.iterfind(f"{content}/*")
                 if etree.QName(b).localname in ("extension", "restriction")), of)  # fmt: skip
    wildcards = body.findall(qname(XML_SCHEMA, "anyAttribute"))
    if wildcards and what.startswith("attributes"):
        return None  # a type has one wildcard, and this one says otherwise
    splice = site.text.before(wildcards[0], lines) if wildcards else site.text.last_in(body, lines)
    return Edit(of, what, (splice,))


def _with_attributes(site: Site, declared: etree._Element, lines: Sequence[str], what: str) -> Edit | None:
    """An element of a simple type that has an attribute beside its text."""
    if declared.get("type") is None:
        return None
    of = site.wsdl.schema.type_of(_component(site, declared))
    if isinstance(of, ComplexType):
        return None
    tags = [site.xs(declared, each) for each in ("complexType", "simpleContent", "extension")]
    made = [
        f"<{tags[0]}>",
        f"  <{tags[1]}>",
        f'    <{tags[2]} base="{declared.get("type")}">',
        *("      " + line for line in lines),
        f"    </{tags[2]}>",
        f"  </{tags[1]}>",
        f"</{tags[0]}>",
    ]
    return Edit(declared, what, (site.text.set(declared, "type", None), site.text.last_in(declared, made)))


def _component(site: Site, declared: etree._Element) -> Element:
    return next(each for each in site.wsdl.schema.every_element() if each.source is declared)


def nillable_edit(site: Site, case: Case) -> Edit | None:
    """An element that may be nil."""
    declared = site.editable(case, "element")
    if declared is None or declared.get("nillable") == "true":
        return None
    return Edit(declared, f"{declared.get('name')} may be nil", (site.text.set(declared, "nillable", "true"),))


def lax_edit(site: Site, case: Case) -> Edit | None:
    """A wildcard that admits what is not declared."""
    for component in case.components:
        for wildcard in () if component is None else component.iter(
            qname(XML_SCHEMA, "any"), qname(XML_SCHEMA, "anyAttribute")
        ):  # fmt: skip
            if site.text.holds(wildcard) and wildcard.get("processContents", "strict") == "strict":
                splice = site.text.set(wildcard, "processContents", "lax")
                return Edit(wildcard, "processContents: strict -> lax", (splice,))
    return None
