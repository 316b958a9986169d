"""What a message says, in one digest: what a sender makes anew for each attempt is left out, everything else counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from lxml import etree

from soapsvc.contract.message_parts import role
from soapsvc.wire.envelope_reader import ReadDocument

_MADE_ANEW = frozenset({"submissiontime", "completiontime"})
"""Roles of elements in which a sender may tell the time of the attempt (WSDL StatusType)."""


def fingerprint(body: etree._Element, documents: Iterable[ReadDocument]) -> str:
    """Hex SHA-256 of everything within Body: names, attributes, texts and documents, in document order.

    documents  each counts by its decoded bytes, however its base64 was cut into lines
    Prefixes, comments, the order of attributes and white space around a text make no difference.
    """
    by_element = {document.element: document for document in documents}
    digest = hashlib.sha256()

    def put(*words: str) -> None:
        for word in words:
            encoded = word.encode()
            digest.update(b"%d:" % len(encoded))  # the length keeps ("a", "bc") and ("ab", "c") apart
            digest.update(encoded)

    skipped: etree._Element | None = None
    for event, element in etree.iterwalk(body, events=("start", "end")):
        if event == "start" and skipped is None and role(element) in _MADE_ANEW:
            skipped = element
        if skipped is None and event == "start":
            put("<", str(element.tag))
            for name, value in sorted((str(name), str(value)) for name, value in element.items()):
                put("@", name, value)
            document = by_element.get(element)
            if document is not None:
                put("#", document.encoding, document.content.sha256)
            else:
                put("=", (element.text or "").strip())
        elif event == "end":
            if element is skipped:
                skipped = None
            if skipped is None:
                put("/", (element.tail or "").strip())
    return digest.hexdigest()
