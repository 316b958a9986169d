"""The WSDL on which all of the traffic is valid: the file in force, edited until no message deviates from it.

One edit at a time: all messages are held against the candidate, the first kind of deviation for which there is an edit
is mended, and all are held against it again. An edit that mends nothing is given up.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field

from soapsvc.contract.constructs import TOLD_PUSHES, Construct, constructs_of, path_of
from soapsvc.contract.content_edits import (
    any_order_edit,
    anything_edit,
    lax_edit,
    missing_element_edit,
    mixed_edit,
    nillable_edit,
    optional_attribute_edit,
    repeated_choice_edit,
    too_many_edit,
    unknown_attribute_edit,
    unknown_element_edit,
)
from soapsvc.contract.name_edits import missing_block_edit, other_name_edit, root_edit, unknown_block_edit
from soapsvc.contract.traffic import NOT_UNDERSTOOD, Case, Observed, Traffic
from soapsvc.contract.value_edits import fixed_edit, value_edit
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.contract.wsdl_site import Edit, Site
from soapsvc.contract.xml_files import line_of
from soapsvc.errors import ContractError

_MAX_EDITS = 500  # a contract that wants more is another contract

_EDITS: dict[str, tuple[Callable[[Site, Case], Edit | None], ...]] = {
    "XSD-001": (root_edit,),
    "XSD-002": (missing_block_edit,),
    NOT_UNDERSTOOD: (unknown_block_edit,),
    "XSD-005": (other_name_edit,),
    "XSD-004": (unknown_element_edit,),
    "XSD-010": (anything_edit,),
    "XSD-006": (any_order_edit, repeated_choice_edit),
    "XSD-007": (too_many_edit, repeated_choice_edit),
    "XSD-008": (missing_element_edit,),
    "XSD-009": (mixed_edit,),
    "XSD-015": (unknown_attribute_edit,),
    "XSD-014": (optional_attribute_edit,),
    "XSD-013": (fixed_edit,),
    "XSD-011": (value_edit,),
    "XSD-012": (value_edit,),
    "XSD-016": (value_edit,),
    "XSD-017": (value_edit,),
    "XSD-018": (nillable_edit,),
    "XSD-021": (anything_edit,),
    "XSD-023": (lax_edit,),
}
"""Rules to the edits that mend a deviation from them, the smallest first; what hides other deviations comes first."""


@dataclass(frozen=True, slots=True)
class MadeEdit:
    """One edit of the proposal.

    where, line  component path and line in the file in force; None: it came in by another edit
    what         in words
    rule         of the deviations that it mends; pushes: ids, at most TOLD_PUSHES; count: how many there are
    replaces     a message by the file in force may be none by the proposal
    """

    where: str
    line: int | None
    what: str
    rule: str
    pushes: tuple[str, ...]
    count: int
    replaces: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """What the traffic says of a WSDL, and the WSDL that it asks for.

    contract    in force
    proposal    the same file edited; the same bytes where no edit is needed, or none helps
    seen        of the contract in force; rest: of the proposal
    constructs  those that are marked INFERRED or SIBLING
    """

    contract: WsdlDocument
    proposal: WsdlDocument
    seen: Observed
    rest: Observed
    constructs: tuple[Construct, ...]
    edits: tuple[MadeEdit, ...] = field(default=())

    def difference(self) -> list[str]:
        """The proposal as a unified diff, without line ends."""
        old, new = _lines(self.contract), _lines(self.proposal)
        name = self.contract.path.name
        return list(difflib.unified_diff(old, new, name, f"{name} (proposed)", lineterm=""))


def learn(contract: WsdlDocument, traffic: Traffic, seen: Observed | None = None) -> Learned:
    """Hold the traffic against a contract, and edit that until all is valid or no edit helps.

    seen    what the traffic says of the contract, where that is known already
    Errors  ContractError: the schemas of the contract do not compile
    """
    first = seen = traffic.observed(contract) if seen is None else seen
    candidate, edits, given_up = contract, list[MadeEdit](), set[tuple[object, ...]]()
    while seen.cases and len(edits) < _MAX_EDITS:
        step = _step(candidate, seen, traffic, given_up)
        if step is None:
            break
        case, edit, better, better_seen = step
        edits.append(_made(contract, candidate, case, edit))
        candidate, seen = better, better_seen
    return Learned(contract, candidate, first, seen, constructs_of(contract, first), tuple(edits))


def _step(
    candidate: WsdlDocument, seen: Observed, traffic: Traffic, given_up: set[tuple[object, ...]]
) -> tuple[Case, Edit, WsdlDocument, Observed] | None:
    """The first edit that mends something, and what the traffic says of the candidate with it."""
    site, order = Site(candidate, seen), list(_EDITS)
    cases = [case for case in seen.cases.values() if case.rule in _EDITS]
    for case in sorted(cases, key=lambda case: order.index(case.rule)):
        for make in _EDITS[case.rule]:
            tried = make, case.rule, case.names, case.attribute
            if tried in given_up:
                continue
            edit = make(site, case)
            declarations = site.declarations()
            if edit is None:
                continue
            try:
                better = WsdlDocument(candidate.path, site.text.with_splices([*edit.splices, *declarations]))
                better_seen = traffic.observed(better)
            except ContractError:
                given_up.add(tried)  # what came of it is no contract
                continue
            if better_seen.gravity < seen.gravity:
                return case, edit, better, better_seen
            given_up.add(tried)
    return None


def _made(contract: WsdlDocument, candidate: WsdlDocument, case: Case, edit: Edit) -> MadeEdit:
    pushes = tuple(case.pushes)
    line = _line_in(contract, candidate, line_of(edit.component))
    return MadeEdit(path_of(edit.component), line, edit.what, case.rule, pushes[:TOLD_PUSHES], len(pushes),
                    edit.replaces)  # fmt: skip


def _line_in(contract: WsdlDocument, candidate: WsdlDocument, line: int | None) -> int | None:
    """A line of the candidate as a line of the file in force."""
    if line is None:
        return None
    matcher = difflib.SequenceMatcher(None, _lines(contract), _lines(candidate), autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if new_start < line <= new_end:
            offset = line - 1 - new_start
            inside = tag == "equal" or (tag == "replace" and offset < end - start)
            return start + offset + 1 if inside else None
    return None


def _lines(document: WsdlDocument) -> list[str]:
    return document.raw.decode(document.charset).split("\n")
