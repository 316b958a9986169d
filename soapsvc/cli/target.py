"""`soapsvc target`: where accepted pushes are handed on to, how that stands, and whether it is paused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soapsvc.cli.inbox import opened_with
from soapsvc.cli.inbox_tables import targets_table
from soapsvc.cli.options import inbox_option, json_option
from soapsvc.cli.output import count, print_json, show, tell

if TYPE_CHECKING:
    from soapsvc.settings import Settings


@click.group(short_help="Where pushes are handed on to.")
def target() -> None:
    """The targets of [[delivery]], by name: how their deliveries stand, pause and resume them."""


@target.command("list", short_help="How the deliveries to each stand.")
@inbox_option
@json_option
def list_(inbox_url: str | None, config: Path | None, as_json: bool) -> None:
    """How the deliveries to each target stand; --json gives an object a line."""
    from soapsvc.inbox.json_forms import target_object

    settings = _settings(inbox_url, config)
    with opened_with(settings) as store:
        found = store.outbox.figures()
    if as_json:
        for one in found:
            print_json(target_object(one))
    elif found:
        show(targets_table(found, _notes(settings)))
    else:
        tell("nothing was queued for a target yet")


@target.command(short_help="Deliver nothing there until it is resumed.")
@click.argument("name")
@inbox_option
def pause(name: str, inbox_url: str | None, config: Path | None) -> None:
    """Every worker leaves the target alone, after what it has under way; what comes in is queued meanwhile."""
    settings = _settings(inbox_url, config)
    _must_be_known(name, settings)
    with opened_with(settings, to_write=True) as store:
        store.outbox.pause(name)
    tell(f"{name} is paused; `soapsvc target resume {name}` goes on")


@target.command(short_help="Deliver there again.")
@click.argument("name")
@inbox_option
def resume(name: str, inbox_url: str | None, config: Path | None) -> None:
    """Workers go on within a second."""
    settings = _settings(inbox_url, config)
    _must_be_known(name, settings)
    with opened_with(settings, to_write=True) as store:
        store.outbox.resume(name)
    tell(f"{name} goes on")


@target.command(short_help="Give up what waits for it.")
@click.argument("name")
@inbox_option
def cancel(name: str, inbox_url: str | None, config: Path | None) -> None:
    """Give up every delivery that waits for the target, dead letters included: of one that is taken out of the
    settings, so that retention may remove the pushes. `soapsvc inbox requeue ID --delivery NAME` takes one back."""
    with opened_with(_settings(inbox_url, config), to_write=True) as store:
        given_up = store.outbox.cancel(name)
    tell(f"{count(given_up, 'delivery', 'deliveries')} to {name} given up")


def _settings(inbox_url: str | None, config: Path | None) -> Settings:
    from soapsvc.settings import load_settings

    return load_settings({"inbox": inbox_url}, config)


def _must_be_known(name: str, settings: Settings) -> None:
    names = [one.name for one in settings.delivery]
    if name not in names:
        there = ", ".join(names) or "none"
        raise click.UsageError(f"no [[delivery]] of the settings has the name {name!r}; there is {there}")


def _notes(settings: Settings) -> Mapping[str, str]:
    return {
        one.name: "paused in the settings" if one.paused else "consumers ask for it" if one.is_lease else ""
        for one in settings.delivery
    }
