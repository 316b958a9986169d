"""What every target promises, and what it is handed.

A target is a place to hand a push to, named by a URL: another receiver, a webhook, a mailbox, a directory here or
elsewhere, a command. The sender's backup destination and the receiver's deliveries are the same targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Protocol

from soapsvc.errors import SoapsvcError
from soapsvc.records import JobId, Property, PushKind


@dataclass(frozen=True, slots=True)
class OutgoingDocument:
    """One decoded document of a push that goes out.

    n           from 1, in the order of the envelope
    filename, doctype, detected_type, charset  as in `records.Document`; the filename is what a sender wrote, so that
                no target takes it for a path or a header as it is
    sha256      hex, of the decoded bytes
    open        the decoded bytes as a binary file; each call opens anew. Errors: StoreUnavailable, OSError
    """

    n: int
    filename: str | None
    doctype: str | None
    detected_type: str | None
    charset: str | None
    size_bytes: int
    sha256: str
    open: Callable[[], BinaryIO] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutgoingPush:
    """One push on its way to a target: one that came in, or one that the sender has made.

    id           the same in every attempt, so that whoever gets it twice can tell
    received_at  aware UTC: when it came in; of a sender's own: when it was made
    record       the JSON object of `soapsvc inbox show --json` (docs/inbox.md), as far as it is known
    open_raw     the SOAP envelope as it came, or as it was sent; each call opens anew
    is_repeat    an attempt was made before, and may have been cut off: what it left half written is cleared away
    """

    id: str
    received_at: datetime
    kind: PushKind
    job: JobId | None
    properties: tuple[Property, ...] = field(repr=False)
    documents: tuple[OutgoingDocument, ...] = field(repr=False)
    record: Mapping[str, Any] = field(repr=False)
    open_raw: Callable[[], BinaryIO] = field(repr=False)
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """A target's word that it has the push.

    target     its URL without secrets
    at         aware UTC: when it had it
    reference  what the target calls it: SubmitId, Message-ID, path, status; for people
    """

    target: str
    at: datetime
    reference: str


class DeliveryFailed(SoapsvcError):
    """The push was not handed over, as far as can be known; str() is a sentence without secrets or content.

    may_repeat           False: the target has said no to this push for good
    retry_after_seconds  when the target says so
    """

    def __init__(self, sentence: str, *, may_repeat: bool, retry_after_seconds: float | None = None):
        super().__init__(sentence)
        self.may_repeat, self.retry_after_seconds = may_repeat, retry_after_seconds


class Target(Protocol):
    """A place to hand pushes to. Threads may share it.

    url      without secrets: for logs, pages and receipts
    Promise  deliver() returns when the target has the push for good; whatever else is DeliveryFailed
    """

    @property
    def url(self) -> str: ...

    def deliver(self, push: OutgoingPush) -> Receipt:
        """Hand over one push, within the target's own time limits. Errors: DeliveryFailed."""

    def close(self) -> None:
        """Let go of connections."""
