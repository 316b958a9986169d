"""xs:key, xs:unique and xs:keyref (XML Schema part 1, 3.11)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from lxml import etree

from soapsvc.namespaces import XML_SCHEMA, qname

CONSTRAINTS = tuple(qname(XML_SCHEMA, name) for name in ("key", "unique", "keyref"))


@dataclass(frozen=True, slots=True)
class IdentityConstraint:
    """An xs:key, xs:unique or xs:keyref; the prefixes in its paths are replaced by namespaces.

    refer  Clark name of the key that a keyref leads to
    """

    kind: str
    selector: str
    fields: tuple[str, ...]
    refer: str | None = None
    name: str = field(default="", compare=False)


def identity_constraint(source: etree._Element, reference: Callable[[etree._Element, str], str]) -> IdentityConstraint:
    """The constraint that is written in an element; `reference` gives a QName attribute of it as a Clark name."""
    refer = reference(source, "refer") if source.get("refer") else None
    selector = "".join(map(_path, source.iterchildren(qname(XML_SCHEMA, "selector"))))
    fields = tuple(map(_path, source.iterchildren(qname(XML_SCHEMA, "field"))))
    return IdentityConstraint(etree.QName(source).localname, selector, fields, refer, source.get("name", ""))


def _path(of: etree._Element) -> str:
    """With namespaces in place of prefixes: a name without one is in no namespace."""
    plain = re.sub(r"\s+|child::", "", of.get("xpath", "")).replace("attribute::", "@")
    return re.sub(r"([\w.-]+):", lambda prefix: f"{{{of.nsmap.get(prefix[1], prefix[1])}}}", plain)
