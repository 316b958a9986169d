"""One WSDL to be edited: names, prefixes, schemas, and the components that deviations lead to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from soapsvc.contract.traffic import Case, Observed
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.contract.wsdl_edits import INDENT, Splice, WsdlText
from soapsvc.namespaces import WSDL11, XML_SCHEMA, qname

GROUPS = tuple(qname(XML_SCHEMA, name) for name in ("sequence", "choice", "all"))
_TYPE_REFERENCES = ("type", "base", "itemType", "memberTypes")


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a WSDL.

    component  that is changed, or that the new one stands in
    what       in words
    splices    that make it
    replaces   a root, a namespace or a header block takes the place of another: a sender by the old file is not obeyed
    """

    component: etree._Element
    what: str
    splices: tuple[Splice, ...]
    replaces: bool = False


class Site:
    """A WSDL with its text, and what the traffic says of it."""

    def __init__(self, wsdl: WsdlDocument, seen: Observed):
        self.wsdl, self.seen = wsdl, seen
        self.text = WsdlText(wsdl)
        self._declared: dict[str, str] = {}
        self._imported: set[tuple[etree._Element, str]] = set()

    def of_schema(self, component: etree._Element) -> etree._Element:
        """The xs:schema that a component stands in."""
        return next(component.iterancestors(qname(XML_SCHEMA, "schema")))

    def target(self, component: etree._Element) -> str | None:
        """The target namespace that is in force for a component."""
        return self.wsdl.schema.namespace_of(component)

    def declaration(self, case: Case) -> etree._Element | None:
        """The xs:element, to be edited here, that declares the element which a case is about."""
        found = self.wsdl.element_declaration(case.names)
        return found if self.text.holds(found) else None

    def editable(self, case: Case, *local_names: str) -> etree._Element | None:
        """The first component of a case that is of such a kind and stands in this file."""
        wanted = {qname(XML_SCHEMA, name) for name in local_names}
        found = next((c for c in case.components if c is not None and c.tag in wanted), None)
        return found if self.text.holds(found) else None

    def elements_named(self, kind: str) -> Iterator[etree._Element]:
        """The xs:`kind` and so on of the schemas in this file, in order."""
        for file in self.wsdl.schema_files:
            if file.location is None:
                yield from file.element.iter(qname(XML_SCHEMA, kind))

    # Names -----------------------------------------------------------------------------------------------------------

    def clark(self, at: etree._Element, value: str) -> str:
        """A QName as written somewhere, as a Clark name."""
        prefix, _, local = value.strip().rpartition(":")
        return qname(at.nsmap.get(prefix or None) or (None if prefix else self._without(at)), local)

    def _without(self, at: etree._Element) -> str | None:
        schema = next(at.iterancestors(qname(XML_SCHEMA, "schema")), None)
        return None if schema is None or schema.get("targetNamespace") else self.target(at)

    def written(self, at: etree._Element, name: str) -> str:
        """A Clark name as a QName at some place; a prefix that is not declared there is, by `declarations`."""
        of = etree.QName(name)
        if of.namespace is None or (None, of.namespace) in at.nsmap.items():
            return of.localname
        prefix = next((p for p, uri in at.nsmap.items() if p and uri == of.namespace), None)
        if prefix is None:
            if of.namespace not in self._declared:
                taken = {p for each in self.wsdl.root.iter(etree.Element) for p in each.nsmap}
                free = (f"ns{n}" for n in range(1, len(taken) + len(self._declared) + 2))
                self._declared[of.namespace] = next(p for p in free if p not in {*taken, *self._declared.values()})
            prefix = self._declared[of.namespace]
        return f"{prefix}:{of.localname}"

    def xs(self, at: etree._Element, local_name: str) -> str:
        """A component or a type of XML Schema, as it is written at some place."""
        return self.written(at, qname(XML_SCHEMA, local_name))

    def declarations(self) -> list[Splice]:
        """The namespace declarations that were found to be missing since the last call."""
        new, self._declared = self._declared, {}
        self._imported = set()
        return [self.text.set(self.wsdl.root, f"xmlns:{prefix}", uri) for uri, prefix in new.items()]

    def references(self, type_name: str) -> Iterator[tuple[etree._Element, str]]:
        """Components and their attributes that refer to a type of a Clark name."""
        for file in self.wsdl.schema_files:
            for each in file.element.iter(etree.Element):
                for attribute in _TYPE_REFERENCES:
                    if type_name in (self.clark(each, word) for word in each.get(attribute, "").split()):
                        yield each, attribute

    # New components --------------------------------------------------------------------------------------------------

    def component(
        self,
        at: etree._Element,
        kind: str,
        attributes: Sequence[tuple[str, str]],
        said: str,
        content: Sequence[str] = (),
    ) -> list[str]:
        """The lines of a new component with its documentation; `at` is where it will stand."""
        tag, note, sentence = self.xs(at, kind), self.xs(at, "annotation"), self.xs(at, "documentation")
        written = "".join(f" {name}={quoteattr(value)}" for name, value in attributes)
        return [
            f"<{tag}{written}>",
            f"{INDENT}<{note}>",
            f"{INDENT * 2}<{sentence}>{escape(said)}</{sentence}>",
            f"{INDENT}</{note}>",
            *(INDENT + line for line in content),
            f"</{tag}>",
        ]  # fmt: skip

    def added_global(self, namespace: str, lines_at: etree._Element, lines: Sequence[str]) -> list[Splice]:
        """A global component in the schema of a namespace, which is made where there is none."""
        schema = next((f.element for f in self.wsdl.schema_files if f.location is None
                       and f.target_namespace == namespace), None)  # fmt: skip
        if schema is not None:
            return [self.text.last_in(schema, lines)]
        last = [f.element for f in self.wsdl.schema_files if f.location is None][-1]
        tag = self.xs(lines_at, "schema")
        opening = f'<{tag} targetNamespace={quoteattr(namespace)} elementFormDefault="qualified">'
        return [self.text.after(last, ["", opening, *(INDENT + line for line in lines), f"</{tag}>"])]

    def imported(self, at: etree._Element, namespace: str) -> list[Splice]:
        """The xs:import that a reference to another namespace wants, where it is not there yet."""
        schema = self.of_schema(at)
        known = {each.get("namespace") for each in schema.iterfind(qname(XML_SCHEMA, "import"))}
        if namespace in known or (schema, namespace) in self._imported or namespace == self.target(at):
            return []
        self._imported.add((schema, namespace))
        return [self.text.first_in(schema, [f"<{self.xs(schema, 'import')} namespace={quoteattr(namespace)}/>"])]

    def parts(self, element: str) -> Iterator[etree._Element]:
        """The wsdl:part elements that name an element."""
        for part in self.wsdl.root.iterfind(f"{qname(WSDL11, 'message')}/{qname(WSDL11, 'part')}"):
            if self.clark(part, part.get("element", "")) == element:
                yield part


def said_of(pushes: Iterable[str], what: str) -> str:
    """The documentation of a new component."""
    number = len(list(pushes))
    return f"INFERRED: seen in {number} {'push' if number == 1 else 'pushes'}, {what}"
