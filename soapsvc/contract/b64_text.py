"""Text carried as base64 of some character set, as the attribute b64charset says [S16] [S17] (docs/contract.md)."""

from __future__ import annotations

from soapsvc.wire.base64_reader import Base64Reader

BINARY = "binary"

_CODECS = {
    name.replace("-", "").replace("_", ""): name
    for name in (
        "us-ascii", "ascii", "utf-8", "utf-16", "utf-16le", "utf-16be", "shift_jis", "euc-jp", "euc-kr", "big5",
        "gb2312", "gbk", "gb18030", "iso-2022-jp", "iso-2022-kr", "koi8-r",
        *(f"iso-8859-{n}" for n in (*range(1, 12), 13, 14, 15, 16)), *(f"windows-{n}" for n in range(1250, 1259)),
    )
} | {"ksc56011987": "euc-kr"}  # fmt: skip
"""The vendor's list of character sets as Python has them (all but ISO-2022-CN), and their nearest kin, by name without
hyphens. A list of its own, because Python's codecs also hold ones that take quadratic time (punycode) and ones that
are no character sets (unicode_escape)."""

TAKEN = ", ".join(sorted(set(_CODECS.values())))
SHOWN_CHARS = 80  # of a value in a verdict


class NotText(Exception):
    """The base64 does not give text.

    rule    id in soapsvc.rules.RULES
    found, wanted  as in a Deviation
    """

    def __init__(self, rule: str, found: str, wanted: str):
        super().__init__(found)
        self.rule, self.found, self.wanted = rule, found, wanted


def decoded_text(text: str, b64charset: str) -> str:
    """The text that base64 of a character set stands for; with "binary" (letter case aside) the base64 itself.

    Errors  NotText: PAY-013 not base64, PAY-014 not in the character set, PAY-015 no character set that is read here
    """
    decoded = _strict(text)
    name = b64charset.strip().lower()
    if name == BINARY:
        return text
    codec = _CODECS.get(name.replace("-", "").replace("_", ""))
    if codec is None:
        raise NotText("PAY-015", f'b64charset reads "{b64charset[:SHOWN_CHARS]}"', "binary, or one of " + TAKEN)
    try:
        return decoded.decode(codec)
    except UnicodeDecodeError as error:
        found = f"byte {error.start + 1} of {len(decoded)} stands for no character of {codec}"
        raise NotText("PAY-014", found, f"text in {codec}, as b64charset says") from None


def _strict(text: str) -> bytes:
    decoded = bytearray()
    reader = Base64Reader(decoded.extend)
    reader.feed(text)
    reader.finish()
    if reader.rule is not None:
        raise NotText("PAY-013", reader.found, f"{reader.wanted}, as b64charset says that the text is base64")
    return bytes(decoded)
