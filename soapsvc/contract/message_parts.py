"""Looking at a message by the roles of its elements: local name, letter case aside, in any namespace.

The vendor's own WSDL may have another namespace for common types, another wrapper, another order (docs/contract.md), so
nothing here goes by a fixed path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeVar

from lxml import etree

T = TypeVar("T")
_NAMES_KEPT, _NAME_CHARS = 4096, 256  # one message may bring 50,000 names that nobody sends again


def remembered(of_name: Callable[[str], T]) -> Callable[[str], T]:
    """The function, with what it said of a name kept: nearly every message has the same few. Long names are not kept,
    so that they do not fill the memory."""
    kept = lru_cache(maxsize=_NAMES_KEPT)(of_name)
    return lambda name: kept(name) if len(name) <= _NAME_CHARS else of_name(name)


@remembered
def role_of_name(clark_name: str) -> str:
    """The local name of an element or attribute in lower case."""
    return clark_name.rpartition("}")[2].lower()


def role(element: etree._Element) -> str:
    """The element's local name in lower case; "" for a comment or processing instruction."""
    tag = element.tag
    return role_of_name(tag) if isinstance(tag, str) else ""


def attribute(element: etree._Element, name: str) -> str | None:
    """The value of an attribute by its local name in lower case, letter case and namespace aside."""
    return attributes(element).get(name)


def attributes(element: etree._Element) -> dict[str, str]:
    """The values of the attributes by their local names in lower case. Of several that differ in letter case or
    namespace alone, the one that is written so counts, else the first."""
    sent = element.items()
    found: dict[str, str] = {}
    for name, value in sent:
        found.setdefault(role_of_name(str(name)), str(value))
    if len(found) < len(sent):
        found.update((str(name), str(value)) for name, value in sent if name in found)
    return found


def text_of(element: etree._Element) -> str:
    """The element's own text with that of all within it; "" for none."""
    return "".join(map(str, element.itertext())) if len(element) else element.text or ""


def children(element: etree._Element) -> Iterator[etree._Element]:
    """The child elements, without comments and processing instructions."""
    return (child for child in element if isinstance(child.tag, str))


def child(parent: etree._Element, wanted_role: str) -> etree._Element | None:
    """The first child that has the role."""
    return next((found for found in children(parent) if role(found) == wanted_role), None)


def ancestors_within(element: etree._Element, top: etree._Element) -> Iterator[etree._Element]:
    """The element's ancestors from its parent upwards, without `top`."""
    at = element.getparent()
    while at is not None and at is not top:
        yield at
        at = at.getparent()
