"""A push as read from its envelope: which element is what, by role and never by one fixed path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from lxml import etree

from soapsvc.contract.document_names import DOC_DATA
from soapsvc.contract.documents import left_in_the_tree, read_documents
from soapsvc.contract.fingerprint import fingerprint
from soapsvc.contract.message_parts import ancestors_within, child, children, role, text_of
from soapsvc.contract.properties import PropertyReader, Tell, read_text
from soapsvc.contract.push_kind import kind_of
from soapsvc.contract.secret_elements import MASK, is_credential_name, without_userinfo
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.records import Arrival, Deviation, JobId, Push
from soapsvc.wire.envelope_reader import Envelope, ReadDocument

_ROLES = frozenset({"submitid", "statuscode", "jobid", "xdn", "mrn", "property"})


def read_push(
    envelope: Envelope, arrival: Arrival, wsdl: WsdlDocument | None = None
) -> tuple[Push, tuple[Deviation, ...]]:
    """The push of an envelope that has a root, and how its payload deviates (rules PAY-*).

    wsdl  tells which elements that the wire left in the tree hold a document; None: DocData alone

    What is missing or odd stays empty in the record: whether it may be is the schema's matter. Nothing is raised for
    what a message says.
    """
    assert envelope.root is not None, "an envelope that could not be read holds no push"
    deviations: list[Deviation] = []

    def tell(rule: str, element: etree._Element, found: str, wanted: str) -> None:
        deviations.append(Deviation(rule, envelope.path(element), envelope.line(element), found, wanted))

    def text(element: etree._Element | None) -> str | None:
        return None if element is None else read_text(element, tell).strip() or None

    body = child(envelope.root, "body")
    top = envelope.root if body is None else body
    payload = next(children(top), None)
    names = frozenset({DOC_DATA}) if wsdl is None else wsdl.document_names_in_tree | {DOC_DATA}
    by_role = _by_role(top, _ROLES | names)
    elements = [element for name in sorted(names) for element in by_role[name]]
    read = _documents(envelope, top, elements, wsdl, tell)
    reader = PropertyReader(top, tell)
    named = [found for element in by_role["property"] if (found := reader.read(element)) is not None]
    documents, properties = read_documents(read, named, top, tell)
    xdn, mrn = _job_elements(by_role)
    job = JobId(text(xdn), text(mrn))
    known_job = None if job.xdn is None and job.mrn is None else job
    blocks = header_blocks(envelope.root)
    push = Push(
        arrival=arrival,
        raw=envelope.raw,
        kind=kind_of(known_job, documents, properties),
        root="" if payload is None else str(payload.tag),
        job=known_job,
        submit_id=text(_first(by_role["submitid"])),
        status_code=text(_first(by_role["statuscode"])),
        processing_id=next((value for name, value in blocks.items() if _is_processing_id(name) and value), None),
        documents=documents,
        properties=properties,
        header_blocks=blocks,
        fingerprint=fingerprint(top, read),
    )
    return push, tuple(deviations)


def header_blocks(root: etree._Element) -> Mapping[str, str]:
    """Every leaf of the header, named by the local names that lead to it (`Response/ProcessingID`), with its text; a
    second one of the same name ends in [2]. Credentials read "***" (`contract.secret_elements`)."""
    header = child(root, "header")
    found: dict[str, str] = {}
    for block in () if header is None else children(header):
        for path, leaf, secret in _leaves(block):
            name, n = path, 1
            while name in found:
                n += 1
                name = f"{path}[{n}]"
            found[name] = MASK if secret else without_userinfo(text_of(leaf).strip())
    return found


def _leaves(block: etree._Element) -> Iterator[tuple[str, etree._Element, bool]]:
    """Name, element, and whether it is a credential. No recursion: how deep a message goes is a setting."""
    waiting = [(_local_name(block), block, is_credential_name(str(block.tag)))]
    while waiting:
        path, element, secret = waiting.pop()
        inside = list(children(element))
        if not inside:
            yield path, element, secret
        for one in reversed(inside):
            waiting.append((f"{path}/{_local_name(one)}", one, secret or is_credential_name(str(one.tag))))


def _local_name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _by_role(top: etree._Element, roles: AbstractSet[str]) -> dict[str, list[etree._Element]]:
    """The elements below `top` by the roles asked for, those nearer to `top` first, then in document order; properties
    in document order."""
    found: dict[str, list[etree._Element]] = {name: [] for name in roles}
    for element in top.iterdescendants(etree.Element):
        named = found.get(role(element))
        if named is not None:
            named.append(element)
    several = [elements for name, elements in found.items() if name != "property" and len(elements) > 1]
    if several:
        depths = {top: 0}
        for element in top.iterdescendants(etree.Element):
            depths[element] = depths[element.getparent()] + 1  # type: ignore[index]  # it has a parent
        for elements in several:
            elements.sort(key=depths.__getitem__)
    return found


def _documents(
    envelope: Envelope, top: etree._Element, named: list[etree._Element], wsdl: WsdlDocument | None, tell: Tell
) -> tuple[ReadDocument, ...]:
    """The documents in the order of the envelope: those that the wire took out, and those that it left, because the
    schema demands something of their text.

    named  the elements with the name of a document
    """
    taken_out = {document.element: document for document in envelope.documents}
    left = [
        element
        for element in named
        if element not in taken_out
        and not any(around in taken_out for around in element.iterancestors())
        and (wsdl is None or wsdl.holds_document(_names(element, top)))
    ]
    if not left:
        return envelope.documents
    found = {**taken_out, **{element: left_in_the_tree(element, tell) for element in left}}
    return tuple(found[element] for element in top.iter(etree.Element) if element in found)


def _names(element: etree._Element, top: etree._Element) -> list[str]:
    """The Clark names that lead to an element from the child of `top` on."""
    return [str(around.tag) for around in (element, *ancestors_within(element, top))][::-1]


def _job_elements(by_role: dict[str, list[etree._Element]]) -> tuple[etree._Element | None, etree._Element | None]:
    """XDN and MRN of the first JobId that has one of them; else those that stand alone."""
    for job in by_role["jobid"]:
        xdn, mrn = child(job, "xdn"), child(job, "mrn")
        if xdn is not None or mrn is not None:
            return xdn, mrn
    return _first(by_role["xdn"]), _first(by_role["mrn"])


def _first(elements: list[etree._Element]) -> etree._Element | None:
    return elements[0] if elements else None


def _is_processing_id(name: str) -> bool:
    return name.rpartition("/")[2].partition("[")[0].lower() == "processingid"
