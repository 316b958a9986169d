"""The list of rules: ids, order, sources, and the page that is printed from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from soapsvc.judgement import refused_for
from soapsvc.records import Conformance, Deviation
from soapsvc.rules import RULES, Rule, Severity, Stage
from soapsvc.rules_page import rules_page

PREFIXES = {Stage.HTTP: "HTTP", Stage.XML: "XML", Stage.SOAP: "SOAP", Stage.SCHEMA: "XSD", Stage.PAYLOAD: "PAY",
            Stage.BACKUP: "BAK"}  # fmt: skip


def test_the_page_is_the_one_printed_from_the_list(checkout: Path) -> None:
    printed = (checkout / "docs" / "rules.md").read_text(encoding="utf-8")
    assert printed == rules_page(), "run: python -m soapsvc.rules_page > docs/rules.md"


def test_ids_are_unique_and_in_the_order_of_the_way_in() -> None:
    stages = list(PREFIXES)
    order = [(stages.index(rule.stage), rule.id) for rule in RULES.values()]
    assert order == sorted(order)
    assert len({rule.id for rule in RULES.values()}) == len(RULES)
    assert {rule.stage for rule in RULES.values()} == set(stages)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_is_a_sentence_with_a_source(rule: Rule) -> None:
    assert re.fullmatch(rf"{PREFIXES[rule.stage]}-\d{{3}}", rule.id)
    assert rule.sentence.endswith(".")
    assert rule.source != ""
    if rule.http_status != 500:
        assert (rule.stage, rule.severity) == (Stage.HTTP, Severity.FATAL), "only what is no push is answered otherwise"


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_the_degrees_refuse_what_the_severity_says(rule: Rule) -> None:
    refusing = {
        degree for degree in Conformance if refused_for([Deviation(rule.id, "", None, "f", "w", "DOCUMENTED")], degree)
    }
    expected = {
        Severity.FATAL: {*Conformance},
        Severity.PROTOCOL: {Conformance.STRICT, Conformance.GUARDED},
        Severity.CONTRACT: {Conformance.STRICT, Conformance.GUARDED},
        Severity.NOTE: set(),
    }
    assert refusing == expected[rule.severity]
    inferred = Deviation(rule.id, "", None, "f", "w", "INFERRED")
    assert bool(refused_for([inferred], Conformance.GUARDED)) == (rule.severity in (Severity.FATAL, Severity.PROTOCOL))
