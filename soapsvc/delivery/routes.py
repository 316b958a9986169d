"""Which targets an accepted push is queued for."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence

from soapsvc.delivery_settings import DeliverySettings
from soapsvc.records import Property, Push

ACCOUNT = "useraccountnumber"
"""The property that names the vendor's account, in lower case."""
_Matches = Callable[[str], object]


def routes(entries: Sequence[DeliverySettings]) -> Callable[[Push], tuple[str, ...]]:
    """From a push to the names of the entries whose filter it passes, in their order."""
    filters = [(entry.name, _Filter(entry)) for entry in entries]
    return lambda push: tuple(name for name, one in filters if one.passes(push))


class _Filter:
    """What is given must hold; of a list one, of the properties each."""

    def __init__(self, entry: DeliverySettings):
        self._kinds = frozenset(entry.kind)
        self._accounts = [_pattern(one) for one in entry.account]
        self._doctypes = [_pattern(one) for one in entry.doctype]
        self._properties = [(name.casefold(), _pattern(one)) for name, one in entry.properties.items()]

    def passes(self, push: Push) -> bool:
        return (
            (not self._kinds or push.kind in self._kinds)
            and (not self._accounts or _one_of(self._accounts, _values(push.properties, ACCOUNT)))
            and (not self._doctypes or _one_of(self._doctypes, (one.doctype or "" for one in push.documents)))
            and all(_one_of((matches,), _values(push.properties, name)) for name, matches in self._properties)
        )


def _values(properties: Iterable[Property], name: str) -> list[str]:
    return [one.value for one in properties if name in (one.name.casefold(), one.sent_name.casefold())]


def _one_of(patterns: Sequence[_Matches], values: Iterable[str]) -> bool:
    return any(matches(value.casefold()) for value in values for matches in patterns)


def _pattern(text: str) -> _Matches:
    """* any characters, ? one; whatever else stands for itself."""
    return re.compile(fnmatch.translate(text.casefold().replace("[", "[[]"))).match
