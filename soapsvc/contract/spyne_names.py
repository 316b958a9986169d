"""Names: Spyne's classes for the built-in types, and names of XML as names of Python that nothing else has."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection

from spyne.model.complex import ComplexModel

STRINGS = ("Unicode", "AnyUri", "NormalizedString", "Token", "Name", "NCName", "ID", "Language", "NMToken", "QName")
INTEGERS = {
    "integer": "Integer", "nonNegativeInteger": "NonNegativeInteger", "long": "Integer64", "int": "Integer32",
    "short": "Integer16", "byte": "Integer8", "unsignedLong": "UnsignedInteger64", "unsignedInt": "UnsignedInteger32",
    "unsignedShort": "UnsignedInteger16", "unsignedByte": "UnsignedInteger8",
}  # fmt: skip
PRIMITIVES = {
    **INTEGERS, "string": "Unicode", "anyURI": "AnyUri", "normalizedString": "NormalizedString", "token": "Token",
    "Name": "Name", "NCName": "NCName", "ID": "ID", "language": "Language", "NMTOKEN": "NMToken", "QName": "QName",
    "decimal": "Decimal", "float": "Float", "double": "Double", "boolean": "Boolean", "dateTime": "DateTime",
    "date": "Date", "time": "Time", "duration": "Duration", "base64Binary": "ByteArray", "anyType": "AnyXml",
}  # fmt: skip
"""Built-in type of XML Schema to Spyne's class of it."""
BOUNDED_INTEGERS = {
    "positiveInteger": ("ge", "1"),
    "negativeInteger": ("le", "-1"),
    "nonPositiveInteger": ("le", "0"),
}
"""Built-in types that Spyne has no class of: what bounds its Integer to them."""

RESERVED = {
    "Any", "ByteArray", "ComplexModel", "Protocol", "SelfReference", "Service", "XmlAttribute", "XmlData", "rpc",
    "CLASSES", "NOT_EXPRESSED", "TARGET_NAMESPACE", "WSDL_SHA256", "D", "float", *PRIMITIVES.values(),
}  # fmt: skip
_FIELDS_OF_SPYNE = frozenset({*dir(ComplexModel), "Meta"})
"""Names that a class of Spyne has already: a member of that name would take their place."""


def unused(wanted: str, taken: Collection[str]) -> str:
    """A name of XML as one of Python that is not taken, numbered where need be."""
    name = wanted = identifier(wanted)
    n = 1
    while name in taken:
        n += 1
        name = f"{wanted}_{n}"
    return name


def identifier(name: str) -> str:
    """A name of XML as one of Python."""
    made = re.sub(r"\W", "_", name)
    made = f"_{made}" if made[:1].isdigit() else made
    return f"{made}_" if keyword.iskeyword(made) else made


def is_reserved(name: str) -> bool:
    """Whether no member of a class may have this name."""
    return name in _FIELDS_OF_SPYNE or keyword.iskeyword(name)
