"""Which charsets are read, and by which names: an allow-list, asked before anything decodes.

The names that a sender writes are looked up in a table. They never reach Python's codec registry, where `punycode` and
`idna` cost quadratic time and `unicode_escape` and others mean something else than text.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable

from soapsvc.errors import SettingsError

_NAMES = {
    "utf-8": ("utf-8", "utf8"),
    "utf-16": ("utf-16", "utf16"),
    "utf-16-le": ("utf-16le", "utf-16-le"),
    "utf-16-be": ("utf-16be", "utf-16-be"),
    "ascii": ("us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us"),
    "iso8859-1": ("iso-8859-1", "iso_8859-1", "iso8859-1", "latin1", "latin-1"),
    "cp1252": ("windows-1252", "cp1252", "cp-1252"),
}
"""Python's codec to the names it goes by (IANA character sets, and what senders write for them)."""
_BY_NAME = {name: codec for codec, names in _NAMES.items() for name in names}
# UTF-32 cannot be told from UTF-16 by its byte order mark
_NEVER = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "unicode-escape", "raw-unicode-escape",
                    "undefined", "utf-7", "mbcs", "oem",
                    "utf-32", "utf-32-le", "utf-32-be"})  # fmt: skip

TAKEN = "UTF-8, UTF-16, US-ASCII, ISO-8859-1 or windows-1252"


class Charsets:
    """The table of names.

    extra   names that the settings add, each known to Python
    Errors  SettingsError: an extra name is not a charset that can be read safely
    """

    def __init__(self, extra: Iterable[str] = ()):
        self._by_name = dict(_BY_NAME)
        for name in extra:
            self._by_name[name.strip().lower()] = _looked_up(name)
        added = sorted(set(self._by_name) - set(_BY_NAME))
        self.taken = ", ".join((TAKEN, *added))

    def codec(self, name: str) -> str | None:
        """Python's codec for a charset by the name a sender gave it, letter case aside; None: not on the list."""
        return self._by_name.get(name.strip().lower())


def family(codec: str) -> str:
    """The codec without its byte order."""
    return "utf-16" if codec.startswith("utf-16") else codec


def name_of(codec: str) -> str:
    """How a charset of the list is told to others: UTF-16 without the byte order, which its mark tells."""
    return _NAMES[family(codec)][0]


def in_basic_profile(codec: str) -> bool:
    """Whether Basic Profile R1012 has it: UTF-8 and UTF-16."""
    return family(codec) in ("utf-8", "utf-16")


def _looked_up(name: str) -> str:
    try:
        found = codecs.lookup(name.strip())
    except (LookupError, ValueError):
        raise SettingsError(f"extra_charsets names {name!r}, which Python does not know") from None
    if found.name in _NEVER or found.incrementaldecoder is None or not getattr(found, "_is_text_encoding", True):
        raise SettingsError(f"extra_charsets names {name!r}, which is not a charset that can be read safely")
    return found.name
