"""What `soapsvc push` tells: a line or an object for each push, a bar on the way, the sum of many at the end."""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from soapsvc.cli.output import complain, facts, print_json, printable, show, size, tell
from soapsvc.cli.push_run import Ended

if TYPE_CHECKING:
    from soapsvc.sender.made_push import MadePush
    from soapsvc.sender.outcome import Attempt, Outcome

ACKNOWLEDGED, NOBODY, BACKUP = 0, 1, 3
_LINES_OF_TROUBLE = 20  # of many pushes that went wrong; the rest are counted, and --json has all


class PushReport:
    """Takes what became of each push; `exit_code` is that of all.

    several  more than one push is sent: they are summed up at the end
    """

    def __init__(self, *, as_json: bool, several: bool):
        self._as_json, self._several = as_json, several
        self._ended: list[tuple[str, float, int]] = []
        self._troubles = 0

    @property
    def exit_code(self) -> int:
        """1: at least one push is with nobody; else 3: at least one is with a backup; else 0."""
        holders = {holder for holder, _, _ in self._ended}
        return NOBODY if "nobody" in holders else BACKUP if "backup" in holders else ACKNOWLEDGED

    def attempt(self, push: MadePush, attempt: Attempt, wait_seconds: float | None) -> None:
        """An attempt that failed and is followed by another one."""
        if wait_seconds is not None and not self._several:
            tell(f"{_reason(attempt.target, attempt.told).rstrip('.')}; the next attempt is in {_span(wait_seconds)}")

    def add(self, ended: Ended) -> None:
        """One push has come to its end."""
        outcome = ended.outcome
        self._ended.append(("nobody" if outcome is None else outcome.holder.value, ended.seconds, ended.size_bytes))
        if self._as_json:
            print_json({"name": ended.name, "holder": "nobody", "error": ended.wrong} if outcome is None
                       else outcome.as_object())  # fmt: skip
        elif outcome is not None and outcome.receipt is not None and not self._several:
            click.echo(_taken(outcome))
        for sentence in _troubles(ended):
            self._troubles += 1
            if self._troubles <= _LINES_OF_TROUBLE or not self._several:
                complain(f"{ended.name}: {sentence}" if self._several else sentence)

    def close(self, seconds: float) -> None:
        """The sum of many."""
        if not self._several:
            return
        if self._troubles > _LINES_OF_TROUBLE:
            complain(f"… and {self._troubles - _LINES_OF_TROUBLE} more of the kind")
        if not self._as_json:
            show(facts(self._summed(seconds)))

    def _summed(self, seconds: float) -> list[tuple[str, Any]]:
        count = {name: sum(holder == name for holder, _, _ in self._ended) for name in ("receiver", "backup", "nobody")}
        times = sorted(1000 * taken for holder, taken, _ in self._ended if holder == "receiver")
        told: list[tuple[str, Any]] = [
            ("acknowledged", count["receiver"]),
            ("handed to the backup", count["backup"]),
            ("with nobody", count["nobody"]),
            ("sent", f"{size(sum(one for _, _, one in self._ended))} in {seconds:.1f} s, "
                     f"{len(self._ended) / max(seconds, 1e-9):.1f} pushes a second"),
        ]  # fmt: skip
        if times:
            slowest = times[min(len(times) - 1, int(0.99 * len(times)))]
            told.append(("acknowledged after", f"{statistics.median(times):.0f} ms, 99 of 100 within {slowest:.0f} ms"))
        return told


@contextlib.contextmanager
def progress(total: int, *, shown: bool) -> Iterator[Any]:
    """A bar on stderr, where that is a terminal; what is yielded moves it on by one."""
    if not (shown and sys.stderr.isatty()):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("pushed"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def _taken(outcome: Outcome) -> str:
    assert outcome.receipt is not None, "somebody has it"
    receipt = outcome.receipt
    word = "acknowledged by" if outcome.holder.value == "receiver" else "handed to the backup"
    return f"{word} {printable(receipt.target)}: {printable(receipt.reference)}"


def _troubles(ended: Ended) -> list[str]:
    """What the last attempt at each destination that did not take the push was told, in a line."""
    if ended.outcome is None:
        return [ended.wrong]
    outcome = ended.outcome
    if outcome.holder.value == "receiver":
        return []
    last: dict[tuple[str, bool], str] = {}
    for one in outcome.attempts:
        if not one.taken:
            last[(one.target, one.is_backup)] = one.told
    several = len(last) > 1 or outcome.holder.value == "backup"
    return [_reason(target if several else "", told) for (target, _), told in last.items()]


def _reason(target: str, told: str) -> str:
    """Why a destination did not take the push, in a line that names it once."""
    line = " ".join(told.split())
    return line if target in line else f"{target}: {line}"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"
