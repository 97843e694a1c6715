"""Which run of a plan goes on, or begins; apart from what only looks at runs, which needs no plan."""

import json
from dataclasses import asdict
from pathlib import Path

from skipstone import __version__
from skipstone.errors import InputError, PlanRefused
from skipstone.plan.plan import Plan
from skipstone.plan.planfile import plan_digest, save_plan
from skipstone.run.directory import Origin, RunDirectory, expect_not_rolling_back, journal_gone, runs_of
from skipstone.run.durable import replace_durably
from skipstone.run.name import escaped
from skipstone.run.runview import RunView
from skipstone.run.state import RunState


def create(directory: RunDirectory, plan: Plan, origin: Origin) -> None:
    """Make a run's directory, with what ``resume`` needs to go on with the run.

    Every sitting does: where this one cannot write, what the one before has left stays.
    """
    directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    save_plan(plan, directory.plan)
    if _origin_of(directory) != origin:
        replace_durably(directory.record, json.dumps(asdict(origin)))


def _origin_of(directory: RunDirectory) -> Origin | None:
    try:
        return directory.origin()
    except InputError:  # there is none yet, or an earlier version has left half of it
        return None


def run_of(runs: Path, plan: Plan, *, fresh: bool) -> RunDirectory:
    """Return the run that applying a plan goes on with: its last unfinished one, or a new one.

    A rollback that is done, but has not told so, is not finished.

    ``fresh`` asks for a new one in any case. Raise PlanRefused where the unfinished run is of another
    plan of this id, InputError where it has lost its journal.
    """
    earlier = runs_of(runs, plan.id)
    number = int(earlier[-1].run.rpartition("-")[2]) + 1 if earlier else 1
    new = RunDirectory(runs / f"{escaped(plan.id)}-{number}")
    if not earlier or fresh:
        return new
    last = earlier[-1]
    if last.bereft:
        raise journal_gone(last)
    view = last.standing()
    if view is None:
        return last
    if view.state.over:
        return last if _untold(view, runs) else new
    expect_not_rolling_back(view)
    _expect_same(view, plan, last)
    return last


def version_for(runs: Path, plan: str) -> str:
    """Return the version of Skipstone that a plan is of which is made from another run's journal, by its id.

    While a run of it goes on, that is the version that began it, for a repaired one goes on with the same
    plan; else the present one.
    """
    earlier = runs_of(runs, plan)
    view = earlier[-1].standing() if earlier else None
    goes_on = view and (not view.state.over or _untold(view, runs))
    return view.skipstone if view and goes_on else __version__


def _untold(view: RunView, runs: Path) -> bool:
    """Return whether a rollback is done, and died before it could tell the run that it has undone."""
    if not view.of_run or view.state is not RunState.DONE:
        return False
    other = RunDirectory(runs / view.of_run).view()
    return other.state is RunState.ROLLING_BACK and other.undoing_by == view.run


def _expect_same(view: RunView, plan: Plan, run: RunDirectory) -> None:
    if view.plan_digest == plan_digest(plan):
        return
    stands = f"the run is {view.state}: {view.reason}"
    if plan.of_run:
        raise PlanRefused(
            f"run {run.run} is not finished, and this version of Skipstone makes another plan of it",
            where=str(run.path),
            evidence=f"it was begun with version {view.skipstone}, this is {__version__}; {stands}",
            remedy=f"`skipstone resume {run.run}` goes on as it was begun; or give it up with"
            f" `skipstone abort {run.run} --reason TEXT`, and repeat this, which then does all of it anew",
        )
    raise PlanRefused(
        f"run {run.run} is not finished, and was begun with another version of this plan",
        where=str(run.path),
        evidence=stands,
        remedy="apply the plan file that the run was begun with, or say --fresh to begin another run",
    )
