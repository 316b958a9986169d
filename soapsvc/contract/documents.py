"""Documents whose text the wire left in the tree."""

from __future__ import annotations

from lxml import etree

from soapsvc.contract.b64_text import SHOWN_CHARS
from soapsvc.contract.message_parts import text_of
from soapsvc.contract.push_reader import Tell
from soapsvc.spool import Content
from soapsvc.wire.base64_reader import Base64Reader
from soapsvc.wire.envelope_reader import ReadDocument
from soapsvc.wire.envelope_target import document_format


def left_in_the_tree(element: etree._Element, tell: Tell[etree._Element]) -> ReadDocument:
    """A document whose text the wire left where it was, because the schema has facets for it; decoded by the same
    rules as those that it takes out."""
    text = text_of(element)
    sent_format = document_format({str(name): str(value) for name, value in element.items()})
    kind = (sent_format or "base64").strip().lower()
    if kind != "base64":
        if kind != "text":
            found = f'format="{(sent_format or "")[:SHOWN_CHARS]}"'
            tell("PAY-004", element, found, 'format="base64" or format="text"')
        return ReadDocument(element, Content.of(text.encode()), "text" if kind == "text" else "undecodable")
    decoded = bytearray()
    reader = Base64Reader(decoded.extend)
    reader.feed(text)
    reader.finish()
    if reader.rule is not None:
        tell(reader.rule, element, reader.found, reader.wanted)
        return ReadDocument(element, Content.of(text.encode()), "undecodable")
    return ReadDocument(element, Content.of(bytes(decoded)), "base64")
