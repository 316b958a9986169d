"""Whether every element that is valid by one set of schemas is valid by another: inclusion of tree languages.

Content models are automata, and the product of two of them is walked; for each child that both take, its types are
compared in turn. A pair of types that is met again on the way is taken to hold (the greatest fixed point), so types
that contain themselves come to an end. xsi:type and identity constraints are not looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

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
from soapsvc.contract.value_inclusion import Answer, Values, accepts, both, values_included, values_of
from soapsvc.namespaces import XML_SCHEMA_INSTANCE

MAX_STATES = 3000  # of one content model; above, the answer is that it is not known
_STRICTNESS = ("skip", "lax", "strict")
_ANY_TEXT = Values("atomic", "string")


class Inclusion:
    """Holds the elements of `old` against those of `new`; what was compared once is remembered."""

    def __init__(self, old: SchemaSet, new: SchemaSet):
        self._old, self._new = old, new
        self._models: dict[tuple[bool, object], Automaton] = {}
        self._types: dict[tuple[object, object], Answer] = {}

    def elements(self, old: Element, new: Element) -> Answer:
        """Whether every element that `old` declares is one that `new` declares; their names are the same."""
        if old.nillable and not new.nillable:
            return False
        if new.abstract:
            return old.abstract
        if new.fixed is not None and old.fixed != new.fixed:
            return False
        fits = self.types(self._old.type_of(old), self._new.type_of(new))
        return both(fits, self._empty(old, new))

    def types(self, old: Type, new: Type) -> Answer:
        """Whether every content and every attribute that `old` allows is allowed by `new`."""
        key = _key(old), _key(new)
        if key in self._types:
            return self._types[key]
        known = len(self._types)
        self._types[key] = True
        answer = both(self._text(old, new), self._attributes(old, new), self.contents(old, new))
        if answer is not True:  # what was found since may rest on the assumption that this pair holds
            for since in list(self._types)[known:]:
                del self._types[since]
        self._types[key] = answer
        return answer

    def contents(self, old: Type, new: Type) -> Answer:
        """Whether every sequence of children that `old` allows is allowed by `new`."""
        try:
            first, second = self._model(True, old), self._model(False, new)
        except OverflowError:
            return None
        answer: Answer = True
        begin = first.start, second.closure({second.start})
        met = {begin}
        waiting = deque([begin])
        while waiting:
            at, others = waiting.popleft()
            closed = first.closure({at})
            if first.end in closed and second.end not in others:
                return False
            for state in closed:
                for particle, target in first.edges[state]:
                    reached, fits = self._step(particle, others, second)
                    if fits is False:
                        return False
                    answer = both(answer, fits)
                    following = target, second.closure(reached)
                    if following not in met:
                        met.add(following)
                        waiting.append(following)
        return answer

    # One child -------------------------------------------------------------------------------------------------------

    def _step(self, old: Element | Wildcard, others: Iterable[int], second: Automaton) -> tuple[set[int], Answer]:
        """Where `new` may stand after a child of `old`, and whether it takes each such child."""
        reached: dict[int, Answer] = {}
        for state in others:
            for particle, target in second.edges[state]:
                fits = self._child(old, particle)
                if fits is not False:
                    reached[target] = fits
        if not reached:
            return set(), False
        return set(reached), True if True in reached.values() else None

    def _child(self, old: Element | Wildcard, new: Element | Wildcard) -> Answer:
        if isinstance(old, Element) and isinstance(new, Element):
            return self.elements(old, new) if old.name == new.name else False
        if isinstance(old, Element) and isinstance(new, Wildcard):
            return self._admitted(old, new)
        if isinstance(old, Wildcard) and isinstance(new, Wildcard):
            wider = admits_all(new, old)
            strictness = [_STRICTNESS.index(each.process_contents) for each in (old, new)]
            return wider and (True if strictness[1] <= strictness[0] else None)
        return False

    def _admitted(self, old: Element, new: Wildcard) -> Answer:
        if not admits(new, old.name):
            return False
        declared = self._new.elements.get(old.name)
        if new.process_contents == "skip" or (new.process_contents == "lax" and declared is None):
            return True
        return False if declared is None else self.elements(old, declared)

    def _model(self, is_old: bool, of: Type) -> Automaton:
        key = is_old, _key(of)
        if key not in self._models:
            schema = self._old if is_old else self._new
            self._models[key] = Automaton(schema, schema.content(of))
        return self._models[key]

    # Text and attributes ---------------------------------------------------------------------------------------------

    def _text(self, old: Type, new: Type) -> Answer:
        if _is_simple(old) and _is_simple(new):
            return values_included(values_of(self._old, old), values_of(self._new, new))
        if _is_simple(new):  # children are compared elsewhere: here is text or none
            if isinstance(old, ComplexType) and old.mixed:
                return values_included(_ANY_TEXT, values_of(self._new, new))
            return accepts(values_of(self._new, new), "") or None
        mixed = isinstance(new, ComplexType) and new.mixed
        if _is_simple(old):
            return mixed
        return mixed or not (isinstance(old, ComplexType) and old.mixed)

    def _empty(self, old: Element, new: Element) -> Answer:
        """An empty element with a default or fixed value is valid, whatever its type says of the empty text."""
        of = self._new.type_of(new)
        if (old.default is None and old.fixed is None) or (new.default is not None or new.fixed is not None):
            return True
        return not _is_simple(of) or accepts(values_of(self._new, of), "")

    def _attributes(self, old: Type, new: Type) -> Answer:
        before = {attribute.name: attribute for attribute in self._old.attributes(old)}
        after = {attribute.name: attribute for attribute in self._new.attributes(new)}
        any_before, any_after = all_attributes(self._old, old), all_attributes(self._new, new)
        answers: list[Answer] = []
        for name, attribute in after.items():
            if attribute.use == "required" and (name not in before or before[name].use != "required"):
                return False
            if name not in before and any_before is not None and admits(any_before, name):
                answers.append(self._attribute_values(_ANY_TEXT, attribute))
        for name, attribute in before.items():
            if name in after:
                values = values_of(self._old, self._old.type_of(attribute))
                answers.append(self._attribute_values(values, after[name], attribute))
            elif any_after is None or not admits(any_after, name):
                return False
            elif any_after.process_contents == "strict":
                answers.append(None)
        if any_before is not None:
            answers.append(any_after is not None and admits_all(any_after, any_before))
        return both(*answers)

    def _attribute_values(self, values: Values, new: Attribute, old: Attribute | None = None) -> Answer:
        if new.fixed is not None and (old is None or old.fixed != new.fixed):
            return False
        return values_included(values, values_of(self._new, self._new.type_of(new)))


# Content models ------------------------------------------------------------------------------------------------------


class Automaton:
    """A content model as states and the children that lead from one to the next.

    Errors  OverflowError from the constructor: more than MAX_STATES
    """

    def __init__(self, schema: SchemaSet, content: Iterable[Particle]):
        self._schema = schema
        self.edges: list[list[tuple[Element | Wildcard, int]]] = []
        self._free: list[list[int]] = []
        self.start = self._state()
        at = self.start
        for particle in content:
            at = self._occurring(particle, at)
        self.end = at

    def closure(self, states: Iterable[int]) -> frozenset[int]:
        """The states that are reached without a child."""
        found = set(states)
        waiting = list(found)
        while waiting:
            for state in self._free[waiting.pop()]:
                if state not in found:
                    found.add(state)
                    waiting.append(state)
        return frozenset(found)

    def _state(self) -> int:
        if len(self.edges) >= MAX_STATES:
            raise OverflowError
        self.edges.append([])
        self._free.append([])
        return len(self.edges) - 1

    def _occurring(self, particle: Particle, at: int) -> int:
        for _ in range(particle.min_occurs):
            at = self._once(particle, at)
        if particle.max_occurs is None:
            around = self._state()
            self._free[at].append(around)
            self._free[self._once(particle, around)].append(around)
            return around
        ways_out = [at]
        for _ in range(particle.max_occurs - particle.min_occurs):
            at = self._once(particle, at)
            ways_out.append(at)
        end = self._state()
        for way_out in ways_out:
            self._free[way_out].append(end)
        return end

    def _once(self, particle: Particle, at: int) -> int:
        if isinstance(particle, Group):
            return {"sequence": self._sequence, "choice": self._choice, "all": self._all}[particle.kind](particle, at)
        end = self._state()
        if isinstance(particle, Wildcard):
            self.edges[at].append((particle, end))
        else:
            self.edges[at] += [(element, end) for element in substitutes(self._schema, particle)]
        return end

    def _sequence(self, group: Group, at: int) -> int:
        for particle in group.particles:
            at = self._occurring(particle, at)
        return at

    def _choice(self, group: Group, at: int) -> int:
        end = self._state()
        for particle in group.particles:
            begin = self._state()
            self._free[at].append(begin)
            self._free[self._occurring(particle, begin)].append(end)
        return end

    def _all(self, group: Group, at: int) -> int:
        """Each subset of the children that have been there is a state."""
        states = {frozenset[int](): at}
        end = self._state()
        order = [frozenset[int]()]
        for been in order:
            missing = [n for n in range(len(group.particles)) if n not in been]
            if all(group.particles[n].min_occurs == 0 for n in missing):
                self._free[states[been]].append(end)
            for n in missing:
                following = been | {n}
                if following not in states:
                    states[following] = self._state()
                    order.append(following)
                self._free[self._once(group.particles[n], states[been])].append(states[following])
        return end


def substitutes(schema: SchemaSet, element: Element) -> Iterator[Element]:
    """What may stand for an element of a content model: itself, unless it is abstract, and its substitution group."""
    if not element.abstract:
        yield element
    if element.source is getattr(schema.elements.get(element.name), "source", None):
        for other in schema.elements.values():
            if other.name != element.name and schema.substitution_head(other) == element.name:
                yield from substitutes(schema, other)


# Wildcards -----------------------------------------------------------------------------------------------------------


def admits(wildcard: Wildcard, name: str) -> bool:
    """Whether an xs:any or xs:anyAttribute admits a Clark name."""
    namespace = etree.QName(name).namespace
    if namespace == XML_SCHEMA_INSTANCE:
        return True
    match wildcard.namespace:
        case "##any":
            return True
        case "##other":
            return namespace is not None and namespace != wildcard.target
        case listed:
            return (namespace or "##local") in _listed(wildcard, listed)


def admits_all(wider: Wildcard, narrower: Wildcard) -> bool:
    """Whether one wildcard admits every name that another admits."""
    if wider.namespace == "##any" or (wider.namespace, wider.target) == (narrower.namespace, narrower.target):
        return True
    if narrower.namespace in ("##any", "##other"):
        return False
    listed = _listed(narrower, narrower.namespace)
    if wider.namespace == "##other":
        return not listed & {"##local", wider.target or "##local"}
    return listed <= _listed(wider, wider.namespace)


def _listed(wildcard: Wildcard, namespaces: str) -> set[str]:
    target = wildcard.target or "##local"
    return {target if each == "##targetNamespace" else each for each in namespaces.split()}


def all_attributes(schema: SchemaSet, of: Type) -> Wildcard | None:
    """The attribute wildcard in force: the type's own, else that of the type it extends."""
    if not isinstance(of, ComplexType):
        return None
    if of.any_attribute is not None or of.base is None or of.derivation != "extension":
        return of.any_attribute
    return all_attributes(schema, schema.type(of.base, of.source))


def _is_simple(of: Type) -> bool:
    return isinstance(of, SimpleType) or of.simple


def _key(of: Type) -> object:
    return of.name if of.name is not None else of.source


def reachable(schema: SchemaSet, names: Iterable[str]) -> Iterator[Element]:
    """The global elements of these names, and every element declaration within them, each once."""
    waiting = [schema.elements[name] for name in names if name in schema.elements]
    seen: set[int] = set()
    while waiting:
        element = waiting.pop()
        if id(element.source) in seen:
            continue
        seen.add(id(element.source))
        yield element
        waiting += chain.from_iterable(substitutes(schema, child) for child in schema.children(schema.type_of(element)))
