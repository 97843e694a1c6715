"""What a run writes into the journal of the run that it rolls back, or whose checkpoints it drops."""

from skipstone.errors import InputError
from skipstone.plan.plan import Plan
from skipstone.plan.planfile import plan_digest
from skipstone.run.checkpoint import STRATEGY as DROP
from skipstone.run.checkpoint import plan_drop
from skipstone.run.directory import RunDirectory
from skipstone.run.journal import Journal
from skipstone.run.lock import Lease
from skipstone.run.rollback import plan_rollback
from skipstone.run.state import Kind, RunState


def tell_begun(directory: RunDirectory, plan: Plan, lease: Lease) -> None:
    """Write that this has begun: a run that is rolled back cannot go on, one without checkpoints not back.

    The cloud is held now, and was not when the plan was made: raise InputError where it would be another.
    Once begun, it goes on as it was begun, even where this version of Skipstone would begin otherwise.
    """
    other = _other(directory, plan)
    again = plan_drop(other) if plan.strategy == DROP else plan_rollback(other, plan.undoes_to).plan
    again = again.model_copy(update={"skipstone": plan.skipstone})
    if not directory.begun and plan_digest(again) != plan_digest(plan):
        raise InputError(
            "the run has gone on since this was shown; nothing was done",
            where=plan.of_run,
            remedy="call it again",
        )
    if plan.strategy != DROP:
        _tell(directory, plan, lease, Kind.ROLLBACK_BEGUN, to=plan.undoes_to)
    elif other.view().dropped is None:
        _tell(directory, plan, lease, Kind.CHECKPOINTS_DROPPED)


def tell_done(directory: RunDirectory, plan: Plan, lease: Lease) -> None:
    """Write that all is undone, or that the run can go on from where it was undone to; if it is done."""
    if plan.strategy == DROP or directory.view().state is not RunState.DONE:
        return
    if not plan.undoes_to:
        _tell(directory, plan, lease, Kind.ROLLBACK_DONE)
        return
    stages = _other(directory, plan).view().stages
    names = [stage.name for stage in stages]
    names = names[names.index(plan.undoes_to) :]
    undone = [step.id for stage in stages if stage.name in names for step in stage.steps]
    _tell(directory, plan, lease, Kind.CHECKPOINT_REACHED, undone=undone, stages=names)


def _tell(directory: RunDirectory, plan: Plan, lease: Lease, kind: Kind, **facts: object) -> None:
    with Journal(_other(directory, plan).journal, token=lease.token, mask=str) as journal:
        reason = f"by run {directory.run}"
        who = f"{lease.who}@{lease.host}"
        journal.append(kind, step=None, attempt=None, by=directory.run, who=who, reason=reason, **facts)


def _other(directory: RunDirectory, plan: Plan) -> RunDirectory:
    return RunDirectory(directory.path.parent / plan.of_run)
