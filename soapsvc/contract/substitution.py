"""What may stand for what in a message: the members of substitution groups, and the types that xsi:type may name.

`block` takes some of it away again; `final` says what a schema may declare, so of a valid one it changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from lxml import etree

from soapsvc.contract.schema_components import (
    XS_ANY_SIMPLE_TYPE,
    XS_ANY_TYPE,
    ComplexType,
    Element,
    SchemaSet,
    SimpleType,
    Type,
)
from soapsvc.contract.value_inclusion import BASES
from soapsvc.namespaces import XML_SCHEMA

_Step = tuple[Type, frozenset[str]]  # a type, and the methods by which it is derived from another
_RESTRICTION = frozenset({"restriction"})


class Substitution:
    """Elements and types of one set of schemas that may stand for others."""

    def __init__(self, schema: SchemaSet):
        self._schema = schema
        self._names = frozenset(schema.type_names)
        self._types: dict[tuple[object, frozenset[str]], dict[str, Type]] = {}

    def elements(self, element: Element) -> Iterator[Element]:
        """What may stand for an element of a content model: itself, unless it is abstract, and its group."""
        if not element.abstract:
            yield element
        if "substitution" in element.block:
            return
        declared = self._schema.elements.get(element.name)
        if declared is not None and declared.source is element.source:
            for member in self._members[element.name]:
                if not self._is_blocked(member, element):
                    yield from self.elements(member)

    def types(self, element: Element) -> dict[str, Type]:
        """The global types that xsi:type may name in place of the declared one, by name."""
        declared = self._schema.type_of(element)
        blocked = _blocked(element, declared)
        asked = key(declared), blocked
        if asked not in self._types:
            self._types[asked] = {
                str(of.name): of
                for of, methods in self._derived_from(declared)
                if of.name in self._names and not _is_abstract(of) and not methods & blocked
            }
        return self._types[asked]

    @cached_property
    def _members(self) -> dict[str, list[Element]]:
        members: dict[str, list[Element]] = defaultdict(list)
        for element in self._schema.elements.values():
            head = self._schema.substitution_head(element)
            if head is not None and head != element.name:
                members[head].append(element)
        return members

    def _is_blocked(self, member: Element, head: Element) -> bool:
        declared, of = self._schema.type_of(head), key(self._schema.type_of(member))
        blocked = _blocked(head, declared)
        return bool(blocked) and any(
            methods & blocked for each, methods in self._derived_from(declared) if key(each) == of
        )

    def _derived_from(self, base: Type) -> Iterator[_Step]:
        """Every type that is derived from one, in any number of steps, with the methods of these.

        What is derived from a member of a union stands for the union.
        """
        waiting: list[_Step] = [(base, frozenset())]
        met = {key(base)}
        while waiting:
            at, methods = waiting.pop()
            steps = list(self._steps[key(at)])
            if isinstance(at, SimpleType) and at.variety == "union":
                steps += [(self._schema.type(member, at.source), _RESTRICTION) for member in at.members]
            for derived, method in steps:
                if key(derived) not in met:
                    met.add(key(derived))
                    waiting.append((derived, methods | method))
                    yield waiting[-1]

    @cached_property
    def _steps(self) -> dict[object, list[_Step]]:
        """By the key of each type, the types that are derived from it in one step."""
        steps: dict[object, list[_Step]] = defaultdict(list)
        met: set[object] = set()
        for of in map(self._schema.type, self._schema.type_names):
            while key(of) not in met and (base := self._base(of)) is not None:
                met.add(key(of))
                method = of.derivation if isinstance(of, ComplexType) else None
                steps[key(base)].append((of, frozenset({method or "restriction"})))
                of = base
        return steps

    def _base(self, of: Type) -> Type | None:
        if of.base is not None:
            return self._schema.type(of.base, of.source)
        if of.name == XS_ANY_TYPE:
            return None
        if isinstance(of, ComplexType) or of.name == XS_ANY_SIMPLE_TYPE:
            return self._schema.type(XS_ANY_TYPE)
        built_in = of.name is not None and of.source is None
        above = BASES.get(etree.QName(of.name).localname) if built_in else None
        return self._schema.type(f"{{{XML_SCHEMA}}}{above}" if above else XS_ANY_SIMPLE_TYPE)


def key(of: Type) -> object:
    """What tells one type of a set of schemas from another."""
    return of.name if of.name is not None else of.source


def _blocked(element: Element, declared: Type) -> frozenset[str]:
    return element.block | declared.block if isinstance(declared, ComplexType) else element.block


def _is_abstract(of: Type) -> bool:
    return isinstance(of, ComplexType) and of.abstract
