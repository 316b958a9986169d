"""The program `soapsvc`: its commands, and how whatever goes wrong in one becomes a sentence and an exit code.

    0  well                                   3  unreachable (an inbox, the admin listener, stdout)
    1  findings, or a negative verdict        4  internal: a fault of soapsvc itself
    2  usage, settings, a WSDL of no use    130  ended by Ctrl-C

Modules that take long to import (spyne, zeep, flask, sqlalchemy, rich) are imported inside the commands that need them.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from soapsvc import __version__
from soapsvc.cli.contract import contract
from soapsvc.cli.demo import demo
from soapsvc.cli.inbox import inbox
from soapsvc.cli.inbox_export import export
from soapsvc.cli.inbox_requeue import requeue
from soapsvc.cli.inbox_retention import hold, release, retention
from soapsvc.cli.intake import intake
from soapsvc.cli.output import complain
from soapsvc.cli.password import password
from soapsvc.cli.push import push
from soapsvc.cli.ready import ready
from soapsvc.cli.serve import serve
from soapsvc.cli.streams import ReaderGone, StdoutFailed, drop_stdout, prepare_streams
from soapsvc.cli.target import target
from soapsvc.cli.worker import worker
from soapsvc.errors import (
    ContractError,
    MoveNotListed,
    NoSuchPush,
    SendError,
    SettingsError,
    SoapsvcError,
    StoreError,
    Unreachable,
)

WELL, FINDINGS, USAGE, UNREACHABLE, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 130

EXIT_CODES: dict[type[SoapsvcError], int] = {
    SettingsError: USAGE,
    ContractError: USAGE,
    NoSuchPush: FINDINGS,
    MoveNotListed: FINDINGS,
    StoreError: UNREACHABLE,
    SendError: FINDINGS,
    Unreachable: UNREACHABLE,
    StdoutFailed: UNREACHABLE,
}


class Program(click.Group):
    """Lists its commands in the order in which they were added: the way a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="soapsvc %(version)s")
def soapsvc() -> None:
    """Receive job reports, faxes and call detail records that a message service pushes by SOAP 1.1:
    held strictly against the WSDL, on disk before they are acknowledged.

    `soapsvc demo` shows all of it at once.
    """


for command in (requeue, export, retention, hold, release):
    inbox.add_command(command)
for command in (demo, serve, worker, push, inbox, intake, target, contract, ready, password):
    soapsvc.add_command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and end the process with its exit code; nothing that it raises becomes a traceback."""
    prepare_streams()
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except ReaderGone:
        drop_stdout()
        status = WELL
    except StdoutFailed as error:
        drop_stdout()
        complain(str(error))
        status = exit_code(error)
    sys.exit(status)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        status: int | None = soapsvc.main(args=arguments, prog_name="soapsvc", standalone_mode=False)
    except (ReaderGone, StdoutFailed):
        raise
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted")
        return INTERRUPTED
    except SoapsvcError as error:
        complain(str(error))
        return exit_code(error)
    except Exception as error:
        if os.environ.get("SOAPSVC_DEBUG") == "1":
            traceback.print_exc()
        complain(
            f"internal error ({type(error).__name__}). This is a fault of soapsvc {__version__}, not of your input: "
            "run the command again with SOAPSVC_DEBUG=1 and report what it then prints to whoever gave you soapsvc"
        )
        return INTERNAL
    return status or WELL


def exit_code(error: SoapsvcError) -> int:
    """The exit code of the error's class, or of the nearest class above that has one."""
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), INTERNAL)


if __name__ == "__main__":
    main()
