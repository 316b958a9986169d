"""The committed classes are those of the shipped WSDL, and an integrator's Spyne application runs on them."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from lxml import etree
from spyne.server.wsgi import WsgiApplication

from soapsvc.contract import vendor_types
from soapsvc.contract.class_generator import generate
from soapsvc.contract.schema_difference import differences
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.namespaces import SOAP11_ENVELOPE
from soapsvc.shipped import WSDL_FILE
from tests.contract.generated import application_of, schema_of

HDR, TNS = f"{{{vendor_types.NS_HDR}}}", f"{{{vendor_types.NS_TNS}}}"
ANY_ATTRIBUTE = f"any attribute: {SOAP11_ENVELOPE} (lax) -> none"


@pytest.fixture(scope="module")
def wsdl() -> WsdlDocument:
    return WsdlDocument.load(WSDL_FILE)


def test_the_committed_classes_are_what_the_generator_makes_of_the_shipped_wsdl(wsdl: WsdlDocument) -> None:
    committed = Path(vendor_types.__file__).read_text(encoding="utf-8")
    assert committed == generate(wsdl), "run: soapsvc contract classes --out soapsvc/contract/vendor_types.py"


def test_the_schema_that_spyne_derives_differs_from_the_wsdl_in_what_is_listed_and_in_nothing_else(
    wsdl: WsdlDocument,
) -> None:
    found = {(d.where, d.what) for d in differences(wsdl.schema, schema_of(vendor_types))}
    assert found == {
        # Spyne has no anyAttribute
        (f"type {HDR}RequestType", ANY_ATTRIBUTE),
        (f"type {HDR}ResponseType", ANY_ATTRIBUTE),
        (f"{HDR}Request", ANY_ATTRIBUTE),
        (f"{HDR}Response", ANY_ATTRIBUTE),
        # Spyne declares an element for every complex type that is no message
        *((f"{HDR}{name}", "global element added") for name in (
            "XDDSAuthType", "AuthenticationType", "RequestType", "ResponseType")),
        *((f"{TNS}{name}", "global element added") for name in (
            "StatusType", "StatusType_ErrorList", "StatusType_ErrorList_Error", "JobIdType", "PropertyType",
            "SegmentType", "DocDataType", "DocumentType", "JobDocumentDataType")),
    }  # fmt: skip


def test_the_module_says_itself_what_it_does_not_express() -> None:
    assert vendor_types.NOT_EXPRESSED == (
        "RequestType: xs:anyAttribute is left out",
        "ResponseType: xs:anyAttribute is left out",
        "operation JobDocumentTransmitResult: soapAction is its name; that of the file, 'basicInvoke', is in udd",
        "every complex type: Spyne declares a global element of the type's name beside it",
    )


def test_nothing_is_nillable_because_nothing_is_in_the_file(wsdl: WsdlDocument) -> None:
    assert not any(element.nillable for element in wsdl.schema.every_element())
    assert not any(element.nillable for element in schema_of(vendor_types).every_element())


def test_the_operation_has_the_contracts_names_header_block_and_soap_action() -> None:
    (method,) = vendor_types.JobDocumentTransmitResultPortType.public_methods.values()
    assert method.in_message.Attributes.sub_name == "JobDocumentTransmitResult"
    assert method.out_message.Attributes.sub_name == "JobDocumentTransmitResultAck"
    assert method.in_header == (vendor_types.Response,)
    assert method.udd.soap_action == "basicInvoke"


ENVELOPE = f"""<e:Envelope xmlns:e="{SOAP11_ENVELOPE}">
<e:Header><Response xmlns="{HDR[1:-1]}"><ProcessingID>P-1</ProcessingID></Response></e:Header>
<e:Body><JobDocumentTransmitResult xmlns="{TNS[1:-1]}">
<Status><StatusCode>0</StatusCode><SubmissionTime>2012-11-04T13:20:01.031Z</SubmissionTime>
<CompletionTime>2012-11-04T13:20:01.250Z</CompletionTime></Status>
<JobDocumentData><JobId><XDN>test2</XDN><MRN>1000001</MRN></JobId>
<Document ref="r1"><DocType>text</DocType><DocData format="base64">am9i</DocData></Document>
<JobDocumentDataExtension name="Default"><Property name="Subject">A</Property><Property name="X" b64charset="UTF-8">Qg==
</Property></JobDocumentDataExtension></JobDocumentData>
</JobDocumentTransmitResult></e:Body></e:Envelope>""".encode()


class Handler:
    """An integrator's own service."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, Any]] = []

    def JobDocumentTransmitResult(self, ctx: Any, request: Any) -> Any:
        self.seen.append((ctx.in_header, request))
        return vendor_types.JobDocumentTransmitResultAckType(
            Status=vendor_types.StatusType(
                StatusCode=0,
                SubmissionTime=request.Status.SubmissionTime,
                CompletionTime=request.Status.CompletionTime,
            ),
            SubmitId="S-1",
        )


def call(application: Any, body: bytes) -> tuple[str, etree._Element]:
    environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "text/xml; charset=utf-8",
                               "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}  # fmt: skip
    setup_testing_defaults(environ)
    statuses: list[str] = []
    answer = b"".join(WsgiApplication(application)(environ, lambda status, headers: statuses.append(status)))
    return statuses[0], etree.fromstring(answer)


def test_a_spyne_application_of_an_integrators_own_serves_a_push_with_them() -> None:
    handler = Handler()
    status, answer = call(application_of(vendor_types, handler), ENVELOPE)
    assert status == "200 OK", etree.tostring(answer)
    ((header, request),) = handler.seen
    assert header.ProcessingID == "P-1"
    (job,) = request.JobDocumentData
    assert (job.JobId.XDN, job.JobId.MRN) == ("test2", 1000001)
    (document,) = job.Document
    assert (document.ref, document.DocData.value, document.DocData.format) == ("r1", "am9i", "base64")
    properties = job.JobDocumentDataExtension[0].Property
    assert [(p.name, p.b64charset) for p in properties] == [("Subject", None), ("X", "UTF-8")]
    acknowledgement = answer.find(f".//{TNS}JobDocumentTransmitResultAck")
    assert [child.tag for child in acknowledgement] == [f"{TNS}Status", f"{TNS}SubmitId"]


@pytest.mark.parametrize(
    ("old", "new"),
    [(b' format="base64"', b""), (b'format="base64"', b'format="hex"'), (b"<XDN>test2</XDN>", b""),
     (b"<XDN>test2</XDN><MRN>1000001</MRN>", b"<MRN>1000001</MRN><XDN>test2</XDN>"), (b"1000001", b"one"),
     (b'<Property name="Subject">', b"<Property>")],
)  # fmt: skip
def test_the_schema_of_the_classes_refuses_what_the_wsdl_refuses(old: bytes, new: bytes) -> None:
    handler = Handler()
    assert old in ENVELOPE
    status, answer = call(application_of(vendor_types, handler), ENVELOPE.replace(old, new))
    assert status.startswith("500")
    assert answer.findtext(".//faultcode", "").endswith("SchemaValidationError")
    assert handler.seen == []


def test_the_module_stands_alone(tmp_path: Path) -> None:
    """Nothing of soapsvc is needed to import it where Spyne can be imported; here the shim comes first for 3.12."""
    (tmp_path / "job_types.py").write_bytes(Path(vendor_types.__file__).read_bytes())
    (tmp_path / "shim.py").write_bytes((Path(vendor_types.__file__).parent / "spyne_import.py").read_bytes())
    script = "import sys, shim, job_types; assert not [m for m in sys.modules if m.startswith('soapsvc')]"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=60)
