"""What the tests send with: an envelope of the shipped contract, a plain HTTP POST, a `soapsvc serve` of their own."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.commands import soapsvc

ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">
  <soapenv:Header>
    <Response xmlns="http://premconn.premiereconnect.com/2007/02">
      <SenderKey>http://sender.example.net/wsda</SenderKey>
      <ProcessingID>0A000001-0001-{mrn}</ProcessingID>
    </Response>
  </soapenv:Header>
  <soapenv:Body>
    <JobDocumentTransmitResult xmlns="http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10">
      <Status>
        <StatusCode>0</StatusCode>
        <SubmissionTime>2012-11-04T13:20:01.031Z</SubmissionTime>
        <CompletionTime>2012-11-04T13:20:01.250Z</CompletionTime>
      </Status>
      <SubmitId>S{mrn}</SubmitId>
      <JobDocumentData>
        <JobId>
          <XDN>test2</XDN>
          <MRN>{mrn}</MRN>
        </JobId>
        <Document>
          <DocType>text</DocType>
          <Filename>report_{mrn}.csv</Filename>
          <DocData format="base64">{document}</DocData>
          <CharacterSet>UTF-8</CharacterSet>
        </Document>
        <JobDocumentDataExtension name="Default">
          <Property name="UserAccountNumber">2000002</Property>
          <Property name="Subject">Delivery report - job {mrn}</Property>
          <Property name="StartTime">2012-11-04T13:05:45Z</Property>
        </JobDocumentDataExtension>
      </JobDocumentData>
    </JobDocumentTransmitResult>
  </soapenv:Body>
</soapenv:Envelope>
"""

TEXT_XML = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"basicInvoke"'}
ACKNOWLEDGEMENT = b"JobDocumentTransmitResultAck"


def envelope(mrn: int = 1000001, document: bytes = b"reference,status\r\nINV-1,Sent\r\n") -> bytes:
    """A push that deviates from nothing."""
    return ENVELOPE.format(mrn=mrn, document=base64.b64encode(document).decode()).encode()


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def acknowledged(self) -> bool:
        return self.status == 200 and ACKNOWLEDGEMENT in self.body


def post(url: str, body: bytes, headers: Mapping[str, str] = TEXT_XML, method: str = "POST") -> HttpAnswer:
    """One request on a connection of its own. OSError and http.client.HTTPException as they come."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body=body, headers=dict(headers))
        response = connection.getresponse()
        return HttpAnswer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def get(url: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    return post(url, b"", headers or {}, method="GET")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Service:
    """A `soapsvc serve` in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    admin_url: str
    inbox: str

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def start_service(
    folder: Path,
    *flags: str,
    settings: str = "",
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
    new_session: bool = False,
) -> Service:
    """Start it with its inbox in the folder, and wait until it is ready.

    settings     text of soapsvc.toml
    new_session  it leads a group of processes, which a terminal's Ctrl-C goes to
    port         of the public listener; None: one that is free, as the admin listener's
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "soapsvc.toml"
    config.write_text(settings)
    log = folder / "log"
    said_before = log.stat().st_size if log.exists() else 0
    inbox = f"sqlite:///{folder / 'inbox.db'}"
    command = [sys.executable, "-m", "soapsvc", "serve", "--config", str(config)]
    command += ["--listen", f"127.0.0.1:{port or 0}", "--admin", "127.0.0.1:0"]  # which are free, the kernel knows best
    process = subprocess.Popen(
        [*command, "--inbox", inbox, *flags], stderr=log.open("a"), text=True,
        env={**os.environ, **(environment or {})}, start_new_session=new_session,
    )  # fmt: skip
    patience = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < patience:
        said = re.search(rb"soapsvc: pushes at (\S+), inbox page at (\S+)/ ", log.read_bytes()[said_before:])
        if said:
            service = Service(process, said[1].decode(), said[2].decode(), inbox)
            with contextlib.suppress(OSError, http.client.HTTPException):
                if get(f"{service.admin_url}/healthz").status == 200:
                    return service
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise AssertionError(f"soapsvc serve did not come up:\n{log.read_text()}")


@contextlib.contextmanager
def running_service(folder: Path, *flags: str, **options: Any) -> Iterator[Service]:
    """`start_service`, ended with the block."""
    service = start_service(folder, *flags, **options)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.terminate()


def listed(inbox: str, *words: str) -> list[dict[str, Any]]:
    """Every push that `soapsvc inbox list` tells, as its JSON objects."""
    done = soapsvc("inbox", "list", "--all", "--json", "--inbox", inbox, *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
