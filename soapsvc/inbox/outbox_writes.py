"""What is done to deliveries inside a transaction: queue, claim, settle, put back.

Each function is handed the connection of a transaction that another one commits (group_commit.py). Every change names
the state that it starts from, so that of two workers one alone makes it; where it leads is `states.next_state`.

Whoever changes what an operator or retention looks at (requeue, hold, removal) takes the lock on the push's row first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from soapsvc.delivery_records import Claim
from soapsvc.errors import NoSuchPush
from soapsvc.inbox.driver_statements import insert_rows
from soapsvc.inbox.outbox_tables import ATTEMPTS, DELIVERIES, TARGETS
from soapsvc.inbox.tables import PUSHES
from soapsvc.records import PushState
from soapsvc.states import DEAD_LETTER, FORWARDING, PENDING, DeliveryState, Move, next_state

ATTEMPTS_KEPT = 100  # of one delivery, with time and reason; the count goes on
AT_ONCE = 500  # deliveries that one transaction puts back, so that others need not wait long

_D, _T = DELIVERIES.c, TARGETS.c
_ENDED = frozenset(DeliveryState) - {PENDING, FORWARDING}


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt ended.

    move    acknowledged, attempt failed, last attempt failed or released
    at      aware UTC
    said    receipt or reason; a released claim was no attempt and leaves none
    due_at  when the next one is, where there is one
    """

    claim: Claim
    move: Move
    at: datetime
    said: str
    due_at: datetime | None = None


def queue(connection: Connection, queued: Sequence[tuple[str, str, datetime]]) -> None:
    """Deliveries of pushes that are stored in this transaction: push, target, and since when they are due."""
    insert_rows(
        connection,
        DELIVERIES,
        [
            {"push_id": push_id, "target": target, "state": PENDING.value, "due_at": due_at, "attempts": 0,
             "failed": 0, "claim": None}
            for push_id, target, due_at in queued
        ],
    )  # fmt: skip


def next_due(target: str, ordered: bool, now: datetime) -> Select[Any]:
    """The delivery that a worker would take: the one that has been due for longest; ordered: that of the oldest push,
    and none while that one is being forwarded or waits for its next attempt."""
    columns = (_D.push_id, _D.state, _D.due_at, _D.attempts, _D.failed, _D.claim)
    paused = exists().where(_T.name == target, _T.paused_at.is_not(None))
    query = select(*columns).where(_D.target == target, ~paused).limit(1)
    if not ordered:
        return query.where(_D.due_at <= now).order_by(_D.due_at, _D.push_id)
    first = query.where(_D.due_at.is_not(None)).order_by(_D.push_id).subquery()
    under_way = exists().where(_D.target == target, _D.due_at > now, _D.claim.is_not(None))
    return select(first).where(first.c.due_at <= now, ~under_way)


def claim(
    connection: Connection, target: str, *, ordered: bool, token: str, now: datetime, until: datetime
) -> Claim | None:
    """Take the delivery that is due, for the time given; None: there is none, or another worker was faster.

    One whose worker did not come back is put back first: that was a failed attempt.
    """
    query = next_due(target, ordered, now)
    if ordered:  # one worker at a time looks for the first
        connection.execute(select(_T.name).where(_T.name == target).with_for_update())
    else:
        query = query.with_for_update(of=DELIVERIES, skip_locked=True)
    found = connection.execute(query).first()
    if found is None:
        return None
    attempts, failed, state = found.attempts, found.failed, DeliveryState(found.state)
    if state is FORWARDING:
        state = next_state(state, Move.CLAIM_EXPIRED)
        failed += 1
        said = f"{found.claim.rpartition(':')[0]} took it and did not come back"
        _note(connection, found.push_id, target, attempts, now, Move.CLAIM_EXPIRED, said)
        _count(connection, target, "failed_attempts")
    taken = connection.execute(
        update(DELIVERIES)
        .where(_D.push_id == found.push_id, _D.target == target, _D.state == found.state, _D.due_at == found.due_at)
        .values(state=next_state(state, Move.CLAIMED).value, due_at=until, attempts=attempts + 1, failed=failed,
                claim=token)
    )  # fmt: skip
    if taken.rowcount == 0:
        return None
    return Claim(found.push_id, target, token, attempts + 1, failed, until)


def renew(connection: Connection, claims: Sequence[Claim], until: datetime) -> None:
    """Hold them until then; those that are lost stay lost."""
    for one in sorted(claims, key=_of_claim):
        connection.execute(update(DELIVERIES).where(*_held(one)).values(due_at=until))


def settle(connection: Connection, done: Settlement) -> bool:
    """Write down how an attempt ended. False: the claim is not held any more, and nothing was written: its time was
    over and another worker has taken the delivery, or it was removed."""
    one, to = done.claim, next_state(FORWARDING, done.move)
    values: dict[str, Any] = {"state": to.value, "claim": None, "due_at": None if to in _ENDED else done.due_at}
    if done.move is Move.RELEASED:
        values["attempts"] = one.attempt - 1
    elif done.move is not Move.ACKNOWLEDGED:
        values["failed"] = one.failed + 1
    if connection.execute(update(DELIVERIES).where(*_held(one)).values(values)).rowcount == 0:
        return False
    if done.move is not Move.RELEASED:
        _note(connection, one.push_id, one.target, one.attempt, done.at, done.move, done.said)
        _count(connection, one.target, "delivered" if done.move is Move.ACKNOWLEDGED else "failed_attempts")
    return True


def confirm(connection: Connection, push_id: str, target: str, token: str, now: datetime) -> bool:
    """Settle a claim that is known by its token alone."""
    one = select(_D.attempts, _D.failed, _D.due_at).where(
        _D.push_id == push_id, _D.target == target, _D.claim == token, _D.state == FORWARDING.value
    )
    found = connection.execute(one).first()
    if found is None:
        return False
    held = Claim(push_id, target, token, found.attempts, found.failed, found.due_at)
    return settle(connection, Settlement(held, Move.ACKNOWLEDGED, now, "confirmed by its consumer"))


def requeue(connection: Connection, push_id: str, target: str | None, now: datetime) -> list[str]:
    """Put deliveries of one push back with all their attempts before them; the targets that it was done for.

    target  None: all that have not arrived; named: that one, delivered or not, and anew where there was none
    Errors  NoSuchPush: it is not stored, or was not accepted; MoveNotListed: the one that was named is under way
    """
    lock_accepted(connection, push_id)
    query = select(_D.target, _D.state).where(_D.push_id == push_id).order_by(_D.target).with_for_update()
    rows = connection.execute(query if target is None else query.where(_D.target == target)).all()
    if target is not None and not rows:
        queue(connection, [(push_id, target, now)])
        return [target]
    states = {row.target: DeliveryState(row.state) for row in rows}
    if target is None:
        kept = (FORWARDING, DeliveryState.DELIVERED)
        states = {name: state for name, state in states.items() if state not in kept}
    for name, state in states.items():
        _put(connection, and_(_D.push_id == push_id, _D.target == name), state, Move.REQUEUED, now)
    return list(states)


def requeue_dead(connection: Connection, target: str | None, now: datetime) -> int:
    """Put back at most AT_ONCE dead letters; how many they were."""
    return _put_some(connection, text("state = 'dead'"), DEAD_LETTER, target, Move.REQUEUED, now)


def cancel(connection: Connection, target: str) -> int:
    """Give up at most AT_ONCE deliveries to a target that have not arrived and are not under way; how many."""
    given_up = _put_some(connection, text("state = 'dead'"), DEAD_LETTER, target, Move.CANCELLED, None)
    if given_up < AT_ONCE:
        pending = and_(_D.due_at.is_not(None), _D.state == PENDING.value)
        given_up += _put_some(connection, pending, PENDING, target, Move.CANCELLED, None)
    return given_up


def pause(connection: Connection, target: str, at: datetime | None) -> None:
    """at  None: no longer"""
    register(connection, [target])
    connection.execute(update(TARGETS).where(_T.name == target).values(paused_at=at))


def register(connection: Connection, names: Sequence[str]) -> None:
    """Each of the targets has its row."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for name in sorted(names):
        row: Mapping[str, Any] = {"name": name, "paused_at": None, "delivered": 0, "failed_attempts": 0}
        connection.execute(dialect.insert(TARGETS).on_conflict_do_nothing(), row)


def lock_accepted(connection: Connection, push_id: str) -> None:
    """The push stays while this transaction lasts. Errors: NoSuchPush: it is not stored, or was not accepted."""
    one = select(PUSHES.c.state).where(PUSHES.c.id == push_id).with_for_update()
    state = connection.execute(one).scalar()
    if state != PushState.ACCEPTED.value:
        why = "is not stored" if state is None else "is in quarantine: what was refused is not delivered"
        raise NoSuchPush(f"Push {push_id} {why}.")


def _put_some(
    connection: Connection, which: Any, state: DeliveryState, target: str | None, move: Move, due_at: datetime | None
) -> int:
    some = select(_D.push_id, _D.target).where(which).limit(AT_ONCE).with_for_update(skip_locked=True)
    rows = connection.execute(some if target is None else some.where(_D.target == target)).all()
    for row in rows:
        _put(connection, and_(_D.push_id == row.push_id, _D.target == row.target), state, move, due_at)
    return len(rows)


def _put(connection: Connection, which: Any, state: DeliveryState, move: Move, due_at: datetime | None) -> None:
    values = {"state": next_state(state, move).value, "due_at": due_at, "failed": 0}
    connection.execute(update(DELIVERIES).where(which, _D.state == state.value).values(values))


def _held(one: Claim) -> tuple[Any, ...]:
    return (
        _D.push_id == one.push_id, _D.target == one.target, _D.claim == one.token, _D.state == FORWARDING.value,
    )  # fmt: skip


def _of_claim(one: Claim) -> tuple[str, str]:
    return one.target, one.push_id


def _note(connection: Connection, push_id: str, target: str, n: int, at: datetime, move: Move, said: str) -> None:
    if n <= ATTEMPTS_KEPT:
        row = {"push_id": push_id, "target": target, "n": n, "at": at, "outcome": move.value, "said": said}
        connection.execute(insert(ATTEMPTS), row)


def _count(connection: Connection, target: str, which: str) -> None:
    one_more = update(TARGETS).where(_T.name == target).values({which: _T[which] + 1})
    if connection.execute(one_more).rowcount == 0:
        register(connection, [target])
        connection.execute(one_more)
