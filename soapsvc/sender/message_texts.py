"""The text of an element or attribute: what its role says, in a form that its type takes; else the least that fits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from soapsvc.contract.schema_components import Attribute, ComplexType, Element, SchemaSet, Type
from soapsvc.contract.value_inclusion import Values, accepts, samples, values_of
from soapsvc.errors import SendError
from soapsvc.sender.supply import Supply

TOLD = frozenset({"xdn", "mrn", "submitid"})
"""Roles whose text was asked for: another text in their place would be a lie."""


class MessageTexts:
    """Chooses texts by one schema from one supply."""

    def __init__(self, schema: SchemaSet, supply: Supply):
        self._schema, self._supply = schema, supply

    def known(self, role: str, use: Element | Attribute) -> str | None:
        """What the role says, as the type takes it; None: nothing is known, or nothing of it fits.

        Errors  SendError: it was asked for and does not fit
        """
        if use.fixed is not None:
            return use.fixed
        of = self._schema.type_of(use)
        told = self._supply.text(role)
        if told is None or not has_text(of):
            return None
        values = values_of(self._schema, of) if _is_typed(of) else Values("atomic", "string")
        for text in self._spellings(role, told, values):
            if accepts(values, text):
                return text
        if role in TOLD:
            raise SendError(
                f"The WSDL's {use.local_name} does not take {told!r}; it takes {_taken(values)}. Push with "
                "another value."
            )
        return None

    def filler(self, use: Element | Attribute) -> str:
        """The least that fits: a default, the moment, or a sample of the type. Errors: SendError: nothing is found."""
        fixed = use.fixed if use.fixed is not None else use.default
        if fixed is not None:
            return fixed
        of = self._schema.type_of(use)
        if not _is_typed(of):
            return ""
        values = values_of(self._schema, of)
        moment = self._supply.moment
        own = self._supply.submit_ids if use.local_name.lower() == "submitid" else ()
        moments = [] if accepts(values, "") else [moment, moment[:10]]
        for text in dict.fromkeys((*own, *moments, *samples(values))):
            if accepts(values, text):
                return text
        raise SendError(
            f"The WSDL demands {use.local_name}, which takes {_taken(values)}, and nothing is known that fits there. "
            "Send an envelope of your own: soapsvc push FILE takes one as it is."
        )

    def takes(self, use: Element | Attribute, text: str) -> bool:
        """Whether the type of an element or attribute takes a text."""
        of = self._schema.type_of(use)
        if use.fixed is not None:
            return text == use.fixed
        return not _is_typed(of) or accepts(values_of(self._schema, of), text)

    def _spellings(self, role: str, told: str, values: Values) -> Iterator[str]:
        yield told
        named = values.enumeration or ()
        suffix = PurePath(self._supply.text("filename") or "").suffix.lstrip(".") if role == "doctype" else ""
        for wanted in filter(None, (told, suffix)):
            yield from (one for one in named if one.lower() == wanted.lower())
        if role == "filename":
            stem, ending = PurePath(told).stem, PurePath(told).suffix
            for limit in values.all("maxLength"):
                yield stem[: max(0, int(limit) - len(ending))] + ending
                yield told[: int(limit)]


def has_text(of: Type) -> bool:
    """Whether an element of a type may hold text."""
    return not isinstance(of, ComplexType) or of.simple or of.mixed


def _is_typed(of: Type) -> bool:
    """Whether a type says which texts it takes: not where elements stand among the text."""
    return not isinstance(of, ComplexType) or of.simple


def _taken(values: Values) -> str:
    if values.enumeration:
        return "one of " + ", ".join(values.enumeration[:20])
    facets = ", ".join(f"{name} {value}" for step in values.steps for name, value in step)
    return f"{values.builtin or values.variety}{f' with {facets}' if facets else ''}"
