"""A rehearsal on a terminal: while it goes on, and what it found out."""

from collections.abc import Iterator
from threading import RLock

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.progress import Progress
from rich.table import Table

from skipstone.catalog import Outcome
from skipstone.rehearsal.fastforward import Move
from skipstone.rehearsal.report import (
    CommandReport,
    Ended,
    Phase,
    PurgeReport,
    RehearsalReport,
    ServiceReport,
    StopReport,
    TableWork,
    TroubleReport,
)
from skipstone.rehearsal.watcher import Watcher
from skipstone.views.answers import show_apis, show_rows
from skipstone.views.measure import duration, megabytes

PHASES = {
    Phase.READ: "reading the cloud's databases",
    Phase.SERVER: "starting a database server",
    Phase.TOOLCHAINS: "fetching the releases' own code",
    Phase.LOAD: "loading the dumps",
    Phase.COUNT: "counting rows",
    Phase.CARRY: "migrating",
    Phase.CHECK: "asking the new release's own checks",
    Phase.ASK: "asking the new APIs",
}
ENDINGS = {
    Ended.DONE: "",
    Ended.GUARDED: "not tried: its code would refuse or damage the data",
    Ended.FAILED: "failed",
    Ended.OTHER_HEADS: "ended at other heads than this release's",
    Ended.DAMAGED: "its code has damaged the data",
}
SLOWEST = 10
LAST_LINES, LONGEST = 8, 400
"""Lines of a failed command's output that are shown, and characters of each; the JSON has more."""


IN_BYTES = {Phase.READ, Phase.LOAD}
"""Phases of which it is known how many bytes there are to do, and so how long that takes."""


class Shown(Watcher):
    """A rehearsal as one bar; dumps that are loaded side by side tell it of themselves at once."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._lock = RLock()
        self._phase = Phase.SERVER
        self._task = bar.add_task("", phase="", total=None)

    def phase(self, phase: Phase, total: int = 0) -> None:
        """Begin the bar anew."""
        with self._lock:
            self._phase = phase
            self._begin(total or None, 0)

    def _begin(self, total: int | None, completed: int) -> None:
        # a task's total cannot be taken back: None means that it stays
        self._bar.remove_task(self._task)
        self._task = self._bar.add_task("", phase=PHASES[self._phase], total=total, completed=completed)

    def advance(self, amount: int = 1) -> None:
        """Move it on."""
        with self._lock:
            self._bar.advance(self._task, amount)
            if self._phase in IN_BYTES:
                self._tell_bytes()

    def _tell_bytes(self) -> None:
        (task,) = self._bar.tasks
        if task.total and task.completed > task.total:  # a server's sizes are estimates
            self._begin(None, int(task.completed))
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


def show_rehearsal(report: RehearsalReport) -> None:
    """Print what a rehearsal found out, from top to bottom."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    for part in _parts(report):
        # text is left to the terminal's own lines: a path or a statement cut in two cannot be copied
        console.print(part, soft_wrap=isinstance(part, str))


def _parts(report: RehearsalReport) -> Iterator[RenderableType]:
    color = "green" if report.passed else "red"
    verdict = f"[{color}]{report.verdict}[/]"
    yield f"[bold]{report.source} → {report.target}[/bold]: {verdict}, on copies in {escape(report.server)}"
    if report.origin:
        times = sorted(dump.reading.at for dump in report.dumps if dump.reading)
        when = f"from {times[0]:%H:%M:%S} to {times[-1]:%H:%M:%S} UTC"
        yield f"the databases of the running cloud {escape(report.origin.cloud)} were read {when}"
    yield _services(report)
    yield from _taken_over(report)
    for service in report.services:
        yield from _troubles(service)
    yield from _left_out(report)
    yield from show_rows(report.services)
    yield from _checks(report)
    yield from show_apis(report.apis)
    yield ""
    yield "\n".join(prediction(report))
    yield "slowest commands, and the table that each worked on most:"
    yield _slowest(report)
    yield from needs(report)
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


def _taken_over(report: RehearsalReport) -> Iterator[RenderableType]:
    for one in report.taken_over:
        told = f"{one.title}: {len(one.tables)} tables of {one.origin}, copied to {one.database}"
        yield f"\n[yellow]{one.service}[/]: {escape(told)}"
        yield Padding(f"{escape(one.advice)}\n({one.recipe})", (0, 2))


def _checks(report: RehearsalReport) -> Iterator[RenderableType]:
    """Yield what the target's own checks found; silent ones are in the JSON."""
    for one in report.checks:
        said = [f"{result}: {question}: {details}" for question, result, details in one.found]
        if not said and one.outcome == Outcome.ERROR:
            said = [f"exited with {one.code}", *one.output.strip().splitlines()[-LAST_LINES:]]
        if said:
            yield f"\n[yellow]{escape(one.command)}[/] says of the copies, with a rehearsal's configuration:"
            yield Padding(escape("\n".join(said)), (0, 2))


def _troubles(service: ServiceReport) -> Iterator[RenderableType]:
    for stop in service.stops:
        for trouble in stop.troubles:
            if trouble.mended:
                yield from _mended(service, stop, trouble)
        for trouble in stop.left:
            told = f"{trouble.rows:,} rows: it does not hold that {escape(trouble.condition)}"
            yield f"\n[red]{service.service}, {stop.title}[/]: {told}"
            lead = "do first" if stop.ended is Ended.GUARDED else "repair"
            yield Padding(f"{lead}: {escape(trouble.remedy)}\n({trouble.check}; {trouble.effect})", (0, 2))
        if stop.ended is Ended.FAILED:
            yield from _failure(service, stop, stop.commands[-1])
        if stop.ended is Ended.OTHER_HEADS:
            yield f"\n[red]{service.service}, {stop.title}[/]: {ENDINGS[stop.ended]}"
            lines = [
                f"  {name}: {', '.join(found)}, wanted {', '.join(stop.wanted[name])}"
                for name, found in stop.heads.items()
            ]
            yield escape("\n".join(lines))


def _mended(service: ServiceReport, stop: StopReport, trouble: TroubleReport) -> Iterator[RenderableType]:
    told = f"{trouble.rows:,} rows, mended on the copy: it did not hold that {escape(trouble.condition)}"
    yield f"\n[yellow]{service.service}, before {stop.title}[/]: {told}"
    yield Padding(f"do first, in {trouble.database}: {escape(trouble.remedy)}\n({trouble.check})", (0, 2))


def _failure(service: ServiceReport, stop: StopReport, command: CommandReport) -> Iterator[RenderableType]:
    end = f"exited with {command.code}"
    if command.code < 0:
        end = f"was killed by signal {-command.code}: see whether memory ran out, and rehearse again"
    yield f"\n[red]{service.service}, {stop.title}[/]: {escape(command.command)} {end}"
    for line in last_lines(command):
        yield f"  {escape(line)}"


def last_lines(command: CommandReport) -> list[str]:
    """Return the last lines of a command's output; of a statement with its values only the beginning."""
    lines = command.output.strip().splitlines()[-LAST_LINES:]
    return [line if len(line) <= LONGEST else f"{line[:LONGEST]} [...]" for line in lines]


def _left_out(report: RehearsalReport) -> Iterator[RenderableType]:
    if report.nobodys:
        yield f"\nno service's, so not carried: {escape(', '.join(report.nobodys))}"
    for dump in report.dumps:
        if dump.left_out:
            what = ", ".join(f"{count} {name}" for name, count in dump.left_out.items())
            yield f"left out of {escape(dump.where)}: {escape(what)}"


def slowest(report: RehearsalReport) -> list[tuple[CommandReport, ServiceReport, StopReport]]:
    """Return the commands that took longest, the longest first."""
    commands = [
        (command, service, stop)
        for service in report.services
        for stop in service.stops
        for command in stop.commands
    ]
    return sorted(commands, key=lambda item: -item[0].seconds)[:SLOWEST]


def _work(table: TableWork) -> str:
    done = (f"{table.read:,} read", f"{table.written:,} written", "altered")
    told = [text for text, said in zip(done, (table.read, table.written, table.altered), strict=True) if said]
    return f"{table.table} ({', '.join(told)})"


def _slowest(report: RehearsalReport) -> Table:
    table = Table(box=None, show_header=False)
    for command, _, stop in slowest(report):
        again = f" ({command.rounds} rounds)" if command.rounds > 1 else ""
        work = ", ".join(map(_work, command.tables[:1]))
        table.add_row(duration(command.seconds), stop.title, escape(command.command + again), escape(work))
    return table


def prediction(report: RehearsalReport) -> Iterator[str]:
    """Yield what is known of how long the databases' stage will take, and how well."""
    far = "" if report.passed else ", as far as it got"
    yield f"database stage: {duration(report.migration_seconds)}, services side by side{far}"
    if report.runs:
        least, most = duration(min(report.runs)), duration(max(report.runs))
        yield f"{len(report.runs)} runs took from {least} to {most}; the figures here are the slowest run's"
    else:
        yield "one run, so nothing is known of its spread: --runs 3 measures it"
    longest = max(report.services, key=lambda service: service.seconds)
    yield (
        f"the longest chain is {longest.service}'s, {duration(longest.seconds)}; one service after the other"
        f" would take {duration(sum(service.seconds for service in report.services))}"
    )
    before = max(_before_the_outage(report, service) for service in report.services)
    if before:
        yield (
            f"up to {duration(before)} of a chain are {report.source}'s own online data migrations: run them"
            " on the cloud while it serves, then nothing of them is left for the outage"
        )
    yield from map(_purged, report.purged)
    if report.taken:
        yield (
            f"of it {duration(report.taken.processor)} of processor time, on {report.taken.cores} cores for"
            f" which {report.taken.load:.1f} processes were waiting before: a busy machine takes longer"
        )


def _purged(one: PurgeReport) -> str:
    if one.failed:
        return f"purging {one.service}'s deleted rows first failed: {one.failed}"
    return (
        f"purging {one.service}'s deleted rows first, {one.rows:,} in {duration(one.seconds)}: its chain"
        f" then takes {duration(one.with_it)} instead of {duration(one.without)}"
    )


def _before_the_outage(report: RehearsalReport, service: ServiceReport) -> float:
    return sum(stop.seconds for stop in service.stops if stop.release == report.source)


def needs(report: RehearsalReport) -> Iterator[str]:
    """Yield what the rehearsal took of its machine."""
    if report.taken:
        disk, dumps = megabytes(report.taken.disk), megabytes(report.taken.dumps)
        yield f"disk: {disk} for the copies, {dumps} for the dumps"
        yield (
            f"memory: {megabytes(report.taken.server)} for the database server,"
            f" {megabytes(report.taken.commands)} for the commands at once"
        )
