"""Messages whose markup has been seen before: what nearly every push of a sender is.

All that the tags of a message decide (the limits, the SOAP rules, which element is what) was decided when the first one
with these tags was read, and found to deviate in nothing. Of the next ones the texts alone are read: the documents are
decoded, the rest is held against the schema, where that leaves a choice for texts, and the push is read from the places
that are known. Of a message of which more is to be said nothing is said here: it is read as if its markup were new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from lxml import etree

from soapsvc.contract.fingerprint import FingerprintForm, document_said, text_said
from soapsvc.contract.push_layout import PushLayout
from soapsvc.contract.push_reader import DecodedDocument, PushReader
from soapsvc.contract.roles import payload_holder, read_layout
from soapsvc.contract.text_rules import Rule, anything, is_well_formed_text, rule_of
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.namespaces import XML_SCHEMA_INSTANCE
from soapsvc.records import Arrival, Push
from soapsvc.spool import Content
from soapsvc.wire.base64_reader import decoded_whole
from soapsvc.wire.envelope_reader import Envelope
from soapsvc.wire.markup import Markup, TextPlaces, is_written_as_it_reads
from soapsvc.wire.plain_envelope import PlainBody, parsed

MARKUPS_KEPT = 64  # a sender has a few: one for each set of properties that it knows
MARKUPS_SEEN = 512  # and not learned yet: many are never seen again
MAX_TAGS_CHARS = 32 * 1024  # of a markup that is kept: 250 properties
_INSTANCE = f"{{{XML_SCHEMA_INSTANCE}}}"
_NO_TEXT = -1  # the place of an element whose text is "" in each message; "" is put behind all others

Fits = Callable[[etree._Element], bool]


class KnownMarkup:
    """What the markup of one message has decided for all that have the same.

    Errors  NotToBeKnown from the constructor: its tags alone do not decide enough
    """

    def __init__(self, markup: Markup, envelope: Envelope, wsdl: WsdlDocument):
        assert envelope.root is not None, "it was read"
        self._texts = TextPlaces(markup)
        layout, documents = read_layout(envelope, wsdl, _nothing_is_told)
        if len(self._texts.of_ordinal) != len(envelope.elements) or documents != envelope.documents:
            raise NotToBeKnown
        if not self._texts.hold_all_texts(markup):
            raise NotToBeKnown  # mixed content: what stands between its elements would be said of all
        names = [str(name) for element in envelope.elements for name, _ in element.items()]
        if any(name.startswith(_INSTANCE) for name in names):
            raise NotToBeKnown  # xsi:nil: whether it may be there depends on the text
        if any(document.encoding != "base64" for document in documents):
            raise NotToBeKnown
        at = dict(zip(envelope.elements, self._texts.of_ordinal, strict=True))

        def place(element: etree._Element) -> int:
            found = at[element]
            if found is not None:
                return found
            if len(element):  # its text is that of all within
                raise NotToBeKnown
            return _NO_TEXT

        self._layout: PushLayout[int] = layout.at_other_places(place)
        self._documents = [place(document.element) for document in documents]
        if _NO_TEXT in self._documents:
            raise NotToBeKnown
        self._of_place = {where: n for n, where in enumerate(self._documents)}
        self._form = FingerprintForm.of(payload_holder(envelope), at.get)
        self._documents_said = [
            (n, self._of_place[at]) for n, at in enumerate(self._form.places) if at in self._of_place
        ]
        self._attribute_chars = sum(map(len, names))
        self._rules = self._rules_of(envelope, at, wsdl)

    def _rules_of(
        self, envelope: Envelope, at: Mapping[etree._Element, int | None], wsdl: WsdlDocument
    ) -> tuple[tuple[int, Rule], ...] | None:
        """What has to hold at which places for a message to be valid; None: the schema has to be asked."""
        found = []
        for element, place in at.items():
            if place is None or place in self._of_place:
                continue
            names = [str(around.tag) for around in (element, *element.iterancestors())][::-1]
            rule = rule_of(wsdl.schema, names[2:])  # without Envelope, and Header or Body
            if rule is None:
                return None
            if rule is not anything:
                found.append((place, rule))
        return tuple(found)

    def push(self, markup: Markup, body: PlainBody, arrival: Arrival, fits: Fits, text_chars: int) -> Push | None:
        """The push of a message with this markup, when it deviates in nothing; None: it has to be asked otherwise.

        fits        whether the schema has nothing against a tree
        text_chars  what a message may have outside its documents
        """
        parts = markup.parts
        if not self._texts.hold_all_texts(markup) or len(body.own) + self._attribute_chars > text_chars:
            return None
        if not body.texts.keys() <= self._of_place.keys():
            return None
        decoded = []
        for where in self._documents:
            content = body.texts.get(where) or _decoded(parts[where])
            if content is None:
                return None
            decoded.append(DecodedDocument(content, "base64"))
        left = markup.without(self._documents)
        texts = [*parts, ""]
        root = None
        if not self._surely_fits(markup, left):
            root = parsed(left)
            if root is None:
                return None
            if not is_written_as_it_reads(left):
                self._texts.read_anew(texts, list(root.iter()))
        said = list(map(text_said, map(texts.__getitem__, self._form.places)))
        for n, document in self._documents_said:
            said[n] = document_said("base64", decoded[document].content.sha256)
        deviates: list[int] = []
        text = texts.__getitem__
        reader = PushReader(self._layout, text, lambda _rule, where, _found, _wanted: deviates.append(where))
        push = reader.push(arrival, body.raw, decoded, self._form.digest(said))
        return push if not deviates and (root is None or fits(root)) else None

    def _surely_fits(self, markup: Markup, left: bytes) -> bool:
        """Whether a message is known to be well-formed and valid without a tree of it.

        left  what is left of it without its documents
        """
        if self._rules is None or not is_written_as_it_reads(left) or not is_well_formed_text(left, markup.text):
            return False
        return all(rule(markup.parts[place]) for place, rule in self._rules)


def _decoded(text: str) -> Content | None:
    content = decoded_whole(text)
    return None if content is None else Content.of(content)


def _nothing_is_told(rule: str, _element: etree._Element, found: str, _wanted: str) -> None:
    raise AssertionError(f"a message that deviates in nothing deviates from {rule}: {found}")


class NotToBeKnown(Exception):
    """Messages with one markup may differ in more than their texts."""


class KnownMarkups:
    """Those of one contract that came most recently. Threads share it."""

    def __init__(self, wsdl: WsdlDocument):
        self._wsdl = wsdl
        self._known: dict[str, KnownMarkup | None] = {}
        self._seen: dict[int, None] = {}
        self._learning = Lock()

    def of(self, markup: Markup) -> KnownMarkup | None:
        """What is known of this markup; None: nothing."""
        return self._known.get(markup.tags)

    def learn(self, markup: Markup, envelope: Envelope) -> None:
        """Know this markup from the second message on that has it and deviates in nothing."""
        if len(markup.tags) > MAX_TAGS_CHARS or markup.tags in self._known:
            return
        with self._learning:
            seen = hash(markup.tags)
            if seen not in self._seen:
                _keep(self._seen, seen, None, MARKUPS_SEEN)
                return
            del self._seen[seen]
            try:
                known = KnownMarkup(markup, envelope, self._wsdl)
            except NotToBeKnown:
                known = None
            _keep(self._known, markup.tags, known, MARKUPS_KEPT)


def _keep(kept: dict[Any, Any], key: object, value: object, most: int) -> None:
    """Put it in, and take the oldest out where there are too many."""
    kept[key] = value
    if len(kept) > most:
        del kept[next(iter(kept))]
