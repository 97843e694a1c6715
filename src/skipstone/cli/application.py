"""One sitting of a run: everything between the command line and the runner, for ``apply`` and ``resume``."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from skipstone.errors import ExitCode, InputError, RollbackRefused, RunStopped
from skipstone.run.budget import Allowance

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from rich.console import Console

    from skipstone.cli.measuring import Measurement
    from skipstone.cloud.command import Transport
    from skipstone.cloud.inventory import Inventory
    from skipstone.cloud.model import Cloud
    from skipstone.plan.plan import Plan
    from skipstone.run.budget import Budget
    from skipstone.run.directory import RunDirectory
    from skipstone.run.gatekeeper import Consent
    from skipstone.run.lock import Lease
    from skipstone.run.runner import Runner
    from skipstone.run.runview import RunView
    from skipstone.run.sharedlock import SharedHold
    from skipstone.settings import Settings
    from skipstone.views.progress import Progress


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line; ``approve`` names gates."""

    yes: bool = False
    approve: tuple[str, ...] = ()
    until: str | None = None
    fresh: bool = False
    measure: bool = True
    tcp_port: int | None = None
    instances: int | None = None
    allowance: Allowance = Allowance()  # noqa: RUF009 - frozen


@dataclass(frozen=True)
class Sitting:
    """What one process's work on a run stands on.

    The cloud's lock, and the one in a shared database; what was approved beforehand, the budgets in force,
    and what measures, if anything does.
    """

    lease: "Lease"
    hold: "SharedHold | None"
    consent: "Consent"
    budgets: "tuple[Budget, ...]" = ()
    measurement: "Measurement | None" = None


@dataclass(frozen=True)
class Application:
    """One sitting: a plan, the cloud that it is for, and what the operator has asked for."""

    plan: "Plan"
    inventory: "Inventory"
    settings: "Settings"
    options: Options
    console: "Console"

    @classmethod
    def on_run(
        cls, directory: "RunDirectory", plan: "Plan", settings: "Settings", console: "Console"
    ) -> "Application":
        """Return the sitting of a plan about another run, which was agreed to and is not measured."""
        from skipstone.cloud.inventory import load_inventory

        options = Options(yes=True, measure=False)
        return cls(plan, load_inventory(directory.inventory), settings, options, console)

    def run(self) -> "RunView":
        """Carry the plan out and return where the run then stands; raise what stops it before it begins."""
        from skipstone.cloud.inventory import expect_hooks
        from skipstone.run.beginning import create, run_of
        from skipstone.run.directory import Origin
        from skipstone.run.lock import hold_cloud

        expect_hooks(self.inventory)
        self._check_input()
        directory = run_of(self.settings.runs, self.plan, fresh=self.options.fresh)
        self._show(directory)
        consent = self._consent(directory)
        locks, runs = self.settings.locks, self.settings.runs
        with (
            hold_cloud(locks, self.plan.cloud, directory.run, runs=runs) as lease,
            self._held_for_all_machines(lease) as hold,
        ):
            cloud = None if directory.begun or self.plan.of_run else self._rediscover()
            create(directory, self.plan, Origin(str(self.inventory.path.resolve()), self.options.measure))
            with self._telling(directory, lease):
                if directory.begun and directory.view().state.over:
                    return directory.view()  # only the telling was left
                budgets = self._budgets(directory)
                return self._measured(directory, cloud, Sitting(lease, hold, consent, budgets))

    def _budgets(self, directory: "RunDirectory") -> "tuple[Budget, ...]":
        """Return the budgets in force; raise InputError where one is broken, or none would be measured."""
        from skipstone.run.runview import RunView

        view = directory.view() if directory.begun else RunView()
        if not view.budgets and self.options.allowance == Allowance():
            return ()
        from skipstone.cli.guarding import expect_budgets, too_small

        if not self.options.measure and self.options.allowance.budgets:
            raise InputError("a budget needs the probes, which --no-measure leaves out; nothing was begun")
        budgets = expect_budgets(directory, view, self.options.allowance)
        for line in too_small(self.plan, budgets):
            self.console.print(f"[yellow]{line}[/]", soft_wrap=True)
        return budgets

    @contextmanager
    def _telling(self, directory: "RunDirectory", lease: "Lease") -> "Iterator[None]":
        """Where this plan is about another run, tell that one's journal; at the good end again."""
        from skipstone.run.telling import tell_begun, tell_done

        if self.plan.of_run:
            tell_begun(directory, self.plan, lease)
        yield
        if self.plan.of_run:
            tell_done(directory, self.plan, lease)

    def finish(self, *, as_json: bool) -> int:
        """Carry the plan out, print how the run then stands, and return the exit code; raise as ``judge``."""
        from skipstone.views.progress import run_json

        view = self.run()
        if as_json:
            click.echo(run_json(view))
        self.judge(view)
        return ExitCode.DONE

    def judge(self, view: "RunView") -> None:
        """Say how it ended and where the log is; raise RunStopped where an operator is needed."""
        from skipstone.run.state import RunState
        from skipstone.views.progress import run_picture

        self.console.print(run_picture(view, trouble=False))
        self.console.print(f"log: skipstone log {view.run}", soft_wrap=True)
        if view.state is RunState.DONE and any(step.holds() for step in self.plan.steps()):
            self.console.print("it can be undone (`skipstone rollback`) until `skipstone checkpoints --drop`")
        if view.state is RunState.FAILED:
            step, *others = view.failed
            also = [f"failed too: {other.id} on {other.host}: {other.error}" for other in others]
            raise RunStopped(
                f"{step.error}; {len(view.remaining)} of {sum(1 for _ in view.steps())} steps remain",
                where=f"{step.host}: {step.id}",
                evidence="\n".join([step.evidence, *also]),
                remedy="\n".join([step.remedy, *self._choices(view.run, step.id)]),
            )
        if view.state is RunState.STOPPED and not self._reached(view):
            raise RunStopped(
                f"the run has stopped: {view.reason}; {len(view.remaining)} steps remain",
                evidence="\n".join(f"budget {one.name}: {one.figures}" for one in view.exceeded),
                remedy=_how_to_go_on(view),
            )

    def _reached(self, view: "RunView") -> bool:
        """Return whether the stage that was to be reached is done, and all before it: so it was to stop."""
        if self.options.until is None:
            return False
        names = [stage.name for stage in self.plan.stages]
        asked = self.plan.stages[: names.index(self.options.until) + 1]
        remaining = {step.id for step in view.remaining}
        return remaining.isdisjoint(step.id for stage in asked for step in stage.steps)

    def _choices(self, run: str, failed: str) -> list[str]:
        """Return what else an operator can do after a step failed; its remedy names resume."""
        from skipstone.run.directory import RunDirectory
        from skipstone.run.rollback import plan_rollback

        looks = next(step.looks for step in self.plan.steps() if step.id == failed)
        choices = [f"skipstone skip {failed} --reason TEXT (it only looks)"] if looks else []
        with suppress(InputError, RollbackRefused):
            plan_rollback(RunDirectory(self.settings.runs / run))
            choices.append("skipstone rollback undoes what was done")
        return [*choices, "skipstone abort --reason TEXT gives the run up as it stands"]

    def _check_input(self) -> None:
        """Raise InputError where the plan has no such stage or gate, or the inventory lacks a host of it."""
        from skipstone.cloud.command import OPERATOR

        stages = [stage.name for stage in self.plan.stages]
        if self.options.until not in {None, *stages}:
            remedy = f"its stages are: {', '.join(stages)}"
            raise InputError(f"the plan has no stage {self.options.until!r}", remedy=remedy)
        gates = [gate.id for gate in self.plan.gates]
        for name in self.options.approve:
            if name not in gates:
                remedy = f"its gates are: {', '.join(gates)}"
                raise InputError(f"the plan has no gate {name!r}", remedy=remedy)
        for host in {step.host for step in self.plan.steps()} - {OPERATOR}:
            self.inventory.host(host)

    def _show(self, directory: "RunDirectory") -> None:
        from skipstone.plan.plan import ALWAYS_A_WAY_BACK
        from skipstone.views.measure import duration
        from skipstone.views.progress import run_picture
        from skipstone.views.waves import narrowed

        if directory.begun:
            self.console.print(run_picture(directory.view()))
            self.console.print("This run goes on from there.\n")
            return
        plan = self.plan
        self.console.print(
            f"[bold]{plan.id}[/]  {plan.source} → {plan.target} on {plan.cloud},"
            f" {sum(1 for _ in plan.steps())} steps, about {duration(plan.estimate)}"
        )
        if plan.point_of_no_return is None and not plan.of_run:
            self.console.print(f"  [green]{ALWAYS_A_WAY_BACK}[/]")
        gates = {gate.before: gate.id for gate in plan.gates}
        for stage in plan.stages:
            if stage.name in gates:
                self.console.print(f"  [bold]gate {gates[stage.name]}[/]")
            self.console.print(f"  {stage.name:<24}{len(stage.steps):>4} steps  {duration(stage.estimate)}")
            if plan.point_of_no_return in {step.id for step in stage.steps}:
                self.console.print(f"  [bold red]point of no return: {plan.point_of_no_return}[/]")
        if slower := narrowed(plan, self.settings.steps_at_once):
            self.console.print(f"[yellow]{slower}[/]", soft_wrap=True)

    def _consent(self, directory: "RunDirectory") -> "Consent":
        """Return what is approved beforehand; who sits at a terminal is asked for the first gate at once."""
        from skipstone.run.decision import operator_here
        from skipstone.run.gatekeeper import Consent

        gates, asked = dict.fromkeys(self.options.approve, "--approve"), self.options.yes or directory.begun
        if not asked and sys.stdin.isatty():
            click.confirm("Begin?", abort=True, err=True)
            gates |= {gate.id: "asked at the terminal" for gate in self.plan.gates[:1]}
        elif not asked and not self.plan.gates:
            raise InputError("nobody can be asked here whether to begin", remedy="say --yes to begin unasked")
        return Consent(operator_here(), "--yes" if self.options.yes else "", gates)

    def _rediscover(self) -> "Cloud":
        """Return the cloud as it is; raise PlanRefused where the plan was made for another state of it."""
        from skipstone.apart import apart
        from skipstone.plan.freshness import refuse_unless_fresh

        self.console.print("looking at the cloud as it is now")
        cloud = apart(_discovered, self.inventory)
        refuse_unless_fresh(self.plan, cloud, known=self._finished())
        return cloud

    def _finished(self) -> list[str]:
        """Return which runs of this plan are done: then it is no wonder that the cloud has changed."""
        from skipstone.run.directory import runs_of
        from skipstone.run.state import RunState

        views = [run.view() for run in runs_of(self.settings.runs, self.plan.id) if run.begun]
        return [
            f"run {view.run} has carried this plan out, until {view.ended:%Y-%m-%d %H:%M} UTC"
            for view in views
            if view.state is RunState.DONE
        ]

    def _measured(self, directory: "RunDirectory", cloud: "Cloud | None", sitting: "Sitting") -> "RunView":
        """Carry out, measured from outside unless that is not wanted; report what was measured."""
        from skipstone.cli.measuring import Measurement
        from skipstone.run.state import RunState

        if not self.options.measure:
            return asyncio.run(self._carry_out(directory, sitting))
        measurement = Measurement(
            directory,
            self.inventory,
            self.console,
            sitting.budgets,
            self.options.tcp_port,
            self.options.instances,
            waves=tuple(tuple(stage.groups) for stage in self.plan.stages if stage.groups),
        )
        with measurement.probing(cloud):
            view = asyncio.run(self._carry_out(directory, replace(sitting, measurement=measurement)))
        if view.state is RunState.DONE:
            measurement.look_after(_discovered)
        for path in measurement.report():
            self.console.print(f"written: {path}", soft_wrap=True)
        return view

    @contextmanager
    def _held_for_all_machines(self, lease: "Lease") -> "Iterator[SharedHold | None]":
        """Hold the cloud in the PostgreSQL that machines share, where one is named, with workers that fit.

        Here, for what does not fit is to be told before anything is written into a journal.
        """
        database = self.settings.shared_database
        if database is None:
            yield None
            return
        from skipstone.run.sharedlock import hold_for_all_machines
        from skipstone.run.workers import fit_workers

        with hold_for_all_machines(database, lease) as hold:
            fit_workers(database, self.plan.cloud)
            yield hold

    def _shared(self, own: "Transport") -> "AbstractAsyncContextManager[Transport]":
        """Return what shares the work with workers, where a PostgreSQL is named that they share with us."""
        database = self.settings.shared_database
        if database is None:
            return nullcontext(own)
        from skipstone.run.dbosengine import APPLICATION_VERSION
        from skipstone.run.workers import shared

        return shared(own, database, self.plan.cloud, APPLICATION_VERSION)

    async def _carry_out(self, directory: "RunDirectory", sitting: "Sitting") -> "RunView":
        from skipstone.cli.answering import answered_from
        from skipstone.cloud.masking import Secrets
        from skipstone.cloud.transport import open_transport
        from skipstone.run.engine import open_engine, sqlite_url
        from skipstone.run.gatekeeper import no_figures
        from skipstone.run.journal import Journal
        from skipstone.run.runner import Runner
        from skipstone.views.progress import shown_progress

        secrets = Secrets()
        database = self.settings.database_url or sqlite_url(directory.engine)
        async with open_transport(self.inventory) as own, self._shared(own) as transport:
            with ExitStack() as stack:
                journal = stack.enter_context(
                    Journal(
                        directory.journal,
                        token=sitting.lease.token,
                        mask=lambda text: secrets.everywhere(secrets.without_secrets(text)),
                    )
                )
                runner = Runner(
                    self.plan,
                    directory,
                    journal=journal,
                    engine=open_engine(database, directory.run),
                    transport=transport,
                    token=sitting.lease.token,
                    steps_at_once=self.settings.steps_at_once,
                    consent=sitting.consent,
                    allowance=self.options.allowance,
                    figures=sitting.measurement.figures if sitting.measurement else no_figures,
                )
                progress = stack.enter_context(shown_progress(self.console))
                journal.listeners.append(progress.hear)
                stack.enter_context(_stopped_by_signals(runner))
                if sys.stdin.isatty():
                    stack.enter_context(answered_from(sys.stdin.fileno(), directory, journal))
                try:
                    async with (
                        _guarded(directory, sitting, runner, progress),
                        _watched(sitting, runner, transport),
                    ):
                        return await runner.run(until=self.options.until)
                except asyncio.CancelledError:
                    raise _left(journal.view) from None


def _watched(
    sitting: Sitting, runner: "Runner", transport: "Transport"
) -> "AbstractAsyncContextManager[None]":
    """Return what stops the run, in peace, where its lock in the shared database is lost meanwhile."""
    if sitting.hold is None:
        return nullcontext()
    from skipstone.run.workers import SharedTransport

    def on_lost(reason: str) -> None:
        runner.ask_stop(reason)
        if isinstance(transport, SharedTransport):
            transport.go_alone()

    return sitting.hold.watched(on_lost)


def _guarded(
    directory: "RunDirectory", sitting: Sitting, runner: "Runner", progress: "Progress"
) -> "AbstractAsyncContextManager[None]":
    """Return what watches the recording meanwhile, where anything is measured."""
    if sitting.measurement is None:
        return nullcontext()
    from skipstone.cli.guarding import Guard

    guard = Guard.of(directory, sitting.measurement.restart)
    return guard.watching(runner, sitting.budgets, progress.feel)


def _discovered(inventory: "Inventory") -> "Cloud":
    from skipstone.catalog import load_catalog
    from skipstone.cloud.discover import discover

    return asyncio.run(discover(inventory, load_catalog()))


@contextmanager
def _stopped_by_signals(runner: "Runner") -> Iterator[None]:
    """Let the first Ctrl-C (or SIGTERM) end the run after its running steps, the second one leave at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    asked = False

    def on_signal() -> None:
        nonlocal asked
        if asked and task is not None:
            task.cancel()
            return
        asked = True
        runner.ask_stop()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _how_to_go_on(view: "RunView") -> str:
    if not view.exceeded:
        return "skipstone resume goes on where it stopped"
    name = view.exceeded[0].name
    return (
        f"skipstone resume --budget {name}=VALUE raises it,"
        f" skipstone resume --accept-budget {name} --reason TEXT goes on without it;"
        " skipstone rollback undoes what was done"
    )


def _left(view: "RunView") -> RunStopped:
    going = [f"{step.id} on {step.host}" for step in view.steps() if step.state.open]
    return RunStopped(
        "left at once; the hosts go on with their jobs",
        where=view.run,
        evidence="\n".join(going),
        remedy="skipstone resume takes the jobs up again by their names",
    )
