"""A WSDL as a sender needs it, read by zeep: which operation takes a message, and what acknowledges it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import requests
import zeep
from lxml import etree
from zeep.exceptions import Error as ZeepError
from zeep.exceptions import Fault
from zeep.wsdl.bindings.soap import Soap11Binding

from soapsvc.clock import Clock
from soapsvc.errors import SettingsError
from soapsvc.namespaces import SOAP11_ENVELOPE, qname
from soapsvc.targets.http_exchange import LINE_CHARS, HttpAnswer, may_repeat_after, retry_after_seconds
from soapsvc.targets.target import DeliveryFailed

logging.getLogger("zeep").addHandler(logging.NullHandler())  # what it has to say is in the errors raised here

SUCCESS = frozenset({"0", "true"})
"""StatusCode or Status of an acknowledgement: SOAP servers that have one boolean say true."""
_CONTRACTS_KEPT = 4


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A receiver's acknowledgement.

    raw          the answer's bytes
    status_code  0: success; None: the WSDL's acknowledgement tells none
    submit_id    as echoed, None: it is not
    """

    raw: bytes = field(repr=False)
    status_code: str | None
    submit_id: str | None

    @property
    def summary(self) -> str:
        """The answer in a line."""
        told = [f"StatusCode {self.status_code}"] if self.status_code is not None else []
        told += [f"SubmitId {self.submit_id}"] if self.submit_id else []
        return ", ".join(told) or "taken"


class SoapContract:
    """The SOAP 1.1 operations of a WSDL. Threads may share it.

    Errors  SettingsError: zeep cannot read the WSDL
    """

    def __init__(self, wsdl: Path):
        session = requests.Session()
        session.trust_env = False
        transport = zeep.Transport(session=session)
        settings = zeep.Settings(strict=True, xml_huge_tree=True)
        try:
            self.client = zeep.Client(str(wsdl), transport=transport, settings=settings)
        except (ZeepError, OSError, etree.LxmlError, ValueError, LookupError, AttributeError) as error:
            raise SettingsError(f"zeep cannot read the WSDL {wsdl}: {one_line(error)}") from error
        bindings = [b for b in self.client.wsdl.bindings.values() if type(b) is Soap11Binding]
        if not bindings:
            raise SettingsError(f"the WSDL {wsdl} has no SOAP 1.1 binding; one is wanted, to push by")
        self.bindings = [(binding, operation) for binding in bindings for operation in binding.all().values()]

    @classmethod
    def of(cls, wsdl: Path) -> SoapContract:
        """The contract of a file, read once as long as that does not change. Errors: SettingsError."""
        try:
            found = wsdl.stat()
        except OSError as error:
            raise SettingsError(f"the WSDL {wsdl} cannot be read: {error.strerror}") from error
        key = (str(wsdl.resolve()), found.st_mtime_ns, found.st_size)
        with _reading:
            if key not in _contracts:
                _contracts[key] = cls(wsdl)
                while len(_contracts) > _CONTRACTS_KEPT:
                    _contracts.popitem(last=False)
            return _contracts[key]

    def operation_for(self, root: str | None) -> tuple[Any, Any]:
        """Binding and operation whose input is the element; the first, where none is: the receiver will say so."""
        fitting = [(binding, one) for binding, one in self.bindings if _element_of(one.input) == root]
        return (fitting or self.bindings)[0]

    def acknowledged(self, binding: Any, operation: Any, answer: HttpAnswer, clock: Clock) -> Acknowledged:
        """What acknowledges by the WSDL: HTTP 200 with the element that it describes, and status 0 where it has one; an
        empty answer where it describes none.

        Errors  DeliveryFailed for whatever else came
        """
        after = retry_after_seconds(answer, clock())
        status = answer.status_code
        if status not in (200, 202, 500):
            raise DeliveryFailed(
                f"HTTP {status}: {answer.first_line}", may_repeat=may_repeat_after(status), retry_after_seconds=after
            )
        wanted = None if operation.output is None else _element_of(operation.output)
        if wanted is None and status in (200, 202) and _is_empty(answer.content):
            return Acknowledged(answer.content, None, None)
        if status == 202:
            raise DeliveryFailed(
                f"HTTP 202: {answer.first_line}, which is not the acknowledgement", may_repeat=True,
                retry_after_seconds=after,
            )  # fmt: skip
        try:
            binding.process_reply(self.client, operation, answer)
            payload = _payload(answer.content)
        except Fault as fault:
            raise _refusal(fault, status, after) from fault
        except (ZeepError, ValueError, TypeError, AttributeError, LookupError, etree.LxmlError) as cause:
            raise DeliveryFailed(
                f"HTTP {status}, but not the acknowledgement of the WSDL: {one_line(cause)}", may_repeat=True,
                retry_after_seconds=after,
            ) from cause  # fmt: skip
        code, submit_id = _text(payload, "statuscode", "status"), _text(payload, "submitid")
        wrong = payload is not None and wanted is not None and payload.tag != wanted
        if status != 200 or (payload is None) != (wanted is None) or wrong or (code or "0").lower() not in SUCCESS:
            raise DeliveryFailed(
                f"HTTP {status}, but the answer acknowledges nothing.", may_repeat=True, retry_after_seconds=after
            )
        return Acknowledged(answer.content, code, submit_id)


_contracts: OrderedDict[tuple[str, int, int], SoapContract] = OrderedDict()
_reading = threading.Lock()


def _element_of(message: Any) -> str | None:
    """Clark name of what a message has in Body; None: nothing."""
    body = None if message is None else message.body
    return None if body is None or getattr(body, "qname", None) is None else str(body.qname.text)


def _refusal(fault: Fault, status: int, after: float | None) -> DeliveryFailed:
    if not fault.code:  # zeep takes whatever comes with HTTP 500 for a fault
        return DeliveryFailed(
            f"HTTP {status}, but neither a SOAP fault nor an acknowledgement; nothing was taken.", may_repeat=True,
            retry_after_seconds=after,
        )  # fmt: skip
    code = str(fault.code).rpartition(":")[2]
    final = code.partition(".")[0] in ("Client", "VersionMismatch", "MustUnderstand")
    return DeliveryFailed(
        f"Fault {code} (HTTP {status}): {one_line(fault.message)}", may_repeat=not final, retry_after_seconds=after
    )


def safe_parser() -> etree.XMLParser:
    """For XML that came from elsewhere: no entities, no network."""
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)


def _payload(content: bytes) -> etree._Element | None:
    """The child of Body; None: there is none. Errors: ValueError: it is no envelope."""
    root = etree.fromstring(content, safe_parser())
    body = root.find(qname(SOAP11_ENVELOPE, "Body"))
    if root.tag != qname(SOAP11_ENVELOPE, "Envelope") or body is None:
        raise ValueError("it is no SOAP 1.1 envelope with a Body")
    return next(body.iterchildren(etree.Element), None)


def _is_empty(content: bytes) -> bool:
    """No bytes, or an envelope with nothing in its Body."""
    if not content.strip():
        return True
    with contextlib.suppress(ValueError, etree.LxmlError):
        return _payload(content) is None
    return False


def _text(payload: etree._Element | None, *roles: str) -> str | None:
    """The text of the first element that has one of the roles and no elements inside, the first role first."""
    for role in roles:
        for element in () if payload is None else payload.iter(etree.Element):
            if str(element.tag).rpartition("}")[2].lower() == role and not len(element):
                return (element.text or "").strip()
    return None


def root_of(stream: BinaryIO) -> str | None:
    """Clark name of the first child of Body, read no further than that; None: there is none."""
    depth_of_body: int | None = None
    depth = 0
    try:
        for event, element in etree.iterparse(
            stream, ("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True
        ):
            if event == "end":
                depth -= 1
                if depth_of_body is not None and depth <= depth_of_body:
                    return None
                continue
            if depth_of_body is not None:
                return str(element.tag)
            if depth == 1 and element.tag == qname(SOAP11_ENVELOPE, "Body"):
                depth_of_body = depth
            depth += 1
    except etree.LxmlError:
        return None
    return None


def one_line(cause: object) -> str:
    """What zeep says, which may go over several lines and repeat the whole answer."""
    said = " ".join(str(cause).split())
    return said if len(said) <= LINE_CHARS else f"{said[:LINE_CHARS]}…"
