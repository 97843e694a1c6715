"""``skipstone config``: configuration carried from one release to another."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipstone.errors import ExitCode, InputError

if TYPE_CHECKING:
    from skipstone.convert.conversion import Conversion

FILE = click.Path(path_type=Path, exists=True)
STDOUT = Path("-")


@click.group()
def config() -> None:
    """Carry configuration from one release to another; no cloud is needed.

    \b
    Example:
      skipstone config convert nova.conf --service nova --from zed --to 2025.1 -o nova.conf.new
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped


@config.command()
@click.argument("file", type=FILE)
@click.option("--service", required=True, metavar="S", help="Service whose file it is: nova, neutron, ...")
@click.option("--from", "source", required=True, metavar="REL", help="Release that the file is from.")
@click.option("--to", "target", required=True, metavar="REL", help="Release that the file shall be for.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="New file (or directory); - is stdout.")
@click.option("--in-place", is_flag=True, help="Replace the file; a copy of the old one is kept beside it.")
@click.option("--keep-behaviour", "keep", is_flag=True, help="Write the old default where it changed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, made of the same object.")
def convert(
    file: Path,
    service: str,
    source: str,
    target: str,
    output: Path | None,
    *,
    in_place: bool,
    keep: bool,
    as_json: bool,
) -> ExitCode:
    """Carry a configuration FILE, or a directory of *.conf, from one release to another.

    Options that were renamed or moved are followed through every release in between; those that are gone
    become comments; comments, order and spacing stay. Every change has its reason. Without -o or --in-place
    nothing is written: what would change is shown. Exits with 1 where a person has to decide something.

    \b
    Examples:
      skipstone config convert nova.conf --service nova --from zed --to 2025.1
      skipstone config convert nova.conf --service nova --from zed --to 2025.1 -o nova.conf.new
      skipstone config convert /etc/cinder/cinder.conf --service cinder --from zed --to 2025.1 --in-place
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped
    from skipstone.catalog.loader import load_catalog
    from skipstone.convert import source as files
    from skipstone.convert.conversion import convert as converted
    from skipstone.convert.options import load_history
    from skipstone.convert.recognition import refuse_stranger

    _refuse_contradictions(file, output, in_place=in_place, as_json=as_json)
    catalog = load_catalog()
    history = load_history(catalog.service(service).name)
    way = history.between(catalog.release(source), catalog.release(target))
    texts = {str(path): text for path, text in files.gather(file).items()}
    refuse_stranger(texts, history, catalog.release(source))
    conversions = converted(texts, history, way, keep=keep)
    written = _write(conversions, output, in_place=in_place)
    if as_json:
        _print_json(conversions, written)
    elif output != STDOUT:
        _print(conversions, written, diff=not written)
    return ExitCode.WARNINGS if any(each.undecided for each in conversions) else ExitCode.DONE


def _refuse_contradictions(file: Path, output: Path | None, *, in_place: bool, as_json: bool) -> None:
    """Raise InputError for options that cannot go together, before anything is read."""
    if output is None:
        return
    if in_place:
        raise InputError("-o and --in-place are two ways to write", remedy="give one of them")
    if output == STDOUT:
        _refuse_stdout(file, as_json=as_json)
    elif file.is_dir() and not output.is_dir():
        raise InputError(
            "a directory is converted into a directory", where=str(output), remedy="make it first"
        )
    elif output.is_dir() and not file.is_dir():
        raise InputError("this is a directory", where=str(output), remedy=f"-o {output / file.name}")


def _refuse_stdout(file: Path, *, as_json: bool) -> None:
    """Raise InputError where the new file must not go to stdout."""
    if as_json:
        raise InputError("the new file and JSON cannot both go to stdout", remedy="-o FILE")
    if file.is_dir():
        raise InputError("several files cannot go to stdout", where=str(file), remedy="-o DIRECTORY")
    if sys.stdout.isatty():
        raise InputError("the new file may hold passwords, and stdout is a terminal", remedy="-o FILE")


def _write(conversions: Sequence["Conversion"], output: Path | None, *, in_place: bool) -> Mapping[str, Path]:
    """Write what was asked for, and return by file where the new one is, or the copy of the old."""
    from skipstone.convert import source as files

    if in_place:
        changed = (each for each in conversions if each.changed)
        return {each.name: files.replace(Path(each.name), each.text) for each in changed}
    if output == STDOUT:
        sys.stdout.buffer.write(conversions[0].text.encode())
    if output is None or output == STDOUT:
        return {}
    paths = {each.name: output / Path(each.name).name if output.is_dir() else output for each in conversions}
    for each in conversions:
        files.write_new(paths[each.name], each.text)
    return paths


def _print_json(conversions: Sequence["Conversion"], written: Mapping[str, Path]) -> None:
    from skipstone.views.conversion import document

    rows = [document(each) | {"written": str(written.get(each.name, "")) or None} for each in conversions]
    click.echo(json.dumps(rows, indent=2))


def _print(conversions: Sequence["Conversion"], written: Mapping[str, Path], *, diff: bool) -> None:
    """Print the remarks, and where nothing was written what would change."""
    from rich.console import Console

    from skipstone.views.conversion import remarks_table, side_by_side

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    for each in conversions:
        console.print(each.name, style="bold", markup=False)
        if each.remarks:
            console.print(remarks_table(each))
        if not each.changed:
            console.print("nothing changes")
        elif diff:
            console.print(side_by_side(each))
        if each.name in written:
            console.print(f"written: {written[each.name]}", markup=False)
