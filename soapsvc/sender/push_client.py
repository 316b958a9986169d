"""Pushes through zeep, as an integrator's client does that was generated from the WSDL; one attempt, no backup.

`sender.Sender` is the vendor's half, with envelopes by any WSDL, a retry schedule and backups.
"""

from __future__ import annotations

import base64
import io
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from lxml import etree
from zeep.exceptions import Error as ZeepError

from soapsvc.clock import Clock, utc_now
from soapsvc.errors import SendError
from soapsvc.namespaces import SOAP11_ENVELOPE, qname
from soapsvc.records import JobId
from soapsvc.sender.document_files import charset_of, doctype_of
from soapsvc.sender.profile import TIMEOUT_SECONDS
from soapsvc.sender.supply import SENDER_KEY
from soapsvc.shipped import WSDL_FILE
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.soap_contract import Acknowledged, SoapContract, one_line, safe_parser
from soapsvc.targets.soap_target import SoapTarget
from soapsvc.targets.target import DeliveryFailed


class PushClient:
    """A sender to one receiver.

    url            of the receiver; the address in the WSDL is not used
    wsdl           whose operation and types are used
    user, password for HTTP Basic; None: no credential is sent
    Errors         SendError from push() and replay(): nobody acknowledged; one sentence says why
    """

    def __init__(
        self,
        url: str,
        *,
        wsdl: Path = WSDL_FILE,
        user: str | None = None,
        password: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Clock = utc_now,
    ):
        options = TargetOptions(wsdl=wsdl, total_seconds=timeout_seconds, password=password, clock=clock)
        self._url, self._clock = url, clock
        self._target = SoapTarget(url if user is None else _with_user(url, user), options)
        contract = SoapContract.of(wsdl)
        self._zeep = contract.client
        binding, self._operation = contract.bindings[0]
        self._service = self._zeep.create_service(binding.name.text, url)

    def push(
        self,
        content: bytes,
        *,
        filename: str,
        doctype: str | None = None,
        job: JobId | None = None,
        properties: Sequence[tuple[str, str]] = (),
    ) -> Acknowledged:
        """Push one document, as a job report would come.

        doctype     None: by the file's name
        job         None: the push names none
        properties  (name, value) in the segment Default
        """
        now = self._clock()
        kind = doctype or doctype_of(filename)
        document = {
            "DocType": kind,
            "Filename": filename,
            "DocData": {"_value_1": base64.b64encode(content).decode(), "format": "base64"},
            "CharacterSet": charset_of(content, kind),
        }
        named = [{"name": name, "_value_1": value} for name, value in properties]
        body: dict[str, Any] = {
            "Status": {"StatusCode": 0, "StatusMessage": "OK", "SubmissionTime": now, "CompletionTime": now},
            "JobDocumentData": {
                "JobId": {"XDN": job.xdn, "MRN": job.mrn} if job else None,
                "Document": [document],
                "JobDocumentDataExtension": [{"name": "Default", "Property": named}] if named else [],
            },
        }
        processing_id = f"{secrets.token_hex(4).upper()}-0001-{now:%y%m%d%H%M%S}{now.microsecond // 1000:03d}"
        header = {"SenderKey": SENDER_KEY, "ReceiverKey": self._url, "ProcessingID": processing_id}
        return self._send(body, [element(**header) for element in self._header_elements()])

    def replay(self, envelope: bytes) -> Acknowledged:
        """Take a SOAP 1.1 envelope apart into zeep's objects of the WSDL's types, and push those."""
        root = _parsed(envelope)
        body = root.find(qname(SOAP11_ENVELOPE, "Body"))
        children = [] if body is None else list(body.iterchildren(etree.Element))
        if root.tag != qname(SOAP11_ENVELOPE, "Envelope") or len(children) != 1:
            raise SendError("What is to be replayed is no SOAP 1.1 envelope with one child of Body.")
        wanted = self._operation.input.body
        if children[0].tag != wanted.qname.text:
            raise SendError(f"The Body holds {children[0].tag}, and the WSDL wants {wanted.qname.text}.")
        blocks = root.iterfind(f"{qname(SOAP11_ENVELOPE, 'Header')}/*")
        try:
            values = _values(wanted, children[0], self._zeep)
            headers = [self._header(block) for block in blocks]
        except (ZeepError, ValueError, TypeError) as cause:
            raise SendError(f"zeep cannot read the envelope by the WSDL: {one_line(cause)}") from cause
        return self._send(values, headers)

    def _header(self, block: etree._Element) -> Any:
        """A block as zeep's object where the WSDL declares it, else as it is."""
        declared = next((e for e in self._zeep.wsdl.types.elements if e.qname.text == block.tag), None)
        return block if declared is None else declared(**_values(declared, block, self._zeep))

    def _header_elements(self) -> list[Any]:
        header = self._operation.input.header
        return [] if header is None or header.type is None else [element for _, element in header.type.elements]

    def _send(self, values: dict[str, Any], headers: list[Any]) -> Acknowledged:
        """Write the envelope as zeep does, and post it. Errors: SendError: it does not fit, or nobody acknowledged."""
        try:
            made = self._zeep.create_message(self._service, self._operation.name, **values, _soapheaders=headers)
            envelope = etree.tostring(made, xml_declaration=True, encoding="utf-8")
        except (ZeepError, TypeError, ValueError) as cause:
            raise SendError(f"The push does not fit the WSDL: {one_line(cause)}") from cause
        try:
            return self._target.post(lambda: io.BytesIO(envelope))
        except DeliveryFailed as failed:
            raise SendError(str(failed)) from failed


def _parsed(envelope: bytes) -> etree._Element:
    try:
        return etree.fromstring(envelope, safe_parser())
    except etree.XMLSyntaxError as cause:
        raise SendError(f"What is to be replayed is not well-formed: {cause}") from cause


def _with_user(url: str, user: str) -> str:
    """The URL that names the user; the password goes apart."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{quote(user, safe='')}@{parts.netloc}").geturl()


def _values(declared: Any, element: etree._Element, client: Any) -> dict[str, Any]:
    """The members of an element by zeep's names; lists where there are several."""
    parsed = declared.type.parse_xmlelement(element, client.wsdl.types)
    return {name: value for name, value in parsed.__values__.items() if value is not None}
