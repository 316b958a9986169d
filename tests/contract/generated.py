"""Helpers: a generated module, and the schema that Spyne derives from its classes."""

from __future__ import annotations

from types import ModuleType

from spyne.application import Application

from soapsvc.contract import derived_schema
from soapsvc.contract.schema_components import SchemaSet


def module_of(source: str, name: str = "generated_types") -> ModuleType:
    """Generated source as a module."""
    module = ModuleType(name)
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return module


def application_of(module: ModuleType, handler: object = None) -> Application:
    """A Spyne application, as an integrator would make it, of every service of a generated module."""
    application = derived_schema.application_of(module)
    application.config = handler
    return application


def schema_of(module: ModuleType) -> SchemaSet:
    """The components of the schema that Spyne writes for a generated module."""
    return SchemaSet.of([(node, node.get("targetNamespace")) for node in derived_schema.derived_schemas(module)])
