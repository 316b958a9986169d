"""The acknowledgement as an object of the WSDL's own output class, filled by the roles of its members."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from spyne.model.complex import ComplexModelBase, XmlAttribute, XmlData
from spyne.model.primitive import Boolean, DateTime, Decimal, Unicode

from soapsvc.records import Accepted

Fill = Callable[[Accepted], Any]

_ROLES: dict[str, Fill] = {
    "status": lambda accepted: 0,
    "statuscode": lambda accepted: 0,
    "submitid": lambda accepted: accepted.submit_id,
    "submissiontime": lambda accepted: accepted.received_at,
    "completiontime": lambda accepted: accepted.received_at,
}
"""Local name, lower case, to what stands there: from the store's word alone, so that a redelivery gets the same."""


class CannotFill(Exception):
    """A member that must be there has no role that we know. str() names it."""


def filler(of: Any, path: str) -> Fill:
    """What makes an object of a complex Spyne class for an accepted push.

    path    of the element, for the error
    Errors  CannotFill
    """
    plain = of.__orig__ or of  # Spyne warns when an object is made of a class that was customised
    members: list[tuple[str, Fill]] = []
    for name, member in of.get_flat_type_info(of).items():
        local = member.Attributes.sub_name or name
        fill = _member(member, local, f"{path}/{local}")
        if fill is not None:
            members.append((name, fill))

    def fill_all(accepted: Accepted) -> Any:
        return plain(**{name: fill(accepted) for name, fill in members})

    return fill_all


def _member(member: Any, local: str, path: str) -> Fill | None:
    """What fills one member; None: it may stay away and has no role."""
    if issubclass(member, XmlAttribute):
        required, made = member._use == "required", member.type
    elif issubclass(member, XmlData):
        required, made = True, member.type
    else:
        required, made = member.Attributes.min_occurs > 0, member
    role = _ROLES.get(local.lower())
    if issubclass(made, ComplexModelBase):
        if not required and role is None:
            return None
        fill = filler(made, path)
    elif role is not None:
        fill = _as(made, role, required)
    elif required:
        raise CannotFill(path)
    else:
        return None
    if made.Attributes.max_occurs > 1:
        return lambda accepted: [fill(accepted)]
    return fill


def _as(made: Any, role: Fill, required: bool) -> Fill:
    """The role's value in the type that the member has."""

    def converted(accepted: Accepted) -> Any:
        value = role(accepted)
        if value is None:  # the push named no SubmitId: the one that it is stored by, where there must be one
            return accepted.id if required else None
        if issubclass(made, Boolean):
            return True
        if issubclass(made, Unicode):
            return xs_date_time(value) if isinstance(value, datetime) else str(value)
        if issubclass(made, DateTime | Decimal):
            return value
        raise CannotFill(f"a value of type {made.get_type_name()}")

    return converted


def xs_date_time(moment: datetime) -> str:
    """An aware moment as xs:dateTime in UTC with milliseconds and Z, as the vendor's own messages have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
