"""Names of our answers as the WSDL declares them: Spyne qualifies every element and no attribute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lxml import etree

from soapsvc.contract.inclusion import reachable
from soapsvc.contract.schema_components import Element, SchemaSet
from soapsvc.contract.wsdl_document import Operation


class Renaming:
    """Gives the elements and attributes of an answer the namespace, or none, that their declarations have."""

    def __init__(self, schema: SchemaSet, answers: Mapping[str, Element]):
        self._schema, self._answers = schema, answers

    @classmethod
    def of(cls, schema: SchemaSet, operations: Iterable[Operation]) -> Renaming | None:
        """For the answers of some operations; None: Spyne names all of theirs right."""
        outputs = [operation.output_element for operation in operations if operation.output_element is not None]
        for element in reachable(schema, outputs):
            qualified = element.name.startswith("{")
            attributes = schema.attributes(schema.type_of(element))
            if not qualified or any(attribute.name.startswith("{") for attribute in attributes):
                return cls(schema, {schema.elements[name].local_name: schema.elements[name] for name in outputs})
        return None

    def rename(self, body: etree._Element) -> None:
        """Rename what is in the Body of an answer."""
        for answer in body:
            declared = self._answers.get(etree.QName(answer).localname)
            if declared is not None:
                self._rename(answer, declared)

    def _rename(self, element: etree._Element, declared: Element) -> None:
        element.tag = declared.name
        of = self._schema.type_of(declared)
        for attribute in self._schema.attributes(of):
            value = element.get(attribute.local_name)
            if value is not None and attribute.name != attribute.local_name:
                del element.attrib[attribute.local_name]
                element.set(attribute.name, value)
        children = {child.local_name: child for child in self._schema.children(of)}
        for child in element.iterchildren(etree.Element):
            member = children.get(etree.QName(child).localname)
            if member is not None:
                self._rename(child, member)
