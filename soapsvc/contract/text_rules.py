"""What may be said at a place of a message, where the schema allows so much that it can be told without a validation.

Nothing is refused here: of a text that is not surely valid nothing is said, and libxml2 decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from soapsvc.contract.schema_components import ComplexType, Element, SchemaSet, Type, leaves
from soapsvc.contract.wildcards import Wildcard
from soapsvc.namespaces import XML_SCHEMA, qname

Rule = Callable[[str], object]
"""True of a text that is valid; of any other it may be either."""

_INTEGER = re.compile("-?[0-9]{1,15}")
_INT = re.compile("-?[0-9]{1,9}")
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])?"
)
_URL = re.compile(
    r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(?::[0-9]{1,4})?(?:/[A-Za-z0-9._/-]{0,1000})?"
)
_NARROWED = "/".join(qname(XML_SCHEMA, name) for name in ("simpleContent", "restriction", "simpleType"))
_CONTROLS = bytes(0 if n < 0x20 and n not in b"\t\n" else 1 for n in range(256))


def anything(_text: str) -> bool:
    """The rule of a place where each text is valid."""
    return True


def _date_time(text: str) -> bool:
    if _DATE_TIME.fullmatch(text) is None:
        return False
    with suppress(ValueError):  # a 13th month, an hour 24; of what else it takes the expression has left nothing
        datetime.fromisoformat(text)
        return True
    return False


_OF_TYPE: dict[str, Rule] = {
    "string": anything,
    "normalizedString": anything,
    "token": anything,
    "integer": _INTEGER.fullmatch,
    "long": _INTEGER.fullmatch,
    "int": _INT.fullmatch,
    "dateTime": _date_time,
    "anyURI": _URL.fullmatch,
    "boolean": frozenset({"true", "false", "1", "0"}).__contains__,
}
_RULES = {qname(XML_SCHEMA, name): rule for name, rule in _OF_TYPE.items()}
"""Of built-in types (XML Schema part 2, 3)."""


def rule_of(schema: SchemaSet, names: Sequence[str]) -> Rule | None:
    """The rule for what an element without elements inside says; None: there is none that is certain.

    names  Clark names that lead to it, from the header block or the child of Body on
    """
    declared = None if schema.has_constraints else _declaration(schema, names)
    if declared is None or declared.fixed is not None or declared.default is not None:
        return None
    return _RULES.get(_built_in(schema, schema.type_of(declared)) or "")


def _declaration(schema: SchemaSet, names: Sequence[str]) -> Element | None:
    """The only declaration that Clark names can lead to; None: there is none, or there are several."""
    found = schema.elements.get(names[0]) if names else None
    for name in names[1:]:
        if found is None:
            return None
        model = list(leaves(schema.content(schema.type_of(found))))
        possible = [leaf for leaf in model if isinstance(leaf, Element) and leaf.name == name]
        if name in schema.elements and (not possible or any(isinstance(leaf, Wildcard) for leaf in model)):
            possible.append(schema.elements[name])  # which a wildcard admits, or an element that it may stand for
        if any(one.source is not possible[0].source for one in possible):
            return None
        found = possible[0] if possible else None
    return found


def _built_in(schema: SchemaSet, of: Type) -> str | None:
    """Clark name of the built-in type that a type is but for its attributes; None: it is narrower, or none."""
    while True:
        if of.facets or (isinstance(of, ComplexType) and not _takes_all_of_its_base(of)):
            return None
        if of.base is None:
            return of.name
        of = schema.type(of.base, of.source)


def _takes_all_of_its_base(of: ComplexType) -> bool:
    """Whether its simple content is narrowed by nothing but facets."""
    return of.simple and of.source is not None and of.source.find(_NARROWED) is None


def is_well_formed_text(body: bytes, text: str) -> bool:
    """Whether all characters of a body are XML's own (XML 1.0, 2.2), with no line end but a line feed.

    text  the body decoded
    """
    return b"\0" not in body.translate(_CONTROLS) and (body.isascii() or not ("\ufffe" in text or "\uffff" in text))
