"""A push that is ready to go out: its envelope, and what the receiver will read in it."""

from __future__ import annotations

import hashlib
import io
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from soapsvc.contract.message_parts import child
from soapsvc.contract.roles import read_push
from soapsvc.contract.schema_check import SchemaCheck
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.errors import SendError
from soapsvc.namespaces import SOAP11_ENVELOPE, qname
from soapsvc.records import Arrival, Deviation, Property, Push, PushKind
from soapsvc.sender.envelope_writer import EnvelopeWriter
from soapsvc.sender.push_content import PushContent
from soapsvc.sender.supply import Circumstances
from soapsvc.settings import OwnSettings
from soapsvc.spool import Content, Spool
from soapsvc.targets.target import OutgoingDocument, OutgoingPush
from soapsvc.wire.charsets import Charsets, name_of
from soapsvc.wire.encoding import decide_encoding
from soapsvc.wire.envelope_reader import Envelope, Limits, read_envelope

_NO_SETTINGS: dict[str, Any] = {}
ID_CHARS = 24  # hexadecimal digits of SHA-256: 96 bits
DEVIATIONS_TOLD = 3
_HEAD_BYTES = 16 * 1024  # in which the encoding is told


@dataclass(frozen=True, slots=True)
class MadePush:
    """One push of the sender's.

    id        the first 24 hexadecimal digits of the envelope's SHA-256: the same in every attempt and at every
              destination, and the same for the same bytes
    envelope  as it goes out, byte for byte
    outgoing  the same as the targets want it
    name      for people: of the file that it was made of
    """

    id: str
    envelope: bytes = field(repr=False)
    outgoing: OutgoingPush
    name: str


class PushMaker:
    """Makes pushes by one WSDL. Not for several threads at once.

    Errors  ContractError, SendError from the constructor: the WSDL cannot be used, or has no such operation
    """

    def __init__(self, wsdl: Path, operation: str | None = None):
        self._wsdl = WsdlDocument.load(wsdl)
        self._writer = EnvelopeWriter(self._wsdl, operation)
        self._check = SchemaCheck(self._wsdl)

    def make(self, content: PushContent, *, now: datetime, receiver: str, name: str | None = None) -> MadePush:
        """A push of documents and properties.

        receiver  URL without secrets, for the header block
        Errors    SendError: the contract has no place for something, or what was written does not keep it
        """
        envelope = self._writer.write(content, Circumstances.at(now, receiver))
        push, found = self._read(envelope, now)
        if found or push is None:
            told = "; ".join(
                f"{one.rule} at {one.path}: found {one.found}, wanted {one.wanted}" for one in found[:DEVIATIONS_TOLD]
            )
            raise SendError(
                f"The envelope that was written does not keep {self._wsdl.path.name}: {told}. Nothing was sent; an "
                "envelope of your own is sent as it is (soapsvc push ENVELOPE.xml)."
            )
        self._look_for(content, push)
        first = content.documents[0].filename if content.documents else "push"
        return _made(envelope, push, now, name or first)

    def replay(self, envelope: bytes, *, now: datetime, name: str) -> MadePush:
        """A push of an envelope as it is: also one that breaks every rule, to see what the receiver says."""
        push, _ = self._read(envelope, now)
        return _made(envelope, push, now, name)

    def _look_for(self, content: PushContent, push: Push) -> None:
        """Errors: SendError: the receiver would not find in the envelope what was put there."""
        digests = {document.content.sha256 for document in push.documents}
        lost = [one.filename for one in content.documents if hashlib.sha256(one.content).hexdigest() not in digests]
        if lost:
            raise SendError(
                f"By {self._wsdl.path.name} the receiver would not find the document {lost[0]} again. Nothing was sent."
            )

    def _read(self, envelope: bytes, now: datetime) -> tuple[Push | None, tuple[Deviation, ...]]:
        """What the receiver will read, and what it will not take by the schema. None: it cannot be read."""
        limits = Limits.from_settings(OwnSettings(**_NO_SETTINGS))
        with Spool(Path(tempfile.gettempdir())) as spool:
            read = read_envelope(
                Content.of(envelope),
                codec=None,
                limits=limits,
                document_names=self._wsdl.document_names,
                spool=spool,
            )
            if not _has_body(read):
                return None, read.deviations
            push, _ = read_push(read, Arrival(now, ""), self._wsdl)
            kept = _in_memory(push)
            return kept, (*read.deviations, *self._check.check(read))


def _has_body(read: Envelope) -> bool:
    return (
        read.root is not None
        and read.root.tag == qname(SOAP11_ENVELOPE, "Envelope")
        and child(read.root, "body") is not None
    )


def _in_memory(push: Push) -> Push:
    """The push with its documents out of the spool, which ends with the reading."""

    def read(content: Content) -> Content:
        with content.open() as stream:
            return Content.of(stream.read())

    return replace(push, documents=tuple(replace(one, content=read(one.content)) for one in push.documents))


def _made(envelope: bytes, push: Push | None, now: datetime, name: str) -> MadePush:
    digest = hashlib.sha256(envelope).hexdigest()
    push_id = digest[:ID_CHARS]
    documents = () if push is None else tuple(
        OutgoingDocument(
            one.n, one.filename, one.doctype, one.detected_type, one.charset, one.content.size_bytes,
            one.content.sha256, one.content.open,
        )
        for one in push.documents
    )  # fmt: skip
    outgoing = OutgoingPush(
        push_id, now, PushKind.OTHER if push is None else push.kind, None if push is None else push.job,
        () if push is None else push.properties, documents, _record(push_id, digest, envelope, push, now),
        partial(io.BytesIO, envelope),
    )  # fmt: skip
    return MadePush(push_id, envelope, outgoing, name)


def _content_type(envelope: bytes) -> str:
    """With the charset that the envelope itself tells; without any where it tells one that may not be known there."""
    codec = decide_encoding(envelope[:_HEAD_BYTES], None, Charsets()).codec
    return "text/xml" if codec is None else f"text/xml; charset={name_of(codec)}"


def _record(push_id: str, digest: str, envelope: bytes, push: Push | None, now: datetime) -> dict[str, Any]:
    """The object of `soapsvc inbox show --json`, as far as a sender knows it."""
    told: dict[str, Any] = {
        "id": push_id,
        "received_at": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "raw_bytes": len(envelope),
        "raw_sha256": digest,
        "http_headers": [["Content-Type", _content_type(envelope)]],
    }
    if push is None:
        return told | {"kind": PushKind.OTHER.value, "job": None, "properties": {}, "documents": []}
    return told | {
        "kind": push.kind.value,
        "job": {"xdn": push.job.xdn, "mrn": push.job.mrn} if push.job else None,
        "root": push.root,
        "submit_id": push.submit_id,
        "status_code": push.status_code,
        "processing_id": push.processing_id,
        "properties": {one.name: one.value for one in push.properties},
        "property_list": [_property(one) for one in push.properties],
        "documents": [
            {
                "n": one.n,
                "filename": one.filename,
                "doctype": one.doctype,
                "size_bytes": one.content.size_bytes,
                "sha256": one.content.sha256,
                "detected_type": one.detected_type,
                "charset": one.charset,
                "encoding": one.encoding,
            }
            for one in push.documents
        ],
    }


def _property(one: Property) -> dict[str, Any]:
    at = one.at.astimezone(UTC).isoformat().replace("+00:00", "Z") if one.at else None
    return {
        "name": one.name, "sent_name": one.sent_name, "segment": one.segment, "value": one.value, "at": at,
        "b64charset": one.b64charset,
    }  # fmt: skip
