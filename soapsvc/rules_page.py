"""Prints docs/rules.md from the list of rules: `python -m soapsvc.rules_page > docs/rules.md`; a test compares."""

from __future__ import annotations

import sys

from soapsvc.rules import RULES, Rule, Stage

_INTRODUCTION = """\
# The rules that a push is held against

Printed from `soapsvc/rules.py` by `python -m soapsvc.rules_page > docs/rules.md`; edit the list, not this page.

A rule's id is stable. The verdict of a push names every rule that it deviates from, with the place, what was found and
what was wanted; it is stored with the push, and a SOAP fault carries it in its detail. The severity tells what a
deviation means under each degree of conformance ([conformance.md](conformance.md)): `fatal` is refused in every degree,
`protocol` under strict and guarded, `contract` under strict, and under guarded unless it touches only what the WSDL
marks INFERRED; a `note` is recorded and never refused. A push that is refused gets a SOAP 1.1 fault with HTTP 500 and
the faultcode of the table, or, where the table has another HTTP status, one plain sentence. Of several faultcodes the
first of VersionMismatch, MustUnderstand, Client is told (Basic Profile R2725).

Sources: SOAP 1.1 is the W3C Note of 8 May 2000; BP is the WS-I Basic Profile 1.1 with the Simple SOAP Binding Profile
1.0, by its R-numbers; "setting" is one of [settings.md](settings.md); "WSDL" is the file in force.
"""
_STAGES = {
    Stage.HTTP: ("HTTP", "The request's head. What is refused by its body's length, its source, its credential or its "
                         "path is refused before the body is read and not kept; what is refused with 415 is kept."),
    Stage.XML: ("XML", "The body's bytes. Without a charset parameter a byte order mark decides, then the XML "
                       "declaration, then UTF-8 (RFC 7303); with one, only a byte order mark goes before it."),
    Stage.SOAP: ("SOAP", "The envelope. A header block is for this receiver when its actor is absent, empty or "
                         "`http://schemas.xmlsoap.org/soap/actor/next`."),
    Stage.SCHEMA: ("Schema", "The schema of the WSDL in force."),
    Stage.PAYLOAD: ("Payload", "The documents and the properties."),
    Stage.BACKUP: ("Backup", "What `soapsvc intake` takes in ([intake.md](intake.md)): nobody waits for an answer."),
}  # fmt: skip


def rules_page() -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION]
    for stage, (title, explanation) in _STAGES.items():
        rows = [_row(rule) for rule in RULES.values() if rule.stage is stage]
        head = ["| id | wanted | source | severity | answer |", "| --- | --- | --- | --- | --- |"]
        parts.append("\n".join([f"## {title}", "", explanation, "", *head, *rows, ""]))
    return "\n".join(parts)


def _row(rule: Rule) -> str:
    if rule.severity == "note":
        answer = "taken"
    elif rule.stage is Stage.BACKUP:
        answer = "quarantine"
    elif rule.http_status == 500:
        answer = f"fault `{rule.faultcode}`"
    else:
        answer = f"HTTP {rule.http_status}"
    cells = (rule.id, rule.sentence, rule.source, rule.severity.value, answer)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(rules_page())
