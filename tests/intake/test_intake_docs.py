"""docs/intake.md says what the code does, where a program can see it."""

from __future__ import annotations

import re
from pathlib import Path

from soapsvc.cli.intake import _ALONE, _SETTLE
from soapsvc.inbox import drops
from soapsvc.intake import directory_source, email_message, taking
from soapsvc.rules import RULES, Stage
from soapsvc.settings import Settings

DOCS = (Path(__file__).parents[2] / "docs" / "intake.md").read_text("utf-8")


def test_the_fields_of_an_outcome_are_told() -> None:
    table = DOCS[DOCS.index("| field | is |") :].partition("\n\n")[0]
    told = [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(told) == sorted(taking.Outcome("s", "n", "left").as_object())


def test_the_numbers_are_those_of_the_code() -> None:
    assert (taking.SETTLE_SECONDS, taking.ALONE_SECONDS) == (_SETTLE, _ALONE) == (2, 60)
    assert "`--settle` seconds (2)" in DOCS
    assert "`--alone` seconds (60)" in DOCS
    assert f"to a depth of {directory_source.MAX_DEPTH}" in DOCS
    assert f"deeper than {email_message.MAX_DEPTH}" in DOCS
    assert f"over {email_message.MAX_EMAIL_BYTES // 2**20} MiB" in DOCS
    assert drops.WINDOW.days == 7
    assert "of seven days before and after" in DOCS


def test_each_rule_and_setting_that_is_named_is_there_and_none_is_left_out() -> None:
    ours = {rule.id for rule in RULES.values() if rule.stage is Stage.BACKUP}
    named = set(re.findall(r"BAK-\d{3}", DOCS))
    assert named <= ours
    assert ours - named <= {"BAK-005"}, "the side file's note is told by its rule"
    assert set(re.findall(r"`(intake_\w+)`", DOCS)) <= set(Settings.model_fields)
