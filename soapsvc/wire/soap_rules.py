"""What SOAP 1.1 and the Basic Profile want of an envelope, ahead of any schema.

Shape
    Envelope  Header?, Body                         nothing else, no text between
    Header    any number of <{ns}block actor="anyURI"? mustUnderstand="0|1"?>
    Body      one namespace-qualified child (document/literal; a WSDL that binds none to a request is not served)
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from soapsvc.namespaces import SOAP11_ENCODING, SOAP11_ENVELOPE, SOAP11_NEXT_ACTOR, SOAP12_ENVELOPE, qname
from soapsvc.records import Deviation
from soapsvc.wire.envelope_reader import Envelope

ENVELOPE, HEADER, BODY = (qname(SOAP11_ENVELOPE, name) for name in ("Envelope", "Header", "Body"))
FAULT = qname(SOAP11_ENVELOPE, "Fault")
ACTOR, MUST_UNDERSTAND = qname(SOAP11_ENVELOPE, "actor"), qname(SOAP11_ENVELOPE, "mustUnderstand")
ENCODING_STYLE = qname(SOAP11_ENVELOPE, "encodingStyle")
XML_SPACE = " \t\r\n"  # what XML calls white space: str.strip and str.isspace take more
_OF_SOAP = f"{{{SOAP11_ENVELOPE}}}"
_OF_SOAP_ENCODING = f"{{{SOAP11_ENCODING}}}"

_has_odd_attributes = etree.XPath(
    "boolean(//@href | //@encoding:* | //@soap:encodingStyle | //soap:*/@soap:*)",
    namespaces={"encoding": SOAP11_ENCODING, "soap": SOAP11_ENVELOPE},
)
"""Whether a message has one of the attributes that SOAP-014, -015 and -017 are about; nearly none has."""

OUR_ACTORS = frozenset({None, "", SOAP11_NEXT_ACTOR})
"""For us: no actor, the next one, and the empty one, which names nobody else (SOAP 1.1, 4.2.2)."""


def check_soap(envelope: Envelope, understood: frozenset[str]) -> tuple[Deviation, ...]:
    """How a readable envelope deviates from SOAP 1.1, in document order within each concern.

    understood  Clark names of the header blocks that the contract binds
    Another envelope version is the only deviation told (SOAP 1.1, 4.1.2: such a message is discarded).
    """
    return tuple(_SoapCheck(envelope, understood).deviations())


class _SoapCheck:
    def __init__(self, envelope: Envelope, understood: frozenset[str]):
        assert envelope.root is not None
        self._envelope, self._root = envelope, envelope.root
        self._understood = understood

    def deviations(self) -> Iterator[Deviation]:
        name = etree.QName(self._root)
        if name.namespace != SOAP11_ENVELOPE:
            wanted = f'an Envelope in the namespace "{SOAP11_ENVELOPE}" of SOAP 1.1'
            yield self._of(self._root, "SOAP-001", _version_found(name), wanted)
            return
        if name.localname != "Envelope":
            yield self._of(self._root, "SOAP-002", f"the document element {name.localname}", "Envelope")
            return
        yield from self._structure()
        for header in self._root.iterchildren(HEADER):
            for block in header:
                yield from self._block(block)
        odd = _has_odd_attributes(self._root)
        for body in self._root.iterchildren(BODY):
            yield from self._body(body)
            if odd:
                yield from self._encoded(body)
        if odd:
            yield from self._attributes()

    def _structure(self) -> Iterator[Deviation]:
        children = list(self._root)
        bodies = [child for child in children if child.tag == BODY]
        if len(bodies) != 1:
            found = f"{len(bodies)} Body elements" if bodies else "no Body"
            yield self._of(bodies[1] if bodies else self._root, "SOAP-004", found, "one Body")
        first_body = children.index(bodies[0]) if bodies else len(children)
        for position, child in enumerate(children):
            if child.tag == BODY:
                continue
            if position > first_body:
                shown = etree.QName(child).localname
                yield self._of(child, "SOAP-008", f"{shown} after the Body", "nothing after the Body")
            elif child.tag == HEADER:
                if position > 0:
                    found = "a second Header" if children[0].tag == HEADER else "a Header that is not the first child"
                    yield self._of(child, "SOAP-003", found, "one Header at most, as the first child of Envelope")
            else:
                shown = etree.QName(child).localname
                yield self._of(child, "SOAP-009", f"{shown} in the Envelope", "Header and Body alone")
        for element in (self._root, *children):
            if element.tag in (ENVELOPE, HEADER, BODY) and _has_text(element):
                name = etree.QName(element).localname
                yield self._of(
                    element, "SOAP-010", f"text directly in {name}", "elements alone, white space between them"
                )

    def _block(self, block: etree._Element) -> Iterator[Deviation]:
        if not block.tag.startswith("{"):
            yield self._of(block, "SOAP-013", f"the header block {block.tag} in no namespace", "a namespace")
        must = block.get(MUST_UNDERSTAND)
        if must is not None and must.strip(XML_SPACE) not in ("0", "1"):
            found = f'mustUnderstand="{must[:40]}"'
            yield self._of(
                block, "SOAP-011", found, 'mustUnderstand="0" or "1"', f"/@{_attribute(block, 'mustUnderstand')}"
            )
        if must is None or must.strip(XML_SPACE) != "1" or block.tag in self._understood:
            return
        if (block.get(ACTOR) or "").strip(XML_SPACE) in OUR_ACTORS:
            known = ", ".join(sorted(self._understood)) or "none"
            found = f'the header block {block.tag} with mustUnderstand="1"'
            yield self._of(block, "SOAP-012", found, f"of such blocks those that the WSDL binds: {known}")

    def _body(self, body: etree._Element) -> Iterator[Deviation]:
        children = list(body)
        if not children:
            yield self._of(body, "SOAP-005", "a Body without a child", "the element that the WSDL binds to the Body")
        for child in children[1:]:
            found = f"child number {children.index(child) + 1} of the Body, {etree.QName(child).localname}"
            yield self._of(child, "SOAP-006", found, "one child")
        for child in children:
            if child.tag == FAULT:
                yield self._of(child, "SOAP-016", "a Fault", "a push: faults are answers, and this is a request")
            elif not child.tag.startswith("{"):
                found = f"{child.tag} in no namespace"
                yield self._of(child, "SOAP-007", found, "a namespace-qualified element")

    def _encoded(self, body: etree._Element) -> Iterator[Deviation]:
        """References of SOAP encoding: href="#x" that an id="x" answers to, and attributes of its own namespace."""
        ids = {element.get("id") for element in body.iter() if element.get("id")}
        for element in body.iter():
            for name, value in _attributes(element):
                refers = name == "href" and value.startswith("#") and value[1:] in ids
                if refers or name.startswith(_OF_SOAP_ENCODING):
                    local_name = etree.QName(name).localname
                    shown = f"/@{local_name if refers else _prefixed(element, name)}"
                    found = f'{local_name}="{value[:80]}"'
                    yield self._of(
                        element, "SOAP-017", found, "the value itself, in its place (document/literal)", shown
                    )

    def _attributes(self) -> Iterator[Deviation]:
        for element in self._root.iter():
            if not element.attrib:
                continue
            soap = element.tag in (ENVELOPE, HEADER, BODY)
            if ENCODING_STYLE in element.attrib and (element.tag.startswith(_OF_SOAP) or self._in_body(element)):
                shown = f"/@{_attribute(element, 'encodingStyle')}"
                found = f'encodingStyle="{(element.get(ENCODING_STYLE) or "")[:80]}"'
                yield self._of(element, "SOAP-014", found, "no encodingStyle: the message is literal", shown)
            for name, _ in _attributes(element) if soap else ():
                if name.startswith(_OF_SOAP) and name != ENCODING_STYLE:
                    local_name = etree.QName(name).localname
                    shown = f"/@{_attribute(element, local_name)}"
                    yield self._of(
                        element, "SOAP-015", f"the attribute {local_name}", "no attribute of SOAP's namespace", shown
                    )

    def _in_body(self, element: etree._Element) -> bool:
        return any(ancestor.tag == BODY and ancestor.getparent() is self._root for ancestor in element.iterancestors())

    def _of(self, element: etree._Element, rule: str, found: str, wanted: str, attribute: str = "") -> Deviation:
        return Deviation(rule, self._envelope.path(element) + attribute, self._envelope.line(element), found, wanted)


def _version_found(name: etree.QName) -> str:
    if name.namespace == SOAP12_ENVELOPE:
        return f'{name.localname} in the namespace "{SOAP12_ENVELOPE}" of SOAP 1.2'
    namespace = f'the namespace "{name.namespace[:200]}"' if name.namespace else "no namespace"
    return f"{name.localname[:200]} in {namespace}"


def _has_text(element: etree._Element) -> bool:
    return any(text and text.strip(XML_SPACE) for text in (element.text, *(child.tail for child in element)))


def _attributes(element: etree._Element) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in element.attrib.items()]


def _attribute(element: etree._Element, local_name: str) -> str:
    return _prefixed(element, qname(SOAP11_ENVELOPE, local_name))


def _prefixed(element: etree._Element, clark_name: str) -> str:
    """An attribute's name with a prefix that the envelope binds to its namespace."""
    name = etree.QName(clark_name)
    prefix = next(prefix for prefix, uri in element.nsmap.items() if prefix and uri == name.namespace)
    return f"{prefix}:{name.localname}"
