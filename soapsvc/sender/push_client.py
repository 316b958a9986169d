"""Plays the vendor: pushes by a WSDL through zeep, and believes nothing but the acknowledgement."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import zeep
from lxml import etree
from requests.auth import HTTPBasicAuth
from zeep.exceptions import Error as ZeepError
from zeep.exceptions import Fault, ValidationError
from zeep.wsdl.bindings.soap import Soap11Binding

from soapsvc.clock import Clock, utc_now
from soapsvc.errors import SendError
from soapsvc.namespaces import SOAP11_ENVELOPE, qname
from soapsvc.records import JobId
from soapsvc.sender.document_files import charset_of, doctype_of
from soapsvc.shipped import WSDL_FILE

logging.getLogger("zeep").addHandler(logging.NullHandler())  # what it has to say is in the errors raised here

TIMEOUT_SECONDS = 15.0  # services of this kind wait no longer for an acknowledgement
SAID_CHARS = 300
SENDER_KEY = "http://sender.example.net/wsda"  # no address of anybody's: it names who sends, and this is a trial


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A receiver's acknowledgement.

    raw          the answer's bytes
    status_code  0: success
    submit_id    as echoed, None: it is not
    """

    raw: bytes = field(repr=False)
    status_code: str
    submit_id: str | None

    @property
    def summary(self) -> str:
        """The answer in a line."""
        echoed = f", SubmitId {self.submit_id}" if self.submit_id else ""
        return f"StatusCode {self.status_code}{echoed}"


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
        session = requests.Session()
        session.trust_env = False  # no proxy and no netrc of the machine's: what is tried is this receiver
        if user is not None:
            session.auth = HTTPBasicAuth(user.encode(), (password or "").encode())
        transport = zeep.Transport(session=session, timeout=timeout_seconds, operation_timeout=timeout_seconds)
        settings = zeep.Settings(strict=True, raw_response=True, xml_huge_tree=True)
        self._url, self._clock = url, clock
        self._zeep = zeep.Client(str(wsdl), transport=transport, settings=settings)
        self._binding = next(b for b in self._zeep.wsdl.bindings.values() if type(b) is Soap11Binding)
        self._operation = next(iter(self._binding.all().values()))
        self._service = self._zeep.create_service(self._binding.name.text, url)

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
            raise SendError(f"zeep cannot read the envelope by the WSDL: {_one_line(cause)}") from cause
        return self._send(values, headers)

    def _header(self, block: etree._Element) -> Any:
        """A block as zeep's object where the WSDL declares it, else as it is."""
        declared = next((e for e in self._zeep.wsdl.types.elements if e.qname.text == block.tag), None)
        return block if declared is None else declared(**_values(declared, block, self._zeep))

    def _header_elements(self) -> list[Any]:
        header = self._operation.input.header
        return [] if header is None or header.type is None else [element for _, element in header.type.elements]

    def _send(self, values: dict[str, Any], headers: list[Any]) -> Acknowledged:
        try:
            response = self._service[self._operation.name](**values, _soapheaders=headers)
        except (ValidationError, TypeError, ValueError) as cause:
            raise SendError(f"The push does not fit the WSDL: {_one_line(cause)}") from cause
        except requests.Timeout as cause:
            raise SendError(f"No answer from {self._url} in time; whether it took the push is not known.") from cause
        except requests.RequestException as cause:
            raise SendError(f"{self._url} cannot be reached: {_reason(cause)}") from cause
        return self._acknowledged(response)

    def _acknowledged(self, response: requests.Response) -> Acknowledged:
        """Errors: SendError for all but HTTP 200 with the acknowledgement that the WSDL describes, and status 0."""
        if response.status_code not in (200, 500):
            text = response.text.strip().splitlines()
            raise SendError(f"HTTP {response.status_code}: {text[0] if text else response.reason}")
        try:
            with self._zeep.settings(raw_response=False):
                answer = self._binding.process_reply(self._zeep, self._operation, response)
        except Fault as fault:
            if not fault.code:  # zeep takes whatever comes with HTTP 500 for a fault
                raise SendError(
                    f"HTTP {response.status_code}, but neither a SOAP fault nor an acknowledgement; nothing was taken."
                ) from fault
            code = fault.code.rpartition(":")[2]
            raise SendError(f"Fault {code} (HTTP {response.status_code}): {fault.message}") from fault
        except (ZeepError, ValueError, TypeError, AttributeError, LookupError) as cause:
            raise SendError(
                f"HTTP {response.status_code}, but not the acknowledgement of the WSDL: {_one_line(cause)}"
            ) from cause
        status = getattr(answer, "Status", None)
        if response.status_code != 200 or status is None or status.StatusCode != 0:
            raise SendError(f"HTTP {response.status_code}, but the answer acknowledges nothing.")
        return Acknowledged(response.content, str(status.StatusCode), answer.SubmitId)


def _parsed(envelope: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        return etree.fromstring(envelope, parser)
    except etree.XMLSyntaxError as cause:
        raise SendError(f"What is to be replayed is not well-formed: {cause}") from cause


def _values(declared: Any, element: etree._Element, client: zeep.Client) -> dict[str, Any]:
    """The members of an element by zeep's names; lists where there are several."""
    parsed = declared.type.parse_xmlelement(element, client.wsdl.types)
    return {name: value for name, value in parsed.__values__.items() if value is not None}


def _one_line(cause: Exception) -> str:
    """What zeep says, which may go over several lines and repeat the whole answer."""
    said = " ".join(str(cause).split())
    return said if len(said) <= SAID_CHARS else f"{said[:SAID_CHARS]}…"


def _reason(cause: requests.RequestException) -> str:
    """What went wrong without requests' own nesting of objects."""
    inner: BaseException = cause
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    return str(getattr(inner, "strerror", None) or inner)
