"""Looking at a message by the roles of its elements: local name, letter case aside, in any namespace.

The vendor's own WSDL may have another namespace for common types, another wrapper, another order (docs/contract.md), so
nothing here goes by a fixed path.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree


def role(element: etree._Element) -> str:
    """The element's local name in lower case; "" for a comment or processing instruction."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def attribute(element: etree._Element, name: str) -> str | None:
    """The value of an attribute by its local name in lower case, letter case and namespace aside."""
    direct = element.get(name)
    if direct is not None:
        return direct
    for key, value in element.items():
        if str(key).rpartition("}")[2].lower() == name:
            return str(value)
    return None


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
