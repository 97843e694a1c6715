"""A rehearsal on a terminal: while it goes on, and what it found out."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.progress import Progress
from rich.table import Table

from skipstone.cloud.cloudfile import write_privately
from skipstone.rehearsal.fastforward import Move
from skipstone.rehearsal.report import CommandReport, Ended, Phase, RehearsalReport, ServiceReport, StopReport
from skipstone.rehearsal.watcher import Watcher
from skipstone.views.duration import duration
from skipstone.views.page import megabytes

PHASES = {
    Phase.READ: "reading the cloud's databases",
    Phase.SERVER: "starting a database server",
    Phase.TOOLCHAINS: "fetching the releases' own code",
    Phase.LOAD: "loading the dumps",
    Phase.COUNT: "counting rows",
    Phase.CARRY: "migrating",
}
ENDINGS = {
    Ended.DONE: "",
    Ended.GUARDED: "not tried: its code would refuse or damage the data",
    Ended.FAILED: "failed",
    Ended.OTHER_HEADS: "ended at other heads than this release's",
}
SLOWEST = 10


IN_BYTES = {Phase.READ, Phase.LOAD}
"""Phases of which it is known how many bytes there are to do, and so how long that takes."""


class Shown(Watcher):
    """A rehearsal as one bar."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._phase = Phase.SERVER
        self._task = bar.add_task("", phase="", total=None)

    def phase(self, phase: Phase, total: int = 0) -> None:
        """Begin the bar anew."""
        self._phase = phase
        self._bar.reset(self._task, phase=PHASES[phase], total=total or None, description="")

    def advance(self, amount: int = 1) -> None:
        """Move it on."""
        self._bar.advance(self._task, amount)
        if self._phase in IN_BYTES:
            (task,) = self._bar.tasks
            whole = f" of {megabytes(int(task.total))}" if task.total else ""
            left = f", {duration(task.time_remaining)} left" if task.time_remaining else ""
            self._bar.update(self._task, description=f"{megabytes(int(task.completed))}{whole}{left}")

    def move(self, move: Move) -> None:
        """Name the command that begins."""
        self._bar.update(
            self._task,
            description=f"{move.invocation.run.replace(' {config}', '')} ({move.release.codename})",
        )


def write_rehearsal(report: RehearsalReport, path: Path) -> None:
    """Write a report as a page, or as JSON, as the file's name says; raise InputError where that fails."""
    text = report.model_dump_json(indent=2) + "\n"
    write_privately(path, lambda file: file.write(text))


def show_rehearsal(report: RehearsalReport) -> None:
    """Print what a rehearsal found out, from top to bottom."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    for part in _parts(report):
        console.print(part)


def _parts(report: RehearsalReport) -> Iterator[RenderableType]:
    verdict = "[green]every database arrived[/]" if report.passed else "[red]not every database arrived[/]"
    yield f"[bold]{report.source} → {report.target}[/bold]: {verdict}, on copies in {escape(report.server)}"
    yield _services(report)
    for service in report.services:
        yield from _troubles(service)
    yield from _left_out(report)
    yield ""
    yield f"database stage: {duration(report.migration_seconds)}, services side by side; slowest commands:"
    yield _slowest(report)
    others = ", ".join(f"{PHASES[phase]} {duration(seconds)}" for phase, seconds in report.phases.items())
    yield f"the rehearsal itself: {others}"
    if not report.isolated:
        yield "[yellow]the commands could reach a network (--no-isolation)[/]"


def _services(report: RehearsalReport) -> Table:
    table = Table("service", "databases", "rows", "stops", "time", "", box=None)
    for service in report.services:
        rows = sum(database.rows for database in service.databases)
        names = ", ".join(database.name for database in service.databases)
        end = "[green]arrived[/]" if service.passed else f"[red]{ENDINGS[service.stops[-1].ended]}[/]"
        passed = " → ".join(service.planned)
        table.add_row(service.service, escape(names), f"{rows:,}", passed, duration(service.seconds), end)
    return table


def _troubles(service: ServiceReport) -> Iterator[RenderableType]:
    for stop in service.stops:
        for trouble in stop.troubles:
            told = f"{trouble.rows:,} rows: {escape(trouble.condition)}"
            yield f"\n[red]{service.service}, {stop.title}[/]: {told}"
            yield Padding(f"do first: {escape(trouble.remedy)}\n({trouble.check}; {trouble.effect})", (0, 2))
        if stop.ended is Ended.FAILED:
            yield from _failure(service, stop, stop.commands[-1])
        if stop.ended is Ended.OTHER_HEADS:
            yield f"\n[red]{service.service}, {stop.title}[/]: {ENDINGS[stop.ended]}"
            lines = [
                f"{name}: {', '.join(found)}, wanted {', '.join(stop.wanted[name])}"
                for name, found in stop.heads.items()
            ]
            yield Padding(escape("\n".join(lines)), (0, 2))


def _failure(service: ServiceReport, stop: StopReport, command: CommandReport) -> Iterator[RenderableType]:
    yield f"\n[red]{service.service}, {stop.title}[/]: {escape(command.command)} exited with {command.code}"
    yield Padding(escape("\n".join(command.output.strip().splitlines()[-8:])), (0, 2))


def _left_out(report: RehearsalReport) -> Iterator[RenderableType]:
    if report.nobodys:
        yield f"\nno service's, so not carried: {escape(', '.join(report.nobodys))}"
    for dump in report.dumps:
        if dump.left_out:
            what = ", ".join(f"{count} {name}" for name, count in dump.left_out.items())
            yield f"left out of {escape(dump.where)}: {escape(what)}"


def _slowest(report: RehearsalReport) -> Table:
    table = Table(box=None, show_header=False)
    commands = [
        (command, service, stop)
        for service in report.services
        for stop in service.stops
        for command in stop.commands
    ]
    for command, _, stop in sorted(commands, key=lambda item: -item[0].seconds)[:SLOWEST]:
        again = f"{command.rounds} rounds" if command.rounds > 1 else ""
        table.add_row(duration(command.seconds), stop.title, escape(command.command), again)
    return table
