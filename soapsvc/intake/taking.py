"""One look at a backup: what is new there is read, stored with its ledger entry in one commit, and only then put away.

    look ── what the ledger does not have ── look again: unchanged? ── read, judge ── COMMIT: push + ledger ── put away

Killed before the commit, nothing was stored; after it, the next look finds the entry and puts away what is to be put
away. Nothing is put away that is not in the inbox: what is in quarantine is moved, but not removed, for the quarantine
makes room for newer input when it is full.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
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
ALONE_SECONDS = 60.0  # for which a report is left that has no record beside it: a sender may be about to write that
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
        alone_seconds: float = ALONE_SECONDS,
        pause: Pause,
        stopped: Stopped,
        clock: Clock = utc_now,
    ):
        self._source, self._reader, self._store, self._settings = source, reader, store, settings
        self._how, self._settle_seconds, self._pause, self._stopped = how, settle_seconds, pause, stopped
        self._alone, self._clock = timedelta(seconds=alone_seconds), clock
        self._listed: dict[str, tuple[str, Found]] = {}
        self.fresh = 0
        """How many were left by the last look, because they may still be being written."""
        self._place = _digest(["place", source.url])

    def look(self) -> Iterator[Outcome]:
        """Take in what is new, each told when it is committed. Errors: Unreachable, StoreUnavailable."""
        ledger = dict(self._store.taken_in(self._place))
        state = self._source.state()
        item_of_state = None if state is None else _digest(["state", *state])
        if item_of_state in ledger and (not self._how.anything or self._how.only_marks):
            return
        found = self._items()
        new = {item: one for item, one in found.items() if item not in ledger}
        fresh = self._settled({item: one for item, one in new.items() if not self._may_grow(one)})
        self.fresh, whole = 0, True
        self._listed = {one.name: (item, one) for item, one in new.items() if len(one.parts) == 1}
        # those with an envelope first: what lies beside them is then known
        for item, one in sorted(
            fresh.items(), key=lambda pair: (pair[1].part(PartKind.ENVELOPE) is None, pair[1].name)
        ):
            if self._stopped():
                return
            if item in ledger:
                continue  # part of one before it
            taken, outcome = self._take(item, one)
            if outcome is None:
                continue
            if outcome.outcome == "left":
                whole = False
            else:
                ledger |= dict.fromkeys((item, *taken.also), _entry(outcome))
            yield outcome
        self.fresh = sum(item not in ledger and item not in fresh for item in new)
        whole = whole and not self.fresh
        chosen = fresh if self._how.only_marks else found
        away = self._put_away({item: one for item, one in chosen.items() if self._may_go(ledger.get(item))})
        # what was put away is forgotten too: another file of that name, size and second would be taken for it
        gone = [item for item in ledger if item in away or (item not in found and item != item_of_state)]
        unmoved = not self._how.anything or self._how.only_marks
        self._store.keep_ledger(self._place, gone, item_of_state if whole and unmoved else None)

    def _may_grow(self, found: Found) -> bool:
        """Whether a record may be about to come beside it."""
        if found.is_complete or found.at is None or not self._source.settles:
            return False
        return timedelta() <= self._clock() - found.at < self._alone  # of another clock's future nothing is known

    def _settled(self, fresh: dict[str, Found]) -> dict[str, Found]:
        """Those that a second look finds as the first one did; a file that is being written is left for later."""
        if not fresh or not self._source.settles:
            return fresh
        self._pause(self._settle_seconds)
        again = self._items()
        return {item: one for item, one in fresh.items() if item in again}

    def _take(self, item: str, found: Found) -> tuple[TakenIn, Outcome | None]:
        """What the ledger has of it now, and what became of it; None: another intake has it."""
        self._look_at_free_space(found)
        taken = TakenIn(self._place, item)
        told = Outcome(self._source.url, found.name, "left")
        try:
            with Spool(self._store.spool_directory) as spool:
                judged, files = self._judged(found, spool)
                told = replace(told, form=_form(judged))
                taken = replace(taken, also=self._beside(found, files, judged, spool))
                push = judged.accepted
                if push is None:
                    kept = self._store.take_in_refused(judged.refused, taken)
                    rules = tuple(sorted({one.rule for one in judged.verdict.refused_for}))
                    outcome = "not kept" if kept is None else "quarantined"
                    return taken, replace(told, outcome=outcome, push_id=kept, refused_for=rules)
                accepted = self._store.take_in(push, judged.verdict, taken)
        except AlreadyTakenIn:
            return taken, None
        except Gone:
            return taken, replace(told, why="it is not there any more, or no plain file")
        except TooLarge as large:
            return taken, replace(told, why=str(large))
        except OSError as cause:  # the spool could not be written; a source's own errors have classes of their own
            raise not_stored(cause, "spool") from cause
        if accepted.redelivery:
            return taken, replace(told, outcome="redelivery", push_id=accepted.id, of=accepted.id)
        outcome = "conflict" if accepted.conflict_of else "accepted"
        return taken, replace(told, outcome=outcome, push_id=accepted.id, of=accepted.conflict_of)

    def _judged(self, found: Found, spool: Spool) -> tuple[Judged, tuple[str, ...]]:
        """What is to be thought of it, and which files its record names."""
        contents = {part.kind: self._fetched(part, spool) for part in found.parts}
        form = DropForm.EMAIL if PartKind.EMAIL in contents else DropForm.FILE
        origin = Origin(self._source.url, found.name, form, found.at)
        arrival = Arrival(self._clock(), self._source.url, origin=origin)
        if PartKind.EMAIL in contents:
            return self._reader.email(contents[PartKind.EMAIL], arrival, spool), ()
        side = contents.get(PartKind.SIDE)
        if PartKind.ENVELOPE in contents:
            return self._reader.envelope_beside(contents[PartKind.ENVELOPE], side, arrival, spool)
        return self._reader.file(contents[PartKind.REPORT], side, arrival, spool), ()

    def _beside(self, found: Found, files: tuple[str, ...], judged: Judged, spool: Spool) -> tuple[str, ...]:
        """The items of further files that are documents of this push: its record names them, and they have the bytes of
        one. The name alone would let a record hide somebody else's report."""
        if judged.push is None:
            return ()
        digests = {document.content.sha256 for document in judged.push.documents}
        items = []
        for name in _below_the_same(found.name, files):
            item, other = self._listed.get(name, ("", found))
            if other is not found and other.part(PartKind.REPORT) is not None:
                with contextlib.suppress(Gone, TooLarge):
                    if self._fetched(other.parts[0], spool).sha256 in digests:
                        items.append(item)
        return tuple(items)

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

    def _put_away(self, taken: dict[str, Found]) -> frozenset[str]:
        """The items that are not there any more. One that was replaced meanwhile stays."""
        if taken and self._source.settles:
            again = self._items()
            taken = {item: one for item, one in taken.items() if item in again}
        if taken:
            self._source.put_away(list(taken.values()), self._how)
        return frozenset() if self._how.only_marks else frozenset(taken)

    def _items(self) -> dict[str, Found]:
        return {_digest(["item", *one.mark]): one for one in self._source.look()}


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


def _below_the_same(base: str, files: tuple[str, ...]) -> list[str]:
    """Names of a record as they are in this listing: what is looked into may be above or below the sender's root.

    base   name of the drop here
    files  as the sender has them; the first is the one that the drop has its name of
    """
    if not files:
        return []
    first, *others = files
    if base == first or base.endswith(f"/{first}"):
        above = base.removesuffix(first)
        return [above + one for one in others]
    if first.endswith(f"/{base}"):
        below = first.removesuffix(base)
        return [one.removeprefix(below) for one in others if one.startswith(below)]
    return []


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
