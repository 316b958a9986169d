"""What an element of a message leads to, by the roles of the elements below it: the writer's map of the schema."""

from __future__ import annotations

from collections.abc import Iterator

from soapsvc.contract.document_names import DOC_DATA, ROLES
from soapsvc.contract.message_parts import role_of_name
from soapsvc.contract.schema_components import ComplexType, Element, Group, Particle, SchemaSet, Type
from soapsvc.contract.substitution import Substitution

DOCUMENT, PROPERTY = "document", "property"


class MessageShape:
    """Looks at the content models of one schema. Not for several threads at once."""

    def __init__(self, schema: SchemaSet):
        self.schema = schema
        self._leads_to: dict[object, frozenset[str]] = {}
        self._substitution = Substitution(schema)

    def standing_for(self, element: Element) -> Iterator[Element]:
        """What may stand for an element: itself, unless it is abstract, and its substitution group."""
        return self._substitution.elements(element)

    def role(self, element: Element) -> str:
        """`document`, or the local name in lower case."""
        name = role_of_name(element.name)
        if name == DOC_DATA or (name not in ROLES and self.schema.is_base64(element)):
            return DOCUMENT
        return name

    def leads_to(self, particle: Particle) -> frozenset[str]:
        """The roles of an element and of all that may stand below it; of a group, of all its members."""
        if isinstance(particle, Group):
            return frozenset().union(*map(self.leads_to, particle.particles))
        if not isinstance(particle, Element):
            return frozenset()
        key = particle.source, particle.name
        if key not in self._leads_to:
            seen: set[object] = set()
            self._leads_to[key] = frozenset(self._roles(particle, seen))
        return self._leads_to[key]

    def repeats(self, particle: Particle, role: str) -> bool:
        """Whether a particle is the innermost one that may come several times on a way to a role."""
        return may_repeat(particle) and role in self.leads_to(particle) and not self._repeats_below(particle, role, ())

    def repeats_within(self, element: Element, role: str) -> bool:
        """Whether something below an element may come several times on a way to a role."""
        return self._repeats_below(element, role, ())

    def _roles(self, element: Element, seen: set[object]) -> Iterator[str]:
        for standing in self.standing_for(element):
            yield self.role(standing)
            of = self.schema.type_of(standing)
            if not isinstance(of, ComplexType) or of.simple or _key(of) in seen:
                continue
            seen.add(_key(of))
            for inside in self.schema.children(of):
                yield from self._roles(inside, seen)

    def _repeats_below(self, particle: Particle, role: str, around: tuple[object, ...]) -> bool:
        for inside, types in self._inside(particle, around):
            if role in self.leads_to(inside) and (may_repeat(inside) or self._repeats_below(inside, role, types)):
                return True
        return False

    def _inside(self, particle: Particle, around: tuple[object, ...]) -> Iterator[tuple[Particle, tuple[object, ...]]]:
        """The particles directly inside another, and the types that they stand in; a type inside itself has none."""
        if isinstance(particle, Group):
            yield from ((one, around) for one in particle.particles)
        elif isinstance(particle, Element):
            for standing in self.standing_for(particle):
                of = self.schema.type_of(standing)
                if isinstance(of, ComplexType) and not of.simple and _key(of) not in around:
                    yield from ((one, (*around, _key(of))) for one in self.schema.content(of))


def may_repeat(particle: Particle) -> bool:
    """Whether a particle may come more than once."""
    return particle.max_occurs is None or particle.max_occurs > 1


def _key(of: Type) -> object:
    return of.name if of.name is not None else of.source
