"""For each rule of the wire a request that breaks it and no other, and what judges such a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.security import generate_password_hash

from soapsvc.errors import HttpRefused
from soapsvc.namespaces import SOAP11_ENVELOPE, SOAP12_ENVELOPE
from soapsvc.records import Deviation
from soapsvc.settings import OwnSettings
from soapsvc.spool import Content, Spool
from soapsvc.wire.envelope_reader import Limits, read_envelope
from soapsvc.wire.http_gate import HttpGate
from soapsvc.wire.http_messages import RequestHead
from soapsvc.wire.soap_rules import check_soap

GOOD = f"""<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="{SOAP11_ENVELOPE}">
  <s:Header>
    <h:Known xmlns:h="urn:h" s:mustUnderstand="1">k</h:Known>
    <h:Other xmlns:h="urn:h" s:mustUnderstand="0"/>
  </s:Header>
  <s:Body>
    <p:Push xmlns:p="urn:p">
      <p:DocData format="base64">QUJD
RA==</p:DocData>
      <p:DocData format="text">caf\u00e9 &lt;</p:DocData>
      <p:Property name="Subject">of the job</p:Property>
    </p:Push>
  </s:Body>
</s:Envelope>
"""
UNDERSTOOD = frozenset({"{urn:h}Known"})
DOCUMENT_NAMES = frozenset({"docdata"})
SOAP_ACTIONS = ("basicInvoke",)
PASSWORD_HASH = generate_password_hash("open sesame", method="pbkdf2:sha256:1")
HEADERS = {
    "Content-Type": "text/xml; charset=utf-8",
    "Content-Length": str(len(GOOD)),
    "SOAPAction": '"basicInvoke"',
}


@dataclass(frozen=True)
class Message:
    """A request; what is not given is right.

    headers   None: the header is not sent; a list: sent so many times
    settings  that are not the default
    """

    body: bytes = GOOD.encode()
    headers: Mapping[str, str | list[str] | None] = field(default_factory=dict)
    method: str = "POST"
    path: str = "/push"
    query: str = ""
    peer: str = "192.0.2.7"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def head(self) -> RequestHead:
        sent: list[tuple[str, str]] = []
        for name, value in {**HEADERS, **self.headers}.items():
            sent += [(name, each) for each in ([value] if isinstance(value, str) else value or [])]
        return RequestHead(self.method, self.path, self.query, tuple(sent), self.peer)


def judged(message: Message, folder: Path) -> tuple[Deviation, ...]:
    """Every deviation that the wire finds; a refused request is one deviation."""
    settings = OwnSettings(**message.settings)
    gate = HttpGate(settings, SOAP_ACTIONS)
    try:
        gate.admit(message.head())
        media_type = gate.media_type(message.head())
    except HttpRefused as refused:
        return (Deviation(refused.rule, refused.where, None, refused.found, refused.wanted),)
    with Spool(folder) as spool:
        envelope = read_envelope(
            Content.of(message.body),
            codec=media_type.codec,
            limits=Limits.from_settings(settings),
            document_names=DOCUMENT_NAMES,
            spool=spool,
        )
        soap = check_soap(envelope, UNDERSTOOD) if envelope.root is not None else ()
        documents = tuple(deviation for document in envelope.documents for deviation in document.deviations)
        return (*media_type.deviations, *envelope.deviations, *soap, *documents)


def edited(*pairs: tuple[str, str]) -> Message:
    """The good message with some of its text replaced."""
    text = GOOD
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return Message(text.encode())


def declared(encoding: str) -> str:
    return GOOD.replace("UTF-8", encoding)


HEADER = GOOD[GOOD.index("<s:Header>") : GOOD.index("</s:Header>") + len("</s:Header>")]
BODY = GOOD[GOOD.index("<s:Body>") : GOOD.index("</s:Body>") + len("</s:Body>")]
CHILD = GOOD[GOOD.index("<p:Push") : GOOD.index("</p:Push>") + len("</p:Push>")]
ASCII_ONLY = GOOD.replace("\u00e9", "e")
USERS = {"basic_users": {"vendor": PASSWORD_HASH}}

BREAKING: dict[str, Message] = {
    "HTTP-001": Message(path="/other"),
    "HTTP-002": Message(method="PUT"),
    "HTTP-003": Message(headers={"Transfer-Encoding": "chunked"}),
    "HTTP-004": Message(headers={"Content-Length": None}),
    "HTTP-005": Message(headers={"Content-Length": "2048"}, settings={"max_envelope_bytes": 2047}),
    "HTTP-006": Message(headers={"Expect": "200-ok"}),
    "HTTP-007": Message(settings={"allowed_sources": ["198.51.100.0/24"]}),
    "HTTP-008": Message(settings=USERS),
    "HTTP-009": Message(headers={"Content-Type": None}),
    "HTTP-010": Message(headers={"Content-Type": "application/soap+xml; charset=utf-8"}),
    "HTTP-011": Message(headers={"Content-Type": "text/xml; charset=punycode"}),
    "HTTP-012": Message(headers={"Content-Encoding": "gzip"}),
    "HTTP-013": Message(headers={"X-Forwarded-For": "unknown"}, settings={"trusted_proxies": ["192.0.2.0/24"]}),
    "HTTP-020": Message(headers={"Content-Type": "application/xml; charset=utf-8"}),
    "HTTP-021": Message(headers={"Content-Type": "text/xml"}),
    "HTTP-022": Message(
        declared("ISO-8859-1").encode("latin-1"), headers={"Content-Type": "text/xml; charset=ISO-8859-1"}
    ),
    "HTTP-023": Message(headers={"SOAPAction": "basicInvoke"}),
    "HTTP-024": Message(headers={"SOAPAction": '"other"'}),
    "XML-001": Message(b""),
    "XML-002": Message(GOOD.encode("latin-1")),
    "XML-003": edited(("</s:Envelope>", "</s:Envelop>")),
    "XML-004": edited(("<s:Envelope", '<!DOCTYPE x [<!ENTITY e "x">]><s:Envelope')),
    "XML-005": edited(("<s:Body>", "<s:Body><?x y?>")),
    "XML-006": Message(edited(("of the job", "<d>" * 12 + "</d>" * 12)).body, settings={"max_depth": 12}),
    "XML-007": Message(edited(("of the job", "<d/>" * 12)).body, settings={"max_elements": 16}),
    "XML-008": Message(edited(('name="Subject"', 'name="Subject" b="c"')).body, settings={"max_attributes": 1}),
    "XML-009": Message(edited(("of the job", f"<{'n' * 65}/>")).body, settings={"max_name_chars": 64}),
    "XML-010": Message(edited(("of the job", "x" * 1000)).body, settings={"max_text_bytes": 1024}),
    "XML-011": Message(settings={"max_documents": 1}),
    "XML-012": edited(('version="1.0"', 'version="1.1"')),
    "XML-013": Message(b"\xef\xbb\xbf" + GOOD.encode(), headers={"Content-Type": "text/xml; charset=utf-16"}),
    "XML-014": Message(declared("ISO-8859-1").encode()),
    "XML-015": Message(declared("UTF-16").encode("utf-16-le"), headers={"Content-Type": "text/xml; charset=utf-16"}),
    "XML-016": Message(declared("punycode").encode(), headers={"Content-Type": "text/xml"}),
    "XML-017": Message(declared("windows-1252").encode("cp1252"), headers={"Content-Type": "text/xml"}),
    "SOAP-001": Message(GOOD.replace(SOAP11_ENVELOPE, SOAP12_ENVELOPE).encode()),
    "SOAP-002": Message(GOOD.replace("s:Envelope", "s:Body2").encode()),
    "SOAP-003": edited((HEADER, HEADER + "<s:Header/>")),
    "SOAP-004": edited((BODY, "")),
    "SOAP-005": edited((CHILD, "")),
    "SOAP-006": edited((CHILD, CHILD + '<q:Second xmlns:q="urn:q"/>')),
    "SOAP-007": edited((CHILD, "<Push/>")),
    "SOAP-008": edited((BODY, BODY + '<t:Trailer xmlns:t="urn:t"/>')),
    "SOAP-009": edited((HEADER, HEADER + '<t:Between xmlns:t="urn:t"/>')),
    "SOAP-010": edited(("<s:Body>", "<s:Body>text")),
    "SOAP-011": edited(('mustUnderstand="0"', 'mustUnderstand="false"')),
    "SOAP-012": edited(('mustUnderstand="0"', 'mustUnderstand="1"')),
    "SOAP-013": edited(("</s:Header>", "<Unqualified/></s:Header>")),
    "SOAP-014": edited(("<s:Body>", '<s:Body s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">')),
    "SOAP-015": edited(("<s:Header>", '<s:Header s:actor="urn:a">')),
    "SOAP-016": edited((CHILD, "<s:Fault><faultcode>s:Client</faultcode><faultstring>x</faultstring></s:Fault>")),
    "SOAP-017": edited(('<p:Property name="Subject"', '<p:Ref href="#one"/><p:Property id="one" name="Subject"')),
    "PAY-001": edited(("QUJD\n", "QUJD-\n")),
    "PAY-002": edited(("RA==", "RA=")),
    "PAY-003": edited(("RA==", "RB==")),
    "PAY-004": edited(('format="text"', 'format="hex"')),
    "PAY-005": edited(("caf\u00e9", "caf\u00e9<p:Inside/>")),
}
