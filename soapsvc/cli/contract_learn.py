"""`soapsvc contract learn`: what the traffic says of the WSDL in force, and the WSDL that it asks for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soapsvc.cli.opened import opened
from soapsvc.cli.options import inbox_option, json_option, wsdl_option
from soapsvc.cli.output import count, print_json, printable_lines, show, table, tell, text
from soapsvc.shipped import WSDL_FILE

if TYPE_CHECKING:
    from rich.table import Table

    from soapsvc.contract.proposal import Learned
    from soapsvc.contract.traffic import Case

_COLOURS = {"confirmed": "green", "contradicted": "red", "untouched": "dim"}
_LEFT_SHOWN = 20


@click.command(short_help="What the traffic says of the WSDL in force.")
@wsdl_option
@inbox_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the proposed WSDL there, to a file that does not exist yet.")  # fmt: skip
@json_option
def learn(inbox_url: str | None, config: Path | None, wsdl: Path | None, out: Path | None, as_json: bool) -> int:
    """Hold every push of the inbox, accepted or quarantined, against the WSDL in force.

    \b
    confirmed     a construct that is marked INFERRED or SIBLING was used as declared
    contradicted  a message deviates at it
    untouched     no message has it

    Then propose the WSDL, edited as little as may be, on which all of that traffic is valid: as a diff, or as a file
    with --out. Exit 1 when the WSDL in force has to be edited.
    """
    from soapsvc.settings import load_settings

    settings = load_settings({"wsdl": wsdl, "inbox": inbox_url}, config)
    if out is not None and out.exists():
        raise click.UsageError(f"{out} exists; name a file that does not, nothing is overwritten")
    from soapsvc.contract.proposal import learn as learnt
    from soapsvc.contract.traffic import Traffic
    from soapsvc.contract.wsdl_document import WsdlDocument
    from soapsvc.learning import learned_object, raw_pushes

    contract = WsdlDocument.load(settings.wsdl or WSDL_FILE)
    with opened(inbox_url, config) as store:
        learned = learnt(contract, Traffic(raw_pushes(store), settings))
    if as_json:
        print_json(learned_object(learned))
    else:
        _show(learned, with_difference=out is None)
    if out is not None and learned.edits:
        _write(out, learned.proposal.raw)
    return 1 if learned.seen.cases else 0


def _write(out: Path, proposal: bytes) -> None:
    try:
        with out.open("xb") as file:
            file.write(proposal)
    except OSError as error:
        raise click.UsageError(f"{out} cannot be written: {error.strerror}") from error
    tell(f"wrote {out}")


def _show(learned: Learned, *, with_difference: bool) -> None:
    if not learned.seen.judged:
        tell(f"there is nothing to learn from{_left_out(learned)}")
        return
    show(
        table(
            ("construct", "line", "mark", "outcome", "pushes"),
            (
                (one.where, one.line, one.mark, text(one.outcome, _COLOURS[one.outcome]), _told(one.pushes, one.count))
                for one in learned.constructs
            ),
            right=("line",),
            whole=("line", "mark", "outcome"),
        )
    )
    if learned.seen.cases:
        show("", text("Deviations", "bold"), _cases(learned.seen.cases.values()))
    if learned.edits:
        show("", text("Edits", "bold"))
        show(table(("where", "line", "what", "rule", "pushes"),
                   ((one.where, one.line, one.what, one.rule, _told(one.pushes, one.count)) for one in learned.edits),
                   right=("line",), whole=("line", "rule")))  # fmt: skip
        if with_difference:
            click.echo("\n" + printable_lines("\n".join(learned.difference())))
    left = [(push, case.rule, case.path) for case in learned.rest.cases.values() for push in case.pushes]
    if left:
        show("", text("No edit helps", "bold"), table(("push", "rule", "path"), left[:_LEFT_SHOWN], whole=("rule",)))
        if len(left) > _LEFT_SHOWN:
            tell(f"{len(left) - _LEFT_SHOWN} more of these, --json")
    tell(f"{count(len(learned.seen.judged), 'push', 'pushes')}, {_summary(learned)}{_left_out(learned)}")


def _cases(cases: Iterable[Case]) -> Table:
    from soapsvc.contract.constructs import TOLD_PUSHES

    return table(
        ("rule", "path", "count", "pushes"),
        (
            (case.rule, case.path, case.count, _told(tuple(case.pushes)[:TOLD_PUSHES], len(case.pushes)))
            for case in cases
        ),
        right=("count",),
        whole=("rule",),
    )


def _summary(learned: Learned) -> str:
    if not learned.seen.cases:
        return "all valid: the WSDL in force needs no edit"
    edits = count(len(learned.edits), "edit")
    return f"{edits}, {'not all' if learned.rest.cases else 'all'} valid by the proposal"


def _left_out(learned: Learned) -> str:
    number = len(learned.seen.left_out)
    return f"; {number} left out, which {'is' if number == 1 else 'are'} not XML or not SOAP" if number else ""


def _told(pushes: tuple[str, ...], number: int) -> str:
    more = f", … ({number})" if number > len(pushes) else ""
    return ", ".join(pushes) + more
