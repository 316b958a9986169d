"""Two sets of schema components held against each other: how they differ in what a message may be.

Prefixes, the order of global components, annotations and the names of types make no difference: a type is what it
allows. Every difference names its place by components (`{ns}Root/Child/@attribute`) and has the line in each file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from soapsvc.contract.schema_components import (
    Attribute,
    ComplexType,
    Element,
    Group,
    Particle,
    SchemaSet,
    SimpleType,
    Type,
    Wildcard,
)
from soapsvc.contract.xml_files import line_of

_Use = Element | Attribute


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the new components differ from the old ones.

    where     path of components from a global one, in Clark names where a namespace is not that of the parent
    what      e.g. "nillable: False -> True", "element added"
    old_line  of the component in its file; None: it is not there
    new_line  likewise
    """

    where: str
    what: str
    old_line: int | None = None
    new_line: int | None = None


def differences(old: SchemaSet, new: SchemaSet) -> tuple[Difference, ...]:
    """Every difference, in the order of the old components; what is new stands last."""
    return tuple(dict.fromkeys(_Comparison(old, new).run()))


class _Comparison:
    def __init__(self, old: SchemaSet, new: SchemaSet):
        self._old, self._new = old, new
        self._seen: set[tuple[object, object]] = set()

    def run(self) -> Iterator[Difference]:
        for name, element in self._old.elements.items():
            if name in self._new.elements:
                yield from self._elements(name, element, self._new.elements[name])
            else:
                yield Difference(name, "global element removed", line_of(element.source))
        for name in self._old.type_names:
            if name in self._new.type_names:
                yield from self._types(f"type {name}", name, name, None, None)
        for name, element in self._new.elements.items():
            if name not in self._old.elements:
                yield Difference(name, "global element added", None, line_of(element.source))

    def _elements(self, where: str, old: Element, new: Element) -> Iterator[Difference]:
        for property_ in ("min_occurs", "max_occurs", "nillable", "default", "fixed", "abstract"):
            yield from _changed(where, property_, old, new)
        yield from self._uses(where, old, new)

    def _uses(self, where: str, old: _Use, new: _Use) -> Iterator[Difference]:
        yield from self._types(where, old.type_name or old.type_source, new.type_name or new.type_source, old, new)

    def _types(
        self, where: str, old_type: object, new_type: object, old: _Use | None, new: _Use | None
    ) -> Iterator[Difference]:
        """The difference of two types; once for each pair, which also ends the walk into a type that holds itself."""
        assert isinstance(old_type, str | etree._Element), "a type is named or written in place"
        assert isinstance(new_type, str | etree._Element), "a type is named or written in place"
        if (old_type, new_type) in self._seen:
            return
        self._seen.add((old_type, new_type))
        first = self._old.type(old_type, None if old is None else old.source)
        second = self._new.type(new_type, None if new is None else new.source)
        lines = _line(first, old), _line(second, new)
        kinds = _kind(first), _kind(second)
        if kinds != (kinds[0], kinds[0]):
            yield Difference(where, f"content: {kinds[0]} -> {kinds[1]}", *lines)
            return
        if isinstance(first, SimpleType) and isinstance(second, SimpleType):
            yield from self._simple(where, first, second, lines)
        elif isinstance(first, ComplexType) and isinstance(second, ComplexType):
            yield from self._complex(where, first, second, lines)

    def _simple(
        self, where: str, old: SimpleType, new: SimpleType, lines: tuple[int | None, int | None]
    ) -> Iterator[Difference]:
        for what, first, second in zip(
            ("base type", "facets"), _simple_form(self._old, old), _simple_form(self._new, new), strict=True
        ):
            if first != second:
                yield Difference(where, f"{what}: {first} -> {second}", *lines)

    def _complex(
        self, where: str, old: ComplexType, new: ComplexType, lines: tuple[int | None, int | None]
    ) -> Iterator[Difference]:
        for property_ in ("mixed", "abstract"):
            yield from _changed(where, property_, old, new)
        if old.simple and new.simple:
            first, second = _text_form(self._old, old), _text_form(self._new, new)
            if first != second:
                yield Difference(where, f"text: {first} -> {second}", *lines)
        yield from self._attributes(where, old, new, lines)
        before, after = _all_attributes(self._old, old), _all_attributes(self._new, new)
        if before != after:
            yield Difference(where, f"any attribute: {_admits(before)} -> {_admits(after)}", *lines)
        yield from self._content(where, _content(self._old, old), _content(self._new, new), lines)

    def _attributes(
        self, where: str, old: ComplexType, new: ComplexType, lines: tuple[int | None, int | None]
    ) -> Iterator[Difference]:
        before = {attribute.name: attribute for attribute in self._old.attributes(old)}
        after = {attribute.name: attribute for attribute in self._new.attributes(new)}
        for name, attribute in before.items():
            if name not in after:
                yield Difference(f"{where}/@{name}", "attribute removed", line_of(attribute.source), lines[1])
                continue
            for property_ in ("use", "default", "fixed"):
                yield from _changed(f"{where}/@{name}", property_, attribute, after[name])
            yield from self._uses(f"{where}/@{name}", attribute, after[name])
        for name, attribute in after.items():
            if name not in before:
                yield Difference(f"{where}/@{name}", "attribute added", lines[0], line_of(attribute.source))

    def _content(
        self,
        where: str,
        old: tuple[Particle, ...],
        new: tuple[Particle, ...],
        lines: tuple[int | None, int | None],
    ) -> Iterator[Difference]:
        before, after = [_label(p) for p in old], [_label(p) for p in new]
        if before != after:
            yield from _moved(where, before, after, lines)
        rest = list(new)
        for particle in old:
            match = next((other for other in rest if _label(other) == _label(particle)), None)
            if match is None:
                continue
            rest.remove(match)
            if isinstance(particle, Element) and isinstance(match, Element):
                yield from self._elements(f"{where}/{etree.QName(particle.name).localname}", particle, match)
            elif isinstance(particle, Group) and isinstance(match, Group):
                inner = f"{where}/{particle.kind}"
                for property_ in ("min_occurs", "max_occurs"):
                    yield from _changed(inner, property_, particle, match)
                yield from self._content(inner, particle.particles, match.particles, lines)
            elif isinstance(particle, Wildcard) and isinstance(match, Wildcard) and particle != match:
                yield Difference(f"{where}/any", f"any: {_admits(particle)} -> {_admits(match)}", *lines)


def _changed(where: str, property_: str, old: object, new: object) -> Iterator[Difference]:
    first, second = getattr(old, property_), getattr(new, property_)
    if first != second:
        lines = (getattr(old, "source", None), getattr(new, "source", None))
        yield Difference(
            where, f"{property_}: {first} -> {second}", *(None if line is None else line_of(line) for line in lines)
        )


def _moved(
    where: str, before: list[str], after: list[str], lines: tuple[int | None, int | None]
) -> Iterator[Difference]:
    removed, added = [name for name in before if name not in after], [name for name in after if name not in before]
    for name in removed:
        yield Difference(f"{where}/{name}", "removed", *lines)
    for name in added:
        yield Difference(f"{where}/{name}", "added", *lines)
    kept = [name for name in before if name not in removed], [name for name in after if name not in added]
    if kept[0] != kept[1]:
        yield Difference(where, f"order: {' '.join(kept[0])} -> {' '.join(kept[1])}", *lines)


def _label(particle: Particle) -> str:
    if isinstance(particle, Element):
        return particle.name
    return "any" if isinstance(particle, Wildcard) else particle.kind


def _admits(wildcard: Wildcard | None) -> str:
    if wildcard is None:
        return "none"
    most = "unbounded" if wildcard.max_occurs is None else wildcard.max_occurs
    return f"{wildcard.namespace} ({wildcard.process_contents}, {wildcard.min_occurs} to {most})"


def _kind(of: Type) -> str:
    if isinstance(of, SimpleType):
        return "simple type"
    return "text with attributes" if of.simple else "elements"


def _line(of: Type, use: _Use | None) -> int | None:
    source = use.source if use is not None else of.source
    return None if source is None else line_of(source)


def _content(schema: SchemaSet, of: ComplexType) -> tuple[Particle, ...]:
    """The content model without the groups that change nothing: a sequence once in a sequence."""
    return tuple(_plain(schema.content(of)))


def _plain(particles: tuple[Particle, ...]) -> Iterator[Particle]:
    for particle in particles:
        if isinstance(particle, Group) and not particle.particles:
            continue
        if (
            isinstance(particle, Group)
            and (particle.min_occurs, particle.max_occurs) == (1, 1)
            and (particle.kind == "sequence" or len(particle.particles) == 1)
        ):
            yield from _plain(particle.particles)
        elif isinstance(particle, Group):
            inner = _plain(particle.particles) if particle.kind == "sequence" else iter(particle.particles)
            yield Group(particle.kind, tuple(inner), particle.min_occurs, particle.max_occurs)
        else:
            yield particle


def _all_attributes(schema: SchemaSet, of: ComplexType) -> Wildcard | None:
    """The attribute wildcard in force: the type's own, else that of the type it extends."""
    if of.any_attribute is not None or of.base is None or of.derivation != "extension":
        return of.any_attribute
    base = schema.type(of.base, of.source)
    return _all_attributes(schema, base) if isinstance(base, ComplexType) else None


def _text_form(schema: SchemaSet, of: ComplexType) -> tuple[str, tuple[str, ...]]:
    """Simple content as built-in type and facets."""
    facets: list[str] = []
    base: Type = of
    while isinstance(base, ComplexType):
        facets += [f"{name}={value}" for name, value in base.facets]
        assert base.base is not None, "simple content has a base"
        base = schema.type(base.base, base.source)
    name, more = _simple_form(schema, base)
    return name, tuple(sorted({*facets, *more}))


def _simple_form(schema: SchemaSet, of: SimpleType) -> tuple[str, tuple[str, ...]]:
    """A simple type as the built-in type (or list, or union of them) that it comes down to, and all its facets.

    Of an enumeration that narrows another, and of any other facet that is said twice, the last word counts.
    """
    if of.variety != "atomic":
        members = [schema.type(member, of.source) for member in of.members]
        forms = [_simple_form(schema, member) for member in members if isinstance(member, SimpleType)]
        return f"{of.variety} of {forms}", ()
    if of.base is None:
        return etree.QName(of.name or "").localname, ()
    base = schema.type(of.base, of.source)
    assert isinstance(base, SimpleType), "a simple type restricts a simple type"
    name, inherited = _simple_form(schema, base)
    said = {facet for facet, _ in of.facets}
    kept = [facet for facet in inherited if facet.partition("=")[0] not in said or facet.startswith("pattern=")]
    return name, tuple(sorted({*kept, *(f"{facet}={value}" for facet, value in of.facets)}))
