"""The list of rules that a push is held against; `docs/rules.md` is printed from it.

A rule's id is stable: programs and people refer to it. A rule that is dropped leaves its number unused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Faultcode = Literal["VersionMismatch", "MustUnderstand", "Client", "Server"]


class Severity(StrEnum):
    """What a deviation from the rule means for the push; the degrees of conformance read it (`soapsvc.judgement`)."""

    FATAL = "fatal"
    """Refused in every degree: there is nothing that could be stored as a push, or it is not safe to go on."""
    PROTOCOL = "protocol"
    """Refused under strict and guarded: the transport, XML, SOAP, or a document that does not decode."""
    CONTRACT = "contract"
    """Refused under strict; under guarded unless it touches only what the WSDL marks INFERRED."""
    NOTE = "note"
    """Recorded, never refused."""


class Stage(StrEnum):
    """Which part of the gate holds a push against the rule, in the order of the way in."""

    HTTP = "http"
    XML = "xml"
    SOAP = "soap"
    SCHEMA = "schema"
    PAYLOAD = "payload"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    id           stable, e.g. SOAP-005
    sentence     what is wanted, in one sentence
    source       where it is written: SOAP 1.1 section, BP 1.1 R-number, XSD part, WSDL component, RFC
    severity     see `Severity`
    faultcode    of the SOAP fault that answers a push refused for it
    http_status  of the answer: 500 goes with a SOAP fault (BP 1.1 R1126); anything else is answered in plain text
    """

    id: str
    stage: Stage
    severity: Severity
    sentence: str
    source: str
    faultcode: Faultcode = "Client"
    http_status: int = 500


_F, _P, _C, _N = Severity.FATAL, Severity.PROTOCOL, Severity.CONTRACT, Severity.NOTE

# Two lines a rule, so that the list reads as one. Sources: SOAP 1.1 is the W3C Note of 2000-05-08, BP the WS-I Basic
# Profile 1.1 with the Simple SOAP Binding Profile 1.0.
# fmt: off
_HTTP = (
    Rule("HTTP-001", Stage.HTTP, _F, "A push is sent to /push; its WSDL is to be had at /push?wsdl.",
         "WSDL soap:address; RFC 9110, 15.5.5", http_status=404),
    Rule("HTTP-002", Stage.HTTP, _F, "A push comes by POST; the WSDL is asked for by GET or HEAD.",
         "SOAP 1.1, 6.1; BP R1132, R1114", http_status=405),
    Rule("HTTP-003", Stage.HTTP, _F, "The length of the body is told once and in one way.",
         "RFC 9112, 6.3; BP R1113", http_status=400),
    Rule("HTTP-004", Stage.HTTP, _F, "The length of the body is told.",
         "RFC 9110, 15.5.12", http_status=411),
    Rule("HTTP-005", Stage.HTTP, _F, "The body is no larger than the setting max_envelope_bytes.",
         "RFC 9110, 15.5.14", http_status=413),
    Rule("HTTP-006", Stage.HTTP, _F, "Expect says 100-continue or nothing.",
         "RFC 9110, 10.1.1", http_status=417),
    Rule("HTTP-007", Stage.HTTP, _F, "The source address is one that may push.",
         "setting allowed_sources; RFC 9110, 15.5.4", http_status=403),
    Rule("HTTP-008", Stage.HTTP, _F, "The request carries the credential of somebody who may push.",
         "setting basic_users; RFC 7617", http_status=401),
    Rule("HTTP-009", Stage.HTTP, _F, "The request has one Content-Type, well-formed.",
         "BP R9702, R1115; RFC 9110, 8.3", http_status=415),
    Rule("HTTP-010", Stage.HTTP, _F, "The media type is text/xml.",
         "SOAP 1.1, 6; BP R9703, R1115", http_status=415),
    Rule("HTTP-011", Stage.HTTP, _F, "The charset is one that is read here.",
         "BP R1012; setting extra_charsets", http_status=415),
    Rule("HTTP-012", Stage.HTTP, _F, "The body is sent without a Content-Encoding.",
         "BP R1115; RFC 9110, 8.4", http_status=415),
    Rule("HTTP-013", Stage.HTTP, _F, "A forwarded request names its source by an IP address.",
         "setting trusted_proxies; BP R1113", http_status=400),
    Rule("HTTP-020", Stage.HTTP, _N, "application/xml is read as text/xml.",
         "BP R9703; clients of this vendor send it"),
    Rule("HTTP-021", Stage.HTTP, _N, "The Content-Type has a charset parameter.",
         "BP R1018"),
    Rule("HTTP-022", Stage.HTTP, _N, "The charset is UTF-8 or UTF-16.",
         "BP R1012"),
    Rule("HTTP-023", Stage.HTTP, _N, "The request has one SOAPAction, in quotes; nothing depends on its value.",
         "SOAP 1.1, 6.1.1; BP R1109, R1119, R1127"),
    Rule("HTTP-024", Stage.HTTP, _N, "SOAPAction reads as the WSDL in force says.",
         "BP R2744, R2745; WSDL soap:operation"),
)
_XML = (
    Rule("XML-001", Stage.XML, _F, "The body of the request is not empty.",
         "SOAP 1.1, 6; BP R9700"),
    Rule("XML-002", Stage.XML, _F, "Every byte is in the charset that the message is said to be in.",
         "XML 1.0, 4.3.3; BP R1018"),
    Rule("XML-003", Stage.XML, _F, "The message is well-formed XML with well-formed namespaces, and nothing beside it.",
         "XML 1.0, 2.1; Namespaces in XML 1.0, 7; BP R9700"),
    Rule("XML-004", Stage.XML, _F, "There is no DOCTYPE.",
         "SOAP 1.1, 3; BP R1008"),
    Rule("XML-005", Stage.XML, _P, "There is no processing instruction.",
         "SOAP 1.1, 3; BP R1009"),
    Rule("XML-006", Stage.XML, _F, "Elements are nested no deeper than the setting max_depth.",
         "setting max_depth"),
    Rule("XML-007", Stage.XML, _F, "There are no more elements than the setting max_elements.",
         "setting max_elements"),
    Rule("XML-008", Stage.XML, _F, "No element has more attributes and namespace declarations than max_attributes.",
         "setting max_attributes"),
    Rule("XML-009", Stage.XML, _F, "No name or namespace name is longer than the setting max_name_chars.",
         "setting max_name_chars"),
    Rule("XML-010", Stage.XML, _F, "What is not in a document is no longer than the setting max_text_bytes, in all.",
         "setting max_text_bytes"),
    Rule("XML-011", Stage.XML, _F, "There are no more documents than the setting max_documents.",
         "setting max_documents"),
    Rule("XML-012", Stage.XML, _P, "The XML declaration, where there is one, says version 1.0.",
         "BP R9701, R4001"),
    Rule("XML-013", Stage.XML, _P, "Charset, byte order mark and XML declaration do not exclude each other.",
         "RFC 7303, 3; BP R1018"),
    Rule("XML-014", Stage.XML, _N, "The XML declaration names the encoding of the message; nothing depends on it.",
         "BP R1019"),
    Rule("XML-015", Stage.XML, _N, "UTF-16 begins with a byte order mark.",
         "XML 1.0, 4.3.3"),
    Rule("XML-016", Stage.XML, _F, "An encoding that only the XML declaration names is one that is read here.",
         "BP R1012; setting extra_charsets"),
    Rule("XML-017", Stage.XML, _N, "An encoding that only the XML declaration names is UTF-8 or UTF-16.",
         "BP R1012"),
)
_SOAP = (
    Rule("SOAP-001", Stage.SOAP, _F, "The envelope is in the namespace of SOAP 1.1.",
         "SOAP 1.1, 4.1.2; BP R1015", "VersionMismatch"),
    Rule("SOAP-002", Stage.SOAP, _F, "The document element is soap:Envelope.",
         "SOAP 1.1, 4; BP R9980, R1015"),
    Rule("SOAP-003", Stage.SOAP, _P, "The Header, where there is one, is one and comes first.",
         "SOAP 1.1, 4.2; BP R9980"),
    Rule("SOAP-004", Stage.SOAP, _F, "The envelope has one Body.",
         "SOAP 1.1, 4.3; BP R9980"),
    Rule("SOAP-005", Stage.SOAP, _F, "The Body has the child that the binding wants.",
         "BP R2712, R2201; WSDL soap:body"),
    Rule("SOAP-006", Stage.SOAP, _P, "The Body has no more children than the binding wants.",
         "BP R2712, R2201; WSDL soap:body"),
    Rule("SOAP-007", Stage.SOAP, _P, "The children of Body are namespace-qualified.",
         "BP R1014"),
    Rule("SOAP-008", Stage.SOAP, _P, "Nothing follows the Body.",
         "BP R1011"),
    Rule("SOAP-009", Stage.SOAP, _P, "The envelope holds Header and Body and no other element before the Body.",
         "SOAP 1.1, 4; BP R9980"),
    Rule("SOAP-010", Stage.SOAP, _P, "There is no text directly in Envelope, Header or Body.",
         "SOAP 1.1 envelope schema; BP R9980"),
    Rule("SOAP-011", Stage.SOAP, _P, "mustUnderstand reads 0 or 1.",
         "SOAP 1.1, 4.2.3; BP R1013"),
    Rule("SOAP-012", Stage.SOAP, _F, "A header block for us that must be understood is one of the contract's.",
         "SOAP 1.1, 4.2.3; BP R1025, R1027", "MustUnderstand"),
    Rule("SOAP-013", Stage.SOAP, _P, "Header blocks are namespace-qualified.",
         "SOAP 1.1, 4.2"),
    Rule("SOAP-014", Stage.SOAP, _P, "There is no encodingStyle on the elements of SOAP nor in the Body.",
         "BP R1005, R1006"),
    Rule("SOAP-015", Stage.SOAP, _P, "Envelope, Header and Body have no attributes of SOAP's namespace.",
         "BP R1032"),
    Rule("SOAP-016", Stage.SOAP, _F, "A push is no Fault.",
         "SOAP 1.1, 4.4; WSDL wsdl:input"),
    Rule("SOAP-017", Stage.SOAP, _P, "The Body is literal: no references by href and id, nothing of SOAP encoding.",
         "BP R2706; SOAP 1.1, 5"),
)
_SCHEMA: tuple[Rule, ...] = (
    Rule("XSD-001", Stage.SCHEMA, _C, "The child of Body is the element that an operation of the WSDL takes.",
         "BP R2712, R2301; WSDL wsdl:part of the soap:body"),
    Rule("XSD-002", Stage.SCHEMA, _C, "Every header block that the binding describes is there.",
         "BP R2738; WSDL soap:header"),
    Rule("XSD-003", Stage.SCHEMA, _C, "A header block that the binding describes is there once.",
         "BP R2738; WSDL soap:header"),
    Rule("XSD-004", Stage.SCHEMA, _C, "An element has only child elements that its content model names.",
         "XML Schema part 1, 3.4.4 (cvc-complex-type 2.4)"),
    Rule("XSD-005", Stage.SCHEMA, _C, "An element is in the namespace and letter case of its declaration.",
         "XML Schema part 1, 3.8.4 and 3.3.4 (cvc-particle)"),
    Rule("XSD-006", Stage.SCHEMA, _C, "Child elements stand in the order of the content model.",
         "XML Schema part 1, 3.8.4 (cvc-model-group)"),
    Rule("XSD-007", Stage.SCHEMA, _C, "A child element occurs no more often than maxOccurs allows.",
         "XML Schema part 1, 3.9.4 (cvc-particle)"),
    Rule("XSD-008", Stage.SCHEMA, _C, "Every child element that the content model demands is there.",
         "XML Schema part 1, 3.9.4 (cvc-particle); 3.4.4"),
    Rule("XSD-009", Stage.SCHEMA, _C, "Text stands only where the type allows it.",
         "XML Schema part 1, 3.4.4 (cvc-complex-type 2.1, 2.3)"),
    Rule("XSD-010", Stage.SCHEMA, _C, "An element of simple content has no child elements.",
         "XML Schema part 1, 3.3.4 (cvc-type 3.1.2); 3.4.4 (2.2)"),
    Rule("XSD-011", Stage.SCHEMA, _C, "The text of an element is a value of its type.",
         "XML Schema part 2, 4.1.4 (cvc-datatype-valid 1)"),
    Rule("XSD-012", Stage.SCHEMA, _C, "The text of an element keeps to the facets of its type.",
         "XML Schema part 2, 4.3 (cvc-facet-valid)"),
    Rule("XSD-013", Stage.SCHEMA, _C, "A fixed value is not changed.",
         "XML Schema part 1, 3.3.4 (cvc-elt 5.2.2) and 3.2.4 (cvc-au)"),
    Rule("XSD-014", Stage.SCHEMA, _C, "Every attribute that the type demands is there.",
         "XML Schema part 1, 3.4.4 (cvc-complex-type 4)"),
    Rule("XSD-015", Stage.SCHEMA, _C, "An element has only attributes that its type declares.",
         "XML Schema part 1, 3.4.4 (cvc-complex-type 3.2)"),
    Rule("XSD-016", Stage.SCHEMA, _C, "The value of an attribute is one of its type.",
         "XML Schema part 1, 3.2.4 (cvc-attribute 3)"),
    Rule("XSD-017", Stage.SCHEMA, _C, "The value of an attribute keeps to the facets of its type.",
         "XML Schema part 2, 4.3 (cvc-facet-valid)"),
    Rule("XSD-018", Stage.SCHEMA, _C, "xsi:nil stands only on nillable elements, xsi:nil=false too.",
         "XML Schema part 1, 3.3.4 (cvc-elt 3.1)"),
    Rule("XSD-019", Stage.SCHEMA, _C, "An element with xsi:nil=true is empty.",
         "XML Schema part 1, 3.3.4 (cvc-elt 3.2.1)"),
    Rule("XSD-020", Stage.SCHEMA, _C, "xsi:nil reads true, false, 1 or 0.",
         "XML Schema part 1, 2.6.2; part 2, 3.2.2"),
    Rule("XSD-021", Stage.SCHEMA, _C, "xsi:type names a type that may stand in place of the declared one.",
         "XML Schema part 1, 3.3.4 (cvc-elt 4); BP R1017"),
    Rule("XSD-022", Stage.SCHEMA, _C, "An abstract element is replaced by one of its substitution group.",
         "XML Schema part 1, 3.3.4 (cvc-elt 2)"),
    Rule("XSD-023", Stage.SCHEMA, _C, "What a strict wildcard admits is declared in the WSDL.",
         "XML Schema part 1, 3.10.4 (cvc-wildcard, cvc-assess-elt)"),
    Rule("XSD-024", Stage.SCHEMA, _C, "The message is valid by the schemas of the WSDL in every other way.",
         "XML Schema part 1, as the finding names it"),
)
_PAYLOAD: tuple[Rule, ...] = (
    Rule("PAY-001", Stage.PAYLOAD, _P, "A base64 document is of the base64 alphabet and white space alone.",
         "XML Schema part 2, 3.2.16"),
    Rule("PAY-002", Stage.PAYLOAD, _P, "A base64 document comes in groups of four characters, the last one padded.",
         "XML Schema part 2, 3.2.16; RFC 4648, 4"),
    Rule("PAY-003", Stage.PAYLOAD, _P, "The spare bits before the padding of a base64 document are zero.",
         "XML Schema part 2, 3.2.16; RFC 4648, 3.5"),
    Rule("PAY-004", Stage.PAYLOAD, _P, "The format of a document, where it is told, is base64 or text.",
         "WSDL DocEncodingFormat"),
    Rule("PAY-005", Stage.PAYLOAD, _P, "A document has no child elements.",
         "WSDL DocDataType; XML Schema part 1, 3.4.4"),
    Rule("PAY-010", Stage.PAYLOAD, _N, "A time tells its zone: a time without one is not UTC.",
         "XML Schema part 2, 3.2.7.3; docs/contract.md, properties"),
    Rule("PAY-011", Stage.PAYLOAD, _N, "StartTime and EntryTime are times that can be read.",
         "docs/contract.md, properties"),
    Rule("PAY-012", Stage.PAYLOAD, _N, "A time on a wall clock is shown by that clock once.",
         "docs/contract.md, properties"),
    Rule("PAY-013", Stage.PAYLOAD, _P, "Text with b64charset is base64.",
         "docs/contract.md, b64charset; XML Schema part 2, 3.2.16"),
    Rule("PAY-014", Stage.PAYLOAD, _P, "Text with b64charset is text in that charset.",
         "docs/contract.md, b64charset"),
    Rule("PAY-015", Stage.PAYLOAD, _N, "b64charset names a charset that is read here, or binary.",
         "docs/contract.md, b64charset"),
    Rule("PAY-016", Stage.PAYLOAD, _N, "The DocType is that of the document's first bytes.",
         "WSDL DocumentType"),
)
_BACKUP: tuple[Rule, ...] = (
    Rule("BAK-001", Stage.BACKUP, _N, "A report at a backup destination lies there with the envelope that was pushed.",
         "docs/intake.md; without it nothing can be held against the WSDL"),
    Rule("BAK-002", Stage.BACKUP, _F, "An email at a backup destination has a report attached.",
         "RFC 2183; docs/intake.md"),
    Rule("BAK-003", Stage.BACKUP, _F, "An email is of no more parts, and nested no deeper, than is read here.",
         "RFC 2046, 5.1; setting max_documents; docs/intake.md"),
    Rule("BAK-004", Stage.BACKUP, _P, "An attachment decodes to its end.",
         "RFC 2045, 6"),
    Rule("BAK-005", Stage.BACKUP, _N, "A side file, where there is one, is a JSON object of at most 1 MiB.",
         "RFC 8259; docs/intake.md"),
    Rule("BAK-006", Stage.BACKUP, _F, "An email is no larger than 64 MiB.",
         "docs/intake.md; mail servers take 25 to 50 MiB"),
)
# fmt: on
_ALL: tuple[Rule, ...] = (*_HTTP, *_XML, *_SOAP, *_SCHEMA, *_PAYLOAD, *_BACKUP)

RULES: dict[str, Rule] = {rule.id: rule for rule in _ALL}
"""Every rule by its id, in the order of the way in."""
