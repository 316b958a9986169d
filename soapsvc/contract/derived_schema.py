"""What Spyne's classes say, as a WSDL: for whoever lets Spyne write the contract instead of serving the file."""

from __future__ import annotations

from copy import deepcopy
from types import ModuleType

from lxml import etree
from spyne.application import Application
from spyne.interface.xml_schema import XmlSchema
from spyne.protocol.soap import Soap11

from soapsvc.contract.push_service import classes_of
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.namespaces import WSDL11, qname

_SCHEMAS = "the schemas of the classes"


def as_classes_say(wsdl: WsdlDocument) -> bytes:
    """The WSDL with the schemas that Spyne derives from its classes in the place of its own; the rest is as it was.

    Of what Spyne writes the schemas alone are taken: its WSDL names a message of its own namespace for a header block
    of another, which nobody can resolve.
    """
    root = deepcopy(wsdl.root)
    types = root.find(qname(WSDL11, "types"))
    if types is None:  # every part is of a type that needs no schema; Spyne's classes have one all the same
        types = etree.Element(qname(WSDL11, "types"))
        root.insert(0, types)
    types[:] = [etree.Comment(_SCHEMAS)]
    written = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    schemas = (etree.tostring(schema, pretty_print=True, encoding="UTF-8") for schema in derived_schemas(classes_of(wsdl)))
    # as text: a tree moved under another root loses the prefixes that only its attributes' values use
    return written.replace(etree.tostring(types[0]), b"".join(schemas), 1)


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
