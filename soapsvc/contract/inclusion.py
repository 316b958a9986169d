"""Whether every element that is valid by one set of schemas is valid by another: inclusion of tree languages.

Each pair of types is judged by itself: their text, their attributes, and their content models, of which the product of
two automata is walked. What a child, an xsi:type or a wildcard leads to are further pairs, and an element is included
when every pair that is reached from it fits. What does not fit, or cannot be shown to, is an objection with its place.

The types that xsi:type may name are those derived from the declared one, or any below xs:anyType, and these are held
against those of the same name. How a type is called is noise otherwise: it is not looked at that xsi:type may name the
declared type itself, or anything where a built-in simple type is declared. Where xs:any admits an element without a
declaration, a type must fit where both have it, and may be missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from lxml import etree

from soapsvc.contract.attribute_uses import AttributeUses
from soapsvc.contract.content_alignment import Alignment
from soapsvc.contract.content_automaton import Automaton, Edge, Effort, Leaf, Place
from soapsvc.contract.schema_components import (
    XS_ANY_TYPE,
    Attribute,
    ComplexType,
    Element,
    SchemaSet,
    SimpleType,
    Type,
)
from soapsvc.contract.substitution import Substitution, key
from soapsvc.contract.value_inclusion import (
    Answer,
    Values,
    accepts,
    both,
    compared_alike,
    fixed_to,
    values_included,
    values_of,
)
from soapsvc.contract.wildcards import Wildcard, admits, admits_all

_ANY_TEXT = Values("atomic", "string")
_FREE = Element("", XS_ANY_TYPE, None, etree.Element("free"), nillable=True)
"""Stands for an element that xs:any admits without a declaration."""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why not every message fits, or why that is not known.

    where  path of local names, "" for the element that was asked for; `[xsi:type T]` and `any` are steps too
    what   component, e.g. "unique ids"
    fits   False, or None: not known
    plain  whether a component by component comparison comes upon it as well
    old, new  the element declarations around
    """

    where: str
    what: str
    fits: Answer
    plain: bool
    old: Element
    new: Element


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two types that must fit for an element to fit; `step` leads to them from the pair around."""

    step: str
    types: tuple[Type, Type]
    elements: tuple[Element, Element]
    plain: bool = True


@dataclass(frozen=True, slots=True)
class _Doubt:
    """What does not fit, below `step`."""

    step: str
    what: str
    fits: Answer
    plain: bool = True


_Finding = _Pair | _Doubt


class Inclusion:
    """Holds the elements of `old` against those of `new`; what was compared once is remembered."""

    def __init__(self, old: SchemaSet, new: SchemaSet):
        self.old, self.new = old, new
        self._standing = Substitution(old), Substitution(new)
        self._alignment = Alignment(*(each.elements for each in self._standing))
        self._effort = Effort()
        self._automata: dict[tuple[bool, object], Automaton] = {}
        self._found: dict[tuple[object, object], tuple[_Finding, ...]] = {}
        self._fitting: set[tuple[object, object]] = set()

    def elements(self, old: Element, new: Element) -> Answer:
        """Whether every element that `old` declares is one that `new` declares; their names are the same."""
        return _answer(self.objections(old, new))

    def types(self, old: Type, new: Type) -> Answer:
        """Whether every content and every attribute that `old` allows is allowed by `new`."""
        return _answer(self._walk(self._judged(old, new), (_FREE, _FREE)))

    def contents(self, old: Type, new: Type) -> Answer:
        """Whether every sequence of children that `old` allows is allowed by `new`."""
        return _answer(self._walk(self._contents(old, new), (_FREE, _FREE)))

    def attribute(self, old: Type, new: Type, name: str) -> Answer:
        """Whether what `old` says of one attribute is allowed by `new`."""
        return self._attribute(AttributeUses(self.old, old), AttributeUses(self.new, new), name)

    def any_attribute(self, old: Type, new: Type) -> Answer:
        """Whether what `old` allows as attributes without naming them is allowed by `new`."""
        first, second = AttributeUses(self.old, old), AttributeUses(self.new, new)
        names = [name for name in self.old.attributes_by_name if first.by_wildcard(name)]
        return both(first.free_within(second), *(self._attribute(first, second, name) for name in names))

    def fixed(self, old: Element, new: Element) -> Answer:
        """Whether what `old` has as its only value, or any value of it, is the only one of `new`."""
        if new.fixed is None or old.fixed != new.fixed:  # libxml2 compares the texts, XML Schema the values
            return new.fixed is None
        first, second = self.old.type_of(old), self.new.type_of(new)
        if not (_is_simple(first) and _is_simple(second)):
            return True
        values = values_of(self.old, first), values_of(self.new, second)
        return values_included(fixed_to(values[0], new.fixed), fixed_to(values[1], new.fixed))

    def objections(self, old: Element, new: Element) -> Iterator[Objection]:
        """Whatever speaks against it that every element that `old` declares is one that `new` declares."""
        return self._walk(self._element("", old, new), (old, new))

    # The pairs that are reached ---------------------------------------------------------------------------------------

    def _walk(self, findings: Iterable[_Finding], around: tuple[Element, Element]) -> Iterator[Objection]:
        """What a comparison component by component comes upon as well is reached first."""
        waiting = {True: deque([("", around, True, findings)]), False: deque[_Waiting]()}
        met: set[tuple[object, object]] = set()
        fits = True
        while waiting[True] or waiting[False]:
            where, elements, plain, found = waiting[bool(waiting[True])].popleft()
            for finding in found:
                is_plain = plain and finding.plain
                place = where + finding.step
                if isinstance(finding, _Doubt):
                    fits = False
                    yield Objection(place, finding.what, finding.fits, is_plain, *elements)
                    continue
                pair = key(finding.types[0]), key(finding.types[1])
                if pair not in met and pair not in self._fitting:
                    met.add(pair)
                    judged = _Later(self._judged, finding.types)
                    old, new = finding.elements
                    declared = elements[0] if old is _FREE else old, elements[1] if new is _FREE else new
                    waiting[is_plain].append((place, declared, is_plain, judged))
        if fits:
            self._fitting |= met

    def _judged(self, old: Type, new: Type) -> tuple[_Finding, ...]:
        pair = key(old), key(new)
        if pair not in self._found:
            self._found[pair] = (*self._text(old, new), *self._attributes(old, new), *self._contents(old, new))
        return self._found[pair]

    # One element ------------------------------------------------------------------------------------------------------

    def _element(self, step: str, old: Element, new: Element, *, plain: bool = True) -> Iterator[_Finding]:
        if old.abstract:
            return
        if new.abstract:
            yield _Doubt(step, "abstract", False, plain)
            return
        first, second = self.old.type_of(old), self.new.type_of(new)
        if old.nillable and not new.nillable:
            yield _Doubt(step, "nillable", False, plain)
        for what, fits in ("fixed", self.fixed(old, new)), ("empty text", self._empty(old, new)):
            if fits is not True:
                yield _Doubt(step, what, fits, plain)
        for constraint in sorted(new.constraints - old.constraints, key=lambda each: each.name):
            yield _Doubt(step, f"{constraint.kind} {constraint.name}", None, plain=False)
        if self.new.has_constraints and _key_form(old) != _key_form(new):
            yield _Doubt(step, "what keys are made of", None, plain=False)
        if not _is_abstract(first):
            if _is_abstract(second):
                yield _Doubt(step, "abstract type", False, plain)
            else:
                yield _Pair(step, (first, second), (old, new), plain)
        yield from self._named_types(step, old, new)

    def _named_types(self, step: str, old: Element, new: Element) -> Iterator[_Finding]:
        first, second = self.old.type_of(old), self.new.type_of(new)
        if first.name == XS_ANY_TYPE and second.name != XS_ANY_TYPE:
            yield _Doubt(step, "xsi:type", False)
            return
        if first.name is not None and isinstance(first, SimpleType) and first.source is None:
            return
        admitted = self._standing[1].types(new)
        for name, of in self._standing[0].types(old).items():
            at = f"{step}[xsi:type {etree.QName(name).localname}]"
            if name in admitted:
                yield _Pair(at, (of, admitted[name]), (old, new), plain=False)
            elif old is not _FREE:
                yield _Doubt(at, "type", False, plain=False)

    def _empty(self, old: Element, new: Element) -> Answer:
        """An empty element with a default or fixed value is valid, whatever its type says of the empty text."""
        of = self.new.type_of(new)
        if (old.default is None and old.fixed is None) or (new.default is not None or new.fixed is not None):
            return True
        return not _is_simple(of) or accepts(values_of(self.new, of), "")

    # Content models ---------------------------------------------------------------------------------------------------

    def _contents(self, old: Type, new: Type) -> Iterator[_Finding]:
        leaves = self._alignment.sequences(self.old.content(old), self.new.content(new))
        if leaves is not None:
            return chain.from_iterable(self._leaf(*pair) for pair in _once(leaves))
        return self._product(old, new)

    def _product(self, old: Type, new: Type) -> Iterator[_Finding]:
        """Both content models walked through at once."""
        leaves: list[tuple[Leaf, Leaf]] = []
        missing: str | None = None
        try:
            first, second = self._automaton(True, old), self._automaton(False, new)
            begin = first.start, second.start
            met = {(id(begin[0]), id(begin[1]))}
            waiting = deque([begin])
            while waiting and missing is None:
                at, other = waiting.popleft()
                if at.is_end and not other.is_end:
                    missing = "content ends here"
                steps = [(_matches(other, leaf), leaf, targets) for leaf, targets in _steps(at)]
                self._effort.spend(len(steps))
                leaves += [(leaf, each) for matches, leaf, _ in steps for each, _ in matches]
                unknown = (f"content {_label(leaf)}" for matches, leaf, _ in steps if not matches)
                missing = missing or next(unknown, None)
                for matches, _, targets in steps if missing is None else ():
                    following = first.place(targets), second.place(target for _, target in matches)
                    if (id(following[0]), id(following[1])) not in met:
                        met.add((id(following[0]), id(following[1])))
                        waiting.append(following)
        except OverflowError:
            yield _Doubt("", "content, of which there are too many forms", None)
        if missing is not None:
            yield _Doubt("", missing, False)
        yield from chain.from_iterable(self._leaf(*pair) for pair in _once(leaves))

    def _automaton(self, is_old: bool, of: Type) -> Automaton:
        which = is_old, key(of)
        if which not in self._automata:
            schema, standing = (self.old, self._standing[0]) if is_old else (self.new, self._standing[1])
            self._automata[which] = Automaton(standing.elements, schema.content(of), self._effort)
        return self._automata[which]

    # One child --------------------------------------------------------------------------------------------------------

    def _leaf(self, old: Leaf, new: Leaf) -> Iterator[_Finding]:
        if isinstance(new, Element):
            assert isinstance(old, Element), "an element takes no wildcard"
            yield from self._element(f"/{new.local_name}", old, new)
        elif isinstance(old, Element):
            yield from self._admitted(f"/{old.local_name}", old, self._meant(new, old.name, self.new))
        elif new.process_contents != "skip":
            names = {**self.old.elements, **self.new.elements}
            for name in (name for name in names if admits(old, name)):
                first, second = self._meant(old, name, self.old), self._meant(new, name, self.new)
                yield from self._admitted(f"/any/{etree.QName(name).localname}", first, second)
            yield from self._admitted("/any", self._meant(old, "", self.old), self._meant(new, "", self.new))

    def _meant(self, wildcard: Wildcard, name: str, schema: SchemaSet) -> Element | str:
        """What a wildcard makes of an element that it admits: a declaration, "skip" or "none"."""
        if wildcard.process_contents == "skip":
            return "skip"
        return schema.elements.get(name) or (_FREE if wildcard.process_contents == "lax" else "none")

    def _admitted(self, step: str, old: Element | str, new: Element | str) -> Iterator[_Finding]:
        if self.new.has_constraints and (new == "skip" or new is _FREE) and old is not new:
            yield _Doubt(step, "what keys are made of", None, plain=False)
        if old == "none" or new == "skip":
            return
        if isinstance(new, str):
            yield _Doubt(step, "global element", False, plain=False)
        elif isinstance(old, str):
            yield _Doubt(step, "what was not looked at", None, plain=False)
        else:
            yield from self._element(step, old, new, plain=False)

    # Text and attributes ----------------------------------------------------------------------------------------------

    def _text(self, old: Type, new: Type) -> Iterator[_Finding]:
        fits = self._text_fits(old, new)
        if fits is not True:
            yield _Doubt("", "text", fits)

    def _text_fits(self, old: Type, new: Type) -> Answer:
        if _is_simple(old) and _is_simple(new):
            return self._values(values_of(self.old, old), values_of(self.new, new))
        if _is_simple(new):  # children are compared elsewhere: here is text or none
            if isinstance(old, ComplexType) and old.mixed:
                return values_included(_ANY_TEXT, values_of(self.new, new))
            return accepts(values_of(self.new, new), "") or None
        mixed = isinstance(new, ComplexType) and new.mixed
        if _is_simple(old):
            return None if mixed and self.new.has_constraints else mixed
        return mixed or not (isinstance(old, ComplexType) and old.mixed)

    def _values(self, old: Values, new: Values) -> Answer:
        """Keys compare values, so where there are any, two that were one must stay one."""
        fits = values_included(old, new)
        return both(fits, None) if self.new.has_constraints and not compared_alike(old, new) else fits

    def _attributes(self, old: Type, new: Type) -> Iterator[_Finding]:
        first, second = AttributeUses(self.old, old), AttributeUses(self.new, new)
        uses = dict.fromkeys((*first.uses, *second.uses))
        admitted = [*self.old.attributes_by_name, *self.new.attributes_by_name] if first.wildcard else []
        for name in dict.fromkeys((*uses, *(name for name in admitted if first.by_wildcard(name)))):
            fits = self._attribute(first, second, name)
            if fits is not True:
                yield _Doubt(f"/@{etree.QName(name).localname}", "attribute", fits, name in uses)
        if not first.free_within(second):
            yield _Doubt("", "any attribute", False)

    def _attribute(self, first: AttributeUses, second: AttributeUses, name: str) -> Answer:
        before, after = first.meant(name), second.meant(name)
        if _is_required(after) and not _is_required(before):
            return False
        if before is None or (after == "free" and not self.new.has_constraints):
            return True
        if not isinstance(after, Attribute):
            return False if after is None else (before == "free" or None)
        keyed = self.new.has_constraints and isinstance(before, Attribute) and _key_form(before) != _key_form(after)
        wanted = _values(self.new, after)
        values = _values(self.old, before) if isinstance(before, Attribute) else _ANY_TEXT
        return both(self._values(values, wanted), None if keyed else True)


_Waiting = tuple[str, tuple[Element, Element], bool, Iterable[_Finding]]


@dataclass(frozen=True, slots=True)
class _Later:
    """Findings that are made when they are asked for."""

    make: Callable[[Type, Type], Iterable[_Finding]]
    types: tuple[Type, Type]

    def __iter__(self) -> Iterator[_Finding]:
        return iter(self.make(*self.types))


def _answer(objections: Iterable[Objection]) -> Answer:
    answer: Answer = True
    for objection in objections:
        answer = objection.fits
        if answer is False:
            break
    return answer


def _once(leaves: Iterable[tuple[Leaf, Leaf]]) -> Iterable[tuple[Leaf, Leaf]]:
    return {(id(old), id(new)): (old, new) for old, new in leaves}.values()


def _steps(place: Place) -> Iterator[tuple[Leaf, list[int]]]:
    for edges in place.by_name.values():
        for leaf in {id(leaf): leaf for leaf, _ in edges}.values():
            yield leaf, [target for _, target in edges]
    for leaf, target in place.wildcards:
        yield leaf, [target]


def _matches(place: Place, leaf: Leaf) -> list[Edge]:
    """The edges that whatever is that leaf may take."""
    named = place.by_name.get(leaf.name, []) if isinstance(leaf, Element) else []
    return [*named, *(edge for edge in place.wildcards if _takes(edge[0], leaf))]


def _takes(new: Leaf, old: Leaf) -> bool:
    if isinstance(new, Element):
        return True
    return admits(new, old.name) if isinstance(old, Element) else admits_all(new, old)


def _label(leaf: Leaf) -> str:
    return leaf.local_name if isinstance(leaf, Element) else "any"


def _is_required(attribute: Attribute | str | None) -> bool:
    return isinstance(attribute, Attribute) and attribute.use == "required"


def _key_form(use: Element | Attribute) -> tuple[object, ...]:
    return use.default, use.fixed, isinstance(use, Element) and use.nillable


def _values(schema: SchemaSet, attribute: Attribute) -> Values:
    values = values_of(schema, schema.type_of(attribute))
    return values if attribute.fixed is None else fixed_to(values, attribute.fixed)


def _is_simple(of: Type) -> bool:
    return isinstance(of, SimpleType) or of.simple


def _is_abstract(of: Type) -> bool:
    return isinstance(of, ComplexType) and of.abstract


def reachable(schema: SchemaSet, names: Iterable[str]) -> Iterator[Element]:
    """The global elements of these names, and every element declaration within them, each once."""
    waiting = [schema.elements[name] for name in names if name in schema.elements]
    standing = Substitution(schema)
    seen: set[int] = set()
    while waiting:
        element = waiting.pop()
        if id(element.source) in seen:
            continue
        seen.add(id(element.source))
        yield element
        waiting += chain.from_iterable(map(standing.elements, schema.children(schema.type_of(element))))
