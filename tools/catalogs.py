"""What the tools have in common that write a file per service from what every release's own code says."""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from pydantic import BaseModel

from skipstone.catalog import load_catalog
from skipstone.catalog.release import Release
from skipstone.toolchain.lock import has_lock, locks_of

Said = TypeVar("Said", bound=Mapping[Any, BaseModel])
"""What a release says of one service."""


def write_catalogs(
    description: str | None,
    directory: Path,
    *,
    asked: Callable[[Release, Iterable[str], Path], Mapping[str, Said]],
    kept: Callable[[Release, Iterable[str]], Mapping[str, Said]],
    key: Callable[[Any], tuple[str, ...]],
) -> None:
    """Write the files of the services that the command line names, or of all.

    ``asked`` asks a release's toolchain, and keeps what is said in a directory; ``kept`` gives what the files
    hold of a release that cannot be asked; ``key`` is how a line of a file begins for what is called so.
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
        path.write_text("\n".join(histories(by_release, key)) + "\n", "utf-8")
        print(f"{name}: {len(by_release)} releases, {path.stat().st_size:,} bytes")


def histories(
    by_release: Mapping[str, Mapping[Any, BaseModel]], key: Callable[[Any], tuple[str, ...]]
) -> Iterator[str]:
    """Yield a line for each name: its definitions, each under the first release that has it; null: gone."""
    yield json.dumps({"releases": list(by_release)})
    for name in sorted({name for said in by_release.values() for name in said}):
        history: dict[str, Any] = {}
        last: BaseModel | None = None
        for release, said in by_release.items():
            now = said.get(name)
            if now != last:
                history[release] = now and now.model_dump(mode="json", exclude_defaults=True)
            last = now
        yield json.dumps([*key(name), history], separators=(",", ":"), ensure_ascii=False)


def _is_legacy(release: Release) -> bool:
    """Whether a release's toolchain has Python 2, which does not read what asks it."""
    return locks_of(release)[0].python.startswith("2.")
