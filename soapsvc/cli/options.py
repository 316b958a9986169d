"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from soapsvc.records import Conformance

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def config_option(command: Command) -> Command:
    """--config FILE, handed over as `config`."""
    return click.option(
        "--config", type=FILE, metavar="FILE", help="The settings file.  [default: soapsvc.toml, where there is one]"
    )(command)


def inbox_option(command: Command) -> Command:
    """--inbox URL and --config FILE, handed over as `inbox_url` and `config`."""
    return config_option(
        click.option("--inbox", "inbox_url", metavar="URL", help="The store.  [default: sqlite:///soapsvc-inbox.db]")(
            command
        )
    )


def json_option(command: Command) -> Command:
    """--json, handed over as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")(command)


def conformance_option(command: Command) -> Command:
    """--conformance DEGREE, handed over as `conformance`."""
    return click.option(
        "--conformance", type=click.Choice([str(degree) for degree in Conformance]),
        help="How strictly a push is held against the contract.  [default: strict]",
    )(command)  # fmt: skip


def wsdl_option(command: Command) -> Command:
    """--wsdl FILE, handed over as `wsdl`."""
    return click.option(
        "--wsdl", type=FILE, metavar="FILE", help="The contract in force.  [default: the shipped reconstruction]"
    )(command)
