"""What the texts of a message say at the places of its layout: the push."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic

from soapsvc.contract.b64_text import SHOWN_CHARS, NotText, decoded_text
from soapsvc.contract.detected_type import HEAD_BYTES, contradicts, media_type_of
from soapsvc.contract.property_names import ENTRY_TIME, START_TIME
from soapsvc.contract.push_kind import kind_of
from soapsvc.contract.push_layout import Place, PropertyPlace, PushLayout, TextPlace
from soapsvc.contract.secret_elements import MASK, without_userinfo
from soapsvc.contract.vendor_times import AMBIGUOUS, NO_ZONE, read_time
from soapsvc.records import Arrival, Document, JobId, Property, Push
from soapsvc.spool import Content

Tell = Callable[[str, Place, str, str], None]
"""Hears of a deviation: rule id, place, found, wanted."""

_WANTED_TIME = "xs:dateTime with a zone, such as 2012-11-04T13:05:45Z, or M/D/YY h:mm:ss with a zone name"


@dataclass(frozen=True, slots=True)
class DecodedDocument:
    """A document's bytes, and how they came (`records.Document`)."""

    content: Content
    encoding: str


@dataclass(frozen=True, slots=True)
class PushReader(Generic[Place]):
    """Reads the push of one message.

    layout  of the message
    text    what is said at a place
    tell    hears of each deviation

    What is missing or odd stays empty in the record: whether it may be is the schema's matter.
    """

    layout: PushLayout[Place]
    text: Callable[[Place], str]
    tell: Tell[Place]

    def push(self, arrival: Arrival, raw: Content, decoded: Sequence[DecodedDocument], fingerprint: str) -> Push:
        """The push.

        decoded      the documents, in the order of the envelope
        fingerprint  of the message (`contract.fingerprint`)
        """
        layout = self.layout
        owned: dict[int | None, list[Property]] = {}
        for place in layout.properties:
            owned.setdefault(place.document, []).append(self._property(place))
        documents = tuple(
            self._document(n, document, described, tuple(owned.get(n, ())))
            for n, (document, described) in enumerate(zip(decoded, layout.described, strict=True))
        )
        properties = tuple(owned.get(None, ()))
        job = JobId(self._stripped(layout.xdn), self._stripped(layout.mrn))
        known_job = None if job.xdn is None and job.mrn is None else job
        blocks = self._header_blocks()
        return Push(
            arrival=arrival,
            raw=raw,
            kind=kind_of(known_job, documents, properties),
            root=layout.root,
            job=known_job,
            submit_id=self._stripped(layout.submit_id),
            status_code=self._stripped(layout.status_code),
            processing_id=next((value for name, value in blocks.items() if value and _is_processing_id(name)), None),
            documents=documents,
            properties=properties,
            header_blocks=blocks,
            fingerprint=fingerprint,
        )

    def _read(self, place: TextPlace[Place]) -> str:
        """The text, decoded where it has b64charset; as sent where it does not decode, which is told."""
        text = self.text(place.at)
        if place.b64charset is None:
            return text
        try:
            return decoded_text(text, place.b64charset)
        except NotText as wrong:
            self.tell(wrong.rule, place.at, wrong.found, wrong.wanted)
            return text

    def _stripped(self, place: TextPlace[Place] | None) -> str | None:
        return None if place is None else self._read(place).strip() or None

    def _header_blocks(self) -> Mapping[str, str]:
        """Every leaf of the header with its text; credentials read "***" (`contract.secret_elements`)."""
        return {
            leaf.name: MASK if leaf.credential else without_userinfo(self.text(leaf.at).strip())
            for leaf in self.layout.header
        }

    def _property(self, place: PropertyPlace[Place]) -> Property:
        """Empty properties are kept with value "": the vendor's API sends them where a push leaves them out [S1]."""
        where = place.text
        value = MASK if place.credential else self.text(where.at) if where.b64charset is None else self._read(where)
        at = self._time(place, value) if place.time and value.strip() else None
        return Property(place.name, place.sent_name, place.segment, value, at, where.b64charset)

    def _time(self, place: PropertyPlace[Place], value: str) -> datetime | None:
        time = read_time(value)
        if time.trouble is not None and (place.name in (START_TIME, ENTRY_TIME) or time.at is not None):
            found = f'{place.sent_name[:SHOWN_CHARS]} reads "{value.strip()[:SHOWN_CHARS]}"'
            if time.trouble == NO_ZONE:
                self.tell("PAY-010", place.text.at, f"{found}, without a zone", _WANTED_TIME)
            elif time.trouble == AMBIGUOUS:
                taken = f"{time.at:%Y-%m-%dT%H:%M:%SZ} is taken"
                told = f"{found}, which the clocks there show twice or never on that day; {taken}"
                wanted = "a zone that tells standard from daylight saving time, such as EST or EDT"
                self.tell("PAY-012", place.text.at, told, wanted)
            else:
                self.tell("PAY-011", place.text.at, found, _WANTED_TIME)
        return time.at

    def _document(
        self,
        n: int,
        decoded: DecodedDocument,
        described: Mapping[str, TextPlace[Place]],
        properties: tuple[Property, ...],
    ) -> Document:
        texts = {name: self._stripped(place) for name, place in described.items()}
        doctype, content = texts.get("doctype"), decoded.content
        has_bytes = decoded.encoding != "undecodable" and content.size_bytes > 0
        detected = media_type_of(content.head(HEAD_BYTES)) if has_bytes else None
        if doctype is not None and has_bytes and contradicts(doctype, detected):
            begins = f"content that begins like {detected}" if detected else "content of no kind that is known"
            found = f'DocType reads "{doctype[:SHOWN_CHARS]}" beside {begins}'
            self.tell("PAY-016", described["doctype"].at, found, "the DocType of the content")
        return Document(
            n=n + 1,
            filename=texts.get("filename"),
            doctype=doctype,
            detected_type=detected,
            charset=texts.get("characterset"),
            encoding=decoded.encoding,
            content=content,
            properties=properties,
        )


def _is_processing_id(name: str) -> bool:
    return name.rpartition("/")[2].partition("[")[0].lower() == "processingid"
