"""``skipstone apply``: carries out a plan, or goes on where an earlier apply stopped."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.errors import ExitCode, InputError, RunStopped

if TYPE_CHECKING:
    from rich.console import Console

    from skipstone.cloud.inventory import Inventory
    from skipstone.cloud.model import Cloud
    from skipstone.plan.plan import Plan
    from skipstone.run.directory import RunDirectory
    from skipstone.run.lock import Lease
    from skipstone.run.runner import Runner
    from skipstone.run.runview import RunView
    from skipstone.settings import Settings

FILE = click.Path(path_type=Path)


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    yes: bool
    until: str | None
    fresh: bool
    measure: bool
    as_json: bool


@click.command(
    epilog="""\b
Examples:
  skipstone apply plan.yaml -i inventory.yaml
  skipstone apply plan.yaml -i inventory.yaml --yes --until prepare

Ctrl-C lets the running steps end and begins no other; a second Ctrl-C leaves at once, while the hosts go on
with their jobs. In any case the same command goes on from there.
"""
)
@click.argument("plan_file", type=FILE)
@click.option("-i", "--inventory", "inventory_file", type=FILE, required=True, help="The cloud's inventory.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--until", metavar="STAGE", help="Stop when this stage is done.")
@click.option("--fresh", is_flag=True, help="Begin a new run, where the last one of this plan is unfinished.")
@click.option("--state-dir", type=FILE, help="Where runs are kept.  [default: the settings' state_dir]")
@click.option("--measure/--no-measure", default=True, help="Probe APIs and instances meanwhile.")
@click.option("--json", "as_json", is_flag=True, help="Print how the run stands at the end as JSON.")
def apply(
    plan_file: Path,
    inventory_file: Path,
    *,
    yes: bool,
    until: str | None,
    fresh: bool,
    state_dir: Path | None,
    measure: bool,
    as_json: bool,
) -> int:
    """Carry out a plan; continue where an earlier apply of it stopped."""
    from skipstone.cloud.inventory import load_inventory
    from skipstone.plan.planfile import load_plan
    from skipstone.settings import load_settings
    from skipstone.views.progress import run_json, terminal

    settings = load_settings()
    if state_dir is not None:
        settings = settings.model_copy(update={"state_dir": state_dir})
    application = Application(
        plan=load_plan(plan_file),
        inventory=load_inventory(inventory_file),
        settings=settings,
        options=Options(yes, until, fresh, measure, as_json),
        console=terminal(stderr=True),
    )
    view = application.run()
    if as_json:
        click.echo(run_json(view))
    application.judge(view)
    return ExitCode.DONE


@dataclass(frozen=True)
class Application:
    """One ``apply``: everything between the command line and the runner."""

    plan: "Plan"
    inventory: "Inventory"
    settings: "Settings"
    options: Options
    console: "Console"

    def run(self) -> "RunView":
        """Carry the plan out and return where the run then stands; raise what stops it before it begins."""
        from skipstone.run.directory import run_of
        from skipstone.run.lock import hold_cloud

        self._check_input()
        directory = run_of(self.settings.runs, self.plan, fresh=self.options.fresh)
        self._show(directory)
        self._confirm()
        with hold_cloud(self.settings.locks, self.plan.cloud, directory.run) as lease:
            begun = directory.begun
            cloud = None if begun else self._rediscover()
            directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._measured(directory, cloud, lambda: asyncio.run(self._carry_out(directory, lease)))

    def judge(self, view: "RunView") -> None:
        """Say how it ended and where the log is; raise RunStopped where an operator is needed."""
        from skipstone.run.state import RunState
        from skipstone.views.progress import run_picture

        self.console.print(run_picture(view, trouble=False))
        self.console.print(f"log: skipstone log {view.run}", soft_wrap=True)
        if view.state is RunState.FAILED:
            step = view.failed[0]
            raise RunStopped(
                f"{step.error}; {len(view.remaining)} of {sum(1 for _ in view.steps())} steps remain",
                where=f"{step.host}: {step.id}",
                evidence=step.evidence,
                remedy=step.remedy,
            )
        if view.state is RunState.STOPPED and self.options.until is None:
            raise RunStopped(
                f"the run was stopped; {len(view.remaining)} steps remain",
                remedy="run the same apply again: it goes on where it stopped",
            )

    def _check_input(self) -> None:
        """Raise InputError where the plan has no such stage, or the inventory lacks one of its hosts."""
        from skipstone.cloud.command import OPERATOR

        stages = [stage.name for stage in self.plan.stages]
        if self.options.until not in {None, *stages}:
            remedy = f"its stages are: {', '.join(stages)}"
            raise InputError(f"the plan has no stage {self.options.until!r}", remedy=remedy)
        for host in {step.host for step in self.plan.steps()} - {OPERATOR}:
            self.inventory.host(host)

    def _show(self, directory: "RunDirectory") -> None:
        from skipstone.views.duration import duration
        from skipstone.views.progress import run_picture

        if directory.begun:
            self.console.print(run_picture(directory.view()))
            self.console.print("This run goes on from there.\n")
            return
        plan = self.plan
        self.console.print(
            f"[bold]{plan.id}[/]  {plan.source} → {plan.target} on {plan.cloud},"
            f" {sum(1 for _ in plan.steps())} steps, about {duration(plan.estimate)}"
        )
        for stage in plan.stages:
            self.console.print(f"  {stage.name:<24}{len(stage.steps):>4} steps  {duration(stage.estimate)}")
            if plan.point_of_no_return in {step.id for step in stage.steps}:
                self.console.print(f"  [bold red]point of no return: {plan.point_of_no_return}[/]")

    def _confirm(self) -> None:
        if self.options.yes:
            return
        if not sys.stdin.isatty():
            raise InputError("nobody can be asked here whether to begin", remedy="say --yes to begin unasked")
        click.confirm("Begin?", abort=True, err=True)

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

        views = [run.view() for run in runs_of(self.settings.runs, self.plan) if run.begun]
        return [
            f"run {view.run} has carried this plan out, until {view.ended:%Y-%m-%d %H:%M} UTC"
            for view in views
            if view.state is RunState.DONE
        ]

    def _measured(
        self, directory: "RunDirectory", cloud: "Cloud | None", carry_out: Callable[[], "RunView"]
    ) -> "RunView":
        """Carry out, measured from outside unless that is not wanted; report what was measured."""
        from skipstone.cli.measuring import Measurement
        from skipstone.run.state import RunState

        if not self.options.measure:
            return carry_out()
        measurement = Measurement(directory, self.inventory, self.console)
        with measurement.probing(cloud):
            view = carry_out()
        if view.state is RunState.DONE:
            measurement.look("after.json")
        for path in measurement.report():
            self.console.print(f"written: {path}", soft_wrap=True)
        return view

    async def _carry_out(self, directory: "RunDirectory", lease: "Lease") -> "RunView":
        from skipstone.cloud.masking import Secrets
        from skipstone.cloud.transport import open_transport
        from skipstone.run.engine import open_engine, sqlite_url
        from skipstone.run.journal import Journal
        from skipstone.run.runner import Runner
        from skipstone.views.progress import shown_progress

        secrets = Secrets()
        database = self.settings.database_url or sqlite_url(directory.engine)
        async with open_transport(self.inventory) as transport:
            with ExitStack() as stack:
                journal = stack.enter_context(
                    Journal(
                        directory.journal,
                        token=lease.token,
                        mask=lambda text: secrets.everywhere(secrets.without_secrets(text)),
                    )
                )
                runner = Runner(
                    self.plan,
                    directory,
                    journal=journal,
                    engine=open_engine(database, directory.run),
                    transport=transport,
                    token=lease.token,
                    steps_at_once=self.settings.steps_at_once,
                )
                journal.listeners.append(stack.enter_context(shown_progress(self.console)).hear)
                stack.enter_context(_stopped_by_signals(runner))
                try:
                    return await runner.run(until=self.options.until)
                except asyncio.CancelledError:
                    raise _left(journal.view) from None


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


def _left(view: "RunView") -> RunStopped:
    going = [f"{step.id} on {step.host}" for step in view.steps() if step.state.open]
    return RunStopped(
        "left at once; the hosts go on with their jobs",
        where=view.run,
        evidence="\n".join(going),
        remedy="run the same apply again: it takes the jobs up again by their names",
    )
