"""What a type says of attributes: those that it names, and what its wildcard admits (XML Schema part 1, 3.4.2)."""

from __future__ import annotations

from typing import Literal

from soapsvc.contract.schema_components import Attribute, ComplexType, SchemaSet, Type
from soapsvc.contract.wildcards import Wildcard, admits, admits_all


class AttributeUses:
    """What a type says of attributes."""

    def __init__(self, schema: SchemaSet, of: Type):
        self._schema = schema
        self.uses = {attribute.name: attribute for attribute in schema.attributes(of)}
        self.wildcard = all_attributes(schema, of)

    def by_wildcard(self, name: str) -> bool:
        return name not in self.uses and self.wildcard is not None and admits(self.wildcard, name)

    def meant(self, name: str) -> Attribute | Literal["free"] | None:
        """What an attribute of this name may be; None: it may not be there."""
        if name in self.uses:
            return self.uses[name]
        if self.wildcard is None or not admits(self.wildcard, name):
            return None
        if self.wildcard.process_contents == "skip":
            return "free"
        declared = self._schema.attributes_by_name.get(name)
        return declared or ("free" if self.wildcard.process_contents == "lax" else None)

    def free_within(self, other: AttributeUses) -> bool:
        """Whether what may be there without a declaration may be there by another type."""
        if self.wildcard is None or self.wildcard.process_contents == "strict":
            return True
        wider = other.wildcard
        return wider is not None and wider.process_contents != "strict" and admits_all(wider, self.wildcard)


def all_attributes(schema: SchemaSet, of: Type) -> Wildcard | None:
    """The attribute wildcard in force: the type's own, and what the type admits that it extends."""
    if not isinstance(of, ComplexType) or of.base is None or of.derivation != "extension":
        return of.any_attribute if isinstance(of, ComplexType) else None
    inherited = all_attributes(schema, schema.type(of.base, of.source))
    own = of.any_attribute
    return inherited if own is None else own if inherited is None else own.united(inherited)
