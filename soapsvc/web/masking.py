"""Raw messages as they may be shown: what is a credential in them is replaced by ***.

The raw download is the one place where it is to be seen. Here a message is looked at as text with tags, well-formed or
not: of a damaged one rather too much is masked than too little.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from soapsvc.secret_names import MASK, is_secret_element, is_secret_header, without_userinfo

_TAG = re.compile(r"<(?P<end>/?)(?P<name>[^\s<>/!?\"'=]+)(?P<rest>(?:\"[^\"]*\"|'[^']*'|[^<>\"'])*?)(?P<empty>/?)>")
_ATTRIBUTE = re.compile(r"([\w.:-]+)(\s*=\s*)(\"[^\"]*\"|'[^']*')")
_SHOWN = re.compile(r"\S")
_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)""")
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def masked(text: str, *, keep_length: bool = False) -> str:
    """The text of an envelope, or a part of its beginning, with *** for what is a credential; lines stay lines.

    keep_length  one * for each character, so that places stay where they are
    """
    pieces, at, depth = [], 0, 0
    for tag in _TAG.finditer(text):
        between = text[at : tag.start()]
        pieces.append(_hidden(between, keep_length) if depth else between)
        secret = is_secret_element(tag["name"].rpartition(":")[2])
        if tag["end"]:
            depth = max(0, depth - 1) if depth else 0
        elif not tag["empty"] and (depth or secret):
            depth += 1
        pieces.append(
            _ATTRIBUTE.sub(lambda one: _attribute(one, keep_length), tag[0]) if "=" in tag["rest"] else tag[0]
        )
        at = tag.end()
    rest = text[at:]
    pieces.append(_hidden(rest, keep_length) if depth else rest)
    whole = "".join(pieces)
    return whole if keep_length else without_userinfo(whole)


def masked_headers(http_headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """HTTP headers with *** for those that carry a credential."""
    return [(name, MASK if is_secret_header(name) else value) for name, value in http_headers]


def masked_bytes(raw: bytes, codec: str) -> bytes:
    """The bytes with * in place of what is a credential, each at its place."""
    if not codec.startswith("utf-16"):
        return masked(raw.decode("latin-1"), keep_length=True).encode("latin-1")
    even = raw[: len(raw) // 2 * 2]
    text = even.decode(codec, "surrogatepass")
    return masked(text, keep_length=True).encode(codec, "surrogatepass") + raw[len(even) :]


def codec_of(head: bytes, http_headers: Iterable[tuple[str, str]]) -> str:
    """In which codec an envelope is shown: byte order mark, the Content-Type's charset, the XML declaration, UTF-8."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    sent = next((value for name, value in http_headers if name.lower() == "content-type"), "")
    for found in (_CHARSET.search(sent), _DECLARED.search(head)):
        if found is None:
            continue
        name = found[1] if isinstance(found[1], str) else found[1].decode("ascii")
        try:
            codec = codecs.lookup(name).name
        except (LookupError, ValueError):
            continue
        if codec == "utf-16":
            return "utf-16-be"
        if codec in _TEXTS:
            return codec
    return "utf-8"


_TEXTS = frozenset(
    {"utf-8", "utf-16-le", "utf-16-be", "ascii", "iso8859-1", "iso8859-15", "iso8859-2", "cp1252", "cp1250"}
)


def _hidden(between: str, keep_length: bool) -> str:
    if not _SHOWN.search(between):
        return between
    if keep_length:
        return re.sub(r"\S", "*", between)
    lines = between.count("\n")
    return MASK + "\n" * lines


def _attribute(found: re.Match[str], keep_length: bool) -> str:
    if not is_secret_element(found[1].rpartition(":")[2]):
        return found[0]
    quote, value = found[3][0], found[3][1:-1]
    return f"{found[1]}{found[2]}{quote}{'*' * len(value) if keep_length else MASK}{quote}"
