"""``skipstone rollback``: undo what a run has done."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.errors import ExitCode, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from skipstone.plan.plan import Plan
    from skipstone.run.directory import RunDirectory


@click.command(
    epilog="""\b
Examples:
  skipstone rollback --dry-run
  skipstone rollback --yes

It can be stopped and killed as any run; `skipstone rollback` again goes on with it. Refused past the point of
no return. No database is taken back, so nothing that users did meanwhile is lost.
"""
)
@click.argument("run", required=False)
@click.option("--dry-run", is_flag=True, help="Only print what would be undone, with every command.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan, or how the rollback ended, as JSON.")
def rollback(run: str | None, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Undo what RUN has done, the last first: the latest run where none is named."""
    from skipstone.cli.application import Application, Options
    from skipstone.cloud.inventory import load_inventory
    from skipstone.plan.planfile import to_data
    from skipstone.run.rollback import plan_rollback
    from skipstone.settings import load_settings
    from skipstone.views.progress import terminal
    from skipstone.views.runbook import runbook

    settings = load_settings()
    directory = _undone(settings.runs, run)
    plan = plan_rollback(directory)
    if dry_run:
        click.echo(json.dumps(to_data(plan), indent=2) if as_json else runbook(plan))
        return ExitCode.DONE
    console = terminal(stderr=True)
    _confirm(plan, console, yes=yes)
    application = Application(
        plan=plan,
        inventory=load_inventory(directory.inventory),
        settings=settings,
        options=Options(yes=True, measure=False),
        console=console,
    )
    return application.finish(as_json=as_json)


def _undone(runs: Path, name: str | None) -> "RunDirectory":
    """Return the run to undo; of a rollback that has not ended, the run that it undoes."""
    from skipstone.run.directory import find_run

    directory = find_run(runs, name)
    undoes = directory.view().undoes
    return find_run(runs, undoes) if undoes and name is None else directory


def _confirm(plan: "Plan", console: "Console", *, yes: bool) -> None:
    for stage in plan.stages:
        for step in stage.steps:
            console.print(f"  {step.host:<10}{step.title}")
    console.print("No database is taken back: nothing that users did meanwhile is lost.")
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError("nobody can be asked here whether to roll back", remedy="say --yes to do it unasked")
    click.confirm("Roll back?", abort=True, err=True)
