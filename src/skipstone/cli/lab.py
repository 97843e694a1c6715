"""``skipstone lab``: a real small OpenStack cloud on this machine."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from skipstone.errors import ExitCode

if TYPE_CHECKING:
    from skipstone.lab.lab import Lab, LabStatus

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


@click.group()
def lab() -> None:
    """Run a real small OpenStack cloud on this machine, as root."""


@contextmanager
def _working() -> Iterator["Lab"]:
    """Give the lab with its progress on stderr, so that stdout stays clean for --json."""
    from rich.console import Console

    from skipstone.lab.lab import Lab
    from skipstone.lab.place import Place
    from skipstone.lab.progress import TerminalProgress

    with TerminalProgress(Console(stderr=True)).shown() as progress:
        yield Lab(Place.of_environment(), progress)


def _lab() -> "Lab":
    from skipstone.lab.lab import Lab
    from skipstone.lab.place import Place

    return Lab(Place.of_environment())


@lab.command()
@click.option("--release", default="zed", show_default=True, help="OpenStack release to run.")
@click.option("--topology", default="small", show_default=True, help="Which hosts: small or wide.")
@click.option("--without", default="", metavar="PROJECTS", help="Leave out projects: cinder,heat.")
@AS_JSON
def up(release: str, topology: str, without: str, *, as_json: bool) -> None:
    """Bring the lab up; harmless when it is up."""
    from skipstone.lab.release import parse_without

    projects = parse_without(without)
    with _working() as work:
        status = work.up(release, topology, projects)
    _show(status, as_json=as_json)


@lab.command()
@click.option("--purge", is_flag=True, help="Remove images, golden clouds and snapshots too.")
def down(*, purge: bool) -> None:
    """End the lab; leaves nothing running. Its hosts are discarded, caches and snapshots stay."""
    with _working() as work:
        work.down(purge=purge)


@lab.command()
@AS_JSON
def status(*, as_json: bool) -> ExitCode:
    """Show hosts, APIs, agents and instances; exit code 1 when something is not well."""
    seen = _lab().status()
    _show(seen, as_json=as_json)
    return ExitCode.DONE if seen.well or seen.phase is None else ExitCode.WARNINGS


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(host: str, command: tuple[str, ...]) -> None:
    """Open an SSH session on HOST, or run COMMAND there."""
    from skipstone.lab.place import Place

    _lab().host(host)
    config = str(Place.of_environment().ssh_config)
    os.execvp("ssh", ["ssh", "-F", config, host, *command])  # noqa: S606 - the session replaces this program


@lab.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("host")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(host: str, command: tuple[str, ...]) -> int:
    """Run COMMAND on the console of HOST: works without its sshd and its network."""
    argv, environment = _lab().host(host).console_command(*command)
    return subprocess.run(argv, env=environment, check=False).returncode


@lab.command()
@click.argument("name")
def snapshot(name: str) -> None:
    """Keep the state of all hosts, at one instant, under NAME."""
    with _working() as work:
        work.snapshot(name)


@lab.command()
@click.argument("name")
def forget(name: str) -> None:
    """Remove snapshot NAME, to make room."""
    with _working() as work:
        work.forget(name)


@lab.command()
@click.argument("name")
@AS_JSON
def restore(name: str, *, as_json: bool) -> None:
    """Put all hosts back to snapshot NAME and boot them."""
    with _working() as work:
        status = work.restore(name)
    _show(status, as_json=as_json)


@lab.command()
@click.argument("host")
@click.argument("debian")
def reinstall(host: str, debian: str) -> None:
    """Put a fresh Debian on HOST, by its codename, as an installer does: what was on its disk is gone."""
    with _working() as work:
        work.reinstall(host, debian)


@lab.command("host-keys")
@click.argument("host")
def host_keys(host: str) -> None:
    """Print the SSH host keys of the system that is on HOST."""
    click.echo(_lab().host_keys(host), nl=False)


def _show(status: "LabStatus", *, as_json: bool) -> None:
    if as_json:
        document = {**status.model_dump(mode="json"), "well": status.well}
        click.echo(json.dumps(document, indent=2, sort_keys=True))
        return
    for line in _lines(status):
        click.echo(line)


def _lines(status: "LabStatus") -> Iterator[str]:
    if status.wanted is None:
        yield f"no lab is up in {status.place}"
    else:
        yield f"lab {status.wanted.release} ({status.wanted.topology}) is {status.phase}, in {status.place}"
    for host in status.hosts:
        state = (
            f"runs, init is process {host.leader}, {host.processes} processes" if host.leader else "is off"
        )
        yield f"  {host.name:6} {host.address:12} {host.role:10} {state}"
    for answer in (*status.look.apis, *status.look.agents):
        mark = click.style("ok ", fg="green") if answer.well else click.style("BAD", fg="red")
        yield f"  {mark} {answer.name:42} {answer.detail}"
    for instance in status.look.instances:
        mark = click.style("ok ", fg="green") if instance.boot_id else click.style("BAD", fg="red")
        yield (
            f"  {mark} instance {instance.name:10} {instance.status:8} on {instance.host:6} "
            f"http://{instance.address}/ up {instance.uptime_seconds:.0f} s, boot {instance.boot_id}"
        )
    if status.snapshots:
        yield f"  snapshots: {', '.join(status.snapshots)}"
    if status.phase is not None:
        yield f"  try: skipstone discover -i {status.place}/inventory.yaml -o cloud.yaml"
        yield f"       OS_CLIENT_CONFIG_FILE={status.place}/clouds.yaml OS_CLOUD=lab openstack server list"
