"""``skipstone worker``: share the work of runs that another machine carries out."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.cli.options import inventory_option
from skipstone.errors import ExitCode, InputError

if TYPE_CHECKING:
    from skipstone.cloud.command import Command
    from skipstone.cloud.inventory import Inventory


@click.command(
    epilog="""\b
Example:
  SKIPSTONE_DATABASE_URL=postgresql://skipstone@db/skipstone skipstone worker -i inventory.yaml

`skipstone apply` with the same database then lets workers ask the hosts. A worker needs the inventory, SSH
keys and the same version of Skipstone; it may be stopped or killed at any time, and more may be started.
"""
)
@inventory_option
@click.option("--name", metavar="NAME", help="This worker's own name.  [default: this machine and process]")
@click.option(
    "--at-once", type=click.IntRange(min=1), default=50, show_default=True, help="Hosts asked at once."
)
def worker(inventory_file: Path, name: str | None, at_once: int) -> int:
    """Ask the hosts of a cloud whatever its runs want to know, until Ctrl-C."""
    from skipstone.cloud.inventory import load_inventory
    from skipstone.settings import load_settings

    database = load_settings().shared_database
    if database is None:
        raise InputError(
            "workers share a PostgreSQL database with the run, and none is named",
            remedy="set SKIPSTONE_DATABASE_URL, here and for `skipstone apply`",
        )
    name = name or f"{socket.gethostname()}:{os.getpid()}"
    asyncio.run(_work(database, name, load_inventory(inventory_file), at_once))
    return ExitCode.DONE


async def _work(database: str, name: str, inventory: "Inventory", at_once: int) -> None:
    from skipstone.cloud.transport import open_transport
    from skipstone.run.worker import serve

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    click.echo(f"worker {name} for {inventory.name}; Ctrl-C ends it after its last answers", err=True)
    async with open_transport(inventory) as transport:
        await serve(
            database,
            name=name,
            cloud=inventory.name,
            transport=transport,
            at_once=at_once,
            stop=stop,
            on_answer=_say,
            say=lambda line: click.echo(line, err=True),
        )


def _say(command: "Command", seconds: float) -> None:
    click.echo(f"{command.host}: answered in {seconds:.1f} s", err=True)
