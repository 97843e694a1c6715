"""``skipstone drain`` and ``skipstone return``."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skipstone.cli.options import inventory_option, plan_option
from skipstone.cli.stopping import pause_asked, paused_by_run, stopped_by_signals
from skipstone.errors import ExitCode

if TYPE_CHECKING:
    from skipstone.cloud.inventory import Inventory
    from skipstone.drain.drain import Result
    from skipstone.drain.gear import Gear, News, Options
    from skipstone.drain.places import Places
    from skipstone.drain.record import Record
    from skipstone.drain.targets import Rules

    Work = Callable[[Gear], Awaitable[Result | None]]

FILE = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True)
class Asked:
    """What both verbs are asked."""

    inventory_file: Path
    plan: str | None
    record_file: Path | None
    check: bool
    per_target: int
    per_source: int
    at_once: int
    force_complete: bool
    as_json: bool

    @property
    def purpose(self) -> str:
        """What is said to nova of why."""
        return f"for {self.plan}" if self.plan else "by hand"

    def rules(self, gear: "Gear", *, exclude: tuple[str, ...] = (), avoid: tuple[str, ...] = ()) -> "Rules":
        """Return which hosts are targets, by the names that nova has for them."""
        from skipstone.drain.gear import by_short_name
        from skipstone.drain.targets import Rules

        known = tuple(gear.names)

        def named(hosts: tuple[str, ...]) -> frozenset[str]:
            return frozenset(by_short_name(known, host) or host for host in hosts)

        return Rules(
            known=frozenset(known),
            excluded=named(exclude),
            avoided=named(avoid),
            per_target=self.per_target,
            per_source=self.per_source,
            at_once=self.at_once,
        )


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that both verbs have."""
    options = (
        click.argument("host"),
        inventory_option,
        plan_option(required=False),
        click.option(
            "--record",
            "record_file",
            type=FILE,
            help="Where it is written down what was asked for.  [default: in the state directory,"
            " by plan (or cloud) and host]",
        ),
        click.option("--check", is_flag=True, help="Only look whether it is done; change nothing."),
        click.option("--per-target", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
                     help="At most N migrations at a time to one host."),
        click.option("--per-source", type=click.IntRange(min=1), default=2, show_default=True, metavar="N",
                     help="At most N migrations at a time from one host."),
        click.option("--at-once", type=click.IntRange(min=1), default=4, show_default=True, metavar="N",
                     help="At most N migrations at a time in all, other drains among them."),
        click.option("--force-complete", is_flag=True,
                     help="Let a migration that does not end complete: post-copy where nova is configured for"
                     " it, else the guest is paused for the rest."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command(
    epilog="""\b
Exit codes:
  0  drained: libvirt runs nothing there that could be moved
  1  drained, but for instances that were left (--on-stuck leave)
  2  refused; nothing was changed
  4  stopped: see the evidence; the same command goes on where it was
\b
Examples:
  skipstone drain cmp1 -i inventory.yaml
  skipstone drain cmp1 -i inventory.yaml --exclude cmp7 --avoid cmp2 --avoid cmp3 --on-stuck leave
  skipstone drain cmp1 -i inventory.yaml --check
  skipstone drain cmp1 -i inventory.yaml --empty --cold
"""
)
@_shared
@click.option("--exclude", multiple=True, metavar="HOST", help="Move nothing to this host.")
@click.option(
    "--avoid",
    multiple=True,
    metavar="HOST",
    help="Move nothing to this host while another can take it: it is to be drained too.",
)
@click.option(
    "--on-stuck",
    type=click.Choice(["pause", "leave", "cold"]),
    default="pause",
    show_default=True,
    help="What to do with an instance that cannot be moved: stop with the evidence, leave it on the host,"
    " or stop it and move it cold.",
)
@click.option("--cold", is_flag=True, help="Also move instances that are off.")
@click.option(
    "--empty", is_flag=True, help="Refuse where anything would stay on the host: it is to be installed anew."
)
def drain(
    host: str,
    *,
    exclude: tuple[str, ...],
    avoid: tuple[str, ...],
    on_stuck: str,
    cold: bool,
    empty: bool,
    **given: Any,  # noqa: ANN401 - what _shared adds
) -> int:
    """Empty a compute host by live migration, each move proven by libvirt on both ends.

    An instance's owner may say how it is moved, in its metadata: skipstone:drain = live, cold or never.
    """
    from skipstone.drain.drain import check_drained
    from skipstone.drain.drain import drain as drained
    from skipstone.drain.gear import Options, Stuck

    asked = Asked(**given)
    if empty and on_stuck == Stuck.LEAVE:
        raise click.BadParameter("what is left on the host is not empty", param_hint="--on-stuck")

    def options(gear: "Gear") -> "Options":
        return Options(
            rules=asked.rules(gear, exclude=exclude, avoid=avoid),
            stuck=Stuck(on_stuck),
            force_complete=asked.force_complete,
            cold=cold,
            empty=empty,
            purpose=asked.purpose,
        )

    async def work(gear: "Gear") -> "Result | None":
        if asked.check:
            await check_drained(gear, host, options(gear))
            return None
        return await drained(gear, host, options(gear))

    return _carry_out(host, asked, work)


@click.command(
    "return",
    epilog="""\b
Examples:
  skipstone return cmp1 -i inventory.yaml
  skipstone return cmp1 -i inventory.yaml --enable-only
""",
)
@_shared
@click.option("--enable-only", is_flag=True, help="Let the instances be where they are.")
def return_(
    host: str,
    *,
    enable_only: bool,
    **given: Any,  # noqa: ANN401 - what _shared adds
) -> int:
    """Open a drained compute host again, and move back what was moved off it."""
    from skipstone.drain.gear import Options
    from skipstone.drain.returning import bring_back, check_open

    asked = Asked(**given)

    async def work(gear: "Gear") -> "Result | None":
        if asked.check:
            await check_open(gear, host, instances=not enable_only)
            return None
        options = Options(rules=asked.rules(gear), force_complete=asked.force_complete, purpose=asked.purpose)
        return await bring_back(gear, host, options, instances=not enable_only)

    return _carry_out(host, asked, work)


def _carry_out(host: str, asked: Asked, work: "Work") -> int:
    """Open everything, do the work, and print how it ended."""
    from skipstone.cloud.inventory import load_inventory
    from skipstone.drain.gear import DrainPaused
    from skipstone.drain.places import open_places
    from skipstone.drain.record import open_record, read_only
    from skipstone.settings import load_settings

    inventory = load_inventory(asked.inventory_file)
    inventory.host(host)
    drains = load_settings().drains
    path = asked.record_file or drains / (asked.plan or inventory.name) / f"{host}.jsonl"
    opened = read_only if asked.check else open_record
    with opened(path, host) as record, open_places(drains / "migrations" / inventory.name) as places:
        if not asked.check:
            places.claim(host)
        try:
            result = asyncio.run(_work(inventory, record, places, work))
        except DrainPaused as paused:
            if not pause_asked():
                raise
            click.echo(f"{paused}\nit was asked to pause: the run goes on from here", err=True)
            return ExitCode.PAUSED
    if result is None:
        click.echo(f"{host}: as it should be")
        return ExitCode.DONE
    if asked.as_json:
        click.echo(json.dumps(_data(result, path), indent=1))
    else:
        _sum_up(result, path)
    return ExitCode.WARNINGS if result.left else ExitCode.DONE


async def _work(inventory: "Inventory", record: "Record", places: "Places", work: "Work") -> "Result | None":
    from skipstone.cloud.inventory import Group
    from skipstone.cloud.transport import open_transport
    from skipstone.drain.gear import Gear, by_short_name
    from skipstone.drain.nova import Nova
    from skipstone.drain.pace import Patience
    from skipstone.drain.paperwork import Neutron, Placement
    from skipstone.drain.wire import open_wire

    wire = open_wire(inventory)
    nova = Nova(wire)
    hosts = tuple(host.name for host in inventory.hosts_in(Group.COMPUTE))
    await asyncio.to_thread(nova.expect_microversion)
    known = [compute.host for compute in await asyncio.to_thread(nova.computes)]
    names = {host: name for host in known if (name := by_short_name(hosts, host))}
    stopping = asyncio.Event()
    async with open_transport(inventory) as transport, paused_by_run(stopping):
        with stopped_by_signals(stopping), _telling() as tell:
            return await work(
                Gear(
                    nova,
                    Placement(wire),
                    Neutron(wire),
                    transport,
                    names,
                    record,
                    places,
                    Patience(),
                    tell,
                    stopping,
                )
            )


@contextmanager
def _telling() -> Iterator[Callable[["News"], None]]:
    from skipstone.views.drain import shown_moves

    with shown_moves(sys.stderr) as shown:
        yield shown.tell


def _data(result: "Result", record: Path) -> dict[str, Any]:
    instances = [asdict(ending) | {"phase": str(ending.phase)} for ending in result.endings]
    return {"host": result.host, "record": str(record), "instances": instances}


def _sum_up(result: "Result", record: Path) -> None:
    counts: dict[str, int] = {}
    for ending in result.endings:
        counts[str(ending.phase)] = counts.get(str(ending.phase), 0) + 1
    said = ", ".join(f"{number} {phase}" for phase, number in counts.items()) or "nothing to move"
    click.echo(f"{result.host}: {said}")
    click.echo(f"record: {record}")
