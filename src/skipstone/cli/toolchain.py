"""``skipstone toolchain``: releases' own commands, built on this machine."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skipstone.errors import InputError

if TYPE_CHECKING:
    from skipstone.catalog.release import Release
    from skipstone.toolchain.building import Progress
    from skipstone.toolchain.virtualenv import VirtualenvToolchain

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, made of the same object.")
RELEASES = click.argument("releases", nargs=-1, required=True, metavar="RELEASE...")
DIRECTORY = click.Path(path_type=Path, file_okay=False)


@click.group()
def toolchain() -> None:
    """Install releases' own commands (nova-manage of 2024.1) on this machine, one virtualenv per release.

    \b
    Examples:
      skipstone toolchain build zed 2025.1
      skipstone toolchain list
      skipstone toolchain exec zed nova-manage --version
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped


@contextmanager
def _working() -> Iterator["Progress"]:
    """Give the progress, on stderr, so that stdout stays clean for --json."""
    from rich.console import Console

    from skipstone.lab.progress import TerminalProgress

    with TerminalProgress(Console(stderr=True)).shown() as progress:
        yield progress


def _releases(names: tuple[str, ...]) -> tuple["Release", ...]:
    from skipstone.catalog.loader import load_catalog

    return tuple(load_catalog().release(name) for name in names)


@toolchain.command()
@RELEASES
@click.option("--wheels", type=DIRECTORY, help="Take packages from this directory alone; no network.")
@AS_JSON
def build(releases: tuple[str, ...], wheels: Path | None, *, as_json: bool) -> None:
    """Build the commands of releases; harmless where they are built, which is then checked.

    Packages come from the package index that uv is configured with (PyPI, or UV_DEFAULT_INDEX, uv.toml), in
    the versions and with the hashes that Skipstone brings along. Where this machine's Python is too new, that
    of an older Debian is unpacked beside it, from this machine's own Debian mirror (needs mmdebstrap).

    \b
    Examples:
      skipstone toolchain build zed 2023.1 2025.1
      skipstone toolchain build victoria --wheels /srv/wheels --json
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped
    from skipstone.settings import load_settings
    from skipstone.toolchain import building

    wanted, settings = _releases(releases), load_settings()
    with _working() as progress:
        built = [building.build(one, settings, wheels=wheels, progress=progress) for one in wanted]
    if as_json:
        click.echo(json.dumps([json.loads(one.describe()) | _place(one) for one in built], indent=2))
        return
    for one in built:
        click.echo(f"{one.release.title}: {one.directory}{_missing(one)}")


@toolchain.command()
@RELEASES
@click.option("--wheels", type=DIRECTORY, required=True, help="Directory to fill; made where missing.")
def download(releases: tuple[str, ...], wheels: Path) -> None:
    """Fill a directory with what build needs, for a machine without a network.

    The machine needs the same processor, and the same Python where the release uses the machine's own.

    \b
    Example:
      skipstone toolchain download zed 2025.1 --wheels /srv/wheels
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped
    from skipstone.settings import load_settings
    from skipstone.toolchain import wheels as directory

    wanted, settings = _releases(releases), load_settings()
    with _working() as progress:
        for release in wanted:
            lock = directory.download(release, settings, wheels, progress=progress)
            click.echo(f"{release.title}: {len(lock.pins)} packages in {wheels}")


@toolchain.command("list")
@AS_JSON
def show(*, as_json: bool) -> None:
    """List the releases that a toolchain can be built of, and those that are built here.

    \b
    Example:
      skipstone toolchain list --json
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped
    from skipstone.catalog.loader import load_catalog
    from skipstone.settings import load_settings
    from skipstone.toolchain.listing import listing

    rows = listing(load_catalog().releases, load_settings())
    if as_json:
        click.echo(json.dumps([row.document() for row in rows], indent=2))
        return
    for row in rows:
        lacks = f"  without {', '.join(row.missing)}" if row.missing else ""
        place = str(row.directory) if row.directory else "not built"
        click.echo(f"{row.release.title:18} Python {row.python:5} {row.base:14} {place}{lacks}")


@toolchain.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("release")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(release: str, command: tuple[str, ...]) -> None:
    """Run a COMMAND of a RELEASE; build it first with `skipstone toolchain build`.

    \b
    Example:
      skipstone toolchain exec zed nova-manage --config-file /etc/nova/nova.conf db version
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped
    from skipstone.settings import load_settings
    from skipstone.toolchain.building import find
    from skipstone.toolchain.virtualenv import service_of

    (wanted,) = _releases((release,))
    found = find(wanted, load_settings())
    if found is None:
        remedy = f"skipstone toolchain build {wanted}"
        raise InputError(f"the toolchain of {wanted.title} is not built", remedy=remedy)
    program = found.command(service_of(command[0], wanted), command)
    sys.stdout.flush()
    os.execvpe(program.argv[0], program.argv, os.environ | dict(program.environment))  # noqa: S606 - it replaces us


def _place(built: "VirtualenvToolchain") -> dict[str, Any]:
    return {"directory": str(built.directory)}


def _missing(built: "VirtualenvToolchain") -> str:
    missing = [name for name in built.release.services if name not in built.services()]
    return f" (without {', '.join(missing)})" if missing else ""
