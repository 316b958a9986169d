"""Two WSDLs held against each other: what a sender and a receiver by the one notice of the other.

Two sides decide the class of a difference: whether what is valid by the old file is valid by the new one (a sender that
was not yet changed), and the reverse (a receiver that was not yet changed). Of answers the roles are exchanged.

    identical   both
    compatible  what is valid by the old one is valid by the new one
    breaking    it is not, or that could not be shown
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from soapsvc.contract.inclusion import Inclusion
from soapsvc.contract.schema_components import Element
from soapsvc.contract.schema_difference import Difference, element_differences
from soapsvc.contract.value_inclusion import Answer, both
from soapsvc.contract.wsdl_document import LITERAL, Operation, WsdlDocument
from soapsvc.contract.xml_files import line_of
from soapsvc.namespaces import WSDL11, qname

_NAMESPACE = re.compile(r"\{[^}]*\}")  # a path of local names reads better, and the lines tell the place
Class = Literal["identical", "compatible", "breaking"]


@dataclass(frozen=True, slots=True)
class ClassedDifference:
    """One difference of two contracts.

    where     component path: `operation Push/input/…`
    what      e.g. "minOccurs: 0 -> 1"
    class_    what a sender that was not yet changed notices of it
    old_line, new_line  of the component in its file; None: it is not there
    """

    where: str
    what: str
    class_: Class
    old_line: int | None = None
    new_line: int | None = None


@dataclass(frozen=True, slots=True)
class ContractDifference:
    """All differences of two contracts.

    messages             class of what a sender emits
    contract             class of the whole exchange: names, soapAction, answers
    old_valid_under_new  whether every push by the old contract is one by the new; None: not known
    new_valid_under_old  the reverse
    """

    messages: Class
    contract: Class
    old_valid_under_new: Answer
    new_valid_under_old: Answer
    differences: tuple[ClassedDifference, ...]


def contract_difference(old: WsdlDocument, new: WsdlDocument) -> ContractDifference:
    """Everything in which the two differ; noise (prefixes, order, white space, annotations, addresses) is nothing.

    Errors  ContractError: an operation is of another form than document/literal in both
    """
    return _Comparison(old, new).run()


def class_of(old_fits: Answer, new_fits: Answer) -> Class:
    """The class of what is so on the two sides."""
    if old_fits is not True:
        return "breaking"
    return "identical" if new_fits is True else "compatible"


class _Comparison:
    def __init__(self, old: WsdlDocument, new: WsdlDocument):
        self._old, self._new = old, new
        self._forth, self._back = Inclusion(old.schema, new.schema), Inclusion(new.schema, old.schema)

    def run(self) -> ContractDifference:
        pairs = _paired(self._old.operations, self._new.operations)
        for old, _ in (pair for pair in pairs if pair[0].form == pair[1].form != LITERAL):
            raise self._old.error(self._old.root, f"operation {old.name} is {old.form.style}/{old.form.use} in both",
                                  "document/literal in one of them: other messages are not compared")  # fmt: skip
        found = list(dict.fromkeys(self._differences(pairs)))
        forth = both(*(self._message(self._forth, old, new) for old, new in pairs))
        back = both(*(self._message(self._back, new, old) for old, new in pairs))
        if len(pairs) < len(self._old.operations):
            forth = False
        if len(pairs) < len(self._new.operations):
            back = False
        messages = class_of(forth, back)
        worst = max((messages, *(one.class_ for one in found)), key=_ORDER.index)
        return ContractDifference(messages, worst, forth, back, tuple(found))

    # What a sender emits ---------------------------------------------------------------------------------------------

    def _message(self, inclusion: Inclusion, sent: Operation, taken: Operation) -> Answer:
        """Whether every message for one operation is one for the other."""
        if sent.form != taken.form:
            return False
        if sent.input_element != taken.input_element or not set(taken.header_blocks) <= set(sent.header_blocks):
            return False
        names = [sent.input_element, *sent.header_blocks]
        return both(*(self._element(inclusion, name) for name in names))

    def _element(self, inclusion: Inclusion, name: str) -> Answer:
        schemas = (self._old, self._new) if inclusion is self._forth else (self._new, self._old)
        first, second = (document.schema.elements.get(name) for document in schemas)
        assert first is not None, "it is bound, so it is declared"
        return True if second is None else inclusion.elements(first, second)  # an unbound block is nobody's matter

    # What differs ----------------------------------------------------------------------------------------------------

    def _differences(self, pairs: list[tuple[Operation, Operation]]) -> Iterator[ClassedDifference]:
        for operation in self._old.operations:
            if operation not in [old for old, _ in pairs]:
                line = _line(self._old, "operation", operation.name)
                yield ClassedDifference(f"operation {operation.name}", "operation removed", "breaking", line, None)
        for old, new in pairs:
            yield from self._operation(old, new)
        for operation in self._new.operations:
            if operation not in [new for _, new in pairs]:
                line = _line(self._new, "operation", operation.name)
                yield ClassedDifference(f"operation {operation.name}", "operation added", "compatible", None, line)
        if self._old.target_namespace != self._new.target_namespace:
            what = f"targetNamespace: {self._old.target_namespace} -> {self._new.target_namespace}"
            yield ClassedDifference("definitions", what, "compatible", line_of(self._old.root), line_of(self._new.root))

    def _operation(self, old: Operation, new: Operation) -> Iterator[ClassedDifference]:
        where = f"operation {old.name}"
        lines = _line(self._old, "operation", old.name), _line(self._new, "operation", new.name)
        # names are the stubs' matter, not the wire's
        for what, first, second, class_ in (
            ("name", old.name, new.name, "compatible"),
            ("port type", old.port_type, new.port_type, "compatible"),
            ("service", old.service, new.service, "compatible"),
            ("soapAction", f'"{old.soap_action}"', f'"{new.soap_action}"', "breaking"),
        ):
            if first != second:
                yield ClassedDifference(where, f"{what}: {first} -> {second}", class_, *lines)  # type: ignore[arg-type]
        if old.form != new.form:
            for what, before, after in zip(old.form._fields, old.form, new.form, strict=True):
                if before != after:
                    yield ClassedDifference(where, f"{what}: {before} -> {after}", "breaking", *lines)
            return
        yield from self._input(f"{where}/input", old, new)
        yield from self._headers(f"{where}/input/header", old, new, lines)
        yield from self._output(f"{where}/output", old, new, lines)
        yield from self._faults(f"{where}/fault", old, new, lines)

    def _input(self, where: str, old: Operation, new: Operation) -> Iterator[ClassedDifference]:
        first, second = self._declared(old.input_element, new.input_element)
        if old.input_element != new.input_element:
            what = f"element: {old.input_element} -> {new.input_element}"
            yield ClassedDifference(where, what, "breaking", line_of(first.source), line_of(second.source))
        yield from self._elements(where, first, second)

    def _headers(
        self, where: str, old: Operation, new: Operation, lines: tuple[int | None, int | None]
    ) -> Iterator[ClassedDifference]:
        for block in old.header_blocks:
            if block in new.header_blocks:
                yield from self._elements(f"{where} {block}", *self._declared(block, block))
            else:
                yield ClassedDifference(where, f"header block {block} no longer bound", "compatible", *lines)
        for block in new.header_blocks:
            if block not in old.header_blocks:
                yield ClassedDifference(where, f"header block {block} bound", "breaking", *lines)

    def _output(
        self, where: str, old: Operation, new: Operation, lines: tuple[int | None, int | None]
    ) -> Iterator[ClassedDifference]:
        """Of answers: a sender that was not yet changed reads them by the old file."""
        kinds = [_answer(operation) for operation in (old, new)]
        if kinds[0] != kinds[1]:
            yield ClassedDifference(where, f"answer: {kinds[0]} -> {kinds[1]}", "breaking", *lines)
        if old.output_element is not None and new.output_element is not None:
            first, second = self._declared(old.output_element, new.output_element)
            for difference in element_differences(first, second, self._forth, self._back):
                yield _classed(where, difference, class_of(difference.new_fits, difference.old_fits))
        for block in dict.fromkeys((*old.answer_blocks, *new.answer_blocks)):
            at = f"{where}/header {block}"
            if block not in new.answer_blocks:  # what is described is there (BP 1.1 R2738)
                yield ClassedDifference(at, "header block no longer bound", "breaking", *lines)
            elif block not in old.answer_blocks:  # what is not may be there (R2739)
                yield ClassedDifference(at, "header block bound", "compatible", *lines)
            else:
                for difference in element_differences(*self._declared(block, block), self._forth, self._back):
                    yield _classed(at, difference, class_of(difference.new_fits, difference.old_fits))

    def _faults(
        self, where: str, old: Operation, new: Operation, lines: tuple[int | None, int | None]
    ) -> Iterator[ClassedDifference]:
        """Of faults, which are answers too. A detail need not be described (BP 1.1 R2742), so one more or less is
        compatible."""
        for name in old.faults:
            if name in new.faults:
                first, second = self._declared(name, name)
                for difference in element_differences(first, second, self._forth, self._back):
                    yield _classed(where, difference, class_of(difference.new_fits, difference.old_fits))
            else:
                yield ClassedDifference(where, f"fault {name} removed", "compatible", lines[0], None)
        for name in new.faults:
            if name not in old.faults:
                yield ClassedDifference(where, f"fault {name} added", "compatible", None, lines[1])

    def _elements(self, where: str, first: Element, second: Element) -> Iterator[ClassedDifference]:
        for difference in element_differences(first, second, self._forth, self._back):
            yield _classed(where, difference, class_of(difference.old_fits, difference.new_fits))

    def _declared(self, old: str, new: str) -> tuple[Element, Element]:
        return self._old.schema.elements[old], self._new.schema.elements[new]


_ORDER: tuple[Class, ...] = ("identical", "compatible", "breaking")


def _classed(where: str, difference: Difference, class_: Class) -> ClassedDifference:
    lines = difference.old_line, difference.new_line
    return ClassedDifference(f"{where}/{_NAMESPACE.sub('', difference.where)}", difference.what, class_, *lines)


def _paired(old: tuple[Operation, ...], new: tuple[Operation, ...]) -> list[tuple[Operation, Operation]]:
    """Operations that are one another: by the element they take, else by name, else the only one on each side."""
    pairs = []
    left, right = list(old), list(new)
    for same in (
        lambda first, second: first.input_element == second.input_element,
        lambda first, second: first.name == second.name,
        lambda first, second: len(old) == len(new) == 1,
    ):
        for first in list(left):
            second = next((each for each in right if same(first, each)), None)
            if second is not None:
                pairs.append((first, second))
                left.remove(first)
                right.remove(second)
    return sorted(pairs, key=lambda pair: old.index(pair[0]))


def _answer(operation: Operation) -> str:
    if operation.one_way:
        return "none (one-way)"
    return operation.output_element or "an empty Body"


def _line(document: WsdlDocument, kind: str, name: str) -> int | None:
    found = (each for port_type in document.components("portType") for each in port_type.iterfind(qname(WSDL11, kind)))
    return next((line_of(each) for each in found if each.get("name") == name), None)


def as_object(difference: ContractDifference) -> dict[str, object]:
    """The shape of `soapsvc contract diff --json`."""
    return {
        "messages": difference.messages,
        "contract": difference.contract,
        "old_valid_under_new": difference.old_valid_under_new,
        "new_valid_under_old": difference.new_valid_under_old,
        "differences": [
            {
                "where": one.where,
                "what": one.what,
                "class": one.class_,
                "old_line": one.old_line,
                "new_line": one.new_line,
            }
            for one in difference.differences
        ],
    }
