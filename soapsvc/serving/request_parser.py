"""Waitress' request parser, with the head judged before the body is read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from waitress.buffers import OverflowableBuffer
from waitress.parser import (
    HTTPRequestParser,
    ParsingError,
    TransferEncodingNotImplemented,
    crack_first_line,
    split_uri,
)
from waitress.receiver import FixedStreamReceiver

from soapsvc.secret_names import is_secret_header
from soapsvc.serving.chunked_body import ChunkedBody
from soapsvc.wire.http_messages import Answer, RequestHead
from soapsvc.wire.incoming_body import IncomingBody

BeforeBody = Callable[[RequestHead], Answer | IncomingBody]

KNOWN_LINES, KNOWN_LINE_BYTES = 1024, 256  # of headers that are kept as they were read

_DIGITS = re.compile("[0-9]{1,18}")
_SENTENCES = {
    400: "The request is not HTTP/1.1 as RFC 9112 has it ({why}); send it with one well-formed head and body.",
    413: "The body is larger than what is taken here; send the documents in several pushes, or ask whoever runs this "
    "receiver to raise max_envelope_bytes.",
    431: "The head of the request is too large; send fewer or shorter headers.",
    501: "The Transfer-Encoding is not one that is read here; send Content-Length, or Transfer-Encoding: chunked.",
}


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """A request that was answered before any application saw it: by its head, or because it is none.

    request_line  None: it has none that can be read
    http_headers  those that can be read, in order
    peer          address and port of the other end
    seconds       since its first byte
    """

    request_line: str | None
    http_headers: tuple[tuple[str, str], ...]
    peer: tuple[str, int]
    answer: Answer
    seconds: float


Told = Callable[[RefusedRequest], None]


class Refusal:
    """An answer in the shape in which waitress carries what is wrong with a request to the task that tells it."""

    def __init__(self, answer: Answer):
        self.answer = answer

    def to_response(self, _ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        status = f"{self.answer.status} {HTTPStatus(self.answer.status).phrase}"
        return status, list(self.answer.http_headers), self.answer.body


class JudgingParser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """One request as it comes in.

    peer         address and port of the other end
    before_body  asked when the head is in: an answer ends the request there, else it is what the body is put into.
                 None: nobody is asked, and it is waitress' own buffer
    told         of each request that ends with an answer from here. None: nobody is
    fields       reads header lines
    """

    body_rcv: Any
    answer: Answer | None = None
    """Given already, by the thread that received the request; None: the application has to be called."""

    def __init__(
        self,
        adj: Any,
        peer: tuple[str, int],
        before_body: BeforeBody | None,
        told: Told | None,
        fields: HeaderFields,
    ):
        super().__init__(adj)
        self._fields = fields
        self._peer, self._before_body, self._told = peer, before_body, told
        self._began = time.perf_counter()
        self._head = b""

    @property
    def body(self) -> IncomingBody | None:
        """What the body was put into; None: there is none, or nobody has admitted it by its head."""
        found = None if self.error is not None or self.body_rcv is None else self.body_rcv.getfile()
        return found if isinstance(found, IncomingBody) else None

    @property
    def body_bytes_to_come(self) -> int:
        """What the request has told of; 0 where it tells nothing."""
        return self.content_length - self.body_bytes_received if self.body_rcv is not None and not self.chunked else 0

    def refuse(self, answer: Answer) -> None:
        """End the request with an answer, whatever has come of it."""
        self.error = Refusal(answer)
        self.completed = True
        self.expect_continue = False
        self.connection_close = True

    def tell(self) -> None:
        """The answer has been given: of what still comes behind a request that ends the connection none is."""
        if self._told is not None and isinstance(self.error, Refusal):
            line, http_headers = _readable(self._head)
            taken = time.perf_counter() - self._began
            self._told(RefusedRequest(line, http_headers, self._peer, self.error.answer, taken))

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if self.error is not None and not isinstance(self.error, Refusal):
            self.refuse(_plain(self.error.code, str(self.error.body)))
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head, once, more strictly than waitress does. Errors: ParsingError, TransferEncodingNotImplemented.

        What waitress' tasks look at afterwards is set as its own parser sets it.
        """
        if header_plus == _PLACEHOLDER:
            super().parse_header(header_plus)
            return
        self._head = header_plus
        first, *lines = header_plus.split(b"\r\n")
        line = _first_line(first)
        fields = [self._fields.of(one) for one in lines if one]
        headers: dict[str, str] = {}
        hosts = 0
        for name, value, key in fields:
            hosts += key == "HOST"
            if "_" in name:
                continue  # as waitress: X_Y cannot be told from X-Y by whoever reads CGI's names
            headers[key] = value if key not in headers else f"{headers[key]}, {value}"
        coding = headers.pop("TRANSFER_ENCODING", None)
        if coding is not None and line.version == "1.0":
            raise ParsingError("a Transfer-Encoding, which HTTP/1.0 does not have")  # RFC 9112, 6.1
        if line.version == "1.1" and hosts != 1:
            raise ParsingError("not one Host header")  # RFC 9112, 3.2
        http_headers = tuple([(name, value) for name, value, _ in fields])
        head = RequestHead(line.method, line.path, line.query, http_headers, *self._peer, line.version)
        admitted = self._before_body(head) if self._before_body is not None else None
        if isinstance(admitted, Answer):
            super().parse_header(_PLACEHOLDER)  # the task that answers needs a parsed head: this one is harmless
            self.version = "1.1"
            self.refuse(_without_body(admitted) if head.method == "HEAD" else admitted)
            return
        self.headers = headers
        self.first_line, self.command, self.version, self.request_uri = first, line.method, line.version, line.uri
        self.proxy_scheme, self.proxy_netloc = line.scheme, line.netloc
        self.path, self.query, self.fragment = line.path, line.query, line.fragment
        self.url_scheme = self.adj.url_scheme
        options = [one.strip(" \t") for one in self.headers.get("CONNECTION", "").lower().split(",")]  # RFC 9112, 9.6
        self.connection_close = "close" in options or (line.version == "1.0" and "keep-alive" not in options)
        if len(options) > 1:  # waitress' task looks at it again, as at a single one
            self.headers["CONNECTION"] = "close" if self.connection_close else "keep-alive"
        self._expect_body(coding, admitted)

    def _expect_body(self, coding: str | None, admitted: IncomingBody | None) -> None:
        if coding is not None and [one.strip(" \t").lower() for one in coding.split(",")] != ["chunked"]:
            raise TransferEncodingNotImplemented("Transfer-Encoding requested is not supported.")
        length = self.headers.get("CONTENT_LENGTH", "0")
        if _DIGITS.fullmatch(length) is None:
            raise ParsingError("a Content-Length that is not in digits")
        self.chunked = coding is not None
        self.content_length = 0 if self.chunked else int(length)
        if not self.chunked and not self.content_length:
            return  # waitress would wait for a body after its 100 Continue
        buffer = OverflowableBuffer(self.adj.inbuf_overflow) if admitted is None else _Buffer(admitted)
        self.body_rcv = ChunkedBody(buffer) if self.chunked else FixedStreamReceiver(self.content_length, buffer)
        self.expect_continue = self.version == "1.1" and self.headers.get("EXPECT", "").lower() == "100-continue"


def _without_body(answer: Answer) -> Answer:
    return Answer(answer.status, (*answer.http_headers, ("Content-Length", str(len(answer.body)))), b"")


class _Buffer:
    """An incoming body in the shape of waitress' buffers."""

    def __init__(self, body: IncomingBody):
        self.append, self.close, self._body = body.append, body.close, body

    def getfile(self) -> IncomingBody:
        return self._body

    def __len__(self) -> int:
        return len(self._body)


def _readable(head: bytes) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """Request line and headers, as far as they are such: what else stands there may be the rest of a body, with what
    nobody is to see."""
    first, *lines = head.split(b"\r\n")
    if _REQUEST_LINE.fullmatch(first) is None:
        return None, ()
    found = (line.partition(b":") for line in lines if _HEADER_LINE.fullmatch(line))
    return first.decode("latin-1"), tuple(
        (name.decode("latin-1"), value.strip(b" \t").decode("latin-1")) for name, _, value in found
    )


_REQUEST_LINE = re.compile(rb"[A-Za-z]{1,32} [!-;=?-~]{1,8192} HTTP/1\.[01]")  # no < and >: no markup
_HEADER_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}:[\t -~\x80-\xff]*")
_PLACEHOLDER = b"GET / HTTP/1.0\r\n"  # also what waitress parses instead of a head that is too large


def _plain(status: int, why: str) -> Answer:
    sentence = _SENTENCES.get(status, _SENTENCES[400]).format(why=why.lower().rstrip("."))
    return Answer(status, (("Content-Type", "text/plain; charset=utf-8"),), f"{sentence}\n".encode())


@dataclass(frozen=True, slots=True)
class _FirstLine:
    """`uri` as sent; scheme, netloc, path (percent-decoded), query and fragment are its parts."""

    method: str
    uri: str
    version: str
    scheme: str
    netloc: str
    path: str
    query: str
    fragment: str


@lru_cache(maxsize=64)
def _first_line(line: bytes) -> _FirstLine:
    """Errors: ParsingError."""
    method, uri, version = crack_first_line(line)
    if b"\r" in line or b"\n" in line or version not in (b"1.0", b"1.1"):
        raise ParsingError("a first line that is not METHOD TARGET HTTP/1.1")
    try:
        parts = split_uri(uri)
    except ValueError:
        raise ParsingError("a target that is no URI") from None
    return _FirstLine(method.decode("latin-1"), uri.decode("latin-1"), version.decode("latin-1"), *parts)


class HeaderFields:
    """Header lines as name and value, with the name as CGI has it. A sender's are the same each time but for one: what
    was read is kept, unless it is long or a credential."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[str, str, str]] = {}

    def of(self, line: bytes) -> tuple[str, str, str]:
        """Errors: ParsingError: RFC 9112 (5) has no such line."""
        found = self._known.get(line)
        if found is None:
            found = self._read(line)
            if len(line) <= KNOWN_LINE_BYTES and not is_secret_header(found[0]):
                if len(self._known) >= KNOWN_LINES:
                    self._known.clear()
                self._known[line] = found
        return found

    def _read(self, line: bytes) -> tuple[str, str, str]:
        if line[:1] in b" \t":
            raise ParsingError("a header folded over two lines")
        found = _FIELD.fullmatch(line)
        if found is None:
            raise ParsingError("a header line that is not NAME: VALUE in printable characters")
        name, value = found["name"].decode("latin-1"), found["value"].strip(b" \t").decode("latin-1")
        return name, value, name.upper().replace("-", "_")


_FIELD = re.compile(rb"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):(?P<value>[\t -~\x80-\xff]*)")
