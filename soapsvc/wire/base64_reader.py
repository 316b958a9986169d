"""Base64 as it streams: decoded piece by piece, held strictly to the lexical rules of xs:base64Binary.

Grammar (XML Schema part 2, 3.2.16)
    Base64Binary  ::= ((B64S B64S B64S B64S)*
                       ((B64S B64S B64S B64) | (B64S B64S B16S '=') | (B64S B04S '=' #x20? '=')))?
    B64           ::= [A-Za-z0-9+/]
    B16           ::= [AEIMQUYcgkosw048]          the last two bits are zero
    B04           ::= [AQgw]                      the last four bits are zero
    B64S          ::= B64 #x20?                   white space is collapsed first, so it may be any #x20 #x9 #xA #xD
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

import pybase64

from soapsvc.wire.base64_lines import in_one_line, lines_of

WHITE_SPACE = b" \t\n\r"
DECODE_BYTES = 64 * 1024  # decoded at once: large enough that the call costs nothing beside the decoding

_FOREIGN = re.compile(rb"[^A-Za-z0-9+/= \t\n\r]")
_LAST = {1: b"AEIMQUYcgkosw048", 2: b"AQgw"}  # padding to what may stand before it: B16, B04


class Base64Reader:
    """Decodes what it is fed and writes it on; the first thing that is wrong stops the decoding, not the reading.

    write  gets the decoded bytes, piece by piece
    rule   id of the rule that the text breaks, None: none so far (final after finish())
    found  what is wrong, in words, without any of the document's content but one character
    wanted what would be right
    """

    def __init__(self, write: Callable[[bytes], None]):
        self._write = write
        self._waiting: list[str] = []
        self._waiting_chars = 0
        self._read_chars = 0
        self._rest = b""  # the characters after the last whole group that was decoded, white space taken out
        self.rule: str | None = None
        self.found = ""
        self.wanted = ""

    def feed(self, text: str) -> None:
        """Take the next characters, however many."""
        self._waiting.append(text)
        self._waiting_chars += len(text)
        if self._waiting_chars >= DECODE_BYTES:
            self._decode_waiting()

    def finish(self) -> None:
        """Decode what is left; the last group may be padded."""
        self._decode_waiting()
        if self.rule is None:
            self._decode_last_groups()

    def _decode_waiting(self) -> None:
        text = "".join(self._waiting)
        self._waiting, self._waiting_chars = [], 0
        if self.rule is None:
            self._decode(text)
        self._read_chars += len(text)

    def _decode(self, text: str) -> None:
        sent = text.encode("ascii") if text.isascii() else _one_byte_each(text)
        # Most documents are one line or lines of 76 characters: the decoder finds out at the first white space. It
        # looks at every character ten times faster than a regular expression does.
        if not self._takes(self._rest + sent) and not self._takes(self._rest + sent.translate(None, WHITE_SPACE)):
            self._look_for_what_is_wrong(text, sent)

    def _takes(self, characters: bytes) -> bool:
        """Decode what is there but for the last group, which waits: padding is allowed there alone. False: there is
        something else than groups of four characters of the alphabet; nothing is decoded."""
        whole = max(0, (len(characters) - 1) // 4 * 4)
        groups, rest = characters[:whole], characters[whole:]
        if groups.endswith(b"=") or _FOREIGN.search(rest):
            return False
        try:
            decoded = pybase64.b64decode(groups, validate=True)
        except binascii.Error:
            return False
        self._rest = rest.translate(None, WHITE_SPACE)
        if decoded:
            self._write(decoded)
        return True

    def _look_for_what_is_wrong(self, text: str, sent: bytes) -> None:
        foreign = _FOREIGN.search(sent)
        characters = self._rest + (sent[: foreign.start()] if foreign else sent).translate(None, WHITE_SPACE)
        if b"=" in characters[: max(0, (len(characters) - 1) // 4 * 4)]:
            self._is_wrong(
                "PAY-002",
                "base64 that goes on after its padding",
                "`=` in the last group of four characters alone; join the bytes before they are encoded",
            )
        else:
            assert foreign, "the decoder takes every character of the alphabet"
            at = foreign.start()
            self._is_wrong(
                "PAY-001",
                f"the character {_named(text[at])} as number {self._read_chars + at + 1} of the document's text",
                "base64: A-Z a-z 0-9 + / = and white space alone",
            )

    def _decode_last_groups(self) -> None:
        last = self._rest
        if not last:
            return
        encoded = last.rstrip(b"=")
        padding = len(last) - len(encoded)
        if len(last) % 4 or padding > 2 or b"=" in encoded:
            found = f"a last group of {_characters(len(encoded))} and {padding} padding `=`"
            if b"=" in encoded:
                found = "a character after the padding"
            self._is_wrong(
                "PAY-002",
                found,
                "groups of four characters, the last one filled up with one or two `=`; is it cut off?",
            )
        elif not _spare_bits_are_zero(encoded, padding):
            self._is_wrong(
                "PAY-003",
                f"{2 * padding} spare bits before the padding that are not all zero",
                "spare bits of zero (RFC 4648, 3.5); is the last character damaged?",
            )
        else:
            self._write(pybase64.b64decode(last, validate=True))

    def _is_wrong(self, rule: str, found: str, wanted: str) -> None:
        self.rule, self.found, self.wanted = rule, found, wanted


def decoded_whole(text: str) -> bytes | None:
    """The bytes of a text that is base64 by every rule that `Base64Reader` holds; None: by one of them it is not, or
    might not be."""
    if not text.isascii():
        return None
    sent = text.encode("ascii").strip(WHITE_SPACE)
    characters = in_one_line(sent, *lines_of(sent))
    decoded = None if characters is None else decoded_characters(characters)
    return decoded_characters(sent.translate(None, WHITE_SPACE)) if decoded is None else decoded


def decoded_characters(characters: bytes) -> bytes | None:
    """The same of a text without white space."""
    encoded = characters.rstrip(b"=")
    padding = len(characters) - len(encoded)
    if len(characters) % 4 or not _spare_bits_are_zero(encoded, padding):
        return None
    try:
        return pybase64.b64decode(characters, validate=True)  # says no to `=` and to any foreign character before there
    except binascii.Error:
        return None


def _spare_bits_are_zero(encoded: bytes, padding: int) -> bool:
    """Whether the last character before so much padding is one that may stand there."""
    return padding == 0 or encoded[-1:] in _LAST.get(padding, ())


def _one_byte_each(text: str) -> bytes:
    """The text with every character outside US-ASCII as one byte that is in no alphabet, so that positions stay."""
    return text.encode("ascii", "replace").replace(b"?", b"\xff")


def _characters(count: int) -> str:
    return "one character" if count == 1 else f"{count} characters"


def _named(character: str) -> str:
    shown = f"`{character}` " if character.isprintable() and not character.isspace() else ""
    return f"{shown}(U+{ord(character):04X})"
