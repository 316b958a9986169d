"""The sender believes an acknowledgement by the contract and nothing else, and says in a sentence what it got instead."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from soapsvc.errors import SendError
from soapsvc.records import JobId
from soapsvc.sender.document_files import charset_of, doctype_of
from soapsvc.sender.push_client import PushClient
from soapsvc.shipped import SAMPLES
from tests.contract.reading import SOAP, VENDOR, a_wsdl, pushed, schema
from tests.pushing import free_port

AT = datetime(2012, 11, 4, 13, 5, 45, 31000, UTC)
TIME = "2012-11-04T13:05:45Z"
ACKNOWLEDGEMENT = f"""<s:Envelope xmlns:s="{SOAP}"><s:Body><JobDocumentTransmitResultAck xmlns="{VENDOR}"><Status>
<StatusCode>0</StatusCode><StatusMessage>OK</StatusMessage><SubmissionTime>{TIME}</SubmissionTime>
<CompletionTime>{TIME}</CompletionTime></Status></JobDocumentTransmitResultAck></s:Body></s:Envelope>"""
FAULT = f"""<s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault><faultcode>s:{{}}</faultcode><faultstring>Because.</faultstring>
</s:Fault></s:Body></s:Envelope>"""


class Receiver(BaseHTTPRequestHandler):
    """Answers with what the test told it, and keeps what came."""

    status: ClassVar[int] = 200
    answer: ClassVar[bytes] = b""
    pause_seconds: ClassVar[float] = 0
    more: ClassVar[dict[str, str]] = {}
    came: ClassVar[list[tuple[dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.came.append((dict(self.headers), body))
        time.sleep(self.pause_seconds)
        self.send_response(self.status)
        for name, value in {"Content-Type": "text/xml; charset=utf-8", **self.more}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def receiver() -> Iterator[type[Receiver]]:
    class Told(Receiver):
        came: ClassVar[list[tuple[dict[str, str], bytes]]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Told)
    Told.url = f"http://127.0.0.1:{server.server_port}/push"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def tell(receiver: type[Receiver], status: int, answer: str, **more: str) -> None:
    receiver.status, receiver.answer, receiver.more = status, answer.encode(), more


def test_what_is_pushed_reads_back_as_what_was_given(receiver: type[Receiver]) -> None:
    tell(receiver, 200, ACKNOWLEDGEMENT)
    client = PushClient(receiver.url, clock=lambda: AT)
    told = client.push(b"a,\xfcber\r\n", filename="r.csv", job=JobId("test2", "17"), properties=[("Subject", "Grüße")])
    assert (told.status_code, told.submit_id, told.raw) == ("0", None, ACKNOWLEDGEMENT.encode())
    ((headers, body),) = receiver.came
    assert headers["Content-Type"] == "text/xml; charset=utf-8"
    assert headers["SOAPAction"].startswith('"')
    push, deviations = pushed(body)
    assert deviations == ()
    assert (push.job, push.status_code) == (JobId("test2", "17"), "0")
    assert [(p.name, p.segment, p.value) for p in push.properties] == [("Subject", "Default", "Grüße")]
    (document,) = push.documents
    assert (document.filename, document.doctype, document.charset) == ("r.csv", "text", "windows-1252")
    assert document.content.open().read() == b"a,\xfcber\r\n"


def test_an_empty_document_and_one_of_every_byte_are_pushed_whole(receiver: type[Receiver]) -> None:
    tell(receiver, 200, ACKNOWLEDGEMENT)
    client = PushClient(receiver.url)
    for content in (b"", bytes(range(256)) * 4):
        client.push(content, filename="x.bin")
        push, deviations = pushed(receiver.came[-1][1])
        assert (push.documents[0].content.open().read(), push.documents[0].doctype, deviations) == (
            content,
            "unspec",
            (),
        )


@pytest.mark.parametrize(
    ("status", "answer", "told"),
    [
        (200, "", "not the acknowledgement"),
        (200, "<html><body>It works!</body></html>", "not the acknowledgement"),
        (200, "<not", "not the acknowledgement"),
        (200, f'<s:Envelope xmlns:s="{SOAP}"><s:Body/></s:Envelope>', "not the acknowledgement"),
        (200, ACKNOWLEDGEMENT.replace("<StatusCode>0<", "<StatusCode>3<"), "acknowledges nothing"),
        (500, ACKNOWLEDGEMENT, "neither a SOAP fault nor an acknowledgement"),
        (200, FAULT.format("Client"), "Fault Client (HTTP 200): Because."),
        (500, FAULT.format("Server"), "Fault Server (HTTP 500): Because."),
        (500, "<html>Internal Server Error</html>", "neither a SOAP fault nor an acknowledgement"),
        (503, "come back later", "HTTP 503: come back later"),
        (404, "", "HTTP 404: Not Found"),
        (202, "", "HTTP 202"),
    ],
)  # fmt: skip
def test_anything_but_the_acknowledgement_is_an_error_in_one_sentence(
    receiver: type[Receiver], status: int, answer: str, told: str
) -> None:
    tell(receiver, status, answer)
    with pytest.raises(SendError) as raised:
        PushClient(receiver.url).push(b"x", filename="x.txt")
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(receiver.came) == 1, "a push is sent once: whether to repeat it is for whoever sent it to say"


def test_an_answer_that_does_not_come_in_time_is_told_as_that(receiver: type[Receiver]) -> None:
    tell(receiver, 200, ACKNOWLEDGEMENT)
    receiver.pause_seconds = 1.5
    with pytest.raises(SendError, match=r"No answer from .* in time; whether it took the push is not known"):
        PushClient(receiver.url, timeout_seconds=0.3).push(b"x", filename="x.txt")


def test_a_receiver_that_is_not_there_is_told_as_that() -> None:
    with pytest.raises(SendError, match="cannot be reached: Connection refused"):
        PushClient(f"http://127.0.0.1:{free_port()}/push").push(b"x", filename="x.txt")


def test_a_credential_goes_with_the_push_and_not_to_where_it_is_redirected(receiver: type[Receiver]) -> None:
    tell(receiver, 307, "", Location=f"http://127.0.0.1:{free_port()}/elsewhere")
    with pytest.raises(SendError):
        PushClient(receiver.url, user="vendör", password="pässword").push(b"x", filename="x.txt")
    ((headers, _),) = receiver.came
    assert headers["Authorization"] == "Basic dmVuZMO2cjpww6Rzc3dvcmQ="


def test_what_cannot_be_replayed_says_why(receiver: type[Receiver]) -> None:
    client = PushClient(receiver.url)
    body = f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{{}}</s:Body></s:Envelope>'
    for message, told in (
        ("<broken", "not well-formed"),
        ("<a/>", "no SOAP 1.1 envelope"),
        (body.format(""), "no SOAP 1.1 envelope with one child"),
        (body.format('<x xmlns="urn:x"/>'), "the WSDL wants"),
        (
            body.format(f'<JobDocumentTransmitResult xmlns="{VENDOR}"><Other/></JobDocumentTransmitResult>'),
            "by the WSDL",
        ),
    ):
        with pytest.raises(SendError, match=told):
            client.replay(message.encode())
    assert receiver.came == []


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.xml")), ids=lambda sample: sample.stem)
def test_a_replayed_sample_says_what_the_sample_says(receiver: type[Receiver], sample: Path) -> None:
    tell(receiver, 200, ACKNOWLEDGEMENT)
    PushClient(receiver.url).replay(sample.read_bytes())
    replayed, deviations = pushed(receiver.came[0][1])
    original, _ = pushed(sample.read_bytes())
    assert deviations == ()
    for name in ("kind", "root", "job", "submit_id", "status_code", "processing_id", "properties", "header_blocks"):
        assert getattr(replayed, name) == getattr(original, name), name
    digests = [[document.content.sha256 for document in push.documents] for push in (replayed, original)]
    assert digests[0] == digests[1]


def test_a_contract_of_another_shape_is_refused_by_name(receiver: type[Receiver], tmp_path: Path) -> None:
    other = a_wsdl(tmp_path, schema('<xs:element name="Push" type="xs:string"/>'))
    with pytest.raises(SendError):
        PushClient(receiver.url, wsdl=other.path).push(b"x", filename="x.txt")


@pytest.mark.parametrize(
    ("name", "doctype"),
    [
        ("a.PDF", "PDF"),
        ("b.tiff", "TIFF"),
        ("c.csv", "text"),
        ("d", "unspec"),
        ("e.tar.gz", "unspec"),
        ("f.htm", "HTML"),
    ],
)
def test_the_doctype_is_that_of_the_name(name: str, doctype: str) -> None:
    assert doctype_of(name) == doctype


def test_the_charset_is_that_of_the_bytes() -> None:
    assert charset_of("Grüße".encode(), "text") == "UTF-8"
    assert charset_of("Grüße".encode("cp1252"), "text") == "windows-1252"
    assert charset_of(b"%PDF", "PDF") is None
