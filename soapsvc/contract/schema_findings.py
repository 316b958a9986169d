"""What is wrong with an element by the schema: every deviation in it, told from xmlschema's components."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from lxml import etree
from xmlschema.validators import XsdAnyElement, XsdElement, XsdGroup

from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.contract.content_model import ContentModel, Effort, Names, Step, described, names, particles
from soapsvc.contract.finding import XSI_NIL, XSI_TYPE, Finding, cut, shown
from soapsvc.contract.marks import schema_of
from soapsvc.contract.value_check import ValueTrouble, found_value, troubles, without_space
from soapsvc.namespaces import SOAP11_ENVELOPE, XML_SCHEMA, XML_SCHEMA_INSTANCE, qname

_XSI_ATTRIBUTES = frozenset(
    qname(XML_SCHEMA_INSTANCE, name) for name in ("nil", "type", "schemaLocation", "noNamespaceSchemaLocation")
)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class ElementWalk:
    """Walks elements and gathers findings.

    taken_out  the elements whose text is a document: it has been taken out and is checked elsewhere
    findings   so far, in document order but for what is missing, which follows its siblings
    types      the type that each element was held against
    not_aligned
        the elements with more children, or a larger content model, than there was effort left for: which of their
        children are out of place or missing libxml2 alone tells, and only the first
    spaced
        the texts with white space around them that does not count, as element and attribute (None: its own text) to
        the text without
    """

    def __init__(self, schema: CompiledSchema, taken_out: Collection[etree._Element]):
        self._schema = schema
        self._maps = schema.components.maps
        self._taken_out = taken_out
        self._models: dict[int, ContentModel | None] = {}
        self._known: dict[int, Names] = {}
        self._descriptions: dict[int, str] = {}
        self._effort = Effort()
        self._undeclared: XsdElement = schema.components.create_element("undeclared")
        self.findings: list[Finding] = []
        self.types: dict[etree._Element, Any] = {}
        self.not_aligned: set[etree._Element] = set()
        self.spaced: dict[tuple[etree._Element, str | None], str] = {}

    def declared(self, tag: str) -> XsdElement | None:
        """The global declaration of a Clark name."""
        return self._maps.elements.get(tag)

    def source_of(self, component: Any) -> etree._Element | None:
        """Where in the WSDL a type or declaration is written; None: nowhere, or in none of its schemas."""
        return None if component is None else self._schema.source(component.elem)

    def walk(self, top: etree._Element, declaration: XsdElement) -> None:
        """Hold an element with all that it contains against its declaration."""
        waiting: list[tuple[etree._Element, XsdElement]] = [(top, declaration)]
        while waiting:  # no recursion: how deep a message goes is a setting
            element, declared = waiting.pop()
            waiting.extend(reversed(list(self._element(element, declared))))

    # One element -----------------------------------------------------------------------------------------------------

    def _element(self, element: etree._Element, declared: XsdElement) -> Iterator[tuple[etree._Element, XsdElement]]:
        """Check one element and give its children with their declarations."""
        if declared.abstract:
            wanted = ", ".join(str(other.local_name) for other in declared.iter_substitutes() if not other.abstract)
            self._tell("XSD-022", element, f"{_name(element)}, which is abstract", f"one of {wanted or 'nothing'}",
                       declared)  # fmt: skip
            return
        of = self.types[element] = self._type(element, declared)
        self._attributes(element, of)
        if self._nil(element, declared):
            return
        if of.is_simple() or of.has_simple_content():
            self._simple(element, declared, of)
        else:
            yield from self._complex(element, of)

    def _type(self, element: etree._Element, declared: XsdElement) -> Any:
        """The type to hold the element against: that of its xsi:type where it is one that may stand there."""
        named = element.get(XSI_TYPE)
        of = declared.type
        if named is not None:
            prefix, _, local_name = named.strip().rpartition(":")
            clark = qname(element.nsmap.get(prefix or None), local_name)
            instance = self._maps.types.get(clark)
            wanted = f"no xsi:type, or one derived from {_type_name(of)}"
            if (prefix and prefix not in element.nsmap) or instance is None:
                self._tell("XSD-021", element, f"xsi:type {shown(named)}, which names no type", wanted, declared)
            elif instance is not of and not instance.is_derived(of):
                found = f"xsi:type {shown(named)}, which is not derived from {_type_name(of)}"
                self._tell("XSD-021", element, found, wanted, declared)
            else:
                of = instance
        if of.is_complex() and of.abstract:
            found = f"{_name(element)} of type {_type_name(of)}, which is abstract"
            self._tell("XSD-021", element, found, "xsi:type with a type derived from it", declared)
        return of

    def _nil(self, element: etree._Element, declared: XsdElement) -> bool:
        """Check xsi:nil; True: it is in force, so nothing inside counts."""
        said = element.get(XSI_NIL)
        if said is None or declared is self._undeclared:
            return False
        if said.strip() not in _BOOLEANS:
            self._tell("XSD-020", element, f"xsi:nil reads {shown(said)}", "true, false, 1 or 0", declared)
        elif not declared.nillable:
            found = f'xsi:nil="{said}" on {_name(element)}, which is not nillable'
            self._tell("XSD-018", element, found, "no xsi:nil, also not false", declared)
        elif _BOOLEANS[said.strip()]:
            if element.text or len(element):
                inside = "child elements" if len(element) else f"{len(element.text or '')} characters"
                self._tell("XSD-019", element, f'xsi:nil="{said}" on {_name(element)} with {inside}', "no content",
                           declared)  # fmt: skip
            return True
        return False

    def _attributes(self, element: etree._Element, of: Any) -> None:
        if of.is_simple():
            uses: dict[str | None, Any] = {}
        else:
            uses = dict(of.attributes.items())
        sent = {str(name): str(value) for name, value in element.items()}
        for name, value in sent.items():
            if name in _XSI_ATTRIBUTES:
                continue
            use = uses.get(name)
            if use is not None and not use.is_prohibited():
                self._attribute(element, name, value, use)
                continue
            anything = uses.get(None)
            if anything is None or not anything.is_matching(name):
                known = ", ".join(_local(n) for n, u in uses.items() if n is not None and not u.is_prohibited())
                wanted = f"of the attributes {known} only" if known else "no attribute"
                found = f"attribute {_local(name)} on {_name(element)}"
                self._tell("XSD-015", element, found, wanted, of, attribute=name)
            elif anything.process_contents != "skip":
                declared = self._maps.attributes.get(name)
                if declared is not None:
                    self._attribute(element, name, value, declared)
                elif anything.process_contents == "strict":
                    self._tell("XSD-023", element, f"attribute {_local(name)}, which the WSDL does not declare",
                               "a declared attribute", of, attribute=name)  # fmt: skip
        for demanded, use in uses.items():
            if demanded is not None and use.is_required() and demanded not in sent:
                found = f"{_name(element)} without attribute {_local(demanded)}"
                wanted = f"{_local(demanded)}: {ValueTrouble.wanted_of(use.type)}"
                self._tell("XSD-014", element, found, wanted, use, attribute=demanded)

    def _attribute(self, element: etree._Element, name: str, value: str, use: Any) -> None:
        self._look_for_space(use.type, element, name, value)
        for trouble in troubles(use.type, value, element):
            self._tell("XSD-017" if trouble.is_facet else "XSD-016", element,
                       found_value(element, value, name), trouble.wanted, use, use.type, attribute=name)  # fmt: skip
        if use.fixed is not None and not _same_value(use.type, value, use.fixed):
            self._tell("XSD-013", element, found_value(element, value, name), f'"{use.fixed}", a fixed value', use,
                       attribute=name)  # fmt: skip

    def _simple(self, element: etree._Element, declared: XsdElement, of: Any) -> None:
        if len(element):
            children = ", ".join(dict.fromkeys(_name(child) for child in element))
            self._tell("XSD-010", element, f"{_name(element)} with child elements {shown(children)}", "text alone",
                       declared, of)  # fmt: skip
            return
        if element in self._taken_out:
            return
        value = element.text or ""
        if not value and (declared.fixed is not None or declared.default is not None):
            return  # it then has that value (XML Schema part 1, 3.3.4)
        self._look_for_space(of, element, None, value)
        for trouble in troubles(of if of.is_simple() else of.content, value, element):
            self._tell("XSD-012" if trouble.is_facet else "XSD-011", element,
                       found_value(element, value, None, of), trouble.wanted, declared, of)  # fmt: skip
        if declared.fixed is not None and not _same_value(of, value, declared.fixed):
            self._tell("XSD-013", element, found_value(element, value, None, of), f'"{declared.fixed}", a fixed value',
                       declared)  # fmt: skip

    def _look_for_space(self, of: Any, element: etree._Element, attribute: str | None, value: str) -> None:
        without = without_space(of, value)
        if without != value:
            self.spaced[element, attribute] = without

    def _complex(self, element: etree._Element, of: Any) -> Iterator[tuple[etree._Element, XsdElement]]:
        group = of.content
        if not of.mixed:
            texts = [element.text or "", *(child.tail or "" for child in element)]
            if (stray := "".join(texts).strip(" \t\r\n")) or (of.is_empty() and "".join(texts)):
                found = f"{_name(element)} with {len(stray) or len(''.join(texts))} characters of text of its own"
                self._tell("XSD-009", element, found, "child elements and white space between them" if len(group)
                           else "no content", of)  # fmt: skip
        children = [child for child in element if isinstance(child.tag, str)]
        model = self._model(group)
        tags = [str(child.tag) for child in children]
        steps = None if model is None else model.align(tags, self._effort)
        if steps is None:
            self.not_aligned.add(element)
            steps = _by_name(self._names(group), tags)
        if any(step.kind != "fits" for step in steps):
            steps = self._explain(element, children, steps, of)
        for step in steps:
            if step.particle is not None and step.kind != "missing":
                yield from self._inside(children[step.index], step.particle)

    def _model(self, group: Any) -> ContentModel | None:
        if id(group) not in self._models:
            try:
                self._models[id(group)] = ContentModel(group)
            except OverflowError:
                self._models[id(group)] = None
        return self._models[id(group)]

    def _names(self, group: XsdGroup) -> Names:
        if id(group) not in self._known:
            self._known[id(group)] = Names(particles(group))
        return self._known[id(group)]

    def _described(self, group: XsdGroup) -> str:
        if id(group) not in self._descriptions:
            self._descriptions[id(group)] = cut(described(group), 300)
        return self._descriptions[id(group)]

    def _inside(
        self, child: etree._Element, particle: XsdElement | XsdAnyElement
    ) -> Iterator[tuple[etree._Element, XsdElement]]:
        """A child with the declaration that it is held against."""
        if isinstance(particle, XsdElement):
            named = next((other for other in particle.iter_substitutes() if other.name == child.tag), particle)
            yield child, named
            return
        if particle.process_contents == "skip":
            return
        declared = self.declared(child.tag)
        if declared is not None:
            yield child, declared
        elif particle.process_contents == "strict":
            self._tell("XSD-023", child, f"{_name(child)}, which the WSDL does not declare", "a declared element",
                       particle)  # fmt: skip
        else:  # the type that it names, and what is declared of its content, count all the same (part 1, 3.10.4)
            yield child, self._undeclared

    # A content model that does not fit -------------------------------------------------------------------------------

    def _explain(
        self, parent: etree._Element, children: list[etree._Element], steps: list[Step], of: Any
    ) -> list[Step]:
        """Tell what the steps mean, and give them with the particle of every child that was recognised all the same."""
        known, tags = self._names(of.content), Counter(str(child.tag) for child in children)
        missing = [step for step in steps if step.kind == "missing"]
        unplaced: dict[int, list[Step]] = {}  # what is missing, by its particle, as long as it is not found elsewhere
        for step in missing:
            unplaced.setdefault(id(step.particle), []).append(step)
        model = f"in {_name(parent)}: {self._described(of.content)}"
        recognised: list[Step] = []
        for step in steps:
            if step.kind == "fits":
                recognised.append(step)
            elif step.kind == "nearly":
                self._tell_nearly(children[step.index], step.particle)
                recognised.append(step)
            elif step.kind == "unexpected":
                child = children[step.index]
                tag = str(child.tag)
                meant = next(iter(known.elements(tag)), None)
                moved = next((p for p in known.admitting(tag) if unplaced.get(id(p))), None)
                if moved is not None:
                    del unplaced[id(moved)][0]
                    self._tell("XSD-006", child, f"{_name(child)} out of its place", model, moved, of)
                elif meant is None:
                    self._tell("XSD-004", child, f"{_name(child)}, which has no place here", model, of)
                elif _too_many(meant, tags):
                    most = "once" if meant.max_occurs == 1 else f"{meant.max_occurs} times"
                    found = f"one {_name(child)} more than there may be"
                    self._tell("XSD-007", child, found, f"at most {most} {model}", meant, of)
                else:
                    self._tell("XSD-006", child, f"{_name(child)} out of its place", model, meant, of)
                if meant is not None:
                    recognised.append(Step("fits", step.index, meant))
        for step in (step for step in missing if step in unplaced[id(step.particle)]):
            name = _particle_name(step.particle)
            where = f" before {_name(children[step.index])}" if step.index < len(children) else ""
            self._tell("XSD-008", parent, f"{_name(parent)} without {name}{where}", model, step.particle)
        return recognised

    def _tell_nearly(self, child: etree._Element, particle: Any) -> None:
        namespace = etree.QName(child).namespace
        wanted_namespace = particle.target_namespace if particle.qualified else None
        if namespace != (wanted_namespace or None):
            found = f"{_name(child)} in namespace {namespace or '(none)'}"
            wanted = f"{particle.local_name} in namespace {wanted_namespace or '(none)'}"
        else:
            found, wanted = _name(child), f"{particle.local_name}: letter case counts"
        touched = self._schema.source(particle.elem)
        self.findings.append(Finding("XSD-005", child, found, wanted, (touched, schema_of(touched))))

    def _tell(
        self, rule: str, element: etree._Element, found: str, wanted: str, *components: Any,
        attribute: str | None = None,
    ) -> None:  # fmt: skip
        touched: list[etree._Element | None] = []
        for component in components:
            touched.append(self._schema.source(component.elem))
            reference = getattr(component, "ref", None)
            if reference is not None:
                touched.append(self._schema.source(reference.elem))
        self.findings.append(Finding(rule, element, found, wanted, tuple(touched), attribute))


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname


def _local(name: str) -> str:
    return "soap:" + _after_brace(name) if name.startswith(f"{{{SOAP11_ENVELOPE}}}") else _after_brace(name)


def _after_brace(name: str) -> str:
    return name.rpartition("}")[2]


def _type_name(of: Any) -> str:
    if of.name is None:
        return "an anonymous type"
    return ("xs:" if of.name.startswith(f"{{{XML_SCHEMA}}}") else "") + str(of.local_name)


def _by_name(known: Names, tags: Sequence[str]) -> list[Step]:
    """The steps through children whose order is not looked at: each beside what has its name."""
    steps = []
    for index, tag in enumerate(tags):
        fits, near = next(known.admitting(tag), None), next(iter(known.nearly(tag)), None)
        if fits is not None:
            steps.append(Step("fits", index, fits))
        else:
            steps.append(Step("unexpected" if near is None else "nearly", index, near))
    return steps


def _too_many(particle: XsdElement, tags: Mapping[str, int]) -> bool:
    return particle.max_occurs is not None and sum(tags.get(name, 0) for name in names(particle)) > particle.max_occurs


def _particle_name(particle: Any) -> str:
    return "an element of another schema" if isinstance(particle, XsdAnyElement) else str(particle.local_name)


def _same_value(of: Any, value: str, fixed: str) -> bool:
    """Whether two texts are the same value of a simple type, white space aside as the type has it."""
    simple = of if of.is_simple() else of.content
    return bool(simple.normalize(value) == simple.normalize(fixed))
