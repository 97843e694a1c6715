"""``skipstone checkpoints``: what a run keeps on its hosts so that it can be undone."""

import json

import click

from skipstone.errors import ExitCode


@click.command(
    epilog="""\b
Examples:
  skipstone checkpoints
  skipstone checkpoints --drop       the upgrade is accepted: make room; there is no way back then
"""
)
@click.argument("run", required=False)
@click.option("--drop", is_flag=True, help="Remove them; the run cannot be undone any more.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def checkpoints(run: str | None, *, drop: bool, yes: bool, as_json: bool) -> int:
    """List what RUN keeps on its hosts so that it can be undone: the latest run where none is named."""
    from skipstone.cli.answering import expect_yes
    from skipstone.cli.application import Application
    from skipstone.run.checkpoint import checkpoints_of, plan_drop
    from skipstone.run.directory import undone_run
    from skipstone.settings import load_settings
    from skipstone.views.progress import terminal

    settings = load_settings()
    directory = undone_run(settings.runs, run)
    kept = checkpoints_of(directory)
    if not (drop and as_json):
        if as_json:
            click.echo(json.dumps([one.model_dump(mode="json") for one in kept], indent=2))
        for one in () if as_json else kept:
            click.echo(f"{one.taken:%Y-%m-%d %H:%M} UTC  {one.host:<12}{one.provider:<8}before {one.stage}")
        if not kept and not as_json:
            click.echo(f"run {directory.run} keeps no checkpoints")
    if not drop:
        return ExitCode.DONE
    plan = plan_drop(directory)
    if not yes:
        expect_yes(f"Drop them? Run {directory.run} cannot be undone any more then.", whether="drop them")
    return Application.on_run(directory, plan, settings, terminal(stderr=True)).finish(as_json=as_json)
