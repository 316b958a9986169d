"""A push as a mail: what it carries in a readable body, its documents as attachments, record and envelope beside them.

Nothing that a sender wrote becomes a header as it is: control characters are taken out of it first, and the names of
attachments are those of `file_names.safe_name`.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import BinaryIO

from soapsvc.targets.file_names import document_name, numbered
from soapsvc.targets.target import OutgoingDocument, OutgoingPush

RECORD_NAME, ENVELOPE_NAME = "record.json", "envelope.xml"
ID_HEADER = "X-Soapsvc-Push-Id"
SUBJECT_CHARS, VALUE_CHARS = 200, 2000
_POLICY = SMTP.clone(max_line_length=76)


def mail_of(
    push: OutgoingPush, *, sender: Address, recipients: Sequence[Address], subject: str | None, now: datetime
) -> EmailMessage:
    """The mail for a push, with the same Message-ID in every attempt. Errors: OSError, StoreUnavailable."""
    mail = EmailMessage(policy=_POLICY)
    mail["From"], mail["To"] = sender, list(recipients)
    mail["Subject"] = _line(subject or _subject(push), SUBJECT_CHARS)
    mail["Date"] = format_datetime(now.astimezone(UTC))
    mail["Message-ID"] = message_id(push, sender.domain)
    mail[ID_HEADER] = _line(push.id, SUBJECT_CHARS)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice answers it
    names = _names(push.documents)
    mail.set_content(_text(push, names), charset="utf-8", cte="quoted-printable")
    for document, name in zip(push.documents, names, strict=True):
        main, sub = _media_type(document, name)
        mail.add_attachment(_bytes(document.open()), maintype=main, subtype=sub, filename=name, cte="base64")
    record = json.dumps({**push.record, "id": push.id, "files": names}, ensure_ascii=False, indent=1, default=str)
    told = record.encode("utf-8", "replace")
    mail.add_attachment(told, maintype="application", subtype="json", filename=RECORD_NAME, cte="base64")
    raw = _bytes(push.open_raw())
    mail.add_attachment(raw, maintype="application", subtype="xml", filename=ENVELOPE_NAME, cte="base64")
    return mail


def message_id(push: OutgoingPush, domain: str) -> str:
    """Made of the push's id alone, so that whoever gets it twice can tell."""
    return f"<{hashlib.sha256(push.id.encode('utf-8', 'replace')).hexdigest()[:32]}@{domain or 'localhost'}>"


def _subject(push: OutgoingPush) -> str:
    named = next((one.value for one in push.properties if one.name == "Subject" and one.value.strip()), None)
    return named or f"{push.kind.value.capitalize()} {_job(push) or push.id}"


def _job(push: OutgoingPush) -> str:
    return ":".join(part for part in (push.job.xdn, push.job.mrn) if part) if push.job else ""


def _text(push: OutgoingPush, names: Sequence[str]) -> str:
    """What people read: the push, its properties, its documents."""
    facts = [
        ("Push", _line(push.id, SUBJECT_CHARS)),
        ("Kind", push.kind.value),
        ("Job", _job(push) or "-"),
        ("Received", f"{push.received_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"),
    ]
    lines = [f"{name}: {value}" for name, value in facts]
    if push.properties:
        lines += [
            "",
            "Properties",
            *(f"  {_line(p.name, 200)}: {_line(p.value, VALUE_CHARS)}" for p in push.properties),
        ]
    if push.documents:
        lines += ["", "Documents"]
        lines += [
            f"  {document.n}. {name}, {document.size_bytes} bytes, SHA-256 {document.sha256}"
            for document, name in zip(push.documents, names, strict=True)
        ]
    lines += ["", f"{RECORD_NAME} has all of this for programs, {ENVELOPE_NAME} is the SOAP envelope itself.", ""]
    return "\n".join(lines)


def _line(text: str, limit: int) -> str:
    """One line without controls; shortened."""
    line = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)
    line = " ".join(line.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _names(documents: Sequence[OutgoingDocument]) -> list[str]:
    """A safe name for each, none twice, and none that of the record or the envelope."""
    taken = {RECORD_NAME, ENVELOPE_NAME}
    names = []
    for document in documents:
        wanted, n = document_name(document), 1
        while numbered(wanted, n).lower() in taken:
            n += 1
        names.append(numbered(wanted, n))
        taken.add(names[-1].lower())
    return names


def _media_type(document: OutgoingDocument, name: str) -> tuple[str, str]:
    """By the first bytes, else by the name. All of it goes as base64, so that line ends stay as they are."""
    told = document.detected_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    main, _, sub = told.partition(";")[0].strip().partition("/")
    if main in ("message", "multipart") or not sub or not (main + sub).isascii():
        return "application", "octet-stream"
    return main, sub


def _bytes(stream: BinaryIO) -> bytes:
    with stream:
        return stream.read()
