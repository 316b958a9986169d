"""One deviation from the schema, and how what is found is put in words."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from soapsvc.namespaces import XML_SCHEMA_INSTANCE, qname

XSI_NIL, XSI_TYPE = qname(XML_SCHEMA_INSTANCE, "nil"), qname(XML_SCHEMA_INSTANCE, "type")
CONTENT_RULES = frozenset({"XSD-004", "XSD-005", "XSD-006", "XSD-007", "XSD-008"})
"""Rules on which children stand where."""
SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """One deviation from the schema.

    rule        id in soapsvc.rules.RULES
    element     that it is found at
    attribute   Clark name where it is found at an attribute
    found, wanted  as in a Deviation
    components  of the WSDL that it touches
    """

    rule: str
    element: etree._Element
    found: str
    wanted: str
    components: tuple[etree._Element | None, ...] = ()
    attribute: str | None = None


def shown(text: str) -> str:
    """The text in quotation marks, cut."""
    return f'"{cut(text, SHOWN_CHARS)}"'


def cut(text: str, chars: int) -> str:
    """At most so many characters of the text."""
    return text if len(text) <= chars else f"{text[: chars - 1]}…"
