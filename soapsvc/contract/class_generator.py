"""Spyne classes and a Spyne service for a WSDL, as Python source that stands alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from soapsvc.contract.python_text import WIDTH, call, comment, docstring, import_from, literal, string_lines
from soapsvc.contract.spyne_classes import Member, SpyneClass, SpyneClasses, SpyneType, identifier
from soapsvc.contract.wsdl_document import Operation, WsdlDocument
from soapsvc.contract.xml_files import text_of
from soapsvc.namespaces import WSDL11

_PRIMITIVE_MODULE, _COMPLEX_MODULE = "spyne.model.primitive", "spyne.model.complex"
_MODULES = {"ByteArray": "spyne.model.binary", "SelfReference": _COMPLEX_MODULE}


def generate(wsdl: WsdlDocument) -> str:
    """Python source of a module with a Spyne class for every type and a Spyne service class for every port type.

    The source depends on Spyne alone, is the same for the same WSDL, and is laid out as `ruff format` leaves it. What
    Spyne cannot say of the schema stands in the module's NOT_EXPRESSED.
    Errors  ContractError: the schema refers to something that is not there
    """
    return _Module(wsdl).source()


class _Module:
    def __init__(self, wsdl: WsdlDocument):
        self._wsdl = wsdl
        self._namespaces = self._namespace_constants()
        bodies = {name for o in wsdl.operations for name in (o.input_element, o.output_element) if name}
        self._made = SpyneClasses(wsdl.schema)
        self._made.taken |= set(self._namespaces.values())
        self._made.taken |= {name for port_type in self._port_types() for name in (port_type, f"{port_type}Handler")}
        self._made.add_everything(frozenset(bodies))
        self._elements = {n: self._made.use_of(wsdl.schema.elements[n], _local(n)) for n in sorted(bodies)}
        for operation in wsdl.operations:
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
            yield f"{constant} = {literal(namespace)}"
        yield f"WSDL_SHA256 = {literal(self._wsdl.sha256)}"
        yield f"TARGET_NAMESPACE = {self._namespace(self._wsdl.target_namespace)}"
        after_class = False
        for made in self._made.classes:
            yield from ("",) if made.simple and not after_class else ("", "")
            after_class = not made.simple
            yield from self._simple_class(made) if made.simple else self._complex_class(made)
        for name, operations in self._port_types().items():
            yield from self._service(name, operations)
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
        if all(identifier(member.name) == member.name and member.name not in used for member in made.members):
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

    def _port_types(self) -> dict[str, list[Operation]]:
        """Operations by the Python name of their port type; one that several bindings offer counts once."""
        found: dict[str, dict[str, Operation]] = {}
        for operation in self._wsdl.operations:
            found.setdefault(identifier(operation.port_type), {}).setdefault(operation.name, operation)
        return {name: list(operations.values()) for name, operations in found.items()}

    def _service(self, name: str, operations: list[Operation]) -> Iterator[str]:
        yield ""
        yield ""
        yield f"class {name}Handler(Protocol):"
        yield from docstring(f"What Application(config=…) must be given: it answers the operations of {name}.", 4)
        for operation in operations:
            answer = "None" if operation.output_element is None else self._elements[operation.output_element].name
            given = self._elements[operation.input_element].name
            yield ""
            yield from _signature(identifier(operation.name), f"self, ctx: Any, request: {given}", f"{answer}: ...")
        yield ""
        yield ""
        yield f"class {name}(Service):"
        port_type = next(
            (p for p in self._wsdl.root.iterfind(f"{{{WSDL11}}}portType") if identifier(p.get("name", "")) == name),
            None,
        )
        text = text_of(None if port_type is None else port_type.find(f"{{{WSDL11}}}documentation"))
        yield from docstring(text or f"Port type {name}.", 4)
        for operation in operations:
            yield ""
            yield from self._operation(operation)

    def _operation(self, operation: Operation) -> Iterator[str]:
        method = identifier(operation.name)
        yield "    @rpc("
        yield f"        {self._elements[operation.input_element].name}.customize(min_occurs=1, nillable=False),"
        if operation.output_element is not None:
            answer = self._elements[operation.output_element].name
            yield f"        _returns={answer}.customize(min_occurs=1, nillable=False),"
            yield f"        _out_message_name={self._clark(operation.output_element)},"
        yield '        _body_style="bare",'
        yield f"        _in_message_name={self._clark(operation.input_element)},"
        if operation.header_blocks:
            blocks = [self._header_class(name) for name in operation.header_blocks]
            yield f"        _in_header=({', '.join(blocks)}{',' if len(blocks) == 1 else ''}),"
        yield f'        _udd={{"soap_action": {literal(operation.soap_action)}}},'
        yield "    )"
        yield f"    def {method}(ctx: Any, request: Any) -> Any:"
        if operation.documentation:
            yield from docstring(operation.documentation, 8)
        yield f"        return ctx.app.config.{method}(ctx, request)"

    def _header_class(self, name: str) -> str:
        qname = etree.QName(name)
        for made in self._made.classes:
            if not made.simple and (made.namespace, made.type_name) == (qname.namespace, qname.localname):
                return made.name
        return self._made.use_of(self._wsdl.schema.elements[name], qname.localname).name

    # Namespaces ------------------------------------------------------------------------------------------------------

    def _namespace_constants(self) -> dict[str, str]:
        """Target namespace of a schema to the name of its constant: the prefix that the WSDL has for it."""
        prefixes = {uri: prefix for prefix, uri in reversed(self._wsdl.root.nsmap.items()) if prefix}
        constants: dict[str, str] = {}
        wanted = [file.target_namespace for file in self._wsdl.schema_files] + [self._wsdl.target_namespace]
        for n, namespace in enumerate(dict.fromkeys(w for w in wanted if w), 1):
            name = f"NS_{identifier(prefixes.get(namespace, str(n))).upper().lstrip('_')}"
            constants[namespace] = name if name not in constants.values() else f"{name}_{n}"
        return constants

    def _clark(self, name: str) -> str:
        """A Clark name as Python source, by the constant of its namespace."""
        qname = etree.QName(name)
        return (
            f'f"{{{{{{{self._namespaces[qname.namespace]}}}}}}}{qname.localname}"' if qname.namespace else literal(name)
        )

    def _namespace(self, namespace: str | None) -> str:
        return self._namespaces[namespace] if namespace in self._namespaces else literal(namespace or "")


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
