"""Waitress' request parser, with the head judged before the body is read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError, crack_first_line, split_uri
from waitress.receiver import FixedStreamReceiver

from soapsvc.serving.chunked_body import ChunkedBody
from soapsvc.wire.http_messages import Answer, RequestHead
from soapsvc.wire.incoming_body import IncomingBody

BeforeBody = Callable[[RequestHead], Answer | IncomingBody]

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
    """

    body_rcv: Any

    def __init__(
        self,
        adj: Any,
        peer: tuple[str, int],
        before_body: BeforeBody | None,
        told: Told | None,
    ):
        super().__init__(adj)
        self._peer, self._before_body, self._told = peer, before_body, told
        self._began = time.perf_counter()
        self._head = b""

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
        buffer: Any = None
        if header_plus != _PLACEHOLDER:
            self._head = header_plus
            head = _request_head(header_plus, self._peer[0])
            admitted = self._before_body(head) if self._before_body is not None else None
            if isinstance(admitted, IncomingBody):
                buffer = _Buffer(admitted)
            elif admitted is not None:
                super().parse_header(_PLACEHOLDER)  # the task that answers needs a parsed head: this one is harmless
                self.version = "1.1"
                self.refuse(_without_body(admitted) if head.method == "HEAD" else admitted)
                return
        super().parse_header(header_plus)
        if self.body_rcv is None:
            self.expect_continue = False  # waitress would wait for a body after its 100 Continue
            return
        if buffer is None:
            buffer = self.body_rcv.getbuf()
        self.body_rcv = ChunkedBody(buffer) if self.chunked else FixedStreamReceiver(self.content_length, buffer)


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


def _request_head(header_plus: bytes, peer: str) -> RequestHead:
    """The head as sent: every header, in order. Errors: ParsingError where waitress might read it in another way."""
    first_line, *lines = header_plus.removesuffix(b"\r\n").split(b"\r\n")
    method, uri, version = crack_first_line(first_line)
    if version not in (b"1.0", b"1.1"):
        raise ParsingError("a first line that is not METHOD TARGET HTTP/1.1")
    try:
        _, _, path, query, _ = split_uri(uri)
    except ValueError:
        raise ParsingError("a target that is no URI") from None
    http_headers = []
    for line in filter(None, lines):
        if line[:1] in b" \t":
            raise ParsingError("a header folded over two lines")
        name, colon, value = line.partition(b":")
        if not colon or b"\r" in line or b"\n" in line:
            raise ParsingError("a header line without a colon or with a bare line end")
        if version == b"1.0" and name.lower() == b"transfer-encoding":
            raise ParsingError("a Transfer-Encoding, which HTTP/1.0 does not have")  # RFC 9112, 6.1
        http_headers.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
    if version == b"1.1" and sum(name.lower() == "host" for name, _ in http_headers) != 1:
        raise ParsingError("not one Host header")  # RFC 9112, 3.2
    return RequestHead(method.decode("latin-1"), path, query, tuple(http_headers), peer)
