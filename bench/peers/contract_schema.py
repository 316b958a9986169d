"""The schema of a whole message as files, for the peers that validate with libxml2."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"
           targetNamespace="http://schemas.xmlsoap.org/soap/envelope/" elementFormDefault="qualified">
{imports}
  <xs:attribute name="mustUnderstand" type="xs:boolean"/>
  <xs:attribute name="actor" type="xs:anyURI"/>
  <xs:element name="Envelope">
    <xs:complexType>
      <xs:sequence>
        <xs:element name="Header" minOccurs="0">
          <xs:complexType>
            <xs:sequence><xs:any namespace="##other" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>
          </xs:complexType>
        </xs:element>
        <xs:element name="Body">
          <xs:complexType><xs:sequence><xs:any namespace="##other"/></xs:sequence></xs:complexType>
        </xs:element>
      </xs:sequence>
    </xs:complexType>
  </xs:element>
</xs:schema>
"""
"""A strict SOAP 1.1 envelope: each header block and the one child of Body must be declared by the contract."""


def write_schema(wsdl: Path, folder: Path) -> Path:
    """The WSDL's schemas as files in the folder, and the envelope's, which imports them and is returned."""
    schemas = list(etree.parse(wsdl).iter(f"{XS}schema"))
    files = {schema.get("targetNamespace"): f"contract-{number}.xsd" for number, schema in enumerate(schemas, 1)}
    for schema in schemas:
        for imported in schema.iter(f"{XS}import"):
            imported.set("schemaLocation", files[imported.get("namespace")])
        for annotation in list(schema.iter(f"{XS}annotation")):
            parent = annotation.getparent()
            assert parent is not None
            parent.remove(annotation)
        (folder / files[schema.get("targetNamespace")]).write_bytes(etree.tostring(schema))
    imports = "\n".join(f'  <xs:import namespace="{name}" schemaLocation="{file}"/>' for name, file in files.items())
    envelope = folder / "envelope.xsd"
    envelope.write_text(ENVELOPE.format(imports=imports))
    return envelope
