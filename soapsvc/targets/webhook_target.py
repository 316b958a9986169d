"""The target that is a webhook: the record as JSON, signed by the Standard Webhooks scheme.

{"type": "push.received", "timestamp": "…Z", "data": {… the record …, "documents": [{…, "content_base64": "…"}]}}

webhook-id         the push's id: the same in every attempt
webhook-timestamp  seconds since 1970, of the attempt
webhook-signature  v1, and base64 of the HMAC-SHA256 of "id.timestamp.body", where a secret is set
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from soapsvc.errors import SettingsError, StoreError
from soapsvc.targets.deadline import Deadline
from soapsvc.targets.http_exchange import Body, may_repeat_after, post, retry_after_seconds
from soapsvc.targets.options import DOCUMENTS_IN_WEBHOOKS, TargetOptions, shown, split, user_of
from soapsvc.targets.target import DeliveryFailed, OutgoingDocument, OutgoingPush, Receipt

SECRET_PREFIX = "whsec_"  # noqa: S105  (how a secret of the scheme begins)
LEAST_SECRET_BYTES, MOST_SECRET_BYTES = 24, 64  # what Standard Webhooks wants of a secret
GONE = 410  # the scheme: whoever answers so wants no more of them


class WebhookTarget:
    """A URL that JSON is posted to.

    url     with the scheme http or https
    Errors  SettingsError from the constructor: secret or options are of no use
    """

    def __init__(self, url: str, options: TargetOptions):
        parts = split(url)
        self._url, self._options = f"webhook+{shown(parts)}", options
        self._address = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
        self._user, self._password = user_of(parts, options)
        self._key = None if options.webhook_secret is None else signing_key(options.webhook_secret)
        if options.documents not in DOCUMENTS_IN_WEBHOOKS:
            listed = ", ".join(DOCUMENTS_IN_WEBHOOKS)
            raise SettingsError(f"documents of {self._url} reads {options.documents!r}; one of {listed} is wanted")
        if options.documents == "links" and not options.link_base:
            raise SettingsError(f"documents of {self._url} go as links, and link_base does not say where they are")

    @property
    def url(self) -> str:
        return self._url

    def close(self) -> None:
        """A connection is closed with each push."""

    def deliver(self, push: OutgoingPush) -> Receipt:
        """Post the record. Errors: DeliveryFailed."""
        deadline = Deadline(self._options.total_seconds, self._url)
        now = self._options.clock()
        try:
            body = self._body(push)
        except (OSError, StoreError) as error:
            raise DeliveryFailed(f"the documents cannot be read: {error}", may_repeat=True) from error
        answer = post(
            self._address, Body(io.BytesIO(body), len(body), deadline), self._headers(push.id, now, body),
            options=self._options, deadline=deadline, user=self._user, password=self._password,
            public_only=not self._options.allow_internal,
        )  # fmt: skip
        if not 200 <= answer.status_code < 300:
            raise DeliveryFailed(
                f"{self._url} answers HTTP {answer.status_code}: {answer.first_line}",
                may_repeat=answer.status_code != GONE and may_repeat_after(answer.status_code),
                retry_after_seconds=retry_after_seconds(answer, now),
            )
        return Receipt(self._url, self._options.clock(), f"HTTP {answer.status_code}")

    def _headers(self, push_id: str, at: datetime, body: bytes) -> Mapping[str, str]:
        timestamp = str(int(at.timestamp()))
        headers = {"Content-Type": "application/json", "webhook-id": push_id, "webhook-timestamp": timestamp}
        if self._key is not None:
            headers["webhook-signature"] = signature(self._key, push_id, timestamp, body)
        return headers

    def _body(self, push: OutgoingPush) -> bytes:
        told = [dict(one) for one in push.record.get("documents") or ()]
        if len(told) != len(push.documents):
            told = [
                {"n": one.n, "filename": one.filename, "doctype": one.doctype, "size_bytes": one.size_bytes,
                 "sha256": one.sha256} for one in push.documents
            ]  # fmt: skip
        way = self._way(push)
        for one, document in zip(told, push.documents, strict=True):
            if way == "inline":
                one["content_base64"] = _base64(document)
            elif way == "links":
                base = (self._options.link_base or "").rstrip("/")
                one["url"] = f"{base}/{quote(push.id, safe='')}/documents/{document.n}"
        record: dict[str, Any] = {**push.record, "id": push.id, "documents": told}
        event = {
            "type": "push.received", "timestamp": _time(push.received_at), "documents_as": way, "data": record,
        }  # fmt: skip
        return json.dumps(event, ensure_ascii=True, default=str, separators=(",", ":")).encode()

    def _way(self, push: OutgoingPush) -> str:
        """How the documents of a push go out: inline, links or none."""
        size_bytes = sum(document.size_bytes for document in push.documents)
        if self._options.documents != "inline" or size_bytes <= self._options.inline_bytes:
            return self._options.documents
        return "links" if self._options.link_base else "none"


def signing_key(secret: str) -> bytes:
    """The bytes of a secret: base64 after whsec_, or the text itself.

    Errors  SettingsError, without the secret: it is no base64, or of a length that the scheme does not allow
    """
    if not secret.startswith(SECRET_PREFIX):
        key = secret.encode()
    else:
        try:
            key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise SettingsError("the webhook's secret has no base64 after whsec_") from None
    if not LEAST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
        raise SettingsError(
            f"the webhook's secret has {len(key)} bytes; {LEAST_SECRET_BYTES} to {MOST_SECRET_BYTES} are wanted"
        )
    return key


def signature(key: bytes, push_id: str, timestamp: str, body: bytes) -> str:
    """The value of webhook-signature."""
    signed = b".".join((push_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _base64(document: OutgoingDocument) -> str:
    with document.open() as stream:
        return base64.b64encode(stream.read()).decode()


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
