"""A profile of the sender: where its pushes go, how long it tries, and what stands beside each document."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soapsvc.errors import SettingsError
from soapsvc.sender.retry_schedule import SCHEDULES, RetrySchedule
from soapsvc.settings import Settings, without_userinfo
from soapsvc.shipped import WSDL_FILE
from soapsvc.targets.options import check_no_password, host_of, read_secret, split

CONNECT_SECONDS = 10.0
TIMEOUT_SECONDS = 15.0  # services of this kind wait no longer for an acknowledgement
BACKUP_SECONDS = 60.0
ONCE = SCHEDULES["once"]


@dataclass(frozen=True, slots=True)
class Backup:
    """A destination for what the receiver did not take: any target (another receiver, mailto:, ftp:, file:, …).

    password     of the user whom the URL names
    private_key  file of an SSH key; known_hosts: of the host keys to believe
    """

    url: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    private_key: Path | None = None
    known_hosts: Path | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything that the sender is told beside the push itself.

    receiver         http or https URL, with a user name for HTTP Basic but without a password
    password         of that user
    backups          in the order in which they are tried; none: what the receiver does not take, nobody has
    schedule         of the attempts at the receiver; backup_schedule: at each backup
    connect_seconds  for a connection to stand; timeout_seconds: for a whole attempt at the receiver, up to the
                     acknowledgement; backup_seconds: for one at a backup
    properties       (name, value) beside every document, before those of the push
    wsdl, operation  by which envelopes are written; operation None: the first that takes documents
    """

    receiver: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    backups: tuple[Backup, ...] = ()
    schedule: RetrySchedule = ONCE
    backup_schedule: RetrySchedule = ONCE
    connect_seconds: float = CONNECT_SECONDS
    timeout_seconds: float = TIMEOUT_SECONDS
    backup_seconds: float = BACKUP_SECONDS
    properties: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    wsdl: Path = WSDL_FILE
    operation: str | None = None

    def __post_init__(self) -> None:
        check_receiver(self.receiver)
        for backup in self.backups:
            check_no_password(backup.url, "a backup")
        if min(self.connect_seconds, self.timeout_seconds, self.backup_seconds) <= 0:
            raise SettingsError("connect_seconds, timeout_seconds and backup_seconds are above 0")

    @classmethod
    def from_settings(cls, settings: Settings, name: str, **told: Any) -> Profile:
        """The profile of a name in soapsvc.toml; what is told, and is not None, counts before what stands there.

        Errors  SettingsError: there is none of the name, it has an unknown key, or a value of another kind
        """
        if name not in settings.profiles:
            listed = ", ".join(settings.profiles) or "none"
            raise SettingsError(
                f"there is no profile {name!r} in the settings ([profiles.{name}]); there are: {listed}"
            )
        found = _Table(f"profiles.{name}", settings.profiles[name], _KEYS)
        given: dict[str, Any] = {
            "receiver": found.text("receiver"),
            "password": found.secret("password"),
            "backups": _backups(found),
            "schedule": _schedule(found, "retry", "attempts", "gaps"),
            "backup_schedule": _schedule(found, None, "backup_attempts", "backup_gaps"),
            "connect_seconds": found.number("connect_seconds"),
            "timeout_seconds": found.number("timeout_seconds"),
            "backup_seconds": found.number("backup_seconds"),
            "properties": found.pairs("properties"),
            "wsdl": found.path("wsdl") or settings.wsdl,
            "operation": found.text("operation"),
        }
        given = {key: value for key, value in (given | _not_none(told)).items() if value is not None}
        if "receiver" not in given:
            raise SettingsError(f"profiles.{name} has no receiver; the URL that pushes go to is wanted")
        return cls(**given)


_KEYS = {
    "receiver": "URL",
    "password": "env:NAME or file:PATH",
    "backup": "list of URLs, or of tables with url, password, private_key, known_hosts",
    "retry": "name of a retry schedule",
    "compress": "number",
    "attempts": "number",
    "gaps": "seconds, or a list of them",
    "backup_attempts": "number",
    "backup_gaps": "seconds, or a list of them",
    "connect_seconds": "number",
    "timeout_seconds": "number",
    "backup_seconds": "number",
    "properties": "table of texts",
    "wsdl": "file",
    "operation": "name",
}
_BACKUP_KEYS = {"url": "URL", "password": "env:NAME or file:PATH", "private_key": "file", "known_hosts": "file"}


class _Table:
    """One table of the settings, read key by key. Errors: SettingsError: key, what was wanted."""

    def __init__(self, name: str, content: Mapping[str, Any], keys: Mapping[str, str]):
        self.name, self._content, self._keys = name, content, keys
        for key in content:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                hint = f"the nearest one is {near[0]}" if near else f"there are {', '.join(keys)}"
                raise SettingsError(f"{name} has {key!r}, which is no key of it; {hint}")

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def wrong(self, key: str) -> SettingsError:
        return SettingsError(f"{self.name}.{key} is not what is wanted there: {self._keys[key]}")

    def raw(self, key: str) -> Any:
        return self._content.get(key)

    def text(self, key: str) -> str | None:
        value = self.raw(key)
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise self.wrong(key)
        return value

    def path(self, key: str) -> Path | None:
        value = self.text(key)
        return None if value is None else Path(value)

    def secret(self, key: str) -> str | None:
        value = self.text(key)
        return None if value is None else read_secret(value)

    def number(self, key: str) -> float | None:
        value = self.raw(key)
        if value is not None and not _is_number(value):
            raise self.wrong(key)
        return None if value is None else float(value)

    def numbers(self, key: str) -> tuple[float, ...] | None:
        value = self.raw(key)
        values = value if isinstance(value, list) else [value]
        if value is not None and not (values and all(map(_is_number, values))):
            raise self.wrong(key)
        return None if value is None else tuple(map(float, values))

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        value = self.raw(key)
        if value is None:
            return ()
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise self.wrong(key)
        return tuple(value.items())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def _backups(found: _Table) -> tuple[Backup, ...]:
    value = found.raw("backup")
    if value is None:
        return ()
    backups = []
    for number, one in enumerate(value if isinstance(value, list) else [value], 1):
        table = one if isinstance(one, dict) else {"url": one}
        inner = _Table(f"{found.name}.backup {number}", table, _BACKUP_KEYS)
        url = inner.text("url")
        if url is None:
            raise inner.wrong("url")
        backups.append(Backup(url, inner.secret("password"), inner.path("private_key"), inner.path("known_hosts")))
    return tuple(backups)


def _schedule(found: _Table, named: str | None, attempts: str, gaps: str) -> RetrySchedule | None:
    """A named schedule, or one's own. None: neither is told."""
    name = found.text(named) if named else None
    own = attempts in found or gaps in found
    if name is not None:
        if own:
            raise SettingsError(f"{found.name} has {named}, and {attempts} or {gaps} too: one of the two is enough")
        return RetrySchedule.named(name).compressed(found.number("compress") or 1)
    if not own:
        return None
    waits = found.numbers(gaps) or ()
    count = found.number(attempts)
    if count is not None and count != int(count):
        raise found.wrong(attempts)
    return RetrySchedule.of(1 + len(waits) if count is None else int(count), waits or 60.0)


def _not_none(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value is not None and value != ()}


def check_receiver(url: str) -> None:
    """Errors: SettingsError: no http or https URL, or one with a password."""
    parts = split(url)
    if parts.scheme not in ("http", "https"):
        raise SettingsError(
            f"{without_userinfo(url)!r} is not an http or https URL, such as http://127.0.0.1:8080/push"
        )
    host_of(parts)
    check_no_password(url, "the receiver")
