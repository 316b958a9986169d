"""Spyne classes and service of JobDocumentTransmit200810results.wsdl; generated from it, not to be edited.

Made by `soapsvc contract classes`. WSDL_SHA256: of that file. NOT_EXPRESSED: what Spyne cannot say.
"""

# mypy: allow-subclassing-any, allow-untyped-decorators

from __future__ import annotations

from typing import Any, Protocol

from spyne.decorator import rpc
from spyne.model.complex import ComplexModel, XmlAttribute, XmlData
from spyne.model.primitive import AnyUri, DateTime, Integer, Unicode
from spyne.service import Service

NS_HDR = "http://premconn.premiereconnect.com/2007/02"
NS_TNS = "http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10"
WSDL_SHA256 = "5d3c9b9578d1afae6bcd26141a333bd5d6b64a9e50e95a167da149967bda3913"
TARGET_NAMESPACE = NS_TNS

# SIBLING [S3]. The value "yes" is seen in [S8]; "no" is INFERRED.
RequiredType = Unicode.customize(type_name="RequiredType", __namespace__=NS_HDR, values=["yes", "no"])


class XDDSAuthType(ComplexModel):
    """SIBLING [S3]. User id and password of a user of the vendor's API."""

    __namespace__ = NS_HDR

    RequesterID = Unicode.customize(
        min_occurs=1,
        nillable=False,
        doc=(
            'SIBLING [S3]. The user id; an alias is a prefix in the value and a space ("M2F user@example.com") '
            "[S12]. The 2007/02 form has no aliasType attribute."
        ),
    )
    TargetID = Unicode.customize(
        min_occurs=0,
        nillable=False,
        doc="SIBLING [S3]. The user on whose behalf the request is made.",
    )
    Password = Unicode.customize(
        min_occurs=1,
        nillable=False,
        doc="SIBLING [S8] [S12] [S13]. After RequesterID in every message seen; its row in [S3] is cut off. A secret.",
    )


class AuthenticationType(ComplexModel):
    """SIBLING [S3]. Holds one XDDSAuth; the name of the type is INFERRED."""

    __namespace__ = NS_HDR

    XDDSAuth = XDDSAuthType.customize(min_occurs=1, nillable=False)


class RequestType(ComplexModel):
    """SIBLING [S3]. Header block of messages that a user sends to the vendor. Declared because a sender may turn out
    to use it; no operation here binds it. The name of the type is INFERRED.
    """

    __namespace__ = NS_HDR

    SenderKey = AnyUri.customize(
        min_occurs=0,
        nillable=False,
        doc="SIBLING [S3]. In an asynchronous request: the URL that will get the result.",
    )
    ReceiverKey = AnyUri.customize(
        min_occurs=1,
        nillable=False,
        doc="SIBLING [S3]. As a rule the URL that the request is sent to.",
    )
    ResponseRequired = RequiredType.customize(
        type_name="RequiredType",
        min_occurs=0,
        nillable=False,
        doc='SIBLING [S3]. Without a function; "yes" in [S8].',
    )
    ResultRequired = RequiredType.customize(
        type_name="RequiredType",
        min_occurs=0,
        nillable=False,
        doc="SIBLING [S3]. Without a function.",
    )
    RequestID = Unicode.customize(
        min_occurs=0,
        nillable=False,
        doc="SIBLING [S3]. Echoed in the Response header block of the reply.",
    )
    # SIBLING [S3]. Optional in the 2011/01 schema [S4] [S9].
    Authentication = AuthenticationType.customize(min_occurs=1, nillable=False)


class ResponseType(ComplexModel):
    """SIBLING [S9]. Header block of messages that the vendor sends. Its page was not found: the children SenderKey and
    ProcessingID and their order are from one live reply in the 2011/01 namespace. The name of the type is INFERRED.
    """

    __namespace__ = NS_HDR

    SenderKey = AnyUri.customize(
        min_occurs=0,
        nillable=False,
        doc="SIBLING [S9]. An http URL there; anyURI as in RequestType; optional is INFERRED.",
    )
    ReceiverKey = AnyUri.customize(
        min_occurs=0,
        nillable=False,
        doc="INFERRED. As in RequestType; optional because the one live reply [S9] has none.",
    )
    RequestID = Unicode.customize(
        min_occurs=0,
        nillable=False,
        doc="SIBLING [S3]. The RequestID of the request, echoed; its place here is INFERRED.",
    )
    ProcessingID = Unicode.customize(
        min_occurs=0,
        nillable=False,
        doc="SIBLING [S9]. For instance 0A6C0262-1606-230818130525789; type and optional are INFERRED.",
    )


class StatusType_ErrorList_Error(ComplexModel):
    __namespace__ = NS_TNS

    ErrorCode = Integer.customize(min_occurs=1, nillable=False)
    ErrorMessage = Unicode.customize(min_occurs=1, nillable=False)


class StatusType_ErrorList(ComplexModel):
    __namespace__ = NS_TNS

    Error = StatusType_ErrorList_Error.customize(min_occurs=1, max_occurs="unbounded", nillable=False)


class StatusType(ComplexModel):
    """SIBLING [S5] [S6] [S9]. What became of a submission. Users should rely on StatusCode alone."""

    __namespace__ = NS_TNS

    StatusCode = Integer.customize(
        min_occurs=1,
        nillable=False,
        doc="SIBLING [S5]. 0 success, 1 failure, 2 partial; any other is less than full success.",
    )
    StatusMessage = Unicode.customize(
        min_occurs=0,
        nillable=False,
        doc='SIBLING [S5]. "OK" in [S9] where it is present.',
    )
    # SIBLING [S5].
    ErrorList = StatusType_ErrorList.customize(min_occurs=0, nillable=False)
    SubmissionTime = DateTime.customize(
        min_occurs=1,
        nillable=False,
        doc="SIBLING [S5]. For instance 2023-08-18T13:05:25.789Z [S9].",
    )
    CompletionTime = DateTime.customize(min_occurs=1, nillable=False, doc="SIBLING [S5].")


class JobIdType(ComplexModel):
    """SIBLING [S9] [S12]. The vendor's number for a job; its page was not found."""

    __namespace__ = NS_TNS

    XDN = Unicode.customize(
        min_occurs=1,
        nillable=False,
        doc="SIBLING [S9] [S12]. The domain name, for instance xsi2; xs:string as in [S10] [S20].",
    )
    MRN = Integer.customize(
        min_occurs=1,
        nillable=False,
        doc="SIBLING [S9] [S12]. Message reference number, for instance 44376898; xs:integer as in [S20].",
    )


class PropertyType(ComplexModel):
    """SIBLING [S7] [S16]. One named value; the name of the type is INFERRED."""

    __namespace__ = NS_TNS

    value = XmlData(Unicode)
    # SIBLING [S7]. Letter case is not significant [S1].
    name = XmlAttribute(Unicode, use="required")
    # SIBLING [S7] [S16]. If present, the value is base64 of text in this character set, or of bytes when it reads
    # "binary".
    b64charset = XmlAttribute(Unicode)


class SegmentType(ComplexModel):
    """SIBLING [S7]. A named group of properties."""

    __namespace__ = NS_TNS

    # SIBLING [S7].
    Property = PropertyType.customize(min_occurs=1, max_occurs="unbounded", nillable=False)
    # SIBLING [S7]. Absent: the default segment, usually "USER". A push has "Default" [S1].
    name = XmlAttribute(Unicode)


# SIBLING [S17] [S18]. How the text of DocData stands for the document.
DocEncodingFormat = Unicode.customize(type_name="DocEncodingFormat", __namespace__=NS_TNS, values=["text", "base64"])


class DocDataType(ComplexModel):
    """SIBLING [S18]. The document itself, as text or as base64."""

    __namespace__ = NS_TNS

    value = XmlData(Unicode)
    # SIBLING [S18]. In results always base64.
    format = XmlAttribute(DocEncodingFormat.customize(type_name="DocEncodingFormat"), use="required")


class DocumentType(ComplexModel):
    """SIBLING [S19]. One document, in the form that functions other than JobSubmit have."""

    __namespace__ = NS_TNS

    DocType = Unicode.customize(
        min_occurs=1,
        nillable=False,
        doc=(
            "SIBLING [S19]. An open list: BMP empty GIF HTML HTMLLITE JPEG MPP MSW PCL PDF PNG PPT PS PUB RTF SMF "
            "text TIFF unspec VSD WAV XAR XLS XMF."
        ),
    )
    Filename = Unicode.customize(min_occurs=0, nillable=False, doc="SIBLING [S19].")
    # SIBLING [S19]. The report as base64 is DOCUMENTED [S2]; optional is INFERRED, for the page is cut and SosObject,
    # DocCfs and DocUrl exist in its place [S22].
    DocData = DocDataType.customize(min_occurs=0, nillable=False)
    CharacterSet = Unicode.customize(
        min_occurs=0,
        nillable=False,
        doc="SIBLING [S15b] [S17]. Of the document's bytes; seen after DocData [S15b].",
    )
    # INFERRED. Name and place; [S1] tells of properties that belong to one document.
    DocumentExtension = SegmentType.customize(min_occurs=0, max_occurs="unbounded", nillable=False)
    # SIBLING [S19].
    ref = XmlAttribute(Unicode)


class JobDocumentDataType(ComplexModel):
    """INFERRED. Name of the type and its content, but for the extension element."""

    __namespace__ = NS_TNS

    # INFERRED. First child of its siblings JobSummaryData [S21] and JobDeliveryStatus [S23].
    JobId = JobIdType.customize(min_occurs=0, nillable=False)
    # INFERRED. Second child of its sibling JobSummaryData [S21].
    Status = StatusType.customize(min_occurs=0, nillable=False)
    # INFERRED. Name and place; its type is SIBLING [S19]. A push carries at least one.
    Document = DocumentType.customize(min_occurs=0, max_occurs="unbounded", nillable=False)
    # DOCUMENTED [S1]. The element and its "name" and the properties with their "name"; that it is a SegmentType, and
    # does not wrap Segment elements, is INFERRED, and so is how often it occurs.
    JobDocumentDataExtension = SegmentType.customize(min_occurs=0, max_occurs="unbounded", nillable=False)


class JobDocumentTransmitResultType(ComplexModel):
    """SIBLING [S9] [S10] [S21] [S23] [S24]. Status, then SubmitId, as every result begins; the name of the type is
    INFERRED.
    """

    __namespace__ = NS_TNS

    # SIBLING [S9] [S10] [S21] [S23] [S24]. First in every result seen.
    Status = StatusType.customize(min_occurs=1, nillable=False)
    SubmitId = Unicode.customize(
        min_occurs=0,
        nillable=False,
        doc="SIBLING [S9] [S10] [S21] [S23] [S24]. Second; spelled SubmitID in one result of the API.",
    )
    # SIBLING [S10]. How often is INFERRED; a push carries one.
    JobDocumentData = JobDocumentDataType.customize(min_occurs=0, max_occurs="unbounded", nillable=False)


class JobDocumentTransmitResultAckType(ComplexModel):
    """INFERRED. No source shows what a receiver answers: the vendor may expect an empty Body, or nothing more than
    HTTP 200.
    """

    __namespace__ = NS_TNS

    Status = StatusType.customize(min_occurs=1, nillable=False)
    SubmitId = Unicode.customize(min_occurs=0, nillable=False)


class Request(RequestType):
    """SIBLING [S3]. Header block of messages that a user sends to the vendor."""

    __namespace__ = NS_HDR


class Response(ResponseType):
    """SIBLING [S3] [S9]. Header block of messages that the vendor sends."""

    __namespace__ = NS_HDR


class JobDocumentTransmitResultPortTypeHandler(Protocol):
    """What Application(config=…) must be given: it answers the operations of JobDocumentTransmitResultPortType."""

    def JobDocumentTransmitResult(
        self, ctx: Any, request: JobDocumentTransmitResultType
    ) -> JobDocumentTransmitResultAckType: ...


class JobDocumentTransmitResultPortType(Service):
    """INFERRED. Takes what the vendor pushes."""

    @rpc(
        JobDocumentTransmitResultType.customize(min_occurs=1, nillable=False),
        _returns=JobDocumentTransmitResultAckType.customize(min_occurs=1, nillable=False),
        _out_message_name=f"{{{NS_TNS}}}JobDocumentTransmitResultAck",
        _body_style="bare",
        _in_message_name=f"{{{NS_TNS}}}JobDocumentTransmitResult",
        _in_header=(Response,),
        _udd={"soap_action": "basicInvoke"},
    )
    def JobDocumentTransmitResult(ctx: Any, request: Any) -> Any:
        """INFERRED. Take one push and acknowledge it. Siblings name an operation after its function [S9] [S12]; that
        there is an answer at all is reasoning.
        """
        return ctx.app.config.JobDocumentTransmitResult(ctx, request)


CLASSES = (
    XDDSAuthType,
    AuthenticationType,
    RequestType,
    ResponseType,
    StatusType_ErrorList_Error,
    StatusType_ErrorList,
    StatusType,
    JobIdType,
    PropertyType,
    SegmentType,
    DocDataType,
    DocumentType,
    JobDocumentDataType,
    JobDocumentTransmitResultType,
    JobDocumentTransmitResultAckType,
    Request,
    Response,
)
"""Every complex class; Application(classes=CLASSES) puts all into the schema that Spyne makes."""

NOT_EXPRESSED = (
    "RequestType: xs:anyAttribute is left out",
    "ResponseType: xs:anyAttribute is left out",
    "operation JobDocumentTransmitResult: soapAction is its name; that of the file, 'basicInvoke', is in udd",
    "every complex type: Spyne declares a global element of the type's name beside it",
)
"""What the schema says and these classes do not: Spyne has no words for it."""
