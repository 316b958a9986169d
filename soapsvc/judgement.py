"""From what was found to what follows: the three degrees of conformance."""

from __future__ import annotations

from collections.abc import Iterable

from soapsvc.records import Conformance, Deviation
from soapsvc.rules import RULES, Severity


def refused_for(deviations: Iterable[Deviation], conformance: Conformance) -> tuple[Deviation, ...]:
    """Those deviations for which a push is refused under the degree; empty: it is accepted.

    strict   everything but a note
    guarded  fatal and protocol; of the contract what touches more than an INFERRED construct
    observe  only what is fatal
    """
    return tuple(d for d in deviations if _refuses(d, conformance))


def _refuses(deviation: Deviation, conformance: Conformance) -> bool:
    match RULES[deviation.rule].severity:
        case Severity.FATAL:
            return True
        case Severity.NOTE:
            return False
        case Severity.PROTOCOL:
            return conformance is not Conformance.OBSERVE
        case Severity.CONTRACT:
            inferred = deviation.mark == "INFERRED"
            return conformance is Conformance.STRICT or (conformance is Conformance.GUARDED and not inferred)
