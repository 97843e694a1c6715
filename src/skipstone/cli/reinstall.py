"""``skipstone reinstall``: what a plan's steps run on the operator's machine, each also by hand."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from skipstone.cli.drain import drain
from skipstone.cli.options import inventory_option, plan_option

if TYPE_CHECKING:
    from skipstone.cloud.inventory import Inventory
    from skipstone.drain.nova import Nova
    from skipstone.drain.paperwork import Placement
    from skipstone.reinstall.store import Kept


@click.group()
def reinstall() -> None:
    """Keep what makes a compute host itself, and bring it back after it was installed anew.

    A plan made with --computes reinstall has all of it, in order, and the steps between that are commands on
    the host: `skipstone runbook` prints them.
    """


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every verb has."""
    options = (
        click.argument("host"),
        inventory_option,
        plan_option(required=True),
    )
    for option in reversed(options):
        command = option(command)
    return command


@reinstall.command(epilog="\b\nExample:\n  skipstone reinstall keep cmp1 -i inventory.yaml --plan PLAN_ID")
@_shared
def keep(host: str, *, inventory_file: Path, plan: str) -> None:
    """Copy a host's identity to this machine: keys, names, configuration, what nova calls it."""
    from skipstone.catalog import load_catalog
    from skipstone.reinstall.identity import keep as fetched
    from skipstone.reinstall.naming import names_of

    inventory, kept = _opened(host, inventory_file, plan)
    names, _ = names_of(*_apis(inventory), host)
    asyncio.run(fetched(inventory, load_catalog(), kept, _place(plan)))
    kept.note(names)
    click.echo(f"{host}: {kept.expect_whole()} files are kept in {kept.directory}")


@reinstall.command(epilog="\b\nExample:\n  skipstone reinstall check cmp1 -i inventory.yaml --plan PLAN_ID")
@_shared
def check(host: str, *, inventory_file: Path, plan: str) -> None:
    """See that what was kept is there and whole."""
    _, kept = _opened(host, inventory_file, plan)
    click.echo(f"{host}: {kept.expect_whole()} files are kept, of node {kept.names.provider}")


@reinstall.command(epilog="\b\nExample:\n  skipstone reinstall allow cmp1 -i inventory.yaml --plan PLAN_ID")
@_shared
@click.pass_context
def allow(context: click.Context, host: str, *, inventory_file: Path, plan: str) -> None:
    """Say that a host's disks may go: its identity is kept, and nothing is on it, on or off.

    That is written down: said once, it is not asked again, for the host may be gone already.
    """
    _, kept = _opened(host, inventory_file, plan)
    kept.expect_whole()
    if not kept.allowed:
        context.invoke(drain, host=host, inventory_file=inventory_file, plan=plan, check=True, empty=True)
        kept.allow()
    click.echo(f"{host}: its disks may go")


@reinstall.command(
    epilog="\b\nExample:\n  skipstone reinstall restore cmp1 -i inventory.yaml --plan PLAN_ID --debian trixie"
    " < ssh_host_keys.pub"
)
@_shared
@click.option("--debian", required=True, metavar="CODENAME", help="The Debian that must be there now.")
def restore(host: str, *, inventory_file: Path, plan: str, debian: str) -> None:
    """Make a fresh system the host that it was, and boot it.

    On standard input: the fresh system's SSH host keys, as its hook shows them.
    """
    from skipstone.reinstall.identity import keys_in
    from skipstone.reinstall.identity import restore as restored

    inventory, kept = _opened(host, inventory_file, plan)
    kept.expect_whole()
    keys = keys_in(sys.stdin.read())
    asyncio.run(restored(inventory, kept, _place(plan), codename=debian, keys=keys))
    click.echo(f"{host}: itself again, with its own SSH keys; its packages come next")


@reinstall.command(epilog="\b\nExample:\n  skipstone reinstall confirm cmp1 -i inventory.yaml --plan PLAN_ID")
@_shared
def confirm(host: str, *, inventory_file: Path, plan: str) -> None:
    """See that nova and placement have the host under the names that it had."""
    from skipstone.reinstall.naming import confirm as confirmed

    inventory, kept = _opened(host, inventory_file, plan)
    confirmed(*_apis(inventory), host, kept.names)
    click.echo(f"{host}: service {kept.names.service} and provider {kept.names.provider}, as before")


@reinstall.command(epilog="\b\nExample:\n  skipstone reinstall forget cmp1 -i inventory.yaml --plan PLAN_ID")
@_shared
@click.option("--copy", metavar="DIRECTORY", help="Remove the host's own copy too, which lies there.")
def forget(host: str, *, inventory_file: Path, plan: str, copy: str | None) -> None:
    """Remove what was kept of a host; harmless where there is nothing."""
    from skipstone.reinstall.identity import remove_copy

    inventory, kept = _opened(host, inventory_file, plan)
    if copy:
        asyncio.run(remove_copy(inventory, kept, PurePosixPath(copy)))
    kept.forget()
    click.echo(f"{host}: nothing is kept of it any more")


def _opened(host: str, inventory_file: Path, plan: str) -> "tuple[Inventory, Kept]":
    from skipstone.cloud.inventory import load_inventory
    from skipstone.reinstall.store import Kept
    from skipstone.settings import load_settings

    inventory = load_inventory(inventory_file)
    inventory.host(host)
    return inventory, Kept(load_settings().identities / plan / host, host)


def _place(plan: str) -> PurePosixPath:
    """Return our directory on a host for what is restored (``plan/strategies/in_place/reinstalling.py``)."""
    from skipstone.steps.backup import ROOT

    return ROOT / plan / "identity"


def _apis(inventory: "Inventory") -> "tuple[Nova, Placement]":
    from skipstone.drain.nova import Nova
    from skipstone.drain.paperwork import Placement
    from skipstone.drain.wire import open_wire

    wire = open_wire(inventory)
    return Nova(wire), Placement(wire)
