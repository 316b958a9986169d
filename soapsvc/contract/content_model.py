"""The children of an element beside its content model: the fewest changes that would make them fit.

libxml2 and xmlschema both stop at the first child that does not fit. Here the children are aligned with the model as
two texts are for a diff, so that every independent deviation in one parent is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Literal

from xmlschema.validators import XsdAnyElement, XsdElement, XsdGroup

MAX_COPIES = 20  # a particle that may occur more often counts as unbounded: what remains libxml2 tells
MAX_STATES = 2000  # of one content model; the vendor's largest known takes 6

_ONE_CHANGE = 1.0
_NEARLY = 0.9  # the same local name in another namespace or letter case: rather that than one too many and one missing


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


_Path = tuple[Any, Step] | None  # steps from the last to the first


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
        self._reachable: dict[int, list[tuple[int, float, tuple[Any, ...]]]] = {}

    def align(self, tags: Sequence[str]) -> list[Step]:
        """The steps that lead through the children with the fewest changes, in document order."""
        if self._group.model == "all":
            return _align_all(list(particles(self._group)), tags)
        nearness: dict[tuple[str, int], float | None] = {}
        frontier: dict[int, tuple[float, _Path]] = {self._start: (0.0, None)}
        for index, tag in enumerate(tags):
            following: dict[int, tuple[float, _Path]] = {}

            def reach(state: int, cost: float, path: _Path, into: dict[int, tuple[float, _Path]] = following) -> None:
                if state not in into or cost < into[state][0]:
                    into[state] = cost, path

            for state, (cost, path) in frontier.items():  # first: of two that are one too many, the later one is
                reach(state, cost + _ONE_CHANGE, (path, Step("unexpected", index)))
            for state, (cost, path) in frontier.items():
                for between, extra, missing in self._reach(state):
                    for particle, target in self._edges[between]:
                        key = tag, id(particle)
                        if key not in nearness:
                            nearness[key] = _nearness(particle, tag)
                        change = nearness[key]
                        if change is not None:
                            kind: Literal["fits", "nearly"] = "nearly" if change else "fits"
                            step = Step(kind, index, particle)
                            reach(target, cost + extra + change, (_with(path, missing, index), step))
            frontier = following
        ends = [
            (cost + extra, _with(path, missing, len(tags)))
            for state, (cost, path) in frontier.items()
            for between, extra, missing in self._reach(state)
            if between == self._end
        ]
        return _in_order(min(ends, key=lambda end: end[0])[1])

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

    def _reach(self, start: int) -> list[tuple[int, float, tuple[Any, ...]]]:
        """Every state that can be reached without a child: what is missing on the way, and what that costs."""
        if start not in self._reachable:
            best: dict[int, tuple[float, tuple[Any, ...]]] = {}
            waiting: list[tuple[float, int, int, tuple[Any, ...]]] = [(0.0, 0, start, ())]
            pushed = 0
            while waiting:
                cost, _, state, missing = heappop(waiting)
                if state in best:
                    continue
                best[state] = cost, missing
                for target in self._free[state]:
                    pushed += 1
                    heappush(waiting, (cost, pushed, target, missing))
                for particle, target in self._edges[state]:
                    pushed += 1
                    heappush(waiting, (cost + _ONE_CHANGE, pushed, target, (*missing, particle)))
            self._reachable[start] = [(state, cost, missing) for state, (cost, missing) in best.items()]
        return self._reachable[start]


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


def _nearness(particle: XsdElement | XsdAnyElement, tag: str) -> float | None:
    if admits(particle, tag):
        return 0.0
    if isinstance(particle, XsdAnyElement):
        return None
    return _NEARLY if tag.rpartition("}")[2].lower() == (particle.local_name or "").lower() else None


def _align_all(members: list[XsdElement | XsdAnyElement], tags: Sequence[str]) -> list[Step]:
    """xs:all: each member at most once, in any order (XML Schema part 1, 3.8.6)."""
    waiting = list(members)
    steps: list[Step] = []
    for index, tag in enumerate(tags):
        near = [(nearness, n) for n, member in enumerate(waiting) if (nearness := _nearness(member, tag)) is not None]
        if not near:
            steps.append(Step("unexpected", index))
            continue
        nearness, n = min(near)
        steps.append(Step("nearly" if nearness else "fits", index, waiting.pop(n)))
    return steps + [Step("missing", len(tags), member) for member in waiting if member.min_occurs]


def _with(path: _Path, missing: tuple[Any, ...], index: int) -> _Path:
    for particle in missing:
        path = path, Step("missing", index, particle)
    return path


def _in_order(path: _Path) -> list[Step]:
    steps = []
    while path is not None:
        path, step = path
        steps.append(step)
    return steps[::-1]
