"""An HTTP request's head and an HTTP answer, free of any server's classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class RequestHead:
    """An HTTP request before its body.

    method, path  as sent; the path percent-decoded, without the query
    query         the query string as sent, "" for none
    http_headers  (name, value); where WSGI hands them on, repeated ones are joined by commas
    peer          address of the other end of the TCP connection, without its port
    peer_port     that port; 0: not known
    http_version  1.0 or 1.1
    """

    method: str
    path: str
    query: str
    http_headers: tuple[tuple[str, str], ...] = field(repr=False)  # a credential may be among them
    peer: str = ""
    peer_port: int = 0
    http_version: str = "1.1"

    def values(self, name: str) -> list[str]:
        """Every value of the named header, letter case aside, in the order of arrival."""
        return self._by_name.get(name.lower(), [])

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, value in self.http_headers:
            found.setdefault(name.lower(), []).append(value)
        return found


@dataclass(frozen=True, slots=True)
class AdmittedRequest:
    """A request that may come in.

    source_ip  of the sender, whoever stands between
    """

    head: RequestHead
    source_ip: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, whole.

    http_headers  beside Content-Length, which the server adds
    """

    status: int
    http_headers: tuple[tuple[str, str], ...]
    body: bytes
