"""``skipstone status`` and ``skipstone log``: where a run stands, and what it did."""

import sys
import time
from typing import TYPE_CHECKING

import click

from skipstone.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skipstone.impact.tally import Felt
    from skipstone.run.budget import Spent
    from skipstone.run.directory import RunDirectory
    from skipstone.run.runview import RunView
    from skipstone.settings import Settings

WATCH_PAUSE = 0.5

RUN = click.argument("run", required=False)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


@click.command(epilog="\b\nExamples:\n  skipstone status\n  skipstone status --json | jq .state")
@RUN
@AS_JSON
def status(run: str | None, *, as_json: bool) -> int:
    """Show where RUN stands: the latest where none is named. It may be going on."""
    from skipstone.run.directory import find_run, run_directories
    from skipstone.settings import load_settings
    from skipstone.views.progress import run_json, run_picture
    from skipstone.views.terminal import terminal

    settings = load_settings()
    directory = find_run(settings.runs, run)
    view = directory.view()
    interrupted = is_interrupted(settings, view)
    felt, spent = _felt(directory, view)
    if as_json:
        click.echo(run_json(view, interrupted=interrupted, felt=felt, spent=spent))
        return ExitCode.DONE
    console = terminal()
    console.print(run_picture(view, interrupted=interrupted, felt=felt, spent=spent))
    console.print(f"[dim]log: skipstone log {directory.run}    files: {directory.path}[/]", soft_wrap=True)
    others = [other.run for other in run_directories(settings.runs) if other.run != directory.run]
    if others and run is None:
        console.print(f"[dim]other runs: {', '.join(others)}[/]", soft_wrap=True)
    return ExitCode.DONE


@click.command(
    epilog="""\b
Examples:
  skipstone log --step packages.ctl1
  skipstone log --json | jq .kind
"""
)
@RUN
@click.option("--step", metavar="ID", help="Only this step.")
@AS_JSON
def log(run: str | None, step: str | None, *, as_json: bool) -> int:
    """Print what RUN did: every command, everything hosts have printed, every outcome."""
    from skipstone.errors import InputError
    from skipstone.run.directory import find_run
    from skipstone.run.journal import read_events
    from skipstone.settings import load_settings
    from skipstone.views.progress import event_json, event_lines

    directory = find_run(load_settings().runs, run)
    titles = {entry.id: entry.title for entry in directory.view().steps()}
    if step is not None and step not in titles:
        known = "\n".join(titles)
        raise InputError(f"the run has no step {step!r}", evidence=known, remedy="give one of these ids")
    for event in read_events(directory.journal, step=step):
        if as_json:
            sys.stdout.write(event_json(event) + "\n")
        else:
            sys.stdout.writelines(f"{line}\n" for line in event_lines(event, titles, full=True))
    return ExitCode.DONE


@click.command(epilog="\b\nExample:\n  skipstone watch")
@RUN
def watch(run: str | None) -> int:
    """Follow RUN until it ends, stops or loses its process. Ctrl-C ends the watching, not the run."""
    from skipstone.cli.guarding import Guard
    from skipstone.impact.spending import spend
    from skipstone.run.directory import find_run
    from skipstone.run.fold import Fold
    from skipstone.run.journal import follow, read_fold
    from skipstone.settings import load_settings
    from skipstone.views.progress import run_picture, shown_progress
    from skipstone.views.terminal import terminal

    settings = load_settings()
    directory, console = find_run(settings.runs, run), terminal()
    # lines begin with the run; a picture has no past, which may be half a million events
    fold = read_fold(directory.journal) if console.is_terminal else Fold()
    guard = Guard.of(directory)
    with shown_progress(console, fold if fold.view.last_seq else None) as progress:
        while True:
            felt = guard.look_if_any()
            progress.feel(felt, spend(felt, [one.budget for one in fold.view.budgets]))
            alive = not is_interrupted(settings, fold.view)
            for event in follow(directory.journal, fold):
                progress.hear(event, fold)
            if not (fold.state.at_work and alive):
                break
            time.sleep(WATCH_PAUSE)
    felt = guard.look_if_any()
    spent = spend(felt, [one.budget for one in fold.view.budgets])
    interrupted = is_interrupted(settings, fold.view)
    console.print(run_picture(fold.view, interrupted=interrupted, felt=felt, spent=spent))
    return ExitCode.DONE


def _felt(directory: "RunDirectory", view: "RunView") -> "tuple[Sequence[Felt], Sequence[Spent]]":
    """Return what users have felt, and what was spent of the budgets; nothing where nothing is measured."""
    from skipstone.cli.guarding import Guard
    from skipstone.impact.spending import spend

    felt = Guard.of(directory).look_if_any()
    return felt, spend(felt, [one.budget for one in view.budgets]) if felt else ()


def is_interrupted(settings: "Settings", view: "RunView") -> bool:
    """Return whether a run that its journal calls going on has lost its process."""
    from skipstone.run.lock import holder_of

    if not view.state.at_work:
        return False
    holder = holder_of(settings.locks, view.cloud)
    return holder is None or holder.run != view.run
