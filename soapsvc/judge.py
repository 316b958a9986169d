"""From the bytes of a request to a push and its verdict: one way for what comes in and for what is judged once more."""

from __future__ import annotations

from dataclasses import dataclass, replace

from soapsvc.contract.known_markup import Fits, KnownMarkups
from soapsvc.contract.roles import read_push
from soapsvc.contract.schema_check import SchemaCheck
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.errors import HttpRefused
from soapsvc.judgement import refused_for
from soapsvc.records import Arrival, Deviation, Push, RefusedPush, Verdict
from soapsvc.rules import RULES, Severity
from soapsvc.settings import Settings
from soapsvc.spool import Content, Spool
from soapsvc.wire.envelope_reader import Envelope, Limits, Stream, read_envelope
from soapsvc.wire.http_gate import HttpGate
from soapsvc.wire.http_messages import RequestHead
from soapsvc.wire.incoming_body import IncomingBody
from soapsvc.wire.markup import Markup
from soapsvc.wire.plain_envelope import PlainBody, read_plain
from soapsvc.wire.soap_rules import check_soap

NOT_AN_ENVELOPE = frozenset({"SOAP-001", "SOAP-002"})  # nothing else can be said of such a message
MAX_DEVIATIONS = 1000  # kept in one verdict; a message of 300 KB can have 4,000
_GRAVITY = list(Severity)


@dataclass(frozen=True, slots=True)
class Judged:
    """What one request brought, and what is to be thought of it.

    arrival  as it was given
    raw      every byte of the body
    verdict  whatever deviates
    push     as far as it could be read; None: not far enough
    head     the refusal of a request whose head says that its body is not one that is read here; None: it was read
    """

    arrival: Arrival
    raw: Content
    verdict: Verdict
    push: Push | None = None
    head: HttpRefused | None = None

    @property
    def accepted(self) -> Push | None:
        """The push, when it passes; None: what came is refused."""
        return self.push if self.verdict.accepted else None

    @property
    def refused(self) -> RefusedPush:
        """What is kept of it when it does not pass."""
        return RefusedPush(self.arrival, self.raw, self.verdict, self.push)


class Judge:
    """Holds bodies against one contract, by the degree that the settings have for their source."""

    def __init__(self, settings: Settings, wsdl: WsdlDocument):
        self._settings, self._wsdl = settings, wsdl
        self._gate = HttpGate(settings, (operation.soap_action for operation in wsdl.operations))
        self._limits = Limits.from_settings(settings)
        self._schema_check = SchemaCheck(wsdl, explained_at_once=False)
        self._known = KnownMarkups(wsdl)
        self._understood = frozenset(block for operation in wsdl.operations for block in operation.header_blocks)

    def judge(self, head: RequestHead, body: IncomingBody, arrival: Arrival) -> Judged:
        """Judge a body, all of which is in.

        head     of its HTTP headers those count that tell of the body: Content-Type, Content-Encoding, SOAPAction
        arrival  its source decides the degree
        Errors   OSError from the body's spool, where the bytes lie as long as what is returned is used
        """
        try:
            media_type = self._gate.media_type(head)
        except HttpRefused as refused:
            deviation = Deviation(refused.rule, refused.where, None, refused.found, refused.wanted)
            return Judged(
                arrival, body.raw, self.verdict((deviation,), arrival.source_ip), head=refused.with_traceback(None)
            )
        plain = body.plain if media_type.codec in (None, "utf-8") else None
        read = None if plain is None else self._read_at_once(plain, arrival)
        if plain is not None and read is not None:
            raw, deviations, (push, of_contract) = plain.raw, media_type.deviations, read
        else:
            names = self._wsdl.document_names
            envelope = read_envelope(
                body.raw, codec=media_type.codec, limits=self._limits, document_names=names, spool=body.spool
            )
            raw, deviations = envelope.raw, (*media_type.deviations, *envelope.deviations)
            push, of_contract = self._hold_against_the_contract(envelope, arrival)
        verdict = self.verdict((*deviations, *of_contract), arrival.source_ip)
        if not verdict.accepted:
            raw = body.raw
            push = None if push is None else replace(push, raw=raw)
        return Judged(arrival, raw, verdict, push)

    def judge_known(self, head: RequestHead, body: IncomingBody, arrival: Arrival) -> Judged | None:
        """judge() of a body whose markup is known and that passes: of a small one that is so little that a thread which
        must not be kept can do it. None: nothing is said of it here."""
        if body.plain is None:
            return None
        try:
            media_type = self._gate.media_type(head)
        except HttpRefused:
            return None
        if media_type.codec not in (None, "utf-8"):
            return None
        fits = self._schema_check.fits_at_once
        push = self._of_known_markup(Markup.of(body.plain.own), body.plain, arrival, fits)
        if push is None:
            return None
        verdict = self.verdict(media_type.deviations, arrival.source_ip)
        return Judged(arrival, push.raw, verdict, push) if verdict.accepted else None

    def judge_stream(self, head: RequestHead, stream: Stream, arrival: Arrival, spool: Spool) -> Judged:
        """Judge a body that a stream has. Errors: OSError from both."""
        return self.judge(head, IncomingBody.of(stream, spool, self._limits.documents), arrival)

    def _read_at_once(self, body: PlainBody, arrival: Arrival) -> tuple[Push | None, tuple[Deviation, ...]] | None:
        """The push of a plain message, as far as it can be read, and how it deviates; None: it has to be read the long
        way."""
        markup = Markup.of(body.own)
        push = self._of_known_markup(markup, body, arrival, self._schema_check.fits)
        if push is not None:
            return push, ()
        plain = read_plain(body, markup, limits=self._limits, document_names=self._wsdl.document_names)
        if plain is None:
            return None
        found, deviations = self._hold_against_the_contract(plain, arrival)
        if markup is not None and not deviations:
            self._known.learn(markup, plain)
        return found, deviations

    def _of_known_markup(self, markup: Markup | None, body: PlainBody, arrival: Arrival, fits: Fits) -> Push | None:
        """The push of a message that deviates in nothing and whose markup was seen before; None: it may be another."""
        known = None if markup is None else self._known.of(markup)
        if markup is None or known is None:
            return None
        return known.push(markup, body, arrival, fits, self._limits.text_chars)

    def _hold_against_the_contract(
        self, envelope: Envelope, arrival: Arrival
    ) -> tuple[Push | None, tuple[Deviation, ...]]:
        """The push as far as it can be read, and how it deviates from SOAP, schema and payload rules."""
        if envelope.root is None:
            return None, ()
        soap = check_soap(envelope, self._understood)
        if any(deviation.rule in NOT_AN_ENVELOPE for deviation in soap):
            return None, soap
        schema = self._schema_check.check(envelope)
        push, payload = read_push(envelope, arrival, self._wsdl)
        documents = tuple(deviation for document in envelope.documents for deviation in document.deviations)
        return push, (*soap, *schema, *documents, *payload)

    def verdict(self, deviations: tuple[Deviation, ...], source_ip: str) -> Verdict:
        """What follows from these deviations by the degree that holds for the source."""
        conformance = self._settings.conformance_for(source_ip)
        deviations = _bounded(deviations)
        return Verdict(conformance, self._wsdl.sha256, deviations, refused_for(deviations, conformance))


def _bounded(deviations: tuple[Deviation, ...]) -> tuple[Deviation, ...]:
    """The first MAX_DEVIATIONS; the last of them then tells how many more there are, by the gravest of their rules."""
    if len(deviations) <= MAX_DEVIATIONS:
        return deviations
    kept, further = deviations[: MAX_DEVIATIONS - 1], deviations[MAX_DEVIATIONS - 1 :]
    gravest = min(further, key=lambda deviation: _GRAVITY.index(RULES[deviation.rule].severity))
    found = f"{len(further)} further deviations, which are not listed"
    return (*kept, Deviation(gravest.rule, "", None, found, "a message that keeps the rules above", gravest.mark))
