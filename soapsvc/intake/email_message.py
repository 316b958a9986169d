"""An email taken apart within bounds: its header, its text, its attachments. Nothing is unpacked or rendered."""

from __future__ import annotations

import contextlib
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import errors as email_errors
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import parsedate_to_datetime

MAX_EMAIL_BYTES = 64 * 1024 * 1024  # parsed in memory; mail servers take 25 to 50 MiB
MAX_DEPTH = 16  # of multiparts and of emails in emails; forwarded mail has three or four
MAX_HEADER_CHARS = 4000  # of one value
_CONTAINER = re.compile(rb"^content-type:[ \t\r\n]*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)
_MAX_CONTAINERS = 200  # announced anywhere: the parser recurses into each, so they are counted before it begins
_DAMAGED = (
    email_errors.InvalidBase64PaddingDefect,
    email_errors.InvalidBase64CharactersDefect,
    email_errors.InvalidBase64LengthDefect,
)
_OF_PARSER = (LookupError, ValueError, TypeError, AttributeError, AssertionError, email_errors.MessageError)
_POLICY = email.policy.compat32  # keeps what it does not understand; values are decoded here, each for itself


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attached file, decoded.

    filename    as sent, None: it has none
    media_type  as its part says, lower case
    damaged     its transfer encoding does not decode to its end
    """

    filename: str | None
    media_type: str
    content: bytes = field(repr=False)
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class EmailMessage:
    """An email as far as it is read.

    header  Subject, From, Date and Message-ID, those that it has, decoded
    text    of its first part that is plain text and no attachment
    """

    header: tuple[tuple[str, str], ...] = field(repr=False)
    text: str = field(repr=False)
    attachments: tuple[Attachment, ...] = field(repr=False)

    def value(self, name: str) -> str:
        return next((value for called, value in self.header if called == name), "")

    @property
    def date(self) -> datetime | None:
        """Aware UTC; None: none that can be read."""
        try:
            at = parsedate_to_datetime(self.value("Date"))
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
        return at.astimezone(UTC) if at.tzinfo else None


class NotReadable(ValueError):
    """The email is not taken apart.

    found, wanted  as in a Deviation
    """

    def __init__(self, found: str, wanted: str):
        super().__init__(found)
        self.found, self.wanted = found, wanted


def read_email(raw: bytes, max_parts: int) -> EmailMessage:
    """Take it apart. Errors: NotReadable: more parts than max_parts, or nested deeper than MAX_DEPTH."""
    announced = sum(1 for _ in _CONTAINER.finditer(raw))
    if announced > _MAX_CONTAINERS:
        raise NotReadable(f"{announced} multiparts or emails inside", f"at most {_MAX_CONTAINERS}")
    try:
        return _taken_apart(BytesParser(policy=_POLICY).parsebytes(raw), max_parts)
    except NotReadable:
        raise
    except RecursionError:
        raise NotReadable("parts nested deeper than can be read", f"at most {MAX_DEPTH} levels") from None
    except _OF_PARSER as error:  # were it not caught, one such email would end each look
        raise NotReadable(f"MIME that the parser fails on ({type(error).__name__})", "well-formed MIME") from error


def _taken_apart(message: Message, max_parts: int) -> EmailMessage:
    leaves = list(_leaves(message, max_parts))
    text = next((part for part in leaves if _is_text(part)), None)
    header = tuple((name, value) for name in ("Subject", "From", "Date", "Message-ID")
                   if (value := _header(message, name)))  # fmt: skip
    attachments = tuple(_attachment(part) for part in leaves if part is not text and _is_attachment(part))
    return EmailMessage(header, "" if text is None else _text(text), attachments)


def _leaves(message: Message, max_parts: int) -> Iterator[Message]:
    """The parts that hold something, in order."""
    waiting, seen = [(message, 0)], 0
    while waiting:
        part, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise NotReadable(f"parts nested more than {MAX_DEPTH} levels deep", f"at most {MAX_DEPTH} levels")
        seen += 1
        if seen > max_parts:
            raise NotReadable(f"more than {max_parts} parts", f"at most {max_parts}")
        inside = part.get_payload()
        if isinstance(inside, list):
            waiting += [(one, depth + 1) for one in reversed(inside) if isinstance(one, Message)]
        else:
            yield part


def _is_text(part: Message) -> bool:
    return part.get_content_type() == "text/plain" and not _is_file(part)


def _is_file(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or _filename(part) is not None


def _is_attachment(part: Message) -> bool:
    """A file, or what is no text at all; an HTML body and a picture in it are none."""
    if _is_file(part):
        return True
    return part.get_content_maintype() not in ("text", "image", "multipart", "message")


def _attachment(part: Message) -> Attachment:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    damaged = any(isinstance(defect, _DAMAGED) for defect in part.defects)
    return Attachment(_filename(part), part.get_content_type(), content, damaged)


def _filename(part: Message) -> str | None:
    try:
        sent = part.get_filename()
    except (LookupError, ValueError, TypeError):  # an RFC 2231 name in a charset that there is not
        return "unnamed"
    return _decoded(sent).strip() or None if sent else None


def _header(message: Message, name: str) -> str:
    return _decoded(str(message.get(name, "")))


def _decoded(value: str) -> str:
    """RFC 2047 words decoded, on one line; as sent where they cannot be."""
    value = value[:MAX_HEADER_CHARS]
    with contextlib.suppress(LookupError, ValueError, email_errors.MessageError):
        value = str(make_header(decode_header(value)))
    return " ".join(value.split())


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    try:
        return content.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        return content.decode("latin-1")
