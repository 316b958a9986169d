"""Every pair of a state and a move: what the table lists leads where it says, everything else raises."""

from __future__ import annotations

from itertools import product

import pytest

from soapsvc.errors import MoveNotListed
from soapsvc.states import (
    CANCELLED,
    DEAD_LETTER,
    DELIVERED,
    FORWARDING,
    NEXT_STATE,
    NOT_DELIVERED,
    PENDING,
    DeliveryState,
    Move,
    next_state,
)

WANTED = {
    (PENDING, Move.CLAIMED): FORWARDING,
    (PENDING, Move.REQUEUED): PENDING,
    (PENDING, Move.CANCELLED): CANCELLED,
    (FORWARDING, Move.ACKNOWLEDGED): DELIVERED,
    (FORWARDING, Move.ATTEMPT_FAILED): PENDING,
    (FORWARDING, Move.LAST_ATTEMPT_FAILED): DEAD_LETTER,
    (FORWARDING, Move.CLAIM_EXPIRED): PENDING,
    (FORWARDING, Move.RELEASED): PENDING,
    (DELIVERED, Move.REQUEUED): PENDING,
    (DEAD_LETTER, Move.REQUEUED): PENDING,
    (DEAD_LETTER, Move.CANCELLED): CANCELLED,
    (CANCELLED, Move.REQUEUED): PENDING,
}


@pytest.mark.parametrize(("state", "move"), list(product(DeliveryState, Move)))
def test_a_move_leads_where_the_table_says_and_else_raises(state: DeliveryState, move: Move) -> None:
    if (state, move) in WANTED:
        assert next_state(state, move) is WANTED[state, move]
    else:
        with pytest.raises(MoveNotListed, match=f"that is {state.value} cannot be {move.value}; one that is "):
            next_state(state, move)


def test_every_state_is_reached_and_left_or_ended() -> None:
    assert set(NEXT_STATE.values()) == set(DeliveryState)
    assert {state for state, _ in NEXT_STATE} == set(DeliveryState)
    assert set(DeliveryState) - NOT_DELIVERED == {DELIVERED, CANCELLED}
