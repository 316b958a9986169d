"""The target that is another receiver: the push as a SOAP 1.1 message, and nothing believed but the acknowledgement.

The envelope goes out byte for byte as it came in, or as the sender made it. To read it into zeep's objects and write it
anew would lose what the WSDL does not declare (a receiver in the degree `observe` has such pushes), charset and
spelling, and with them the digest by which the same push is known again. What zeep is used for is the contract: the
operation, its SOAPAction, and what its acknowledgement looks like.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from typing import BinaryIO

from soapsvc.errors import StoreError
from soapsvc.targets.deadline import Deadline
from soapsvc.targets.http_exchange import Body, post
from soapsvc.targets.options import TargetOptions, shown, split, user_of
from soapsvc.targets.soap_contract import Acknowledged, SoapContract, root_of
from soapsvc.targets.target import DeliveryFailed, OutgoingPush, Receipt

IN_MEMORY_BYTES = 1024 * 1024
_XML_TYPE = re.compile(r"(?:text|application)/xml\s*(?:;.*)?", re.IGNORECASE | re.DOTALL)
Through = Callable[[Body], Body]


class SoapTarget:
    """A receiver at a URL.

    Errors  SettingsError from the constructor: zeep cannot read the WSDL
    """

    def __init__(self, url: str, options: TargetOptions):
        parts = split(url)
        self._url, self._options = shown(parts), options
        self._address = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
        self._user, self._password = user_of(parts, options)
        self._contract = SoapContract.of(options.wsdl)

    @property
    def url(self) -> str:
        return self._url

    def close(self) -> None:
        """A connection is closed with each push."""

    def deliver(self, push: OutgoingPush) -> Receipt:
        """Post the envelope. Errors: DeliveryFailed."""
        acknowledged = self.post(push.open_raw, content_type=content_type_of(push))
        return Receipt(self._url, self._options.clock(), acknowledged.summary)

    def post(
        self, open_envelope: Callable[[], BinaryIO], *, content_type: str = "text/xml; charset=utf-8",
        through: Through | None = None,
    ) -> Acknowledged:  # fmt: skip
        """Post an envelope, and believe its acknowledgement.

        through  what the body goes through on its way: for a sender that tries a receiver
        Errors   DeliveryFailed
        """
        deadline = Deadline(self._options.total_seconds, self._url)
        try:
            with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as spooled:
                with open_envelope() as source:
                    shutil.copyfileobj(source, spooled)
                size_bytes = spooled.tell()
                spooled.seek(0)
                binding, operation = self._contract.operation_for(root_of(spooled))  # type: ignore[arg-type]
                spooled.seek(0)
                body = Body(spooled, size_bytes, deadline)  # type: ignore[arg-type]
                answer = post(
                    self._address,
                    body if through is None else through(body),
                    {"Content-Type": content_type, "SOAPAction": f'"{operation.soapaction or ""}"'},
                    options=self._options, deadline=deadline, user=self._user, password=self._password,
                )  # fmt: skip
        except (OSError, StoreError) as error:
            raise DeliveryFailed(f"the envelope cannot be read: {error}", may_repeat=True) from error
        return self._contract.acknowledged(binding, operation, answer, self._options.clock)


def content_type_of(push: OutgoingPush) -> str:
    """As it came, or was made, where it was that of SOAP 1.1: its charset counts before the XML declaration."""
    headers = push.record.get("http_headers") or ()
    came = next((value for name, value in headers if str(name).lower() == "content-type"), "")
    plain = isinstance(came, str) and came.isascii() and came.isprintable() and _XML_TYPE.fullmatch(came)
    return came if plain else "text/xml; charset=utf-8"
