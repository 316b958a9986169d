"""The children of an element beside its content model: the fewest changes that would make them fit.

libxml2 and xmlschema both stop at the first child that does not fit. Here the children are aligned with the model as
two texts are for a diff, so that every independent deviation in one parent is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from xmlschema.validators import XsdAnyElement, XsdElement, XsdGroup

MAX_COPIES = 20  # a particle that may occur more often counts as unbounded: what remains libxml2 tells
MAX_STATES = 2000  # of one content model; the vendor's largest known takes 6

MAX_STEPS = 5_000  # that the alignments of one message may take beyond what is linear in it
_LINEAR = 4  # steps for each child: more than children that fit take

_ONE_CHANGE = 10
_NEARLY = 9  # the same local name in another namespace or letter case: rather that than one too many and one missing


@dataclass(slots=True)
class Effort:
    """What the alignments of one message may still cost.

    left  steps of the search
    """

    left: int = MAX_STEPS


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an alignment.

    kind      fits, nearly (the local name fits, letter case aside), unexpected, or missing
    index     of the child; for missing: of the child before which it is missing
    particle  what the child fits, or what is missing; None: unexpected
    """

    kind: Literal["fits", "nearly", "unexpected", "missing"]
    index: int
    particle: XsdElement | XsdAnyElement | None = None


_Way = tuple[int, Step | None]  # the place that a place was reached from, and the step between them


class ContentModel:
    """The content model of a complex type, as an automaton.

    Errors  OverflowError from the constructor: more than MAX_STATES
    """

    def __init__(self, group: XsdGroup):
        self._edges: list[list[tuple[XsdElement | XsdAnyElement, int]]] = []
        self._free: list[list[int]] = []
        self._group = group
        self._start = self._state()
        self._end = self._occurring(group, self._start)

    def align(self, tags: Sequence[str], effort: Effort) -> list[Step] | None:
        """The steps that lead through the children with the fewest changes, in document order; None: to find them would
        cost more than is left.

        effort  is lessened by what it did cost

        Dijkstra's search through the places (children before, state). What costs nothing is followed to its end first,
        so that of two that are one too many the later one is.
        """
        if self._group.model == "all":
            return _align_all(list(particles(self._group)), tags)
        effort.left += _LINEAR * len(tags)
        states, end = len(self._edges), len(tags) * len(self._edges) + self._end
        nearness: dict[tuple[str, int], int | None] = {}
        reached: dict[int, _Way] = {}
        known: dict[int, int] = {}  # what the cheapest way to a place costs, of those that were seen
        waiting: dict[int, deque[tuple[int, int, Step | None]]] = {0: deque([(self._start, -1, None)])}
        while end not in reached:
            cost = min(waiting)
            place, before, step = waiting[cost].popleft()
            if not waiting[cost]:
                del waiting[cost]
            if place in reached:
                continue
            if effort.left <= 0:
                return None
            effort.left -= 1
            reached[place] = before, step
            index, state = divmod(place, states)
            moves: list[tuple[int, int, Step | None]] = []
            if index < len(tags):
                moves.append((_ONE_CHANGE, place + states, Step("unexpected", index)))
            for particle, target in self._edges[state]:
                moves.append((_ONE_CHANGE, index * states + target, Step("missing", index, particle)))
            moves += ((0, index * states + target, None) for target in reversed(self._free[state]))
            for particle, target in self._edges[state] if index < len(tags) else ():
                key = tags[index], id(particle)
                if key not in nearness:
                    nearness[key] = _nearness(particle, tags[index])
                change = nearness[key]
                if change is not None:
                    fit = Step("nearly" if change else "fits", index, particle)
                    moves.append((change, place + states - state + target, fit))
            for change, target, step in moves:
                if cost + change < known.get(target, cost + change + 1):
                    known[target] = cost + change
                    line = waiting.setdefault(cost + change, deque())
                    (line.append if change else line.appendleft)((target, place, step))
        return _in_order(reached, end, len(tags))

    # The automaton ---------------------------------------------------------------------------------------------------

    def _state(self) -> int:
        if len(self._edges) >= MAX_STATES:
            raise OverflowError("the content model is too large to be aligned")
        self._edges.append([])
        self._free.append([])
        return len(self._edges) - 1

    def _occurring(self, particle: Any, start: int) -> int:
        least = min(particle.min_occurs, MAX_COPIES)
        for _ in range(least):
            start = self._once(particle, start)
        end = self._state()
        if particle.max_occurs is None or particle.max_occurs > MAX_COPIES:
            self._free[start].append(end)
            self._free[self._once(particle, end)].append(end)
            return end
        for _ in range(particle.max_occurs - least):
            self._free[start].append(end)
            start = self._once(particle, start)
        self._free[start].append(end)
        return end

    def _once(self, particle: Any, start: int) -> int:
        if not isinstance(particle, XsdGroup):
            end = self._state()
            self._edges[start].append((particle, end))
            return end
        if particle.model == "choice":
            end = self._state()
            for branch in particle:
                inside = self._state()
                self._free[start].append(inside)
                self._free[self._occurring(branch, inside)].append(end)
            return end
        for member in particle:
            start = self._occurring(member, start)
        return start


class Names:
    """Particles by the names of what fits them."""

    def __init__(self, members: Iterable[XsdElement | XsdAnyElement]):
        self._named: dict[str, list[XsdElement]] = {}
        self._nearly: dict[str, list[XsdElement]] = {}
        self._anything: list[XsdAnyElement] = []
        for member in members:
            if isinstance(member, XsdAnyElement):
                self._anything.append(member)
                continue
            self._nearly.setdefault((member.local_name or "").lower(), []).append(member)
            for name in names(member):
                self._named.setdefault(name, []).append(member)

    def elements(self, tag: str) -> Sequence[XsdElement]:
        """The declarations that an element of this Clark name fits."""
        return self._named.get(tag, ())

    def admitting(self, tag: str) -> Iterator[XsdElement | XsdAnyElement]:
        """The same and the wildcards."""
        yield from self.elements(tag)
        yield from (anything for anything in self._anything if anything.is_matching(tag))

    def nearly(self, tag: str) -> Sequence[XsdElement]:
        """The declarations of its local name, letter case aside."""
        return self._nearly.get(tag.rpartition("}")[2].lower(), ())


def names(declaration: XsdElement) -> set[str]:
    """The Clark names of the elements that fit a declaration: its own, and by substitution."""
    return {declaration.name, *(other.name for other in declaration.iter_substitutes())}


def admits(particle: XsdElement | XsdAnyElement, tag: str) -> bool:
    """Whether an element of this Clark name fits the particle: by name, by substitution, or by wildcard."""
    if isinstance(particle, XsdAnyElement):
        return bool(particle.is_matching(tag))
    return tag == particle.name or any(tag == other.name for other in particle.iter_substitutes())


def particles(group: Iterable[Any]) -> Iterable[XsdElement | XsdAnyElement]:
    """Every element declaration and wildcard of a model group, in order, out of groups of any depth."""
    for particle in group:
        if isinstance(particle, XsdGroup):
            yield from particles(particle)
        else:
            yield particle


def described(group: XsdGroup) -> str:
    """A content model in the manner of a DTD: `Status, SubmitId?, JobDocumentData*`."""
    once = group.min_occurs == group.max_occurs == 1
    return _members(group) if once else _described(group)


def _members(group: XsdGroup) -> str:
    joined = {"sequence": ", ", "choice": " | ", "all": " & "}[group.model].join(
        _described(particle) for particle in group
    )
    return joined or "nothing"


def _described(particle: Any) -> str:
    if isinstance(particle, XsdGroup):
        name = _members(particle) if len(particle) == 1 else f"({_members(particle)})"
    elif isinstance(particle, XsdAnyElement):
        name = "any element"
    else:
        name = particle.local_name
    least, most = particle.min_occurs, particle.max_occurs
    if most == 1:
        return name if least else f"{name}?"
    if most is None:
        return f"{name}*" if least == 0 else f"{name}+" if least == 1 else f"{name}{{{least},}}"
    return f"{name}{{{least},{most}}}"


def _nearness(particle: XsdElement | XsdAnyElement, tag: str) -> int | None:
    if admits(particle, tag):
        return 0
    if isinstance(particle, XsdAnyElement):
        return None
    return _NEARLY if tag.rpartition("}")[2].lower() == (particle.local_name or "").lower() else None


def _align_all(members: list[XsdElement | XsdAnyElement], tags: Sequence[str]) -> list[Step]:
    """xs:all: each member at most once, in any order (XML Schema part 1, 3.8.6)."""
    known, waiting = Names(members), {id(member): member for member in members}
    steps: list[Step] = []
    for index, tag in enumerate(tags):
        fits = next((member for member in known.admitting(tag) if id(member) in waiting), None)
        near = fits
        if near is None:
            near = next((member for member in known.nearly(tag) if id(member) in waiting), None)
        if near is None:
            steps.append(Step("unexpected", index))
            continue
        del waiting[id(near)]
        steps.append(Step("nearly" if fits is None else "fits", index, near))
    return steps + [Step("missing", len(tags), member) for member in waiting.values() if member.min_occurs]


def _in_order(reached: Mapping[int, _Way], place: int, children: int) -> list[Step]:
    """The way to a place; what is missing stands right before the child that comes after it."""
    backwards: list[Step] = []
    while place >= 0:
        place, step = reached[place]
        if step is not None:
            backwards.append(step)
    steps: list[Step] = []
    missing: list[Step] = []
    for step in reversed(backwards):
        if step.kind == "missing":
            missing.append(step)
            continue
        if step.kind != "unexpected":
            steps += (replace(each, index=step.index) for each in missing)
            missing = []
        steps.append(step)
    return steps + [replace(each, index=children) for each in missing]
