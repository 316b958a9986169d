"""A small message without anything odd about it, read in one go: what nearly every push is, its long texts taken out.

A tree of a few kilobytes at once takes a fifth of the time that the push parser's target takes for it. What is read
here is what `envelope_reader` would have read, with no deviation; of anything else nothing is said here but that it is
not plain, and `envelope_reader` judges it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache

from lxml import etree

from soapsvc.spool import INLINE_BYTES, Content
from soapsvc.wire.base64_reader import decoded_whole
from soapsvc.wire.envelope_reader import Envelope, ReadDocument
from soapsvc.wire.envelope_target import ENTITIES, Limits, document_format
from soapsvc.wire.line_index import EXPAT_PIECE_BYTES, LineIndex, index_lines
from soapsvc.wire.markup import Markup, TextPlaces

PLAIN_BYTES = INLINE_BYTES  # of a body: its documents are smaller, so nothing here needs a file
_NAME_CHARS = 256  # of a name with its namespace; longer ones would fill the memory for names

_BEGIN = re.compile(
    rb"""(?:<\?xml[ ]version=(["'])1\.0\1(?:[ ]encoding=(["'])[Uu][Tt][Ff]-8\2)?[ ]?\?>[ \t\r\n]*)?<[A-Za-z_]"""
)
"""No byte order mark, no DOCTYPE, and no encoding but UTF-8: the document element comes first."""
_NAME = re.compile(r"(?:\{[^}]*\})?(?P<local>[A-Za-z_][A-Za-z0-9_.-]*)")
_NAMESPACE = re.compile(r"(?:https?://|urn:)[A-Za-z0-9:/._-]+")  # what nobody finds fault with

_of_thread = threading.local()


@dataclass(frozen=True, slots=True)
class PlainBody:
    """A body that may be a plain message.

    own    what may be read in one go: all of it, or what is left where long texts were taken out
    raw    the whole of it
    texts  the decoded ones of those that were taken out, by their number among the parts of the body's markup
    """

    own: bytes = field(repr=False)
    raw: Content
    texts: Mapping[int, Content]

    @classmethod
    def of(cls, body: bytes) -> PlainBody:
        return cls(body, Content.of(body), {})


def read_plain(
    body: PlainBody, markup: Markup | None, *, limits: Limits, document_names: frozenset[str]
) -> Envelope | None:
    """The envelope of a whole body whose Content-Type names UTF-8 or no charset, as `read_envelope` reads it; None:
    that one has to be asked.

    markup          of the body, if it has one
    document_names  as there
    """
    if len(body.own) > PLAIN_BYTES or _BEGIN.match(body.own) is None or (markup is None and body.texts):
        return None
    root = parsed(body.own)
    if root is None:
        return None
    elements = list(root.iter())
    if not _within(limits, root, elements, len(body.own)):
        return None
    texts = {}
    if markup is not None and body.texts:
        of_ordinal = TextPlaces(markup).of_ordinal
        texts = {elements[of_ordinal.index(at)]: text for at, text in body.texts.items() if at in of_ordinal}
        if len(texts) < len(body.texts):
            return None
    documents = []
    for element in elements:
        if _plain_name(element.tag) in document_names:
            document = _document(element, texts.pop(element, None))
            if document is None:
                return None
            documents.append(document)
    if len(documents) > limits.documents or texts:
        return None
    return Envelope(root, tuple(documents), body.raw, (), cache(lambda: _index(body.raw)))


def parsed(body: bytes) -> etree._Element | None:
    """The document element of a body in UTF-8, when there is nothing beside it; None: there is, or it is not
    well-formed."""
    parser = getattr(_of_thread, "parser", None)
    if parser is None:
        parser = _of_thread.parser = etree.XMLParser(
            encoding="utf-8", resolve_entities=ENTITIES, no_network=True, load_dtd=False
        )
    if not body.isascii():
        try:
            body.decode()  # more strictly than libxml2 does
        except UnicodeDecodeError:
            return None
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        return None
    return root if root.getnext() is None else None


def _within(limits: Limits, root: etree._Element, elements: list[etree._Element], body_bytes: int) -> bool:
    """Whether all names are plain, and no limit can be passed: where it might be, it is counted exactly elsewhere."""
    longest = min(limits.name_chars, _NAME_CHARS)
    declarations = 0
    for _, (prefix, namespace) in etree.iterwalk(root, events=("start-ns",)):
        declarations += 1
        if len(prefix) > longest or len(namespace) > longest or _NAMESPACE.fullmatch(namespace) is None:
            return False
    if len(elements) > limits.elements or (len(elements) > limits.depth and _depth(elements) > limits.depth):
        return False
    characters = body_bytes
    for element in elements:
        tag = element.tag
        if not isinstance(tag, str) or len(tag) > longest or _plain_name(tag) is None:  # no str: a comment
            return False
        attributes = element.keys()
        if attributes and len(attributes) + declarations > limits.attributes:
            return False
        for name in attributes:
            if len(name) > longest or _plain_name(name) is None:
                return False
            characters += len(name)  # with its namespace, which is not written out in the body
    return declarations <= limits.attributes and characters <= limits.text_chars


@lru_cache(maxsize=4096)
def _plain_name(clark_name: str) -> str | None:
    """The local name in lower case; None: it is not one of US-ASCII letters, or not a name."""
    found = _NAME.fullmatch(clark_name)
    return None if found is None else found["local"].lower()


def _depth(elements: list[etree._Element]) -> int:
    """Of the deepest element, the first being at 1."""
    depths: dict[etree._Element | None, int] = {elements[0].getparent(): 0}
    for element in elements:
        depths[element] = depths[element.getparent()] + 1
    return max(depths.values())


def _index(raw: Content) -> LineIndex:
    """Once for a message: each element that deviates asks for its line."""
    with raw.open() as stream:
        return index_lines(iter(lambda: stream.read(EXPAT_PIECE_BYTES), b""))


def _document(element: etree._Element, taken_out: Content | None) -> ReadDocument | None:
    """The document in an element, taken out of the tree; None: it is not plain."""
    if len(element):
        return None
    kind = (document_format({str(name): str(value) for name, value in element.items()}) or "base64").strip().lower()
    if taken_out is not None:
        element.text = None  # the white space around it
        return ReadDocument(element, taken_out, kind) if kind == "base64" else None
    text = element.text or ""
    content = decoded_whole(text) if kind == "base64" else text.encode() if kind == "text" else None
    if content is None:
        return None
    element.text = None
    return ReadDocument(element, Content.of(content), kind)
