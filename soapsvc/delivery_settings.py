"""`[[delivery]]` and `[retention]` of soapsvc.toml: where accepted pushes are handed on to, and what is removed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from soapsvc.errors import NoSuchTarget
from soapsvc.records import PushKind

SCHEDULES: Mapping[str, tuple[float, ...]] = {
    "patient": (10, 60, 300, 900, 3600, 7200, 14400, 28800, 28800, 43200, 86400, 86400),
    "quick": (1, 5, 15, 60, 300),
    "two-hourly": (7200,) * 11,
}
"""Named gaps between attempts, in seconds: 13 attempts in 3.5 days; 6 in six minutes; 12, two hours apart."""

LEASE = "lease:"
"""The target of those that ask for pushes themselves (POST /api/v1/pushes/next)."""

MAX_GAP_SECONDS = 30 * 86400
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_URL = re.compile(r"[a-z][a-z0-9+.-]*:\S+|exec:\S.*", re.IGNORECASE)  # a command has arguments


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False, strict=True)


class DeliverySettings(_Entry):
    """One `[[delivery]]`: a target, what goes there, and when it is tried again.

    name      for people, metrics and `--delivery`
    target    URL; somebody may have put a password into it, so nothing prints it
    options   of the target itself, as docs/deliveries.md lists them
    kind, account, doctype, properties  the filter: what is given must hold; none given: every push. All but the kinds
              are patterns with * and ?, letter case aside; of a list one must hold, of the properties each
    schedule  a name out of SCHEDULES; or attempts and gaps, in seconds: the last gap is repeated
    jitter    each gap is longer by a random share of up to this
    ordered   oldest push first, one at a time, and none before the one ahead of it has ended
    paused    queued and not delivered
    parallel  how many are handed over at once by one worker
    """

    name: str
    target: str = Field(repr=False)
    options: dict[str, Any] = Field(default_factory=dict, repr=False)
    kind: Annotated[tuple[Annotated[PushKind, Field(strict=False)], ...], Field(strict=False)] = ()
    account: Annotated[tuple[str, ...], Field(strict=False)] = ()
    doctype: Annotated[tuple[str, ...], Field(strict=False)] = ()
    properties: dict[str, str] = Field(default_factory=dict)
    schedule: str | None = None
    attempts: Annotated[int, Field(ge=1, le=1000)] | None = None
    gaps: Annotated[tuple[Annotated[float, Field(ge=0, le=MAX_GAP_SECONDS)], ...], Field(strict=False)] = ()
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.1
    ordered: bool = False
    paused: bool = False
    parallel: Annotated[int, Field(ge=1, le=16)] = 1

    @field_validator("kind", "account", "doctype", "gaps", mode="before")
    @classmethod
    def _is_a_list(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or any(isinstance(one, bool) for one in value):
            raise ValueError('a list, such as ["report"] for kind or [10, 60, 600] for gaps')
        return value

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("at most 64 of a-z 0-9 . _ - that begin with a letter or digit, such as archive")
        return value

    @field_validator("target")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        if value != LEASE and not _URL.fullmatch(value):
            raise ValueError("the URL of a target, such as file:///srv/reports or webhook+https://app.example.com/in")
        return value

    @field_validator("schedule")
    @classmethod
    def _is_a_schedule(cls, value: str | None) -> str | None:
        if value is not None and value not in SCHEDULES:
            raise ValueError(f"one of {', '.join(SCHEDULES)}; or attempts and gaps in its place")
        return value

    @model_validator(mode="after")
    def _does_not_contradict_itself(self) -> DeliverySettings:
        if self.schedule is not None and (self.attempts is not None or self.gaps):
            raise ValueError("schedule, or attempts and gaps: one of the two")
        if self.ordered and self.parallel > 1:
            raise ValueError("ordered, or parallel above 1: what is in order goes one at a time")
        return self

    @property
    def is_lease(self) -> bool:
        """Whether nobody delivers it: consumers ask."""
        return self.target == LEASE


def entry_named(entries: Sequence[DeliverySettings], name: str) -> DeliverySettings:
    """The entry that has the name. Errors: NoSuchTarget."""
    for one in entries:
        if one.name == name:
            return one
    raise NoSuchTarget(name, [one.name for one in entries])


class Bounds(_Entry):
    """What may stay of one state: what is older, or beyond the newest `count`, or beyond the newest `bytes` of request
    bodies in sum, is removed. None: no such bound."""

    days: Annotated[float, Field(gt=0, le=36500)] | None = None
    count: Annotated[int, Field(ge=0)] | None = None
    bytes: Annotated[int, Field(ge=0)] | None = None

    @property
    def given(self) -> bool:
        return not (self.days is self.count is self.bytes is None)


class RetentionSettings(_Entry):
    """`[retention]`: bounds for each state."""

    accepted: Bounds = Bounds()
    quarantined: Bounds = Bounds()

    @property
    def given(self) -> bool:
        return self.accepted.given or self.quarantined.given


def entry_sentence(problem: Mapping[str, Any], found: Any, where: str, message: str) -> str:
    """One pydantic error of these settings: which entry, from where, which key, what was found, what was wanted.

    found  what was given for the setting as a whole
    """
    name, *loc = problem["loc"]
    entry = str(name)
    if loc and isinstance(loc[0], int):
        number = loc.pop(0)
        found = found[number] if isinstance(found, list | tuple) else None
        named = found.get("name") if isinstance(found, dict) else None
        entry = f"{name} {number + 1}" + (f" ({named!r})" if isinstance(named, str) else "")
    key = ".".join(str(part) for part in loc if isinstance(part, str))
    said = f"{entry} (from {where})" + (f": {key}" if key else "")
    for part in loc:
        found = found[part] if _has(found, part) else None
    if problem["type"] == "missing":
        return f"{said} is missing; wanted: {_WANTED.get(str(loc[-1]), 'a value')}"
    if problem["type"] == "extra_forbidden":
        known = RetentionSettings if name == "retention" and len(loc) == 1 else Bounds
        fields = DeliverySettings.model_fields if name == "delivery" else known.model_fields
        return f"{said} is no setting of it; there are {', '.join(fields)}"
    shown = "" if not key or "target" in loc or "options" in loc or found is None else f" is {found!r}"
    return f"{said}{shown}; wanted: {_wanted(problem, loc, message)}"


_WANTED = {
    "name": "a name, such as archive",
    "target": "the URL of a target, such as file:///srv/reports",
}


def _wanted(problem: Mapping[str, Any], loc: list[Any], message: str) -> str:
    match problem["type"]:
        case "value_error":
            return message
        case "enum":
            return str(problem["ctx"]["expected"])
        case "bool_type":
            return "true or false"
        case "tuple_type":
            return "a list of tables: [[delivery]]"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "a table of settings"
        case "string_type":
            return "text"
        case "int_type" | "float_type":
            return "a whole number" if problem["type"] == "int_type" else "a number"
        case _:
            return message.removeprefix("Input should be ")


def _has(found: Any, part: Any) -> bool:
    if isinstance(found, dict):
        return part in found
    return isinstance(found, list | tuple) and isinstance(part, int) and part < len(found)
