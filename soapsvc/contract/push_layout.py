"""Which element of a message is what: all that its markup decides, whatever its texts say.

A layout speaks of places. In a tree a place is an element; in a message whose markup has been seen before it is the
number of a text (`known_markup`). What the texts then say is read in one way (`push_reader`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Generic, TypeVar

from lxml import etree

from soapsvc.contract.document_names import DESCRIPTIONS
from soapsvc.contract.message_parts import ancestors_within, attribute, attributes, child, children, role
from soapsvc.contract.property_names import canonical_name, is_time, split_name
from soapsvc.contract.secret_elements import is_credential_name

Place = TypeVar("Place")
Other = TypeVar("Other")

_ROLES = ("submitid", "statuscode", "jobid", "xdn", "mrn", "property")
_ATTACHMENT = re.compile(r"attach(?:ment)?([0-9]{1,6})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TextPlace(Generic[Place]):
    """A text, and what says how it is to be read.

    b64charset  as sent; None: the text is as it stands
    """

    at: Place
    b64charset: str | None


@dataclass(frozen=True, slots=True)
class PropertyPlace(Generic[Place]):
    """A property's value, with all else that is known of the property (`records.Property`).

    document    index of the document that it belongs to; None: the push's own
    credential  its value is not to be kept
    time        its value is one
    """

    text: TextPlace[Place]
    name: str
    sent_name: str
    segment: str | None
    document: int | None
    credential: bool
    time: bool


@dataclass(frozen=True, slots=True)
class LeafPlace(Generic[Place]):
    """A leaf of the header, by the local names that lead to it."""

    at: Place
    name: str
    credential: bool


@dataclass(frozen=True, slots=True)
class PushLayout(Generic[Place]):
    """Where a push says what.

    root        Clark name of the Body's child; "": there is none
    described   of each document: doctype, filename and characterset, those that there are
    properties  in document order
    """

    root: str
    described: tuple[Mapping[str, TextPlace[Place]], ...]
    properties: tuple[PropertyPlace[Place], ...]
    xdn: TextPlace[Place] | None
    mrn: TextPlace[Place] | None
    submit_id: TextPlace[Place] | None
    status_code: TextPlace[Place] | None
    header: tuple[LeafPlace[Place], ...]

    def at_other_places(self, other: Callable[[Place], Other]) -> PushLayout[Other]:
        """The same layout, each place replaced by another one for it."""

        def text(place: TextPlace[Place]) -> TextPlace[Other]:
            return TextPlace(other(place.at), place.b64charset)

        def optional(place: TextPlace[Place] | None) -> TextPlace[Other] | None:
            return None if place is None else text(place)

        return PushLayout(
            self.root,
            tuple({name: text(place) for name, place in described.items()} for described in self.described),
            tuple(
                PropertyPlace(text(p.text), p.name, p.sent_name, p.segment, p.document, p.credential, p.time)
                for p in self.properties
            ),
            optional(self.xdn),
            optional(self.mrn),
            optional(self.submit_id),
            optional(self.status_code),
            tuple(LeafPlace(other(leaf.at), leaf.name, leaf.credential) for leaf in self.header),
        )

    def texts(self) -> Iterator[TextPlace[Place]]:
        """Every text but those of the header."""
        for described in self.described:
            yield from described.values()
        yield from (place.text for place in self.properties)
        yield from filter(None, (self.xdn, self.mrn, self.submit_id, self.status_code))


def layout_of(
    root: etree._Element, top: etree._Element, by_role: ByRole, documents: Sequence[etree._Element]
) -> PushLayout[etree._Element]:
    """The layout of a tree.

    top        the element that has the payload: Body
    by_role    of the elements below it
    documents  the elements that hold one, in the order of the envelope
    """
    payload = next(children(top), None)
    among, held = frozenset(documents), Counter(around for each in documents for around in each.iterancestors())
    scopes = [_scope(element, held, top) for element in documents]
    owners, segments = _Owners(scopes, top), _Segments(top)
    xdn, mrn = _job_elements(by_role)
    return PushLayout(
        "" if payload is None else str(payload.tag),
        tuple(
            {name: _text(found) for name, found in _described(element, scope, among).items()}
            for element, scope in zip(documents, scopes, strict=True)
        ),
        tuple(p for element in by_role["property"] if (p := _property(element, segments, owners)) is not None),
        _optional(xdn),
        _optional(mrn),
        _optional(_first(by_role["submitid"])),
        _optional(_first(by_role["statuscode"])),
        tuple(_header_leaves(root)),
    )


# Elements by their roles ---------------------------------------------------------------------------------------------

ByRole = dict[str, list[etree._Element]]


def elements_by_role(top: etree._Element, more: Set[str]) -> ByRole:
    """The elements below `top` by the roles that a layout is made of and those asked for, those nearer to `top` first,
    then in document order; properties in document order."""
    found: ByRole = {name: [] for name in (*_ROLES, *more)}
    for element in top.iterdescendants(etree.Element):
        named = found.get(role(element))
        if named is not None:
            named.append(element)
    several = [elements for name, elements in found.items() if name != "property" and len(elements) > 1]
    if several:
        depths = {top: 0}
        for element in top.iterdescendants(etree.Element):
            depths[element] = depths[element.getparent()] + 1  # type: ignore[index]  # it has a parent
        for elements in several:
            elements.sort(key=depths.__getitem__)
    return found


def _first(elements: list[etree._Element]) -> etree._Element | None:
    return elements[0] if elements else None


def _text(element: etree._Element) -> TextPlace[etree._Element]:
    return TextPlace(element, attribute(element, "b64charset"))


def _optional(element: etree._Element | None) -> TextPlace[etree._Element] | None:
    return None if element is None else _text(element)


def _job_elements(by_role: ByRole) -> tuple[etree._Element | None, etree._Element | None]:
    """XDN and MRN of the first JobId that has one of them; else those that stand alone."""
    for job in by_role["jobid"]:
        xdn, mrn = child(job, "xdn"), child(job, "mrn")
        if xdn is not None or mrn is not None:
            return xdn, mrn
    return _first(by_role["xdn"]), _first(by_role["mrn"])


# The header ----------------------------------------------------------------------------------------------------------


def _header_leaves(root: etree._Element) -> Iterator[LeafPlace[etree._Element]]:
    """Every leaf, named by the local names that lead to it (`Response/ProcessingID`); a second one of the same name
    ends in [2]."""
    header = child(root, "header")
    taken: set[str] = set()
    for block in () if header is None else children(header):
        for path, leaf, secret in _leaves(block):
            name, n = path, 1
            while name in taken:
                n += 1
                name = f"{path}[{n}]"
            taken.add(name)
            yield LeafPlace(leaf, name, secret)


def _leaves(block: etree._Element) -> Iterator[tuple[str, etree._Element, bool]]:
    """Name, element, and whether it is a credential. No recursion: how deep a message goes is a setting."""
    waiting = [(_local_name(block), block, is_credential_name(str(block.tag)))]
    while waiting:
        path, element, secret = waiting.pop()
        inside = list(children(element))
        if not inside:
            yield path, element, secret
        for one in reversed(inside):
            waiting.append((f"{path}/{_local_name(one)}", one, secret or is_credential_name(str(one.tag))))


def _local_name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


# Properties ----------------------------------------------------------------------------------------------------------


class _Segments:
    """The group that each property stands in: a Segment, or an element that is called …Extension and is one itself."""

    def __init__(self, top: etree._Element):
        self._top = top
        self._known: dict[etree._Element | None, str | None] = {}

    def of(self, element: etree._Element) -> str | None:
        """The name of the nearest one that has a name."""
        around = element.getparent()
        if around not in self._known:
            self._known[around] = self._looked_up(element)
        return self._known[around]

    def _looked_up(self, element: etree._Element) -> str | None:
        for around in ancestors_within(element, self._top):
            called = role(around)
            if called == "segment" or called.endswith(("extension", "extensions")):
                name = attribute(around, "name")
                if name is not None:
                    return name
        return None


class _Owners:
    """Which document a property belongs to: the Document that it stands in, or the one that its segment names, by the
    document's ref, else indoc for the first document and attachN for the Nth after it [S1]."""

    def __init__(self, scopes: Sequence[etree._Element], top: etree._Element):
        self._top = top
        self._count = len(scopes)
        self._of_scope = {scope: n for n, scope in enumerate(scopes) if role(scope) == "document"}
        self._of_ref: dict[str, int] = {}
        self._known: dict[tuple[etree._Element | None, str | None], int | None] = {}
        for n, scope in enumerate(scopes):
            ref = (attribute(scope, "ref") or "").strip().lower()
            if ref:
                self._of_ref.setdefault(ref, n)

    def of(self, element: etree._Element, segment: str | None) -> int | None:
        """Index of the document; None: the push's own."""
        place = element.getparent(), segment
        if place not in self._known:
            self._known[place] = self._looked_up(element, segment)
        return self._known[place]

    def _looked_up(self, element: etree._Element, segment: str | None) -> int | None:
        for around in ancestors_within(element, self._top):
            if around in self._of_scope:
                return self._of_scope[around]
        called = (segment or "").strip().lower()
        if called in self._of_ref:
            return self._of_ref[called]
        attachment = _ATTACHMENT.fullmatch(called)
        n = 0 if called == "indoc" else int(attachment[1]) if attachment else self._count
        return n if n < self._count else None


def _property(element: etree._Element, segments: _Segments, owners: _Owners) -> PropertyPlace[etree._Element] | None:
    """A Property element: its name attribute, its text, and the group that it stands in. None: it has no name."""
    sent = attributes(element)
    sent_name = sent.get("name")
    if sent_name is None:
        return None
    name, around = canonical_name(sent_name), segments.of(element)
    segment = split_name(sent_name)[0] if around is None else around
    return PropertyPlace(
        TextPlace(element, sent.get("b64charset")),
        name,
        sent_name,
        segment,
        owners.of(element, segment),
        is_credential_name(sent_name),
        is_time(name),
    )


# Documents -----------------------------------------------------------------------------------------------------------


def _scope(element: etree._Element, held: Mapping[etree._Element, int], top: etree._Element) -> etree._Element:
    """The element that describes one document: the nearest Document around it, as long as that holds no second
    document; else its parent.

    held  how many documents each element has inside
    """
    for around in ancestors_within(element, top):
        if held[around] > 1:
            break
        if role(around) == "document":
            return around
    parent = element.getparent()
    return element if parent is None else parent


def _described(
    element: etree._Element, scope: etree._Element, documents: Set[etree._Element]
) -> dict[str, etree._Element]:
    """DocType, Filename and CharacterSet of a document, by role. Where documents stand side by side without an element
    around each, what is between two of them belongs to the later one from its DocType on (its Filename, where it has no
    DocType), and to the earlier one up to there."""
    if role(scope) == "document":
        candidates = list(scope.iter(etree.Element))
    else:
        before, first = _up_to_a_document(element.itersiblings(etree.Element, preceding=True), documents)
        after, last = _up_to_a_document(element.itersiblings(etree.Element), documents)
        before.reverse()
        candidates = before if first else before[_own_begin(before) :]
        candidates += after if last else after[: _own_begin(after)]
    described: dict[str, etree._Element] = {}
    for candidate in candidates:
        if role(candidate) in DESCRIPTIONS:
            described.setdefault(role(candidate), candidate)
    return described


def _up_to_a_document(
    siblings: Iterable[etree._Element], documents: Set[etree._Element]
) -> tuple[list[etree._Element], bool]:
    """The siblings up to the nearest document, and whether there is none."""
    nearer: list[etree._Element] = []
    for sibling in siblings:
        if sibling in documents:
            return nearer, False
        nearer.append(sibling)
    return nearer, True


def _own_begin(between: Sequence[etree._Element]) -> int:
    """Where, between two documents, the description of the later one begins."""
    roles = [role(sibling) for sibling in between]
    return next((roles.index(name) for name in ("doctype", "filename") if name in roles), len(roles))
