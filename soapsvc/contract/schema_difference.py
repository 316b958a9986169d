"""Two sets of schema components held against each other: how they differ in what a message may be.

Prefixes, the order of global components, annotations and the names of types make no difference: a type is what it
allows. Every difference names its place by components (`{ns}Root/Child/@attribute`) and has the line in each file.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lxml import etree

from soapsvc.contract.attribute_uses import all_attributes
from soapsvc.contract.inclusion import Inclusion, Objection
from soapsvc.contract.schema_components import (
    Attribute,
    ComplexType,
    Element,
    Group,
    Particle,
    SchemaSet,
    SimpleType,
    Type,
)
from soapsvc.contract.value_inclusion import Answer, values_included, values_of
from soapsvc.contract.wildcards import Wildcard, admits_all
from soapsvc.contract.xml_files import line_of

_Use = Element | Attribute
_Lines = tuple[int | None, int | None]
_Effect = tuple[Answer, Answer]
_WRITTEN = {"min_occurs": "minOccurs", "max_occurs": "maxOccurs"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the new components differ from the old ones.

    where     path of components from a global one, in Clark names where a namespace is not that of the parent
    what      e.g. "nillable: false -> true", "element added"
    old_line  of the component in its file; None: it is not there
    new_line  likewise
    old_fits  as far as this difference goes, whether a message by the old components is one by the new; None: not known
    new_fits  the reverse
    """

    where: str
    what: str
    old_line: int | None = None
    new_line: int | None = None
    old_fits: Answer = False
    new_fits: Answer = False


def element_differences(old: Element, new: Element, forth: Inclusion, back: Inclusion) -> tuple[Difference, ...]:
    """Every difference of two elements and of all that they hold; their own names may differ.

    What one component alone does not show stands last: what xsi:type, wildcards and keys make of it, and whatever else
    speaks against it that the one is the other.
    """
    found = tuple(dict.fromkeys(_Comparison(forth, back).elements(old.name, old, new)))
    objections = list(forth.objections(old, new)), list(back.objections(new, old))
    fits = not objections[0], not objections[1]
    told = [replace(one, old_fits=fits[0] or one.old_fits, new_fits=fits[1] or one.new_fits) for one in found]
    return (*told, *_objected(old.name, told, *objections))


def _objected(
    where: str, told: Sequence[Difference], forth: Sequence[Objection], back: Sequence[Objection]
) -> Iterator[Difference]:
    """Differences of what was objected to: of what components show as well, where they showed nothing."""
    seen_forth, seen_back = (any(fits is not True for fits in side) for side in (
        [one.old_fits for one in told], [one.new_fits for one in told]))  # fmt: skip
    left = {(one.where, one.what): one for one in forth if not (one.plain and seen_forth)}
    right = {(one.where, one.what): one for one in back if not (one.plain and seen_back)}
    for place in dict.fromkeys((*left, *right)):
        forth_fits: Answer = left[place].fits if place in left else True
        back_fits: Answer = right[place].fits if place in right else True
        old, new = (left[place].old, left[place].new) if place in left else (right[place].new, right[place].old)
        effect = "takes more" if forth_fits else "takes less" if back_fits else "takes other things"
        if forth_fits is None:
            effect = "not shown to take all that it took"
        yield Difference(where + place[0], f"{place[1]}: {effect}", line_of(old.source), line_of(new.source),
                         forth_fits, back_fits)  # fmt: skip


def differences(old: SchemaSet, new: SchemaSet) -> tuple[Difference, ...]:
    """Every difference, in the order of the old components; what is new stands last."""
    return tuple(dict.fromkeys(_Comparison(Inclusion(old, new), Inclusion(new, old)).run()))


class _Comparison:
    def __init__(self, forth: Inclusion, back: Inclusion):
        self._old, self._new = forth.old, forth.new
        self._forth, self._back = forth, back
        self._seen: set[tuple[object, object]] = set()

    def run(self) -> Iterator[Difference]:
        for name, element in self._old.elements.items():
            if name in self._new.elements:
                yield from self.elements(name, element, self._new.elements[name])
            else:
                yield Difference(name, "global element removed", line_of(element.source), None, False, True)
        for name in self._old.type_names:
            if name in self._new.type_names:
                yield from self._types(f"type {name}", name, name, None, None)
        for name, element in self._new.elements.items():
            if name not in self._old.elements:
                yield Difference(name, "global element added", None, line_of(element.source), True, False)

    def elements(self, where: str, old: Element, new: Element) -> Iterator[Difference]:
        for property_ in ("min_occurs", "max_occurs", "nillable", "default", "abstract"):
            yield from _changed(where, property_, old, new)
        yield from _changed(where, "fixed", old, new, (self._forth.fixed(old, new), self._back.fixed(new, old)))
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
            effect = self._forth.types(first, second), self._back.types(second, first)
            yield Difference(where, f"content: {kinds[0]} -> {kinds[1]}", *lines, *effect)
            return
        if isinstance(first, SimpleType) and isinstance(second, SimpleType):
            yield from self._simple(where, first, second, lines)
        elif isinstance(first, ComplexType) and isinstance(second, ComplexType):
            yield from self._complex(where, first, second, lines)

    def _simple(
        self, where: str, old: SimpleType, new: SimpleType, lines: tuple[int | None, int | None]
    ) -> Iterator[Difference]:
        effect = self._values(old, new)
        (base, facets), (new_base, new_facets) = _simple_form(self._old, old), _simple_form(self._new, new)
        if base != new_base:
            yield Difference(where, f"base type: {base} -> {new_base}", *lines, *effect)
        if facets != new_facets:
            before, after = (", ".join(those) or "none" for those in (facets, new_facets))
            yield Difference(where, f"facets: {before} -> {after}", *lines, *effect)

    def _values(self, old: Type, new: Type) -> _Effect:
        first, second = values_of(self._old, old), values_of(self._new, new)
        return values_included(first, second), values_included(second, first)

    def _complex(
        self, where: str, old: ComplexType, new: ComplexType, lines: tuple[int | None, int | None]
    ) -> Iterator[Difference]:
        for property_ in ("mixed", "abstract"):
            yield from _changed(where, property_, old, new)
        if old.simple and new.simple:
            first, second = _text_form(self._old, old), _text_form(self._new, new)
            if first != second:
                yield Difference(where, f"text: {_text(*first)} -> {_text(*second)}", *lines, *self._values(old, new))
        yield from self._attributes(where, old, new, lines)
        before, after = all_attributes(self._old, old), all_attributes(self._new, new)
        if before != after:
            effect = self._forth.any_attribute(old, new), self._back.any_attribute(new, old)
            yield Difference(where, f"any attribute: {_attributes(before)} -> {_attributes(after)}", *lines, *effect)
        models = self._forth.contents(old, new), self._back.contents(new, old)
        for difference in self._content(where, _content(self._old, old), _content(self._new, new), lines):
            # what the whole model takes is taken, whatever one change of it would do by itself
            fits = models[0] or difference.old_fits, models[1] or difference.new_fits
            yield replace(difference, old_fits=fits[0], new_fits=fits[1])

    def _attributes(
        self, where: str, old: ComplexType, new: ComplexType, lines: tuple[int | None, int | None]
    ) -> Iterator[Difference]:
        before = {attribute.name: attribute for attribute in self._old.attributes(old)}
        after = {attribute.name: attribute for attribute in self._new.attributes(new)}
        for name in dict.fromkeys((*before, *after)):
            at = f"{where}/@{name}"
            effect = self._forth.attribute(old, new, name), self._back.attribute(new, old, name)
            if name not in after:
                yield Difference(at, "attribute removed", line_of(before[name].source), lines[1], *effect)
            elif name not in before:
                yield Difference(at, "attribute added", lines[0], line_of(after[name].source), *effect)
            else:
                for property_ in ("use", "default"):
                    yield from _changed(at, property_, before[name], after[name])
                yield from _changed(at, "fixed", before[name], after[name], effect)
                yield from self._uses(at, before[name], after[name])

    def _content(
        self,
        where: str,
        old: tuple[Particle, ...],
        new: tuple[Particle, ...],
        lines: tuple[int | None, int | None],
    ) -> Iterator[Difference]:
        pairs = _paired(old, new)
        yield from _moved(where, old, new, pairs, lines)
        for particle, match in pairs:
            if _label(particle) != _label(match):
                old_line, new_line = _place(particle, lines[0]), _place(match, lines[1])
                what = _renamed(_label(particle), _label(match))
                yield Difference(f"{where}/{_label(particle)}", what, old_line, new_line)
            if isinstance(particle, Element) and isinstance(match, Element):
                yield from self.elements(f"{where}/{etree.QName(particle.name).localname}", particle, match)
            elif isinstance(particle, Group) and isinstance(match, Group):
                inner = f"{where}/{particle.kind}"
                for property_ in ("min_occurs", "max_occurs"):
                    yield from _changed(inner, property_, particle, match)
                yield from self._content(inner, particle.particles, match.particles, lines)
            elif isinstance(particle, Wildcard) and isinstance(match, Wildcard) and particle != match:
                effect = _wider(match, particle), _wider(particle, match)
                yield Difference(f"{where}/any", f"any: {_admits(particle)} -> {_admits(match)}", *lines, *effect)


def _changed(
    where: str, property_: str, old: object, new: object, effect: _Effect | None = None
) -> Iterator[Difference]:
    first, second = getattr(old, property_), getattr(new, property_)
    if first != second:
        sources = [getattr(each, "source", None) for each in (old, new)]  # built-in types and groups have none
        lines = [None if source is None else line_of(source) for source in sources]
        effect = effect or (_effect(property_, first, second), _effect(property_, second, first))
        name = _WRITTEN.get(property_, property_)
        what = f"{name}: {_said(property_, first)} -> {_said(property_, second)}"
        yield Difference(where, what, lines[0], lines[1], *effect)


def _said(property_: str, value: object) -> str:
    """A property's value as XML Schema writes it."""
    if value is None:
        return "unbounded" if property_ == "max_occurs" else "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _effect(property_: str, first: Any, second: Any) -> Answer:
    """Whether what is valid with the first value of a property is valid with the second."""
    match property_:
        case "min_occurs":
            return bool(second <= first)
        case "max_occurs":
            return second is None or (first is not None and first <= second)
        case "nillable" | "mixed":
            return bool(second)
        case "abstract":
            return not second
        case "use":
            return bool(second == "optional")
        case _:  # a default: all stays valid, and an empty or absent one means something else
            return True


def _paired(old: Sequence[Particle], new: Sequence[Particle]) -> list[tuple[Particle, Particle]]:
    """Particles that are one another: of the same name; else, in their order, of the same local name in another
    namespace or letter case; else the one that is left on each side at the same place."""
    left, right = dict(enumerate(old)), dict(enumerate(new))
    pairs: list[tuple[int, int]] = []

    def pair(name: Callable[[Particle], str]) -> None:
        named: dict[str, deque[int]] = defaultdict(deque)
        for m, particle in right.items():
            named[name(particle)].append(m)
        for n, particle in list(left.items()):
            if alike := named[name(particle)]:
                pairs.append((n, alike.popleft()))
                del left[n], right[pairs[-1][1]]

    pair(_label)
    pair(lambda particle: _local(particle).lower())
    if len(old) == len(new) and list(left) == list(right) and len(left) == 1:
        (n,) = left
        if isinstance(old[n], Element) and isinstance(new[n], Element):
            pairs.append((n, n))
    return [(old[n], new[m]) for n, m in sorted(pairs)]


def _local(particle: Particle) -> str:
    return particle.local_name if isinstance(particle, Element) else _label(particle)


def _renamed(old: str, new: str) -> str:
    names = etree.QName(old), etree.QName(new)
    if names[0].localname == names[1].localname:
        return f"namespace: {names[0].namespace or 'none'} -> {names[1].namespace or 'none'}"
    return f"renamed: {names[0].localname} -> {names[1].localname}"


def _moved(
    where: str, old: Sequence[Particle], new: Sequence[Particle], pairs: list[tuple[Particle, Particle]], lines: _Lines
) -> Iterator[Difference]:
    """What is in one model alone, and what stands in another order."""
    kept = {id(particle) for particle, _ in pairs}
    matched = {id(match) for _, match in pairs}
    for particle in old:
        if id(particle) not in kept:
            source = _place(particle, lines[0])
            effect = False, particle.min_occurs == 0
            yield Difference(f"{where}/{_label(particle)}", "removed", source, lines[1], *effect)
    for particle in new:
        if id(particle) not in matched:
            source = _place(particle, lines[1])
            effect = particle.min_occurs == 0, False
            yield Difference(f"{where}/{_label(particle)}", "added", lines[0], source, *effect)
    in_order = [_label(match) for _, match in pairs]
    as_new = [_label(particle) for particle in new if id(particle) in matched]
    if in_order != as_new:
        yield Difference(where, f"order: {' '.join(in_order)} -> {' '.join(as_new)}", *lines)


def _wider(wider: Wildcard, narrower: Wildcard) -> Answer:
    if not admits_all(wider, narrower):
        return False
    occurs = _effect("min_occurs", narrower.min_occurs, wider.min_occurs) and _effect(
        "max_occurs", narrower.max_occurs, wider.max_occurs
    )
    strictness = ("skip", "lax", "strict")
    looser = strictness.index(wider.process_contents) <= strictness.index(narrower.process_contents)
    return occurs and (looser or None)


def _place(particle: Particle, around: int | None) -> int | None:
    """The line of an element's declaration; of what is around, for a group or a wildcard."""
    return line_of(particle.source) if isinstance(particle, Element) else around


def _label(particle: Particle) -> str:
    if isinstance(particle, Element):
        return particle.name
    return "any" if isinstance(particle, Wildcard) else particle.kind


def _admits(wildcard: Wildcard | None) -> str:
    if wildcard is None:
        return "none"
    most = "unbounded" if wildcard.max_occurs is None else wildcard.max_occurs
    return f"{wildcard.namespace} ({wildcard.process_contents}, {wildcard.min_occurs} to {most})"


def _attributes(wildcard: Wildcard | None) -> str:
    return "none" if wildcard is None else f"{wildcard.namespace} ({wildcard.process_contents})"


def _text(base: str, facets: tuple[str, ...]) -> str:
    return f"{base} ({', '.join(facets)})" if facets else base


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
        return f"{of.variety} of {', '.join(_text(*form) for form in forms)}", ()
    if of.base is None:
        return etree.QName(of.name or "").localname, ()
    base = schema.type(of.base, of.source)
    assert isinstance(base, SimpleType), "a simple type restricts a simple type"
    name, inherited = _simple_form(schema, base)
    said = {facet for facet, _ in of.facets}
    kept = [facet for facet in inherited if facet.partition("=")[0] not in said or facet.startswith("pattern=")]
    return name, tuple(sorted({*kept, *(f"{facet}={value}" for facet, value in of.facets)}))
