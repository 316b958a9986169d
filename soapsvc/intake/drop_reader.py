"""What lies at a backup becomes a push and its verdict.

An envelope is judged as if it had been pushed now: same code, same key, same content digest, so that it and the push
are one. What came without its envelope becomes a push that says so: no message, no root element, its documents and
whatever else can be read, and a verdict with BAK-001.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from xml.parsers import expat

from soapsvc.contract.detected_type import HEAD_BYTES, media_type_of
from soapsvc.contract.push_kind import kind_of
from soapsvc.inbox.drops import OF_EMAIL
from soapsvc.intake.email_message import MAX_EMAIL_BYTES, Attachment, EmailMessage, NotReadable, read_email
from soapsvc.intake.said_values import MAX_SIDE_BYTES, NotASideFile, Said, named, read_lines, read_side_file
from soapsvc.judge import Judge, Judged
from soapsvc.namespaces import SOAP11_ENVELOPE, SOAP12_ENVELOPE
from soapsvc.records import Arrival, Deviation, Document, DropForm, Property, Push
from soapsvc.rules import RULES, Stage
from soapsvc.settings import Settings
from soapsvc.spool import Content, Spool
from soapsvc.wire.http_gate import PUSH_PATH
from soapsvc.wire.http_messages import RequestHead

TEXT_XML = "text/xml"
RECORD, ENVELOPE = "record.json", "envelope.xml"
"""Names of the attachments that are no documents."""
_HEAD_BYTES = 8192  # the start tag of an envelope is in them
_SHOWN_CHARS = 80


class DropReader:
    """Reads drops by one contract and one set of settings."""

    def __init__(self, settings: Settings, judge: Judge):
        self._settings, self._judge = settings, judge

    def envelope(self, raw: Content, arrival: Arrival, spool: Spool, content_type: str | None = None) -> Judged:
        """A SOAP envelope.

        content_type  of the request that it was, or would have been, sent with; None: its own bytes tell the charset
        """
        sent_as = content_type if (content_type or "").strip().lower().startswith(TEXT_XML) else TEXT_XML
        arrival = _in_form(arrival, DropForm.ENVELOPE, (("Content-Type", str(sent_as)),))
        head = RequestHead("POST", PUSH_PATH, "", arrival.http_headers)
        with raw.open() as body:
            return without_http_notes(self._judge.judge_stream(head, body, arrival, spool))

    def envelope_beside(
        self, raw: Content, side: Content | None, arrival: Arrival, spool: Spool
    ) -> tuple[Judged, tuple[str, ...]]:
        """An envelope with the record beside it, which may tell how it was sent, and where its documents lie."""
        said, _ = _said(side)
        return self.envelope(raw, arrival, spool, said.content_type), said.files

    def kept(self, raw: Content, arrival: Arrival, spool: Spool) -> Judged:
        """What is in quarantine without an envelope, read once more."""
        if arrival.origin is not None and arrival.origin.form is DropForm.EMAIL:
            return self.email(raw, arrival, spool)
        return self.file(raw, None, arrival, spool)

    def file(self, raw: Content, side: Content | None, arrival: Arrival, spool: Spool) -> Judged:
        """A report alone, or with a side file; a file that is an envelope is judged as one."""
        if is_envelope(raw.head(_HEAD_BYTES)):
            return self.envelope(raw, arrival, spool)
        arrival = _in_form(arrival, DropForm.FILE)
        said, deviations = _said(side)
        name = _origin_name(arrival).rpartition("/")[2]
        document = _document(1, name, "file", raw)
        told = ["file", name, raw.sha256, _job(said), [[one.sent_name, one.value] for one in said.properties]]
        push = _push(arrival, raw, said, (document,), said.properties, told)
        return self._judged(push, (_without_envelope("a report alone"), *deviations))

    def email(self, raw: Content, arrival: Arrival, spool: Spool) -> Judged:
        """An email with reports attached; one that has an envelope attached is judged by that."""
        arrival = _in_form(arrival, DropForm.EMAIL)
        if raw.size_bytes > MAX_EMAIL_BYTES:
            return self._refused(arrival, raw, "BAK-006", f"{raw.size_bytes} bytes", f"at most {MAX_EMAIL_BYTES}")
        with raw.open() as stream:
            content = stream.read()
        try:
            message = read_email(content, self._settings.max_documents + 10)
        except NotReadable as wrong:
            return self._refused(arrival, raw, "BAK-003", wrong.found, wrong.wanted)
        envelope, side, reports = _sorted(message.attachments)
        if envelope is not None:
            content_type = _said(side)[0].content_type
            return self.envelope(_spooled(envelope.content, spool), arrival, spool, content_type)
        if len(reports) > self._settings.max_documents:
            found, wanted = f"{len(reports)} attachments", f"at most {self._settings.max_documents}"
            return self._refused(arrival, raw, "BAK-003", found, wanted)
        return self._email(message, reports, side, raw, arrival, spool)

    def _email(
        self,
        message: EmailMessage,
        reports: Sequence[Attachment],
        side: Content | None,
        raw: Content,
        arrival: Arrival,
        spool: Spool,
    ) -> Judged:
        said, deviations = _said(side)
        if side is None:
            said = read_lines(message.text)
        found, documents = [*deviations], []
        if reports:
            found.insert(0, _without_envelope("an email with a report attached"))
        else:
            found.append(Deviation("BAK-002", "", None, "an email without an attachment", "a report attached"))
        for n, report in enumerate(reports, 1):
            encoding = "undecodable" if report.damaged else "attachment"
            documents.append(_document(n, report.filename, encoding, _spooled(report.content, spool)))
            if report.damaged:
                shown = (report.filename or "without a name")[:_SHOWN_CHARS]
                found.append(
                    Deviation("BAK-004", f"attachment {n}", None, f"{shown}, cut or damaged", "base64 to its end")
                )
        header = tuple(named(name, value, OF_EMAIL) for name, value in message.header)
        told = ["email", *(message.value(name) for name in ("Message-ID", "Date", "From", "Subject")),
                [[one.filename, one.content.sha256] for one in documents]]  # fmt: skip
        push = _push(arrival, raw, said, tuple(documents), (*header, *said.properties), told)
        return self._judged(push, tuple(found))

    def _judged(self, push: Push, deviations: tuple[Deviation, ...]) -> Judged:
        return Judged(push.arrival, push.raw, self._judge.verdict(deviations, push.arrival.source_ip), push)

    def _refused(self, arrival: Arrival, raw: Content, rule: str, found: str, wanted: str) -> Judged:
        deviation = Deviation(rule, "", None, found, wanted)
        return Judged(arrival, raw, self._judge.verdict((deviation,), arrival.source_ip))


def without_http_notes(judged: Judged) -> Judged:
    """The same without what was noted of an HTTP request that there was none of."""
    verdict = judged.verdict
    kept = tuple(one for one in verdict.deviations if RULES[one.rule].stage is not Stage.HTTP)
    return replace(judged, verdict=replace(verdict, deviations=kept))


def is_envelope(head: bytes) -> bool:
    """Whether bytes begin as XML whose root is a SOAP envelope; a DOCTYPE is not looked behind."""
    found: list[str] = []

    def root(name: str, _: object) -> None:
        found.append(name)
        raise _RootSeen

    def doctype(*_: object) -> None:
        raise _RootSeen

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.StartDoctypeDeclHandler = root, doctype
    with contextlib.suppress(_RootSeen, expat.ExpatError):
        parser.Parse(head, False)
    return found in ([f"{SOAP11_ENVELOPE} Envelope"], [f"{SOAP12_ENVELOPE} Envelope"])


class _RootSeen(Exception):
    """Ends the parse."""


def _in_form(arrival: Arrival, form: DropForm, http_headers: tuple[tuple[str, str], ...] = ()) -> Arrival:
    assert arrival.origin is not None, "what is taken in has an origin"
    return replace(arrival, origin=replace(arrival.origin, form=form), http_headers=http_headers)


def _origin_name(arrival: Arrival) -> str:
    return "" if arrival.origin is None else arrival.origin.name


def _without_envelope(found: str) -> Deviation:
    return Deviation(
        "BAK-001", "", None, found, "the envelope beside it; without one nothing was held against the WSDL"
    )


def _sorted(attachments: Iterable[Attachment]) -> tuple[Attachment | None, Content | None, list[Attachment]]:
    """The envelope, the record, and the reports."""
    envelope, side, reports = None, None, []
    for one in attachments:
        called = (one.filename or "").lower()
        if envelope is None and called == ENVELOPE and is_envelope(one.content[:_HEAD_BYTES]):
            envelope = one
        elif side is None and called == RECORD:
            side = Content.of(one.content)
        else:
            reports.append(one)
    return envelope, side, reports


def _said(side: Content | None) -> tuple[Said, tuple[Deviation, ...]]:
    if side is None:
        return Said(), ()
    found = f"{side.size_bytes} bytes"
    if side.size_bytes <= MAX_SIDE_BYTES:
        try:
            return read_side_file(side.head(MAX_SIDE_BYTES)), ()
        except NotASideFile as wrong:
            found = str(wrong)
    return Said(), (Deviation("BAK-005", "side file", None, found, "a JSON object of at most 1 MiB"),)


def _job(said: Said) -> list[str | None]:
    return [said.job.xdn, said.job.mrn] if said.job else []


def _document(n: int, filename: str | None, encoding: str, content: Content) -> Document:
    decoded = encoding != "undecodable" and content.size_bytes
    detected = media_type_of(content.head(HEAD_BYTES)) if decoded else None
    return Document(n, filename, None, detected, None, encoding, content)


def _push(
    arrival: Arrival,
    raw: Content,
    said: Said,
    documents: tuple[Document, ...],
    properties: tuple[Property, ...],
    told: Sequence[object],
) -> Push:
    """told  what the drop says, all of it: by its digest two drops are the same"""
    return Push(
        arrival=arrival,
        raw=raw,
        kind=kind_of(said.job, documents, properties),
        root="",
        job=said.job,
        submit_id=said.submit_id,
        status_code=None,
        processing_id=None,
        documents=documents,
        properties=properties,
        header_blocks={},
        fingerprint=hashlib.sha256(json.dumps(told, separators=(",", ":")).encode("ascii")).hexdigest(),
    )


def _spooled(content: bytes, spool: Spool) -> Content:
    sink = spool.sink()
    sink.write(content)
    return sink.finish()
