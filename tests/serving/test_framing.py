"""Where a request ends is never guessed: what could be read in two ways is refused, and nothing behind it is served."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count

import pytest

from soapsvc.serving.service import RunningServer
from tests.pushing import envelope
from tests.serving.conftest import MAX_ENVELOPE_BYTES
from tests.serving.connection import Connection, chunked, head, stored

CHUNKED = "Transfer-Encoding: chunked"
_serials = count(1)


@pytest.fixture
def mrn() -> Iterator[int]:
    """A job of this test alone."""
    return next(_serials)


def last_answer(server: RunningServer, *pieces: bytes) -> int:
    """The status of the one answer that these bytes get before the connection is closed, with a push behind them."""
    hidden = next(_serials)
    with Connection(server.public_url) as connection:
        connection.send(*pieces, head(len(envelope(hidden))), envelope(hidden))
        answer = connection.answer()
        assert answer.headers["connection"] == "close"
        assert connection.rest() == b"", "something was served after what had to be the last answer"
    assert str(hidden) not in stored(server.admin_url)
    return answer.status


def with_line(line: bytes, length: int) -> bytes:
    """The head of a push with a header line of arbitrary bytes."""
    return head(length).replace(b"\r\nSOAPAction", b"\r\n" + line + b"\r\nSOAPAction")


UNCLEAR = {
    "Content-Length and Transfer-Encoding": head(5, CHUNKED),
    "Transfer-Encoding and Content-Length": head(None, CHUNKED, "Content-Length: 5"),
    "chunked twice in one header": head(None, "Transfer-Encoding: chunked, chunked"),
    "chunked in two headers": head(None, CHUNKED, CHUNKED),
    "chunked and identity": head(None, "Transfer-Encoding: chunked, identity"),
    "gzip and chunked": head(None, "Transfer-Encoding: gzip, chunked"),
    "chunked with a control character": head(None, "Transfer-Encoding: \x0bchunked"),
    "chunked with a space before the colon": head(5, "Transfer-Encoding : chunked"),
    "two lengths": head(5, "Content-Length: 6"),
    "the same length twice": head(5, "Content-Length: 5"),
    "a list of lengths": head(None, "Content-Length: 5, 5"),
    "a length with a sign": head(None, "Content-Length: +5"),
    "a length in hexadecimal": head(None, "Content-Length: 0x5"),
    "a negative length": head(None, "Content-Length: -5"),
    "a length with an underscore": head(None, "Content-Length: 1_0"),
    "a length in digits of another script": head(None, "Content-Length: \xb2"),
    "no length but an empty one": head(None, "Content-Length:"),
    "chunked in HTTP/1.0": head(None, CHUNKED, "Connection: keep-alive", version="HTTP/1.0"),
    "chunked in HTTP/1.2": head(None, CHUNKED, "Connection: keep-alive", version="HTTP/1.2"),
    "chunked in no version at all": head(None, CHUNKED, "Connection: keep-alive", version="").replace(b" \r\n", b"\r\n"),
    "a folded header": with_line(b"X-Folded: a\r\n b", 5),
    "a folded length": head(None, "Content-Length:\r\n 5"),
    "a folded first header": b"POST /push HTTP/1.1\r\n Host: a\r\nContent-Length: 5\r\n\r\n",
    "a bare LF": with_line(b"X-Bare: a\nContent-Length: 6", 5),
    "a bare CR": with_line(b"X-Bare: a\rb", 5),
    "a bare LF in the first line": head(5).replace(b" HTTP/1.1", b"\n HTTP/1.1"),
    "a NUL in a header": with_line(b"X-Nul: a\0b", 5),
    "a NUL in a name": with_line(b"X-N\0l: a", 5),
    "no colon": with_line(b"X-Nothing", 5),
    "no name": with_line(b": nothing", 5),
    "a space before the colon": with_line(b"X-Space : a", 5),
    "a first line of four words": head(5).replace(b" HTTP/1.1", b" a HTTP/1.1"),
    "a version that is none": head(5, version="HTTP/x.y"),
    "no Host": head(5).replace(b"Host: ", b"X-Host: "),
    "two Hosts": head(5, "Host: other.example"),
    "a target that is no URI": head(5).replace(b"/push", b"http://[::1/push", 1),
    "a method in lower case": head(5, method="post"),
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("what", UNCLEAR)
def test_a_head_that_could_be_read_in_two_ways_ends_the_connection(server: RunningServer, what: str) -> None:
    assert last_answer(server, UNCLEAR[what], b"0\r\n\r\n") == 400


@pytest.mark.parametrize(
    "chunk",
    [b"5\nhello\r\n0\r\n\r\n", b"5\n\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n",
     b"+5\r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"5\r\nhello!\r\n0\r\n\r\n",
     b"5\r\nhello\n0\r\n\r\n", b"5;a\nb\r\nhello\r\n0\r\n\r\n", b"5;\0\r\nhello\r\n0\r\n\r\n", b"g\r\n", b"1_0\r\n"],
    ids=repr,
)  # fmt: skip
def test_a_chunk_that_could_be_read_in_two_ways_ends_the_connection(server: RunningServer, chunk: bytes) -> None:
    assert last_answer(server, head(None, CHUNKED), chunk) == 400


def test_a_head_of_more_than_64_kib_is_refused(server: RunningServer) -> None:
    assert last_answer(server, head(5, f"X-Large: {'a' * 70_000}"), b"hello") == 431
    assert last_answer(server, head(5, *["X-Many: a"] * 10_000), b"hello") == 431


def test_a_head_that_never_ends_is_refused(server: RunningServer) -> None:
    assert last_answer(server, head(5)[:-2], b"X-Large: " + b"a" * 500_000) == 431


@pytest.mark.parametrize("part", ["a chunk's size", "an extension", "a trailer"])
def test_a_line_of_a_chunked_body_that_never_ends_is_refused(server: RunningServer, part: str) -> None:
    begun = {"a chunk's size": b"", "an extension": b"5;a=", "a trailer": b"0\r\nX-Trailer: "}[part]
    assert last_answer(server, head(None, CHUNKED), begun, b"1" * 500_000) == 400


@pytest.mark.parametrize("size", [1, 7, 1000, 1_000_000])
def test_a_chunked_push_is_taken_whole(server: RunningServer, mrn: int, size: int) -> None:
    document = bytes(range(256)) * (4 if size < 1000 else 2000)
    with Connection(server.public_url) as connection:
        connection.send(head(None, CHUNKED), chunked(envelope(mrn, document), size))
        assert connection.answer().acknowledged
    assert str(mrn) in stored(server.admin_url)


def test_chunk_extensions_and_trailers_change_nothing(server: RunningServer, mrn: int) -> None:
    body = envelope(mrn)
    with Connection(server.public_url) as connection:
        connection.send(head(None, CHUNKED), b'%X;name="a value"\r\n%s\r\n0\r\n' % (len(body), body))
        connection.send(b"Content-Length: 5\r\n\r\n", head(len(body)), body)
        assert connection.answer().acknowledged
        assert connection.answer().acknowledged


def test_a_chunked_body_that_grows_too_large_is_refused(server: RunningServer) -> None:
    with Connection(server.public_url) as connection:
        connection.send(head(None, CHUNKED), chunked(bytes(3 * MAX_ENVELOPE_BYTES), 50_000))
        assert connection.answer().status == 413
        connection.finish_sending()
        assert connection.rest() == b""


def test_one_chunk_that_says_it_is_enormous_is_read_no_further_than_the_limit(server: RunningServer) -> None:
    with Connection(server.public_url) as connection:
        connection.send(head(None, CHUNKED), b"f" * 15 + b"\r\n", bytes(MAX_ENVELOPE_BYTES + 1))
        assert connection.answer().status == 413


def test_a_body_in_the_smallest_chunks_does_not_keep_others_waiting(server: RunningServer, mrn: int) -> None:
    with Connection(server.public_url) as hostile, Connection(server.public_url) as other:
        hostile.send(head(None, CHUNKED), b"1\r\na\r\n" * (MAX_ENVELOPE_BYTES // 6 - 10))
        began = time.monotonic()
        other.send(head(len(envelope(mrn))), envelope(mrn))
        assert other.answer().acknowledged
        assert time.monotonic() - began < 10


def test_blank_lines_without_end_do_not_keep_others_waiting(server: RunningServer, mrn: int) -> None:
    with Connection(server.public_url) as hostile, Connection(server.public_url) as other:
        hostile.send(b"\r\n" * 1_000_000)
        began = time.monotonic()
        other.send(head(len(envelope(mrn))), envelope(mrn))
        assert other.answer().acknowledged
        assert time.monotonic() - began < 10


def test_two_pushes_come_on_one_connection(server: RunningServer) -> None:
    with Connection(server.public_url) as connection:
        for mrn in (next(_serials), next(_serials)):
            connection.send(head(len(envelope(mrn))), envelope(mrn))
            assert connection.answer().acknowledged
            assert str(mrn) in stored(server.admin_url)


def test_pipelined_requests_are_answered_in_order(server: RunningServer) -> None:
    first, third = next(_serials), next(_serials)
    wsdl = head(method="GET", target="/push?wsdl")
    with Connection(server.public_url) as connection:
        connection.send(head(len(envelope(first))), envelope(first), wsdl, b"\r\n",
                        head(None, CHUNKED), chunked(envelope(third)))  # fmt: skip
        assert connection.answer().acknowledged
        assert b"<wsdl:definitions" in connection.answer().body
        assert connection.answer().acknowledged
    assert {str(first), str(third)} <= set(stored(server.admin_url))


def test_what_is_pipelined_behind_a_refused_request_is_not_served(server: RunningServer) -> None:
    assert last_answer(server, head(0, target="/other")) == 404


@pytest.mark.parametrize("said", ["close", "Close", "x-any, close", "close, x-any", "keep-alive ,\tclose"])
def test_a_push_with_connection_close_is_the_last(server: RunningServer, mrn: int, said: str) -> None:
    assert last_answer(server, head(len(envelope(mrn)), f"Connection: {said}"), envelope(mrn)) == 200


def test_a_client_of_http_1_0_is_acknowledged_and_the_connection_closed(server: RunningServer, mrn: int) -> None:
    assert last_answer(server, head(len(envelope(mrn)), version="HTTP/1.0"), envelope(mrn)) == 200


def test_a_client_of_http_1_0_may_keep_the_connection(server: RunningServer) -> None:
    with Connection(server.public_url) as connection:
        for mrn in (next(_serials), next(_serials)):
            connection.send(head(len(envelope(mrn)), "Connection: keep-alive", version="HTTP/1.0"), envelope(mrn))
            assert connection.answer().acknowledged


def test_a_large_answer_is_read_whole_though_the_client_still_sends(server: RunningServer) -> None:
    wsdl = head(method="GET", target="/push?wsdl")
    with Connection(server.public_url) as connection:
        connection.send(wsdl * 500, head(None, "Connection: close", method="GET", target="/push?wsdl"))
        connection.send(bytes(500_000))
        time.sleep(0.5)  # the answers fill what the kernel takes
        bodies = {connection.answer().body for _ in range(501)}
        assert len(bodies) == 1
        assert connection.rest() == b""


def test_a_header_with_an_underscore_is_not_taken_for_one_with_a_hyphen(server: RunningServer, mrn: int) -> None:
    body = envelope(mrn)
    with Connection(server.public_url) as connection:
        connection.send(head(len(body), "Content_Length: 5", "Transfer_Encoding: chunked"), body)
        assert connection.answer().acknowledged


def test_a_client_that_has_finished_sending_reads_the_acknowledgement(server: RunningServer, mrn: int) -> None:
    with Connection(server.public_url) as connection:
        connection.send(head(len(envelope(mrn))), envelope(mrn))
        connection.finish_sending()
        assert connection.answer().acknowledged
