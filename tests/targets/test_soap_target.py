"""Another receiver: what it is sent, and what is believed of its answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from soapsvc.inbox.sql_store import open_store
from soapsvc.serving.service import RunningServer
from soapsvc.settings import OwnSettings
from soapsvc.shipped import SAMPLES
from soapsvc.targets.opening import open_target
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.target import DeliveryFailed, OutgoingPush
from tests.pushing import free_port
from tests.sender.test_push_client import ACKNOWLEDGEMENT, FAULT
from tests.targets.outgoing import AT, a_push
from tests.targets.servers import Certificate, HttpServer, http_server, raw_server

OPTIONS = TargetOptions(connect_seconds=5, total_seconds=10, clock=lambda: AT)
VENDORS = Path(__file__).parent.parent / "vendors"


def failure(url: str, options: TargetOptions = OPTIONS, push: OutgoingPush | None = None) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as raised:
        open_target(url, options).deliver(push or a_push())
    assert "\n" not in str(raised.value)
    return raised.value


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    file = tmp_path_factory.mktemp("receiver") / "inbox.db"
    settings = OwnSettings(listen="127.0.0.1:0", admin="127.0.0.1:0", inbox=f"sqlite:///{file}")
    with RunningServer(settings) as running:
        yield running.public_url, file


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.xml")), ids=lambda sample: sample.stem)
def test_a_real_receiver_acknowledges_every_sample_and_has_its_very_bytes(
    receiver: tuple[str, Path], sample: Path
) -> None:
    url, file = receiver
    receipt = open_target(url, OPTIONS).deliver(a_push(raw=sample.read_bytes()))
    assert (receipt.target, receipt.at, "StatusCode 0" in receipt.reference) == (url, AT, True)
    store = open_store(f"sqlite:///{file}", quarantine_max_bytes=0, quarantine_max_bytes_per_source=0, create=False)
    try:
        newest = next(iter(store.rows(limit=1)))
        with store.open_raw(newest.id) as raw:
            assert raw.read() == sample.read_bytes()
    finally:
        store.close()


def test_a_push_that_the_receiver_refuses_is_not_tried_again(receiver: tuple[str, Path]) -> None:
    error = failure(receiver[0], push=a_push(raw=(SAMPLES / "refused" / "badBase64.xml").read_bytes()))
    assert (error.may_repeat, "Fault Client (HTTP 500)" in str(error)) == (False, True)


def test_the_envelope_goes_out_as_it_came_with_its_charset_and_the_action_of_the_wsdl(server: HttpServer) -> None:
    server.body = ACKNOWLEDGEMENT.encode()
    push = replace(a_push(raw=b"<?xml version='1.0'?><odd  xmlns='urn:x'>\xfc</odd>"), record={
        "http_headers": [["Host", "h"], ["Content-Type", "text/xml; charset=ISO-8859-1"]],
    })  # fmt: skip
    open_target(server.url.replace("http://", "http://vendör:pässword@"), OPTIONS).deliver(push)
    ((headers, body),) = server.came
    assert body == b"<?xml version='1.0'?><odd  xmlns='urn:x'>\xfc</odd>"
    assert (headers["Content-Type"], headers["SOAPAction"]) == ("text/xml; charset=ISO-8859-1", '"basicInvoke"')
    assert headers["Authorization"] == "Basic dmVuZMO2cjpww6Rzc3dvcmQ="


@pytest.mark.parametrize(
    ("status", "body", "may_repeat"),
    [
        (200, "", True), (200, "<html>It works!</html>", True), (200, "<not", True), (202, "", True), (204, "", True),
        (200, ACKNOWLEDGEMENT.replace("<StatusCode>0<", "<StatusCode>3<"), True), (500, ACKNOWLEDGEMENT, True),
        (200, ACKNOWLEDGEMENT.replace("JobDocumentTransmitResultAck", "SomethingElse"), True),
        (500, FAULT.format("Server"), True), (500, FAULT.format("Server.Busy"), True), (500, "<html>", True),
        (500, FAULT.format("Client"), False), (200, FAULT.format("Client"), False),
        (500, FAULT.format("MustUnderstand"), False), (500, FAULT.format("VersionMismatch"), False),
        (503, "later", True), (502, "", True), (429, "", True), (408, "", True), (401, "", True), (403, "", True),
        (404, "", True), (400, "", False), (413, "", False), (415, "", False), (307, "", False), (301, "", False),
    ],
)  # fmt: skip
def test_nothing_but_the_acknowledgement_is_believed(
    server: HttpServer, status: int, body: str, may_repeat: bool
) -> None:
    server.status, server.body = status, body.encode()
    assert failure(server.url).may_repeat is may_repeat
    assert len(server.came) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0), ("999999999", 86400.0), (format_datetime(AT + timedelta(seconds=90)), 90.0),
        (format_datetime(AT - timedelta(seconds=90)), 0.0), ("soon", None), ("-1", None),
    ],
)  # fmt: skip
def test_retry_after_is_handed_on(server: HttpServer, value: str, seconds: float | None) -> None:
    server.status, server.body, server.headers = 500, FAULT.format("Server").encode(), {"Retry-After": value}
    assert failure(server.url).retry_after_seconds == seconds


def test_who_is_not_there_may_be_there_later() -> None:
    error = failure(f"http://127.0.0.1:{free_port()}/push?token=secret")
    assert (error.may_repeat, "Connection refused" in str(error), "secret" in str(error)) == (True, True, False)


def _silent(connection: socket.socket) -> None:
    connection.recv(65536)


def _dripping(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def _not_reading(connection: socket.socket) -> None:
    time.sleep(3)


@pytest.mark.parametrize("serve", [_silent, _dripping, _not_reading])
def test_an_answer_that_does_not_come_in_time_is_waited_for_no_longer(serve: object) -> None:
    with raw_server(serve) as port:  # type: ignore[arg-type]
        began = time.monotonic()
        error = failure(
            f"http://127.0.0.1:{port}/push", replace(OPTIONS, total_seconds=0.5), a_push(raw=b"x" * 20_000_000)
        )
    assert (error.may_repeat, "whether it took the push is not known" in str(error)) == (True, True)
    assert time.monotonic() - began < 2.5


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<half", b"HTTP/1.1 ", b"\0\1\2", b"SSH-2.0-x\r\n"]
)
def test_a_connection_cut_in_the_middle_of_the_answer_is_no_answer(sent: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_RDWR)

    with raw_server(serve) as port:
        assert failure(f"http://127.0.0.1:{port}/push").may_repeat


def test_an_answer_without_end_is_not_read_to_its_end(server: HttpServer) -> None:
    server.body = b"x" * 3_000_000
    assert "more than" in str(failure(server.url))


def test_tls_is_verified_by_the_authorities_that_are_set(certificate: Certificate) -> None:
    with http_server(certificate.server_context()) as server:
        server.body = ACKNOWLEDGEMENT.encode()
        error = failure(server.url)
        assert (error.may_repeat, "certificate" in str(error)) == (True, True)
        assert server.came == []
        open_target(server.url, replace(OPTIONS, ca_file=certificate.ca)).deliver(a_push())


def test_a_redirect_is_not_followed_and_no_credential_with_it(server: HttpServer) -> None:
    with http_server() as other:
        server.status, server.headers = 307, {"Location": other.url}
        assert not failure(server.url.replace("http://", "http://u:p@")).may_repeat
        assert other.came == []


@pytest.mark.parametrize(
    ("wsdl", "status", "answer"),
    [
        ("one_way.wsdl", 202, ""),
        ("one_way.wsdl", 200, ""),
        ("empty_answer.wsdl", 200, '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>'),
        ("nusoap.wsdl", 200, '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><takeResponseType '
         'xmlns="urn:reports"><Status xmlns="">true</Status></takeResponseType></s:Body></s:Envelope>'),
        ("two_operations.wsdl", 200, '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><FaxAck '
         'xmlns="urn:two"/></s:Body></s:Envelope>'),
    ],
)  # fmt: skip
def test_what_acknowledges_is_what_the_wsdl_in_force_describes(
    server: HttpServer, wsdl: str, status: int, answer: str
) -> None:
    server.status, server.body = status, answer.encode()
    raw = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Fax xmlns="urn:two"/></s:Body></s:Envelope>'
    open_target(server.url, replace(OPTIONS, wsdl=VENDORS / wsdl)).deliver(a_push(raw=raw))


def test_a_hundred_continue_and_a_slow_upload_are_no_trouble(server: HttpServer) -> None:
    def slowly(handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        for _ in range(4):
            length -= len(handler.rfile.read(min(length, 1_000_000)))
            time.sleep(0.05)
        handler.rfile.read(length)
        handler.send_response_only(100)
        handler.end_headers()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(ACKNOWLEDGEMENT.encode())))
        handler.end_headers()
        handler.wfile.write(ACKNOWLEDGEMENT.encode())

    server.instead = slowly
    open_target(server.url, OPTIONS).deliver(a_push(raw=b"x" * 5_000_000))
