"""Whether every text that one simple type takes is taken by another.

Yes is proven by the facets, no by a text that the one takes and the other does not (libxml2 is asked). Where neither
can be found, the answer is that it is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from soapsvc.contract.schema_components import ComplexType, SchemaSet, Type
from soapsvc.namespaces import XML_SCHEMA

Answer = bool | None
"""None: not known."""
Facets = tuple[tuple[str, str], ...]

BASES = {
    "normalizedString": "string", "token": "normalizedString", "language": "token", "NMTOKEN": "token", "Name": "token",
    "NCName": "Name", "ID": "NCName", "IDREF": "NCName", "ENTITY": "NCName", "integer": "decimal",
    "nonPositiveInteger": "integer", "negativeInteger": "nonPositiveInteger", "long": "integer", "int": "long",
    "short": "int", "byte": "short", "nonNegativeInteger": "integer", "unsignedLong": "nonNegativeInteger",
    "unsignedInt": "unsignedLong", "unsignedShort": "unsignedInt", "unsignedByte": "unsignedShort",
    "positiveInteger": "nonNegativeInteger",
}  # fmt: skip
_OF_ALL_TEXTS = frozenset({"string", "normalizedString", "token", "anySimpleType"})
"""White space is normalised before a text is held against its type, so these take every text."""
_OF_CHARACTERS = frozenset({"string", "normalizedString", "token", "anyURI", "NMTOKEN", "Name", "NCName", "language"})
_UNIQUE = frozenset(
    {"ID", "IDREF", "IDREFS", "ENTITY", "ENTITIES"}
)  # what they take depends on the rest of the message
_PREFIXED = frozenset({"QName", "NOTATION"})  # which value a text has depends on the prefixes around it
_RANGES: dict[str, tuple[int | None, int | None]] = {
    "long": (-(2**63), 2**63 - 1), "int": (-(2**31), 2**31 - 1), "short": (-(2**15), 2**15 - 1), "byte": (-128, 127),
    "nonNegativeInteger": (0, None), "positiveInteger": (1, None), "nonPositiveInteger": (None, 0),
    "negativeInteger": (None, -1), "unsignedLong": (0, 2**64 - 1), "unsignedInt": (0, 2**32 - 1),
    "unsignedShort": (0, 2**16 - 1), "unsignedByte": (0, 255),
}  # fmt: skip
_BOOLEANS = ("true", "1"), ("false", "0")
_BOUNDS = ("minInclusive", "minExclusive", "maxInclusive", "maxExclusive")
_SAMPLES = ("", " ", "a", "A b", "0", "1", "-1", "01", "1.5", "true", "false", "1e3", "INF", "2012-11-04", "QQ==",
            "2012-11-04T13:05:45Z", "2012-11-04T13:05:45", "13:05:45", "2012", "P1D", "en", "a:b", "http://x.example/a",
            "Ü", "x" * 40, "9" * 25)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Values:
    """A simple type as what it takes: a built-in type, a list or a union, and steps of restriction from there.

    steps  the facets of each step, the first one nearest to the base
    """

    variety: Literal["atomic", "list", "union"]
    builtin: str = ""
    members: tuple[Values, ...] = ()
    steps: tuple[Facets, ...] = field(default=())

    @property
    def enumeration(self) -> tuple[str, ...] | None:
        """The values of the last step that names any; None: there is none."""
        for step in reversed(self.steps):
            values = tuple(value for name, value in step if name == "enumeration")
            if values:
                return values
        return None

    def all(self, name: str) -> list[str]:
        return [value for step in self.steps for facet, value in step if facet == name]

    def patterns(self) -> list[frozenset[str]]:
        """Of each step that has any, its alternatives; a text fits one of each."""
        found = [frozenset(value for name, value in step if name == "pattern") for step in self.steps]
        return [alternatives for alternatives in found if alternatives]


def values_of(schema: SchemaSet, of: Type) -> Values:
    """The texts of a simple type, or of a complex type with simple content."""
    if isinstance(of, ComplexType):
        assert of.base is not None, "simple content has a base"
        base = values_of(schema, schema.type(of.base, of.source))
        return _restricted(base, of.facets)
    if of.variety != "atomic":
        members = tuple(values_of(schema, schema.type(member, of.source)) for member in of.members)
        return Values(of.variety, members=members)
    if of.base is None:
        return Values("atomic", etree.QName(of.name or "").localname)
    return _restricted(values_of(schema, schema.type(of.base, of.source)), of.facets)


def _restricted(base: Values, facets: Facets) -> Values:
    return base if not facets else Values(base.variety, base.builtin, base.members, (*base.steps, facets))


@lru_cache(maxsize=1024)
def values_included(old: Values, new: Values) -> Answer:
    """Whether `new` takes every text that `old` takes."""
    if old == new:
        return True
    answer = _proven(old, new)
    if answer is None and _counterexample(old, new) is not None:
        return False
    return answer


def fixed_to(values: Values, text: str) -> Values:
    """Those texts alone that have the value of one."""
    if values.builtin == "boolean" and values.variety == "atomic":
        pair = next((pair for pair in _BOOLEANS if text.strip() in pair), (text,))
        return replace(values, steps=(*values.steps, tuple(("pattern", each) for each in pair)))
    builtin = "string" if values.builtin == "anySimpleType" else values.builtin
    return replace(values, builtin=builtin, steps=(*values.steps, (("enumeration", text),)))


def compared_alike(old: Values, new: Values) -> bool:
    """Whether two texts that are one value by the one type are one by the other, and two that are not are not."""
    return _read_alike(old, new) and _primitive(old) == _primitive(new) and _space(old) == _space(new)


def accepts(values: Values, text: str) -> bool:
    """Whether a text is one of them: libxml2's word."""
    element = etree.Element("v")
    try:
        element.text = text
    except ValueError:
        return False
    return _compiled(values).validate(element)


@lru_cache(maxsize=256)
def _compiled(values: Values) -> etree.XMLSchema:
    text = f'<xs:schema xmlns:xs="{XML_SCHEMA}"><xs:element name="v">{_written(values)}</xs:element></xs:schema>'
    return etree.XMLSchema(etree.fromstring(text))


def _written(values: Values) -> str:
    """As an anonymous xs:simpleType."""
    if values.steps:
        base = Values(values.variety, values.builtin, values.members, values.steps[:-1])
        facets = "".join(f"<xs:{name} value={quoteattr(value)}/>" for name, value in values.steps[-1])
        return f"<xs:simpleType><xs:restriction>{_written(base)}{facets}</xs:restriction></xs:simpleType>"
    if values.variety == "atomic":
        return f'<xs:simpleType><xs:restriction base="xs:{escape(values.builtin)}"/></xs:simpleType>'
    inner = "".join(map(_written, values.members))
    return f"<xs:simpleType><xs:{values.variety}>{inner}</xs:{values.variety}></xs:simpleType>"


# Yes -----------------------------------------------------------------------------------------------------------------


def _proven(old: Values, new: Values) -> Answer:
    if new.variety == "atomic" and new.builtin in _OF_ALL_TEXTS and not _constrained(new):
        return True
    if old.enumeration is not None and not _names(old) & (_UNIQUE | _PREFIXED):
        return _named(old, new)
    if old.variety == "union" and not old.steps:
        return both(*(values_included(member, new) for member in old.members))
    if new.variety == "union" and not new.steps:
        answers = [values_included(old, member) for member in new.members]
        return True if True in answers else None
    if old.variety == new.variety == "list":
        items = values_included(old.members[0], new.members[0])
        return both(items, _lengths(old, new), _patterns(old, new)) if new.enumeration is None else None
    if old.variety != "atomic" or new.variety != "atomic" or (_names(old) | _names(new)) & _UNIQUE:
        return None
    return _atomic(old, new)


def _named(old: Values, new: Values) -> Answer:
    """Of values that are named one by one: as each is spelled there, and as else it may be spelled."""
    padded = [f"{before}{value}{before}" for value in old.enumeration or () for before in ("", " ", "\n")]
    if not all(accepts(new, text) for text in padded if accepts(old, text)):
        return False
    if old.variety == "atomic" and old.builtin in _OF_CHARACTERS:
        return _keeps_space(old, new)
    by_value = _read_alike(old, new) and (new.variety != "atomic" or new.builtin not in _OF_ALL_TEXTS)
    return _patterns(old, new) if by_value else None


def _read_alike(old: Values, new: Values) -> bool:
    """Whether every text has the same value by both, as far as it is one by both."""
    if old.variety == new.variety == "atomic":  # two texts that are one float may be two doubles
        return _derives(old.builtin, new.builtin) and (old.builtin, new.builtin) != ("float", "double")
    return (old.variety, old.members) == (new.variety, new.members)


def _primitive(values: Values) -> str:
    at = values.builtin
    while at in BASES:
        at = BASES[at]
    return at


def _atomic(old: Values, new: Values) -> Answer:
    if not _derives(old.builtin, new.builtin):
        return None
    if old.builtin == "boolean" and new.builtin == "boolean" and not old.steps:
        return all(accepts(new, text) for pair in _BOOLEANS for text in pair)
    if new.enumeration is not None:
        return None
    answers = [_patterns(old, new), _digits(old, new), _ranges(old, new)]
    if new.all("length") or new.all("minLength") or new.all("maxLength"):
        answers.append(_lengths(old, new))
    return both(*answers)


def both(*answers: Answer) -> Answer:
    """No when one is no, not known when one is not known, else yes."""
    return False if False in answers else None if None in answers else True


def _constrained(values: Values) -> bool:
    return any(name != "whiteSpace" for step in values.steps for name, _ in step)


def _names(values: Values) -> frozenset[str]:
    return frozenset({values.builtin}).union(*(_names(member) for member in values.members))


def _derives(builtin: str, base: str) -> bool:
    """Whether every text of one built-in type is one of the other, facets aside."""
    if base in _OF_ALL_TEXTS or (base in ("double", "float") and _derives(builtin, "decimal")):
        return True
    if {builtin, base} == {"double", "float"}:
        return True
    at: str | None = builtin
    while at is not None and at != base:
        at = BASES.get(at)
    return at == base


def _space(values: Values) -> str:
    """How white space is treated: preserve, replace or collapse."""
    said = values.all("whiteSpace")
    if said:
        return said[-1]
    if values.variety == "union":
        members = set(map(_space, values.members))
        return members.pop() if len(members) == 1 else "preserve"
    return {"string": "preserve", "anySimpleType": "preserve", "normalizedString": "replace"}.get(
        values.builtin, "collapse"
    )


def _keeps_space(old: Values, new: Values) -> Answer:
    """For texts given one by one, padded with blanks: tabs and the like are treated as those."""
    return True if _space(old) in (_space(new), "preserve") or _space(new) == "collapse" else None


def _lengths(old: Values, new: Values) -> Answer:
    if old.variety == "atomic" and not (old.builtin in _OF_CHARACTERS and new.builtin in _OF_CHARACTERS):
        return True if old.builtin == new.builtin and _length_range(old) == _length_range(new) else None
    if old.variety == "atomic" and _space(old) != _space(new):
        return None
    (old_least, old_most), (new_least, new_most) = _length_range(old), _length_range(new)
    return True if old_least >= new_least and (new_most is None or (old_most or 10**18) <= new_most) else None


def _length_range(values: Values) -> tuple[int, int | None]:
    exact = [int(value) for value in values.all("length")]
    least = max([*exact, *(int(value) for value in values.all("minLength"))], default=0)
    most = [*exact, *(int(value) for value in values.all("maxLength"))]
    return least, min(most) if most else None


def _patterns(old: Values, new: Values) -> Answer:
    """Every alternative that the one may be is an alternative of the other, word for word.

    A pattern is of the text after its white space is treated.
    """
    held = all(any(said <= wanted for said in old.patterns()) for wanted in new.patterns())
    return True if held and (_space(old) == _space(new) or not new.patterns()) else None


def _digits(old: Values, new: Values) -> Answer:
    for name in ("totalDigits", "fractionDigits"):
        wanted = [int(value) for value in new.all(name)]
        said = [int(value) for value in old.all(name)]
        if name == "fractionDigits" and _derives(old.builtin, "integer"):
            said.append(0)
        if wanted and (not said or min(said) > min(wanted)):
            return None
    return True


def _ranges(old: Values, new: Values) -> Answer:
    wanted, said = _range(new), _range(old)
    if wanted is None or said is None:
        bounds = [[(name, old_or_new.all(name)) for name in _BOUNDS] for old_or_new in (old, new)]
        same = bounds[0] == bounds[1] and old.builtin == new.builtin  # a double rounds what it is held against
        return True if same or not any(found for _, found in bounds[1]) else None
    (old_least, old_most), (new_least, new_most) = said, wanted
    low = new_least is None or (old_least is not None and old_least >= new_least)
    high = new_most is None or (old_most is not None and old_most <= new_most)
    return True if low and high else None


_Bound = tuple[Decimal, int] | None  # value, and how far beyond it: 0 at it, 1 just above, -1 just below


def _range(values: Values) -> tuple[_Bound, _Bound] | None:
    """Least and greatest number; None: these are no decimals."""
    if not _derives(values.builtin, "decimal"):
        return None
    least, most = _RANGES.get(values.builtin, (None, None))
    low: list[tuple[Decimal, int]] = [] if least is None else [(Decimal(least), 0)]
    high: list[tuple[Decimal, int]] = [] if most is None else [(Decimal(most), 0)]
    whole = _derives(values.builtin, "integer")
    try:
        for name, bounds, beyond in (("min", low, 1), ("max", high, -1)):
            bounds += [(Decimal(value), 0) for value in values.all(f"{name}Inclusive")]
            exclusive = [Decimal(value) for value in values.all(f"{name}Exclusive")]
            bounds += [(value + beyond, 0) if whole else (value, beyond) for value in exclusive]
    except InvalidOperation:
        return None
    return (max(low) if low else None), (min(high) if high else None)


# No ------------------------------------------------------------------------------------------------------------------


def _counterexample(old: Values, new: Values) -> str | None:
    """A text that `old` takes and `new` does not; None: none was found."""
    for text in dict.fromkeys((*samples(old), *samples(new))):
        if accepts(old, text) and not accepts(new, text):
            return text
    return None


def samples(values: Values) -> Iterator[str]:
    """Texts that are likely to tell two types apart: at the bounds of the facets, and some of every kind."""
    yield from _SAMPLES
    yield from values.enumeration or ()
    for name in _BOUNDS:
        for bound in values.all(name):
            yield bound
            try:
                yield from (str(Decimal(bound) + step) for step in (1, -1, Decimal("0.5")))
            except InvalidOperation:
                continue
    for bound in (*_RANGES.get(values.builtin, ()),):
        if bound is not None:
            yield from (str(bound), str(bound + 1), str(bound - 1))
    for name in ("length", "minLength", "maxLength"):
        for count in values.all(name):
            for length in {int(count), int(count) + 1, max(0, int(count) - 1)}:
                if length <= 100_000:
                    yield from ("x" * length, "1" * length, " ".join("1" * length))
    for digits in values.all("totalDigits"):
        yield from ("9" * int(digits), "9" * (int(digits) + 1))
    for digits in values.all("fractionDigits"):
        yield from ("0." + "1" * int(digits), "0." + "1" * (int(digits) + 1))
    for member in values.members:
        yield from samples(member)
        yield from (f"{text} {text}" for text in samples(member) if text and values.variety == "list")
