"""The target of a `[[delivery]]`, with its options."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from soapsvc.delivery_settings import DeliverySettings
from soapsvc.errors import SettingsError
from soapsvc.settings import Settings
from soapsvc.targets.opening import open_target
from soapsvc.targets.options import TargetOptions, check_no_password, read_secret
from soapsvc.targets.target import Target

_SECRETS = frozenset({"password", "smtp_password", "webhook_secret"})
_NOT_GIVEN = frozenset({"clock"})


def open_entry(entry: DeliverySettings, settings: Settings) -> Target:
    """The entry's target; nothing is connected yet. Errors: SettingsError, which names the entry."""
    known = {one.name: str(one.type) for one in dataclasses.fields(TargetOptions) if one.name not in _NOT_GIVEN}
    try:
        for name in entry.options:
            if name not in known:
                raise SettingsError(f"options has {name!r}, which is none; there are {', '.join(known)}")
        check_no_password(entry.target, "the target")
        told = {name: _option(name, known[name], value) for name, value in entry.options.items()}
        if "smtp_url" in told:
            check_no_password(told["smtp_url"], "options.smtp_url")
        return open_target(entry.target, TargetOptions.from_settings(settings, **told))
    except SettingsError as error:
        raise SettingsError(f"delivery {entry.name!r}: {error}") from None


def _option(name: str, kind: str, value: Any) -> Any:
    if name in _SECRETS:
        return read_secret(value if isinstance(value, str) else "")
    first = kind.partition(" ")[0]
    wanted: tuple[type, ...] = {"float": (int, float), "int": (int,), "bool": (bool,)}.get(first, (str,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and first != "bool"):
        words = {"float": "a number", "int": "a whole number", "bool": "true or false"}.get(first, "text")
        raise SettingsError(f"options.{name} is {value!r}; wanted: {words}")
    return Path(str(value)) if first == "Path" else value
