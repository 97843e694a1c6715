"""What a run keeps on its hosts so that it can be undone, until somebody drops it.

That is snapshots of hosts, and directories with backups and records of jobs. A later run of the same plan has
the same places: what an earlier one has kept is that one's.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from skipstone.cloud.command import OPERATOR, Command, Transport
from skipstone.cloud.model import Fact
from skipstone.cloud.system import HOOK
from skipstone.errors import InputError, SkipstoneError
from skipstone.plan.plan import Plan, Stage
from skipstone.run.act import Act
from skipstone.run.beginning import version_for
from skipstone.run.directory import RunDirectory, later_run, run_directories, runs_of
from skipstone.run.job import JOBS
from skipstone.run.journal import read_events
from skipstone.run.name import escaped
from skipstone.run.state import Kind, StepState
from skipstone.steps.backup import ROOT, DropBackups
from skipstone.steps.machine import DropMachineSnapshot, TakeMachineSnapshot
from skipstone.steps.snapshot import DropSnapshot, TakeSnapshot
from skipstone.steps.step import Step

STRATEGY = "drop-checkpoints"
PATIENCE = 60
"""Seconds that a host may take to say how large something is."""

DROP_SECONDS = 600


class Checkpoint(Fact):
    """A state that a host can be brought back to: kept by ``step``, of ``stage``.

    One that is not ``whole`` was never seen to be: nothing is brought back from it, but it takes room.
    ``hook`` is the program that keeps it, where the provider is one.
    """

    stage: str
    step: str
    host: str
    provider: str
    name: str
    taken: datetime
    whole: bool
    hook: str = ""


class Backup(Fact):
    """Directories of one host with backups and records of jobs, and their bytes, where that is known."""

    host: str
    directories: tuple[str, ...]
    size: int | None = None


class Kept(Fact):
    """All that a run keeps on its hosts.

    ``dropping`` is when its drop began, where that did not come to its end: this is what is left then, and
    nothing can be undone with it.
    """

    run: str
    dropping: datetime | None = None
    checkpoints: tuple[Checkpoint, ...] = ()
    backups: tuple[Backup, ...] = ()


def kept_by(directory: RunDirectory) -> Kept:
    """Return what a run still keeps, the first snapshot first; all of it until its dropping has begun.

    Raise InputError where the journal cannot be read.
    """
    taken, dropping = _taken(directory), directory.view().dropped
    if not dropping:
        return taken
    gone = _dropped(directory)
    checkpoints = tuple(one for one in taken.checkpoints if _drop_id(one.host) not in gone)
    backups = tuple(one for one in taken.backups if _drop_backups_id(one.host) not in gone)
    if not checkpoints and not backups:
        return Kept(run=directory.run)
    return Kept(run=directory.run, dropping=dropping, checkpoints=checkpoints, backups=backups)


def _dropped(directory: RunDirectory) -> set[str]:
    """Return the steps that are done of the runs that have dropped what a run keeps."""
    drops = runs_of(directory.path.parent, _drop_name(directory))
    views = [drop.view() for drop in drops if drop.begun]
    return {step.id for view in views for step in view.steps() if step.state is StepState.DONE}


def _taken(directory: RunDirectory) -> Kept:
    """Return what a run has taken, unless a later run of the same plan has taken it anew."""
    if later_run(directory):
        return Kept(run=directory.run)
    view, events = directory.view(), read_events(directory.journal)
    stages = {step.id: stage.name for stage in view.stages for step in stage.steps}
    begun = {event.step: event for event in events if event.kind is Kind.INTENT}
    seen = {event.step: event for event in events if event.kind is Kind.VERIFIED}
    takes = [Act.of(event, holder="") for event in begun.values()]
    checkpoints = [
        _checkpoint(
            act,
            stages[act.step],
            whole=act.step in seen and seen[act.step].attempt == begun[act.step].attempt,
        )
        for act in takes
        if act.kind in _TAKES
    ]
    hosts = dict.fromkeys(act.parameters["host"] for act in takes)
    places = _places(directory, view.plan_id)
    backups = [Backup(host=host, directories=places) for host in hosts if host != OPERATOR]
    return Kept(run=directory.run, checkpoints=tuple(checkpoints), backups=tuple(backups))


_TAKES = {cls.model_fields["kind"].default for cls in (TakeSnapshot, TakeMachineSnapshot)}


def _checkpoint(act: Act, stage: str, *, whole: bool) -> Checkpoint:
    (host,) = act.holds
    return Checkpoint(
        stage=stage,
        step=act.step,
        host=host,
        provider=act.parameters.get("provider", HOOK),
        name=act.parameters["name"],
        taken=act.began,
        whole=whole,
        hook=act.parameters.get("hook", ""),
    )


def _places(directory: RunDirectory, plan: str) -> tuple[str, ...]:
    """Return the plan's directory on hosts, and those of the jobs of its runs and their rollbacks."""
    runs = directory.path.parent
    every = [run for one in runs_of(runs, plan) for run in (one, *runs_of(runs, f"{one.run}-rollback"))]
    begun = [view for run in every if (view := run.standing())]
    return (str(ROOT / plan), *(str(JOBS / escaped(view.jobs)) for view in begun))


async def with_sizes(kept: Kept, transport: Transport) -> Kept:
    """Return it with the sizes of its backups, from the hosts that answer."""
    sizes = await asyncio.gather(*(_size(backup, transport) for backup in kept.backups))
    backups = (one.model_copy(update={"size": size}) for one, size in zip(kept.backups, sizes, strict=True))
    return kept.model_copy(update={"backups": tuple(backups)})


async def _size(backup: Backup, transport: Transport) -> int | None:
    places = " ".join(backup.directories)
    script = f"du --bytes --summarize --total {places} 2> /dev/null | tail -n 1 | cut -f 1\n"
    try:
        answer = await transport.run(Command(backup.host, script), deadline=PATIENCE)
    except SkipstoneError:
        return None
    return int(answer.stdout) if answer.ok and answer.stdout.strip().isdecimal() else None


def old_runs(runs: Path, age: timedelta, now: datetime) -> list[RunDirectory]:
    """Return runs that are over for longer than ``age`` and still keep something, the oldest first.

    That may be what is left where its dropping did not come to its end. Never a cloud's latest run: what that
    keeps is dropped by its name alone.
    """
    views = [(run, run.view()) for run in run_directories(runs) if run.begun]
    upgrades = [(run, view) for run, view in views if not view.of_run and view.began]
    latest = {view.cloud: run for run, view in sorted(upgrades, key=lambda one: one[1].began or now)}
    old = [
        (run, view)
        for run, view in upgrades
        if view.state.over and (view.ended or now) < now - age and latest[view.cloud] != run
    ]
    old.sort(key=lambda one: one[1].began or now)
    keeping = ((run, kept_by(run)) for run, _ in old)
    return [run for run, kept in keeping if kept.backups or kept.dropping]


def plan_drop(directory: RunDirectory) -> Plan:
    """Return what removes all that a run has kept on its hosts; once it has begun there is no way back.

    It is the same plan however much of it is done, for that goes on. Raise InputError where the run keeps
    nothing, or is not over: it may yet have to be undone.
    """
    view, taken = directory.view(), _taken(directory)
    if not view.state.over:
        raise InputError(
            f"the run is not over: it is {view.state}, and may yet have to be undone",
            where=directory.run,
            remedy="`skipstone resume` brings it to its end, `skipstone abort` gives it up",
        )
    if not taken.backups:
        raise InputError("the run keeps nothing on its hosts", where=directory.run)
    name = _drop_name(directory)
    return Plan(
        id=name,
        skipstone=version_for(directory.path.parent, name),
        strategy=STRATEGY,
        of_run=directory.run,
        cloud=view.cloud,
        source=view.source,
        target=view.target,
        stages=(Stage(name="drop", title="Remove the checkpoints", steps=tuple(_drops(taken))),),
        fingerprint={},
    )


def _drop_name(directory: RunDirectory) -> str:
    return f"{directory.run}-drop"


def _drop_id(host: str) -> str:
    return f"drop.{host}"


def _drop_backups_id(host: str) -> str:
    return f"drop.backups.{host}"


def _drops(taken: Kept) -> Iterable[Step]:
    for one in taken.checkpoints:
        yield _drop(one)
    hosts = {one.host for one in taken.checkpoints}
    for backup in taken.backups:
        yield DropBackups(
            id=_drop_backups_id(backup.host),
            title=f"Remove the backups and the records of jobs on {backup.host}",
            host=backup.host,
            needs=(_drop_id(backup.host),) if backup.host in hosts else (),
            deadline=600,
            estimate=5,
            directories=backup.directories,
        )


def _drop(one: Checkpoint) -> Step:
    facts = {"id": _drop_id(one.host), "title": f"Remove the snapshot of {one.host}", "name": one.name}
    limits = {"deadline": DROP_SECONDS, "estimate": 5}
    if one.provider == HOOK:
        return DropMachineSnapshot.model_validate({**facts, **limits, "hook": one.hook, "machine": one.host})
    return DropSnapshot.model_validate({**facts, **limits, "host": one.host, "provider": one.provider})
