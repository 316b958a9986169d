"""A content model as states, and the children that lead from one to the next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from soapsvc.contract.schema_components import Element, Group, Particle
from soapsvc.contract.wildcards import Wildcard

MAX_STATES = 30_000  # of one content model; above, what it holds is not known
MAX_STEPS = 2_000_000  # that all comparisons of two contracts may take: some 10 s

Leaf = Element | Wildcard
Edge = tuple[Leaf, int]


@dataclass(frozen=True, eq=False, slots=True)
class Place:
    """States that a content model may be in after the same children, those that anything follows, and what does.

    by_name    edges of elements
    wildcards  edges of xs:any
    """

    states: frozenset[int]
    is_end: bool
    by_name: dict[str, list[Edge]] = field(default_factory=lambda: defaultdict(list))
    wildcards: list[Edge] = field(default_factory=list)


class Effort:
    """What walking through content models may still cost."""

    def __init__(self, steps: int = MAX_STEPS):
        self._left = steps

    def spend(self, steps: int) -> None:
        """Errors: OverflowError, when nothing is left."""
        self._left -= steps
        if self._left < 0:
            raise OverflowError


class Automaton:
    """Made as it is walked through where that saves states: xs:all has one for each subset of its children.

    Errors  OverflowError from every method: more than MAX_STATES, or the effort is spent
    """

    def __init__(self, standing: Callable[[Element], Iterable[Element]], content: Iterable[Particle], effort: Effort):
        """`standing` gives the elements that may stand for one of the content model."""
        self._standing, self._effort = standing, effort
        self._edges: list[list[Edge]] = []
        self._free: list[list[int]] = []
        self._later: dict[int, Callable[[], None]] = {}
        self._places: dict[frozenset[int], Place] = {}
        start = at = self._state()
        for particle in content:
            at = self._occurring(particle, at)
        self._end = at
        self.start = self.place([start])

    def place(self, states: Iterable[int]) -> Place:
        """Where one is in any of the states, and in those that are reached from them without a child."""
        begin = frozenset(states)
        if begin in self._places:
            return self._places[begin]
        found = set(begin)
        waiting = list(found)
        while waiting:
            state = waiting.pop()
            self._later.pop(state, lambda: None)()
            for following in self._free[state]:
                if following not in found:
                    found.add(following)
                    waiting.append(following)
        self._effort.spend(len(found))
        closed = frozenset(state for state in found if self._edges[state] or state == self._end)
        if closed not in self._places:
            self._places[closed] = self._place(closed)
        return self._places.setdefault(begin, self._places[closed])

    def _place(self, found: frozenset[int]) -> Place:
        self._effort.spend(sum(len(self._edges[state]) for state in found))
        place = Place(found, self._end in found)
        for state in found:
            for leaf, target in self._edges[state]:
                edges = place.by_name[leaf.name] if isinstance(leaf, Element) else place.wildcards
                edges.append((leaf, target))
        return place

    def _state(self) -> int:
        if len(self._edges) >= MAX_STATES:
            raise OverflowError
        self._edges.append([])
        self._free.append([])
        return len(self._edges) - 1

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
        leaves = [particle] if isinstance(particle, Wildcard) else self._standing(particle)
        self._edges[at] += [(leaf, end) for leaf in leaves]
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
        """Each set of children that are still missing is a state."""
        end = self._state()
        states: dict[frozenset[int], int] = {}

        def begin(missing: frozenset[int], state: int) -> None:
            states[missing] = state
            self._later[state] = lambda: follow(missing, state)

        def follow(missing: frozenset[int], state: int) -> None:
            if all(group.particles[n].min_occurs == 0 for n in missing):
                self._free[state].append(end)
            for n in missing:
                left = missing - {n}
                if left not in states:
                    begin(left, self._state())
                self._free[self._once(group.particles[n], state)].append(states[left])

        begin(frozenset(range(len(group.particles))), at)
        return end
