"""One text beside one simple type, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree
from xmlschema.validators import (
    XsdEnumerationFacets,
    XsdFacet,
    XsdFractionDigitsFacet,
    XsdLengthFacet,
    XsdMaxExclusiveFacet,
    XsdMaxInclusiveFacet,
    XsdMaxLengthFacet,
    XsdMinExclusiveFacet,
    XsdMinInclusiveFacet,
    XsdMinLengthFacet,
    XsdPatternFacets,
    XsdTotalDigitsFacet,
)

from soapsvc.contract.finding import shown
from soapsvc.contract.secret_elements import MASK, holds_credential
from soapsvc.contract.value_inclusion import Values, accepts
from soapsvc.namespaces import XML_SCHEMA

_BINARY = frozenset({f"{{{XML_SCHEMA}}}base64Binary", f"{{{XML_SCHEMA}}}hexBinary"})

_NOT_BY_THEMSELVES = frozenset({"QName", "NOTATION", "anySimpleType", "anyAtomicType"})

_LEXICAL = {
    "integer": "digits",
    "int": "digits, from -2147483648 to 2147483647",
    "long": "digits, from -9223372036854775808 to 9223372036854775807",
    "nonNegativeInteger": "digits, without a minus",
    "positiveInteger": "digits, 1 or more",
    "decimal": "digits with an optional decimal point",
    "boolean": "true, false, 1 or 0",
    "dateTime": "YYYY-MM-DDThh:mm:ss with an optional fraction and zone, such as 2012-11-04T13:05:45Z",
    "date": "YYYY-MM-DD",
    "time": "hh:mm:ss",
    "base64Binary": "base64: A-Z a-z 0-9 + / with = at the end, in groups of four",
    "hexBinary": "hexadecimal digits, in pairs",
    "anyURI": "a URI",
    "QName": "a name whose prefix is declared",
}
"""Built-in types to their lexical space in words (XML Schema part 2, section 3)."""

_FACETS = {
    XsdLengthFacet: "a length of {}",
    XsdMinLengthFacet: "a length of at least {}",
    XsdMaxLengthFacet: "a length of at most {}",
    XsdMinInclusiveFacet: "at least {}",
    XsdMaxInclusiveFacet: "at most {}",
    XsdMinExclusiveFacet: "more than {}",
    XsdMaxExclusiveFacet: "less than {}",
    XsdTotalDigitsFacet: "at most {} digits",
    XsdFractionDigitsFacet: "at most {} digits after the point",
}


@dataclass(frozen=True, slots=True)
class ValueTrouble:
    """Why a text is no value of a simple type.

    is_facet  the text is one of the type that this one restricts, and breaks one of its facets
    wanted    in words
    """

    is_facet: bool
    wanted: str

    @staticmethod
    def wanted_of(of: Any) -> str:
        """What a simple type wants, in words: its name, and what that means."""
        allowed = getattr(of, "enumeration", None)
        if allowed:
            return "one of " + ", ".join(str(value) for value in allowed)
        if of.is_list():
            items = getattr(of if of.is_simple() else of.content, "item_type", None)
            return "a list" if items is None else f"items parted by spaces, each {ValueTrouble.wanted_of(items)}"
        members = _members(of)
        if members:
            return " or ".join(ValueTrouble.wanted_of(member) for member in members)
        builtin = _builtin(of)
        name = f"xs:{builtin}" if of.name is None or _is_builtin(of) else f"{of.local_name} (xs:{builtin})"
        return f"{name}: {_LEXICAL[builtin]}" if builtin in _LEXICAL else name


def troubles(of: Any, value: str, element: etree._Element) -> Iterator[ValueTrouble]:
    """Every facet that the text breaks; or, when it is not even of the base type, that alone.

    element  whose prefixes a QName may use
    """
    prefixes = {prefix or "": namespace for prefix, namespace in element.nsmap.items()}
    broken = [error.validator for error in of.iter_errors(value, namespaces=prefixes)]
    foreign = any(not isinstance(validator, XsdFacet) for validator in broken) or (broken and _members(of))
    if foreign or not (broken or _fits_builtin(of, value)):
        yield ValueTrouble(False, ValueTrouble.wanted_of(of))
        return
    for facet in broken:
        yield ValueTrouble(True, _facet(facet))


def _members(of: Any) -> Any:
    """The member types of a union: a text that fits none of them breaks no facet of one of them."""
    return getattr(of if of.is_simple() else of.content, "member_types", None)


def _fits_builtin(of: Any, value: str) -> bool:
    """Whether libxml2 takes the text for the built-in type that the type comes down to. xmlschema reads numbers as
    Python does, which knows digits of every script and underscores between them, and takes any text for a URI."""
    at = of if of.is_simple() else of.content
    builtin = _builtin(of)
    if at is None or not at.is_atomic() or builtin in _NOT_BY_THEMSELVES:
        return True
    return accepts(Values("atomic", builtin), without_space(at, value))


def without_space(of: Any, value: str) -> str:
    """A text without the white space around it that does not count (XML Schema part 2, 4.3.6: whiteSpace is collapse).
    libxml2 stumbles over it in dates, times, durations and INF."""
    simple = of if of.is_simple() else of.content
    collapses = getattr(simple, "white_space", None) == "collapse" and not _is_union(simple)
    return value.strip(" \t\r\n") if collapses else value


def _is_union(simple: Any) -> bool:
    """Of it each member says what white space counts."""
    return simple is not None and (simple.is_union() or _is_union(getattr(simple, "base_type", None)))


def found_value(element: etree._Element, value: str, attribute: str | None, of: Any = None) -> str:
    """What stands there, as a verdict may show it: no credential, no document, at most SHOWN_CHARS characters."""
    local_name = etree.QName(element).localname
    name = local_name if attribute is None else f"attribute {attribute.rpartition('}')[2]} of {local_name}"
    if holds_credential(element):
        return f"{name} reads {MASK}"
    if attribute is None and (local_name.lower() == "docdata" or (of is not None and _builtin_name(of) in _BINARY)):
        return f"{name} has {len(value)} characters"
    return f"{name} reads {shown(value)}" if value else f"{name} is empty"


def _facet(facet: Any) -> str:
    if isinstance(facet, XsdEnumerationFacets):
        return "one of " + ", ".join(str(value) for value in facet.enumeration)
    if isinstance(facet, XsdPatternFacets):
        return "text that matches " + " and ".join(shown(pattern) for pattern in facet.regexps)
    return _FACETS[type(facet)].format(facet.value)


def _is_builtin(of: Any) -> bool:
    return of.name is not None and str(of.name).startswith(f"{{{XML_SCHEMA}}}")


def _builtin_name(of: Any) -> str | None:
    """Clark name of the built-in type that a type's text comes down to."""
    at = of if of.is_simple() else of.content
    while at is not None and not _is_builtin(at):
        at = getattr(at, "base_type", None)
    return None if at is None else str(at.name)


def _builtin(of: Any) -> str:
    return (_builtin_name(of) or "anySimpleType").rpartition("}")[2]
