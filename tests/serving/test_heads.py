"""A request that its head condemns is answered before its body is read, and the answer is readable."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from werkzeug.security import generate_password_hash

from soapsvc.serving.service import RunningServer
from tests.pushing import envelope, post
from tests.serving.conftest import MAX_ENVELOPE_BYTES
from tests.serving.connection import Connection, head, running_server, stored

CREDENTIAL = f"Authorization: Basic {base64.b64encode(b'vendor:open sesame').decode()}"
FROM_VENDOR = "X-Forwarded-For: 192.0.2.7"
EXPECT = "Expect: 100-continue"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Taken are pushes with a credential, from the vendor's addresses, through a proxy on this machine."""
    with running_server(
        tmp_path_factory.mktemp("guarded"),
        basic_users={"vendor": generate_password_hash("open sesame", method="pbkdf2:sha256:1")},
        allowed_sources=("192.0.2.0/24",),
        trusted_proxies=("127.0.0.1/32",),
    ) as running:
        yield running


REFUSED_HEADS = {
    "path": (head(100_000, target="/other"), 404, {}),
    "method": (head(100_000, method="PUT"), 405, {"allow": "POST"}),
    "method for the WSDL": (head(100_000, target="/push?wsdl"), 405, {"allow": "GET, HEAD"}),
    "length": (head(MAX_ENVELOPE_BYTES + 1), 413, {}),
    "enormous length": (head(10**17), 413, {}),
    "no length": (head(), 411, {}),
    "expectation": (head(100_000, "Expect: 200-ok"), 417, {}),
}


@pytest.mark.parametrize("expect", ["", EXPECT])
@pytest.mark.parametrize("what", REFUSED_HEADS)
def test_a_refusal_comes_although_no_byte_of_the_body_was_sent(server: RunningServer, what: str, expect: str) -> None:
    request, status, headers = REFUSED_HEADS[what]
    if expect and what != "expectation":
        request = request.replace(b"\r\n\r\n", f"\r\n{expect}\r\n\r\n".encode())
    with Connection(server.public_url) as connection:
        connection.send(request)
        answer = connection.answer()
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert answer.headers.items() >= headers.items()
        assert answer.body.endswith(b".\n")
        assert connection.rest() == b"", "something follows the last answer"


REFUSED_SENDERS = {
    "no credential": ([FROM_VENDOR], 401),
    "wrong credential": ([FROM_VENDOR, "Authorization: Basic dmVuZG9yOndyb25n"], 401),
    "address of the proxy": ([CREDENTIAL], 403),
    "address of another": (["X-Forwarded-For: 198.51.100.1", CREDENTIAL], 403),
    "address said by the sender": (["X-Forwarded-For: 192.0.2.7, 198.51.100.1", CREDENTIAL], 403),
    "no address": (["X-Forwarded-For: unknown", CREDENTIAL], 400),
}


@pytest.mark.parametrize("who", REFUSED_SENDERS)
def test_a_sender_who_may_not_push_is_told_so_before_the_body(guarded: RunningServer, who: str) -> None:
    headers, status = REFUSED_SENDERS[who]
    with Connection(guarded.public_url) as connection:
        connection.send(head(100_000, EXPECT, *headers))
        answer = connection.answer()
        assert answer.status == status
        assert answer.headers.get("www-authenticate", "").startswith("Basic realm=") == (status == 401)
        assert connection.rest() == b""


def test_a_sender_who_may_push_is_told_to_continue_and_acknowledged(guarded: RunningServer) -> None:
    body = envelope(1)
    with Connection(guarded.public_url) as connection:
        connection.send(head(len(body), EXPECT, FROM_VENDOR, CREDENTIAL))
        assert connection.status() == 100
        connection.send(body)
        assert connection.answer().acknowledged
    assert stored(guarded.admin_url) == ["1"]


def test_a_chunked_push_is_told_to_continue_too(server: RunningServer) -> None:
    with Connection(server.public_url) as connection:
        connection.send(head(None, "Transfer-Encoding: chunked", EXPECT))
        assert connection.status() == 100
        body = envelope(2)
        connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert connection.answer().acknowledged


def test_no_continue_is_sent_to_who_did_not_ask_for_it(server: RunningServer) -> None:
    body = envelope(3)
    with Connection(server.public_url) as connection:
        connection.send(head(len(body)))
        assert connection.says_nothing(0.3)
        connection.send(body)
        assert connection.answer().acknowledged


@pytest.mark.parametrize(
    ("request_head", "status"),
    [(head(0, EXPECT), 500), (head(None, EXPECT, method="GET", target="/push?wsdl"), 200)],
    ids=["an empty push", "a request for the WSDL"],
)
def test_an_expectation_without_a_body_is_answered_and_the_connection_goes_on(
    server: RunningServer, request_head: bytes, status: int
) -> None:
    with Connection(server.public_url) as connection:
        connection.send(request_head)
        assert connection.answer().status == status
        body = envelope(4)
        connection.send(head(len(body)), body)
        assert connection.answer().acknowledged


@pytest.mark.parametrize("target", ["/other", "/push"])
def test_a_sender_of_a_large_body_that_is_not_wanted_reads_the_answer_all_the_same(
    server: RunningServer, target: str
) -> None:
    body = bytes(20 * MAX_ENVELOPE_BYTES)
    with Connection(server.public_url) as connection:
        connection.send(head(len(body), target=target))
        connection.send(body)
        connection.finish_sending()
        assert connection.answer().status == {"/other": 404, "/push": 413}[target]
        assert connection.rest() == b""


def test_the_refusal_of_a_large_body_reaches_a_plain_http_client(server: RunningServer) -> None:
    assert post(server.public_url, bytes(5 * MAX_ENVELOPE_BYTES)).status == 413


@pytest.mark.parametrize("target", ["/other", "/push"])
def test_an_answer_to_head_has_no_body(server: RunningServer, target: str) -> None:
    with Connection(server.public_url) as connection:
        connection.send(head(method="HEAD", target=target))
        assert connection.answer(to_head=True).status == {"/other": 404, "/push": 405}[target]
        assert connection.rest() == b""


def test_the_wsdl_is_given_to_whoever_asks(guarded: RunningServer) -> None:
    with Connection(guarded.public_url) as connection:
        connection.send(head(method="GET", target="/push?wsdl"))
        answer = connection.answer()
        assert answer.status == 200
        assert b"JobDocumentTransmit" in answer.body
