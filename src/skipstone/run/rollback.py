"""Rollback: what a run has done is undone, the last first.

It is a plan of its own, made from the run's journal and nothing else, and carried out as any other:
journalled, followed, resumed. What was done on a host after a step that holds it (a snapshot) needs no
undoing of its own: that step brings the whole host back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from itertools import chain, pairwise
from operator import attrgetter
from typing import Any, NamedTuple

from skipstone.cloud.command import OPERATOR, Command
from skipstone.errors import InputError, RollbackRefused
from skipstone.plan.ordering import CLIENTS_AT_ONCE, at_most
from skipstone.plan.plan import Plan, Stage
from skipstone.run.act import Act, acts_of
from skipstone.run.beginning import version_for
from skipstone.run.directory import RunDirectory, later_run
from skipstone.run.fold import fold
from skipstone.run.journal import read_events
from skipstone.run.runview import RunView
from skipstone.run.state import Kind, RunState
from skipstone.steps.conversion import DeployConfiguration
from skipstone.steps.database import SyncDatabase
from skipstone.steps.drain import DrainHost, ReturnInstances
from skipstone.steps.machine import TakeMachineSnapshot
from skipstone.steps.revert import Revert
from skipstone.steps.services import AskApi, StartServices, WaitForAgents, WaitForApi
from skipstone.steps.step import Impact, Reversibility, Step

ESTIMATE = 10
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
    begun = [(stage, _in_turn(acts[name] for name in _ids(stage) if name in acts)) for stage in undone]
    known = {act.step: act for _, stage_acts in begun for act in stage_acts}
    _expect_reversible(view, known)
    stages = _in_reverse(begun, started["stages"], lost)
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
_DRAIN = DrainHost.model_fields["kind"].default
_MOVING = {_DRAIN, ReturnInstances.model_fields["kind"].default}
_DEPLOYMENT = DeployConfiguration.model_fields["kind"].default
_MIGRATION = SyncDatabase.model_fields["kind"].default
_START = StartServices.model_fields["kind"].default


def _in_reverse(
    begun: Iterable[tuple[Mapping[str, Any], list[Act]]],
    stages: Iterable[Mapping[str, Any]],
    lost: AbstractSet[str],
) -> Iterator[Stage]:
    """Yield the stages that undo others, the last first.

    At once after the last that users felt, everything answers again: what is undone later counts on the APIs.
    """
    backwards = list(reversed(list(begun)))
    felt = [stage["name"] for stage, acts in backwards if any(act.impact is not Impact.NONE for act in acts)]
    for stage, acts in backwards:
        yield _undo(stage, acts)
        last_felt = stage["name"] in felt[-1:]
        if last_felt:
            yield _seen(stages, lost, "answers", "See that the APIs answer again", (WaitForApi,))
        yield _rest(stage, acts)
        if last_felt:
            looks = (AskApi, WaitForAgents)
            yield _seen(stages, lost, "works", "See that everything works again", looks)


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


def _in_turn(acts: Iterable[Act]) -> list[Act]:
    """Return a stage's acts in the order in which they began, each drain as if it had needed the one before.

    An instance may have been moved on by a later drain, to the very host of an earlier one or from where that
    had put it: each brings home what it finds where it has put it, so the last has to come first.
    """
    ordered = sorted(acts, key=attrgetter("first"))
    drains = [act for act in ordered if act.kind == _DRAIN]
    later = {act.step: replace(act, needs=(*act.needs, before.step)) for before, act in pairwise(drains)}
    return [later.get(act.step, act) for act in ordered]


def _undo(stage: Mapping[str, Any], acts: list[Act]) -> Stage:
    """Return a stage that undoes one, the last act first: a step is undone after those that needed it.

    No more hosts are down at the same time than were to be; windows do not hold it up.
    """
    by_step = {act.step: act for act in acts}
    keepers = [act for act in acts if act.holds and act.revert]
    steps = _in_order(
        _revert(
            act,
            act.revert,
            name=f"undo.{act.step}",
            title=f"Undo: {act.title}",
            needs=tuple(f"undo.{name}" for name in _undone_before(act, by_step, keepers)),
        ).model_copy(update={"impact": act.impact, "group": act.group})
        for act in reversed(acts)
        if act.revert
    )
    known = stage.get("groups", {})
    groups = {step.group: tuple(known.get(step.group, ())) for step in steps if step.group}
    return Stage(
        name=f"undo-{stage['name']}",
        title=f"Undo: {stage['title']}",
        steps=steps,
        lanes=stage.get("lanes", {}) if groups else {},
        groups=groups,
    )


def _rest(stage: Mapping[str, Any], acts: Iterable[Act]) -> Stage:
    """Return a stage with the rest of undoing one; on a host the first act's rest comes first.

    A control host's daemons were stopped before its system was kept: they start before what is left of the
    newer system is removed.
    """
    steps: list[Revert] = []
    for act, rest in ((act, act.revert_rest) for act in acts):
        if not rest:
            continue
        before = [step.id for step in steps if step.host == rest["host"]]
        steps.append(
            _revert(
                act,
                rest,
                name=f"rest.{act.step}",
                title=f"Undo the rest: {act.title}",
                needs=tuple(before[-1:]),
            )
        )
    return Stage(name=f"rest-{stage['name']}", title=f"Undo the rest: {stage['title']}", steps=tuple(steps))


def _revert(act: Act, command: Mapping[str, str], *, name: str, title: str, needs: tuple[str, ...]) -> Revert:
    """Return a step that runs one of an act's ways back."""
    return Revert(
        id=name,
        title=title,
        host=command["host"],
        needs=needs,
        deadline=act.deadline,
        estimate=ESTIMATE,
        transient=act.transient,
        of=act.step,
        script=command["script"],
    )


def _in_order(steps: Iterable[Revert]) -> tuple[Revert, ...]:
    """Return the steps as they come, but each after those that it needs."""
    given = {step.id: step for step in steps}
    placed: dict[str, Revert] = {}

    def place(step: Revert) -> None:
        for need in step.needs:
            if need not in placed:
                place(given[need])
        placed[step.id] = step

    for step in given.values():
        place(step)
    return tuple(placed.values())


def _undone_before(act: Act, acts: Mapping[str, Act], keepers: Iterable[Act]) -> list[str]:
    """Return the steps to undo first: those that needed this one, and what its host's keeping comes between.

    Nothing else is undone on a host while that is brought back, perhaps with its records of jobs. What was
    begun before the host was kept comes after that, for it may have been done before or after that moment;
    what is undone by itself and was begun later comes before.
    """
    back = [keeper.step for keeper in keepers if _on_kept(act, keeper) and act.first < keeper.seen]
    rest = [other.step for other in acts.values() if _on_kept(other, act) and other.first > act.seen]
    return list(dict.fromkeys([*_needing(act.step, acts), *back, *rest]))


def _on_kept(act: Act, keeper: Act) -> bool:
    """Return whether an act that is undone by itself was done on a host that another brings back."""
    return bool(act.revert) and act.on in keeper.holds and not act.holds


def _needing(step: str, acts: Mapping[str, Act]) -> list[str]:
    """Return the nearest steps that can be undone and needed this one, through those that need no undoing."""
    found: dict[str, None] = {}
    for act in acts.values():
        if step in act.needs:
            found |= dict.fromkeys([act.step] if act.revert else _needing(act.step, acts))
    return list(found)


def _seen(
    stages: Iterable[Mapping[str, Any]],
    lost: AbstractSet[str],
    name: str,
    title: str,
    looks: tuple[type[Step], ...],
) -> Stage:
    """Return a stage that looks as the run did, with all of its steps of these kinds."""
    kinds = {kind.model_fields["kind"].default: kind for kind in looks}
    known: dict[str, Step] = {}
    for facts in (step for stage in stages for step in stage["steps"] if step["kind"] in kinds):
        step = kinds[facts["kind"]].model_validate({**facts, "id": f"again.{facts['id']}", "needs": ()})
        step = step.without(lost)
        known.setdefault(step.apply().script, step)  # an agent is waited for after each part of an upgrade
    steps = at_most(known.values(), CLIENTS_AT_ONCE)
    return Stage(name=name, title=title, steps=steps)
