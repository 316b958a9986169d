"""Edits of a WSDL as text: what is not edited stays as it was written, comments, order and white space included.

The text is worked on in UTF-8, whatever the file is in, and goes back into the file's own encoding at the end.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from lxml import etree

from soapsvc.contract.wsdl_document import WsdlDocument

INDENT = "  "
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_TAG = re.compile(rb"""<[^\s/>]+(?:\s+[^\s=>/]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*/?>""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=>/]+)\s*=\s*("[^"]*"|'[^']*')""")
_TAG_NAME = re.compile(rb"</?([^\s/>]+)")


@dataclass(frozen=True, slots=True)
class Splice:
    """A piece of the text that another takes the place of; start == end: it is put in between."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Span:
    """Where an element stands: `tag_end` is behind its start tag, `close` at its end tag (None: it has none)."""

    start: int
    tag_end: int
    close: int | None
    end: int


class WsdlText:
    """The text of a WSDL with the place of each of its elements; schemas in files beside it are not edited."""

    def __init__(self, document: WsdlDocument):
        self._bom, self._codec, self._data = _utf8(document)
        self.root = document.root
        elements = document.root.iter(etree.Element)
        self._spans = dict(zip(elements, _spans(self._data), strict=True))

    def holds(self, element: etree._Element | None) -> bool:
        """Whether the element stands in this text, and so can be edited."""
        return element in self._spans

    def with_splices(self, splices: Iterable[Splice]) -> bytes:
        """The file with the splices made; they do not overlap, and of two at one place the first comes first."""
        data, at = bytearray(), 0
        for splice in sorted(splices, key=lambda splice: splice.start):
            data += self._data[at : splice.start] + splice.text.encode()
            at = splice.end
        text = bytes(data + self._data[at:]).decode()
        return self._bom + text.encode(self._codec, "xmlcharrefreplace")

    # Splices ---------------------------------------------------------------------------------------------------------

    def source(self, element: etree._Element) -> str:
        """The element as it is written, without the indentation of its first line."""
        span = self._spans[element]
        return self._data[span.start : span.end].decode()

    def set(self, element: etree._Element, name: str, value: str | None) -> Splice:
        """An attribute (by its name as written) with another value; None: without it."""
        span = self._spans[element]
        at = _TAG_NAME.match(self._data, span.start)
        assert at is not None, "an element begins with its tag"
        position = at.end()
        while (found := _ATTRIBUTE.match(self._data, position)) is not None:
            if found[1].decode() == name:
                if value is None:
                    return Splice(found.start(), found.end(), "")
                return Splice(found.start(2), found.end(2), quoteattr(value))
            position = found.end()
        return Splice(position, position, "" if value is None else f" {name}={quoteattr(value)}")

    def remove(self, element: etree._Element) -> Splice:
        """The element away, with the white space before it."""
        span = self._spans[element]
        start = len(self._data[: span.start].rstrip())
        return Splice(start, span.end, "")

    def replace(self, element: etree._Element, lines: Sequence[str]) -> Splice:
        """Lines in place of the element."""
        span = self._spans[element]
        return Splice(span.start, span.end, self._joined(lines, self._indent(span.start)).lstrip())

    def before(self, element: etree._Element, lines: Sequence[str]) -> Splice:
        """Lines before the element, indented as it is."""
        span = self._spans[element]
        indent = self._indent(span.start)
        return Splice(span.start, span.start, self._joined(lines, indent).lstrip() + f"\n{indent}")

    def after(self, element: etree._Element, lines: Sequence[str]) -> Splice:
        """Lines behind the element, indented as it is."""
        span = self._spans[element]
        return Splice(span.end, span.end, "\n" + self._joined(lines, self._indent(span.start)))

    def first_in(self, element: etree._Element, lines: Sequence[str]) -> Splice:
        """Lines as the first content of the element."""
        span = self._spans[element]
        if span.close is None:
            return self.last_in(element, lines)
        indent = self._indent(span.start) + INDENT
        return Splice(span.tag_end, span.tag_end, "\n" + self._joined(lines, indent))

    def last_in(self, element: etree._Element, lines: Sequence[str]) -> Splice:
        """Lines as the last content of the element."""
        span = self._spans[element]
        indent = self._indent(span.start)
        inside = "\n" + self._joined(lines, indent + INDENT)
        if span.close is not None:
            end = len(self._data[: span.close].rstrip())
            return Splice(end, end, inside if self._data[end : span.close].strip(b" \t") else f"{inside}\n{indent}")
        name = _TAG_NAME.match(self._data, span.start)
        assert name is not None, "an element begins with its tag"
        slash = self._data.rindex(b"/", span.start, span.end)
        return Splice(slash, span.end, f">{inside}\n{indent}</{name[1].decode()}>")

    def renamed(self, element: etree._Element, local_name: str) -> list[Splice]:
        """The element under another local name; its prefix stays."""
        span = self._spans[element]
        splices = []
        for start in (span.start, span.close):
            name = None if start is None else _TAG_NAME.match(self._data, start)
            if name is not None:
                prefix = name[1].decode().rpartition(":")[0]
                splices.append(Splice(name.start(1), name.end(1), f"{prefix}:{local_name}" if prefix else local_name))
        return splices

    def _indent(self, start: int) -> str:
        line = self._data[self._data.rfind(b"\n", 0, start) + 1 : start].decode()
        return line if not line.strip() else line[: len(line) - len(line.lstrip())]

    @staticmethod
    def _joined(lines: Sequence[str], indent: str) -> str:
        return "\n".join(indent + line if line else "" for line in lines)


def _utf8(document: WsdlDocument) -> tuple[bytes, str, bytes]:
    """Byte order mark, codec and text of a WSDL; the text in UTF-8."""
    marks = ((bom, codec) for bom, codec in _BOMS if document.raw.startswith(bom))
    bom, codec = next(marks, (b"", document.charset))
    return bom, codec, document.raw[len(bom) :].decode(codec).encode()


def _spans(data: bytes) -> list[_Span]:
    """Of each element in document order."""
    spans: list[_Span] = []
    opened: list[int] = []
    parser = expat.ParserCreate("utf-8")  # whatever its declaration says: it has been decoded

    def start_element(_name: str, _attributes: object) -> None:
        start = parser.CurrentByteIndex
        tag = _TAG.match(data, start)
        assert tag is not None, "expat saw a tag"
        opened.append(len(spans))
        spans.append(_Span(start, tag.end(), None, tag.end()))

    def end_element(_name: str) -> None:
        n = opened.pop()
        span = spans[n]
        if data[span.tag_end - 2 : span.tag_end] != b"/>":
            close = parser.CurrentByteIndex
            spans[n] = _Span(span.start, span.tag_end, close, data.index(b">", close) + 1)

    parser.StartElementHandler, parser.EndElementHandler = start_element, end_element
    parser.Parse(data, True)
    return spans
