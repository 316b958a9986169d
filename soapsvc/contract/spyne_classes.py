"""Which Spyne classes stand for the components of a schema, and what of the schema Spyne has no words for.

Spyne's defaults differ from XML Schema's (nillable everywhere, min_occurs 0), so both are said at every element.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from soapsvc.contract.python_text import literal
from soapsvc.contract.schema_components import (
    XS_ANY_TYPE,
    Attribute,
    ComplexType,
    Element,
    Group,
    Particle,
    SchemaSet,
    SimpleType,
    Type,
)
from soapsvc.contract.spyne_names import BOUNDED_INTEGERS, INTEGERS, PRIMITIVES, RESERVED, STRINGS, is_reserved, unused
from soapsvc.contract.wildcards import Wildcard
from soapsvc.contract.xml_files import text_of
from soapsvc.namespaces import XML_SCHEMA

_LENGTHS = {"minLength": ("min_len",), "maxLength": ("max_len",), "length": ("min_len", "max_len")}
_BOUNDS = {
    "minInclusive": "ge", "maxInclusive": "le", "minExclusive": "gt", "maxExclusive": "lt",
    "totalDigits": "total_digits", "fractionDigits": "fraction_digits",
}  # fmt: skip
Keywords = tuple[tuple[str, str], ...]
"""Arguments of a call: name and Python source of the value."""


@dataclass(frozen=True, slots=True)
class SpyneType:
    """A Spyne class where it is used: its name in the module, and what customises it."""

    name: str
    arguments: Keywords = ()


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a complex class. kind: element, attribute, text (the simple content)."""

    name: str
    kind: str
    of: SpyneType
    use: str | None = None
    documentation: str = ""


@dataclass(frozen=True, slots=True)
class SpyneClass:
    """One class of the module. simple: of a simple type, then base is a SpyneType and there are no members."""

    name: str
    type_name: str
    namespace: str | None
    base: SpyneType
    members: tuple[Member, ...] = ()
    documentation: str = ""
    simple: bool = False


@dataclass
class _Members:
    """What a class has so far, that of its bases included.

    locals  local names of its elements, each in one place
    python  names of its members in Python
    choices  how many xs:choice it has
    """

    locals: set[str] = field(default_factory=set)
    python: set[str] = field(default_factory=set)
    choices: int = 0


@dataclass
class SpyneClasses:
    """The classes of a schema, each after those that it needs, in an order that the schema alone decides.

    not_expressed  what Spyne has no words for, one sentence each
    of_element     Clark name of a global element to the class that has its name, where there is one
    """

    schema: SchemaSet
    taken: set[str] = field(default_factory=lambda: set(RESERVED))
    classes: list[SpyneClass] = field(default_factory=list)
    not_expressed: list[str] = field(default_factory=list)
    of_element: dict[str, str] = field(default_factory=dict)
    _names: dict[str | etree._Element, str] = field(default_factory=dict)
    _members: dict[str, _Members] = field(default_factory=dict)
    _under_way: list[str] = field(default_factory=list)

    def add_everything(self, body_elements: frozenset[str]) -> None:
        """Make a class of every global type, and of every global element that is no child of Body: Spyne names a
        header block after its class, but lets a service say what the child of Body is called."""
        for name in self.schema.type_names:
            self.class_of(name, "")
        for name, element in self.schema.elements.items():
            self._global_element(element)
            if name not in body_elements:
                self._element_class(element)
            elif element.type_name is None:
                self.use_of(element, element.local_name)

    def use_of(self, use: Element | Attribute, owner: str) -> SpyneType:
        """The class of an element's or attribute's type. owner: what an anonymous type is named after."""
        which = use.type_name or use.type_source
        assert which is not None, "reading a declaration without a type gives it anyType"
        return self.class_of(which, owner)

    def class_of(self, which: str | etree._Element, owner: str) -> SpyneType:
        """The class of a type by its Clark name, or by the element that an anonymous one is written in."""
        if isinstance(which, str) and etree.QName(which).namespace == XML_SCHEMA:
            return self._primitive(which, owner)
        of = self.schema.type(which)
        if isinstance(of, SimpleType) and of.name is None:
            return self._anonymous_simple(of, owner)
        if which not in self._names and self._extends_one_under_way(of):
            self._miss(owner, "its type extends a type that holds it; its place is any XML")
            return SpyneType("AnyXml")
        if which not in self._names:
            name = self._name(etree.QName(which).localname if isinstance(which, str) else owner)
            self._names[which] = name
            self._under_way.append(name)
            self.classes.append(self._simple(of, name) if isinstance(of, SimpleType) else self._complex(of, name))
            self._under_way.pop()
        name = self._names[which]
        if name in self._under_way:
            if name == self._under_way[-1]:
                return SpyneType("SelfReference")
            self._miss(owner, f"{name} contains itself by way of other types; its place is any XML")
            return SpyneType("AnyXml")
        if isinstance(of, SimpleType):
            # Spyne forgets the name of a simple type whenever it is customised
            return SpyneType(name, (("type_name", literal(etree.QName(of.name or "").localname)),))
        return SpyneType(name)

    def _extends_one_under_way(self, of: Type) -> bool:
        """Whether a type's base is a class that is not done yet: then no class of it can be made before that."""
        while isinstance(of, ComplexType) and of.derivation == "extension" and of.base is not None:
            if self._names.get(of.base) in self._under_way:
                return True
            of = self.schema.type(of.base, of.source)
        return False

    def _miss(self, where: str, what: str) -> None:
        sentence = f"{where}: {what}"
        if sentence not in self.not_expressed:
            self.not_expressed.append(sentence)

    def _name(self, wanted: str) -> str:
        name = unused(wanted, self.taken)
        self.taken.add(name)
        return name

    def _primitive(self, clark: str, owner: str) -> SpyneType:
        local = etree.QName(clark).localname
        if local in BOUNDED_INTEGERS:
            return SpyneType("Integer", (BOUNDED_INTEGERS[local],))
        if local not in PRIMITIVES:
            self._miss(owner, f"xs:{local} is read as xs:string")
        return SpyneType(PRIMITIVES.get(local, "Unicode"))

    # Simple types ----------------------------------------------------------------------------------------------------

    def _simple(self, of: SimpleType, name: str) -> SpyneClass:
        base = self._simple_base(of, name)
        arguments = (*base.arguments, *self._facets(of, name)) if of.variety == "atomic" else ()
        qname = etree.QName(of.name or name)
        return SpyneClass(
            name,
            qname.localname,
            qname.namespace,
            SpyneType(base.name, _merged(arguments)),
            (),
            documentation(of),
            True,
        )

    def _anonymous_simple(self, of: SimpleType, owner: str) -> SpyneType:
        base = self._simple_base(of, owner)
        facets = self._facets(of, owner) if of.variety == "atomic" else ()
        kept = tuple((key, value) for key, value in base.arguments if key != "type_name")
        named = (("type_name", literal(owner)),) if facets else base.arguments[:1]
        return SpyneType(base.name, _merged((*named, *kept, *facets)))

    def _simple_base(self, of: SimpleType, owner: str) -> SpyneType:
        if of.variety != "atomic" or of.base is None:
            self._miss(owner, f"an xs:{of.variety} is read as xs:string")
            return SpyneType("Unicode")
        base = self.class_of(of.base, owner)
        return SpyneType(base.name, tuple(a for a in base.arguments if a[0] != "type_name"))

    def _facets(self, of: SimpleType, owner: str) -> Keywords:
        built_in = etree.QName(self.schema.simple_base(of) or XS_ANY_TYPE).localname
        primitive = "Integer" if built_in in BOUNDED_INTEGERS else PRIMITIVES.get(built_in, "Unicode")
        arguments: list[tuple[str, str]] = []
        enumerated = [value for name, value in of.facets if name == "enumeration"]
        patterns = [value for name, value in of.facets if name == "pattern"]
        for name, value in of.facets:
            if name in _LENGTHS and primitive in STRINGS:
                arguments += [(key, value.strip()) for key in _LENGTHS[name]]
            elif name in ("totalDigits", "fractionDigits") and _is_number(primitive):
                arguments.append((_BOUNDS[name], value.strip()))
            elif name in _BOUNDS and _is_number(primitive):
                arguments.append((_BOUNDS[name], _number(value, primitive)))
            elif name not in ("enumeration", "pattern"):
                self._miss(owner, f"facet {name} is left out")
        if enumerated and (primitive in STRINGS or _is_number(primitive)):
            write = literal if primitive in STRINGS else lambda value: _number(value, primitive)
            arguments.append(("values", f"[{', '.join(write(value) for value in enumerated)}]"))
        elif enumerated:
            self._miss(owner, "facet enumeration is left out")
        if len(patterns) == 1 and primitive in STRINGS and _is_python_pattern(patterns[0]):
            arguments.append(("pattern", literal(patterns[0])))
        elif patterns:
            self._miss(owner, "facet pattern is left out")
        if arguments and primitive in STRINGS and primitive != "Unicode":
            self._miss(owner, f"the schema that Spyne writes restricts xs:string, not {primitive}")
        return tuple(arguments)

    # Complex types ---------------------------------------------------------------------------------------------------

    def _element_class(self, element: Element) -> None:
        """A class with the element's own name: of its anonymous type, or a subclass of its type's class."""
        qname = etree.QName(element.name)
        base = self.use_of(element, element.local_name)
        is_complex = isinstance(self.schema.type_of(element), ComplexType) and base.name != "AnyXml"
        if element.name in self.schema.type_names and element.type_name != element.name:
            self._miss(element.local_name, "a global element with the name of a type that is not its own is left out")
        elif not is_complex:
            self._miss(element.local_name, "a global element of simple type is left out")
        elif element.type_name in (None, element.name):
            self.of_element[element.name] = base.name
        else:
            name = self.of_element[element.name] = self._name(qname.localname)
            self._members[name] = self._members[base.name]
            self.classes.append(SpyneClass(name, qname.localname, qname.namespace, base, (), documentation(element)))

    def _global_element(self, element: Element) -> None:
        """Note what the declaration of a global element says and Spyne cannot: the type is all that it has."""
        said = (("nillable", element.nillable), ("abstract", element.abstract))
        for what in [name for name, is_so in said if is_so]:
            self._miss(element.local_name, f"{what} is left out at a global element")
        for kind, value in (("default", element.default), ("fixed", element.fixed)):
            if value is not None:
                self._miss(element.local_name, f"{kind} value {value!r} is left out at a global element")
        head = element.source.get("substitutionGroup")
        if head is not None:
            self._miss(element.local_name, f"that it may stand for {head} is left out")

    def _complex(self, of: ComplexType, name: str) -> SpyneClass:
        base, inherits = SpyneType("ComplexModel"), False
        if of.derivation == "extension" and of.base is not None and not of.simple and of.base != XS_ANY_TYPE:
            base, inherits = self.class_of(of.base, name), True
        elif of.derivation == "restriction" and not of.simple and of.base != XS_ANY_TYPE:
            self._miss(name, "a restriction of another complex type is written out in full")
        for flag, what in ((of.mixed, "mixed content"), (of.abstract, "abstract")):
            if flag:
                self._miss(name, f"{what} is left out")
        if of.any_attribute is not None:
            self._miss(name, "xs:anyAttribute is left out")
        known = self._members.get(base.name, _Members())
        self._members[name] = _Members(set(known.locals), set(known.python), known.choices)
        members = [*self._text(of, name), *self._content(of, name, inherits), *self._attributes(of, name, inherits)]
        source = None if of.source is None else etree.QName(self._schema_name(of, name))
        qname = etree.QName(of.name) if of.name else source
        local, namespace = (name, None) if qname is None else (qname.localname, qname.namespace)
        return SpyneClass(name, local, namespace, base, tuple(members), documentation(of))

    def _schema_name(self, of: ComplexType, name: str) -> str:
        """Clark name for a type that has none, in the namespace of the schema that it stands in."""
        assert of.source is not None, "an anonymous type is written somewhere"
        namespace = self.schema.namespace_of(of.source)
        return f"{{{namespace}}}{name}" if namespace else name

    def _text(self, of: ComplexType, name: str) -> Iterator[Member]:
        if not of.simple:
            return
        base: Type = of
        while isinstance(base, ComplexType):
            if base.facets:
                self._miss(name, "facets of the simple content are left out")
            assert base.base is not None, "simple content has a base"
            which = base.base
            base = self.schema.type(which)
        names = {attribute.local_name for attribute in self.schema.attributes(of)}
        python = unused("text" if "value" in names else "value", names)
        yield Member(python, "text", self.class_of(which, name))

    def _content(self, of: ComplexType, name: str, inherits: bool) -> Iterator[Member]:
        particles: tuple[Particle, ...]
        particles = (() if of.content is None else (of.content,)) if inherits else self.schema.content(of)
        has = self._members[name]
        on_the_wire = {element.local_name for element in self.schema.children(of)}
        for particle, least, most, choice in self._flat(particles, name):
            if isinstance(particle, Wildcard):
                local, used, doc = "any", SpyneType("AnyXml"), ""
            else:
                local, doc = particle.local_name, documentation(particle)
                used = self.use_of(particle, f"{name}_{local}")
            if local in has.locals:
                self._miss(name, f"element {local} stands in more than one place; the first alone is kept")
                continue
            has.locals.add(local)
            arguments = [*used.arguments, ("min_occurs", str(least))]
            if most != 1:
                arguments.append(("max_occurs", '"unbounded"' if most is None else str(most)))
            if isinstance(particle, Element):
                arguments.append(("nillable", str(particle.nillable)))
                arguments += self._place(particle, of, name)
            else:
                arguments += [("namespace", literal(particle.namespace)),
                              ("process_contents", literal(particle.process_contents)),
                              ("schema_tag", literal(f"{{{XML_SCHEMA}}}any")), ("nillable", "False")]  # fmt: skip
            if choice:
                arguments.append(("xml_choice_group", literal(choice)))
            python = local
            while is_reserved(python) or python in has.python or (python != local and python in on_the_wire):
                python += "_"
            has.python.add(python)
            if python != local:
                arguments.append(("sub_name", literal(local)))
            yield Member(python, "element", SpyneType(used.name, tuple(arguments)), None, doc)

    def _place(self, element: Element, of: ComplexType, name: str) -> Keywords:
        """What says that an element is not in the namespace of the type around it; also notes values it may have."""
        for kind, value in (("default", element.default), ("fixed", element.fixed)):
            if value is not None:
                self._miss(f"{name}.{element.local_name}", f"{kind} value {value!r} is left out")
        namespace = etree.QName(element.name).namespace
        if of.source is None or namespace == self.schema.namespace_of(of.source):
            return ()
        if namespace is None:
            self._miss(f"{name}.{element.local_name}", "an unqualified element is written qualified")
            return ()
        self._miss(f"{name}.{element.local_name}", "an element of another namespace is declared in this one")
        return (("sub_ns", literal(namespace)),)

    def _flat(
        self, particles: tuple[Particle, ...], name: str, least: int = 1, most: int | None = 1, choice: str = ""
    ) -> Iterator[tuple[Element | Wildcard, int, int | None, str]]:
        """Content as Spyne has it: one sequence; each with its occurs and the name of the choice that it is in."""
        for particle in particles:
            low = least * particle.min_occurs
            high = None if most is None or particle.max_occurs is None else most * particle.max_occurs
            if not isinstance(particle, Group):
                if isinstance(particle, Element) and particle.abstract:
                    self._miss(f"{name}.{particle.local_name}", "abstract is left out")
                yield particle, low, high, choice
                continue
            inner = choice
            if (particle.min_occurs, particle.max_occurs) != (1, 1):
                self._miss(name, "a repeated or optional group is written as single elements")
            if particle.kind == "choice":
                self._miss(name, "xs:choice is written with optional members, after the other elements")
                low, inner = 0, choice or self._new_choice(name)
            elif particle.kind == "all":
                self._miss(name, "xs:all is written as a sequence")
            elif choice and len(particle.particles) > 1:
                self._miss(name, "a sequence in an xs:choice is written as single members of that")
            yield from self._flat(particle.particles, name, low, high, inner)

    def _new_choice(self, name: str) -> str:
        """A name for one more xs:choice of a class: Spyne takes two of one name for the same choice."""
        self._members[name].choices += 1
        return f"choice{self._members[name].choices - 1}"

    def _attributes(self, of: ComplexType, name: str, inherits: bool) -> Iterator[Member]:
        taken = {child.local_name for child in self.schema.children(of)}
        for attribute in of.attributes if inherits else self.schema.attributes(of):
            local = attribute.local_name
            left_out = (
                "has the name of an element" if local in taken
                else "is in a namespace" if attribute.name != local
                else "has a name that Spyne keeps for itself" if is_reserved(local)
                else ""
            )  # fmt: skip
            if left_out:
                self._miss(name, f"attribute {local} {left_out} and is left out")
                continue
            for kind, value in (("default", attribute.default), ("fixed", attribute.fixed)):
                if value is not None:
                    self._miss(f"{name}.{local}", f"{kind} value {value!r} is left out")
            use = "required" if attribute.use == "required" else None
            used = self.use_of(attribute, f"{name}_{local}")
            yield Member(local, "attribute", used, use, documentation(attribute))


def documentation(of: Element | Attribute | Type) -> str:
    """The texts of the component's annotation, white space collapsed; "" for none."""
    if of.source is None:
        return ""
    texts = of.source.iterfind(f"{{{XML_SCHEMA}}}annotation/{{{XML_SCHEMA}}}documentation")
    return " ".join(filter(None, map(text_of, texts)))


def _is_number(primitive: str) -> bool:
    return primitive in INTEGERS.values() or primitive in ("Decimal", "Float", "Double")


def _number(value: str, primitive: str) -> str:
    value = value.strip()
    if primitive in INTEGERS.values():
        return str(int(value))
    return f"D({literal(value)})" if primitive == "Decimal" else f"float({literal(value)})"


def _is_python_pattern(pattern: str) -> bool:
    """Whether Python reads a pattern of XML Schema, and in the same sense as far as its letters tell."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return not re.search(r"\\[icpICP]|-\[|[$^](?!.*\])", pattern)


def _merged(arguments: Keywords) -> Keywords:
    """Later arguments win: a restriction of a restriction."""
    return tuple(dict(arguments).items())
