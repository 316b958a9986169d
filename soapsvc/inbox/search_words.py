"""The words of a text, the same for every index: letters and digits that stand together, without case and diacritics.

These are the rules of SQLite's tokenizer `unicode61 remove_diacritics 2`, which reads the texts of a SQLite inbox
itself. PostgreSQL's own parsers would find other words (`INV-7` a number, `192.0.2.7` a host), so what it is given has
been read here. Characters that are younger than Unicode 6.1 SQLite takes for letters, whatever they are.
"""

from __future__ import annotations

import unicodedata

_MARKS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0309\u030a\u030b\u030c\u030f\u0311\u031b"
                   "\u0323\u0324\u0325\u0326\u0327\u0328\u032d\u032e\u0330\u0331")  # fmt: skip
"""Diacritics that stand behind their letter; any other mark ends a word."""


class _Folded(dict[int, str]):
    """By code point: what stands for a character, found when it is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold(chr(code))
        return folded


_FOLDED = _Folded()


def words_of(text: str) -> list[str]:
    """Its words in order, folded; what is no letter or digit (NUL and lone surrogates too) stands between words."""
    return text.translate(_FOLDED).split()


def _fold(character: str) -> str:
    if character in _MARKS:
        return ""
    category = unicodedata.category(character)
    if category[0] not in "LN" and category != "Co":
        return " "
    folded = next(one for one in (character.casefold(), character.lower(), character) if len(one) == 1)
    base = unicodedata.normalize("NFD", folded)[0]
    return base.lower() if base.isascii() else folded
