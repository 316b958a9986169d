"""Which elements hold a document, so that the wire may decode their text as it streams and leave it out of the tree."""

from __future__ import annotations

from dataclasses import dataclass

from soapsvc.contract.schema_components import (
    XS_ANY_SIMPLE_TYPE,
    XS_ANY_TYPE,
    XS_BASE64,
    ComplexType,
    Element,
    SchemaSet,
)
from soapsvc.namespaces import XML_SCHEMA, qname

DOC_DATA = "docdata"
DESCRIPTIONS = frozenset({"doctype", "filename", "characterset"})
"""Roles of what describes a document."""
ROLES = DESCRIPTIONS | {"submitid", "statuscode", "jobid", "xdn", "mrn", "property", "processingid"}
"""Local names, lower case, that say what an element is whatever its type: base64 in one of them is no document."""
_ANY_TEXT = frozenset(
    {XS_ANY_TYPE, XS_ANY_SIMPLE_TYPE, XS_BASE64}
    | {qname(XML_SCHEMA, name) for name in ("string", "normalizedString", "token")}
)
"""Built-in types that "" is a value of: so the schema says the same of an element with its text and without it, but for
base64Binary, whose lexical rules the wire checks itself, and more strictly."""


@dataclass(frozen=True, slots=True)
class DocumentNames:
    """Local names, lower case, of the elements whose text is a document: DocData, and every element with base64Binary
    content that no role is known by.

    streamed  those whose text the wire may take out: the schema says nothing of it (`_says_nothing_of_text`)
    in_tree   those whose text stays in the tree, because the schema checks it, of any element of the name
    """

    streamed: frozenset[str]
    in_tree: frozenset[str]


def document_names(schema: SchemaSet) -> DocumentNames:
    """The names of a schema's documents."""
    names = {DOC_DATA}
    checked = set()
    for declaration in schema.every_element():
        name = declaration.local_name.lower()
        if name not in ROLES and schema.is_base64(declaration):
            names.add(name)
        if not _says_nothing_of_text(schema, declaration):
            checked.add(name)
    return DocumentNames(frozenset(names - checked), frozenset(names & checked))


def _says_nothing_of_text(schema: SchemaSet, declaration: Element) -> bool:
    """Whether the schema takes any text in an element, or any base64: no facets (but whiteSpace) on the way to a
    built-in type that takes all, and no fixed value."""
    if declaration.fixed is not None:
        return False
    of = schema.type_of(declaration)
    while True:
        if isinstance(of, ComplexType) and not of.simple:
            return of.mixed
        if any(name != "whiteSpace" for name, _ in of.facets):
            return False
        if of.name in _ANY_TEXT:
            return True
        if of.base is None:  # another built-in type, a list or a union
            return False
        of = schema.type(of.base, of.source)
