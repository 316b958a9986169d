"""The schemas of the shipped WSDL as lxml reads them out of the file: a second opinion, without soapsvc."""

from __future__ import annotations

from functools import cache

from lxml import etree

from soapsvc.shipped import WSDL_FILE

XS = "http://www.w3.org/2001/XMLSchema"


@cache
def payload_schemas() -> dict[str, etree.XMLSchema]:
    """Each schema by its target namespace. They do not import each other, so each stands alone."""
    wsdl = etree.parse(WSDL_FILE)
    return {
        schema.get("targetNamespace"): etree.XMLSchema(etree.fromstring(etree.tostring(schema)))
        for schema in wsdl.iter(f"{{{XS}}}schema")
    }
