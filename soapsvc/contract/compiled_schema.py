"""The schemas of a WSDL, compiled: by libxml2 to decide, by xmlschema to explain. Nothing is read but memory."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from threading import Lock, Semaphore
from time import monotonic
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from lxml import etree

from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.contract.xml_files import line_of
from soapsvc.errors import ContractError
from soapsvc.namespaces import SOAP11_ENVELOPE, XML, XML_SCHEMA, qname

if TYPE_CHECKING:
    import xmlschema

_DRIVER = "soapsvc:schema/"  # no scheme that anything could fetch
_PROBE = "soapsvc.probe"
_ATTEMPTS = 5
"""lxml routes libxml2's reading to a resolver through one global of the process, which any other thread that parses at
the same moment takes away again; the next attempt then finds it."""
AT_ONCE = 8  # validations at a time; one takes 15 microseconds of a 10 KB message, so nobody waits for long
_COMPOSITION = tuple(qname(XML_SCHEMA, name) for name in ("include", "import", "redefine"))

_ENVELOPE_SCHEMA = f"""
<xs:schema xmlns:xs="{XML_SCHEMA}" targetNamespace="{SOAP11_ENVELOPE}" xmlns:soap="{SOAP11_ENVELOPE}">
  <xs:complexType name="Any" mixed="true">
    <xs:sequence><xs:any namespace="##any" processContents="lax" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>
    <xs:anyAttribute namespace="##any" processContents="skip"/>
  </xs:complexType>
  <xs:element name="Envelope" type="soap:Any"/>
  <xs:element name="Header" type="soap:Any"/>
  <xs:element name="Body" type="soap:Any"/>
  <xs:attribute name="mustUnderstand" type="xs:string"/>
  <xs:attribute name="actor" type="xs:string"/>
  <xs:attribute name="encodingStyle" type="xs:string"/>
</xs:schema>"""
"""What libxml2 needs to walk from the Envelope to the header blocks and the child of Body in one go. It demands
nothing: the rules of SOAP are `wire.soap_rules`."""

_XML_SCHEMA = f"""
<xs:schema xmlns:xs="{XML_SCHEMA}" targetNamespace="{XML}">
  <xs:attribute name="lang" type="xs:string"/>
  <xs:attribute name="space" type="xs:NCName"/>
  <xs:attribute name="base" type="xs:anyURI"/>
  <xs:attribute name="id" type="xs:ID"/>
</xs:schema>"""


class CompiledSchema:
    """All schemas of a WSDL as one.

    explained_at_once  False: what explains is read when it is wanted, which takes a moment then, and 13 MiB

    Errors  ContractError from the constructor: libxml2 finds a fault in the schemas; and from there or `components`:
            what explains cannot be read
    """

    def __init__(self, wsdl: WsdlDocument, *, explained_at_once: bool = True):
        self._wsdl = wsdl
        self._originals: dict[etree._Element, etree._Element] = {}
        self._sources: dict[Element, etree._Element | None] = {}
        self._texts = self._documents()
        self._idle: queue.SimpleQueue[etree.XMLSchema] = queue.SimpleQueue()
        began = monotonic()
        self._idle.put(self._compile())  # what does not compile is said at start-up
        self._making = monotonic() - began
        self._further = Semaphore(AT_ONCE - 1)
        self._components: xmlschema.XMLSchema10 | None = None
        self._reading = Lock()
        if explained_at_once:
            _ = self.components

    @property
    def components(self) -> xmlschema.XMLSchema10:
        """As xmlschema sees them, with every namespace in `maps`; any number of threads may look at them."""
        with self._reading:
            if self._components is None:
                self._components = self._read_components()
            return self._components

    @contextmanager
    def deciding(self) -> Iterator[etree.XMLSchema]:
        """The schema as libxml2 compiled it, for this thread alone as long as the block lasts: its error log is
        shared by whoever uses the object."""
        schema = self._taken()
        try:
            yield schema
        finally:
            self._idle.put(schema)

    @contextmanager
    def deciding_unless_busy(self) -> Iterator[etree.XMLSchema | None]:
        """The same for a thread that must not wait; None: all are in use."""
        try:
            schema = self._idle.get_nowait()
        except queue.Empty:
            yield None
            return
        try:
            yield schema
        finally:
            self._idle.put(schema)

    def _taken(self) -> etree.XMLSchema:
        """One that nobody uses. Another is made, up to AT_ONCE, when to wait for one takes longer than to make it."""
        with suppress(queue.Empty):
            return self._idle.get(timeout=self._making)
        if self._further.acquire(blocking=False):
            try:
                return self._compile()
            except ContractError:  # other threads parse (_ATTEMPTS): the first did compile
                self._further.release()
        return self._idle.get()

    def _read_components(self) -> xmlschema.XMLSchema10:
        import xmlschema  # here, for a receiver whose pushes do not deviate never needs it

        copies = list(self._copies.values())
        texts = [etree.tostring(copy, encoding="unicode") for copy in copies]
        options: dict[str, Any] = {"validation": "lax", "build": False, "allow": "none", "use_fallback": False}
        first = xmlschema.XMLSchema10(texts[0], **options)
        schemas = [first, *(first.add_schema(text) for text in texts[1:])]
        for schema, copy in zip(schemas, copies, strict=True):  # xmlschema reads with ElementTree, which has no lines
            read = schema.source.root.iter()
            for component, copied in zip(read, copy.iter(etree.Element), strict=True):
                self._sources[component] = self._originals.get(copied)
        if all(file.target_namespace != SOAP11_ENVELOPE for file in self._wsdl.schema_files):
            first.add_schema(_ENVELOPE_SCHEMA)
        try:
            first.maps.build()
        except Exception as error:
            raise ContractError(
                self._wsdl.path, None, f"the schemas cannot be read: {type(error).__name__}: {error}",
                "make them valid XML Schema 1.0",
            ) from error  # fmt: skip
        return first

    def source(self, component: Element | None) -> etree._Element | None:
        """The element of the WSDL (or of a schema beside it) that a component of `components` was read from."""
        return None if component is None else self._sources.get(component)

    # Making one of many ----------------------------------------------------------------------------------------------

    @cached_property
    def _copies(self) -> dict[str, etree._Element]:
        """Each schema without its include and import elements, with its target namespace written on it, and with an
        import of every other namespace: by address, in the order of the WSDL."""
        namespaces = {file.target_namespace for file in self._wsdl.schema_files} | {XML, SOAP11_ENVELOPE}
        copies: dict[str, etree._Element] = {}
        for n, file in enumerate(self._wsdl.schema_files):
            target = file.target_namespace
            nsmap: dict[str | None, str] = dict(file.element.nsmap)
            if target is not None and file.element.get("targetNamespace") is None:
                nsmap.setdefault(None, target)  # what a schema without a namespace refers to takes that of its includer
            copy = etree.Element(file.element.tag, nsmap=nsmap)  # type: ignore[arg-type]  # None is the default one
            for name, value in file.element.items():
                copy.set(name, value)
            if target is not None:
                copy.set("targetNamespace", target)
            for other in sorted(namespaces - {target}, key=str):
                imported = etree.SubElement(copy, qname(XML_SCHEMA, "import"))
                if other is not None:
                    imported.set("namespace", other)
            for child in file.element.iterchildren(etree.Element):
                if child.tag in _COMPOSITION:
                    continue
                child_copy = deepcopy(child)
                copy.append(child_copy)
                self._originals.update(zip(child_copy.iter(), child.iter(), strict=True))
            copies[f"{_DRIVER}{n}"] = copy
        return copies

    def _documents(self) -> dict[str, bytes]:
        """What libxml2 may read, by address: one document a schema, and for each namespace one that includes them,
        because libxml2 imports a namespace once only."""
        members: dict[str | None, list[str]] = {}
        for (address, _), file in zip(self._copies.items(), self._wsdl.schema_files, strict=True):
            members.setdefault(file.target_namespace, []).append(address)
        texts: dict[str, bytes] = {}
        for shipped, text in ((XML, _XML_SCHEMA), (SOAP11_ENVELOPE, _ENVELOPE_SCHEMA)):
            if shipped not in members:
                texts[f"{_DRIVER}shipped/{shipped}"] = text.encode()
                members[shipped] = [f"{_DRIVER}shipped/{shipped}"]
        addresses = {namespace: f"{_DRIVER}namespace/{n}" for n, namespace in enumerate(members)}
        for address, copy in self._copies.items():
            located = deepcopy(copy)
            for imported in located.iterfind(qname(XML_SCHEMA, "import")):
                imported.set("schemaLocation", addresses[imported.get("namespace")])
            texts[address] = etree.tostring(located, encoding="UTF-8")  # in ASCII a prefix may be what no parser reads
        for namespace, included in members.items():
            texts[addresses[namespace]] = _including(namespace, included)
        texts[_DRIVER] = _driver(addresses)
        return texts

    def _compile(self) -> etree.XMLSchema:
        parser = etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False)
        parser.resolvers.add(_InMemory(self._texts))
        driver = etree.fromstring(self._texts[_DRIVER], parser, base_url=_DRIVER)
        for _ in range(_ATTEMPTS - 1):
            with suppress(etree.XMLSchemaParseError):
                return etree.XMLSchema(driver)
        try:
            return etree.XMLSchema(driver)
        except etree.XMLSchemaParseError as error:
            file, line = self._place(error)
            raise ContractError(
                file, line, f"the schemas do not compile: {_reason(error)}", "make them valid XML Schema 1.0"
            ) from error

    def _place(self, error: etree.XMLSchemaParseError) -> tuple[Path, int | None]:
        """File and line of the first fault that libxml2 tells: it has read copies, with lines of their own."""
        files = dict(zip(self._copies, self._wsdl.schema_files, strict=True))
        for entry in error.error_log:
            file = files.get(entry.filename)
            if file is None:
                continue
            read = etree.fromstring(self._texts[entry.filename]).iter(etree.Element)
            copied = self._copies[entry.filename].iter(etree.Element)
            there = [copy for one, copy in zip(read, copied, strict=True) if one.sourceline == entry.line]
            named = [copy for copy in there if f"'{copy.tag}'" in entry.message]
            for copy in (*named, *there):
                if copy in self._originals:
                    return file.path, line_of(self._originals[copy])
            return file.path, line_of(file.element)
        return self._wsdl.path, None


class _InMemory(etree.Resolver):
    """Hands libxml2 the schemas by their addresses and nothing else."""

    def __init__(self, texts: dict[str, bytes]):
        super().__init__()
        self._texts = texts

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:  # type: ignore[override]  # as lxml calls it
        return self.resolve_string(self._texts.get(system_url, b""), context, base_url=system_url)


def _reason(error: etree.XMLSchemaParseError) -> str:
    """What libxml2 says, without the addresses that are ours."""
    sentences = [entry.message for entry in error.error_log if _PROBE not in entry.message]
    return "; ".join(dict.fromkeys(sentences)) or str(error)


def _including(target: str | None, locations: Iterable[str]) -> bytes:
    """A schema that holds those of one namespace, and the type that tells that it was read."""
    root = etree.Element(qname(XML_SCHEMA, "schema"))
    if target is not None:
        root.set("targetNamespace", target)
    for location in locations:
        etree.SubElement(root, qname(XML_SCHEMA, "include"), schemaLocation=location)
    probe = etree.SubElement(root, qname(XML_SCHEMA, "complexType"), name=_PROBE)
    etree.SubElement(probe, qname(XML_SCHEMA, "sequence"))
    return etree.tostring(root, encoding="UTF-8")


def _driver(addresses: Mapping[str | None, str]) -> bytes:
    """The schema that imports every namespace. Its elements refer to the probes: libxml2 leaves an import out in
    silence when it cannot read it, but not a type that it cannot find."""
    prefixes = {namespace: f"n{n}" for n, namespace in enumerate(addresses) if namespace} | {XML: "xml"}
    root = etree.Element(qname(XML_SCHEMA, "schema"), nsmap={p: uri for uri, p in prefixes.items() if uri != XML})
    root.set("targetNamespace", _DRIVER)
    for namespace, location in addresses.items():
        imported = etree.SubElement(root, qname(XML_SCHEMA, "import"), schemaLocation=location)
        if namespace is not None:
            imported.set("namespace", namespace)
    for n, namespace in enumerate(addresses):
        name = f"{prefixes[namespace]}:{_PROBE}" if namespace else _PROBE
        etree.SubElement(root, qname(XML_SCHEMA, "element"), name=f"read{n}", type=name)
    return etree.tostring(root, encoding="UTF-8")
