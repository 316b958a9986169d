"""Random messages by a WSDL, and random edits of one: what the class of a difference is held against."""

from __future__ import annotations

import random
from copy import deepcopy
from functools import cache

from lxml import etree

from soapsvc.contract.attribute_uses import all_attributes
from soapsvc.contract.schema_components import (
    ComplexType,
    Element,
    Group,
    Particle,
    SchemaSet,
    SimpleType,
    Type,
)
from soapsvc.contract.substitution import Substitution
from soapsvc.contract.value_inclusion import Values, accepts, samples, values_of
from soapsvc.contract.wildcards import Wildcard, admits
from soapsvc.namespaces import XML_SCHEMA, XML_SCHEMA_INSTANCE

X = f"{{{XML_SCHEMA}}}"
UNKNOWN = ["{urn:anything}else", "{urn:y}y", "{urn:z}z", "{urn:open}unknown", "unknown"]
MORE = 3  # occurrences beyond the least, where the most is far away


class Instances:
    """Makes elements of a schema at random; each goes to the edges (none, one, most) more often than to the middle."""

    def __init__(self, schema: SchemaSet, chance: random.Random):
        self._schema, self._chance = schema, chance
        self._substitution = Substitution(schema)
        namespaces = {etree.QName(name).namespace for name in schema.type_names} - {None}
        # the same prefixes on every element: lxml takes a declaration away where the element around it has one as well
        self._prefixes = {f"p{n}": namespace for n, namespace in enumerate(sorted(map(str, namespaces)))}

    def element(self, declared: Element, depth: int = 0) -> etree._Element:
        made = self._made(declared.name)
        of = self._schema.type_of(declared)
        named = {} if self._is_built_in(of) else self._substitution.types(declared)
        if named and (self._chance.random() < 0.5 or (isinstance(of, ComplexType) and of.abstract)):
            name = self._chance.choice(sorted(named))
            of = named[name]
            self._name_type(made, name)
        self._free_attribute(made, all_attributes(self._schema, of))
        for attribute in self._schema.attributes(of):
            if attribute.use == "required" or self._chance.random() < 0.5:
                values = values_of(self._schema, self._schema.type_of(attribute))
                made.set(attribute.name, attribute.fixed if attribute.fixed is not None else self._text(values))
        if declared.nillable and self._chance.random() < 0.3:
            made.set(f"{{{XML_SCHEMA_INSTANCE}}}nil", "true")
        elif declared.fixed is not None:
            made.text = declared.fixed
        else:
            self._fill(made, of, depth)
        return made

    def _is_built_in(self, of: Type) -> bool:
        """Whether it is of those for which no other type is named: the one thing of xsi:type that `diff` leaves out."""
        return isinstance(of, SimpleType) and of.name is not None and of.source is None

    def _fill(self, made: etree._Element, of: Type, depth: int) -> None:
        if isinstance(of, ComplexType) and not of.simple:
            for particle in self._schema.content(of):
                self._particle(particle, made, depth)
            if of.mixed and self._chance.random() < 0.3:
                made.text = "mixed"
        else:
            made.text = self._text(values_of(self._schema, of))

    def _particle(self, particle: Particle, parent: etree._Element, depth: int) -> None:
        most = particle.min_occurs + MORE if particle.max_occurs is None else particle.max_occurs
        counts = {
            particle.min_occurs,
            min(most, particle.min_occurs + MORE),
            most if most < 12 else particle.min_occurs,
        }
        for _ in range(particle.min_occurs if depth > 12 else self._chance.choice(sorted(counts))):
            if isinstance(particle, Element):
                standing = list(self._substitution.elements(particle))
                if standing:
                    parent.append(self.element(self._chance.choice(standing), depth + 1))
            elif isinstance(particle, Group):
                members = list(particle.particles)
                if particle.kind == "choice":
                    members = [self._chance.choice(members)] if members else []
                elif particle.kind == "all":
                    self._chance.shuffle(members)
                for member in members:
                    self._particle(member, parent, depth)
            else:
                parent.append(self._admitted(particle, depth))

    def _admitted(self, wildcard: Wildcard, depth: int) -> etree._Element:
        """An element of a wildcard: a declared one, or an unknown one, which may say its type."""
        names = [name for name in self._schema.elements if admits(wildcard, name)]
        if names and depth < 4 and (wildcard.process_contents == "strict" or self._chance.random() < 0.5):
            return self.element(self._schema.elements[self._chance.choice(names)], depth + 1)
        made = self._made(self._chance.choice([name for name in UNKNOWN if admits(wildcard, name)] or UNKNOWN))
        if self._schema.type_names and self._chance.random() < 0.3:
            name = self._chance.choice(self._schema.type_names)
            self._fill(made, self._schema.type(name), depth)
            self._name_type(made, name)
        return made

    def _made(self, name: str) -> etree._Element:
        return etree.Element(name, nsmap=self._prefixes)

    def _name_type(self, made: etree._Element, name: str) -> None:
        made.set(etree.QName(XML_SCHEMA_INSTANCE, "type"), etree.QName(name))

    def _free_attribute(self, made: etree._Element, wildcard: Wildcard | None) -> None:
        if wildcard is None or self._chance.random() < 0.5:
            return
        declared = self._schema.attributes_by_name
        name = self._chance.choice([name for name in (*UNKNOWN, *declared) if admits(wildcard, name)] or [""])
        if name in declared and wildcard.process_contents != "skip":
            made.set(name, self._text(values_of(self._schema, self._schema.type_of(declared[name]))))
        elif name:
            made.set(name, "anything")

    def _text(self, values: Values) -> str:
        return self._chance.choice(fitting(values) or ("",))


@cache
def fitting(values: Values) -> tuple[str, ...]:
    """Those of its samples that libxml2 takes."""
    return tuple(text for text in dict.fromkeys(samples(values)) if accepts(values, text))


BUILTINS = ["string", "int", "integer", "decimal", "boolean", "dateTime", "token", "anyURI", "positiveInteger", "short"]


def edited(wsdl: etree._Element, chance: random.Random) -> etree._Element:
    """The WSDL with one edit of its schemas. It may be one that does not compile."""
    root = deepcopy(wsdl)
    elements = [each for each in root.iter(f"{X}element") if each.getparent().tag != f"{X}schema" and each.get("name")]
    element, edit = chance.choice(elements), chance.randrange(13)
    parent = element.getparent()
    if edit == 0:
        element.set("minOccurs", chance.choice("0123"))
    elif edit == 1:
        element.set("maxOccurs", chance.choice(["1", "2", "3", "unbounded"]))
    elif edit == 2:
        element.set("nillable", "true")
    elif edit == 3:
        parent.remove(element)
    elif edit == 4:
        added = etree.Element(f"{X}element", name="Added", type=element.get("type", ""), nsmap=element.nsmap)
        if not element.get("type"):
            del added.attrib["type"]
        added.set("minOccurs", chance.choice("01"))
        parent.insert(parent.index(element), added)
    elif edit == 5 and element.getnext() is not None and element.getnext().tag == element.tag:
        parent.insert(parent.index(element), element.getnext())
    elif edit == 6 and element.get("type"):
        prefix = next(p for p, uri in element.nsmap.items() if uri == XML_SCHEMA)
        element.set("type", f"{prefix}:{chance.choice(BUILTINS)}")
    elif edit == 7:
        element.set("name", element.get("name") + "2")
    elif edit == 8:
        etree.SubElement(
            parent, f"{X}any", namespace=chance.choice(["##any", "##other"]), processContents="lax", minOccurs="0"
        )
    elif edit == 9:
        attributes = list(root.iter(f"{X}attribute"))
        chance.choice(attributes).set("use", chance.choice(["optional", "required", "prohibited"]))
    elif edit == 10:
        enumerations = list(root.iter(f"{X}enumeration"))
        gone = chance.choice(enumerations)
        if chance.random() < 0.5:
            gone.getparent().remove(gone)
        else:
            gone.getparent().append(etree.Element(f"{X}enumeration", value="added"))
    elif edit == 11:
        restriction = chance.choice(list(root.iter(f"{X}restriction")))
        name = chance.choice(["maxLength", "minLength", "pattern"])
        etree.SubElement(restriction, f"{X}{name}", value=".{0,3}" if name == "pattern" else str(chance.randrange(6)))
    elif edit == 12:
        chance.choice(list(root.iter(f"{X}complexType"))).set("mixed", "true")
    return root


def edited_open(wsdl: etree._Element, chance: random.Random) -> etree._Element:
    """The WSDL with one edit of what lets a message have more: types, wildcards, groups, global components, keys."""
    root = deepcopy(wsdl)
    schema = next(root.iter(f"{X}schema"))
    edit = chance.randrange(10)
    if edit == 0:
        blocked = chance.choice(list(root.iter(f"{X}element", f"{X}complexType")))
        blocked.set("block", chance.choice(["extension", "restriction", "#all"]))
    elif edit == 1:
        wildcard = chance.choice(list(root.iter(f"{X}any", f"{X}anyAttribute")))
        wildcard.set("processContents", chance.choice(["skip", "lax", "strict"]))
    elif edit == 2:
        wildcard = chance.choice(list(root.iter(f"{X}any", f"{X}anyAttribute")))
        wildcard.set(
            "namespace", chance.choice(["##any", "##other", "##local urn:y", "urn:z urn:y", "##targetNamespace"])
        )
    elif edit == 3:
        of = {prefix: uri for prefix, uri in root.nsmap.items() if uri == XML_SCHEMA}
        made = etree.SubElement(schema, f"{X}{chance.choice(['element', 'attribute'])}", name="unknown")
        made.set("type", f"{next(iter(of))}:{chance.choice(['anyType', 'string', 'int'])}")
    elif edit == 4:
        chance.choice(list(root.iter(f"{X}anyAttribute", f"{X}unique", f"{X}attribute"))).set("id", "gone")
        found = next(each for each in root.iter() if each.get("id") == "gone")
        found.getparent().remove(found)
    elif edit == 5:
        kind, name = chance.choice(["unique", "key"]), "added"
        last = next(each for each in schema if each.get("name") == "Push")
        made = etree.SubElement(last, f"{X}{kind}", name=name)
        prefix = next(prefix for prefix, uri in root.nsmap.items() if uri == schema.get("targetNamespace"))
        etree.SubElement(made, f"{X}selector", xpath=f"{prefix}:{chance.choice(['Thing', 'Row'])}")
        etree.SubElement(made, f"{X}field", xpath=chance.choice([f"{prefix}:Id", f"{prefix}:K"]))
    elif edit == 6:
        chance.choice(list(schema.iterchildren(f"{X}complexType"))).set("abstract", chance.choice(["true", "false"]))
    elif edit == 7:
        declared = chance.choice(
            [each for each in schema.iterchildren(f"{X}element", f"{X}attribute") if each.get("type")]
        )
        declared.set("type", chance.choice(["x:int", "x:string", "x:short", "a:Fax", "a:Base", "a:Code"]))
    elif edit == 8:
        chance.choice(list(root.iter(f"{X}attributeGroup"))).set("ref", chance.choice(["a:first", "a:second"]))
    elif edit == 9:
        gone = chance.choice([each for each in schema if each.get("name") not in ("Push", "Done")])
        schema.remove(gone)
    return root
