"""``skipstone rollback``: undo what a run has done."""

import asyncio
import json
from typing import TYPE_CHECKING

import click

from skipstone.errors import ExitCode, RollbackRefused, SkipstoneError

if TYPE_CHECKING:
    from rich.console import Console

    from skipstone.cloud.inventory import Inventory
    from skipstone.run.directory import RunDirectory
    from skipstone.run.rollback import Rollback


@click.command(
    epilog="""\b
Examples:
  skipstone rollback --dry-run
  skipstone rollback --to sample      back to before the first compute; `skipstone resume` goes on from there
  skipstone rollback --yes

It can be stopped and killed as any run; `skipstone rollback` again goes on with it. Refused past the point of
no return. What users lose by it is listed first.

\b
Exit codes:
  0  rolled back, or to the stage of --to
  2  refused: nothing was touched
  4  stopped: see the evidence
"""
)
@click.argument("run", required=False)
@click.option("--to", metavar="STAGE", default="", help="Only to the beginning of this stage.")
@click.option("--dry-run", is_flag=True, help="Only print what would be undone, with every command.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan, or how the rollback ended, as JSON.")
def rollback(run: str | None, *, to: str, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Undo what RUN has done, the last first: the latest run where none is named."""
    from skipstone.cli.application import Application
    from skipstone.cloud.inventory import load_inventory
    from skipstone.plan.planfile import to_data
    from skipstone.run.directory import undone_run
    from skipstone.run.rollback import plan_rollback
    from skipstone.settings import load_settings
    from skipstone.views.runbook import runbook
    from skipstone.views.terminal import terminal

    settings = load_settings()
    directory = undone_run(settings.runs, run)
    undoing = plan_rollback(directory, to)
    console = terminal(stderr=True)
    if dry_run:
        click.echo(json.dumps(to_data(undoing.plan), indent=2) if as_json else runbook(undoing.plan))
        _show_losses(undoing, directory, console)
        return ExitCode.DONE
    if undoing.intact:
        asyncio.run(_expect_intact(undoing, load_inventory(directory.inventory)))
    _confirm(undoing, directory, console, yes=yes)
    return Application.on_run(directory, undoing.plan, settings, console).finish(as_json=as_json)


async def _expect_intact(undoing: "Rollback", inventory: "Inventory") -> None:
    """Raise RollbackRefused where a host has lost what the rollback needs; nothing is changed by asking."""
    from skipstone.cloud.masking import Secrets
    from skipstone.cloud.transport import open_transport

    async with open_transport(inventory) as transport:
        answers = await asyncio.gather(*(transport.run(one, deadline=60) for one in undoing.intact))
    broken = [
        f"{command.host}: {Secrets().without_secrets(answer.stderr.strip()) or 'did not answer'}"
        for command, answer in zip(undoing.intact, answers, strict=True)
        if not answer.ok
    ]
    if broken:
        raise RollbackRefused(
            "the way back is not whole; nothing was touched",
            where=undoing.plan.of_run,
            evidence="\n".join(broken),
            remedy="make these hosts answer; what is lost there has to be restored from backups of your own",
        )


def _confirm(undoing: "Rollback", directory: "RunDirectory", console: "Console", *, yes: bool) -> None:
    from skipstone.cli.answering import expect_yes

    for stage in undoing.plan.stages:
        for step in stage.steps:
            console.print(f"  {step.host:<10}{step.title}")
    _show_losses(undoing, directory, console)
    if not yes:
        expect_yes("Roll back?", whether="roll back")


def _show_losses(undoing: "Rollback", directory: "RunDirectory", console: "Console") -> None:
    """Say to which moment the databases go back, and name what users have made or removed since."""
    if undoing.lost:
        console.print(f"[bold]{', '.join(undoing.lost)}: written off,[/] so nothing is undone there.")
    if undoing.machines:
        console.print(
            f"[bold]{', '.join(undoing.machines)}: the whole machine comes back,[/] with every disk that is"
            " in its snapshot; it is away meanwhile."
        )
    if undoing.data_of is None:
        console.print("No database is taken back: nothing that users did meanwhile is lost.")
        if hosts := ", ".join(undoing.systems):
            console.print(
                f"Instances that were begun on {hosts} since run on there, but an older libvirt may not know"
                " them: look at them afterwards."
            )
        return
    console.print(f"[bold]The databases go back to {undoing.data_of:%Y-%m-%d %H:%M:%S} UTC.[/]")
    if not undoing.served:
        console.print("No API has served since, so nothing that users did is lost.")
        return
    console.print(
        "What users did since is lost to the cloud; instances run on, and disks stay where they are:"
    )
    for line in _changes(directory, console):
        console.print(f"  {line}", soft_wrap=True)


def _changes(directory: "RunDirectory", console: "Console") -> list[str]:
    """Return a line for each thing that users made, moved or removed since the run has begun."""
    from skipstone.apart import apart
    from skipstone.cli.measuring import look_from_outside
    from skipstone.cloud.inventory import load_inventory
    from skipstone.impact.verification import load_look, users_changes

    console.print("looking at the cloud from outside")
    try:
        before = load_look(directory.path / "before.json")
        now = apart(look_from_outside, load_inventory(directory.inventory))
    except SkipstoneError as error:
        return [f"[yellow]it is not known what that is:[/] {error}"]
    return users_changes(before, now) or ["nothing was made, moved or removed since the run began"]
