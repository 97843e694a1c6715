"""What the tools have in common that write a file per service from what every release's own code says."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from skipstone.catalog import load_catalog
from skipstone.catalog.release import Release
from skipstone.toolchain.lock import has_lock, locks_of

Said = TypeVar("Said")
"""What a release says of one service."""


def write_catalogs(
    description: str | None,
    directory: Path,
    *,
    asked: Callable[[Release, Iterable[str], Path], Mapping[str, Said]],
    kept: Callable[[Release, Iterable[str]], Mapping[str, Said]],
    histories: Callable[[Mapping[str, Said]], Iterable[str]],
) -> None:
    """Write the files of the services that the command line names, or of all.

    ``asked`` asks a release's toolchain, and keeps what is said in a directory; ``kept`` gives what the files
    hold of a release that cannot be asked; ``histories`` makes a file's lines of what all releases said.
    """
    catalog = load_catalog()
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("services", nargs="*", metavar="SERVICE")
    parser.add_argument("--dumps", type=Path, help="keep what the releases say in this directory")
    arguments = parser.parse_args()
    wanted = arguments.services or [service.name for service in catalog.services]
    with TemporaryDirectory() as scratch:
        dumps = arguments.dumps or Path(scratch)
        dumps.mkdir(parents=True, exist_ok=True)
        found = {
            str(release): kept(release, wanted) if _is_legacy(release) else asked(release, wanted, dumps)
            for release in catalog.releases
            if has_lock(release)
        }
    for name in wanted:
        by_release = {release: said[name] for release, said in found.items() if name in said}
        path = directory / f"{name}.jsonl"
        path.write_text("\n".join(histories(by_release)) + "\n", "utf-8")
        print(f"{name}: {len(by_release)} releases, {path.stat().st_size:,} bytes")


def _is_legacy(release: Release) -> bool:
    """Whether a release's toolchain has Python 2, which does not read what asks it."""
    return locks_of(release)[0].python.startswith("2.")
