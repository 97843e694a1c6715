"""The checkpoints of a run: what its hosts keep so that it can be undone, until somebody drops it."""

from collections.abc import Iterable
from datetime import datetime

from skipstone import __version__
from skipstone.cloud.model import Fact
from skipstone.errors import InputError
from skipstone.plan.plan import Plan, Stage
from skipstone.run.directory import RunDirectory, later_run
from skipstone.run.journal import read_events
from skipstone.run.runview import Event, RunView, fold
from skipstone.run.state import Kind
from skipstone.steps.registry import KINDS
from skipstone.steps.snapshot import DropSnapshot, TakeSnapshot

STRATEGY = "drop-checkpoints"


class Checkpoint(Fact):
    """A state that a host can be brought back to: kept by ``step``, of ``stage``."""

    stage: str
    step: str
    host: str
    provider: str
    name: str
    taken: datetime


def checkpoints_of(directory: RunDirectory) -> tuple[Checkpoint, ...]:
    """Return the checkpoints that a run has taken and that are still kept, the first one first.

    A later run of the same plan has taken them anew: they are that run's then. Raise InputError where the
    journal cannot be read.
    """
    events = read_events(directory.journal)
    view = fold(events)
    return () if view.dropped or later_run(directory) else tuple(_taken(view, events))


def _taken(view: RunView, events: Iterable[Event]) -> Iterable[Checkpoint]:
    stages = {step.id: stage.name for stage in view.stages for step in stage.steps}
    kept: dict[str, Checkpoint] = {}
    done: set[str] = set()
    for event in events:
        name = event.step or ""
        if event.kind is Kind.INTENT and event.payload.get("holds"):
            step = KINDS[event.payload["parameters"]["kind"]].model_validate(event.payload["parameters"])
            if isinstance(step, TakeSnapshot):
                kept[name] = Checkpoint(
                    stage=stages[name],
                    step=name,
                    host=step.host,
                    provider=step.provider,
                    name=step.name,
                    taken=event.time,
                )
        elif event.kind is Kind.VERIFIED:
            done.add(name)
        elif event.kind is Kind.CHECKPOINT_REACHED:
            done -= set(event.payload["undone"])
    return [checkpoint for name, checkpoint in kept.items() if name in done]


def plan_drop(directory: RunDirectory) -> Plan:
    """Return what removes the checkpoints of a run from their hosts; after it there is no way back.

    Raise InputError where it has none, or is not over: it may yet have to be undone.
    """
    view, kept = directory.view(), checkpoints_of(directory)
    if not view.state.over:
        raise InputError(
            f"the run is not over: it is {view.state}, and may yet have to be undone",
            where=directory.run,
            remedy="`skipstone resume` brings it to its end, `skipstone abort` gives it up",
        )
    if not kept and not view.dropped:
        raise InputError("the run keeps no checkpoints", where=directory.run)
    every = kept or tuple(_taken(view, read_events(directory.journal)))
    steps = tuple(
        DropSnapshot(
            id=f"drop.{one.host}",
            title=f"Remove the snapshot of {one.host}",
            host=one.host,
            deadline=600,
            estimate=5,
            provider=one.provider,
            name=one.name,
        )
        for one in every
    )
    return Plan(
        id=f"{directory.run}-drop",
        skipstone=__version__,
        strategy=STRATEGY,
        of_run=directory.run,
        cloud=view.cloud,
        source=view.source,
        target=view.target,
        stages=(Stage(name="drop", title="Remove the checkpoints", steps=steps),),
        fingerprint={},
    )
