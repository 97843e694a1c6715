"""What an operator decides about a run: to approve, reject, pause, skip, write off a host, or abort."""

import os
import signal
import socket
from typing import TYPE_CHECKING

import click

from skipstone.errors import ExitCode, InputError

if TYPE_CHECKING:
    from skipstone.run.directory import RunDirectory
    from skipstone.run.lock import Lease
    from skipstone.run.runview import RunView
    from skipstone.run.state import Kind
    from skipstone.settings import Settings

RUN = click.option("--run", metavar="RUN", help="The run.  [default: the latest]")
BY = click.option("--by", "who", metavar="NAME", help="Who decides.  [default: this user and machine]")
REASON = click.option("--reason", "why", metavar="TEXT", default="", help="Why; it is kept in the journal.")
MUST_REASON = click.option(
    "--reason", "why", metavar="TEXT", required=True, help="Why; it is kept in the journal."
)


@click.command(epilog='\b\nExample:\n  skipstone approve outage --reason "change 4711, window until 04:00"')
@click.argument("gate")
@RUN
@BY
@REASON
def approve(gate: str, run: str | None, who: str | None, why: str) -> int:
    """Let a run go on that waits at GATE. `skipstone status` shows what the decision is based on."""
    return _answer(gate, run, who, why, approved=True)


@click.command(epilog='\b\nExample:\n  skipstone reject computes --reason "neutron was out for too long"')
@click.argument("gate")
@RUN
@BY
@REASON
def reject(gate: str, run: str | None, who: str | None, why: str) -> int:
    """Stop a run that waits at GATE. `skipstone resume` asks again."""
    return _answer(gate, run, who, why, approved=False)


@click.command(epilog="\b\nExample:\n  skipstone pause && skipstone status")
@click.argument("run", required=False)
def pause(run: str | None) -> int:
    """Let the running steps of RUN come to their end, and begin no other: as Ctrl-C in its terminal."""
    directory, settings = _run(run)
    holder = _holder(directory, settings)
    if holder is None:
        raise InputError(
            "nobody works on this run",
            where=directory.run,
            remedy="`skipstone status` shows where it stands",
        )
    if holder.host != socket.gethostname():
        raise InputError(
            f"it is worked on from another machine, {holder.host}",
            where=directory.run,
            remedy=f"pause it there: process {holder.pid} of {holder.who}",
        )
    os.kill(holder.pid, signal.SIGTERM)
    click.echo(f"asked: process {holder.pid} stops when its running steps have ended", err=True)
    return ExitCode.DONE


@click.command(
    epilog='\b\nExample:\n  skipstone skip verify.glance --reason "its list is slow, and was before"'
)
@click.argument("step")
@RUN
@BY
@MUST_REASON
def skip(step: str, run: str | None, who: str | None, why: str) -> int:
    """Let a run that failed at STEP go on without it; only a step of which that is safe can be skipped."""
    from skipstone.plan.planfile import load_plan
    from skipstone.run.state import Kind, StepState

    directory, settings = _run(run)
    steps = {one.id: one for one in load_plan(directory.plan).steps()}
    if step not in steps:
        raise InputError(
            f"the run has no step {step!r}", evidence="\n".join(steps), remedy="give one of these"
        )
    if not steps[step].looks:
        raise InputError(
            "without this step the upgrade is not whole",
            where=step,
            remedy="see to what it failed on, then `skipstone resume` tries it again",
        )
    states = {one.id: one.state for one in directory.view().steps()}
    if states[step] is not StepState.FAILED:
        raise InputError(f"only a failed step is skipped; this one is {states[step]}", where=step)
    _write(directory, settings, Kind.SKIPPED, step=step, who=_who(who), why=why)
    click.echo(f"{step} is skipped (it only looks); `skipstone resume` goes on", err=True)
    return ExitCode.DONE


@click.command(
    name="write-off", epilog='\b\nExample:\n  skipstone write-off cmp7 --reason "its mainboard is dead"'
)
@click.argument("host")
@RUN
@BY
@MUST_REASON
def write_off(host: str, run: str | None, who: str | None, why: str) -> int:
    """Let a run go on without HOST, a compute that is lost; a rollback then leaves it out, too.

    Its steps are left out, and its agents are not waited for. Keep it off: once repaired, it is installed as
    a new compute of the release that the cloud then has.
    """
    from skipstone.run.directory import expect_not_rolling_back
    from skipstone.run.state import Kind

    directory, settings = _run(run)
    view = directory.view()
    expect_not_rolling_back(view)
    left = _expect_loss(view, host)
    _write(directory, settings, Kind.HOST_WRITTEN_OFF, host=host, who=_who(who), why=why)
    click.echo(f"{host} is written off: steps left out: {left}; `skipstone resume` goes on", err=True)
    click.echo(
        f"  keep it off, and take its services out of the cloud:{_TAKE_OUT.format(host=host)}", err=True
    )
    return ExitCode.DONE


_TAKE_OUT = """
    openstack server list --all-projects --host {host}      # evacuate what users miss
    openstack compute service list --host {host}            # then `openstack compute service delete ID`
    openstack network agent list --host {host}              # then `openstack network agent delete ID`"""


def _expect_loss(view: "RunView", host: str) -> int:
    """Return how many steps are left out without a host; raise InputError where that cannot be."""
    from skipstone.checks.check import listed

    if view.state.over:
        raise InputError(f"the run is {view.state} already", where=view.run, evidence=view.reason)
    computes = list(dict.fromkeys(step.group for step in view.steps() if step.group))
    if host not in computes:
        raise InputError(
            f"this run goes over no compute {host!r}",
            where=view.run,
            evidence=f"its computes are: {listed(computes, 20)}",
            remedy="without a control host no run goes on: repair it, then `skipstone resume`",
        )
    steps = [step for step in view.steps() if step.is_of(host) and not step.state.passed]
    if not steps:
        raise InputError(f"nothing is left to do about {host}", where=view.run)
    elsewhere = [f"{step.id} on {step.host}" for step in steps if step.state.open and step.host != host]
    if elsewhere:
        raise InputError(
            f"a job about {host} may still be at work on another host",
            where=view.run,
            evidence="\n".join(elsewhere),
            remedy="`skipstone resume` brings it to its end; then write the host off",
        )
    return len(steps)


@click.command(
    epilog='\b\nExample:\n  skipstone abort --reason "the window is over; planned anew for Sunday"'
)
@click.argument("run", required=False)
@BY
@MUST_REASON
def abort(run: str | None, who: str | None, why: str) -> int:
    """Give RUN up where it stands: nothing of it goes on any more, and nothing is undone."""
    from skipstone.run.directory import expect_not_rolling_back
    from skipstone.run.state import Kind

    directory, settings = _run(run)
    view = directory.view()
    expect_not_rolling_back(view)
    if view.state.over:
        raise InputError(f"the run is {view.state} already", where=directory.run, evidence=view.reason)
    going = [f"{step.id} on {step.host}: its job may go on there" for step in view.steps() if step.state.open]
    _write(directory, settings, Kind.RUN_ABORTED, who=_who(who), why=why, reason=why)
    done = [stage.name for stage in view.stages if stage.ended]
    click.echo(f"run {directory.run} is given up; done before: {', '.join(done) or 'nothing'}", err=True)
    for line in going:
        click.echo(f"  {line}", err=True)
    click.echo("the cloud stays as it is: discover, check and plan again", err=True)
    return ExitCode.DONE


def _answer(gate: str, run: str | None, who: str | None, why: str, *, approved: bool) -> int:
    from skipstone.run.decision import decide

    directory, settings = _run(run)
    decide(directory, gate, approved=approved, who=_who(who), why=why)
    said = "approved" if approved else "rejected"
    click.echo(f"gate {gate} of run {directory.run}: {said} by {_who(who)}", err=True)
    if _holder(directory, settings) is None:
        click.echo("nobody works on this run: `skipstone resume` goes on with it", err=True)
    return ExitCode.DONE


def _run(name: str | None) -> "tuple[RunDirectory, Settings]":
    from skipstone.run.directory import find_run
    from skipstone.settings import load_settings

    settings = load_settings()
    return find_run(settings.runs, name), settings


def _holder(directory: "RunDirectory", settings: "Settings") -> "Lease | None":
    """Return who works on a run now, or None."""
    from skipstone.run.lock import holder_of

    holder = holder_of(settings.locks, directory.view().cloud)
    return holder if holder and holder.run == directory.run else None


def _who(name: str | None) -> str:
    from skipstone.run.decision import operator_here

    return name or operator_here()


def _write(
    directory: "RunDirectory", settings: "Settings", kind: "Kind", step: str | None = None, **facts: object
) -> None:
    """Write one event, as the only process that holds the cloud; raise RunLocked where another one does."""
    from skipstone.run.journal import Journal
    from skipstone.run.lock import hold_cloud

    cloud = directory.view().cloud
    with (
        hold_cloud(settings.locks, cloud, directory.run, runs=settings.runs) as lease,
        Journal(directory.journal, token=lease.token, mask=str) as journal,
    ):
        journal.append(kind, step=step, attempt=None, **facts)
