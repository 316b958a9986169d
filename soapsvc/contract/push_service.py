"""The Spyne service that a push is dispatched to once the gate has read and judged it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
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
from soapsvc.contract.answer_names import Renaming
from soapsvc.contract.answer_template import AnswerTemplate
from soapsvc.contract.class_generator import generate, method_names, service_names
from soapsvc.contract.schema_check import AnswerDeviates, SchemaCheck
from soapsvc.contract.schema_components import XS_STRING
from soapsvc.contract.wsdl_document import Operation, WsdlDocument
from soapsvc.namespaces import SOAP11_ENVELOPE, qname
from soapsvc.records import Accepted, Push, Verdict

Accept = Callable[[Push, Verdict], Accepted]
_PLAIN = re.compile(r"[ -~]+")
_UNFIT = (AnswerDeviates, ValueError)  # ValueError: characters that XML does not have
_TRIAL = Accepted("1k0z12ct1vsspsqchwyj", datetime(2012, 11, 4, 13, 20, 1, 31000, UTC), None)
"""What a store says, in the form that it has: an acknowledgement made of it can be made of any other, but for the
SubmitId, which is the sender's."""


class PushService:
    """Hands judged pushes to `accept`, by way of the operation of the WSDL that they are for, and acknowledges them.

    Spyne is given what is already read: which operation, and the Push. It parses nothing that came from outside. Its
    machinery around the operation's method is gone through where somebody listens to the events of it, and where an
    acknowledgement is not a matter of filling gaps (`answer_template`); else the method is called as it is. Any number
    of threads may dispatch at once.
    Errors  ContractError from the constructor: no valid acknowledgement can be made for an operation of this WSDL
    """

    def __init__(self, wsdl: WsdlDocument, accept: Accept):
        self._wsdl, self._accept = wsdl, accept
        self._check = SchemaCheck(wsdl, explained_at_once=False)
        self._any_submit_id = _is_any_text("submitid", wsdl)
        self._operations = {operation.input_element: operation for operation in reversed(wsdl.operations)}
        self._methods: dict[tuple[str, str], _Method] = {}
        self._servers = self._applications()
        for operation in self._operations.values():
            self._try(operation)
        self._templates = {
            (operation.input_element, told): AnswerTemplate.of(partial(self._made, operation), submit_id=told)
            for operation in self._operations.values()
            if not operation.one_way
            for told in (True, False)
        }

    def dispatch(self, push: Push, verdict: Verdict) -> bytes:
        """Accept the push and return the acknowledgement: a SOAP 1.1 envelope in UTF-8, valid by the WSDL's schema;
        b"" where the operation is one-way. A push whose root is bound to no operation (which strict never lets in) goes
        to the first one. A SubmitId that the acknowledgement cannot hold is left out of it, or is the store's id where
        there must be one; that is known before anything is stored.

        Errors  whatever `accept` raises, unchanged
        """
        operation = self._operations.get(push.root, self._wsdl.operations[0])
        expected = Accepted(_TRIAL.id, push.arrival.received_at, push.submit_id)  # unless it was stored before
        prepared = b""
        fits = True
        if push.submit_id is not None and not self._holds(push.submit_id):
            try:
                prepared = self._acknowledgement(operation, expected)
            except _UNFIT:
                fits = False

        def accept() -> Accepted:
            accepted = self._accept(push, verdict)
            return accepted if fits else replace(accepted, submit_id=None)

        method = self._methods[_of(operation)]
        if method.is_listened_to:
            return self._call(operation, push, accept)
        return self._acknowledgement(operation, method(push, accept), prepared)

    def may_be_stored_first(self, push: Push) -> bool:
        """Whether nothing that is to be known before the push is stored can be in the way of its acknowledgement."""
        operation = self._operations.get(push.root, self._wsdl.operations[0])
        return self._holds(push.submit_id) and not self._methods[_of(operation)].is_listened_to

    def acknowledge(self, push: Push, accepted: Accepted) -> bytes:
        """The acknowledgement of a push that was stored first, as dispatch() returns it."""
        operation = self._operations.get(push.root, self._wsdl.operations[0])
        return self._acknowledgement(operation, self._methods[_of(operation)](push, lambda: accepted))

    def _acknowledgement(self, operation: Operation, accepted: Accepted, valid: bytes = b"") -> bytes:
        """The acknowledgement of a store's word, valid by the schema; b"" where the operation is one-way.

        valid   one that is known to be
        Errors  AnswerDeviates, ValueError: there is none
        """
        if operation.one_way:
            return b""
        template = self._templates.get((operation.input_element, accepted.submit_id is not None))
        if template is None or accepted.submit_id == "":
            return self._call(operation, None, lambda: accepted)
        answer = template.filled(accepted)
        if answer != valid and not self._holds(accepted.submit_id):
            for element in _in_body(answer):
                self._check.check_answer(element)
        return answer

    def _holds(self, submit_id: str | None) -> bool:
        """Whether it is known without a look that an acknowledgement can hold it: all the rest of it was tried."""
        return submit_id is None or (self._any_submit_id and _PLAIN.fullmatch(submit_id) is not None)

    def _call(self, operation: Operation, push: Push | None, accept: Callable[[], Accepted]) -> bytes:
        """The acknowledgement by the whole of Spyne's way."""
        ctx = self._called(operation, push, accept)
        if operation.one_way:
            return b""
        for answer in ctx.out_body_doc:
            self._check.check_answer(answer)
        return b"".join(ctx.out_string)

    def _made(self, operation: Operation, accepted: Accepted) -> bytes:
        """The acknowledgement as Spyne writes it, whether it is valid or not."""
        return b"".join(self._called(operation, None, lambda: accepted).out_string)

    def _called(self, operation: Operation, push: Push | None, accept: Callable[[], Accepted]) -> Any:
        server = self._servers[operation.port_type]
        ctx = MethodContext(server, MethodContext.SERVER)
        ctx.udc = accept
        ctx.method_request_string = qname(server.app.tns, etree.QName(operation.input_element).localname)
        ctx.in_document = push
        (ctx,) = server.generate_contexts(ctx)
        server.get_in_object(ctx)
        try:
            server.get_out_object(ctx)
        finally:  # the context is part of a cycle: the push need not wait for the garbage collector
            ctx.in_document = ctx.in_object = ctx.udc = None
        if not operation.one_way:
            server.get_out_string(ctx)
        return ctx

    def _try(self, operation: Operation) -> None:
        """Acknowledge nothing: what cannot be made is said at start-up, not after a push was stored. A SubmitId of the
        sender's may be left out, so that one which fits is not demanded."""
        try:
            self._call(operation, None, lambda: _TRIAL)
        except _UNFIT as trouble:
            named = operation.output_element is None or etree.QName(operation.output_element).namespace
            raise self._wsdl.error(
                self._declared(operation),
                f"an acknowledgement made of it would not be valid: {trouble}",
                "declare members that hold what is written there (docs/contract.md)" if named
                else "declare it in a schema with a targetNamespace: Spyne writes nothing without a namespace",
            ) from trouble  # fmt: skip

    def _declared(self, operation: Operation) -> etree._Element:
        """The acknowledgement's declaration."""
        return self._wsdl.schema.elements[operation.output_element or operation.input_element].source

    def _applications(self) -> dict[str, _Handover]:
        """A Spyne application for each port type: two may have operations of one name, or take the same element."""
        module = classes_of(self._wsdl)
        servers = {}
        for port_type, name in service_names(self._wsdl).items():
            service, answers = getattr(module, name), SimpleNamespace()
            operations = {o.name: o for o in reversed(self._wsdl.operations) if o.port_type == port_type}
            self._look_for_namesakes(operations.values())
            for operation, method in method_names(operations).items():
                answer = self._answer(operations[operation], service.public_methods[method].out_message)
                setattr(answers, method, answer)
                self._methods[port_type, operations[operation].input_element] = _Method(service, method)
            application = _Application(
                [service],
                tns=module.TARGET_NAMESPACE,
                name=name,
                in_protocol=_Given(),
                out_protocol=_Given(Renaming.of(self._wsdl.schema, operations.values())),
                config=answers,
            )
            servers[port_type] = _Handover(application)
        return servers

    def _look_for_namesakes(self, operations: Iterable[Operation]) -> None:
        """Refuse what Spyne cannot tell apart: it knows an operation by the local name of its input."""
        inputs: dict[str, Operation] = {}
        for operation in operations:
            local_name = etree.QName(operation.input_element).localname
            other = inputs.setdefault(local_name, operation)
            if other is not operation:
                raise self._wsdl.error(
                    self._wsdl.schema.elements[operation.input_element].source,
                    f"operations {other.name} and {operation.name} both take an element named {local_name}",
                    "give the two local names that differ",
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
            raise self._wsdl.error(
                self._declared(operation),
                f"the acknowledgement demands {unknown}, and there is no rule for what to put there",
                "make it optional, or leave it out of the acknowledgement",
            ) from unknown

        def accept_and_answer(ctx: Any, request: Push) -> Any:
            return fill(ctx.udc())

        return accept_and_answer


class _Method:
    """A method of the service, called with a context that has what the method uses, and nothing of Spyne's."""

    def __init__(self, service: Any, name: str):
        self._service, self._descriptor = service, service.public_methods[name]
        self._app = SimpleNamespace(config=SimpleNamespace(**{name: lambda ctx, request: ctx.udc()}))

    @property
    def is_listened_to(self) -> bool:
        """Whether somebody wants to hear of Spyne's events around it."""
        managers = (self._service.event_manager, *self._descriptor.event_managers)
        return any(manager.handlers for manager in managers)

    def __call__(self, push: Push, accept: Callable[[], Accepted]) -> Accepted:
        """What `accept` says. Errors: whatever it raises."""
        accepted: Accepted = self._descriptor.function(SimpleNamespace(udc=accept, app=self._app), push)
        return accepted


def _is_any_text(name: str, wsdl: WsdlDocument) -> bool:
    """Whether all that is declared under this name, letter case aside, is an element of type xs:string: any text."""
    declared = [element for element in wsdl.schema.every_element() if element.local_name.lower() == name]
    attributes = wsdl.schema.every_attribute_name()
    return name not in map(str.lower, attributes) and all(
        element.type_name == XS_STRING and element.fixed is None for element in declared
    )


def _of(operation: Operation) -> tuple[str, str]:
    """By what its method is known."""
    return operation.port_type, operation.input_element


def _in_body(answer: bytes) -> etree._Element:
    """The Body of an answer of ours. Errors: ValueError: a character in it is none of XML's."""
    try:
        return etree.fromstring(answer)[0]
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error)) from error


class _Given(Soap11):  # type: ignore[misc]  # Spyne has no types
    """Soap11 without its input half: what it would read from the wire is given. Its output half, with times as the
    vendor writes them, and without a log of the documents."""

    def __init__(self, renaming: Renaming | None = None) -> None:
        super().__init__()
        self._renaming = renaming
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
            if self._renaming is not None:
                self._renaming.rename(ctx.out_body_doc)
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


def classes_of(wsdl: WsdlDocument) -> ModuleType:
    """The generated module of a WSDL: the committed one for the shipped file, else made in memory."""
    if wsdl.sha256 == vendor_types.WSDL_SHA256:
        return vendor_types
    module = ModuleType(f"soapsvc.contract.types_{wsdl.sha256[:12]}")
    exec(compile(generate(wsdl), f"<classes of {wsdl.path.name}>", "exec"), module.__dict__)  # noqa: S102  our own source
    return module
