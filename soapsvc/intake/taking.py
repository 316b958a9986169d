"""One look at a backup: what is new there is read, stored with its ledger entry in one commit, and only then put away.

    look ── what the ledger does not have ── look again: unchanged? ── read, judge ── COMMIT: push + ledger ── put away

Killed before the commit, nothing was stored; after it, the next look finds the entry and puts away what is to be put
away. Nothing is put away that is not in the inbox: what is in quarantine is moved, but not removed, for the quarantine
makes room for newer input when it is full.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from soapsvc.clock import Clock, utc_now
from soapsvc.errors import AlreadyTakenIn, StoreUnavailable
from soapsvc.inbox.failures import not_stored
from soapsvc.inbox.store import InboxStore
from soapsvc.intake.drop_reader import DropReader
from soapsvc.intake.said_values import MAX_SIDE_BYTES
from soapsvc.intake.source import Disposal, Found, Gone, Part, PartKind, Source, TooLarge
from soapsvc.judge import Judged
from soapsvc.records import Arrival, DropForm, Origin, PushState, TakenIn
from soapsvc.settings import Settings
from soapsvc.spool import Content, Sink, Spool

SETTLE_SECONDS = 2.0  # between the two looks; programs that upload write oftener than that
_ROOM = 3  # times its size: the spool, the raw bytes, the decoded documents

Pause = Callable[[float], object]
Stopped = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one drop.

    outcome      accepted, redelivery, conflict, quarantined, not kept (larger than the quarantine), or left: not taken
                 in, it is looked at again
    push_id      of the push; None: there is none
    of           of the push that it is a redelivery of, or in conflict with
    refused_for  ids of the rules for which it is in quarantine
    why          of one that was left
    """

    source: str
    name: str
    outcome: str
    form: str | None = None
    push_id: str | None = None
    of: str | None = None
    refused_for: tuple[str, ...] = ()
    why: str | None = None

    @property
    def passed(self) -> bool:
        return self.outcome in ("accepted", "redelivery", "conflict")

    def as_object(self) -> dict[str, Any]:
        """For programs."""
        return {
            "source": self.source, "name": self.name, "outcome": self.outcome, "form": self.form, "id": self.push_id,
            "of": self.of, "refused_for": list(self.refused_for), "why": self.why,
        }  # fmt: skip


class Intake:
    """Takes what lies at one place into one inbox.

    how     what is done at the place with what was taken in
    pause   waits so many seconds, or shorter when it is to stop
    stopped asked between two drops
    """

    def __init__(
        self,
        source: Source,
        reader: DropReader,
        store: InboxStore,
        settings: Settings,
        *,
        how: Disposal,
        settle_seconds: float = SETTLE_SECONDS,
        pause: Pause,
        stopped: Stopped,
        clock: Clock = utc_now,
    ):
        self._source, self._reader, self._store, self._settings = source, reader, store, settings
        self._how, self._settle_seconds, self._pause, self._stopped = how, settle_seconds, pause, stopped
        self._clock = clock
        self._place = _digest(["place", source.url])

    def look(self) -> Iterator[Outcome]:
        """Take in what is new, each told when it is committed. Errors: Unreachable, StoreUnavailable."""
        ledger = dict(self._store.taken_in(self._place))
        state = self._source.state()
        item_of_state = None if state is None else _digest(["state", *state])
        if item_of_state in ledger and (not self._how.anything or self._how.only_marks):
            return
        found = {_digest(["item", *one.mark]): one for one in self._source.look()}
        fresh = self._settled({item: one for item, one in found.items() if item not in ledger})
        whole = len(fresh) + sum(item in ledger for item in found) == len(found)
        # those with an envelope first: what lies beside them is then known
        for item, one in sorted(
            fresh.items(), key=lambda pair: (pair[1].part(PartKind.ENVELOPE) is None, pair[1].name)
        ):
            if self._stopped():
                return
            outcome = self._take(item, one)
            if outcome is None:
                continue
            if outcome.outcome == "left":
                whole = False
            else:
                ledger[item] = _entry(outcome)
            yield outcome
        chosen = fresh if self._how.only_marks else found
        self._put_away([one for item, one in chosen.items() if self._may_go(ledger.get(item))])
        gone = [item for item in ledger if item not in found and item != item_of_state]
        unmoved = not self._how.anything or self._how.only_marks
        self._store.keep_ledger(self._place, gone, item_of_state if whole and unmoved else None)

    def _settled(self, fresh: dict[str, Found]) -> dict[str, Found]:
        """Those that a second look finds as the first one did; a file that is being written is left for later."""
        if not fresh or not self._source.settles:
            return fresh
        self._pause(self._settle_seconds)
        again = {_digest(["item", *one.mark]) for one in self._source.look()}
        return {item: one for item, one in fresh.items() if item in again}

    def _take(self, item: str, found: Found) -> Outcome | None:
        """None: another intake has it."""
        self._look_at_free_space(found)
        taken = TakenIn(self._place, item)
        told = Outcome(self._source.url, found.name, "left")
        try:
            with Spool(self._store.spool_directory) as spool:
                judged = self._judged(found, spool)
                told = replace(told, form=_form(judged))
                push = judged.accepted
                if push is None:
                    kept = self._store.take_in_refused(judged.refused, taken)
                    rules = tuple(sorted({one.rule for one in judged.verdict.refused_for}))
                    outcome = "not kept" if kept is None else "quarantined"
                    return replace(told, outcome=outcome, push_id=kept, refused_for=rules)
                accepted = self._store.take_in(push, judged.verdict, taken)
        except AlreadyTakenIn:
            return None
        except Gone:
            return replace(told, why="it is not there any more, or no plain file")
        except TooLarge as large:
            return replace(told, why=str(large))
        except OSError as cause:  # the spool could not be written; a source's own errors have classes of their own
            raise not_stored(cause, "spool") from cause
        if accepted.redelivery:
            return replace(told, outcome="redelivery", push_id=accepted.id, of=accepted.id)
        outcome = "conflict" if accepted.conflict_of else "accepted"
        return replace(told, outcome=outcome, push_id=accepted.id, of=accepted.conflict_of)

    def _judged(self, found: Found, spool: Spool) -> Judged:
        contents = {part.kind: self._fetched(part, spool) for part in found.parts}
        form = DropForm.EMAIL if PartKind.EMAIL in contents else DropForm.FILE
        origin = Origin(self._source.url, found.name, form, found.at)
        arrival = Arrival(self._clock(), self._source.url, origin=origin)
        if PartKind.EMAIL in contents:
            return self._reader.email(contents[PartKind.EMAIL], arrival, spool)
        side = contents.get(PartKind.SIDE)
        if PartKind.ENVELOPE in contents:
            return self._reader.envelope_beside(contents[PartKind.ENVELOPE], side, arrival, spool)
        return self._reader.file(contents[PartKind.REPORT], side, arrival, spool)

    def _fetched(self, part: Part, spool: Spool) -> Content:
        limit = self._settings.max_envelope_bytes
        if part.kind is PartKind.SIDE:
            limit = min(limit, MAX_SIDE_BYTES + 1)  # one more tells that it is too large, which is no reason to refuse
        writer = _Writer(spool.sink(), limit, cut=part.kind is PartKind.SIDE)
        if part.size_bytes is not None and part.size_bytes > limit and not writer.cut:
            raise _too_large(part.size_bytes, limit)
        self._source.fetch(part, writer.write)
        return writer.sink.finish()

    def _look_at_free_space(self, found: Found) -> None:
        free = self._store.free_bytes()
        wanted = self._settings.min_free_bytes + _ROOM * found.size_bytes
        if free is not None and free < wanted:
            raise StoreUnavailable(
                f"{found.name} needs {wanted} bytes on the inbox's disk, min_free_bytes included, and {free} are free; "
                "it stays where it is. Make room and start the intake again."
            )

    def _may_go(self, entry: str | None) -> bool:
        if entry == PushState.ACCEPTED.value:
            return self._how.anything
        return entry == PushState.QUARANTINED.value and self._how.anything and not self._how.delete

    def _put_away(self, taken: list[Found]) -> None:
        if taken:
            self._source.put_away(taken, self._how)


class _Writer:
    """Takes a part into a sink, up to a limit; cut: what is beyond is dropped, else it is an error."""

    def __init__(self, sink: Sink, limit: int, *, cut: bool):
        self.sink, self._limit, self.cut = sink, limit, cut

    def write(self, piece: bytes) -> None:
        left = self._limit - self.sink.size_bytes
        if len(piece) > left and not self.cut:
            raise _too_large(None, self._limit)
        try:
            self.sink.write(piece[: max(left, 0)])
        except OSError as cause:  # not the source's
            raise not_stored(cause, "spool") from cause


def _too_large(size_bytes: int | None, limit: int) -> TooLarge:
    has = "more" if size_bytes is None else f"{size_bytes} bytes"
    return TooLarge(f"it has {has}, and at most {limit} are read: raise max_envelope_bytes to take it in")


def _entry(outcome: Outcome) -> str:
    if outcome.passed:
        return PushState.ACCEPTED.value
    return PushState.QUARANTINED.value if outcome.outcome == "quarantined" else "refused"


def _form(judged: Judged) -> str | None:
    return None if judged.arrival.origin is None else judged.arrival.origin.form.value


def _digest(words: list[str]) -> str:
    return hashlib.sha256(json.dumps(words, separators=(",", ":")).encode("ascii")).hexdigest()
