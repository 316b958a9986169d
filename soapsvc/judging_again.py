"""What is in quarantine, judged once more: by the contract and the degree of today's settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from soapsvc.inbox.failures import not_stored
from soapsvc.inbox.store import InboxStore
from soapsvc.intake.drop_reader import DropReader, without_http_notes
from soapsvc.judge import Judge
from soapsvc.records import Arrival
from soapsvc.spool import Spool
from soapsvc.wire.envelope_reader import read_raw
from soapsvc.wire.http_gate import PUSH_PATH
from soapsvc.wire.http_messages import RequestHead


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one push.

    outcome      accepted, redelivery, conflict or refused
    of           id of the push that it is a redelivery of, or in conflict with; None for the others
    refused_for  ids of the rules for which it stays in quarantine
    """

    push_id: str
    outcome: str
    of: str | None = None
    refused_for: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.outcome != "refused"

    @property
    def line(self) -> str:
        """For people; a script may cut it at blanks."""
        match self.outcome:
            case "redelivery":
                return f"{self.push_id} redelivery of {self.of}"
            case "conflict":
                return f"{self.push_id} conflict with {self.of}"
            case "refused":
                return f"{self.push_id} still refused ({', '.join(self.refused_for)})"
        return f"{self.push_id} {self.outcome}"

    def as_object(self) -> dict[str, Any]:
        """For programs."""
        return {"id": self.push_id, "outcome": self.outcome, "of": self.of, "refused_for": list(self.refused_for)}


def judge_again(store: InboxStore, judge: Judge, reader: DropReader, push_id: str) -> Outcome:
    """Judge the raw bytes of a push in quarantine by what its request's head said of them, and store what follows.

    reader  of what lay at a backup without its envelope

    Errors  NoSuchPush: it is not in quarantine (any more); StoreUnavailable: nothing was changed
    """
    stored = store.stored(push_id)
    origin = stored.row.origin
    arrival = Arrival(stored.row.received_at, stored.row.source_ip, stored.http_headers, origin)
    head = RequestHead("POST", PUSH_PATH, "", stored.http_headers)
    try:
        with Spool(store.spool_directory) as spool, store.open_raw(push_id) as raw:
            if origin is not None and not origin.is_push:
                judged = reader.kept(read_raw(raw, spool), arrival, spool)
            else:
                judged = judge.judge_stream(head, raw, arrival, spool)
            judged = judged if origin is None else without_http_notes(judged)
            push = judged.accepted
            if push is None:
                store.refuse_again(push_id, judged.refused)
                rules = {deviation.rule for deviation in judged.verdict.refused_for}
                return Outcome(push_id, "refused", refused_for=tuple(sorted(rules)))
            accepted = store.accept_kept(push_id, push, judged.verdict)
    except OSError as cause:  # the spool could not be written
        raise not_stored(cause, "spool") from cause
    if accepted.redelivery:
        return Outcome(push_id, "redelivery", accepted.id)
    return Outcome(push_id, "conflict" if accepted.conflict_of else "accepted", accepted.conflict_of)
