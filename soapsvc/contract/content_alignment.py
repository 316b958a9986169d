"""Content models of one form: side by side, what stands for what is seen without walking through them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from soapsvc.contract.content_automaton import Leaf
from soapsvc.contract.schema_components import Element, Group, Particle
from soapsvc.contract.wildcards import Wildcard, admits_all

_Standing = Callable[[Element], Iterable[Element]]


class Alignment:
    """Holds the particles of one content model against those of another.

    old, new  give the elements that may stand for one of the content model
    """

    def __init__(self, old: _Standing, new: _Standing):
        self._old, self._new = old, new

    def sequences(self, old: Sequence[Particle], new: Sequence[Particle]) -> list[tuple[Leaf, Leaf]] | None:
        """The children of two sequences that stand for one another; None: they are not of one form."""
        leaves: list[tuple[Leaf, Leaf]] = []
        rest = iter(new)
        for particle in old:
            for other in rest:
                inner = self._particles(particle, other)
                if inner is not None:
                    leaves += inner
                    break
                if not _may_be_empty(other):
                    return None
            else:
                return None
        return leaves if all(map(_may_be_empty, rest)) else None

    def _particles(self, old: Particle, new: Particle) -> list[tuple[Leaf, Leaf]] | None:
        """As `sequences`, of two particles: each thing that the one may be is at its place in the other."""
        most = new.max_occurs is None or (old.max_occurs is not None and old.max_occurs <= new.max_occurs)
        if new.min_occurs > old.min_occurs or not most:
            return None
        if isinstance(old, Wildcard) and isinstance(new, Wildcard):
            return [(old, new)] if admits_all(new, old) else None
        if isinstance(old, Element) and isinstance(new, Element):
            if old.name != new.name:
                return None
            after = {each.name: each for each in self._new(new)}
            before = list(self._old(old))
            return [(each, after[each.name]) for each in before] if all(e.name in after for e in before) else None
        if not isinstance(old, Group) or not isinstance(new, Group) or old.kind != new.kind:
            return None
        if old.kind == "sequence":
            return self.sequences(old.particles, new.particles)
        left = list(new.particles)
        leaves: list[tuple[Leaf, Leaf]] = []
        for particle in old.particles:
            for n, other in enumerate(left):
                inner = self._particles(particle, other)
                if inner is not None:
                    leaves += inner
                    del left[n]
                    break
            else:
                return None
        return leaves if old.kind == "choice" or all(map(_may_be_empty, left)) else None


def _may_be_empty(particle: Particle) -> bool:
    if particle.min_occurs == 0 or not isinstance(particle, Group):
        return particle.min_occurs == 0
    if particle.kind == "choice":
        return any(map(_may_be_empty, particle.particles))
    return all(map(_may_be_empty, particle.particles))
