"""``skipstone checkpoints``: what a run keeps on its hosts so that it can be undone."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from skipstone.errors import ExitCode, InputError, SkipstoneError

if TYPE_CHECKING:
    from skipstone.run.checkpoint import Kept
    from skipstone.run.directory import RunDirectory
    from skipstone.settings import Settings

UNITS = {"h": "hours", "d": "days", "w": "weeks"}


class Age(click.ParamType[timedelta]):
    """``30d``, ``12h`` or ``4w``."""

    name = "age"

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> timedelta:
        """Return the age that a text gives."""
        found = re.fullmatch(r"(\d{1,5})([hdw])", str(value))
        if found is None:
            self.fail(f"{value!r} is not an age: 12h, 30d or 4w", parameter, context)
        return timedelta(**{UNITS[found[2]]: int(found[1])})


@click.command(
    epilog="""\b
Examples:
  skipstone checkpoints
  skipstone checkpoints --drop       the upgrade is accepted: make room; there is no way back then
  skipstone checkpoints --older-than 30d --drop --yes
"""
)
@click.argument("run", required=False)
@click.option("--older-than", type=Age(), help="All runs that are over for longer, but a cloud's latest.")
@click.option("--drop", is_flag=True, help="Remove all of it; the run cannot be undone any more.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def checkpoints(
    run: str | None, *, older_than: timedelta | None, drop: bool, yes: bool, as_json: bool
) -> int:
    """List what RUN keeps on its hosts so that it can be undone: the latest run where none is named.

    That is snapshots, backups and records of jobs, with the room they take. Nothing is dropped by itself.
    """
    from skipstone.cli.answering import expect_yes
    from skipstone.cli.main import show_error
    from skipstone.run.directory import undone_run
    from skipstone.settings import load_settings

    if run and older_than is not None:
        raise InputError("a run is named, and an age is given", remedy="give one of both")
    settings = load_settings()
    runs = [undone_run(settings.runs, run)] if older_than is None else _old(settings, older_than)
    _list(runs, as_json=as_json)
    if not drop or not runs:
        return ExitCode.DONE
    if not yes:
        names = ", ".join(one.run for one in runs)
        expect_yes(f"Drop it? It cannot be undone any more then: {names}.", whether="drop it")
    stopped = [fault for fault in (_drop(one, settings) for one in runs) if fault]
    for fault in stopped[:-1]:
        show_error(fault)
    if stopped:
        raise stopped[-1]
    return ExitCode.DONE


def _old(settings: "Settings", age: timedelta) -> "list[RunDirectory]":
    from skipstone.run.checkpoint import old_runs

    return old_runs(settings.runs, age, datetime.now(UTC))


def _drop(directory: "RunDirectory", settings: "Settings") -> SkipstoneError | None:
    """Drop what a run keeps; return what stopped that, for the other runs shall not have to wait for it."""
    from skipstone.cli.application import Application
    from skipstone.run.checkpoint import plan_drop
    from skipstone.views.terminal import terminal

    console = terminal(stderr=True)
    try:
        Application.on_run(directory, plan_drop(directory), settings, console).finish(as_json=False)
    except SkipstoneError as fault:
        return fault
    return None


def _list(runs: "list[RunDirectory]", *, as_json: bool) -> None:
    import json

    from skipstone.run.checkpoint import kept_by

    kept = [asyncio.run(_sized(one, kept_by(one))) for one in runs]
    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json") for one in kept], indent=2))
        return
    for one in kept:
        click.echo(_head(one))
        for line in _lines(one):
            click.echo(f"  {line}")
    if not kept:
        click.echo("no run is that old and still keeps anything")


def _head(kept: "Kept") -> str:
    if kept.dropping:
        return (
            f"run {kept.run} keeps what is left of it: its drop, begun {kept.dropping:%Y-%m-%d %H:%M} UTC,"
            f" did not come to its end; `skipstone checkpoints {kept.run} --drop` goes on with it"
        )
    return f"run {kept.run} keeps" if kept.backups else f"run {kept.run} keeps nothing"


def _lines(kept: "Kept") -> list[str]:
    from skipstone.views.measure import megabytes

    snapshots = [
        f"{one.host:<12}{one.provider:<10}{one.taken:%Y-%m-%d %H:%M} UTC, before {one.stage}"
        f"{'' if one.whole else '; not whole: nothing can come back from it'}"
        for one in kept.checkpoints
    ]
    backups = [
        f"{one.host:<12}{'backups':<10}"
        f"{'size not known' if one.size is None else megabytes(one.size)}, {one.directories[0]}"
        for one in kept.backups
    ]
    return [*snapshots, *backups]


async def _sized(directory: "RunDirectory", kept: "Kept") -> "Kept":
    """Ask the hosts for sizes; what cannot be asked is not known."""
    from skipstone.cloud.inventory import load_inventory
    from skipstone.cloud.transport import open_transport
    from skipstone.run.checkpoint import with_sizes

    if not kept.backups:
        return kept
    try:
        inventory = load_inventory(directory.inventory)
    except InputError:
        return kept
    async with open_transport(inventory) as transport:
        return await with_sizes(kept, transport)
