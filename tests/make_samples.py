"""Makes samples/ anew: `python -m tests.make_samples [FOLDER]`. The same bytes each time: their origin is plain.

The expectations are written from what is put in; nothing of soapsvc is asked. Pillow draws the fax; another version of
it may write other bytes for the same picture, so the TIFF is read from samples/decoded/ unless --draw is given.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

HEADER = "http://premconn.premiereconnect.com/2007/02"
BODY = "http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
FOLDER = Path(__file__).parent.parent / "samples"


@dataclass(frozen=True)
class SampleProperty:
    """A property as it is sent (text, attributes) and as it is to be read (name, value, at)."""

    sent_name: str
    text: str
    name: str = ""
    value: str | None = None
    at: str | None = None
    b64charset: str | None = None
    segment: str | None = "Default"

    def xml(self, prefix: str) -> str:
        charset = f" b64charset={quoteattr(self.b64charset)}" if self.b64charset else ""
        return f"<{prefix}Property name={quoteattr(self.sent_name)}{charset}>{escape(self.text)}</{prefix}Property>"

    def expected(self) -> dict[str, Any]:
        return {
            "name": self.name or self.sent_name, "sent_name": self.sent_name, "segment": self.segment,
            "value": self.text if self.value is None else self.value, "at": self.at, "b64charset": self.b64charset,
        }  # fmt: skip


@dataclass(frozen=True)
class SampleDocument:
    """A document; wrap: columns of a base64 line, 0: one line."""

    doctype: str
    filename: str
    content: bytes
    detected_type: str
    charset: str | None = None
    format: str = "base64"
    wrap: int = 76
    segment: str | None = None
    properties: tuple[SampleProperty, ...] = ()

    def text(self, line_end: str) -> str:
        if self.format == "text":
            return escape(self.content.decode())
        encoded = base64.b64encode(self.content).decode()
        if not self.wrap:
            return encoded
        return line_end.join(encoded[at : at + self.wrap] for at in range(0, len(encoded), self.wrap))


@dataclass(frozen=True)
class Sample:
    """One message; soap and ours are the prefixes that it uses ("": a default namespace)."""

    name: str
    kind: str
    mrn: str
    documents: tuple[SampleDocument, ...]
    properties: tuple[SampleProperty, ...]
    submit_id: str | None = None
    soap: str = "soapenv"
    ours: str = ""
    line_end: str = "\n"
    segment: str = "Default"
    xdn: str = "test2"
    status_code: str = "0"
    processing_id: str = field(default="")

    def envelope(self) -> bytes:
        end, o = self.line_end, f"{self.ours}:" if self.ours else ""
        declared = f"xmlns:{self.ours}" if self.ours else "xmlns"
        soap = f"{self.soap}:"
        documents = end.join(self._document(document, o) for document in self.documents)
        properties = end.join(f"          {one.xml(o)}" for one in self.properties)
        submit_id = f"      <{o}SubmitId>{self.submit_id}</{o}SubmitId>{end}" if self.submit_id else ""
        lines = f"""<?xml version="1.0" encoding="UTF-8"?>
<{soap}Envelope xmlns:{self.soap}="{SOAP}">
  <{soap}Header>
    <Response xmlns="{HEADER}" {soap}actor="http://schemas.xmlsoap.org/soap/actor/next" {soap}mustUnderstand="0">
      <SenderKey>http://sender.example.net/wsda</SenderKey>
      <ReceiverKey>https://receiver.example.com/push</ReceiverKey>
      <ProcessingID>{self._processing_id()}</ProcessingID>
    </Response>
  </{soap}Header>
  <{soap}Body>
    <{o}JobDocumentTransmitResult {declared}="{BODY}">
      <{o}Status>
        <{o}StatusCode>{self.status_code}</{o}StatusCode>
        <{o}StatusMessage>OK</{o}StatusMessage>
        <{o}SubmissionTime>2012-11-04T13:20:01.031Z</{o}SubmissionTime>
        <{o}CompletionTime>2012-11-04T13:20:01.250Z</{o}CompletionTime>
      </{o}Status>
@SUBMIT@      <{o}JobDocumentData>
        <{o}JobId>
          <{o}XDN>{self.xdn}</{o}XDN>
          <{o}MRN>{self.mrn}</{o}MRN>
        </{o}JobId>
@DOCUMENTS@
        <{o}JobDocumentDataExtension name={quoteattr(self.segment)}>
@PROPERTIES@
        </{o}JobDocumentDataExtension>
      </{o}JobDocumentData>
    </{o}JobDocumentTransmitResult>
  </{soap}Body>
</{soap}Envelope>
""".replace("\n", end)
        for mark, text in (("@SUBMIT@", submit_id), ("@DOCUMENTS@", documents), ("@PROPERTIES@", properties)):
            lines = lines.replace(mark, text)
        return lines.encode()

    def _processing_id(self) -> str:
        return self.processing_id or f"0A000001-0001-1211041320{int(self.mrn) % 100_000:05d}"

    def _document(self, document: SampleDocument, o: str) -> str:
        end = self.line_end
        charset = f"          <{o}CharacterSet>{document.charset}</{o}CharacterSet>{end}" if document.charset else ""
        extension = ""
        if document.segment:
            inside = end.join(f"            {one.xml(o)}" for one in document.properties)
            extension = (
                f"          <{o}DocumentExtension name={quoteattr(document.segment)}>{end}{inside}{end}"
                f"          </{o}DocumentExtension>{end}"
            )
        return (
            f"        <{o}Document>{end}"
            f"          <{o}DocType>{document.doctype}</{o}DocType>{end}"
            f"          <{o}Filename>{escape(document.filename)}</{o}Filename>{end}"
            f'          <{o}DocData format="{document.format}">{document.text(end)}</{o}DocData>{end}'
            f"{charset}{extension}        </{o}Document>"
        )

    def expectation(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "job": {"xdn": self.xdn, "mrn": self.mrn},
            "submit_id": self.submit_id,
            "status_code": self.status_code,
            "processing_id": self._processing_id(),
            "properties": [one.expected() for one in self.properties],
            "documents": [
                {
                    "n": n, "filename": one.filename, "doctype": one.doctype, "charset": one.charset,
                    "detected_type": one.detected_type, "encoding": one.format, "size_bytes": len(one.content),
                    "sha256": hashlib.sha256(one.content).hexdigest(),
                    "properties": [each.expected() for each in one.properties],
                }
                for n, one in enumerate(self.documents, 1)
            ],
        }  # fmt: skip


# Documents -----------------------------------------------------------------------------------------------------------


def csv_of(*rows: tuple[object, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def job_report() -> bytes:
    """100 destinations with mixed results."""
    dice = random.Random(1000001)
    rows: list[tuple[object, ...]] = [
        ("job", "reference", "destination", "status", "delivered", "attempts", "seconds", "pages")
    ]
    for n in range(100):
        status = dice.choices(("Sent", "Busy", "No answer", "Error", "Stopped"), (84, 6, 5, 4, 1))[0]
        attempts = 1 if status == "Sent" and dice.random() < 0.9 else 3
        at = f"2012-11-04T13:{5 + n // 12:02d}:{(n * 7) % 60:02d}Z"
        rows.append(("1000001", f"INV-2012-{1001 + n}", f"+1202555{100 + n:04d}", status, at, attempts,
                     dice.randint(18, 95) if status == "Sent" else 0, 2))  # fmt: skip
    return csv_of(*rows)


def call_records() -> bytes:
    dice = random.Random(1000004)
    rows: list[tuple[object, ...]] = [
        ("record", "account", "from", "to", "start", "seconds", "pages", "result", "charge")
    ]
    for n in range(40):
        pages = dice.randint(1, 9)
        rows.append((f"C{n + 1:06d}", "2000002", "+12025550100", f"+120255501{dice.randint(0, 99):02d}",
                     f"2012-11-04T{8 + n // 8:02d}:{(n * 11) % 60:02d}:00Z", pages * dice.randint(20, 40), pages,
                     dice.choice(("OK", "OK", "OK", "BUSY")), f"{pages * 0.04:.2f}"))  # fmt: skip
    return csv_of(*rows)


def draw_fax() -> bytes:
    """Three pages, fine resolution (204 by 196 dots an inch), Group 4."""
    from PIL import Image, ImageDraw, ImageFont

    pages = []
    for number in range(1, 4):
        page = Image.new("1", (1728, 2156), 1)
        draw = ImageDraw.Draw(page)
        heading, body = ImageFont.load_default(size=72), ImageFont.load_default(size=40)
        draw.text((120, 110), "EXAMPLE TRADING LTD", font=heading, fill=0)
        draw.text((120, 230), f"FAX   page {number} of 3   2012-11-04 08:05", font=body, fill=0)
        draw.line((120, 300, 1608, 300), fill=0, width=4)
        for line in range(26):
            item = (number - 1) * 26 + line + 1
            draw.text(
                (120, 360 + line * 62), f"{item:3d}   Order line {item}   quantity {item % 7 + 1}", font=body, fill=0
            )
        draw.rectangle((120, 2010, 1608, 2080), outline=0, width=3)
        draw.text((140, 2022), "This page was made for a test.", font=body, fill=0)
        pages.append(page)
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:], compression="group4", dpi=(204, 196))
    return out.getvalue()


def draw_pdf_report() -> bytes:
    """One page, written by hand: a heading, totals, and the first lines of the report."""
    lines = ["Delivery report", "", "Job 1000002      Account 2000002", "Started 2012-11-04 13:05:45 UTC", "",
             "Destinations   100", "Sent            84", "Busy             6", "No answer        5",
             "Error            4", "Stopped          1"]  # fmt: skip
    drawn = "BT /F1 20 Tf 72 760 Td (Delivery report) Tj /F2 11 Tf 0 -14 Td 16 TL "
    drawn += " ".join(f"({line}) '" for line in lines[1:]) + " ET 72 750 m 523 750 l S"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>",
    ]
    out = b"%PDF-1.4\n"
    places = []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{text}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    )
    return out + f"{end}startxref\n{len(out)}\n%%EOF\n".encode()


# Samples -------------------------------------------------------------------------------------------------------------


def usual(mrn: str, subject: str, *more: SampleProperty) -> tuple[SampleProperty, ...]:
    """What a push says of its job, in the names of the push."""
    return (
        SampleProperty("UserAccountNumber", "2000002"),
        SampleProperty("Subject", subject),
        SampleProperty("OrigFromAddress", "reports@sender.example.net"),
        SampleProperty("StartTime", "2012-11-04T13:05:45Z", at="2012-11-04T13:05:45Z"),
        SampleProperty("EntryTime", "2012-11-04T13:05:40Z", at="2012-11-04T13:05:40Z"),
        *more,
    )


def encoded(name: str, value: str, charset: str) -> SampleProperty:
    sent = base64.b64encode(value.encode(charset)).decode()
    return SampleProperty(name, sent, value=value, b64charset=charset)


def samples(fax: bytes, pdf: bytes) -> list[Sample]:
    report = job_report()
    picture = base64.b64encode(bytes(range(48))).decode()
    one_page = b"Reference,Result\r\nINV-1001,Sent\r\nINV-1002,Error\r\n"
    note = "Zwei Dokumente, ein Push: schöne Grüße\r\n"
    user = {"segment": "USER"}
    return [
        Sample("sampleReport", "report", "1000001",
               (SampleDocument("text", "report_1000001.csv", report, "text/csv", "UTF-8"),),
               usual("1000001", "Delivery report - job 1000001"), submit_id="S1000001"),
        Sample("samplePdfReport", "report", "1000002",
               (SampleDocument("PDF", "report_1000002.pdf", pdf, "application/pdf", wrap=0),),
               usual("1000002", "Delivery report - job 1000002"), soap="SOAP-ENV", ours="jdt"),
        Sample("sampleFax", "fax", "1000003",
               (SampleDocument("TIFF", "fax_1000003.tif", fax, "image/tiff"),),
               usual("1000003", "Fax from +12025550100"), line_end="\r\n"),
        Sample("sampleCdr", "cdr", "1000004",
               (SampleDocument("text", "cdr_2012-11-04.csv", call_records(), "text/csv", "UTF-8"),),
               usual("1000004", "CDR 2012-11-04"), soap="s"),
        Sample("sampleTwoDocuments", "report", "1000005",
               (SampleDocument("text", "summary.csv", one_page, "text/csv", "UTF-8", segment="indoc",
                               properties=(SampleProperty("Language", "en", segment="indoc"),)),
                SampleDocument("text", "cover note.txt", note.encode("iso-8859-1"),
                               "text/plain", "ISO-8859-1", segment="attach1",
                               properties=(SampleProperty("Language", "de", segment="attach1"),))),
               usual("1000005", "Delivery report - job 1000005"), ours="r"),
        Sample("sampleTextFormat", "report", "1000006",
               (SampleDocument("text", "note.txt", "Job 1000006: 3 of 3 <sent> & confirmed – fin\n".encode(),
                               "text/plain", "UTF-8", format="text"),),
               usual("1000006", "Delivery report - job 1000006")),
        Sample("sampleB64Charset", "report", "1000007",
               (SampleDocument("text", "report_1000007.csv", one_page, "text/csv", "UTF-8"),),
               (*usual("1000007", "Delivery report")[:1],
                encoded("Subject", "Zustellbericht – Größe XL", "UTF-8"),
                encoded("Department", "Größe", "ISO-8859-1"),
                encoded("Branch", "東京支店", "Shift_JIS"),
                SampleProperty("Logo", picture, value=picture, b64charset="binary"))),
        Sample("sampleOtherDialect", "report", "1000008",
               (SampleDocument("text", "report_1000008.csv", one_page, "text/csv", "UTF-8"),),
               (SampleProperty("USER", "2000002", name="UserAccountNumber", **user),
                SampleProperty("orig_email_subject", "Delivery report - job 1000008", name="Subject", **user),
                SampleProperty("ORIG_EMAIL_FROM", "", name="OrigFromAddress", **user),
                SampleProperty("start_time", "11/4/12 8:05:45 ET", name="StartTime", at="2012-11-04T13:05:45Z", **user),
                SampleProperty("entry_time", "7/4/12 8:05:45 ET", name="EntryTime", at="2012-07-04T12:05:45Z", **user),
                SampleProperty("cover_sheet", "", **user)),
               segment="USER"),
    ]  # fmt: skip


def refused(report: bytes) -> dict[str, bytes]:
    """Messages that break one rule each, made from the job report."""

    def edited(old: str, new: str) -> bytes:
        assert report.count(old.encode()) >= 1, old
        return report.replace(old.encode(), new.encode())

    must = '<t:Trace xmlns:t="urn:example:trace" soapenv:mustUnderstand="1"/>\n  </soapenv:Header>'
    return {
        "badNumber.xml": edited("<MRN>1000001</MRN>", "<MRN>10000O1</MRN>"),
        "badBase64.xml": edited('format="base64">', 'format="base64">!'),
        "mustUnderstand.xml": edited("</soapenv:Header>", must),
        "dtd.xml": edited("<soapenv:Envelope", '<!DOCTYPE r [<!ENTITY e "x">]>\n<soapenv:Envelope'),
        "soap12.xml": edited(SOAP, "http://www.w3.org/2003/05/soap-envelope"),
    }


def make(folder: Path, *, draw: bool) -> None:
    decoded = folder / "decoded"
    (folder / "refused").mkdir(parents=True, exist_ok=True)
    decoded.mkdir(exist_ok=True)
    fax = draw_fax() if draw else (FOLDER / "decoded" / "sampleFax.1.tif").read_bytes()
    made = samples(fax, draw_pdf_report())
    for sample in made:
        (folder / f"{sample.name}.xml").write_bytes(sample.envelope())
        text = json.dumps(sample.expectation(), indent=1, ensure_ascii=False)
        (folder / f"{sample.name}.expected.json").write_text(f"{text}\n", encoding="utf-8")
        for n, document in enumerate(sample.documents, 1):
            suffix = Path(document.filename).suffix
            (decoded / f"{sample.name}.{n}{suffix}").write_bytes(document.content)
    for name, content in refused(made[0].envelope()).items():
        (folder / "refused" / name).write_bytes(content)


if __name__ == "__main__":
    folders = [word for word in sys.argv[1:] if not word.startswith("--")]
    make(Path(folders[0]) if folders else FOLDER, draw="--draw" in sys.argv)
