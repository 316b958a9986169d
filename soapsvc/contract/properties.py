"""The properties of a message: named values in groups, in both of the vendor's dialects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from soapsvc.contract.b64_text import SHOWN_CHARS, NotText, decoded_text
from soapsvc.contract.message_parts import ancestors_within, attribute, attributes, role, text_of
from soapsvc.contract.property_names import ENTRY_TIME, START_TIME, canonical_name, is_time, split_name
from soapsvc.contract.secret_elements import MASK, is_credential_name
from soapsvc.contract.vendor_times import AMBIGUOUS, NO_ZONE, read_time
from soapsvc.records import Property

Tell = Callable[[str, etree._Element, str, str], None]
"""Notes a deviation: rule id, element, found, wanted."""

_WANTED_TIME = "xs:dateTime with a zone, such as 2012-11-04T13:05:45Z, or M/D/YY h:mm:ss with a zone name"


@dataclass(frozen=True, slots=True)
class FoundProperty:
    """A property and where it stands."""

    element: etree._Element
    property: Property


def read_text(element: etree._Element, tell: Tell) -> str:
    """The text of an element, decoded where it has b64charset; as sent where it does not decode, which is told."""
    return _decoded(element, attribute(element, "b64charset"), tell)


def _decoded(element: etree._Element, b64charset: str | None, tell: Tell) -> str:
    text = text_of(element)
    if b64charset is None:
        return text
    try:
        return decoded_text(text, b64charset)
    except NotText as wrong:
        tell(wrong.rule, element, wrong.found, wrong.wanted)
        return text


class PropertyReader:
    """Reads the Property elements of one message.

    top   of the elements that count: Body
    tell  hears of what deviates
    """

    def __init__(self, top: etree._Element, tell: Tell):
        self._top, self._tell = top, tell
        self._segments: dict[etree._Element | None, str | None] = {}

    def read(self, element: etree._Element) -> FoundProperty | None:
        """A Property element: its name attribute, its text, and the group that it stands in. None: it has no name.

        Empty properties are kept with value "": the vendor's API sends them where a push leaves them out [S1].
        """
        sent = attributes(element)
        sent_name, b64charset = sent.get("name"), sent.get("b64charset")
        if sent_name is None:
            return None
        name = canonical_name(sent_name)
        value = MASK if is_credential_name(sent_name) else _decoded(element, b64charset, self._tell)
        around = element.getparent()
        if around not in self._segments:
            self._segments[around] = _segment(element, self._top)
        segment = self._segments[around]
        read = Property(
            name=name,
            sent_name=sent_name,
            segment=split_name(sent_name)[0] if segment is None else segment,
            value=value,
            b64charset=b64charset,
        )
        if is_time(name) and value.strip():
            read = _with_time(read, element, self._tell)
        return FoundProperty(element, read)


def _segment(element: etree._Element, top: etree._Element) -> str | None:
    """The name of the nearest group: a Segment, or an element that is called …Extension and is one itself."""
    for around in ancestors_within(element, top):
        called = role(around)
        if called == "segment" or called.endswith(("extension", "extensions")):
            name = attribute(around, "name")
            if name is not None:
                return name
    return None


def _with_time(read: Property, element: etree._Element, tell: Tell) -> Property:
    time = read_time(read.value)
    if time.trouble is not None and (read.name in (START_TIME, ENTRY_TIME) or time.at is not None):
        found = f'{read.sent_name[:SHOWN_CHARS]} reads "{read.value.strip()[:SHOWN_CHARS]}"'
        if time.trouble == NO_ZONE:
            tell("PAY-010", element, f"{found}, without a zone", _WANTED_TIME)
        elif time.trouble == AMBIGUOUS:
            taken = f"{time.at:%Y-%m-%dT%H:%M:%SZ} is taken"
            told = f"{found}, which the clocks there show twice or never on that day; {taken}"
            tell("PAY-012", element, told, "a zone that tells standard from daylight saving time, such as EST or EDT")
        else:
            tell("PAY-011", element, found, _WANTED_TIME)
    return Property(read.name, read.sent_name, read.segment, read.value, time.at, read.b64charset)
