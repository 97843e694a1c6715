"""``skipstone notes``: the release notes of a route, as an operator needs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from skipstone.notes.note import Kind
    from skipstone.notes.selection import Selection

FORMATS = ("text", "markdown", "html", "json")
PIPE_WIDTH = 120


@click.command(
    epilog="""\b
Examples:
  skipstone notes --from zed --to 2025.1
  skipstone notes --from zed --to 2025.1 --cloud cloud.yaml -o notes.html
  skipstone notes --from victoria --to 2026.2 --service nova --kind upgrade,issues
  skipstone notes --to 2025.1 --cloud cloud.yaml --json | jq '.entries[].note.file'
"""
)
@click.option("--from", "source", metavar="REL", help="Release to start from.  [default: the cloud's own]")
@click.option("--to", "target", required=True, metavar="REL", help="Release to arrive at.")
@click.option("--cloud", "cloud_file", type=click.Path(path_type=Path), help="File of `skipstone discover`.")
@click.option("--service", "services", multiple=True, metavar="S", help="Only this service; may be repeated.")
@click.option(
    "--kind",
    "kinds",
    metavar="K,K",
    help="Kinds as upstream has them: issues, fixes, ...  [default: critical,security,upgrade,deprecations]",
)
@click.option("--all", "everything", is_flag=True, help="Also what the cloud has nothing to do with.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="[default: text, or what -o ends in]")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write a file.")
def notes(
    source: str | None,
    target: str,
    cloud_file: Path | None,
    *,
    services: tuple[str, ...],
    kinds: str | None,
    form: str | None,
    output: Path | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Print upstream's release notes of every release on a way, by what has to be done.

    With the file of a discovered cloud, notes on options that it sets come first, and those on drivers that
    it does not have are left out and counted. Nothing is connected to, nothing is changed.
    """
    form = _format(form, output, as_json=as_json)
    selection = _selection(source, target, cloud_file, services, kinds)
    if everything:
        selection = selection.with_all()
    if form == "text" and not output:
        _print(selection)
    elif output:
        _write(output, _rendered(selection, form))
    else:
        click.echo(_rendered(selection, form), nl=False)


def _format(form: str | None, output: Path | None, *, as_json: bool) -> str:
    """Return the format that was asked for, or that a file's name says."""
    from skipstone.errors import InputError

    if as_json and form not in {None, "json"}:
        raise InputError(f"--json and --format {form} are two formats", remedy="give one of them")
    endings = {".html": "html", ".md": "markdown", ".json": "json"}
    return "json" if as_json else form or (endings.get(output.suffix, "text") if output else "text")


def _selection(
    source: str | None, target: str, cloud_file: Path | None, services: tuple[str, ...], kinds: str | None
) -> Selection:
    """Return what was asked for; raise InputError for a stranger among releases, services and kinds."""
    from skipstone.catalog.loader import load_catalog
    from skipstone.cloud.cloudfile import load_cloud
    from skipstone.errors import InputError
    from skipstone.notes.selection import select, way
    from skipstone.notes.usage import usage_of

    catalog = load_catalog()
    cloud = load_cloud(cloud_file) if cloud_file else None
    usage = usage_of(cloud, catalog) if cloud else None
    first = source or (cloud.release if cloud else None)
    if first is None:
        raise InputError("it is not known which release to start from", remedy="name it with --from")
    route = way(catalog, catalog.release(first), catalog.release(target))
    names = services or (usage.services if usage else tuple(service.name for service in catalog.services))
    return select(catalog, route, names, _kinds(kinds), usage)


def _kinds(text: str | None) -> tuple[Kind, ...]:
    from skipstone.errors import InputError
    from skipstone.notes.note import USUAL, Kind

    try:
        return tuple(Kind(word.strip()) for word in text.split(",")) if text else USUAL
    except ValueError as error:
        raise InputError(f"no such kind of notes: {error}", remedy=f"there are {', '.join(Kind)}") from error


def _rendered(selection: Selection, form: str) -> str:
    from skipstone.views.notes import document

    if form == "json":
        return json.dumps(document(selection), indent=2, ensure_ascii=False) + "\n"
    if form == "text":
        return _plain(selection)
    from skipstone.views.notes_page import markdown, page

    return markdown(selection) if form == "markdown" else page(selection)


def _plain(selection: Selection) -> str:
    from io import StringIO

    from rich.console import Console

    from skipstone.views.notes import show

    text = StringIO()
    console = Console(file=text, width=PIPE_WIDTH, highlight=False)
    for part in show(selection):
        console.print(part)
    return text.getvalue()


def _print(selection: Selection) -> None:
    from rich.console import Console

    from skipstone.views.notes import show

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    for part in show(selection):
        console.print(part)


def _write(path: Path, text: str) -> None:
    """Write a file that its owner alone can read: with a cloud's, it is a map of it."""
    from skipstone.cloud.cloudfile import write_privately

    write_privately(path, lambda file: file.write(text))
    click.echo(f"written: {path}")
