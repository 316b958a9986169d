"""What a message says, in one digest: what a sender makes anew for each attempt is left out, everything else counts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Generic

from lxml import etree

from soapsvc.contract.message_parts import remembered, role_of_name
from soapsvc.contract.push_layout import Place
from soapsvc.wire.envelope_reader import ReadDocument

_MADE_ANEW = frozenset({"submissiontime", "completiontime"})
"""Roles of elements in which a sender may tell the time of the attempt (WSDL StatusType)."""
_PARTS = 4096  # digested at once: as many as a small message has
_SAYS_NOTHING = "1:=0:"


def fingerprint(body: etree._Element, documents: Iterable[ReadDocument]) -> str:
    """Hex SHA-256 of everything within Body: names, attributes, texts and documents, in document order.

    documents  each counts by its decoded bytes, however its base64 was cut into lines
    Prefixes, comments, the order of attributes and white space around a text make no difference.
    """
    by_element = {document.element: document for document in documents}
    digest = hashlib.sha256()
    parts: list[str] = []
    for part in _parts(body):
        if isinstance(part, str):
            parts.append(part)
        elif part in by_element:
            parts.append(document_said(by_element[part].encoding, by_element[part].content.sha256))
        else:
            parts.append(text_said(part.text or ""))
        if len(parts) > _PARTS:
            digest.update("".join(parts).encode())
            parts.clear()
    digest.update("".join(parts).encode())
    return digest.hexdigest()


class FingerprintForm(Generic[Place]):
    """The fingerprint of messages that have one markup, but for what they say in it.

    places  where it counts what is said, in document order
    """

    def __init__(self, constants: tuple[str, ...], places: tuple[Place, ...]):
        """constants  what stands before each place, and after the last"""
        self._constants, self.places = constants, places

    @classmethod
    def of(cls, body: etree._Element, place: Callable[[etree._Element], Place | None]) -> FingerprintForm[Place]:
        """The form of a message.

        place  of an element that says something; None: what it says is white space in each message of this markup
        """
        constants, places = [""], []
        for part in _parts(body):
            found = None if isinstance(part, str) else place(part)
            if found is None:
                constants[-1] += part if isinstance(part, str) else _SAYS_NOTHING
            else:
                places.append(found)
                constants.append("")
        return cls(tuple(constants), tuple(places))

    def digest(self, said: Iterable[str]) -> str:
        """The fingerprint of the message that says so, at each place (`text_said`, `document_said`)."""
        parts = chain.from_iterable(zip(self._constants, said, strict=False))
        return hashlib.sha256(("".join(parts) + self._constants[-1]).encode()).hexdigest()


def text_said(text: str) -> str:
    """A text as it counts."""
    text = text.strip()
    return f"1:={len(text) if text.isascii() else len(text.encode())}:{text}"


def document_said(encoding: str, sha256: str) -> str:
    """A document as it counts."""
    return f"1:#{_word(encoding)}{_word(sha256)}"


def _parts(body: etree._Element) -> Iterator[str | etree._Element]:
    """All that counts, in document order: as it counts, or the element whose own text or document comes there."""
    skipped: etree._Element | None = None
    for event, element in etree.iterwalk(body, events=("start", "end")):
        if event == "end":
            if element is skipped:
                skipped = None
            if skipped is None:
                tail = (element.tail or "").strip()
                yield f"1:/{_word(tail)}" if tail else "1:/0:"
        elif skipped is None:
            begin = _begin(element.tag)
            if begin is None:
                skipped = element
                continue
            yield begin
            for name, value in sorted(element.items()):
                yield f"1:@{_word(str(name))}{_word(str(value))}"
            yield element


def _word(word: str) -> str:
    """The word behind its length in bytes, which keeps ("a", "bc") and ("ab", "c") apart."""
    return f"{len(word) if word.isascii() else len(word.encode())}:{word}"


@remembered
def _begin(tag: str) -> str | None:
    """How an element of the name begins; None: it is left out with all that it contains."""
    return None if role_of_name(tag) in _MADE_ANEW else f"1:<{_word(tag)}"
