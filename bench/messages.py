"""Messages of the shipped contract: a header block, 20 properties, one base64 document, of a wanted size in all."""

from __future__ import annotations

import base64
from pathlib import Path

KIB, MIB = 1024, 1024 * 1024
SIZES = {"10KB": 10 * KIB, "1MB": MIB, "20MB": 20 * MIB, "100MB": 100 * MIB}
"""Bytes of the whole envelope."""

NUMBER = "900000000000"
"""The job's number, of 12 digits. load.c puts another in its place for each request, here and, as base64, at the
beginning of the document."""

_LINE_BYTES = 57  # 76 characters of base64, as the vendor's lines have
_BEFORE = f"""<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">
  <soapenv:Header>
    <Response xmlns="http://premconn.premiereconnect.com/2007/02" soapenv:mustUnderstand="0">
      <SenderKey>http://sender.example.net/wsda</SenderKey>
      <ReceiverKey>https://receiver.example.com/push</ReceiverKey>
      <ProcessingID>0A000001-0001-{NUMBER}</ProcessingID>
    </Response>
  </soapenv:Header>
  <soapenv:Body>
    <JobDocumentTransmitResult xmlns="http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10">
      <Status>
        <StatusCode>0</StatusCode>
        <StatusMessage>OK</StatusMessage>
        <SubmissionTime>2012-11-04T13:20:01.031Z</SubmissionTime>
        <CompletionTime>2012-11-04T13:20:01.250Z</CompletionTime>
      </Status>
      <SubmitId>S{NUMBER}</SubmitId>
      <JobDocumentData>
        <JobId>
          <XDN>test2</XDN>
          <MRN>{NUMBER}</MRN>
        </JobId>
        <Document>
          <DocType>text</DocType>
          <Filename>report_{NUMBER}.csv</Filename>
          <DocData format="base64">"""
_AFTER = """</DocData>
          <CharacterSet>UTF-8</CharacterSet>
        </Document>
        <JobDocumentDataExtension name="Default">
{properties}
        </JobDocumentDataExtension>
      </JobDocumentData>
    </JobDocumentTransmitResult>
  </soapenv:Body>
</soapenv:Envelope>
"""
_PROPERTIES = {
    "UserAccountNumber": "2000002",
    "Subject": f"Delivery report - job {NUMBER}",
    "OrigFromAddress": "reports@sender.example.net",
    "StartTime": "2012-11-04T13:05:45Z",
    "EntryTime": "2012-11-04T13:05:40Z",
} | {f"CustomerField{number:02}": f"value {number} of this job" for number in range(1, 16)}


def message(size: int) -> bytes:
    """An envelope of `size` bytes, to within one line of base64; always the same one."""
    properties = "\n".join(
        f'          <Property name="{name}">{value}</Property>' for name, value in _PROPERTIES.items()
    )
    before, after = _BEFORE.encode(), _AFTER.format(properties=properties).encode()
    lines = max(1, (size - len(before) - len(after)) // (_LINE_BYTES // 3 * 4 + 1))
    return before + base64.encodebytes(_document(lines * _LINE_BYTES)) + after


def write_message(size: str, folder: Path) -> Path:
    """The file in the folder that holds the message of that size; made when it is not there yet."""
    file = folder / f"message-{size}.xml"
    if not file.exists():
        file.write_bytes(message(SIZES[size]))
    return file


def _document(size: int) -> bytes:
    rows = (
        f"{NUMBER},INV-2012-{row},+120255{row % 99991:05},Sent,2012-11-04T13:05:{row % 60:02}Z,1,{row % 97},2\r\n"
        for row in range(1, 10_000)
    )
    # the number stands at the beginning alone: each further one would be one more piece for load.c to put together
    block = "".join(rows).replace(NUMBER, "1000001").encode()
    whole = NUMBER.encode() + b"," + block * (size // len(block) + 1)
    return whole[:size]
