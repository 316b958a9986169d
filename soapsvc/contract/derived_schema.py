"""What Spyne's classes say, as a WSDL: for whoever lets Spyne write the contract instead of serving the file."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from types import ModuleType

from lxml import etree
from spyne.application import Application
from spyne.interface.xml_schema import XmlSchema
from spyne.protocol.soap import Soap11

from soapsvc.contract.named_files import place_of
from soapsvc.contract.push_service import classes_of
from soapsvc.contract.wsdl_components import clark
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.contract.wsdl_files import IMPORT
from soapsvc.errors import ContractError
from soapsvc.namespaces import WSDL11, WSDL_SOAP11_BINDING, XML_SCHEMA, qname

_SCHEMAS = "the schemas of the classes"
_TYPES, _MESSAGE, _PART = (qname(WSDL11, name) for name in ("types", "message", "part"))
_HEADER = qname(WSDL_SOAP11_BINDING, "header")


def as_classes_say(wsdl: WsdlDocument) -> dict[str, bytes]:
    """The WSDL with the schemas that Spyne derives from its classes in the place of its own; the rest is as it was.

    Shape  file name to content: the WSDL first, then those that it imports
    Of what Spyne writes the schemas alone are taken: its WSDL names a message of its own namespace for a header block
    of another, which nobody can resolve. A header block that no class stands for is bound no more.
    """
    schemas = derived_schemas(classes_of(wsdl))
    names = {file.path.resolve(): f"classes{n or ''}.wsdl" for n, file in enumerate(wsdl.files)}
    roots = {names[file.path.resolve()]: deepcopy(file.root) for file in wsdl.files}
    for file, root in zip(wsdl.files, roots.values(), strict=True):
        for imported in root.iterfind(IMPORT):
            place = place_of(wsdl.path.parent, file.path, imported.get("location", ""))
            imported.set("location", names[place.resolve()])
        for types in root.findall(_TYPES):
            root.remove(types)
    _unbind(wsdl, list(roots.values()), {qname(s.get("targetNamespace"), e.get("name", "")) for s in schemas
                                         for e in s.iterfind(qname(XML_SCHEMA, "element"))})  # fmt: skip
    written = {name: etree.tostring(root, encoding="UTF-8", xml_declaration=True) for name, root in roots.items()}
    first, root = next(iter(roots.items()))
    root.insert(0, types := etree.Element(_TYPES))
    types.append(etree.Comment(_SCHEMAS))
    # as text: a tree moved under another root loses the prefixes that only its attributes' values use
    text = (etree.tostring(schema, pretty_print=True, encoding="UTF-8") for schema in schemas)
    whole = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return written | {first: whole.replace(etree.tostring(types[0]), b"".join(text), 1)}


def _unbind(wsdl: WsdlDocument, roots: list[etree._Element], elements: set[str]) -> None:
    """Take every header block away that is none of the elements, and its part: else that would go into Body."""
    gone = []
    for root in roots:
        for header in root.iterfind(f".//{_HEADER}"):
            with suppress(ContractError):  # what is bound to the answer may lead nowhere
                if wsdl.block_of(header) not in elements:
                    gone.append(header)
    unbound = {(clark(header, "message"), header.get("part")) for header in gone}
    for root in roots:
        for message in root.iterfind(_MESSAGE):
            for part in message.findall(_PART):
                if (qname(root.get("targetNamespace"), message.get("name", "")), part.get("name")) in unbound:
                    message.remove(part)
    for header in gone:
        side = header.getparent()
        assert side is not None, "found inside a binding"
        side.remove(header)


def derived_schemas(classes: ModuleType) -> list[etree._Element]:
    """The xs:schema elements that Spyne writes for a generated module, one a namespace."""
    schema = XmlSchema(application_of(classes).interface)
    schema.build_interface_document()
    return list(schema.get_interface_document().values())


def application_of(classes: ModuleType) -> Application:
    """A Spyne application, as an integrator would make it, of every service of a generated module."""
    services = [made for made in vars(classes).values() if getattr(made, "public_methods", None)]
    return Application(
        services,
        tns=classes.TARGET_NAMESPACE,
        name=f"of_{classes.__name__}",
        in_protocol=Soap11(validator="lxml"),
        out_protocol=Soap11(),
        classes=classes.CLASSES,
    )
