"""The checkpoints of a run: what its hosts keep so that it can be undone, until somebody drops it."""

from datetime import datetime

from skipstone import __version__
from skipstone.cloud.model import Fact
from skipstone.errors import InputError
from skipstone.plan.plan import Plan, Stage
from skipstone.run.act import Act, acts_of
from skipstone.run.directory import RunDirectory, later_run
from skipstone.run.journal import read_events
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

    Raise InputError where the journal cannot be read.
    """
    return () if directory.view().dropped else _taken(directory)


def _taken(directory: RunDirectory) -> tuple[Checkpoint, ...]:
    """Return what a run has taken, unless a later run of the same plan has taken it anew."""
    if later_run(directory):
        return ()
    stages = {step.id: stage.name for stage in directory.view().stages for step in stage.steps}
    acts = acts_of(read_events(directory.journal)).values()
    return tuple(_checkpoint(act, stages[act.step]) for act in acts if act.kind == _TAKE and act.intact)


_TAKE = TakeSnapshot.model_fields["kind"].default


def _checkpoint(act: Act, stage: str) -> Checkpoint:
    step = TakeSnapshot.model_validate(act.parameters)
    return Checkpoint(
        stage=stage, step=step.id, host=step.host, provider=step.provider, name=step.name, taken=act.began
    )


def plan_drop(directory: RunDirectory) -> Plan:
    """Return what removes the checkpoints of a run from their hosts; after it there is no way back.

    Raise InputError where it has none, or is not over: it may yet have to be undone.
    """
    view, taken = directory.view(), _taken(directory)
    if not view.state.over:
        raise InputError(
            f"the run is not over: it is {view.state}, and may yet have to be undone",
            where=directory.run,
            remedy="`skipstone resume` brings it to its end, `skipstone abort` gives it up",
        )
    if not taken:
        raise InputError("the run keeps no checkpoints", where=directory.run)
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
        for one in taken
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
