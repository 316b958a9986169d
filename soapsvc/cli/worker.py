"""`soapsvc worker`: delivers, and removes what is due, apart from the receiver."""

from __future__ import annotations

from pathlib import Path

import click

from soapsvc.cli.options import inbox_option


@click.command(short_help="Deliver what came in, until SIGTERM.")
@inbox_option
def worker(inbox_url: str | None, config: Path | None) -> int:
    """Deliver to the targets of [[delivery]], and apply [retention], until SIGTERM.

    Any number of workers share the deliveries of an inbox. A receiver beside them has delivery_worker = "apart".
    """
    from soapsvc.cli.opened import opened_with
    from soapsvc.settings import load_settings
    from soapsvc.worker import run_worker

    settings = load_settings({"inbox": inbox_url}, config)
    if not settings.delivery and not settings.retention.given:
        raise click.UsageError("the settings have no [[delivery]] and no [retention]: there is nothing to do")
    with opened_with(settings, to_write=True) as store:
        return run_worker(settings, store)
