"""What is still to be placed while an envelope is written, and the texts that the roles of its elements have."""

from __future__ import annotations

import base64
import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from soapsvc.contract.document_names import DESCRIPTIONS
from soapsvc.sender.message_shape import DOCUMENT, PROPERTY
from soapsvc.sender.push_content import PushContent, SentDocument

SENDER_KEY = "http://sender.example.net/wsda"  # no address of anybody's: it names who sends, and this is a trial


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Of one push: when it was made, where it goes, and its ProcessingID (as the vendor's: host, counter, time)."""

    now: datetime
    receiver_key: str
    processing_id: str

    @classmethod
    def at(cls, now: datetime, receiver: str) -> Circumstances:
        """Those of a push that is made now; `receiver` is a URL without secrets."""
        stamp = f"{now.astimezone(UTC):%y%m%d%H%M%S}{now.microsecond // 1000:03d}"
        return cls(now, receiver, f"{secrets.token_hex(4).upper()}-0001-{stamp}")


class Supply:
    """Hands out what a push carries, each thing once.

    open_documents  whether the elements of the contract hold documents one by one: then a document's description
                    is given inside its own element alone
    """

    def __init__(self, content: PushContent, at: Circumstances, *, open_documents: bool, properties_in_documents: bool):
        self._content, self._at = content, at
        self._documents = list(content.documents)
        self._properties = list(content.properties)
        job = content.job
        self._left = {name for name in ("xdn", "mrn") if job is not None and getattr(job, name) is not None}
        if content.submit_id is not None:
            self._left.add("submitid")
        self._current: SentDocument | None = None
        self._described: set[str] = set()
        self._is_current_placed = True
        self._inside, self._properties_in_documents = 0, properties_in_documents
        if not open_documents and self._documents:
            self._begin(self._documents.pop(0))
        elif len(self._documents) == 1:  # what describes it may stand outside of what repeats
            self._current = self._documents[0]

    # What is left ----------------------------------------------------------------------------------------------------

    @property
    def wanted(self) -> frozenset[str]:
        """The roles that something is left for, here."""
        wanted = set(self._left)
        if not self._is_current_placed or (self._documents and not self._inside):
            wanted.add(DOCUMENT)
        if self._properties and (not self._inside or self._properties_in_documents):
            wanted.add(PROPERTY)
        if self._current is not None:
            told = {name for name in DESCRIPTIONS - self._described if self._text_of_document(name) is not None}
            wanted |= told
        return frozenset(wanted)

    @property
    def unplaced(self) -> list[str]:
        """What had no place, for people."""
        documents = len(self._documents) + (not self._is_current_placed)
        told = [f"{documents} of {len(self._content.documents)} documents"] if documents else []
        if self._properties:
            told.append(f"the property {self._properties[0][0]}" + (" and others" if len(self._properties) > 1 else ""))
        if "mrn" in self._left:  # a contract may number its jobs without a domain
            told.append("the job")
        return told + (["the SubmitId"] if "submitid" in self._left else [])

    @property
    def documents_left(self) -> int:
        return len(self._documents)

    @property
    def properties_left(self) -> int:
        return len(self._properties) if PROPERTY in self.wanted else 0

    # Documents -------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def one_document(self) -> Iterator[None]:
        """The scope of the next document: its element, or what repeats around it."""
        before = self._current, self._described, self._is_current_placed
        if self._documents:
            self._begin(self._documents.pop(0))
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if not self._is_current_placed and self._current is not None:
                self._documents.insert(0, self._current)  # it had no place here
            self._is_current_placed = before[2]
            if before[0] is not self._current:
                self._current, self._described = before[:2]

    def _begin(self, document: SentDocument) -> None:
        if document is not self._current:
            self._current, self._described = document, set()
        self._is_current_placed = False

    def next_document(self) -> SentDocument | None:
        """The document whose turn it is, which is placed with this; None: there is none left."""
        if self._is_current_placed and self._documents and not self._inside:
            self._begin(self._documents.pop(0))
        if self._is_current_placed or self._current is None:
            return None
        self._is_current_placed = True
        return self._current

    def next_property(self) -> tuple[str, str] | None:
        """The next property, which is placed with this."""
        return self._properties.pop(0) if self._properties and PROPERTY in self.wanted else None

    # Texts -----------------------------------------------------------------------------------------------------------

    def text(self, role: str) -> str | None:
        """What an element or attribute of a role says, without placing it; None: nothing is known."""
        job, at = self._content.job, self._at
        match role:
            case "xdn":
                return job.xdn if job else None
            case "mrn":
                return job.mrn if job else None
            case "submitid":
                return self._content.submit_id
            case "processingid":
                return at.processing_id
            case "senderkey":
                return SENDER_KEY
            case "receiverkey":
                return at.receiver_key
            case "statuscode":
                return "0"
            case "statusmessage":
                return "OK"
            case "submissiontime" | "completiontime":
                return self.moment
        return self._text_of_document(role) if role in DESCRIPTIONS and role not in self._described else None

    def placed(self, role: str) -> None:
        """Something was written for a role."""
        self._left.discard(role)
        if role in DESCRIPTIONS:
            self._described.add(role)

    @property
    def submit_ids(self) -> tuple[str, ...]:
        """What a SubmitId may be that was not told and is demanded, the best first: made of the job, by which the same
        job that is pushed again is the same push; without one the ProcessingID."""
        job = self._content.job
        if job is None or job.mrn is None:
            return (self._at.processing_id,)
        return (f"{job.xdn}-{job.mrn}" if job.xdn else job.mrn, job.mrn)

    @property
    def segment(self) -> str:
        return self._content.segment

    @property
    def moment(self) -> str:
        """When the push was made, as xs:dateTime in UTC with milliseconds."""
        return self._at.now.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

    def _text_of_document(self, role: str) -> str | None:
        if self._current is None:
            return None
        return {
            "doctype": self._current.doctype,
            "filename": self._current.filename,
            "characterset": self._current.charset,
        }[role]


def as_base64(document: SentDocument | None) -> str:
    """The text of a document's element; None: an empty one."""
    return "" if document is None else base64.b64encode(document.content).decode("ascii")
