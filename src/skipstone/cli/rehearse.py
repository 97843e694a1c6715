"""``skipstone rehearse``: an upgrade of databases, tried on copies of them."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.errors import ExitCode, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from skipstone.catalog import Catalog, Release
    from skipstone.cloud.inventory import Inventory
    from skipstone.plan.plan import Plan
    from skipstone.rehearsal.production import Production
    from skipstone.rehearsal.report import RehearsalReport
    from skipstone.rehearsal.watcher import Watcher
    from skipstone.toolchain.toolchain import Toolchain

FILE = click.Path(path_type=Path, dir_okay=False)
LIMIT = 50.0
"""MiB a second: seventeen minutes for 50 GiB, and half of what a gigabit network carries."""


@click.command(
    epilog="""\b
Exit codes:
  0  every database arrived
  2  bad input: nothing was tried
  4  a release's code refused, or would damage data: the report says whose and why
\b
Examples:
  skipstone rehearse plan.yaml -i inventory.yaml -o rehearsal.json -o rehearsal.html
  skipstone rehearse --dumps /backup/tonight --to 2025.1
  skipstone rehearse --dumps /backup/tonight --from zed --to 2025.1 -o rehearsal.json
  skipstone rehearse --dumps . --to epoxy --every-release --json | jq .migration_seconds
"""
)
@click.argument("plan_file", type=FILE, required=False)
@click.option("-i", "--inventory", "inventory_file", type=FILE, help="The inventory of the plan's cloud.")
@click.option(
    "--limit",
    type=click.FloatRange(min=0, min_open=True),
    default=LIMIT,
    show_default=True,
    metavar="MIB",
    help="Read the cloud's databases no faster than so many MiB a second.",
)
@click.option(
    "--dumps",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Dumps of the cloud's databases: .sql, .sql.gz, .sql.zst, or what mydumper wrote.",
)
@click.option("--to", "target", metavar="REL", help="Release to arrive at.")
@click.option("--from", "source", metavar="REL", help="Release of the dumps; contradicted where it is wrong.")
@click.option("--every-release", is_flag=True, help="Stop at every release on the way.")
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Carry copies of the same dumps N times: how much the times differ is their spread.",
)
@click.option(
    "--purge",
    is_flag=True,
    help="Carry them once more with deleted rows purged first, to say what that would save.",
)
@click.option(
    "-o", "--output", "outputs", type=FILE, multiple=True, help="Write the report: as JSON, or as .html."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON instead of a summary.")
@click.option("--no-isolation", is_flag=True, help="Run the commands where they could reach a network.")
@click.option("--no-apis", is_flag=True, help="Do not start the target's APIs on the result.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the copies lie meanwhile.  [default: $TMPDIR, /var/tmp]",
)
@click.option(
    "--server", "program", type=click.Path(path_type=Path, exists=True), help="The mariadbd to be used."
)
def rehearse(
    plan_file: Path | None,
    inventory_file: Path | None,
    dumps: Path | None,
    target: str | None,
    *,
    source: str | None,
    outputs: tuple[Path, ...],
    limit: float,
    runs: int,
    purge: bool,
    directory: Path | None,
    program: Path | None,
    every_release: bool,
    as_json: bool,
    no_isolation: bool,
    no_apis: bool,
) -> int:
    """Try an upgrade of the databases on copies of them, with each release's own code.

    The copies are those of PLAN_FILE's running cloud, read without a lock and without a file there, or of
    --dumps. They are loaded into a MariaDB of its own, behind a socket, and the commands are cut off from
    every network. Nothing is left behind but the report.
    """
    from skipstone.catalog import load_catalog

    for number in (signal.SIGTERM, signal.SIGHUP):  # what holds production's data is not left behind
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    catalog = load_catalog()
    with _progress() as watcher:
        rehearsal = _Rehearsal(
            catalog, watcher, runs, purge, directory, program, every_release, not no_isolation, not no_apis
        )
        match plan_file, inventory_file, dumps, target:
            case Path(), Path(), None, None if source is None:
                report = rehearsal.of_cloud(plan_file, inventory_file, limit)
            case None, None, Path(), str():
                report = rehearsal.of_dumps(dumps, target, source)
            case _:
                raise InputError(
                    "it is not clear what is to be rehearsed",
                    remedy="name PLAN_FILE and its -i INVENTORY, or --dumps DIR and --to RELEASE",
                )
    return _tell(report, outputs, as_json=as_json)


@dataclass(frozen=True)
class _Rehearsal:
    """How it is rehearsed, whatever it is."""

    catalog: Catalog
    watcher: Watcher
    runs: int
    purge: bool
    directory: Path | None
    program: Path | None
    every_release: bool
    isolated: bool
    apis: bool

    def of_dumps(self, dumps: Path, target: str, source: str | None) -> RehearsalReport:
        """Rehearse with the dumps of a directory."""
        from skipstone.rehearsal.purging import compared
        from skipstone.rehearsal.rehearsal import Wish, rehearse
        from skipstone.rehearsal.report import slowest_of

        wish = Wish(
            dumps=dumps,
            target=self.catalog.release(target),
            source=self.catalog.release(source) if source else None,
            every_release=self.every_release,
            isolated=self.isolated,
            apis=self.apis,
            directory=self.directory,
            program=self.program,
        )
        reports = [rehearse(self.catalog, wish, _toolchains(), self.watcher) for _ in range(self.runs)]
        report = slowest_of(reports) if self.runs > 1 else reports[0]
        if not self.purge:
            return report
        other = rehearse(self.catalog, replace(wish, purge=True, apis=False), _toolchains(), self.watcher)
        return report.model_copy(update={"purged": compared(report, other)})

    def of_cloud(self, plan_file: Path, inventory_file: Path, limit: float) -> RehearsalReport:
        """Rehearse with the databases of a plan's running cloud, whose dumps do not outlive this."""
        from skipstone.cloud.inventory import load_inventory
        from skipstone.plan.planfile import load_plan
        from skipstone.rehearsal.isolation import isolate
        from skipstone.rehearsal.production import copies_of

        plan, inventory = load_plan(plan_file), load_inventory(inventory_file)
        if self.isolated:
            isolate()  # where it is not possible, that is said before an hour of reading
        with copies_of(
            _production(plan, inventory),
            inventory,
            parent=self.directory,
            limit=limit,
            watcher=self.watcher,
        ) as copies:
            return copies.sign(self.of_dumps(copies.directory, plan.target, plan.source))


def _production(plan: Plan, inventory: Inventory) -> Production:
    """Return what a plan dumps, and where; raise InputError where the inventory is another cloud's."""
    from skipstone.rehearsal.production import Production
    from skipstone.steps.backup import DumpDatabases

    if plan.cloud != inventory.name:
        raise InputError(
            f"the plan is for the cloud {plan.cloud}, and the inventory is that of {inventory.name}",
            where=str(inventory.path),
        )
    for step in plan.steps():
        if isinstance(step, DumpDatabases):
            return Production(plan.cloud, plan.id, step.host, step.databases)
    raise InputError("this plan touches no database, so there is nothing to rehearse", where=plan.id)


def _tell(report: RehearsalReport, outputs: tuple[Path, ...], *, as_json: bool) -> int:
    from skipstone.views.rehearsal import show_rehearsal
    from skipstone.views.rehearsal_page import write_rehearsal

    for path in outputs:
        write_rehearsal(report, path)
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        show_rehearsal(report)
        for path in outputs:
            click.echo(f"written: {path}")
    return ExitCode.DONE if report.passed else ExitCode.NEEDS_OPERATOR


def _toolchains() -> Callable[[Release], Toolchain]:
    from skipstone.settings import load_settings
    from skipstone.toolchain.toolchain import provider

    settings, make = load_settings(), provider("virtualenv")
    return lambda release: make(release, settings)


@contextmanager
def _progress() -> Iterator[Watcher]:
    """Show on stderr which phase it is in, what runs, and how much of it is done."""
    from rich import progress
    from rich.console import Console

    from skipstone.views.rehearsal import Shown

    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.fields[phase]}"),
        progress.BarColumn(24),
        progress.TaskProgressColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.description}"),
    )
    console = Console(stderr=True)
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield Shown(bar)
