"""`soapsvc target`: where accepted pushes are handed on to, how that stands, and whether it is paused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from soapsvc.cli.inbox_tables import targets_table
from soapsvc.cli.opened import opened_with
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
    from soapsvc.web.delivery_notes import known_target_object, known_targets

    settings = _settings(inbox_url, config)
    with opened_with(settings) as store:
        found = known_targets(settings.delivery, store.outbox.figures())
    if as_json:
        for one in found:
            print_json(known_target_object(one))
    elif found:
        show(targets_table(found))
    else:
        tell("there is no target: the settings have no [[delivery]]")


@target.command(short_help="Deliver nothing there until it is resumed.")
@click.argument("name")
@inbox_option
def pause(name: str, inbox_url: str | None, config: Path | None) -> None:
    """Every worker leaves the target alone, after what it has under way; what comes in is queued meanwhile."""
    settings = _settings(inbox_url, config, name)
    with opened_with(settings, to_write=True) as store:
        store.outbox.pause(name)
    tell(f"{name} is paused; `soapsvc target resume {name}` goes on")


@target.command(short_help="Deliver there again.")
@click.argument("name")
@inbox_option
def resume(name: str, inbox_url: str | None, config: Path | None) -> None:
    """Workers go on within a second."""
    settings = _settings(inbox_url, config, name)
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


def _settings(inbox_url: str | None, config: Path | None, name: str | None = None) -> Settings:
    """name: a target that they have. Errors: NoSuchTarget."""
    from soapsvc.delivery_settings import entry_named
    from soapsvc.settings import load_settings

    settings = load_settings({"inbox": inbox_url}, config)
    if name is not None:
        entry_named(settings.delivery, name)
    return settings
