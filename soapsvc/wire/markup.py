"""A small message cut at its angle brackets: its tags, and the texts between them.

One sender's messages have the same tags again and again, byte for byte, and differ in what stands between. What was
found out of a message by its tags alone, held for the next one with the same tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from lxml import etree

XML_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Markup:
    """A body of which nothing is said but that it can be cut in one way.

    text   the body
    tags   all that stands between `<` and `>`, in order
    parts  of the body as text: what is before the first tag, a tag, what is between it and the next, a tag, …
    """

    text: str = field(repr=False)
    tags: str
    parts: list[str] = field(repr=False)

    @classmethod
    def of(cls, body: bytes) -> Markup | None:
        """The markup of a body in UTF-8; None: it cannot be said where its tags are without reading it as XML.

        Where after each `<` the next bracket is a `>`, and no comment, no CDATA and no DTD is there, each bracket is
        that of a tag: in XML none but `>` may stand elsewhere, and would be one too many. A body that is not XML may be
        cut into anything here; where its tags are those of one that is, its texts alone can be what is wrong with it.
        """
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return None
        parts = text.replace(">", "<").split("<")
        if not text.startswith("<") or _with_brackets(parts) != text:
            return None
        tags = "<".join(parts[1::2])
        return None if tags.startswith("!") or "<!" in tags else cls(text, tags, parts)

    def without(self, texts: Iterable[int]) -> bytes:
        """The body without some of its texts.

        texts  their numbers in `parts`, in order
        """
        kept, begin, end, first = [], 0, 0, 0
        for at in texts:
            end += sum(map(len, self.parts[first:at])) + at - first  # a bracket before each part but the first
            kept.append(self.text[begin:end])
            begin = end + len(self.parts[at])
            first = at
        kept.append(self.text[begin:])
        return "".join(kept).encode()


def _with_brackets(parts: Sequence[str]) -> str:
    """The parts with a `<` behind the first of them, a `>` behind the next, and so on."""
    whole = [""] * (2 * len(parts) - 1)
    whole[::2] = parts
    whole[1::4] = ["<"] * (len(parts) // 2)
    whole[3::4] = [">"] * ((len(parts) - 1) // 2)
    return "".join(whole)


class TextPlaces:
    """Where the texts are in messages that have the same tags as one whose tree is known.

    of_ordinal  for each element of the tree in document order: the number of its text in `parts`; None: it has other
                elements inside, or is an empty tag
    """

    def __init__(self, markup: Markup):
        parts = markup.parts
        tags = range(1, len(parts), 2)
        starts = [at for at in tags if parts[at][:1] not in ("/", "?")]
        self.of_ordinal: list[int | None] = [
            at + 1 if not parts[at].endswith("/") and parts[at + 2].startswith("/") else None for at in starts
        ]
        self._ordinals = {at: n for n, at in enumerate(self.of_ordinal) if at is not None}
        self._between = itemgetter(0, *(at for at in range(0, len(parts), 2) if at not in self._ordinals))

    def hold_all_texts(self, markup: Markup) -> bool:
        """Whether there is nothing but white space elsewhere."""
        return not "".join(self._between(markup.parts)).strip(XML_SPACE)

    def read_anew(self, texts: list[str], elements: Sequence[etree._Element]) -> None:
        """Put into the place of each text as it was written what XML reads there.

        elements  of the tree, in document order; the places of texts that were taken out of it are left with ""
        """
        for place, ordinal in self._ordinals.items():
            texts[place] = elements[ordinal].text or ""


def is_written_as_it_reads(body: bytes) -> bool:
    """Whether XML reads all texts as they are written: without a reference, and with no line end but a line feed."""
    return b"&" not in body and b"\r" not in body
