"""``skipstone discover``: collect what a cloud is, into one file."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.cli.options import inventory_option
from skipstone.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from skipstone.cloud.discover import OnProgress, Progress
    from skipstone.cloud.model import Cloud, Host


@click.command(
    epilog="""\b
Exit codes:
  0  everything was answered
  1  the file is written, and lists what could not be asked
  2  bad input; nothing was asked
\b
Examples:
  skipstone discover -i inventory.yaml -o cloud.yaml
  skipstone discover -i hosts.ini --json | jq '.agents[] | select(.alive | not)'
"""
)
@inventory_option
@click.option(
    "-o",
    "--output",
    default=Path("cloud.yaml"),
    type=click.Path(path_type=Path),
    show_default=True,
    help="File to write.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole cloud as JSON instead of a summary.")
def discover(inventory_file: Path, output: Path, *, as_json: bool) -> int:
    """Collect what a cloud is: hosts, packages, databases, agents, instances.

    Only reads: nothing is written on the hosts, and secrets are masked in the file.
    """
    from skipstone.catalog import load_catalog
    from skipstone.cloud.cloudfile import save_cloud
    from skipstone.cloud.discover import discover as ask_everything
    from skipstone.cloud.inventory import expect_hooks, load_inventory

    inventory = load_inventory(inventory_file)
    expect_hooks(inventory)
    with _progress() as on_progress:
        cloud = asyncio.run(ask_everything(inventory, load_catalog(), on_progress))
    save_cloud(cloud, output)
    if as_json:
        click.echo(cloud.model_dump_json(indent=2))
    else:
        _show(cloud, output)
    return ExitCode.WARNINGS if cloud.problems else ExitCode.DONE


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """Show on stderr how many conversations are over, and which are not."""
    from rich import progress
    from rich.console import Console

    columns = (
        progress.SpinnerColumn(),
        progress.BarColumn(24),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.description}"),
    )
    pending: list[str] = []
    console = Console(stderr=True)
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=0)

        def on_progress(step: Progress) -> None:
            name = f"{step.asked} {step.where}"
            if step.done:
                pending.remove(name)
                bar.advance(task)
            else:
                pending.append(name)
                bar.update(task, total=(bar.tasks[0].total or 0) + 1)
            bar.update(task, description=", ".join(pending)[:70])

        yield on_progress


def _show(cloud: Cloud, output: Path) -> None:
    """Print a summary: the cloud, its hosts, and what could not be asked."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(f"[bold]{cloud.name}[/]: {cloud.release or 'release unknown'}, {', '.join(cloud.services)}")
    console.print(f"instances: {_by_status(cloud)}")
    console.print(
        f"networks: {len(cloud.networks)}, volumes: {len(cloud.volumes)}, stacks: {len(cloud.stacks)}"
    )
    for server in cloud.database_servers:
        console.print(f"databases on {server.host}: {len(cloud.databases)}, {server.version}")
    for broker in cloud.brokers:
        console.print(f"broker on {broker.host}: RabbitMQ {broker.version}")
    console.print(_hosts(cloud))
    for problem in cloud.problems:
        console.print(f"[yellow]not answered:[/] {problem.where}: ", end="")
        console.print(problem.what, markup=False, soft_wrap=True)
        for label, text in (("evidence", problem.evidence), ("remedy", problem.remedy)):
            if text:
                console.print(f"  {label}: {text.strip()}", markup=False, soft_wrap=True)
    console.print(f"written to {output}", markup=False)


def _by_status(cloud: Cloud) -> str:
    statuses = Counter(instance.status for instance in cloud.instances)
    return ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())) or "none"


def _hosts(cloud: Cloud) -> Table:
    from rich.table import Table

    from skipstone.cloud.hostname import short

    table = Table("host", "groups", "system", "packages", "units active", "agents", "instances", box=None)
    agents = Counter(short(agent.host) for agent in cloud.agents if agent.alive)
    instances = Counter(short(instance.host or "") for instance in cloud.instances)
    for host in cloud.hosts:
        name = short(host.name)
        table.add_row(
            host.name, " ".join(host.groups), *_facts(host), str(agents[name]), str(instances[name])
        )
    return table


def _facts(host: Host) -> tuple[str, str, str]:
    if not host.reachable or host.os is None:
        return "unknown" if host.reachable else "[red]unreachable[/]", "", ""
    whole = sum(package.status == "installed" for package in host.packages)
    rest = len(host.packages) - whole
    active = sum(unit.active == "active" for unit in host.units)
    packages = f"{whole}" + (f" [red]+{rest} not whole or held[/]" if rest else "")
    return f"{host.os.id} {host.os.version} {host.os.codename}", packages, f"{active} of {len(host.units)}"
