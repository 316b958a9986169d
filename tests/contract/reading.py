"""Reading a message for a test, as the receiver would, and a WSDL made for one."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from soapsvc.contract.roles import read_push
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.records import Arrival, Deviation, Push
from soapsvc.settings import OwnSettings
from soapsvc.shipped import WSDL_FILE
from soapsvc.spool import Content, Spool
from soapsvc.wire.envelope_reader import Envelope, Limits, read_envelope

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
VENDOR = "http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10"
HEADER = "http://premconn.premiereconnect.com/2007/02"
ARRIVAL = Arrival(datetime(2012, 11, 4, 13, 20, tzinfo=UTC), "192.0.2.1")


def shipped_wsdl() -> WsdlDocument:
    return WsdlDocument.load(WSDL_FILE)


def envelope_of(message: str | bytes, document_names: frozenset[str] = frozenset({"docdata"})) -> Envelope:
    """The envelope of a small message (its documents stay in memory)."""
    raw = message.encode() if isinstance(message, str) else message
    spool = Spool(Path(tempfile.gettempdir()))
    limits = Limits.from_settings(OwnSettings())
    envelope = read_envelope(Content.of(raw), codec="utf-8", limits=limits, document_names=document_names, spool=spool)
    assert envelope.root is not None, envelope.deviations
    return envelope


def pushed(message: str | bytes) -> tuple[Push, tuple[Deviation, ...]]:
    return read_push(envelope_of(message), ARRIVAL)


def body(content: str, header: str = "") -> str:
    """An envelope around the children of Body."""
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return f'<s:Envelope xmlns:s="{SOAP}">{head}<s:Body>{content}</s:Body></s:Envelope>'


def a_wsdl(folder: Path, *schemas: str, element: str = "t:Push", header: str | None = None) -> WsdlDocument:
    """A WSDL without marks around some schemas; prefix t is urn:t, u is urn:u.

    element  that Body holds
    header   element of a header block that the binding describes
    """
    bound = '<soap:header message="t:In" part="block" use="literal"/>' if header else ""
    part = f'<wsdl:part name="block" element="{header}"/>' if header else ""
    path = folder / "made.wsdl"
    path.write_text(f"""<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:t"
        xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema"
        xmlns:t="urn:t" xmlns:u="urn:u">
      <wsdl:types>{"".join(schemas)}</wsdl:types>
      <wsdl:message name="In"><wsdl:part name="p" element="{element}"/>{part}</wsdl:message>
      <wsdl:portType name="T"><wsdl:operation name="Push"><wsdl:input message="t:In"/></wsdl:operation></wsdl:portType>
      <wsdl:binding name="B" type="t:T">
        <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
        <wsdl:operation name="Push"><soap:operation soapAction=""/>
          <wsdl:input>{bound}<soap:body parts="p" use="literal"/></wsdl:input></wsdl:operation>
      </wsdl:binding>
      <wsdl:service name="S"><wsdl:port name="P" binding="t:B"><soap:address location="http://x.example/"/></wsdl:port>
      </wsdl:service>
    </wsdl:definitions>""")
    return WsdlDocument.load(path)


def schema(content: str, target: str = "urn:t") -> str:
    return f'<xs:schema targetNamespace="{target}" elementFormDefault="qualified">{content}</xs:schema>'
