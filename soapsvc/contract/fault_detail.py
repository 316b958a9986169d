"""The detail entry of a fault that the WSDL declares, filled by the roles of its members, where that can be done."""

from __future__ import annotations

from lxml import etree

from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.contract.schema_components import ComplexType, Element, Group, Particle
from soapsvc.contract.wsdl_document import WsdlDocument

_SENTENCE = frozenset({"reason", "message", "errormessage", "faultstring", "faultmessage", "description", "text",
                       "detail", "statusmessage", "explanation"})  # fmt: skip
_RULE = frozenset({"code", "errorcode", "faultcode", "rule", "id", "errorid"})
_DEEPEST = 6  # of a detail; what is deeper is no fault that a person would write


class FaultDetails:
    """Makes the entry for a refusal: of the faults of an operation the first that fits its declaration.

    A member fits by its local name, letter case aside: one for a sentence takes it, one for a code the rule's id;
    others may stay away. What that makes is held against the schema: what does not fit is not sent (BP 1.1 R2742 lets a
    fault carry a detail that the WSDL does not describe, and none at all).
    """

    def __init__(self, wsdl: WsdlDocument):
        has_faults = any(operation.faults for operation in wsdl.operations)
        self._wsdl = wsdl
        self._compiled = CompiledSchema(wsdl, explained_at_once=False) if has_faults else None

    def entry(self, root: str, rule: str, sentence: str) -> bytes:
        """The declared entry as XML; b"" where the operation declares none that fits.

        root  Clark name of the child of Body that was refused
        """
        operation = next((o for o in self._wsdl.operations if o.input_element == root), self._wsdl.operations[0])
        for name in operation.faults:
            made = self._element(self._wsdl.schema.elements[name], rule, sentence, 0)
            if made is not None and self._fits(made):
                return etree.tostring(made, encoding="UTF-8")
        return b""

    def _fits(self, element: etree._Element) -> bool:
        assert self._compiled is not None, "there is a fault, so it was compiled"
        with self._compiled.deciding() as schema:
            return schema.validate(element)

    def _element(self, declared: Element, rule: str, sentence: str, depth: int) -> etree._Element | None:
        """The element with what can be said in it; None: there is nothing to say in it."""
        schema, role = self._wsdl.schema, declared.local_name.lower()
        of = schema.type_of(declared)
        made = etree.Element(declared.name)
        if not isinstance(of, ComplexType) or of.simple:
            said = sentence if role in _SENTENCE or depth == 0 else rule if role in _RULE else None
            if said is None:
                return None
            made.text = said
            return made
        for particle in schema.content(of) if depth < _DEEPEST else ():
            self._fill(made, particle, rule, sentence, depth)
        return made if len(made) or depth == 0 else None

    def _fill(self, made: etree._Element, particle: Particle, rule: str, sentence: str, depth: int) -> None:
        if isinstance(particle, Group):
            for inner in particle.particles:
                self._fill(made, inner, rule, sentence, depth)
        elif isinstance(particle, Element):
            child = self._element(particle, rule, sentence, depth + 1)
            if child is not None:
                made.append(child)
