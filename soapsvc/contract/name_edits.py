"""Edits of names: the child of Body, header blocks, and elements that came in another namespace or letter case."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from soapsvc.contract.traffic import Case
from soapsvc.contract.wsdl_edits import INDENT, Splice
from soapsvc.contract.wsdl_site import Edit, Site, said_of
from soapsvc.namespaces import WSDL11, WSDL_SOAP11_BINDING, XML_SCHEMA, qname

_OCCURS = ("minOccurs", "maxOccurs")
_OCCURS_WRITTEN = re.compile(r"""\s+(minOccurs|maxOccurs)\s*=\s*("[^"]*"|'[^']*')""")


# The child of Body ---------------------------------------------------------------------------------------------------


def root_edit(site: Site, case: Case) -> Edit | None:
    """The element that all traffic has in Body, in place of the one that the WSDL wants."""
    operations = site.wsdl.operations
    if len(site.seen.roots) != 1 or len(operations) != 1 or etree.QName(case.tag).namespace is None:
        return None
    wanted, sent = etree.QName(operations[0].input_element), etree.QName(case.tag)
    part = next((each for each in site.parts(wanted.text) if site.text.holds(each)), None)
    declared = site.wsdl.element_declaration([wanted.text])
    if part is None or declared is None or not site.text.holds(declared):
        return None
    inside = site.seen.roots[case.tag]
    if wanted.namespace and sent.namespace != wanted.namespace and inside == {sent.namespace}:
        return _namespace(site, declared, wanted.namespace, sent.namespace or "")
    written = Edit(part, f"element of the Body: {wanted.text} -> {sent.text}",
                   (site.text.set(part, "element", site.written(part, sent.text)),), replaces=True)  # fmt: skip
    if sent.text in site.wsdl.schema.elements:
        return written
    if sent.namespace == wanted.namespace:
        splices = [site.text.set(declared, "name", sent.localname), *written.splices]
        splices += [site.text.set(each, "ref", site.written(each, sent.text))
                    for each in site.elements_named("element")
                    if each.get("ref") and site.clark(each, each.get("ref", "")) == wanted.text]  # fmt: skip
        return Edit(declared, written.what, tuple(splices), replaces=True)
    if declared.get("type") is None:
        return None
    type_name = site.wsdl.schema.elements[wanted.text].type_name or ""
    root = site.wsdl.root
    lines = site.component(root, "element", [("name", sent.localname), ("type", site.written(root, type_name))],
                           said_of(case.pushes, "as the child of Body."))  # fmt: skip
    splices = [*site.added_global(sent.namespace or "", root, lines), *written.splices]
    return Edit(part, written.what, tuple(splices), replaces=True)


def _namespace(site: Site, declared: etree._Element, old: str, new: str) -> Edit | None:
    """A namespace under another name, wherever the file names it."""
    if len(site.wsdl.files) > 1 or any(file.target_namespace == new for file in site.wsdl.schema_files):
        return None  # or one of the files is not edited
    splices = [
        site.text.set(each, key, new)
        for each in site.wsdl.root.iter(etree.Element)
        for key in ("targetNamespace", "namespace")
        if each.get(key) == old
    ]
    for each in site.wsdl.root.iter(etree.Element):
        parent = each.getparent()
        above = {} if parent is None else parent.nsmap
        for prefix, uri in each.nsmap.items():
            if uri == old and above.get(prefix) != uri:
                splices.append(site.text.set(each, f"xmlns:{prefix}" if prefix else "xmlns", new))
    return Edit(site.of_schema(declared), f"namespace: {old} -> {new}", tuple(splices), replaces=True)


# Header blocks -------------------------------------------------------------------------------------------------------


def missing_block_edit(site: Site, case: Case) -> Edit | None:
    """Another declared block, which every message has, in place of the one that is missing; else no binding of it."""
    header, part = (*(each for each in case.components if each is not None), None, None)[:2]
    if header is None or part is None or not site.text.holds(header) or not site.text.holds(part):
        return None
    name = site.clark(part, part.get("element", ""))
    bound = {block for operation in site.wsdl.operations for block in operation.header_blocks}
    everywhere = [
        block for block, pushes in site.seen.blocks.items()
        if len(pushes) == len(site.seen.judged) and block not in bound and block in site.wsdl.schema.elements
    ]  # fmt: skip
    if everywhere and name not in site.seen.blocks:
        splice = site.text.set(part, "element", site.written(part, everywhere[0]))
        return Edit(part, f"header block: {name} -> {everywhere[0]}", (splice,), replaces=True)
    splices = [site.text.remove(header)]
    bindings = [each for each in site.wsdl.root.iter(header.tag) if each.get("part") == header.get("part")]
    if bindings == [header]:  # a part that is bound to nothing would go into Body
        splices.append(site.text.remove(part))
    return Edit(header, f"header block {name} no longer bound", tuple(splices))


def unknown_block_edit(site: Site, case: Case) -> Edit | None:
    """A binding of the block that must be understood, where every message has it: a bound block has to be there."""
    name = etree.QName(case.tag)
    if name.namespace is None or len(site.seen.blocks.get(case.tag, ())) != len(site.seen.judged):
        return None
    inputs = site.wsdl.root.iterfind("/".join(qname(WSDL11, name) for name in ("binding", "operation", "input")))
    body = next((found for each in inputs for found in each.iterfind(qname(WSDL_SOAP11_BINDING, "body"))), None)
    part = next(site.parts(site.wsdl.operations[0].input_element), None)
    message = None if part is None else part.getparent()
    if body is None or part is None or message is None:
        return None
    root, splices = site.wsdl.root, list[Splice]()
    if case.tag not in site.wsdl.schema.elements:
        kind = [("name", name.localname), ("type", site.xs(root, "anyType"))]
        lines = site.component(root, "element", kind, said_of(case.pushes, "as a header block."))
        splices += site.added_global(name.namespace, root, lines)
    part_name = f"header_{name.localname}"
    tag, header = site.written(part, qname(WSDL11, "part")), site.written(body, qname(WSDL_SOAP11_BINDING, "header"))
    of = site.written(body, qname(site.wsdl.target_namespace, message.get("name", "")))
    splices.append(site.text.after(part, [f'<{tag} name="{part_name}" element="{site.written(part, case.tag)}"/>']))
    splices.append(site.text.before(body, [f'<{header} message="{of}" part="{part_name}" use="literal"/>']))
    if body.get("parts") is None:
        splices.append(site.text.set(body, "parts", part.get("name")))
    return Edit(body, f"header block {case.tag} bound", tuple(splices), replaces=True)


# Elements in another namespace or letter case ------------------------------------------------------------------------


def other_name_edit(site: Site, case: Case) -> Edit | None:
    """The name that came: in place of the declared one where all traffic has another namespace, else beside it."""
    use = site.editable(case, "element")
    if use is None or use.getparent() is None:
        return None
    moved = _moved_type(site, case, use)
    if moved is not None:
        return moved
    sent = etree.QName(case.tag)
    alone = sent.namespace != site.target(use) and use not in site.seen.used and not any(
        other is not case and other.rule == case.rule and use in other.components for other in site.seen.cases.values()
    )  # fmt: skip
    what = f"element {use.get('name') or use.get('ref')}: {'' if alone else 'or '}{sent.text}"
    splices: list[Splice] = []
    if use.get("ref") is None and sent.namespace in (None, site.target(use)):
        other = _renamed(site, use, case)
    else:
        found = _referred(site, use, case, splices)
        if found is None:
            return None
        other = found
    if alone:
        splices.append(site.text.replace(use, other))
        return Edit(use, what, tuple(splices), replaces=True)
    tag = site.xs(use, "choice")
    occurs = "".join(f' {key}="{use.get(key)}"' for key in _OCCURS if use.get(key))
    both = [*_without_occurs(_dedented(site, use)), *_without_occurs(other)]
    lines = [f"<{tag}{occurs}>", *(INDENT + line for line in both), f"</{tag}>"]
    splices.append(site.text.replace(use, lines))
    return Edit(use, what, tuple(splices))


def _renamed(site: Site, use: etree._Element, case: Case) -> list[str]:
    """The lines of a declaration under the name that came, which is of the same schema or of no namespace."""
    sent = etree.QName(case.tag)
    kept = [(key, use.get(key, "")) for key in ("type", *_OCCURS, "nillable", "default", "fixed") if use.get(key)]
    qualified = site.of_schema(use).get("elementFormDefault") == "qualified"
    form = [] if qualified is bool(sent.namespace) else [("form", "qualified" if sent.namespace else "unqualified")]
    said = said_of(case.pushes, f"where {use.get('name')} was declared.")
    return site.component(use, "element", [("name", sent.localname), *kept, *form], said, _anonymous(site, use))


def _referred(site: Site, use: etree._Element, case: Case, splices: list[Splice]) -> list[str] | None:
    """The lines of a reference to a global element of the name that came, which is made where there is none."""
    sent = etree.QName(case.tag)
    if sent.namespace is None:
        return None
    declared = use
    if use.get("ref") is not None:
        declared = site.wsdl.schema.elements[site.clark(use, use.get("ref", ""))].source
    said = said_of(case.pushes, f"where {use.get('name') or use.get('ref')} was declared.")
    if case.tag not in site.wsdl.schema.elements:
        kept = [(key, declared.get(key, "")) for key in ("type", "nillable", "default", "fixed") if declared.get(key)]
        if not site.text.holds(declared):
            return None
        lines = site.component(declared, "element", [("name", sent.localname), *kept], said, _anonymous(site, declared))
        splices += site.added_global(sent.namespace, declared, lines)
    splices += site.imported(use, sent.namespace)
    occurs = [(key, use.get(key, "")) for key in _OCCURS if use.get(key)]
    return site.component(use, "element", [("ref", site.written(use, case.tag)), *occurs], said)


def _anonymous(site: Site, use: etree._Element) -> list[str]:
    """The type that is written in a declaration, as it stands there."""
    inner = next(use.iterchildren(qname(XML_SCHEMA, "complexType"), qname(XML_SCHEMA, "simpleType")), None)
    return [] if inner is None else _dedented(site, inner)


def _dedented(site: Site, element: etree._Element) -> list[str]:
    first, *rest = site.text.source(element).split("\n")
    least = min((len(line) - len(line.lstrip()) for line in rest[-1:]), default=0)
    return [first, *(line[least:] if not line[:least].strip() else line for line in rest)]


def _without_occurs(lines: list[str]) -> Iterator[str]:
    """Lines of one element without how often it occurs, which is said around it; where they stand on its first line."""
    yield _OCCURS_WRITTEN.sub("", lines[0])
    yield from lines[1:]


def _moved_type(site: Site, case: Case, use: etree._Element) -> Edit | None:
    """The global type that a declaration stands in, in the namespace that all its children came in."""
    sent = etree.QName(case.tag)
    of = next((each for each in use.iterancestors(qname(XML_SCHEMA, "complexType")) if each.get("name")), None)
    schema = next((f.element for f in site.wsdl.schema_files if f.location is None
                   and f.target_namespace == sent.namespace), None)  # fmt: skip
    if of is None or schema is None or sent.namespace == site.target(use):
        return None
    inside = list(of.iter(qname(XML_SCHEMA, "element")))
    namespaces = {
        etree.QName(other.tag).namespace for other in site.seen.cases.values()
        if other.rule == case.rule and any(each in inside for each in other.components)
    }  # fmt: skip
    old, new = qname(site.target(of), of.get("name", "")), qname(sent.namespace, of.get("name", ""))
    fits = any(each in site.seen.used for each in inside)
    if fits or namespaces != {sent.namespace} or new in site.wsdl.schema.type_names:
        return None
    if schema.get("elementFormDefault") != "qualified" or any(schema.nsmap.get(p) != u for p, u in of.nsmap.items()):
        return None
    if any(each in (of, *of.iterdescendants()) for each, _ in site.references(old)):
        return None  # it would name itself by its old name
    splices = [site.text.remove(of), site.text.last_in(schema, ["", *_dedented(site, of)])]
    for each, attribute in site.references(old):
        if not site.text.holds(each):
            return None
        words = each.get(attribute, "").split()
        written = " ".join(site.written(each, new) if site.clark(each, word) == old else word for word in words)
        splices += [site.text.set(each, attribute, written), *site.imported(each, sent.namespace or "")]
    return Edit(of, f"type {of.get('name')} moved to namespace {sent.namespace}", tuple(splices), replaces=True)
