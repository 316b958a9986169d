"""`soapsvc inbox export`: stored pushes as files, in a directory or a ZIP file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soapsvc.cli.opened import opened
from soapsvc.cli.options import inbox_option
from soapsvc.cli.output import count, printable, tell
from soapsvc.records import PushKind, PushState

if TYPE_CHECKING:
    from soapsvc.inbox.store import InboxStore
    from soapsvc.inbox_export import Export
    from soapsvc.records import InboxRow

_KINDS, _STATES = [str(kind) for kind in PushKind], [str(state) for state in PushState]
_WHEN = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command(short_help="Pushes as files.")
@click.argument("where", metavar="DIR|FILE.zip", type=click.Path(path_type=Path))
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice([str(kind) for kind in PushKind]), help="Of that kind."
)
@click.option("--state", type=click.Choice([str(state) for state in PushState]), help="In that state.")
@click.option("--since", type=_WHEN, metavar="TIME", help="That arrived then or later, in UTC.")
@click.option("--until", type=_WHEN, metavar="TIME", help="That arrived before, in UTC.")
@inbox_option
def export(
    where: Path,
    kinds: tuple[str, ...],
    state: str | None,
    since: datetime | None,
    until: datetime | None,
    inbox_url: str | None,
    config: Path | None,
) -> None:
    """Write pushes as files: a folder each, with record.json, envelope.xml and documents/.

    A directory can be gone on with: what is there as a whole is left alone. A ZIP file is never written over.
    """
    with opened(inbox_url, config) as store:
        rows = store.rows(limit=None, state=PushState(state) if state else None)
        asked = _asked(rows, kinds, since, until)
        try:
            made, there = _write(_opened(where), store, asked)
        except OSError as error:
            raise click.UsageError(f"{printable(str(where))} cannot be written: {error.strerror or error}") from error
    left = f", {there} were there already" if there else ""
    tell(f"{count(made, 'push', 'pushes')} written to {where}{left}")


def _opened(where: Path) -> Export:
    from soapsvc.inbox_export import DirectoryExport, ZipExport

    return ZipExport(where) if where.suffix.lower() == ".zip" else DirectoryExport(where)


def _write(to: Export, store: InboxStore, rows: Iterable[InboxRow]) -> tuple[int, int]:
    made = there = 0
    for row in rows:
        if to.put(store, row.id):
            made += 1
        else:
            there += 1
    to.finish()
    return made, there


def _asked(
    rows: Iterable[InboxRow], kinds: tuple[str, ...], since: datetime | None, until: datetime | None
) -> Iterator[InboxRow]:
    for row in rows:  # newest first
        if since is not None and row.received_at < since.replace(tzinfo=UTC):
            return
        if (until is None or row.received_at < until.replace(tzinfo=UTC)) and (not kinds or row.kind in kinds):
            yield row
