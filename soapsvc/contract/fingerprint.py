"""What a message says, in one digest: what a sender makes anew for each attempt is left out, everything else counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from lxml import etree

from soapsvc.contract.message_parts import remembered, role_of_name
from soapsvc.wire.envelope_reader import ReadDocument

_MADE_ANEW = frozenset({"submissiontime", "completiontime"})
"""Roles of elements in which a sender may tell the time of the attempt (WSDL StatusType)."""
_PARTS = 4096  # digested at once: as many as a small message has


def fingerprint(body: etree._Element, documents: Iterable[ReadDocument]) -> str:
    """Hex SHA-256 of everything within Body: names, attributes, texts and documents, in document order.

    documents  each counts by its decoded bytes, however its base64 was cut into lines
    Prefixes, comments, the order of attributes and white space around a text make no difference.
    """
    by_element = {document.element: document for document in documents}
    digest = hashlib.sha256()
    parts: list[str] = []
    skipped: etree._Element | None = None
    for event, element in etree.iterwalk(body, events=("start", "end")):
        if event == "end":
            if element is skipped:
                skipped = None
            if skipped is None:
                tail = (element.tail or "").strip()
                parts.append(f"1:/{_word(tail)}" if tail else "1:/0:")
        elif skipped is None:
            begin = _begin(element.tag)
            if begin is None:
                skipped = element
                continue
            parts.append(begin)
            for name, value in sorted(element.items()):
                parts.append(f"1:@{_word(str(name))}{_word(str(value))}")
            if element in by_element:
                document = by_element[element]
                parts.append(f"1:#{_word(document.encoding)}{_word(document.content.sha256)}")
            else:
                parts.append(f"1:={_word((element.text or '').strip())}")
        if len(parts) > _PARTS:
            digest.update("".join(parts).encode())
            parts.clear()
    digest.update("".join(parts).encode())
    return digest.hexdigest()


def _word(word: str) -> str:
    """The word behind its length in bytes, which keeps ("a", "bc") and ("ab", "c") apart."""
    return f"{len(word) if word.isascii() else len(word.encode())}:{word}"


@remembered
def _begin(tag: str) -> str | None:
    """How an element of the name begins; None: it is left out with all that it contains."""
    return None if role_of_name(tag) in _MADE_ANEW else f"1:<{_word(tag)}"
