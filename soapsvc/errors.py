"""Every error that soapsvc raises on purpose.

    SoapsvcError
    ├── HttpRefused              the request is not one we read: plain text with a 4xx status
    ├── StoreError
    │   ├── StoreUnavailable     cannot write now: Server fault, the sender keeps the push
    │   ├── NoSuchPush           asked for an id or a document that is not stored
    │   ├── AlreadyTakenIn       another intake has taken this in from the backup meanwhile
    │   └── MoveNotListed        a delivery does not do that in the state that it has
    ├── ContractError            this WSDL cannot be served: file, line, what is wrong, what would do
    ├── SettingsError            a setting is unknown, contradicts another, or cannot be read
    │   └── NoSuchTarget         the settings have no [[delivery]] of this name
    ├── SendError                the sender could not hand over a push
    └── Unreachable              nobody answers where something is to be read

A fault is on the wire, an error is in Python: a message that deviates is no error here but a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


class SoapsvcError(Exception):
    """Something that soapsvc can explain in a sentence; str() is that sentence."""

    def __reduce__(self) -> tuple[Any, ...]:
        """One process tells another: as it is, for a class may be made of other things than its sentence."""
        return _as_it_was, (type(self), self.args, self.__dict__)


def _as_it_was(kind: type[SoapsvcError], args: tuple[Any, ...], said: dict[str, Any]) -> SoapsvcError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(said)
    return error


class HttpRefused(SoapsvcError):
    """The HTTP request is not one that a push can come in; answered in plain text.

    http_status  of the answer
    rule         id in soapsvc.rules.RULES
    headers      that the status demands (Allow, WWW-Authenticate, Retry-After)
    where        the HTTP header that it is about, "" for none; found, wanted: as in a Deviation, for the verdict
    """

    def __init__(
        self,
        http_status: int,
        rule: str,
        sentence: str,
        headers: tuple[tuple[str, str], ...] = (),
        *,
        where: str = "",
        found: str = "",
        wanted: str = "",
    ):
        super().__init__(sentence)
        self.http_status, self.rule, self.sentence, self.headers = http_status, rule, sentence, headers
        self.where, self.found, self.wanted = where, found, wanted


class StoreError(SoapsvcError):
    """The inbox could not do what was asked."""


class StoreUnavailable(StoreError):
    """Nothing was stored, or nobody knows whether it was, and nothing may be acknowledged: a Server fault, so that the
    sender keeps the push.

    retry_after_seconds  when a repeat makes sense
    """

    def __init__(self, sentence: str, retry_after_seconds: int = 60):
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds


class NoSuchPush(StoreError):
    """No push has this id, or it has no such document."""


class AlreadyTakenIn(StoreError):
    """The ledger has this thing of a backup already; nothing was stored or counted."""


class MoveNotListed(StoreError):
    """The table of moves has none such for a delivery in this state."""

    def __init__(self, state: str, move: str, states: Sequence[str]):
        super().__init__(f"a delivery that is {state} cannot be {move}; one that is {' or '.join(states)} can")
        self.state, self.move, self.states = state, move, states


class ContractError(SoapsvcError):
    """The WSDL cannot be served."""

    def __init__(self, file: Path | str, line: int | None, wrong: str, would_do: str):
        where = f"{file}, line {line}" if line else str(file)
        super().__init__(f"{where}: {wrong}; {would_do}")
        self.file, self.line, self.wrong, self.would_do = file, line, wrong, would_do


class SettingsError(SoapsvcError):
    """The settings cannot be used as they are."""


class NoSuchTarget(SettingsError):
    """No [[delivery]] of the settings has this name."""

    def __init__(self, name: str, names: Sequence[str]):
        there = ", ".join(names) or "none"
        super().__init__(f"no [[delivery]] of the settings has the name {name!r}; there is {there}")
        self.name, self.names = name, names


class SendError(SoapsvcError):
    """A push was handed to nobody."""


class Unreachable(SoapsvcError):
    """What was to be read from a URL could not be had."""
