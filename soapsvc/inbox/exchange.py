"""One HTTP exchange of the public listener, as the exchange log keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, what was done with it, and the answer.

    n            its number in the log; 0: not kept yet
    at           aware UTC: when the answer was ready
    source_ip    of the sender: the peer, or what a trusted proxy says of it; "" where the head was refused before
    peer         address and TCP port of the other end of the connection: the sender, or the proxy before it
    request_line METHOD TARGET VERSION
    http_headers of the request; credentials are kept as ***
    body_bytes   of the request's body; None: it was not read
    push_id      of the push that it became; for a redelivery the one that was stored first. None: nothing was stored
    outcome      accepted, redelivery, conflict, quarantined, refused (not read or not kept), served, failed
    status       of the answer
    answer_headers, answer_body  as sent, the body at most ANSWER_BYTES of it
    answer_bytes of the whole body
    stages       name and milliseconds, in their order: see STAGES
    """

    at: datetime
    source_ip: str
    peer: str
    request_line: str
    http_headers: Headers
    body_bytes: int | None
    push_id: str | None
    outcome: str
    status: int
    answer_headers: Headers
    answer_body: bytes = field(repr=False)
    answer_bytes: int
    stages: tuple[tuple[str, float], ...]
    n: int = 0

    @property
    def milliseconds(self) -> float:
        """From the last byte of the request to the answer."""
        return sum(taken for _, taken in self.stages)

    @property
    def method(self) -> str:
        return self.request_line.partition(" ")[0]

    @property
    def target(self) -> str:
        return self.request_line.split(" ")[1] if " " in self.request_line else ""

    @property
    def tls_facts(self) -> Headers:
        """What a proxy said of the connection to the sender."""
        return tuple((name, value) for name, value in self.http_headers if name.lower() in TLS_HEADERS)


ANSWER_BYTES = 16 * 1024  # an acknowledgement has 1 KB, a fault with twenty deviations 10 KB
STAGES = ("judge", "store", "answer")
"""Reading and judging the body; writing it to disk, until the commit; making the answer."""
TLS_HEADERS = frozenset(
    {
        "x-forwarded-proto", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "forwarded", "x-real-ip",
        "x-forwarded-ssl", "x-ssl-protocol", "x-ssl-cipher", "x-ssl-client-verify", "x-ssl-client-s-dn",
        "x-ssl-client-fingerprint", "x-forwarded-tls-version", "x-forwarded-tls-cipher", "x-client-cert-subject", "via",
    }
)  # fmt: skip
OUTCOMES = ("accepted", "redelivery", "conflict", "quarantined", "refused", "served", "failed")
