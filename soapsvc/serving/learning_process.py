"""`python -m soapsvc.serving.learning_process`: holds the newest pushes against the WSDL in force.

A pass over a thousand pushes takes seconds of a processor, an edit of the proposal another pass, and Python would take
them from the threads that answer senders. So it runs in a process of its own, behind everybody else, with bounds.

stdin   pickled, as it would be handed to a process of multiprocessing: the settings, and the sha256 of the contract in
        force; credentials of a database do not stand among a command's arguments
stdout  JSON, one object a line: {"told": …} when the constructs are known, the same with "proposal" (base64)
        and "difference" when all is; or {"failed": a sentence}
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import sys
from base64 import b64encode
from contextlib import closing
from typing import Any

from soapsvc.contract.constructs import constructs_of
from soapsvc.contract.proposal import Learned, learn
from soapsvc.contract.traffic import Observed, Traffic
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.errors import SoapsvcError
from soapsvc.inbox.sql_store import open_store
from soapsvc.learning import learned_object, raw_pushes
from soapsvc.serving.learner import MOST_PUSHES
from soapsvc.settings import Settings
from soapsvc.shipped import WSDL_FILE

MOST_BYTES = 256 * 1024 * 1024  # of the pushes of a pass; two more seconds
MEMORY_BYTES = 2 * 1024**3
CPU_SECONDS = 60
MOST_TOLD = 20  # deviations of one construct, and of what is left: senders choose how many there are
_BEHIND = 10  # of nice(2)


def main() -> None:
    """Read, learn, and write."""
    os.nice(_BEHIND)
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    settings, sha256 = pickle.load(sys.stdin.buffer)  # noqa: S301  # of the service itself
    try:
        _learn(settings, sha256)
    except (SoapsvcError, OSError) as error:
        _tell(failed=str(error))
    except MemoryError:
        _tell(failed="It needs more memory than this page gives it; `soapsvc contract learn` has no such bound.")


def _learn(settings: Settings, sha256: str) -> None:
    contract = WsdlDocument.load(settings.wsdl or WSDL_FILE)
    if contract.sha256 != sha256:
        _tell(failed=f"{contract.path.name} is another file than when the service was started: start it again.")
        return
    with closing(
        open_store(
            settings.inbox,
            quarantine_max_bytes=settings.quarantine_max_bytes,
            quarantine_max_bytes_per_source=settings.quarantine_max_bytes_per_source,
            create=False,
            documents=settings.documents,
            spool=settings.spool,
        )
    ) as store:
        traffic = Traffic(raw_pushes(store, MOST_PUSHES, MOST_BYTES), settings)
        seen = traffic.observed(contract)
        _tell(told=_told(Learned(contract, contract, seen, Observed(), constructs_of(contract, seen))))
        learned = learn(contract, traffic, seen)
    proposal = b64encode(learned.proposal.raw).decode() if learned.edits else None
    difference = learned.difference() if learned.edits else []
    _tell(told=_told(learned), proposal=proposal, difference=difference)


def _told(learned: Learned) -> dict[str, Any]:
    told = learned_object(learned, MOST_TOLD)
    told["contract"]["file"] = learned.contract.path.name
    return told


def _tell(**said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
