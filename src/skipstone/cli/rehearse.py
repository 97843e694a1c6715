"""``skipstone rehearse``: an upgrade of databases, tried on copies of them."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from skipstone.catalog import Release
    from skipstone.rehearsal.watcher import Watcher
    from skipstone.toolchain.toolchain import Toolchain


@click.command(
    epilog="""\b
Exit codes:
  0  every database arrived
  2  bad input: nothing was tried
  4  a release's code refused, or would damage data: the report says whose and why
\b
Examples:
  skipstone rehearse --dumps /backup/tonight --to 2025.1
  skipstone rehearse --dumps /backup/tonight --from zed --to 2025.1 -o rehearsal.json
  skipstone rehearse --dumps . --to epoxy --every-release --json | jq .migration_seconds
"""
)
@click.option(
    "--dumps",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Dumps of the cloud's databases: .sql, .sql.gz, .sql.zst, or what mydumper wrote.",
)
@click.option("--to", "target", required=True, metavar="REL", help="Release to arrive at.")
@click.option("--from", "source", metavar="REL", help="Release of the dumps; contradicted where it is wrong.")
@click.option("--every-release", is_flag=True, help="Stop at every release on the way.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the report as JSON, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON instead of a summary.")
@click.option("--no-isolation", is_flag=True, help="Run the commands where they could reach a network.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the copies lie meanwhile.  [default: $TMPDIR, /var/tmp]",
)
@click.option(
    "--server", "program", type=click.Path(path_type=Path, exists=True), help="The mariadbd to be used."
)
def rehearse(
    dumps: Path,
    target: str,
    source: str | None,
    output: Path | None,
    *,
    directory: Path | None,
    program: Path | None,
    every_release: bool,
    as_json: bool,
    no_isolation: bool,
) -> int:
    """Try an upgrade of the databases on copies of them, with each release's own code.

    The dumps are loaded into a MariaDB of its own, behind a socket; nothing of the cloud is asked or touched,
    and the commands are cut off from every network. Nothing is left behind but the report.
    """
    from skipstone.catalog import load_catalog
    from skipstone.rehearsal.rehearsal import Wish
    from skipstone.rehearsal.rehearsal import rehearse as carry_out
    from skipstone.views.rehearsal import show_rehearsal

    catalog = load_catalog()
    wish = Wish(
        dumps=dumps,
        target=catalog.release(target),
        source=catalog.release(source) if source else None,
        every_release=every_release,
        isolated=not no_isolation,
        directory=directory,
        program=program,
    )
    with _progress() as watcher:
        report = carry_out(catalog, wish, _toolchains(), watcher)
    text = report.model_dump_json(indent=2) + "\n"
    if output:
        output.write_text(text)
    if as_json:
        click.echo(text, nl=False)
    else:
        show_rehearsal(report)
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
