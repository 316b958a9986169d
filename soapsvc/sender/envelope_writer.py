"""Envelopes by the WSDL in force, whatever that looks like.

The writer walks the schema's particles from the input element of an operation. Documents, properties and job go where
the receiver would look for them, by the role of an element (local name, letter case aside); what else is required gets
the least that its type takes; what is optional and says nothing stays away. What was written is read back and held
against the WSDL's schema before it goes anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from soapsvc.contract.document_names import DESCRIPTIONS
from soapsvc.contract.message_parts import role_of_name
from soapsvc.contract.schema_components import Attribute, ComplexType, Element, Group, Particle, Type
from soapsvc.contract.wildcards import Wildcard, admits
from soapsvc.contract.wsdl_document import Operation, WsdlDocument
from soapsvc.errors import SendError
from soapsvc.namespaces import SOAP11_ENVELOPE, XML_SCHEMA_INSTANCE, qname
from soapsvc.sender.message_shape import DOCUMENT, PROPERTY, MessageShape, may_repeat
from soapsvc.sender.message_texts import MessageTexts, has_text
from soapsvc.sender.push_content import PushContent
from soapsvc.sender.supply import Circumstances, Supply, as_base64

ALWAYS = frozenset(
    {"statuscode", "statusmessage", "submissiontime", "completiontime", "senderkey", "receiverkey", "processingid"}
)
"""Roles that are told wherever the element around them is there."""
MAX_DEPTH = 60  # the receiver's own limit is 64, envelope and body included
Around = tuple[Type, ...]
"""The types of the elements around, the outermost first."""
_NIL = qname(XML_SCHEMA_INSTANCE, "nil")
_ANYTHING = "{urn:soapsvc:sender}anything"
_NO_PROPERTY = ("Subject", "")  # where a contract demands a property, and there is none


class EnvelopeWriter:
    """Writes envelopes by one WSDL. Not for several threads at once.

    operation  name of the operation whose input is written; None: the first whose input holds documents, else the first
    Errors     SendError from the constructor: there is no such operation
    """

    def __init__(self, wsdl: WsdlDocument, operation: str | None = None):
        self._wsdl, self._schema = wsdl, wsdl.schema
        self._shape = MessageShape(wsdl.schema)
        self.operation = self._chosen(operation)

    def write(self, content: PushContent, at: Circumstances) -> bytes:
        """The envelope, in UTF-8. Errors: SendError: what is not allowed, has no place, or cannot be filled."""
        supply = None
        for in_documents in (False, True):
            supply = self._supply(content, at, in_documents)
            written = _Writing(self._wsdl, self._shape, supply).envelope(self.operation)
            if not supply.unplaced:
                return written
        assert supply is not None
        raise SendError(
            f"The operation {self.operation.name} of {self._wsdl.path.name} has no place for "
            f"{', '.join(supply.unplaced)}: leave that away, or name another operation or WSDL."
        )

    def _supply(self, content: PushContent, at: Circumstances, in_documents: bool) -> Supply:
        root = self._schema.elements[self.operation.input_element]
        one_by_one = self._shape.repeats_within(root, DOCUMENT)
        return Supply(content, at, open_documents=one_by_one, properties_in_documents=in_documents)

    def _chosen(self, name: str | None) -> Operation:
        operations = self._wsdl.operations
        if name is not None:
            for operation in operations:
                if operation.name == name:
                    return operation
            raise SendError(
                f"{self._wsdl.path.name} has no operation {name}; there are {', '.join(o.name for o in operations)}."
            )
        taking = [o for o in operations if DOCUMENT in self._shape.leads_to(self._schema.elements[o.input_element])]
        return (taking or list(operations))[0]


class _Writing:
    """One envelope on its way."""

    def __init__(self, wsdl: WsdlDocument, shape: MessageShape, supply: Supply):
        self._schema, self._shape, self._supply = wsdl.schema, shape, supply
        self._texts = MessageTexts(wsdl.schema, supply)
        self._names = wsdl.schema.elements

    def envelope(self, operation: Operation) -> bytes:
        prefixes = {"soapenv": SOAP11_ENVELOPE}
        for number, name in enumerate((operation.input_element, *operation.header_blocks)):
            namespace = etree.QName(name).namespace
            if namespace and namespace not in prefixes.values():
                prefixes["tns" if not number else f"h{number}"] = namespace
        root = etree.Element(qname(SOAP11_ENVELOPE, "Envelope"), nsmap=prefixes)
        try:
            if operation.header_blocks:
                header = etree.SubElement(root, qname(SOAP11_ENVELOPE, "Header"))
                for name in operation.header_blocks:
                    self._element(self._names[name], header, ())
            body = etree.SubElement(root, qname(SOAP11_ENVELOPE, "Body"))
            self._element(self._names[operation.input_element], body, ())
        except ValueError as error:  # lxml's word for what no XML text may hold
            raise SendError(
                "A property, job or file name has a character that XML cannot carry, such as a control character: "
                "push without it."
            ) from error
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8")

    # Elements --------------------------------------------------------------------------------------------------------

    def _element(self, declared: Element, parent: etree._Element, around: Around) -> None:
        if len(around) > MAX_DEPTH:
            raise SendError(f"The WSDL demands elements within elements without end at {declared.local_name}.")
        made = etree.SubElement(parent, declared.name)
        role, of = self._shape.role(declared), self._schema.type_of(declared)
        if isinstance(of, ComplexType) and of.abstract:
            raise SendError(
                f"The WSDL demands {declared.local_name}, whose type is abstract, so that xsi:type would have to tell "
                "which one is meant. Send an envelope of your own: soapsvc push FILE takes one as it is."
            )
        if role == PROPERTY and self._is_named(of) and has_text(of):
            self._property(declared, made, of)
            return
        attributes = self._attributes(made, of, self._shape.leads_to(declared), role)
        if role == DOCUMENT and has_text(of):
            self._document(declared, made, attributes)
        elif isinstance(of, ComplexType) and not of.simple:
            if declared.nillable and not self._shape.leads_to(declared) & self._supply.wanted:
                made.set(_NIL, "true")
            else:
                for particle in self._schema.content(of):
                    self._particle(particle, made, (*around, of))
        else:
            self._text(declared, made, role)

    def _text(self, declared: Element, made: etree._Element, role: str) -> None:
        text = self._texts.known(role, declared)
        if text is not None:
            made.text = text
            self._supply.placed(role)
        elif declared.nillable:
            made.set(_NIL, "true")
        else:
            made.text = self._texts.filler(declared)

    def _property(self, declared: Element, made: etree._Element, of: Type) -> None:
        name, value = self._supply.next_property() or _NO_PROPERTY
        for attribute in self._schema.attributes(of):
            if role_of_name(attribute.name) == "name":
                made.set(attribute.name, name)
            elif attribute.use == "required":
                made.set(attribute.name, self._texts.filler(attribute))
        made.text = value
        if not self._texts.takes(declared, value):
            raise SendError(f"The WSDL's {declared.local_name} does not take the value of the property {name}.")

    def _document(self, declared: Element, made: etree._Element, attributes: Sequence[Attribute]) -> None:
        """The text of a document, in base64; as text where its format attribute takes no other word."""
        document = self._supply.next_document()
        formats = [attribute for attribute in attributes if role_of_name(attribute.name) == "format"]
        word = next((w for w in ("base64", "Base64", "BASE64") for a in formats if self._texts.takes(a, w)), None)
        if formats and word is None and document is not None:
            try:
                made.text = document.content.decode(document.charset or "utf-8")
            except UnicodeDecodeError as error:
                raise SendError(f"The WSDL takes documents as text, and {document.filename} is none.") from error
            made.set(formats[0].name, "text")
            return
        for attribute in formats:
            made.set(attribute.name, word or self._texts.filler(attribute))
        made.text = as_base64(document)

    def _attributes(self, made: etree._Element, of: Type, leads_to: frozenset[str], role: str) -> tuple[Attribute, ...]:
        declared = self._schema.attributes(of)
        for attribute in declared:
            own = role_of_name(attribute.name)
            text = self._texts.known(own, attribute) if own in ALWAYS | DESCRIPTIONS | {"xdn", "mrn"} else None
            if own == "name" and PROPERTY in leads_to & self._supply.wanted and _is_group(role):
                text = self._supply.segment if self._texts.takes(attribute, self._supply.segment) else None
            if text is not None:
                made.set(attribute.name, text)
                self._supply.placed(own)
            elif attribute.use == "required":
                made.set(attribute.name, self._texts.filler(attribute))
        return declared

    def _is_named(self, of: Type) -> bool:
        return any(role_of_name(attribute.name) == "name" for attribute in self._schema.attributes(of))

    # Particles -------------------------------------------------------------------------------------------------------

    def _particle(self, particle: Particle, parent: etree._Element, around: Around) -> None:
        """A particle as often as there is something for it, and at least as often as it must be there."""
        if isinstance(particle, Wildcard):
            self._anything(particle, parent)
            return
        made, most = 0, particle.max_occurs
        if isinstance(particle, Group) and particle.kind == "choice" and may_repeat(particle):
            made = self._repeated_choice(particle, parent, around)
        elif self._shape.repeats(particle, DOCUMENT):
            while (left := self._supply.documents_left) and DOCUMENT in self._supply.wanted and made != most:
                with self._supply.one_document():
                    self._once(particle, parent, around)
                made += 1
                if self._supply.documents_left >= left:
                    break
        if self._shape.repeats(particle, PROPERTY) and not made:
            while (left := self._supply.properties_left) and made != most:
                self._once(particle, parent, around)
                made += 1
                if self._supply.properties_left >= left:
                    break
        if not made and self._is_wanted(particle, around):
            self._once(particle, parent, around)
            made = 1
        for _ in range(made, particle.min_occurs):
            self._once(particle, parent, around)

    def _repeated_choice(self, choice: Group, parent: etree._Element, around: Around) -> int:
        """A choice that may come again, until nothing is left that it takes; returns how often it came. Documents
        stand side by side there: what describes one goes in front of it, where the receiver looks first."""
        made = 0
        while DOCUMENT in self._shape.leads_to(choice) & self._supply.wanted and made != choice.max_occurs:
            left = self._supply.documents_left
            with self._supply.one_document():
                made += self._until_placed(choice, parent, around, made)
            if self._supply.documents_left >= left:
                break
        return made + self._until_placed(choice, parent, around, made)

    def _until_placed(self, choice: Group, parent: etree._Element, around: Around, made: int) -> int:
        """How often the choice came, by what was wanted at first: at most as often as there are different things."""
        begun = made
        while (wanted := self._shape.leads_to(choice) & self._supply.wanted) and made != choice.max_occurs:
            before = wanted, self._supply.properties_left
            self._choice(choice, parent, around)
            made += 1
            if before == (self._shape.leads_to(choice) & self._supply.wanted, self._supply.properties_left):
                break
        return made - begun

    def _is_wanted(self, particle: Particle, around: Around) -> bool:
        """Whether something is left for a particle; or a text that is told wherever it may. What may stay away and has
        a type that it stands in already does not help: its place is further out."""
        if self._is_inside_itself(particle, around):
            return False
        if self._shape.leads_to(particle) & self._supply.wanted:
            return True
        if not isinstance(particle, Element) or self._shape.role(particle) not in ALWAYS:
            return False
        return self._texts.known(self._shape.role(particle), particle) is not None

    def _is_inside_itself(self, particle: Particle, around: Around) -> bool:
        return isinstance(particle, Element) and any(self._schema.type_of(particle) is one for one in around)

    def _once(self, particle: Particle, parent: etree._Element, around: Around) -> None:
        if isinstance(particle, Element):
            self._element(self._standing(particle), parent, around)
        elif isinstance(particle, Group) and particle.kind == "choice":
            self._choice(particle, parent, around)
        elif isinstance(particle, Group):
            for member in particle.particles:
                self._particle(member, parent, around)

    def _standing(self, element: Element) -> Element:
        """The element of a substitution group that takes what is left; else the first."""
        standing = list(self._shape.standing_for(element))
        if not standing:
            raise SendError(f"The WSDL demands {element.local_name}, which is abstract, and nothing may stand for it.")
        wanted = self._supply.wanted
        return next((one for one in standing if self._shape.leads_to(one) & wanted), standing[0])

    def _choice(self, choice: Group, parent: etree._Element, around: Around) -> None:
        """The branch that takes what is left: a document before all else, but for what describes it, where the choice
        comes again; else the first that can be written."""
        wanted = self._supply.wanted
        order = (*(("doctype", "filename", "characterset") if may_repeat(choice) else ()), DOCUMENT)

        def rank(one: Particle) -> tuple[bool, int]:
            fitting = self._shape.leads_to(one) & wanted
            nearest = next((n for n, role in enumerate(order) if role in fitting), len(order))
            return self._is_inside_itself(one, around), nearest

        taking = sorted((one for one in choice.particles if self._shape.leads_to(one) & wanted), key=rank)
        if taking:
            self._particle(taking[0], parent, around)
            return
        if any(one.min_occurs == 0 for one in choice.particles):
            return
        there, wrong = len(parent), None
        for one in choice.particles:
            try:
                self._particle(one, parent, around)
                return
            except SendError as error:
                wrong = error
                del parent[there:]
        if wrong is not None:
            raise wrong

    def _anything(self, wildcard: Wildcard, parent: etree._Element) -> None:
        for _ in range(wildcard.min_occurs):
            if wildcard.process_contents == "strict" or not admits(wildcard, _ANYTHING):
                raise SendError(
                    f"The WSDL demands an element of the sender's choice in {etree.QName(parent).localname}. Send an "
                    "envelope of your own: soapsvc push FILE takes one as it is."
                )
            etree.SubElement(parent, _ANYTHING)


def _is_group(role: str) -> bool:
    """Whether an element gives its name to the properties inside (`contract.properties`)."""
    return role == "segment" or role.endswith(("extension", "extensions"))
