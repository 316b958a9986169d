"""An error stays what it is when one process tells it another."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from soapsvc.errors import ContractError, HttpRefused, MoveNotListed, NoSuchTarget, SoapsvcError, StoreUnavailable


@pytest.mark.parametrize(
    "error",
    [
        ContractError(Path("a.wsdl"), 7, "no binding", "add one"),
        HttpRefused(405, "http-method", "GET it is not", (("Allow", "POST"),), where="method", found="GET"),
        MoveNotListed("done", "claimed", ["waiting"]),
        NoSuchTarget("ftp", ["mail"]),
        StoreUnavailable("The disk is full.", retry_after_seconds=5),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_told_is_what_was_raised(error: SoapsvcError) -> None:
    told = pickle.loads(pickle.dumps(error))
    assert (type(told), str(told), vars(told)) == (type(error), str(error), vars(error))
