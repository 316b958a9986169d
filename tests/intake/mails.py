"""Emails as a vendor's sender, or ours, would leave them at a backup."""

from __future__ import annotations

import json
from collections.abc import Sequence
from email.message import EmailMessage

from tests.pushing import envelope

REPORT = b"reference,status\r\nINV-1,Sent\r\n"
BODY = """Dear customer,

Your delivery report is attached.

Job: test2:{mrn}
UserAccountNumber: 2000002
StartTime: 2012-11-04T13:05:45Z
Colour: blue

Yours
"""


def mail(
    mrn: int = 1000001,
    attached: Sequence[tuple[str, bytes]] | None = None,
    body: str | None = None,
    **header: str,
) -> bytes:
    """A report by email, its job in the text."""
    message = EmailMessage()
    told = {
        "From": "Reports <reports@vendor.example>", "To": "inbox@customer.example",
        "Subject": f"Delivery report – job {mrn}", "Date": "Sun, 04 Nov 2012 13:06:00 +0000",
        "Message-ID": f"<{mrn}@vendor.example>",
    }  # fmt: skip
    for name, value in {**told, **header}.items():
        message[name] = value
    message.set_content(BODY.format(mrn=mrn) if body is None else body)
    for name, content in ((f"report_{mrn}.csv", REPORT),) if attached is None else attached:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def mail_with_envelope(mrn: int = 1000001, document: bytes = REPORT) -> bytes:
    """What our own sender leaves: the document, the record, the envelope."""
    record = json.dumps({"job": {"xdn": "test2", "mrn": str(mrn)}, "http_headers": []}).encode()
    message = EmailMessage()
    message["From"], message["Subject"] = "a@b.example", "a push"
    message.set_content("a push")
    message.add_attachment(document, maintype="text", subtype="csv", filename=f"report_{mrn}.csv")
    message.add_attachment(record, maintype="application", subtype="json", filename="record.json")
    message.add_attachment(envelope(mrn, document), maintype="text", subtype="xml", filename="envelope.xml")
    return message.as_bytes()
