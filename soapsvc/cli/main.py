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
from importlib import import_module
from typing import NoReturn

import click

from soapsvc import __version__
from soapsvc.cli.output import complain
from soapsvc.cli.streams import ReaderGone, StdoutFailed, drop_stdout, prepare_streams
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


COMMANDS = ("demo", "serve", "worker", "push", "inbox", "intake", "target", "contract", "ready", "password")
"""In the order in which a newcomer meets them; each is in the module of its name."""


class Program(click.Group):
    """Imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(f"soapsvc.cli.{cmd_name}"), cmd_name)
        return command


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="soapsvc %(version)s")
def soapsvc() -> None:
    """Receive job reports, faxes and call detail records that a message service pushes by SOAP 1.1:
    held strictly against the WSDL, on disk before they are acknowledged.

    `soapsvc demo` shows all of it at once.
    """


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
