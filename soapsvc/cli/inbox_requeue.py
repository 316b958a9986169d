"""`soapsvc inbox requeue`: deliveries put back by an operator."""

from __future__ import annotations

from pathlib import Path

import click

from soapsvc.cli.opened import opened_with, whole_id
from soapsvc.cli.options import inbox_option
from soapsvc.cli.output import count, tell
from soapsvc.errors import MoveNotListed, NoSuchPush


@click.command(short_help="Deliveries put back, to be tried again.")
@click.argument("push_ids", metavar="[ID]...", nargs=-1)
@click.option("--delivery", metavar="NAME", help="To that target alone: even if it has arrived, or was never queued.")
@click.option("--dead", is_flag=True, help="Every dead letter.")
@inbox_option
def requeue(
    push_ids: tuple[str, ...], delivery: str | None, dead: bool, inbox_url: str | None, config: Path | None
) -> int:
    """Put deliveries back: due at once, and with all their attempts before them.

    Without --delivery: those of the push that have not arrived. A line each; exit 1 where there was none to put back.
    """
    if bool(push_ids) == dead:
        raise click.UsageError("name pushes by their ID, or say --dead for every dead letter: one of the two")
    from soapsvc.delivery_settings import entry_named
    from soapsvc.settings import load_settings

    settings = load_settings({"inbox": inbox_url}, config)
    if delivery is not None:
        entry_named(settings.delivery, delivery)
    with opened_with(settings, to_write=True) as store:
        if dead:
            tell(f"{count(store.outbox.requeue_dead(delivery), 'dead letter')} put back")
            return 0
        done = True
        for given in push_ids:
            push_id = whole_id(store, given)
            try:
                put_back = store.outbox.requeue(push_id, delivery)
            except MoveNotListed as under_way:
                raise NoSuchPush(f"push {push_id} to {delivery}: {under_way}") from under_way
            for name in put_back:
                print(f"{push_id} {name} requeued")
            if not put_back:
                tell(f"{push_id} has nothing to put back: all has arrived or is under way; --delivery names a target")
                done = False
    return 0 if done else 1
