"""`soapsvc ready`: ask the admin listener whether pushes would be taken now."""

from __future__ import annotations

import http.client
import time
from ipaddress import ip_address
from pathlib import Path

import click

from soapsvc.cli.options import config_option
from soapsvc.cli.output import complain, printable_lines, tell

_ANSWER_SECONDS = 10  # the store's trial write may wait for a commit that is under way
_PAUSE_SECONDS = 0.2
_READ_BYTES = 64 * 1024


@click.command(short_help="Would a push be taken now?")
@click.option(
    "--wait", "wait_seconds", type=click.FloatRange(min=0), default=0, metavar="SECONDS",
    help="Ask again until it is ready, at most this long.",
)  # fmt: skip
@click.option("--admin", metavar="HOST:PORT", help="The admin listener.  [default: 127.0.0.1:8081]")
@config_option
def ready(wait_seconds: float, admin: str | None, config: Path | None) -> int:
    """Exit 0 when the receiver would take a push now: store writable, contract loaded, disk space left.

    Exit 1 when it says no, 3 when nobody answers.
    """
    from soapsvc.settings import host_and_port, load_settings

    try:
        host, port = host_and_port(load_settings(config=config).admin if admin is None else admin)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--admin") from error
    if port == 0:
        raise click.UsageError("admin has port 0, any free one: say which one it got with --admin HOST:PORT")
    until = time.monotonic() + wait_seconds
    while True:
        status, said = _ask(_reachable(host), port)
        if status == http.client.OK or time.monotonic() + _PAUSE_SECONDS > until:
            break
        time.sleep(_PAUSE_SECONDS)
    if status is None:
        complain(f"nobody answers at http://{host}:{port}/readyz ({said}): is `soapsvc serve` running?")
        return 3
    click.echo(printable_lines(said.rstrip("\n")))
    if status != http.client.OK:
        tell(f"not ready (HTTP {status})")
        return 1
    return 0


def _ask(host: str, port: int) -> tuple[int | None, str]:
    """HTTP status and body, or None and why there is none."""
    connection = http.client.HTTPConnection(host, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read(_READ_BYTES).decode("utf-8", "replace")
    except OSError as error:
        return None, error.strerror or type(error).__name__
    except (http.client.HTTPException, UnicodeError) as error:  # UnicodeError: the host is no name in the DNS
        return None, type(error).__name__
    finally:
        connection.close()


def _reachable(host: str) -> str:
    """The host to ask where the listener stands on every address."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"
