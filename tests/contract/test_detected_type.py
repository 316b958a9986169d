from __future__ import annotations

import pytest

from soapsvc.contract.detected_type import HEAD_BYTES, media_type_of


@pytest.mark.parametrize("between", ["", " ", "a", "<", "--"])
def test_a_head_full_of_comments_is_told_at_once(between: str) -> None:
    """A reading that tries each way to cut it would not end."""
    comments = f"<!--{between}-->".encode()
    head = (comments * HEAD_BYTES)[:HEAD_BYTES]
    assert media_type_of(head) == "text/plain"
    assert media_type_of(comments * 9 + b"\n<html>") == "text/html"
