"""Namespace names, each called after the document that defines it."""

SOAP11_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP11_ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
SOAP11_NEXT_ACTOR = "http://schemas.xmlsoap.org/soap/actor/next"
SOAP12_ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
SOAP11_HTTP_TRANSPORT = "http://schemas.xmlsoap.org/soap/http"
WSDL11 = "http://schemas.xmlsoap.org/wsdl/"
WSDL_SOAP11_BINDING = "http://schemas.xmlsoap.org/wsdl/soap/"
WSDL_MIME = "http://schemas.xmlsoap.org/wsdl/mime/"
WSDL_SOAP12_BINDING = "http://schemas.xmlsoap.org/wsdl/soap12/"
XML_SCHEMA = "http://www.w3.org/2001/XMLSchema"
XML_SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
XML = "http://www.w3.org/XML/1998/namespace"

VERDICT = "urn:soapsvc:verdict:1"
"""Ours: the detail of a fault that this receiver sends (docs/rules.md)."""


def qname(namespace: str | None, local_name: str) -> str:
    """The name in Clark notation, as lxml writes it: ``{namespace}local``."""
    return f"{{{namespace}}}{local_name}" if namespace else local_name
