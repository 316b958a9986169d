"""The inbox of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soapsvc.cli.output import count, printable
from soapsvc.errors import NoSuchPush

if TYPE_CHECKING:
    from soapsvc.inbox.store import InboxStore
    from soapsvc.settings import Settings

_AMBIGUOUS_SHOWN = 5


@contextmanager
def opened(inbox_url: str | None, config: Path | None) -> Iterator[InboxStore]:
    """The store of the settings, to look at: it is not made where there is none. Errors: StoreError."""
    from soapsvc.settings import load_settings

    with opened_with(load_settings({"inbox": inbox_url}, config)) as store:
        yield store


@contextmanager
def opened_with(settings: Settings, *, to_write: bool = False) -> Iterator[InboxStore]:
    """The same of settings that are loaded. to_write: as a receiver opens it."""
    from soapsvc.delivery.routes import routes
    from soapsvc.inbox.sql_store import open_store
    from soapsvc.logs import configure_logs

    configure_logs(settings.log_format)

    store = open_store(
        settings.inbox,
        quarantine_max_bytes=settings.quarantine_max_bytes,
        quarantine_max_bytes_per_source=settings.quarantine_max_bytes_per_source,
        create=to_write,
        documents=settings.documents,
        spool=settings.spool,
        route=routes(settings.delivery),
    )
    try:
        yield store
    finally:
        store.close()


def whole_id(store: InboxStore, given: str) -> str:
    """The id that begins as given, or else ends so. Errors: NoSuchPush, click.UsageError where several do."""
    if not given:
        raise click.UsageError("the ID is empty; `soapsvc inbox list` shows them")
    if not (given.isascii() and given.isalnum()):
        raise click.UsageError(
            f"{printable(given)} is no id: they are letters and digits, as `soapsvc inbox list` shows"
        )
    found = store.ids_with(given.lower(), _AMBIGUOUS_SHOWN + 1)
    if not found:
        raise NoSuchPush(f"no push has an id that begins or ends with {given}; `soapsvc inbox list --all` shows them")
    if len(found) > 1:
        more = ", …" if len(found) > _AMBIGUOUS_SHOWN else ""
        raise click.UsageError(
            f"{given} is part of {count(len(found), 'id')}{' or more' if more else ''}: "
            f"{', '.join(found[:_AMBIGUOUS_SHOWN])}{more}"
        )
    return found[0]
