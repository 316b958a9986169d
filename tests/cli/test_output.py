"""What reaches a terminal is what it looks like."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapsvc.cli.output import printable, printable_lines, show, size, table, text

ANY_TEXT = st.text(st.characters(exclude_categories=[]))


@given(ANY_TEXT)
def test_no_control_character_reaches_the_terminal(sent: str) -> None:
    assert not [c for c in printable(sent) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")]


@given(ANY_TEXT)
def test_in_a_text_of_lines_only_line_ends_and_tabs_are_left(sent: str) -> None:
    left = {c for c in printable_lines(sent) if unicodedata.category(c).startswith("C")}
    assert left <= {"\n", "\t"}


def test_an_escape_sequence_is_seen() -> None:
    assert printable("\x1b]0;owned\x07 \x9b31m \u202etxt.exe\r\n") == r"\x1b]0;owned\x07 \x9b31m \u202etxt.exe\r\n"


def test_ordinary_text_is_left_alone() -> None:
    assert printable("Grüße — 報告\u00a0№ 1") == "Grüße — 報告\u00a0№ 1"


def test_piped_columns_stand_under_each_other_unless_a_value_is_very_long(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a", 1, ("x", "y")), ("報告", 20, "z"), ("b" * 300, 3, "[red]z")]
    show(text("title"), "", table(("name", "n", "more"), rows, right=("n",)))
    assert capsys.readouterr().out.splitlines() == [
        "title",
        "",
        "name   n  more",
        "a      1  x",
        "          y",
        "報告  20  z",
        "b" * 300 + "   3  [red]z",
    ]


def test_sizes_read_as_people_say_them() -> None:
    assert [size(n) for n in (0, 1023, 1024, 11_500, 40 * 1024 * 1024, None)] == [
        "0 bytes", "1023 bytes", "1.0 KiB", "11.2 KiB", "40.0 MiB", "-",
    ]  # fmt: skip
