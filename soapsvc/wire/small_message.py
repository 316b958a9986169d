"""The short way for a small message with nothing wrong in it: one call into libxml2, the documents decoded afterwards.

It only ever says yes: whatever looks odd (a comment excepted) is left to the streaming reader, which says what is
wrong. So a deviation is found in one place, and a test holds both ways to the same outcome. It takes a sixth of the
time.
"""

from __future__ import annotations

import re
import threading
from functools import lru_cache

from lxml import etree

from soapsvc.spool import Content, Spool
from soapsvc.wire.base64_reader import Base64Reader
from soapsvc.wire.envelope_target import Limits

SMALL_BYTES = 128 * 1024  # above, the documents are most of the message and the streaming reader is as fast

_NAMESPACE_DECLARATION = re.compile(rb"""xmlns(?::([^\s=]*))?\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_OF_THREAD = threading.local()

SmallDocument = tuple[etree._Element, Content, str]
"""The element, the decoded content, and "base64" or "text"."""


def read_small(
    utf8: bytes, limits: Limits, document_names: frozenset[str], spool: Spool
) -> tuple[etree._Element, list[SmallDocument]] | None:
    """The tree without the documents' text, and the documents; None: the streaming reader has to look at it."""
    if b"<!DOCTYPE" in utf8 or utf8.find(b"<?", 1) >= 0 or len(utf8) > limits.text_chars:
        return None
    declarations = _NAMESPACE_DECLARATION.findall(utf8)
    if any(len(part) > limits.name_chars for declaration in declarations for part in declaration):
        return None
    root = _tree(utf8)
    if root is None or _too_deep(limits.depth)(root):
        return None
    elements = _documents_within(root, limits, document_names, limits.attributes - len(declarations))
    if elements is None or len(elements) > limits.documents:
        return None
    documents = []
    for element in elements:
        document = _decoded(element, spool)
        if document is None:
            return None
        documents.append(document)
    for element in elements:
        element.text = None
    return root, documents


def _tree(utf8: bytes) -> etree._Element | None:
    """The tree, if libxml2 has nothing to remark on it: an unusual namespace name is a remark."""
    parser = getattr(_OF_THREAD, "parser", None)
    if parser is None:
        parser = _OF_THREAD.parser = etree.XMLParser(
            encoding="utf-8",
            remove_comments=True,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
        )
    try:
        root: etree._Element = etree.fromstring(utf8, parser)
    except etree.XMLSyntaxError:
        return None
    return None if len(parser.error_log) else root


@lru_cache(maxsize=8)
def _too_deep(depth: int) -> etree.XPath:
    return etree.XPath("boolean(" + "/*" * (depth + 1) + ")")


def _documents_within(
    root: etree._Element, limits: Limits, document_names: frozenset[str], attributes: int
) -> list[etree._Element] | None:
    """The document elements, if elements, attributes and names are within the limits."""
    name_chars = limits.name_chars
    documents = []
    elements = 0
    for element in root.iter():
        elements += 1
        tag = str(element.tag)
        if len(tag) > name_chars:
            return None
        sent = element.keys()
        if len(sent) > attributes or any(len(name) > name_chars for name in sent):
            return None
        if tag[tag.rfind("}") + 1 :].lower() in document_names:
            documents.append(element)
    return documents if elements <= limits.elements else None


def _decoded(element: etree._Element, spool: Spool) -> SmallDocument | None:
    kind = (element.get("format") or "base64").strip().lower()
    if len(element) or kind not in ("base64", "text"):
        return None
    sink = spool.sink()
    text = element.text or ""
    if kind == "text":
        sink.write(text.encode("utf-8"))
    else:
        reader = Base64Reader(sink.write)
        reader.feed(text)
        reader.finish()
        if reader.rule is not None:
            return None
    return element, sink.finish(), kind
