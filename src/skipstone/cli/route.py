"""``skipstone route``: the stops from one release to another, and why each is there."""

from collections.abc import Iterable, Iterator

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.tree import Tree

from skipstone.catalog.catalog import Catalog
from skipstone.catalog.limits import Tolerance, Verdict
from skipstone.catalog.loader import load_catalog
from skipstone.catalog.release import Release
from skipstone.catalog.route import Hop, Route, find_route

ARROW = " → "


@click.command()
@click.option("--from", "source", required=True, metavar="REL", help="Release to start from.")
@click.option("--to", "target", required=True, metavar="REL", help="Release to arrive at.")
@click.option("--service", "services", multiple=True, metavar="S", help="Only this service; may be repeated.")
@click.option("--every-release", is_flag=True, help="Stop at every release on the way.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, made of the same object.")
def route(source: str, target: str, services: tuple[str, ...], *, every_release: bool, as_json: bool) -> None:
    """Print the stops from one release to another, and why each is there.

    A release is given by codename or version: zed, 2022.2, 2025.1, epoxy. No cloud is needed.

    \b
    Three limits are told apart:
      readable    what schema code can read, all services stopped: the stops
      supported   what upstream supports: neighbours, SLURP to SLURP
      tolerated   which old computes a new control plane starts with

    \b
    Examples:
      skipstone route --from zed --to 2025.1
      skipstone route --from victoria --to epoxy --service nova --service cinder
      skipstone route --from train --to 2023.1 --every-release --json
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped
    catalog = load_catalog()
    found = find_route(
        catalog, catalog.release(source), catalog.release(target), services, every_release=every_release
    )
    if as_json:
        click.echo(found.model_dump_json(indent=2))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    for part in _parts(catalog, found):
        console.print(part)


def _parts(catalog: Catalog, found: Route) -> Iterator[RenderableType]:
    """Yield what is printed, from top to bottom."""
    yield f"[bold]{found.source.title}{ARROW}{found.target.title}[/bold]: {_counted(found)}\n"
    yield _heading(
        "Readable", "by schema code, with all services stopped; versions that a service is synced to"
    )
    yield _indented(_stops_table(catalog, found))
    if found.stops:
        yield _indented(_reasons_tree(found))
    if any(hop.conditions for hop in found.hops):
        yield _indented(_conditions_tree(found))
    if found.recipes:
        yield _indented(_recipes_tree(found))
    yield ""
    yield _heading("Supported", "by upstream: to the next release, or from SLURP to SLURP")
    yield _indented(_chain(found.supported))
    outside = [f"{hop.source.title}{ARROW}{hop.target.title}" for hop in found.hops if not hop.supported]
    if outside:
        yield _indented(f"[yellow]outside of it: {', '.join(outside)}[/yellow]")
    if found.tolerance:
        yield ""
        yield _heading("Tolerated", "while running: old computes under the new control plane")
        yield from map(_indented, _tolerance_sentences(found.tolerance))


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2))


def _heading(word: str, rest: str) -> str:
    return f"[bold cyan]{word}[/bold cyan] [dim]{rest}[/dim]"


def _counted(found: Route) -> str:
    stops, hops = len(found.stops), len(found.hops)
    return f"{stops or 'no'} stop{'' if stops == 1 else 's'}, {hops} hop{'' if hops == 1 else 's'}"


def _chain(releases: Iterable[Release]) -> str:
    return ARROW.join(release.title for release in releases)


def _stops_table(catalog: Catalog, found: Route) -> Table:
    """Return one row per service: its version where it is synced, a dash where the stop is left out."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("service")
    for release in found.releases:
        table.add_column(release.title)
    for own in found.by_service:
        name = catalog.service(own.service).name
        cells = [_cell(name, release, own.releases) for release in found.releases]
        table.add_row(name, *cells)
    return table


def _cell(service: str, release: Release, chain: tuple[Release, ...]) -> str:
    entry = release.services.get(service)
    return entry.version if entry and release in chain else "-"


def _reasons_tree(found: Route) -> Tree:
    tree = Tree("Why each stop is there")
    for hop in found.hops[:-1]:
        branch = tree.add(f"[bold]{hop.target.title}[/bold] for {', '.join(hop.services)}")
        for reason in hop.reasons:
            leaf = branch.add(f"{reason.service}: {escape(reason.text)}")
            leaf.add(f"[dim]{escape(reason.evidence)}[/dim]")
    return tree


def _conditions_tree(found: Route) -> Tree:
    tree = Tree("What the data must fulfil")
    for hop in (hop for hop in found.hops if hop.conditions):
        branch = tree.add(f"[bold]{hop.source.title}{ARROW}{hop.target.title}[/bold]")
        for line in _condition_lines(hop):
            branch.add(line)
    return tree


def _condition_lines(hop: Hop) -> Iterator[str]:
    for due in hop.conditions:
        sentence = f"{due.condition}; with the code of {due.made_with.title}: {due.remedy}"
        yield f"{due.service}: {escape(sentence)} [dim]({due.blocker}, else {due.effect.value})[/dim]"


def _recipes_tree(found: Route) -> Tree:
    tree = Tree("What data of this age needs once")
    for due in found.recipes:
        way = ", instead of the stop" if due.alternative else ""
        branch = tree.add(f"{due.service}: {escape(due.title)}; with the code of {due.made_with.title}{way}")
        for command in due.commands:
            branch.add(f"[bold]{escape(command)}[/bold]")
        if due.note:
            branch.add(escape(due.note))
        branch.add(f"[dim]{escape(due.evidence)} ({due.recipe})[/dim]")
    return tree


def _tolerance_sentences(tolerated: Tolerance) -> Iterator[str]:
    """Yield what a control plane does about old computes, and what its own need."""
    control, computes = tolerated.control.title, tolerated.computes.title
    if tolerated.verdict is Verdict.NOT_CHECKED:
        yield f"{control} does not check the level of computes (Wallaby was the first that does)."
    else:
        oldest = tolerated.oldest.title if tolerated.oldest else "no release"
        yield f"{control} starts with computes of {oldest} or newer (level {tolerated.accepts})."
    if tolerated.verdict is Verdict.WORKAROUND:
        level = f"level {tolerated.level}" if tolerated.level is not None else "no level"
        setting = escape(str(tolerated.workaround))
        yield f"Computes of {computes} ({level}) need {setting} on every controller and upgraded compute."
        rpc = f"{tolerated.rpc_computes} under {tolerated.rpc_control}"
        yield f"That lets nova start; nobody promises that their RPC fits ({rpc})."
    elif tolerated.verdict is Verdict.ACCEPTED:
        yield f"Computes of {computes} (level {tolerated.level}) may stay until their turn."
    if tolerated.pin:
        yield f"While they differ: {escape(str(tolerated.pin))}."
    if tolerated.libvirt:
        floors = f"libvirt {tolerated.libvirt} and QEMU {tolerated.qemu}"
        yield f"nova-compute of {control} needs {floors} or newer."
    yield f"[dim]{escape(tolerated.evidence)}[/dim]"
