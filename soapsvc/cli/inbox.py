"""`soapsvc inbox`: what came in, for people as tables and for programs as one JSON object a line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

from soapsvc.cli.inbox_export import export
from soapsvc.cli.inbox_requeue import requeue
from soapsvc.cli.inbox_retention import hold, release, retention
from soapsvc.cli.inbox_tables import list_table, push_page, quarantine_page, stats_table
from soapsvc.cli.opened import opened, opened_with, whole_id
from soapsvc.cli.options import conformance_option, inbox_option, json_option, wsdl_option
from soapsvc.cli.output import complain, console, print_json, printable_lines, show, tell, write_bytes
from soapsvc.errors import NoSuchPush
from soapsvc.records import PushState

if TYPE_CHECKING:
    from soapsvc.inbox.store import InboxStore
    from soapsvc.records import InboxRow, StoredPush

_LISTED = 50  # rows, unless told
_PIECE_BYTES = 1024 * 1024
_COUNT = click.IntRange(min=1, max=2**31 - 1)  # what a database counts with
Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(short_help="What came in.")
def inbox() -> None:
    """What came in: list it, look at one push, take its documents out.

    An ID may be shortened to its beginning or its end, as long as one push alone has that.
    """


for command in (requeue, export, retention, hold, release):
    inbox.add_command(command)


def limit_option(command: Command) -> Command:
    command = click.option("--all", "everything", is_flag=True, help="All of them.")(command)
    return click.option("--limit", type=_COUNT, default=_LISTED, metavar="N", help=f"At most N.  [default: {_LISTED}]")(
        command
    )


@inbox.command("list", short_help="The pushes, newest first.")
@limit_option
@inbox_option
@json_option
def list_(limit: int, everything: bool, inbox_url: str | None, config: Path | None, as_json: bool) -> None:
    """The pushes, newest first: dev. counts deviations from the contract, again counts redeliveries.

    A push in conflict came under the same key as an earlier one, with other content.
    """
    from soapsvc.inbox.json_forms import row_object

    with opened(inbox_url, config) as store:
        rows = store.rows(limit=None if everything else limit)
        if as_json:
            for row in rows:
                print_json(row_object(row))
            return
        listed = list(rows)
        if not listed:
            tell("nothing has come in yet")
            return
        show(list_table(listed, console().width))
        if not everything and len(listed) == limit:
            tell(f"the newest {limit}; --all shows the rest, where there is more")


@inbox.command("show", short_help="One push in full.")
@click.argument("push_id", metavar="ID")
@click.option("--raw", is_flag=True, help="Every byte of the HTTP request body, as received.")
@inbox_option
@json_option
def show_(push_id: str, raw: bool, inbox_url: str | None, config: Path | None, as_json: bool) -> None:
    """One push in full: verdict, documents, properties, headers."""
    from soapsvc.inbox.json_forms import stored_object

    if raw and as_json:
        raise click.UsageError("--raw gives the bytes as they came, --json an object about them: one of the two")
    with opened(inbox_url, config) as store:
        full_id = whole_id(store, push_id)
        if raw:
            with store.open_raw(full_id) as stream:
                hand_over(stream)
            return
        stored = store.stored(full_id)
        if as_json:
            print_json(stored_object(stored))
        else:
            show(*push_page(stored))


@inbox.command(short_help="A document's bytes, to stdout.")
@click.argument("push_id", metavar="ID")
@click.argument("n", type=_COUNT, default=1, metavar="[N]")
@inbox_option
def get(push_id: str, n: int, inbox_url: str | None, config: Path | None) -> None:
    """The decoded bytes of document N (from 1; the first unless told) to stdout."""
    with opened(inbox_url, config) as store, store.open_document(whole_id(store, push_id), n) as stream:
        hand_over(stream)


@inbox.command(short_help="What was refused, and why.")
@limit_option
@inbox_option
@json_option
def quarantine(limit: int, everything: bool, inbox_url: str | None, config: Path | None, as_json: bool) -> None:
    """What was refused, newest first, with every deviation that was found."""
    from soapsvc.inbox.json_forms import stored_object

    with opened(inbox_url, config) as store:
        rows = store.rows(limit=None if everything else limit, state=PushState.QUARANTINED)
        if as_json:
            for stored in still_stored(store, rows):
                print_json(stored_object(stored))
            return
        listed = list(still_stored(store, rows))
        if not listed:
            tell("nothing was refused")
            return
        show(*quarantine_page(listed))
        if not everything and len(listed) == limit:
            tell(f"the newest {limit}; --all shows the rest, where there is more")


@inbox.command(short_help="What was refused, judged once more.")
@click.argument("push_ids", metavar="[ID]...", nargs=-1)
@click.option("--quarantined", is_flag=True, help="All that is in quarantine, the oldest first.")
@wsdl_option
@conformance_option
@inbox_option
@json_option
def reprocess(
    push_ids: tuple[str, ...],
    quarantined: bool,
    inbox_url: str | None,
    config: Path | None,
    as_json: bool,
    **contract: Any,
) -> int:
    """Judge pushes in quarantine by the contract and the degree that the settings have now.

    What passes becomes an accepted push, with its id and the time of its arrival, or counts as a redelivery of one that
    was accepted before; what does not stays where it is.
    A line each; exit 1 when one of them is still refused. A receiver may run on the same inbox meanwhile.
    """
    if bool(push_ids) == quarantined:
        raise click.UsageError("name pushes by their ID, or say --quarantined for all that was refused: one of the two")
    from soapsvc.contract.wsdl_document import WsdlDocument
    from soapsvc.intake.drop_reader import DropReader
    from soapsvc.judge import Judge
    from soapsvc.judging_again import judge_again
    from soapsvc.settings import load_settings
    from soapsvc.shipped import WSDL_FILE

    settings = load_settings({"inbox": inbox_url, **contract}, config)
    judge = Judge(settings, WsdlDocument.load(settings.wsdl or WSDL_FILE))
    reader = DropReader(settings, judge)
    with opened_with(settings) as store:  # to look at, first: an inbox that is not there is not made
        ids = [_quarantined_id(store, given) for given in push_ids]
        if quarantined:
            ids = [row.id for row in store.rows(limit=None, state=PushState.QUARANTINED)][::-1]
    if not ids:
        tell("nothing is in quarantine")
        return 0
    passed = True
    with opened_with(settings, to_write=True) as store:
        for push_id in dict.fromkeys(ids):
            try:
                done = judge_again(store, judge, reader, push_id)
            except NoSuchPush as gone:  # put out meanwhile to make room, or judged by another
                if not quarantined:
                    complain(str(gone))
                    passed = False
                continue
            passed = passed and done.passed
            if as_json:
                print_json(done.as_object())
            else:
                print(done.line, flush=True)
    return 0 if passed else 1


@inbox.command()
@inbox_option
@json_option
def stats(inbox_url: str | None, config: Path | None, as_json: bool) -> None:
    """How much the inbox holds."""
    from soapsvc.inbox.json_forms import stats_object

    with opened(inbox_url, config) as store:
        held = store.stats()
    if as_json:
        print_json(stats_object(held))
    else:
        show(stats_table(held))


def still_stored(store: InboxStore, rows: Iterable[InboxRow]) -> Iterator[StoredPush]:
    """Each push of the rows in full, without those that the receiver has put out meanwhile to make room."""
    for row in rows:
        try:
            stored = store.stored(row.id)
        except NoSuchPush:
            continue
        yield stored


def _quarantined_id(store: InboxStore, given: str) -> str:
    """`whole_id` of a push in quarantine. Errors: NoSuchPush, also for one that is not there."""
    push_id = whole_id(store, given)
    if store.stored(push_id).row.state is not PushState.QUARANTINED:
        raise NoSuchPush(f"push {push_id} is not in quarantine: it was accepted")
    return push_id


def hand_over(stream: BinaryIO) -> None:
    """The bytes to stdout as they are; at a terminal only text, and no character in it that a terminal obeys."""
    if not sys.stdout.isatty():
        write_bytes(_pieces(stream))
        return
    content = stream.read()
    if b"\0" in content:
        raise click.UsageError("these bytes are no text, and stdout is a terminal: say `> FILE` or `| PROGRAM`")
    click.echo(printable_lines(content.decode("utf-8", "backslashreplace")), nl=not content.endswith(b"\n"))


def _pieces(stream: BinaryIO) -> Iterable[bytes]:
    while piece := stream.read(_PIECE_BYTES):
        yield piece
