"""The list of rules that a push is held against; `docs/rules.md` is printed from it.

A rule's id is stable: programs and people refer to it. A rule that is dropped leaves its number unused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Faultcode = Literal["VersionMismatch", "MustUnderstand", "Client", "Server"]


class Severity(StrEnum):
    """What a deviation from the rule means for the push; the degrees of conformance read it (`soapsvc.judgement`)."""

    FATAL = "fatal"
    """Refused in every degree: there is nothing that could be stored as a push, or it is not safe to go on."""
    PROTOCOL = "protocol"
    """Refused under strict and guarded: the transport, XML, SOAP, or a document that does not decode."""
    CONTRACT = "contract"
    """Refused under strict; under guarded unless it touches only what the WSDL marks INFERRED."""
    NOTE = "note"
    """Recorded, never refused."""


class Stage(StrEnum):
    """Which part of the gate holds a push against the rule, in the order of the way in."""

    HTTP = "http"
    XML = "xml"
    SOAP = "soap"
    SCHEMA = "schema"
    PAYLOAD = "payload"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    id           stable, e.g. SOAP-005
    sentence     what is wanted, in one sentence
    source       where it is written: SOAP 1.1 section, BP 1.1 R-number, XSD part, WSDL component, RFC
    severity     see `Severity`
    faultcode    of the SOAP fault that answers a push refused for it
    http_status  of the answer: 500 goes with a SOAP fault (BP 1.1 R1126); anything else is answered in plain text
    """

    id: str
    stage: Stage
    severity: Severity
    sentence: str
    source: str
    faultcode: Faultcode = "Client"
    http_status: int = 500


_F, _P, _C, _N = Severity.FATAL, Severity.PROTOCOL, Severity.CONTRACT, Severity.NOTE
_ALL: tuple[Rule, ...] = ()

RULES: dict[str, Rule] = {rule.id: rule for rule in _ALL}
"""Every rule by its id, in the order of the way in."""
