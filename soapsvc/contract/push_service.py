"""The Spyne service that a push is dispatched to once the gate has read and judged it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

from lxml import etree
from spyne import MethodContext
from spyne.application import Application
from spyne.model.primitive import DateTime
from spyne.protocol.soap import Soap11
from spyne.server import ServerBase

from soapsvc.contract import vendor_types
from soapsvc.contract.acknowledgement import CannotFill, filler, xs_date_time
from soapsvc.contract.class_generator import generate
from soapsvc.contract.schema_check import AnswerDeviates, SchemaCheck
from soapsvc.contract.spyne_classes import identifier
from soapsvc.contract.wsdl_document import Operation, WsdlDocument
from soapsvc.contract.xml_files import line_of
from soapsvc.errors import ContractError
from soapsvc.namespaces import SOAP11_ENVELOPE, qname
from soapsvc.records import Accepted, Push, Verdict

Accept = Callable[[Push, Verdict], Accepted]
_TRIAL = Accepted("trial", datetime(2012, 11, 4, 13, 20, 1, 31000, UTC), "trial")


class PushService:
    """Hands judged pushes to `accept`, by way of the operation of the WSDL that they are for, and acknowledges them.

    Spyne is given what is already read: which operation, and the Push. It parses nothing that came from outside. Any
    number of threads may dispatch at once.
    Errors  ContractError from the constructor: no valid acknowledgement can be made for an operation of this WSDL
    """

    def __init__(self, wsdl: WsdlDocument, accept: Accept):
        self._wsdl, self._accept = wsdl, accept
        self._check = SchemaCheck(wsdl)
        self._operations = {operation.input_element: operation for operation in reversed(wsdl.operations)}
        self._server = _Handover(self._application())
        for operation in self._operations.values():
            self._try(operation)

    def dispatch(self, push: Push, verdict: Verdict) -> bytes:
        """Accept the push and return the acknowledgement: a SOAP 1.1 envelope in UTF-8, valid by the WSDL's schema;
        b"" where the operation is one-way. A push whose root is bound to no operation (which strict never lets in) goes
        to the first one.

        Errors  whatever `accept` raises, unchanged
        """
        operation = self._operations.get(push.root, self._wsdl.operations[0])
        return self._call(operation, push, lambda: self._accept(push, verdict))

    def _call(self, operation: Operation, push: Push | None, accept: Callable[[], Accepted]) -> bytes:
        ctx = MethodContext(self._server, MethodContext.SERVER)
        ctx.udc = accept
        ctx.method_request_string = qname(self._wsdl.target_namespace, etree.QName(operation.input_element).localname)
        ctx.in_document = push
        (ctx,) = self._server.generate_contexts(ctx)
        self._server.get_in_object(ctx)
        try:
            self._server.get_out_object(ctx)
        finally:  # the context is part of a cycle: the push need not wait for the garbage collector
            ctx.in_document = ctx.in_object = ctx.udc = None
        if operation.one_way:
            return b""
        self._server.get_out_string(ctx)
        for answer in ctx.out_body_doc:
            self._check.check_answer(answer)
        return b"".join(ctx.out_string)

    def _try(self, operation: Operation) -> None:
        """Acknowledge nothing: what cannot be made is said at start-up, not after a push was stored."""
        try:
            self._call(operation, None, lambda: _TRIAL)
        except AnswerDeviates as deviates:
            raise ContractError(
                self._wsdl.path,
                self._declared_on(operation),
                f"an acknowledgement made of it would not be valid: {deviates}",
                "declare it with what Spyne can write (docs/contract.md): qualified elements in a sequence",
            ) from deviates

    def _declared_on(self, operation: Operation) -> int | None:
        """The line of the acknowledgement's declaration."""
        return line_of(self._wsdl.schema.elements[operation.output_element or operation.input_element].source)

    def _application(self) -> Application:
        module = _classes(self._wsdl)
        answers = SimpleNamespace()
        services = {}
        for operation in self._wsdl.operations:
            service = services[operation.port_type] = getattr(module, identifier(operation.port_type))
            method = identifier(operation.name)
            setattr(answers, method, self._answer(operation, service.public_methods[method].out_message))
        return _Application(
            list(services.values()),
            tns=self._wsdl.target_namespace,
            name=identifier(self._wsdl.operations[0].service),
            in_protocol=_Given(),
            out_protocol=_Given(),
            config=answers,
        )

    def _answer(self, operation: Operation, answer: Any) -> Callable[[Any, Push], Any]:
        """What the service's method calls: accept, then the acknowledgement from the store's word."""
        if operation.output_element is None:

            def accept_only(ctx: Any, request: Push) -> None:
                ctx.udc()

            return accept_only
        try:
            fill = filler(answer, etree.QName(operation.output_element).localname)
        except CannotFill as unknown:
            raise ContractError(
                self._wsdl.path,
                self._declared_on(operation),
                f"the acknowledgement demands {unknown}, and there is no rule for what to put there",
                "make it optional, or leave it out of the acknowledgement",
            ) from unknown

        def accept_and_answer(ctx: Any, request: Push) -> Any:
            return fill(ctx.udc())

        return accept_and_answer


class _Given(Soap11):  # type: ignore[misc]  # Spyne has no types
    """Soap11 without its input half: what it would read from the wire is given. Its output half, with times as the
    vendor writes them, and without a log of the documents."""

    def __init__(self) -> None:
        super().__init__()
        self._to_unicode_handlers[DateTime] = lambda of, value: xs_date_time(value)

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:
        """The document is there: the Push."""

    def decompose_incoming_envelope(self, ctx: Any, message: Any = Soap11.REQUEST) -> None:
        """The method is known."""

    def deserialize(self, ctx: Any, message: Any) -> None:
        ctx.in_object = ctx.in_document

    def serialize(self, ctx: Any, message: Any) -> None:
        if ctx.out_object != [None]:
            super().serialize(ctx, message)
            return
        ctx.out_document = etree.Element(qname(SOAP11_ENVELOPE, "Envelope"), nsmap={"soap11env": SOAP11_ENVELOPE})
        ctx.out_body_doc = etree.SubElement(ctx.out_document, qname(SOAP11_ENVELOPE, "Body"))

    def create_out_string(self, ctx: Any, charset: str | None = None) -> None:
        ctx.out_string = [etree.tostring(ctx.out_document, encoding="UTF-8", xml_declaration=True)]


class _Application(Application):  # type: ignore[misc]
    def process_request(self, ctx: Any) -> None:
        """As Spyne's own, but an exception of the service passes through: a Server fault is ours to write."""
        ctx.fire_event("method_call")
        ctx.in_object = [ctx.in_object]
        ctx.out_object = [self.call_wrapper(ctx)]
        ctx.protocol = ctx.outprot_ctx
        ctx.fire_event("method_return_object")


class _Handover(ServerBase):  # type: ignore[misc]
    """A transport without a wire. No context is closed: that is where Spyne runs the garbage collector."""

    transport = "urn:soapsvc:handover"


def _classes(wsdl: WsdlDocument) -> ModuleType:
    """The generated module of a WSDL: the committed one for the shipped file, else made in memory."""
    if wsdl.sha256 == vendor_types.WSDL_SHA256:
        return vendor_types
    module = ModuleType(f"soapsvc.contract.types_{wsdl.sha256[:12]}")
    exec(compile(generate(wsdl), f"<classes of {wsdl.path.name}>", "exec"), module.__dict__)  # noqa: S102  our own source
    return module
