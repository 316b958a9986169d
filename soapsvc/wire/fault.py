"""What leaves when a push is not taken: a SOAP 1.1 fault with HTTP 500, or one plain sentence with a 4xx status.

Shape (SOAP 1.1, 4.4; Basic Profile R1000, R1001, R1004, R1031)
    <Envelope><Body><Fault>
      <faultcode>soapenv:Client</faultcode>      VersionMismatch, MustUnderstand, Client or Server, without a dot
      <faultstring xml:lang="en">…</faultstring> one sentence
      <detail><verdict xmlns="urn:soapsvc:verdict:1">…</verdict></detail>
    </Fault></Body></Envelope>
    The four children are unqualified. There is a detail only where the Body could not be processed, and what it lists
    is never about a header block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from soapsvc.errors import HttpRefused
from soapsvc.namespaces import SOAP11_ENVELOPE, VERDICT
from soapsvc.records import Deviation, Verdict
from soapsvc.rules import RULES, Faultcode
from soapsvc.wire.http_messages import Answer

MAX_DEVIATIONS_TOLD = 100  # on the wire; the stored verdict has them all
MAX_TEXT_CHARS = 500  # of one found, wanted or path on the wire

XML_HEADERS = (("Content-Type", "text/xml; charset=utf-8"),)
TEXT_HEADERS = (("Content-Type", "text/plain; charset=utf-8"),)
_FIRST_OF: tuple[Faultcode, ...] = ("VersionMismatch", "MustUnderstand", "Client", "Server")  # BP R2725
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_IN_HEADER = re.compile(r"/(?:[^/:]*:)?Envelope/(?:[^/:]*:)?Header(?:\[\d+\])?/(?!@)")


def soap_fault(faultcode: Faultcode, sentence: str, verdict: Verdict | None = None, entry: bytes = b"") -> bytes:
    """A fault envelope in UTF-8.

    sentence  for the sender; names no file, table or class of ours
    verdict   put into the detail as far as it is about the Body; None: no detail
    entry     XML that stands before it in the detail: what the WSDL declares
    """
    detail = _detail(verdict, entry) if verdict is not None and faultcode == "Client" else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<soapenv:Envelope xmlns:soapenv="{SOAP11_ENVELOPE}"><soapenv:Body><soapenv:Fault>'
        f"<faultcode>soapenv:{faultcode}</faultcode>"
        f'<faultstring xml:lang="en">{_text(sentence, 4 * MAX_TEXT_CHARS)}</faultstring>{detail}'
        "</soapenv:Fault></soapenv:Body></soapenv:Envelope>\n"
    ).encode()


def fault_answer(verdict: Verdict, declared: Callable[[str, str], bytes] = lambda rule, sentence: b"") -> Answer:
    """The answer to a message that was refused for what its verdict says.

    declared  from rule id and sentence to a detail entry of the WSDL as XML, b"" for none
    """
    faultcode, deviation = _decisive(verdict)
    sentence = _NOT_XML.sub("\ufffd", _sentence(deviation, len(verdict.refused_for)))
    return Answer(500, XML_HEADERS, soap_fault(faultcode, sentence, verdict, declared(deviation.rule, sentence)))


def server_fault(sentence: str, retry_after_seconds: int) -> Answer:
    """The answer to a message that could not be taken for reasons of our own: the sender keeps it and comes again."""
    return Answer(500, (*XML_HEADERS, ("Retry-After", str(retry_after_seconds))), soap_fault("Server", sentence))


def answer_for(refused: HttpRefused) -> Answer:
    """The answer to a request that no push can come in: its sentence as plain text."""
    body = _NOT_XML.sub("\ufffd", refused.sentence).encode() + b"\n"
    return Answer(refused.http_status, (*TEXT_HEADERS, *refused.headers), body)


def _decisive(verdict: Verdict) -> tuple[Faultcode, Deviation]:
    """The faultcode that comes first among the deviations refused for, and the first deviation that has it."""
    by_code = {RULES[deviation.rule].faultcode: deviation for deviation in reversed(verdict.refused_for)}
    return next((code, by_code[code]) for code in _FIRST_OF if code in by_code)


def _sentence(deviation: Deviation, refused_for: int) -> str:
    place = f" at {deviation.path[:MAX_TEXT_CHARS]}" if deviation.path else ""
    line = f" on line {deviation.line}" if deviation.line is not None else ""
    found, wanted = deviation.found[:MAX_TEXT_CHARS], deviation.wanted[:MAX_TEXT_CHARS]
    this = "this" if refused_for == 1 else f"this and {refused_for - 1} more"
    return (
        f"Rule {deviation.rule} is not kept{place}{line}: found {found}; wanted: {wanted}; "
        f"correct {this} and send the message again."
    )


def _detail(verdict: Verdict, entry: bytes) -> str:
    """SOAP 1.1, 4.4: nothing about header blocks; no detail at all where the Body was not what it failed for."""
    if not any(_about_body(deviation) for deviation in verdict.refused_for):
        return ""
    deviations = [deviation for deviation in verdict.deviations if _about_body(deviation)]
    shown = "".join(_deviation(deviation, verdict.refused_for) for deviation in deviations[:MAX_DEVIATIONS_TOLD])
    further = len(deviations) - MAX_DEVIATIONS_TOLD
    more = f'<further count="{further}"/>' if further > 0 else ""
    return (
        f'<detail>{entry.decode("ascii")}<verdict xmlns="{VERDICT}" conformance="{verdict.conformance.value}"'
        f' contract-sha256="{_text(verdict.contract_sha256)}" deviations="{len(deviations)}">'
        f"{shown}{more}</verdict></detail>"
    )


def _deviation(deviation: Deviation, refused_for: Sequence[Deviation]) -> str:
    line = f' line="{deviation.line}"' if deviation.line is not None else ""
    refused = "true" if deviation in refused_for else "false"
    rule = RULES[deviation.rule]
    return (
        f'<deviation rule="{rule.id}" severity="{rule.severity.value}" refused="{refused}"{line}'
        f' path="{_text(deviation.path)}"><found>{_text(deviation.found)}</found>'
        f"<wanted>{_text(deviation.wanted)}</wanted><source>{_text(rule.source)}</source></deviation>"
    )


def _about_body(deviation: Deviation) -> bool:
    return not _IN_HEADER.match(deviation.path)


def _text(value: str, limit: int = MAX_TEXT_CHARS) -> str:
    """Text that stands in an element or an attribute, whatever was in the sender's message."""
    if len(value) > limit:
        value = value[: limit - 1] + "…"
    value = _NOT_XML.sub("\ufffd", value)
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        value = value.replace(character, escaped)
    return value
