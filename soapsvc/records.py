"""What the rooms hand each other: frozen, and complete enough to be read without the room it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from soapsvc.delivery_records import Delivery, Hold, TargetFigures
from soapsvc.spool import Content


class Conformance(StrEnum):
    """How strictly a push is held against the contract (docs/conformance.md)."""

    STRICT = "strict"
    GUARDED = "guarded"
    OBSERVE = "observe"


class PushState(StrEnum):
    """Where a stored push stands."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"


class PushKind(StrEnum):
    """What a push carries, as far as its content tells."""

    REPORT = "report"
    FAX = "fax"
    CDR = "cdr"
    OTHER = "other"


class DropForm(StrEnum):
    """As what something lay at a backup destination."""

    ENVELOPE = "envelope"
    """With the SOAP envelope as it was, or would have been, pushed: judged as a push is."""
    FILE = "file"
    """A report alone; its bytes are what is kept as raw."""
    EMAIL = "email"
    """An email with reports attached; the whole of it is what is kept as raw."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One way in which a push differs from what a rule wants.

    rule    id in `soapsvc.rules.RULES`
    path    XPath of the element or attribute with the namespaces in scope there, the default one for names without a
            prefix (`/soapenv:Envelope/soapenv:Body/…`), or the HTTP header's name; "" for the whole message
    line    in the raw envelope, from 1; None where there is none (HTTP)
    found   what is there, shortened; never a password nor a document's content
    wanted  what would be right there
    mark    how well known the construct is that it touches: DOCUMENTED, SIBLING, INFERRED; None: the WSDL says nothing
    """

    rule: str
    path: str
    line: int | None
    found: str
    wanted: str
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found, and under which contract.

    conformance      the degree that was in force
    contract_sha256  of the WSDL in force, hex
    deviations       in the order of the way in (HTTP, XML, SOAP, schema, payload); of more than a thousand the last
                     tells how many follow
    refused_for      those of them that made it a refusal; empty: accepted
    """

    conformance: Conformance
    contract_sha256: str
    deviations: tuple[Deviation, ...] = ()
    refused_for: tuple[Deviation, ...] = ()

    @property
    def accepted(self) -> bool:
        return not self.refused_for


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a push lay that did not come by HTTP.

    source  URL of the backup destination, without secrets
    name    what lay there: a path below a directory, or number and Message-ID of an email; never used as a path
    form    as what it lay there
    at      aware UTC: when it was put there, as far as the place tells
    """

    source: str
    name: str
    form: DropForm
    at: datetime | None = None

    @property
    def is_push(self) -> bool:
        """Whether what lay there is a message of the contract."""
        return self.form is DropForm.ENVELOPE


@dataclass(frozen=True, slots=True)
class Arrival:
    """The circumstances under which one HTTP request came in, or something was taken in from a backup.

    received_at   aware, UTC: when the last byte had arrived
    source_ip     of the sender: the peer, or what a trusted proxy says of it; of what was taken in: origin.source
    http_headers  (name, value) as the server hands them on: names in title case, repeated ones joined by commas;
                  values of those that carry credentials (Authorization, Cookie, X-Api-Key, …) are "***"
    origin        None: it came by HTTP
    """

    received_at: datetime
    source_ip: str
    http_headers: tuple[tuple[str, str], ...] = ()
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class JobId:
    """The vendor's number for a job: domain and message reference number, as written (WSDL JobIdType)."""

    xdn: str | None
    mrn: str | None


@dataclass(frozen=True, slots=True)
class Property:
    """One named value beside the documents (WSDL PropertyType).

    name        canonical spelling where the name is known (docs/contract.md, properties), else as sent
    sent_name   as sent
    segment     name of the group it stood in, as sent; None: the group has none
    value       text; times as sent; where b64charset applied, the decoded text
    at          aware UTC where the property is a time that could be read, else None
    b64charset  as sent; None: absent. With "binary" the value stays base64
    """

    name: str
    sent_name: str
    segment: str | None
    value: str
    at: datetime | None = None
    b64charset: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a push (WSDL DocumentType).

    n              from 1, in the order of the envelope
    filename       as sent (never used as a path), None: absent
    doctype        DocType as sent: text, PDF, TIFF, …; None: absent
    detected_type  media type that the first bytes tell, e.g. application/pdf; None: not recognised
    charset        CharacterSet as sent, None: absent
    encoding       how it came: "base64", "text", or "undecodable": then content is what was sent, undecoded; from a
                   backup without its envelope: "file" or "attachment"
    content        the decoded bytes
    properties     of this document alone (a document-level extension)
    """

    n: int
    filename: str | None
    doctype: str | None
    detected_type: str | None
    charset: str | None
    encoding: str
    content: Content = field(repr=False)
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class Push:
    """One push, as read from its envelope by the roles of its elements.

    arrival        how it came in
    raw            every byte of the HTTP request body, as received
    kind           report, fax, cdr or other
    root           name of the Body's child in Clark notation; "" where there was no message
    job            None: the message names no job
    submit_id      SubmitId or SubmitID, None: absent
    status_code    Status/StatusCode as sent, None: absent
    processing_id  of the header block, None: absent
    documents      in the order of the envelope
    properties     of the push, in the order of the envelope
    header_blocks  XPath-like name of each leaf (`Response/ProcessingID`) to its text; passwords replaced by "***"
    fingerprint    hex SHA-256 of what the Body says, but for the times of the attempt (`contract.fingerprint`); of a
                   drop without its envelope: of what the drop says
    """

    arrival: Arrival
    raw: Content = field(repr=False)
    kind: PushKind
    root: str
    job: JobId | None
    submit_id: str | None
    status_code: str | None
    processing_id: str | None
    documents: tuple[Document, ...] = field(repr=False)
    properties: tuple[Property, ...] = field(repr=False)
    header_blocks: Mapping[str, str] = field(repr=False)
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RefusedPush:
    """What is kept of a push that was refused: its raw bytes, and whatever could be read of it.

    push  None: the envelope could not be read far enough
    """

    arrival: Arrival
    raw: Content = field(repr=False)
    verdict: Verdict
    push: Push | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The store's word that a push is on disk; the acknowledgement is made from it alone, so that a redelivery
    gets the same answer byte for byte.

    id           of the stored push
    received_at  aware UTC: when it arrived first
    submit_id    of the stored push
    redelivery   True: it was stored before
    conflict_of  id of the push that holds the same idempotency key with other content; None: there is none
    """

    id: str
    received_at: datetime
    submit_id: str | None
    redelivery: bool = False
    conflict_of: str | None = None


@dataclass(frozen=True, slots=True)
class InboxDocument:
    """A stored document without its bytes."""

    n: int
    filename: str | None
    doctype: str | None
    detected_type: str | None
    charset: str | None
    encoding: str
    size_bytes: int
    sha256: str
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class Shared:
    """Another push that has a document of the same bytes, where one of the two came without its envelope.

    same_report  the one with the envelope says all that the other says: job, names and bytes of every document, and
                 properties
    """

    push_id: str
    same_report: bool


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What the ledger keeps of one thing that lay at a backup, so that it is not read again while it is unchanged.

    source  hex digest of the place
    item    hex digest of the thing's name there and of what changes when it does
    also    the same of other files that are part of it
    """

    source: str
    item: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One stored push as a list shows it.

    properties   canonical name to value; where a name came twice, the last
    deviations   how many the verdict has
    origin       None: it came by HTTP
    shares       other pushes with a document of the same bytes (`Shared`)
    """

    id: str
    received_at: datetime
    state: PushState
    kind: PushKind
    job: JobId | None
    source_ip: str
    redeliveries: int
    deviations: int
    conflict_of: str | None
    raw_bytes: int
    properties: Mapping[str, str]
    documents: tuple[InboxDocument, ...]
    origin: Origin | None = None
    shares: tuple[Shared, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredPush:
    """One stored push in full, but for the bytes of its documents and its raw envelope.

    judged_at  aware UTC: when the verdict was passed
    history    the verdicts before it, each with its time, oldest first; a push that was judged once has none
    arrivals   every further arrival of the same push: when and from where
    deliveries to each target that it was queued for, by name
    held       None: nobody holds it, and retention may remove it
    """

    row: InboxRow
    verdict: Verdict
    judged_at: datetime
    history: tuple[tuple[datetime, Verdict], ...]
    root: str | None
    submit_id: str | None
    status_code: str | None
    processing_id: str | None
    properties: tuple[Property, ...]
    header_blocks: Mapping[str, str]
    http_headers: tuple[tuple[str, str], ...]
    raw_sha256: str
    idempotency_key: str | None
    arrivals: tuple[tuple[datetime, str], ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    held: Hold | None = None


@dataclass(frozen=True, slots=True)
class InboxStats:
    """What the inbox holds."""

    accepted: int
    quarantined: int
    redeliveries: int
    conflicts: int
    documents: int
    document_bytes: int
    quarantine_bytes: int
    oldest_received_at: datetime | None
    newest_received_at: datetime | None
    free_bytes: int | None
    targets: tuple[TargetFigures, ...] = ()
