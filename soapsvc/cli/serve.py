"""`soapsvc serve`: the receiver, until SIGTERM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from soapsvc.cli.options import config_option, conformance_option, wsdl_option


@click.command(short_help="Receive pushes until SIGTERM.")
@config_option
@click.option("--listen", metavar="HOST:PORT", help="The public listener.  [default: 127.0.0.1:8080]")
@click.option("--admin", metavar="HOST:PORT", help="The admin listener.  [default: 127.0.0.1:8081]")
@click.option("--inbox", metavar="URL", help="The store.  [default: sqlite:///soapsvc-inbox.db]")
@wsdl_option
@conformance_option
@click.option("--public-url", metavar="URL", help="What senders use; the served WSDL names it.")
@click.option("--processes", metavar="N", help="Receiver processes.  [default: 1]")
@click.option("--threads", metavar="N", help="Worker threads in each process.  [default: 8]")
def serve(config: Path | None, **flags: Any) -> int:
    """Receive pushes until SIGTERM, which finishes what is under way and exits 0.

    Each flag is also a setting: SOAPSVC_LISTEN in the environment, listen in soapsvc.toml.
    """
    from soapsvc.settings import load_settings

    settings = load_settings(flags, config)
    from soapsvc.serving import serve as run

    run(settings)
    return 0
