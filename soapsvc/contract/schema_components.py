"""XML Schema as components (XML Schema part 1, 2.2): prefixes, order of declarations and white space are gone.

References to elements, groups and attribute groups are followed; types are looked up when they are asked for, so that
types and elements that contain themselves are no trouble.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Literal
from urllib.parse import unquote, urlsplit

from lxml import etree

from soapsvc.contract.identity_constraints import CONSTRAINTS, IdentityConstraint, identity_constraint
from soapsvc.contract.wildcards import Wildcard
from soapsvc.contract.xml_files import line_of
from soapsvc.errors import ContractError
from soapsvc.namespaces import SOAP11_ENVELOPE, XML, XML_SCHEMA, qname

XS_STRING, XS_ANY_TYPE, XS_ANY_SIMPLE_TYPE, XS_BASE64 = (
    f"{{{XML_SCHEMA}}}{name}" for name in ("string", "anyType", "anySimpleType", "base64Binary")
)
FACETS = (
    "length", "minLength", "maxLength", "pattern", "enumeration", "whiteSpace",
    "maxInclusive", "maxExclusive", "minInclusive", "minExclusive", "totalDigits", "fractionDigits",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Element:
    """An element declaration, or its use in a content model.

    name           Clark name as it stands in a message
    type_name      Clark name of its type; None: the type is anonymous, written in `type_source`
    max_occurs     None: unbounded
    source         the xs:element with the declaration (not the ref)
    block          of "extension", "restriction" and "substitution", what may not stand for it
    """

    name: str
    type_name: str | None
    type_source: etree._Element | None = field(compare=False, repr=False)
    source: etree._Element = field(compare=False, repr=False)
    min_occurs: int = 1
    max_occurs: int | None = 1
    nillable: bool = False
    default: str | None = None
    fixed: str | None = None
    abstract: bool = False
    block: frozenset[str] = frozenset()
    constraints: frozenset[IdentityConstraint] = frozenset()

    @property
    def local_name(self) -> str:
        return etree.QName(self.name).localname


@dataclass(frozen=True, slots=True)
class Group:
    """A model group: the content of a complex type, or a part of it."""

    kind: Literal["sequence", "choice", "all"]
    particles: tuple[Particle, ...]
    min_occurs: int = 1
    max_occurs: int | None = 1


Particle = Element | Wildcard | Group


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute use. `name` is a Clark name; `use` is "optional" or "required" (a prohibited one is not there)."""

    name: str
    type_name: str | None
    type_source: etree._Element | None = field(compare=False, repr=False)
    source: etree._Element = field(compare=False, repr=False)
    use: str = "optional"
    default: str | None = None
    fixed: str | None = None

    @property
    def local_name(self) -> str:
        return etree.QName(self.name).localname


@dataclass(frozen=True, slots=True)
class SimpleType:
    """A simple type definition.

    name     Clark name; None: anonymous
    variety  atomic (restriction of `base`, or built in: then base is None), list (of `members[0]`), union
    facets   (name, value) of this step of restriction alone, in their order
    members  Clark names, or the xs:simpleType of an anonymous one
    """

    name: str | None
    variety: Literal["atomic", "list", "union"] = "atomic"
    base: str | etree._Element | None = None
    facets: tuple[tuple[str, str], ...] = ()
    members: tuple[str | etree._Element, ...] = ()
    source: etree._Element | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ComplexType:
    """A complex type definition.

    name        Clark name; None: anonymous
    derivation  extension or restriction of `base`; None: written without a base
    simple      simple content: the text has type `base` (with `facets` where it restricts)
    content     own part of the content model; None: empty
    attributes  own ones, those of attribute groups included; `prohibited` names those that a restriction takes away
    block       of "extension" and "restriction", what a type that xsi:type names may not be derived by
    """

    name: str | None
    base: str | None = None
    derivation: Literal["extension", "restriction"] | None = None
    simple: bool = False
    facets: tuple[tuple[str, str], ...] = ()
    content: Group | Wildcard | None = None
    attributes: tuple[Attribute, ...] = ()
    prohibited: frozenset[str] = frozenset()
    any_attribute: Wildcard | None = None
    mixed: bool = False
    abstract: bool = False
    source: etree._Element | None = field(default=None, compare=False, repr=False)
    block: frozenset[str] = frozenset()


Type = SimpleType | ComplexType


class SchemaSet:
    """The components of some schemas that belong together.

    Errors  ContractError from every method: a name leads nowhere
    """

    def __init__(self) -> None:
        self._namespace: dict[etree._Element, str | None] = {}
        self._sources: dict[str, dict[str, etree._Element]] = {
            kind: {} for kind in ("element", "type", "group", "attribute", "attributeGroup")
        }
        self.elements: dict[str, Element] = {}
        self._types: dict[str | etree._Element, Type] = {}

    @classmethod
    def of(cls, schemas: Iterable[tuple[etree._Element, str | None]]) -> SchemaSet:
        """The components of xs:schema elements, each with the target namespace that is in force for it."""
        made = cls()
        for schema, namespace in schemas:
            made._namespace[schema] = namespace
            for child in schema.iterchildren(etree.Element):
                kind = etree.QName(child).localname
                table = made._sources.get("type" if kind in ("simpleType", "complexType") else kind)
                if table is not None and child.get("name"):
                    table[qname(namespace, child.get("name", ""))] = child
        for name, source in made._sources["element"].items():
            made.elements[name] = made._element(source, name)
        return made

    @cached_property
    def attributes_by_name(self) -> dict[str, Attribute]:
        """The global attributes."""
        return {name: self._attribute(source, source) for name, source in self._sources["attribute"].items()}

    @cached_property
    def has_constraints(self) -> bool:
        """Whether any element has an xs:key, xs:unique or xs:keyref."""
        return any(next(schema.iter(*CONSTRAINTS), None) is not None for schema in self._namespace)

    @property
    def type_names(self) -> tuple[str, ...]:
        """Clark names of the global types, in the order of the files."""
        return tuple(self._sources["type"])

    def type_of(self, use: Element | Attribute) -> Type:
        """The type of an element or attribute."""
        if use.type_name is not None:
            return self.type(use.type_name, use.source)
        if use.type_source is not None:
            return self.type(use.type_source, use.source)
        return self.type(XS_ANY_TYPE if isinstance(use, Element) else XS_ANY_SIMPLE_TYPE, use.source)

    def type(self, which: str | etree._Element, used_by: etree._Element | None = None) -> Type:
        """A type by its Clark name, or by the element that an anonymous one is written in."""
        if which not in self._types:
            self._types[which] = self._read_type(which, used_by)
        return self._types[which]

    def simple_base(self, of: Type) -> str | None:
        """Clark name of the built-in type that a type's text comes down to; None: element content, list or union."""
        while not (isinstance(of, SimpleType) and of.base is None and of.name is not None):
            if isinstance(of, ComplexType) and not of.simple:
                return None
            if of.base is None:
                return None
            of = self.type(of.base, of.source)
        return of.name

    def is_base64(self, element: Element) -> bool:
        """Whether the element's text is base64Binary."""
        return self.simple_base(self.type_of(element)) == XS_BASE64

    def content(self, of: Type) -> tuple[Particle, ...]:
        """The whole content model, that of the types which it extends first."""
        if not isinstance(of, ComplexType):
            return ()
        own = () if of.content is None else (of.content,)
        if of.derivation == "extension" and of.base is not None and not of.simple:
            return (*self.content(self.type(of.base, of.source)), *own)
        return own

    def attributes(self, of: Type) -> tuple[Attribute, ...]:
        """All attributes, those of the base types first."""
        if not isinstance(of, ComplexType):
            return ()
        own = {attribute.name: attribute for attribute in of.attributes}
        inherited = () if of.base is None else self.attributes(self.type(of.base, of.source))
        kept = [own.pop(a.name, a) for a in inherited if a.name not in of.prohibited]
        return (*kept, *own.values())

    def children(self, of: Type) -> tuple[Element, ...]:
        """Every element that the content model names, in order, out of groups of any depth."""
        return tuple(leaf for leaf in leaves(self.content(of)) if isinstance(leaf, Element))

    def every_element(self) -> Iterator[Element]:
        """Every element declaration, global or local, in the order of the files; uses by ref are left out."""
        for schema in self._namespace:
            for source in schema.iter(_x("element")):
                if source.get("ref") is None:
                    yield self._element(source, self._declared_name(source, "element"))

    def every_attribute_name(self) -> frozenset[str]:
        """The local name of every attribute declaration, global or local."""
        return frozenset(a.get("name", "") for schema in self._namespace for a in schema.iter(_x("attribute")))

    def declaration(self, names: Sequence[str]) -> Element | None:
        """The declaration that Clark names lead to, from a global element downwards; None: there is none."""
        found = self.elements.get(names[0]) if names else None
        for name in names[1:]:
            if found is None:
                return None
            children = {child.name: child for child in self.children(self.type_of(found))}
            found = children.get(name) or self.elements.get(name)  # a wildcard or a substitution admits global ones
        return found

    def substitution_head(self, element: Element) -> str | None:
        """Clark name of the element whose substitution group a global element is in; None: it is in none."""
        return self._reference(element.source, "substitutionGroup") if element.source.get("substitutionGroup") else None

    def namespace_of(self, source: etree._Element) -> str | None:
        """The target namespace of the schema that a component is written in."""
        return self._namespace[self._schema(source)]

    # Reading ---------------------------------------------------------------------------------------------------------

    def _element(self, source: etree._Element, name: str, use: etree._Element | None = None) -> Element:
        use = source if use is None else use
        least, most = _occurs(use)
        typed = source
        while not typed.get("type") and _anonymous_type(typed) is None and typed.get("substitutionGroup"):
            typed = self._substituted(typed)
        anonymous = _anonymous_type(typed)
        type_name = self._reference(typed, "type") if typed.get("type") else None
        return Element(
            name, type_name or (XS_ANY_TYPE if anonymous is None else None), anonymous, source, least, most,
            _true(source.get("nillable")), source.get("default"), source.get("fixed"), _true(source.get("abstract")),
            self._block(source, {"extension", "restriction", "substitution"}),
            frozenset(identity_constraint(each, self._reference) for each in source.iterchildren(*CONSTRAINTS)),
        )  # fmt: skip

    def _block(self, source: etree._Element, known: set[str]) -> frozenset[str]:
        said = source.get("block", self._schema(source).get("blockDefault", "")).split()
        return frozenset(known if "#all" in said else known & set(said))

    def _substituted(self, source: etree._Element) -> etree._Element:
        """The element whose place another may take, which has its type."""
        heads = [source]
        while heads[-1].get("substitutionGroup"):
            above = self._global("element", heads[-1], "substitutionGroup")
            if above in heads:
                raise _error(source, "the substitution group is circular", "one element in it that stands for no other")
            heads.append(above)
        return heads[1]

    def _declared_name(self, source: etree._Element, kind: str) -> str:
        """Clark name of a declaration in messages (XML Schema part 1, 3.2.2 and 3.3.2: form)."""
        schema = self._schema(source)
        form = source.get("form") or schema.get(f"{kind}FormDefault", "unqualified")
        qualified = form == "qualified" or source.getparent() is schema
        return qname(self._namespace[schema] if qualified else None, source.get("name", ""))

    def _schema(self, source: etree._Element) -> etree._Element:
        while source not in self._namespace:
            parent = source.getparent()
            assert parent is not None, "the component stands in one of the schemas"
            source = parent
        return source

    def _reference(self, source: etree._Element, attribute: str) -> str:
        """A QName attribute as a Clark name."""
        return self._clark(source, source.get(attribute, ""))

    def _clark(self, source: etree._Element, value: str) -> str:
        prefix, _, local = value.strip().rpartition(":")
        if prefix and prefix not in source.nsmap and prefix != "xml":
            raise _error(source, f"prefix {prefix!r} is not declared", "declare it with xmlns:")
        namespace = XML if prefix == "xml" else source.nsmap.get(prefix or None)
        schema = self._schema(source)
        if namespace is None and schema.get("targetNamespace") is None:  # then it has that of the one that includes it
            namespace = self._namespace[schema]
        return qname(namespace, local)

    def _global(self, kind: str, referrer: etree._Element, attribute: str = "ref") -> etree._Element:
        name = self._reference(referrer, attribute)
        if name not in self._sources[kind]:
            raise _error(referrer, f"there is no xs:{kind} {name}", "the name of a global component of these schemas")
        return self._sources[kind][name]

    def _read_type(self, which: str | etree._Element, used_by: etree._Element | None) -> Type:
        if isinstance(which, str):
            if which == XS_ANY_TYPE:
                anything = Wildcard("##any", "lax", 0, None)
                return ComplexType(which, content=anything, any_attribute=anything, mixed=True)
            if etree.QName(which).namespace == XML_SCHEMA:
                return SimpleType(which)
            if which not in self._sources["type"]:
                raise _error(used_by, f"there is no type {which}", "the name of a global type of these schemas")
        source = self._sources["type"][which] if isinstance(which, str) else which
        name = which if isinstance(which, str) else None
        return self._simple(source, name) if source.tag == _x("simpleType") else self._complex(source, name)

    def _simple(self, source: etree._Element, name: str | None) -> SimpleType:
        how = next(source.iterchildren(_x("restriction"), _x("list"), _x("union")))
        inner = tuple(how.iterchildren(_x("simpleType")))
        if how.tag == _x("restriction"):
            base = self._reference(how, "base") if how.get("base") else inner[0]
            return SimpleType(name, "atomic", base, _facets(how), source=source)
        if how.tag == _x("list"):
            item = self._reference(how, "itemType") if how.get("itemType") else inner[0]
            return SimpleType(name, "list", members=(item,), source=source)
        named = tuple(self._clark(how, member) for member in how.get("memberTypes", "").split())
        return SimpleType(name, "union", members=(*named, *inner), source=source)

    def _complex(self, source: etree._Element, name: str | None) -> ComplexType:
        body, derivation, base, simple = source, None, None, False
        for content in source.iterchildren(_x("simpleContent"), _x("complexContent")):
            body = next(content.iterchildren(_x("extension"), _x("restriction")))
            derivation, base = etree.QName(body).localname, self._reference(body, "base")
            simple = content.tag == _x("simpleContent")
        mixed = any(_true(node.get("mixed")) for node in (source, *source.iterchildren(_x("complexContent"))))
        group = next(body.iterchildren(_x("sequence"), _x("choice"), _x("all"), _x("group")), None)
        uses = list(self._attributes(body))
        return ComplexType(
            name, base, derivation, simple, _facets(body) if simple else (),  # type: ignore[arg-type]
            None if group is None else self._group(group), tuple(use for use in uses if use.use != "prohibited"),
            frozenset(use.name for use in uses if use.use == "prohibited"), self._any_attribute(body), mixed,
            _true(source.get("abstract")), source, self._block(source, {"extension", "restriction"}),
        )  # fmt: skip

    def _group(self, source: etree._Element) -> Group:
        least, most = _occurs(source)
        if source.tag == _x("group"):
            source = next(self._global("group", source).iterchildren(_x("sequence"), _x("choice"), _x("all")))
        return Group(etree.QName(source).localname, tuple(self._particles(source)), least, most)  # type: ignore[arg-type]

    def _particles(self, group: etree._Element) -> Iterator[Particle]:
        for child in group.iterchildren(etree.Element):
            if child.get("maxOccurs") == "0":
                continue
            if child.tag == _x("element"):
                declared = child if child.get("ref") is None else self._global("element", child)
                yield self._element(declared, self._declared_name(declared, "element"), child)
            elif child.tag == _x("any"):
                yield Wildcard(
                    child.get("namespace", "##any"),
                    child.get("processContents", "strict"),
                    *_occurs(child),
                    target=self.namespace_of(child),
                )
            elif child.tag in (_x("sequence"), _x("choice"), _x("all"), _x("group")):
                yield self._group(child)

    def _attributes(self, body: etree._Element) -> Iterator[Attribute]:
        for child in body.iterchildren(_x("attribute"), _x("attributeGroup")):
            if child.tag == _x("attributeGroup"):
                yield from self._attributes(self._global("attributeGroup", child))
            elif child.get("ref") is None:
                yield self._attribute(child, child)
            elif self._is_shipped(name := self._reference(child, "ref")):
                yield Attribute(name, XS_STRING, None, child, child.get("use", "optional"))
            else:
                yield self._attribute(self._global("attribute", child), child)

    def _is_shipped(self, attribute: str) -> bool:
        """Whether an attribute is one that nobody needs to bring a schema for."""
        known = etree.QName(attribute).namespace in (XML, SOAP11_ENVELOPE)
        return known and attribute not in self._sources["attribute"]

    def _attribute(self, declared: etree._Element, use: etree._Element) -> Attribute:
        anonymous = next(declared.iterchildren(_x("simpleType")), None)
        type_name = self._reference(declared, "type") if declared.get("type") else None
        return Attribute(
            self._declared_name(declared, "attribute"),
            type_name or (XS_ANY_SIMPLE_TYPE if anonymous is None else None), anonymous, declared,
            use.get("use", "optional"), use.get("default", declared.get("default")),
            use.get("fixed", declared.get("fixed")),
        )  # fmt: skip

    def _any_attribute(self, body: etree._Element) -> Wildcard | None:
        """The own one and those of the attribute groups, of which only what all admit is admitted."""
        found = [
            Wildcard(own.get("namespace", "##any"), own.get("processContents", "strict"), target=self.namespace_of(own))
            for own in body.iterchildren(_x("anyAttribute"))
        ]
        groups = (self._global("attributeGroup", group) for group in body.iterchildren(_x("attributeGroup")))
        found += [inherited for group in groups if (inherited := self._any_attribute(group)) is not None]
        return reduce(Wildcard.intersected, found) if found else None


def _x(local_name: str) -> str:
    return f"{{{XML_SCHEMA}}}{local_name}"


def _true(value: str | None) -> bool:
    return value is not None and value.strip() in ("true", "1")


def _occurs(use: etree._Element) -> tuple[int, int | None]:
    most = use.get("maxOccurs", "1").strip()
    return int(use.get("minOccurs", "1")), None if most == "unbounded" else int(most)


def _facets(restriction: etree._Element) -> tuple[tuple[str, str], ...]:
    named = ((etree.QName(child).localname, child) for child in restriction.iterchildren(etree.Element))
    return tuple((name, child.get("value", "")) for name, child in named if name in FACETS)


def _anonymous_type(element: etree._Element) -> etree._Element | None:
    return next(element.iterchildren(_x("simpleType"), _x("complexType")), None)


def leaves(particles: Iterable[Particle]) -> Iterator[Element | Wildcard]:
    """What stands in a content model, in order, out of groups of any depth."""
    for particle in particles:
        if isinstance(particle, Group):
            yield from leaves(particle.particles)
        else:
            yield particle


def _error(source: etree._Element | None, wrong: str, would_do: str) -> ContractError:
    base = None if source is None else source.base
    file = unquote(urlsplit(base).path) if base else "schema"
    return ContractError(file, None if source is None else line_of(source), wrong, would_do)
