"""`soapsvc intake`: what a sender dropped at its backup, into the same inbox as what it pushes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from soapsvc.cli.options import conformance_option, inbox_option, json_option, wsdl_option
from soapsvc.cli.output import complain, count, print_json, printable, tell
from soapsvc.errors import StoreUnavailable, Unreachable

if TYPE_CHECKING:
    from soapsvc.intake.taking import Intake, Outcome

_SETTLE, _ALONE = 2.0, 60.0  # as soapsvc.intake.taking has it, which is not imported for the help


@click.command(short_help="Take in what a sender dropped at its backup.")
@click.argument("url", metavar="URL")
@click.option("--watch", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
              help="Look again and again, with so long a pause, until SIGTERM.")  # fmt: skip
@click.option("--delete", is_flag=True, help="Remove there what was accepted.")
@click.option("--move-to", metavar="NAME", help="Move there what was taken in, to this directory, folder or mailbox.")
@click.option("--mark-seen", is_flag=True, help="Mark emails that were taken in as read (IMAP).")
@click.option("--settle", type=click.FloatRange(min=0), default=_SETTLE, show_default=True, metavar="SECONDS",
              help="New files are looked at twice, so long apart; those that changed are left.")  # fmt: skip
@click.option("--alone", type=click.FloatRange(min=0), default=_ALONE, show_default=True, metavar="SECONDS",
              help="A file without the record that our own sender writes last is left until it is so old.")  # fmt: skip
@wsdl_option
@conformance_option
@inbox_option
@json_option
def intake(
    url: str,
    watch: float | None,
    delete: bool,
    move_to: str | None,
    mark_seen: bool,
    settle: float,
    alone: float,
    inbox_url: str | None,
    config: Path | None,
    as_json: bool,
    **contract: Any,
) -> int:
    """Take in what lies at URL: file:///DIR, ftp://, ftps:// or sftp://USER@HOST/DIR, s3://BUCKET/PREFIX, mbox:PATH,
    maildir:PATH, imap:// or imaps://USER@HOST/MAILBOX.

    What lies there with its envelope is the push: pushed too, before or later, it is one. A report without it becomes
    a push that says so. Nothing is changed there unless told, and what is unchanged is not read again. A receiver may
    run on the same inbox meanwhile.

    The password comes from SOAPSVC_INTAKE_PASSWORD or intake_password_file. Exit 0: nothing went to quarantine or was
    left, but for what may still be being written; 1: something did or was; 3: nobody answered there.
    """
    from soapsvc.cli.opened import opened_with
    from soapsvc.contract.wsdl_document import WsdlDocument
    from soapsvc.intake.drop_reader import DropReader
    from soapsvc.intake.places import source_of
    from soapsvc.intake.source import Disposal
    from soapsvc.intake.taking import Intake
    from soapsvc.judge import Judge
    from soapsvc.settings import load_settings
    from soapsvc.shipped import WSDL_FILE

    if delete and move_to is not None:
        raise click.UsageError("--delete removes there what --move-to moves: one of the two")
    settings = load_settings({"inbox": inbox_url, **contract}, config)
    how = Disposal(delete=delete, move_to=move_to, seen=mark_seen)
    source = source_of(url, settings, how)
    reader = DropReader(settings, Judge(settings, WsdlDocument.load(settings.wsdl or WSDL_FILE)))
    try:
        with _until_told() as told, opened_with(settings, to_write=True) as store:
            taking = Intake(
                source, reader, store, settings, how=how, settle_seconds=settle, alone_seconds=alone,
                pause=told.wait, stopped=told.is_set,
            )  # fmt: skip
            if watch is None:
                status = _once(taking, as_json)
                if told.is_set():
                    tell("stopped by SIGTERM; what is left is taken in the next time")
                    return 1
                return status
            return _again_and_again(taking, as_json, watch, told)
    finally:
        source.close()


def _once(taking: Intake, as_json: bool) -> int:
    outcomes = list(_shown(taking.look(), as_json))
    passed = sum(one.passed for one in outcomes)
    if not as_json:
        refused = f", {len(outcomes) - passed} not" if passed < len(outcomes) else ""
        fresh = f"; {taking.fresh} may still be being written, and wait for the next look" if taking.fresh else ""
        tell(f"{count(passed, 'drop')} taken in{refused}{fresh}")
    return 0 if passed == len(outcomes) else 1


def _again_and_again(taking: Intake, as_json: bool, watch: float, told: Event) -> int:
    """Until SIGTERM, whatever place or inbox do meanwhile: it is told, and the next look tries again."""
    while not told.is_set():
        try:
            for _ in _shown(taking.look(), as_json):
                pass
        except (Unreachable, StoreUnavailable) as error:
            complain(str(error))
        told.wait(watch)
    return 0


def _shown(outcomes: Iterator[Outcome], as_json: bool) -> Iterator[Outcome]:
    for one in outcomes:
        if as_json:
            print_json(one.as_object())
        else:
            print(_line(one), flush=True)
        yield one


def _line(one: Outcome) -> str:
    name = printable(one.name)
    match one.outcome:
        case "redelivery":
            return f"{name}: redelivery of {one.of}"
        case "conflict":
            return f"{name}: {one.push_id} in conflict with {one.of}"
        case "quarantined":
            return f"{name}: {one.push_id} quarantined ({', '.join(one.refused_for)})"
        case "not kept":
            return f"{name}: refused ({', '.join(one.refused_for)}), and larger than the quarantine keeps"
        case "left":
            return f"{name}: left, {printable(one.why or '')}"
    return f"{name}: {one.push_id} {one.outcome}"


@contextmanager
def _until_told() -> Iterator[Event]:
    """An event that SIGTERM sets: what is being stored is finished first."""
    told = Event()
    before = signal.signal(signal.SIGTERM, lambda *_: told.set())
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)
