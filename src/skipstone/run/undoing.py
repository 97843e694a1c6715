"""The stages of a rollback: what the stages of a run have done, undone by steps in the opposite order."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter
from typing import Any

from skipstone.plan.ordering import CLIENTS_AT_ONCE, at_most
from skipstone.plan.plan import Stage
from skipstone.run.act import Act
from skipstone.steps.drain import DrainHost
from skipstone.steps.revert import Revert
from skipstone.steps.services import AskApi, WaitForAgents, WaitForApi
from skipstone.steps.step import Impact, Step

ESTIMATE = 10
"""Seconds that undoing a step is thought to take."""

_DRAIN = DrainHost.model_fields["kind"].default


def stages_in_reverse(
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


def in_turn(acts: Iterable[Act]) -> list[Act]:
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
