"""xs:any and xs:anyAttribute (XML Schema part 1, 3.10): what they admit, alone, together, and beside one another."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lxml import etree

from soapsvc.namespaces import XML_SCHEMA_INSTANCE


@dataclass(frozen=True, slots=True)
class Wildcard:
    """xs:any, or xs:anyAttribute (whose occurs mean nothing); `target` is what ##targetNamespace refers to.

    ##other without a target admits every namespace, and no name without one.
    """

    namespace: str
    process_contents: str
    min_occurs: int = 1
    max_occurs: int | None = 1
    target: str | None = None

    @property
    def listed(self) -> frozenset[str]:
        """The namespaces that are named one by one; ##local for none."""
        target = self.target or "##local"
        return frozenset(target if each == "##targetNamespace" else each for each in self.namespace.split())

    def intersected(self, other: Wildcard) -> Wildcard:
        """What both admit, processed as this one says (XML Schema part 1, 3.10.6)."""
        if other.namespace == "##any":
            return self
        if self.namespace == "##any":
            return replace(other, process_contents=self.process_contents)
        if self.namespace == other.namespace == "##other":
            return self if other.target is None else replace(self, target=other.target)
        listing, against = (other, self) if self.namespace == "##other" else (self, other)
        refused = {"##local", against.target or "##local"}
        kept = listing.listed - refused if against.namespace == "##other" else listing.listed & against.listed
        return replace(self, namespace=" ".join(sorted(kept)))

    def united(self, other: Wildcard) -> Wildcard:
        """What either admits, processed as this one says."""
        if "##any" in (self.namespace, other.namespace):
            return replace(self, namespace="##any")
        if self.namespace == other.namespace == "##other":
            return self if self.target == other.target else replace(self, target=None)
        if "##other" not in (self.namespace, other.namespace):
            return replace(self, namespace=" ".join(sorted(self.listed | other.listed)))
        listing, against = (other, self) if self.namespace == "##other" else (self, other)
        target = None if against.target in listing.listed else against.target
        return replace(self, namespace="##other", target=target)


def admits(wildcard: Wildcard, name: str) -> bool:
    """Whether an xs:any or xs:anyAttribute admits a Clark name."""
    namespace = etree.QName(name).namespace
    if namespace == XML_SCHEMA_INSTANCE:
        return True
    match wildcard.namespace:
        case "##any":
            return True
        case "##other":
            return namespace is not None and namespace != wildcard.target
        case _:
            return (namespace or "##local") in wildcard.listed


def admits_all(wider: Wildcard, narrower: Wildcard) -> bool:
    """Whether one wildcard admits every name that another admits."""
    if wider.namespace == "##any" or (wider.namespace, wider.target) == (narrower.namespace, narrower.target):
        return True
    if narrower.namespace in ("##any", "##other"):
        return wider.namespace == narrower.namespace == "##other" and wider.target is None
    if wider.namespace == "##other":
        return not narrower.listed & {"##local", wider.target or "##local"}
    return narrower.listed <= wider.listed
