"""Helpers: a generated module, and the schema that Spyne derives from its classes."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from spyne.application import Application
from spyne.interface.xml_schema import XmlSchema
from spyne.protocol.soap import Soap11

from soapsvc.contract.schema_components import SchemaSet


def module_of(source: str, name: str = "generated_types") -> ModuleType:
    """Generated source as a module."""
    module = ModuleType(name)
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return module


def application_of(module: Any, handler: object = None) -> Application:
    """A Spyne application, as an integrator would make it, of every service of a generated module."""
    services = [made for made in vars(module).values() if hasattr(made, "public_methods") and made.public_methods]
    return Application(
        services,
        tns=module.TARGET_NAMESPACE,
        name="Integrator",
        in_protocol=Soap11(validator="lxml"),
        out_protocol=Soap11(),
        classes=module.CLASSES,
        config=handler,
    )


def schema_of(module: Any) -> SchemaSet:
    """The components of the schema that Spyne writes for a generated module."""
    schema = XmlSchema(application_of(module).interface)
    schema.build_interface_document()
    nodes = schema.get_interface_document().values()
    return SchemaSet.of([(node, node.get("targetNamespace")) for node in nodes])
