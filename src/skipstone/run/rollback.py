"""Rollback: what a run has done is undone, the last first.

It is a plan of its own, made from the run's journal and nothing else, and carried out as any other:
journalled, followed, resumed. The databases are not taken back, so nothing that users did is lost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from skipstone import __version__
from skipstone.errors import InputError, RollbackRefused
from skipstone.plan.ordering import CLIENTS_AT_ONCE, at_most
from skipstone.plan.plan import Plan, Stage
from skipstone.run.directory import RunDirectory
from skipstone.run.journal import Journal, read_events
from skipstone.run.lock import Lease
from skipstone.run.runview import Event, RunView, fold
from skipstone.run.state import Kind, RunState
from skipstone.steps.revert import Revert
from skipstone.steps.services import AskApi, WaitForAgents, WaitForApi
from skipstone.steps.step import Impact, Reversibility, Step

DEADLINE, ESTIMATE = 600, 10
STRATEGY = "rollback"


def plan_rollback(directory: RunDirectory) -> Plan:
    """Return the plan that undoes a run.

    Raise InputError where there is nothing to undo, RollbackRefused where a step was begun that nothing of
    Skipstone's undoes.
    """
    events = read_events(directory.journal)
    view = fold(events)
    _expect_undoable(view)
    started = next(event for event in events if event.kind is Kind.RUN_STARTED).payload["plan"]
    acts = {event.step: _Act.of(event) for event in events if event.kind is Kind.INTENT}
    begun = [
        (stage, [acts[step["id"]] for step in stage["steps"] if step["id"] in acts])
        for stage in started["stages"]
    ]
    _expect_before_no_return(view, [act for _, stage_acts in begun for act in stage_acts])
    stages = [_undo(stage, stage_acts) for stage, stage_acts in reversed(begun)]
    if any(act.impact is not Impact.NONE for _, stage_acts in begun for act in stage_acts):
        stages.append(_answers(started["stages"]))
    return Plan(
        id=f"{directory.run}-rollback",
        skipstone=__version__,
        strategy=STRATEGY,
        undoes=directory.run,
        cloud=view.cloud,
        source=view.target,
        target=view.source,
        stages=tuple(stage for stage in stages if stage.steps),
        fingerprint={},
    )


@dataclass(frozen=True)
class _Act:
    """What the journal says of a step that was begun."""

    step: str
    title: str
    needs: tuple[str, ...]
    impact: Impact
    reversibility: Reversibility
    revert: Mapping[str, str] | None

    @classmethod
    def of(cls, event: Event) -> "_Act":
        facts = event.payload
        known = facts["parameters"]
        return cls(
            known["id"],
            known["title"],
            tuple(known["needs"]),
            Impact(known["impact"]),
            Reversibility(facts["reversibility"]),
            facts["revert"],
        )


def _expect_undoable(view: RunView) -> None:
    if view.undoes:
        raise InputError(
            f"this run is itself the rollback of {view.undoes}",
            where=view.run,
            remedy="`skipstone resume` goes on with it",
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


def _expect_before_no_return(view: RunView, acts: Iterable[_Act]) -> None:
    beyond = [act.step for act in acts if act.reversibility is not Reversibility.EXACT]
    if beyond:
        raise RollbackRefused(
            "the run is past its point of no return",
            where=view.run,
            evidence=f"begun, and not undone by Skipstone: {', '.join(beyond)}",
            remedy="go forward: see to what stopped it, then `skipstone resume`; or restore the hosts from"
            " snapshots of your own, and the databases from /var/lib/skipstone on the database host",
        )


def _undo(stage: Mapping[str, Any], acts: list[_Act]) -> Stage:
    """Return a stage that undoes one: a step is undone after those that needed it."""
    by_step = {act.step: act for act in acts}
    steps = tuple(
        Revert(
            id=f"undo.{act.step}",
            title=f"Undo: {act.title}",
            host=act.revert["host"],
            needs=tuple(f"undo.{name}" for name in _undone_before(act.step, by_step)),
            deadline=DEADLINE,
            estimate=ESTIMATE,
            impact=act.impact,
            of=act.step,
            script=act.revert["script"],
        )
        for act in reversed(acts)
        if act.revert
    )
    return Stage(name=f"undo-{stage['name']}", title=f"Undo: {stage['title']}", steps=steps)


def _undone_before(step: str, acts: Mapping[str, _Act]) -> list[str]:
    """Return the nearest steps that can be undone and needed this one, through those that need no undoing."""
    found: dict[str, None] = {}
    for act in acts.values():
        if step in act.needs:
            found |= dict.fromkeys([act.step] if act.revert else _undone_before(act.step, acts))
    return list(found)


def _answers(stages: Iterable[Mapping[str, Any]]) -> Stage:
    """Return the stage that sees every API and agent answer, with the steps that the run had for that."""
    looks: tuple[type[Step], ...] = (WaitForApi, AskApi, WaitForAgents)
    kinds = {kind.model_fields["kind"].default: kind for kind in looks}
    known: dict[str, Step] = {}
    for facts in (step for stage in stages for step in stage["steps"] if step["kind"] in kinds):
        step = kinds[facts["kind"]].model_validate({**facts, "id": f"again.{facts['id']}", "needs": ()})
        known.setdefault(step.apply().script, step)  # an agent is waited for after each part of an upgrade
    steps = at_most(known.values(), CLIENTS_AT_ONCE)
    return Stage(name="answers", title="See that everything answers again", steps=steps)


def note_begun(directory: RunDirectory, plan: Plan, lease: Lease) -> None:
    """Write into the journal of the run that ``plan`` undoes that this has begun: it cannot go on."""
    _note(directory, plan, lease, Kind.ROLLBACK_BEGUN)


def note_done(directory: RunDirectory, plan: Plan, lease: Lease) -> None:
    """Write there that everything is undone, if the rollback is done."""
    if directory.view().state is RunState.DONE:
        _note(directory, plan, lease, Kind.ROLLBACK_DONE)


def _note(directory: RunDirectory, plan: Plan, lease: Lease, kind: Kind) -> None:
    undone = RunDirectory(directory.path.parent / plan.undoes)
    with Journal(undone.journal, token=lease.token, mask=str) as journal:
        reason = f"by run {directory.run}"
        journal.append(kind, by=directory.run, who=f"{lease.who}@{lease.host}", reason=reason)
