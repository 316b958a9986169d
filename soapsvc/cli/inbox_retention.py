"""`soapsvc inbox retention`, `hold` and `release`: what is removed, and what is kept all the same."""

from __future__ import annotations

from pathlib import Path

import click

from soapsvc.cli.opened import opened_with, whole_id
from soapsvc.cli.options import inbox_option, json_option
from soapsvc.cli.output import count, moment, print_json, show, size, table, tell


@click.command(short_help="What is too old, or too much.")
@click.option("--dry-run", "look", is_flag=True, help="Tell what would be removed.")
@click.option("--apply", "remove", is_flag=True, help="Remove it.")
@inbox_option
@json_option
def retention(look: bool, remove: bool, inbox_url: str | None, config: Path | None, as_json: bool) -> None:
    """Remove what the bounds of [retention] leave out, by age, number and bytes of each state.

    Never what is held, or has a delivery that has not arrived. A worker does the same each hour. One of --dry-run and
    --apply; exit 2 where the settings have no [retention].
    """
    if look == remove:
        raise click.UsageError("say --dry-run to see what would be removed, or --apply to remove it: one of the two")
    from soapsvc.settings import load_settings

    settings = load_settings({"inbox": inbox_url}, config)
    if not settings.retention.given:
        raise click.UsageError("the settings have no [retention]: everything is kept")
    with opened_with(settings, to_write=remove) as store:
        if remove:
            done = store.retention.apply(settings.retention)
            if as_json:
                print_json({"pushes": done.pushes, "bytes": done.bytes, "weeks": done.weeks})
            else:
                whole = f", {count(done.weeks, 'week')} as a whole" if done.weeks else ""
                tell(f"{count(done.pushes, 'push', 'pushes')} removed, {size(done.bytes)}{whole}")
            return
        due = store.retention.due(settings.retention)
    if as_json:
        for one in due:
            print_json({"state": one.state.value, "pushes": one.pushes, "bytes": one.bytes, "kept": one.kept})
        return
    show(
        table(
            ("state", "to be removed", "bytes", "kept all the same", "the newest of them"),
            ((one.state, one.pushes, size(one.bytes), one.kept or "-", moment(one.newest_at)) for one in due),
            right=("to be removed", "bytes", "kept all the same"),
        )
    )


@click.command(short_help="Retention leaves a push alone.")
@click.argument("push_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever looks at it later.")
@inbox_option
def hold(push_ids: tuple[str, ...], reason: str, inbox_url: str | None, config: Path | None) -> None:
    """Keep accepted pushes until they are released."""
    from soapsvc.settings import load_settings

    with opened_with(load_settings({"inbox": inbox_url}, config), to_write=True) as store:
        for push_id in [whole_id(store, given) for given in push_ids]:
            store.retention.hold(push_id, reason)
            print(f"{push_id} held")


@click.command(short_help="Retention may remove a push again.")
@click.argument("push_ids", metavar="ID...", nargs=-1, required=True)
@inbox_option
def release(push_ids: tuple[str, ...], inbox_url: str | None, config: Path | None) -> int:
    """Let go of pushes that are held; exit 1 where one was not."""
    from soapsvc.settings import load_settings

    all_held = True
    with opened_with(load_settings({"inbox": inbox_url}, config), to_write=True) as store:
        for push_id in [whole_id(store, given) for given in push_ids]:
            held = store.retention.release(push_id)
            all_held = all_held and held
            print(f"{push_id} {'released' if held else 'was not held'}")
    return 0 if all_held else 1
