"""Rollback: what a run has done is undone, the last first.

It is a plan of its own, made from the run's journal and nothing else, and carried out as any other:
journalled, followed, resumed. What was done on a host after a step that holds it (a snapshot) needs no
undoing of its own: that step brings the whole host back.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from skipstone.cloud.command import OPERATOR, Command
from skipstone.errors import InputError, RollbackRefused
from skipstone.plan.plan import Plan
from skipstone.run.act import Act, acts_of
from skipstone.run.beginning import version_for
from skipstone.run.directory import RunDirectory, later_run
from skipstone.run.fold import fold
from skipstone.run.journal import read_events
from skipstone.run.runview import RunView
from skipstone.run.state import Kind, RunState
from skipstone.run.undoing import in_turn, stages_in_reverse
from skipstone.steps.conversion import DeployConfiguration
from skipstone.steps.database import SyncDatabase
from skipstone.steps.drain import DrainHost, ReturnInstances
from skipstone.steps.machine import TakeMachineSnapshot
from skipstone.steps.services import StartServices
from skipstone.steps.step import Reversibility

STRATEGY = "rollback"


class Rollback(NamedTuple):
    """What undoes a run, and what users lose by it.

    The databases go back to where they were at ``data_of``; None, they are not touched. ``served`` says that
    APIs have been started since, so that users may have made something. ``intact`` are read-only questions to
    ask first, answered with 0 while the way back is there; none once it was begun, which may have used it up.
    ``systems`` are the hosts of which the system goes back, ``machines`` those of which every disk does, with
    whatever users have on it. ``lost`` are hosts that were written off: nothing is undone there.
    """

    plan: Plan
    intact: tuple[Command, ...]
    data_of: datetime | None
    served: bool
    systems: tuple[str, ...]
    machines: tuple[str, ...]
    lost: tuple[str, ...]


def plan_rollback(directory: RunDirectory, to: str = "") -> Rollback:
    """Return what undoes a run, to the beginning of its stage ``to`` or wholly.

    Raise InputError where there is nothing to undo or no such stage, RollbackRefused where a step was begun
    that nothing of Skipstone's undoes, or not to that stage.
    """
    events = read_events(directory.journal)
    view = fold(events)
    _expect_undoable(view)
    _expect_last(directory)
    started = next(event for event in events if event.kind is Kind.RUN_STARTED).payload["plan"]
    if view.state is RunState.ROLLING_BACK:
        to = _same_goal(view, to)
    undone = _stages_from(started["stages"], to, view.run)
    lost = {one.host for one in view.written_off}
    acts = {name: act for name, act in acts_of(events).items() if not lost & {act.on, act.group}}
    begun = [(stage, in_turn(acts[name] for name in _ids(stage) if name in acts)) for stage in undone]
    known = {act.step: act for _, stage_acts in begun for act in stage_acts}
    _expect_reversible(view, known)
    stages = stages_in_reverse(begun, started["stages"], lost)
    name = f"{directory.run}-rollback"
    plan = Plan(
        id=name,
        skipstone=version_for(directory.path.parent, name),
        strategy=STRATEGY,
        of_run=directory.run,
        undoes_to=to,
        cloud=view.cloud,
        source=view.target,
        target=view.source,
        stages=tuple(stage for stage in stages if stage.steps),
        fingerprint={},
    )
    if not any(stage.steps for stage in plan.stages):
        raise InputError("nothing was begun there that has to be undone", where=view.run)
    held = [act for act in known.values() if act.holder]
    data_of = max((known[act.holder].began for act in held if act.kind == _MIGRATION), default=None)
    asked = [act for act in known.values() if act.intact]
    begun_before = view.state is RunState.ROLLING_BACK
    intact = () if begun_before else tuple(Command(**act.intact) for act in asked if act.intact)
    systems = dict.fromkeys(act.on for act in asked if act.kind != _DEPLOYMENT and act.on != OPERATOR)
    served = any(act.kind == _START for act in held)
    machines = (act.holds for act in known.values() if act.kind == _MACHINE and act.revert)
    return Rollback(
        plan, intact, data_of, served, tuple(systems), tuple(chain.from_iterable(machines)), tuple(lost)
    )


_MACHINE = TakeMachineSnapshot.model_fields["kind"].default
_MOVING = {DrainHost.model_fields["kind"].default, ReturnInstances.model_fields["kind"].default}
_DEPLOYMENT = DeployConfiguration.model_fields["kind"].default
_MIGRATION = SyncDatabase.model_fields["kind"].default
_START = StartServices.model_fields["kind"].default


def _stages_from(stages: list[dict[str, Any]], to: str, run: str) -> list[dict[str, Any]]:
    names = [stage["name"] for stage in stages]
    if to and to not in names:
        raise InputError(
            f"the run has no stage {to!r}", where=run, remedy=f"its stages are: {', '.join(names)}"
        )
    return stages[names.index(to) if to else 0 :]


def _ids(stage: Mapping[str, Any]) -> list[str]:
    return [step["id"] for step in stage["steps"]]


def _expect_undoable(view: RunView) -> None:
    if view.of_run:
        raise InputError(
            f"this run itself belongs to {view.of_run}",
            where=view.run,
            remedy="`skipstone resume` goes on with it",
        )
    if view.dropped:
        raise RollbackRefused(
            f"the run's checkpoints were dropped at {view.dropped:%Y-%m-%d %H:%M} UTC: there is no way back",
            where=view.run,
            remedy="go forward; or restore the hosts and the databases from backups of your own",
        )
    if view.state in {RunState.NEW, RunState.ROLLED_BACK}:
        said = "has not begun" if view.state is RunState.NEW else "is rolled back already"
        raise InputError(f"the run {said}: there is nothing to undo", where=view.run)
    going = [f"{step.id} on {step.host}" for step in view.steps() if step.state.open]
    if going:
        raise InputError(
            "a job of this run may still be at work on its host",
            where=view.run,
            evidence="\n".join(going),
            remedy="`skipstone resume` brings it to its end; `skipstone pause` lets nothing begin after it",
        )


def _expect_last(directory: RunDirectory) -> None:
    if later := later_run(directory):
        raise InputError(
            f"a later run of the same plan has begun: {later.run}",
            where=directory.run,
            remedy="roll that one back; what this one has kept on the hosts is that one's now",
        )


def _same_goal(view: RunView, to: str) -> str:
    """Return how far a rollback that has begun goes; raise InputError where it is now to end elsewhere."""
    if to and to != view.undoing_to:
        goal = f"to the beginning of stage {view.undoing_to}" if view.undoing_to else "wholly"
        raise InputError(
            f"the run is being rolled back already, {goal}",
            where=view.run,
            remedy="`skipstone rollback` without --to finishes that",
        )
    return view.undoing_to


def _expect_reversible(view: RunView, undone: Mapping[str, Act]) -> None:
    beyond = [
        act for act in undone.values() if not act.holder and act.reversibility is not Reversibility.EXACT
    ]
    if beyond:
        raise _past(view, beyond)
    earlier = {act.holder: act for act in undone.values() if act.holder and act.holder not in undone}
    if earlier:
        stages = {step.id: stage.name for stage in view.stages for step in stage.steps}
        names = dict.fromkeys(stages[holder] for holder in earlier)
        raise RollbackRefused(
            "to there the run cannot be undone",
            where=view.run,
            evidence="\n".join(f"{act.step} is undone by {holder} only" for holder, act in earlier.items()),
            remedy=f"`skipstone rollback --to {next(iter(names))}`, or wholly",
        )


def _past(view: RunView, beyond: Sequence[Act]) -> RollbackRefused:
    """Return the error that acts were begun which nothing undoes; of hosts that were drained it says why."""
    only_moved = all(act.kind in _MOVING for act in beyond)
    steps = ", ".join(act.step for act in beyond)
    return RollbackRefused(
        "the run is past its point of no return",
        where=view.run,
        evidence=f"begun, and not undone by Skipstone: {steps}{_NO_WAY_HOME if only_moved else ''}",
        remedy="go forward: see to what stopped it, then `skipstone resume`;"
        f" {_MOVED if only_moved else _RESTORED}",
    )


_NO_WAY_HOME = (
    "\nnova moves nothing from a newer hypervisor to an older one, so their instances cannot come back"
)
_MOVED = "instances run on where they are"
_RESTORED = (
    "or restore the hosts from snapshots of your own, and the databases from /var/lib/skipstone on the"
    " database host"
)
