"""Random messages by a WSDL, and random edits of one: what the class of a difference is held against."""

from __future__ import annotations

import random
from copy import deepcopy

from lxml import etree

from soapsvc.contract.inclusion import substitutes
from soapsvc.contract.schema_components import ComplexType, Element, Group, Particle, SchemaSet
from soapsvc.contract.value_inclusion import Values, accepts, samples, values_of
from soapsvc.namespaces import XML_SCHEMA, XML_SCHEMA_INSTANCE

X = f"{{{XML_SCHEMA}}}"
MORE = 3  # occurrences beyond the least, where the most is far away


class Instances:
    """Makes elements of a schema at random; each goes to the edges (none, one, most) more often than to the middle."""

    def __init__(self, schema: SchemaSet, chance: random.Random):
        self._schema, self._chance = schema, chance

    def element(self, declared: Element, depth: int = 0) -> etree._Element:
        made = etree.Element(declared.name)
        of = self._schema.type_of(declared)
        for attribute in self._schema.attributes(of):
            if attribute.use == "required" or self._chance.random() < 0.5:
                values = values_of(self._schema, self._schema.type_of(attribute))
                made.set(attribute.name, attribute.fixed if attribute.fixed is not None else self._text(values))
        if declared.nillable and self._chance.random() < 0.3:
            made.set(f"{{{XML_SCHEMA_INSTANCE}}}nil", "true")
        elif declared.fixed is not None:
            made.text = declared.fixed
        elif isinstance(of, ComplexType) and not of.simple:
            for particle in self._schema.content(of):
                self._particle(particle, made, depth)
            if of.mixed and self._chance.random() < 0.3:
                made.text = "mixed"
        else:
            made.text = self._text(values_of(self._schema, of))
        return made

    def _particle(self, particle: Particle, parent: etree._Element, depth: int) -> None:
        most = particle.min_occurs + MORE if particle.max_occurs is None else particle.max_occurs
        counts = {
            particle.min_occurs,
            min(most, particle.min_occurs + MORE),
            most if most < 12 else particle.min_occurs,
        }
        for _ in range(particle.min_occurs if depth > 12 else self._chance.choice(sorted(counts))):
            if isinstance(particle, Element):
                standing = list(substitutes(self._schema, particle))
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
                parent.append(etree.Element("{urn:anything}else"))

    def _text(self, values: Values) -> str:
        fitting = [text for text in dict.fromkeys(samples(values)) if accepts(values, text)]
        return self._chance.choice(fitting) if fitting else ""


BUILTINS = ["string", "int", "integer", "decimal", "boolean", "dateTime", "token", "anyURI", "positiveInteger", "short"]


def edited(wsdl: etree._Element, chance: random.Random) -> etree._Element:
    """The WSDL with one edit of its schemas. It may be one that does not compile."""
    root = deepcopy(wsdl)
    elements = [each for each in root.iter(f"{X}element") if each.getparent().tag != f"{X}schema"]
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
