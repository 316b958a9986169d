"""The acknowledgement as an object of the WSDL's own output class, filled by the roles of its members."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from spyne.model.complex import ComplexModelBase, XmlAttribute, XmlData
from spyne.model.primitive import Boolean, Date, DateTime, Decimal, Unicode

from soapsvc.records import Accepted

Fill = Callable[[Accepted], Any]

_STATUS: tuple[Fill, tuple[Any, ...]] = (lambda accepted: 0, (Unicode, Decimal, Boolean))
_SUBMIT_ID: tuple[Fill, tuple[Any, ...]] = (lambda accepted: accepted.submit_id, (Unicode,))
_TIME: tuple[Fill, tuple[Any, ...]] = (lambda accepted: accepted.received_at, (Unicode, DateTime))
_ROLES = {
    "status": _STATUS,
    "statuscode": _STATUS,
    "submitid": _SUBMIT_ID,
    "submissiontime": _TIME,
    "completiontime": _TIME,
}
"""Local name, lower case, to what stands there and the Spyne types that can say it: from the store's word alone, so
that a redelivery gets the same."""


class CannotFill(Exception):
    """A member that must be there has no role that we know, or a type that cannot say it. str() names it."""


def filler(of: Any, name: str) -> Fill:
    """What makes the acknowledgement for an accepted push.

    of      Spyne class of the element
    name    local name of the element
    Errors  CannotFill
    """
    fill = _member(of, name, name, ())
    assert fill is not None, "the element itself is required"
    return fill


def _complex(of: Any, path: str, around: tuple[Any, ...]) -> Fill:
    """What makes an object of a complex class.

    around  the classes of the elements that it stands in: one that must hold itself has no end
    """
    plain = of.__orig__ or of  # Spyne warns when an object is made of a class that was customised
    if plain in around:
        raise CannotFill(path)
    members: list[tuple[str, Fill]] = []
    for name, member in of.get_flat_type_info(of).items():
        local = member.Attributes.sub_name or name
        fill = _member(member, local, f"{path}/{local}", (*around, plain))
        if fill is not None:
            members.append((name, fill))

    def fill_all(accepted: Accepted) -> Any:
        return plain(**{name: fill(accepted) for name, fill in members})

    return fill_all


def _member(member: Any, local: str, path: str, around: tuple[Any, ...]) -> Fill | None:
    """What fills one member; None: it may stay away and cannot be filled."""
    if issubclass(member, XmlAttribute):
        required, made = member._use == "required", member.type
    elif issubclass(member, XmlData):
        required, made = True, member.type
    else:
        required, made = member.Attributes.min_occurs > 0, member
    try:
        if issubclass(made, ComplexModelBase):
            if not required and local.lower() not in _ROLES:
                return None
            fill = _complex(made, path, around)
        else:
            fill = _simple(made, local, path, required)
    except CannotFill:
        if required:
            raise
        return None
    if made.Attributes.max_occurs > 1:
        return lambda accepted: [fill(accepted)] * max(1, made.Attributes.min_occurs)
    return fill


def _simple(made: Any, local: str, path: str, required: bool) -> Fill:
    """The role's value in the type that the member has."""
    role, types = _ROLES.get(local.lower(), (None, ()))
    if role is None:
        raise CannotFill(path)
    if not issubclass(made, types) or issubclass(made, Date):
        raise CannotFill(f"{path} as {made.get_type_name()}")

    def converted(accepted: Accepted) -> Any:
        value = role(accepted)
        if value is None:  # no SubmitId to tell: the one that the push is stored by, where there must be one
            return accepted.id if required else None
        if issubclass(made, Boolean):
            return True
        if issubclass(made, Unicode):
            return xs_date_time(value) if isinstance(value, datetime) else str(value)
        return value

    return converted


def xs_date_time(moment: datetime) -> str:
    """An aware moment as xs:dateTime in UTC with milliseconds and Z, as the vendor's own messages have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
