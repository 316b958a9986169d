"""Spyne classes and a Spyne service for a WSDL, as Python source that stands alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from lxml import etree
from spyne.service import Service

from soapsvc.contract.python_text import WIDTH, call, comment, docstring, import_from, literal, string_lines
from soapsvc.contract.spyne_classes import Member, SpyneClass, SpyneClasses, SpyneType
from soapsvc.contract.spyne_names import RESERVED, identifier, unused
from soapsvc.contract.wsdl_document import Operation, WsdlDocument
from soapsvc.contract.xml_files import text_of
from soapsvc.namespaces import WSDL11, qname

_PRIMITIVE_MODULE, _COMPLEX_MODULE = "spyne.model.primitive", "spyne.model.complex"
_METHODS_OF_SPYNE = frozenset(dir(Service))
NO_NAMESPACE = "urn:no-namespace"
"""Stands for none: Spyne's classes are all in one."""
_MODULES = {"ByteArray": "spyne.model.binary", "SelfReference": _COMPLEX_MODULE}


def generate(wsdl: WsdlDocument) -> str:
    """Python source of a module with a Spyne class for every type and a Spyne service class for every port type.

    The source depends on Spyne alone, is the same for the same WSDL, and is laid out as `ruff format` leaves it. What
    Spyne cannot say of the schema stands in the module's NOT_EXPRESSED.
    wsdl    whose schemas compile (CompiledSchema)
    Errors  ContractError: the schema refers to something that is not there
    """
    return _Module(wsdl).source()


class _Module:
    def __init__(self, wsdl: WsdlDocument):
        self._wsdl = wsdl
        self._port_types = _operations_by_port_type(wsdl)
        self._services = service_names(wsdl)
        taken = {*RESERVED, *self._services.values()}
        self._handlers = {}
        for port_type, name in self._services.items():
            self._handlers[port_type] = unused(f"{name}Handler", taken)
            taken.add(self._handlers[port_type])
        self._namespaces = self._namespace_constants(taken)
        bodies = {name for o in wsdl.operations for name in (o.input_element, o.output_element) if name}
        self._made = SpyneClasses(wsdl.schema)
        self._made.taken |= {*taken, *self._namespaces.values()}
        self._made.add_everything(frozenset(bodies))
        self._elements = {n: self._made.use_of(wsdl.schema.elements[n], _local(n)) for n in sorted(bodies)}
        empty = {made.name for made in self._made.classes if not made.simple and not made.members}
        for operation in wsdl.operations:
            if self._elements[operation.input_element].name in empty:  # Spyne takes no class without members of its own
                self._elements[operation.input_element] = SpyneType("AnyXml")
                self._made.not_expressed.append(
                    f"operation {operation.name}: what it takes adds no member to its base; its place is any XML"
                )
        without = [file.element for file in wsdl.schema_files if file.target_namespace is None]
        if any(schema.find("*[@name]") is not None for schema in without):  # one that only imports declares nothing
            self._made.not_expressed.append(
                f"components without a namespace: they are written in {NO_NAMESPACE}, Spyne has none without one"
            )
        for operation in wsdl.operations:
            for header in operation.header_blocks:
                if header not in self._made.of_element:
                    self._made.not_expressed.append(
                        f"operation {operation.name}: header block {header} is left out: no class has its name"
                    )
            if operation.soap_action != operation.name:
                self._made.not_expressed.append(
                    f"operation {operation.name}: soapAction is its name; that of the file, {operation.soap_action!r},"
                    " is in udd"
                )
        if any(not made.simple for made in self._made.classes):
            self._made.not_expressed.append(
                "every complex type: Spyne declares a global element of the type's name beside it"
            )

    def source(self) -> str:
        body = list(self._body())
        return "\n".join([*self._head("\n".join(body)), *body]) + "\n"

    def _head(self, body: str) -> Iterator[str]:
        yield f'"""Spyne classes and service of {self._wsdl.path.name}; generated from it, not to be edited.'
        yield ""
        yield "Made by `soapsvc contract classes`. WSDL_SHA256: of that file. NOT_EXPRESSED: what Spyne cannot say."
        yield '"""'
        yield ""
        yield "# mypy: allow-subclassing-any, allow-untyped-decorators"
        yield ""
        yield "from __future__ import annotations"
        yield ""
        if re.search(r"\bD\(", body):
            yield "from decimal import Decimal as D"
        yield "from typing import Any, Protocol"
        yield ""
        modules = {"spyne.decorator": {"rpc"}, "spyne.service": {"Service"}}
        for name in self._spyne_names():
            modules.setdefault(_MODULES.get(name, _PRIMITIVE_MODULE), set()).add(name)
        modules[_COMPLEX_MODULE] = {
            name for name in ("ComplexModel", "XmlAttribute", "XmlData") if f"{name}(" in body or f"({name})" in body
        } | modules.get(_COMPLEX_MODULE, set())
        for module, names in sorted(modules.items()):
            if names:
                yield from import_from(module, names)
        yield ""

    def _spyne_names(self) -> set[str]:
        made = {c.name for c in self._made.classes} | {"ComplexModel"}
        used = {c.base.name for c in self._made.classes} | {m.of.name for c in self._made.classes for m in c.members}
        return (used | {of.name for of in self._elements.values()}) - made

    def _body(self) -> Iterator[str]:
        for namespace, constant in self._namespaces.items():
            yield f"{constant} = {literal(namespace or NO_NAMESPACE)}"
        yield f"WSDL_SHA256 = {literal(self._wsdl.sha256)}"
        own = self._wsdl.target_namespace or etree.QName(self._wsdl.operations[0].input_element).namespace
        yield f"TARGET_NAMESPACE = {self._namespaces[own]}"
        after_class = False
        for made in self._made.classes:
            yield from ("",) if made.simple and not after_class else ("", "")
            after_class = not made.simple
            yield from self._simple_class(made) if made.simple else self._complex_class(made)
        for port_type, operations in self._port_types.items():
            yield from self._service(port_type, operations)
        yield ""
        yield ""
        yield from _tuple("CLASSES", [made.name for made in self._made.classes if not made.simple])
        yield '"""Every complex class; Application(classes=CLASSES) puts all into the schema that Spyne makes."""'
        yield ""
        yield from _tuple("NOT_EXPRESSED", self._made.not_expressed, strings=True)
        yield '"""What the schema says and these classes do not: Spyne has no words for it."""'

    def _simple_class(self, made: SpyneClass) -> Iterator[str]:
        if made.documentation:
            yield from comment(made.documentation, 0)
        place = [f"type_name={literal(made.type_name)}", f"__namespace__={self._namespace(made.namespace)}"]
        yield from call(f"{made.name} = {made.base.name}.customize(", [*place, *_arguments(made.base)], 0)

    def _complex_class(self, made: SpyneClass) -> Iterator[str]:
        yield f"class {made.name}({made.base.name}):"
        if made.documentation:
            yield from docstring(made.documentation, 4)
            yield ""
        if made.type_name != made.name:
            yield f"    __type_name__ = {literal(made.type_name)}"
        yield f"    __namespace__ = {self._namespace(made.namespace)}"
        if made.members:
            yield ""
        # a member with the name of a class would hide it from the members below
        used = {member.of.name for member in made.members}
        # and Spyne passes over what begins with an underscore in the body of a class
        if all(
            identifier(member.name) == member.name and member.name not in used and not member.name.startswith("_")
            for member in made.members
        ):
            for member in made.members:
                yield from self._member(member)
            return
        yield "    _type_info = ("
        for member in made.members:
            head, arguments, doc = self._parts(member)
            call_lines = call(head, arguments, 12, doc, tail="),")
            yield from ["        (", f"            {literal(member.name)},", *call_lines, "        ),"]
        yield "    )"

    def _member(self, member: Member) -> Iterator[str]:
        head, arguments, doc = self._parts(member)
        if member.documentation and not doc:
            yield from comment(member.documentation, 4)
        yield from call(f"{member.name} = {head}", arguments, 4, doc)

    def _parts(self, member: Member) -> tuple[str, list[str], str]:
        """The call that stands for a member: its head, its arguments, its doc=."""
        if member.kind != "element":
            use = [] if member.use is None else [f"use={literal(member.use)}"]
            return "XmlData(" if member.kind == "text" else "XmlAttribute(", [_expression(member.of), *use], ""
        # Spyne would take the doc= of a member of complex type for the documentation of the type
        of_complex_type = any(made.name == member.of.name and not made.simple for made in self._made.classes)
        return f"{member.of.name}.customize(", _arguments(member.of), "" if of_complex_type else member.documentation

    # The services ----------------------------------------------------------------------------------------------------

    def _service(self, port_type: str, operations: dict[str, Operation]) -> Iterator[str]:
        name, methods = self._services[port_type], method_names(operations)
        yield ""
        yield ""
        yield f"class {self._handlers[port_type]}(Protocol):"
        yield from docstring(f"What Application(config=…) must be given: it answers the operations of {name}.", 4)
        for operation in operations.values():
            answer = "None" if operation.output_element is None else self._elements[operation.output_element].name
            given = self._elements[operation.input_element].name
            yield ""
            yield from _signature(methods[operation.name], f"self, ctx: Any, request: {given}", f"{answer}: ...")
        yield ""
        yield ""
        yield f"class {name}(Service):"
        text = text_of(self._wsdl.port_type(port_type).find(f"{{{WSDL11}}}documentation"))
        yield from docstring(text or f"Port type {port_type}.", 4)
        for operation in operations.values():
            yield ""
            yield from self._operation(operation, methods[operation.name])

    def _operation(self, operation: Operation, method: str) -> Iterator[str]:
        yield "    @rpc("
        yield from self._body_class("", operation.input_element)
        if operation.output_element is not None:
            yield from self._body_class("_returns=", operation.output_element)
            yield f"        _out_message_name={self._clark(operation.output_element)},"
        elif (name := self._name_of_nothing(method)) is not None:
            yield f"        _out_message_name={self._clark(name)},"
        yield '        _body_style="bare",'
        yield f"        _in_message_name={self._clark(operation.input_element)},"
        blocks = [self._made.of_element[name] for name in operation.header_blocks if name in self._made.of_element]
        if blocks:
            yield f"        _in_header=({', '.join(blocks)}{',' if len(blocks) == 1 else ''}),"
        yield f'        _udd={{"soap_action": {literal(operation.soap_action)}}},'
        yield "    )"
        yield f"    def {method}(ctx: Any, request: Any) -> Any:"
        if operation.documentation:
            yield from docstring(operation.documentation, 8)
        yield f"        return ctx.app.config.{method}(ctx, request)"

    def _name_of_nothing(self, method: str) -> str | None:
        """What an answer without content is called in Python, where a class of the file has the name that Spyne would
        give it; None: none has."""
        own = self._wsdl.target_namespace
        taken = {made.type_name for made in self._made.classes if made.namespace == own}
        name = unused(f"{method}Response", taken)
        return qname(own, name) if f"{method}Response" in taken else None

    def _body_class(self, head: str, element: str) -> list[str]:
        """The class of a child of Body, as an argument of @rpc."""
        of = self._elements[element]
        arguments = [*_arguments(of), "min_occurs=1", "nillable=False"]
        return call(f"{head}{of.name}.customize(", arguments, 8, tail="),")

    # Namespaces ------------------------------------------------------------------------------------------------------

    def _namespace_constants(self, taken: Collection[str]) -> dict[str | None, str]:
        """Target namespace of a schema to the name of its constant: the prefix that the WSDL has for it."""
        prefixes = {uri: prefix for prefix, uri in reversed(self._wsdl.root.nsmap.items()) if prefix}
        constants: dict[str | None, str] = {}
        wanted = [file.target_namespace for file in self._wsdl.schema_files]
        if self._wsdl.target_namespace:
            wanted.append(self._wsdl.target_namespace)
        for n, namespace in enumerate(dict.fromkeys(wanted), 1):
            prefix = "none" if namespace is None else prefixes.get(namespace, str(n))
            name = f"NS_{identifier(prefix).upper().lstrip('_')}"
            in_use = {*taken, *constants.values()}
            constants[namespace] = name if name not in in_use else unused(f"{name}_{n}", in_use)
        return constants

    def _clark(self, name: str) -> str:
        """A Clark name as Python source, by the constant of its namespace."""
        of = etree.QName(name)
        return f'f"{{{{{{{self._namespaces[of.namespace]}}}}}}}{of.localname}"'

    def _namespace(self, namespace: str | None) -> str:
        return self._namespaces[namespace]


def service_names(wsdl: WsdlDocument) -> dict[str, str]:
    """Port type to the name of its service class."""
    names: dict[str, str] = {}
    for port_type in _operations_by_port_type(wsdl):
        names[port_type] = unused(port_type.lstrip("{"), {*RESERVED, *names.values()})
    return names


def method_names(operations: Iterable[str]) -> dict[str, str]:
    """Operation of a port type to the name of its method."""
    names: dict[str, str] = {}
    for operation in operations:
        names[operation] = unused(operation, {*_METHODS_OF_SPYNE, *names.values()})
    return names


def _operations_by_port_type(wsdl: WsdlDocument) -> dict[str, dict[str, Operation]]:
    """Operations by port type and name; one that several bindings offer counts once."""
    found: dict[str, dict[str, Operation]] = {}
    for operation in wsdl.operations:
        found.setdefault(operation.port_type, {}).setdefault(operation.name, operation)
    return found


def _arguments(of: SpyneType) -> list[str]:
    return [f"{name}={value}" for name, value in of.arguments]


def _expression(of: SpyneType) -> str:
    return f"{of.name}.customize({', '.join(_arguments(of))})" if of.arguments else of.name


def _tuple(name: str, items: list[str], strings: bool = False) -> list[str]:
    if not items:
        return [f"{name}: tuple[Any, ...] = ()"]
    lines = [line for item in items for line in (string_lines("", item, 4) if strings else [f"    {item},"])]
    return [f"{name} = (", *lines, ")"]


def _signature(name: str, parameters: str, rest: str) -> list[str]:
    line = f"    def {name}({parameters}) -> {rest}"
    if len(line) <= WIDTH:
        return [line]
    if len(parameters) + 8 <= WIDTH:
        return [f"    def {name}(", f"        {parameters}", f"    ) -> {rest}"]
    return [f"    def {name}(", *(f"        {parameter}," for parameter in parameters.split(", ")), f"    ) -> {rest}"]


def _local(name: str) -> str:
    return etree.QName(name).localname
