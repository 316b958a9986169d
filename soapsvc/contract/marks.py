"""How well known the construct is that a deviation touches, by the marks of the WSDL (docs/contract.md).

Under `guarded` a deviation that touches only what is INFERRED is accepted. So where several constructs are touched, the
best known one counts, and a WSDL without marks gives none.
"""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from soapsvc.contract.wsdl_document import MARKS, WsdlDocument
from soapsvc.namespaces import WSDL11, WSDL_SOAP11_BINDING, XML_SCHEMA, qname


def best_mark(wsdl: WsdlDocument, components: Iterable[etree._Element | None]) -> str | None:
    """The mark of the best known of some components of the WSDL; None: none of them has a mark."""
    marks = {wsdl.mark(component) for component in components if component is not None}
    return next((mark for mark in MARKS if mark in marks), None)


def schema_of(component: etree._Element | None) -> etree._Element | None:
    """The xs:schema that a component is written in: what says which namespace its elements have."""
    if component is None:
        return None
    return next(component.iterancestors(qname(XML_SCHEMA, "schema")), None)


def header_binding(wsdl: WsdlDocument, block: str) -> tuple[etree._Element | None, ...]:
    """The soap:header that binds a header block (Clark name) to an input, and the wsdl:part that it names."""
    local_name = etree.QName(block).localname
    steps = (qname(WSDL11, "operation"), qname(WSDL11, "input"), qname(WSDL_SOAP11_BINDING, "header"))
    for header in (each for binding in wsdl.components("binding") for each in binding.iterfind("/".join(steps))):
        for part in (
            each for message in wsdl.components("message") for each in message.iterfind(qname(WSDL11, "part"))
        ):
            in_message = part.getparent()
            assert in_message is not None, "found as a child"
            same_message = in_message.get("name") == _local(header.get("message"))
            if same_message and part.get("name") == header.get("part") and _local(part.get("element")) == local_name:
                return header, part
    return ()


def body_binding(wsdl: WsdlDocument, input_element: str) -> tuple[etree._Element | None, ...]:
    """The global declaration of the element that an operation takes."""
    return (wsdl.element_declaration([input_element]),)


def _local(name: str | None) -> str:
    return (name or "").strip().rpartition(":")[2]
