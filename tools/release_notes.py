#!/usr/bin/env python3
"""Writes what ``skipstone notes`` knows: ``tools/release_notes.py [SERVICE...]``.

The notes are those of the releases' own source packages (``releasenotes/notes``, which reno reads), as
``tools/release_notes.txt`` pins them: of each release the first and the newest point release. The files under
``src/skipstone/notes/texts`` are made anew; the same packages make the same bytes. With ``--packages DIR``
they are kept in DIR, and not fetched again where they are there: 1.2 GB. ``--lock`` pins the catalog's
versions first.
"""

import argparse
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from sources import Source, fetch, lock, read_lock

from skipstone.catalog import Catalog, load_catalog
from skipstone.catalog.release import Release
from skipstone.notes.history import TEXTS
from skipstone.notes.note import Kind
from skipstone.toolchain.lock import project

LOCK = Path(__file__).with_suffix(".txt")
FIRST = "queens"
"""Only there to tell what is new in the release after it."""

HEAD = "# What tools/release_notes.py reads; made with --lock\n"
UNIQUE = re.compile(r"[0-9a-f]{16}$")
"""reno: this end of a file's name is the note's own, whatever is in front of it."""

Sections = dict[Kind, list[str]]


@dataclass(frozen=True)
class File:
    """One note's file: what it says, by kind."""

    name: str
    sections: Sections


@dataclass(frozen=True)
class Ends:
    """The notes in the first and in the newest point release of a release, by what reno tells notes by."""

    release: str
    versions: tuple[str, ...]
    first: dict[str, File]
    newest: dict[str, File]


INDEX = re.compile(r"https://pypi\.org/project/([\w.-]+)/?")
"""A package's page, told by its name: addresses of registries are nobody's business here."""


def identity(name: str) -> str:
    """Return what reno tells notes by: a file may be renamed."""
    stem = name.removesuffix(".yaml")
    found = UNIQUE.search(stem)
    return found[0] if found else stem


def read(package: Path) -> dict[str, File]:
    """Return the notes in a source package."""
    found = {}
    with tarfile.open(package) as archive:
        for member in archive:
            _, _, path = member.name.partition("/")
            if path.startswith("releasenotes/notes/") and path.endswith(".yaml"):
                file = archive.extractfile(member)
                text = file.read().decode("utf-8") if file else ""
                name = path.removeprefix("releasenotes/notes/")
                found[identity(name)] = File(name, sections(yaml.load(text, yaml.CSafeLoader) or {}))
    return found


def sections(said: Mapping[str, Any]) -> Sections:
    """Return what a note says, by kind; kinds that are not shipped are left out."""
    kinds = (kind for kind in Kind if said.get(kind))
    return {kind: [text(item) for item in items(said[kind])] for kind in kinds}


def items(value: Any) -> list[Any]:  # noqa: ANN401 - whatever YAML holds
    """Return a section's entries: some are one text without the dash of a list."""
    return value if isinstance(value, list) else [value]


def text(item: Any) -> str:  # noqa: ANN401 - whatever YAML holds
    """Return an entry; one with a colon that nobody quoted is YAML's mapping."""
    said = " ".join(f"{key}: {value}" for key, value in item.items()) if isinstance(item, dict) else str(item)
    plain = "\n".join(line.rstrip() for line in said.strip().splitlines())
    return INDEX.sub(r"the package index (\1)", plain)


def lines(ends: list[Ends], base: str | None) -> Iterator[str]:
    """Yield the head, and a line per note: its file, where it came and went, and its texts."""
    yield json.dumps({"releases": {each.release: each.versions for each in ends}, "base": base})
    old = ends[0].first if base else {}
    every = {uid: file for each in ends for uid, file in (each.first | each.newest).items()}
    for uid, file in sorted(every.items(), key=lambda pair: (pair[1].name, pair[0])):
        since, backports = came(uid, ends)
        if uid not in old and file.sections and (since or backports):
            gone = next((each.release for each in after(since, ends) if uid not in each.first), None)
            row = {"file": file.name, "since": since, "backports": backports, "gone": gone}
            known = {key: value for key, value in row.items() if value}
            yield json.dumps(
                known | {str(kind): said for kind, said in file.sections.items()}, ensure_ascii=False
            )


def came(uid: str, ends: Iterable[Ends]) -> tuple[str | None, list[str]]:
    """Return the release that a note came with, and the older ones whose later point releases got it too.

    A release that took the note back before its newest point release does not have it.
    """
    backports: list[str] = []
    for each in ends:
        if uid in each.newest and uid in each.first:
            return each.release, backports
        if uid in each.newest:
            backports.append(each.release)
    return None, backports


def after(since: str | None, ends: Iterable[Ends]) -> list[Ends]:
    """Return what is known of the releases after one; nothing where there is none."""
    return list(dropwhile(lambda each: each.release != since, ends))[1:]


def base_of(service: str, ends: list[Ends], releases: Iterable[Release]) -> str | None:
    """Return the first release that was read, of which nobody knows what was new; None: the service was."""
    older = takewhile(lambda release: str(release) != ends[0].release, releases)
    return ends[0].release if any(service in release.services for release in older) else None


def ends_of(service: str, releases: Iterable[Release], pins: list[Source], packages: Path) -> Iterator[Ends]:
    """Yield what a service's source packages hold, of every release that is pinned."""
    for release in releases:
        entry = release.services.get(service)
        own = [pin for pin in pins if pin.project == project(service) and entry and is_of(pin, entry.major)]
        if own:
            found = [read(pin.path(packages)) for pin in own]
            yield Ends(str(release), tuple(pin.version for pin in own), found[0], found[-1])


def is_of(pin: Source, major: str) -> bool:
    """Whether a package is of the release whose versions begin so."""
    return pin.version.split(".")[0] == major


def pinned(catalog: Catalog, *, anew: bool) -> list[Source]:
    """Return what is read; pin the catalog's versions first where that is asked for."""
    if anew:
        releases = catalog.between(catalog.release(FIRST), catalog.releases[-1])
        pins = [str(source) for release in releases for source in lock(release)]
        LOCK.write_text(HEAD + "\n".join(pins) + "\n", "utf-8")
    return read_lock(LOCK)


def main() -> None:
    """Write the files of the services that are named, or of all."""
    catalog = load_catalog()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("services", nargs="*", metavar="SERVICE")
    parser.add_argument("--packages", type=Path, help="keep the source packages in this directory")
    parser.add_argument("--lock", action="store_true", help="pin the versions of the catalog first")
    arguments = parser.parse_args()
    pins = pinned(catalog, anew=arguments.lock)
    with TemporaryDirectory() as scratch:
        packages = arguments.packages or Path(scratch)
        for name in arguments.services or [service.name for service in catalog.services]:
            fetch((pin for pin in pins if pin.project == project(name)), packages)
            ends = list(ends_of(name, catalog.releases, pins, packages))
            path = TEXTS / f"{name}.jsonl"
            path.write_text("\n".join(lines(ends, base_of(name, ends, catalog.releases))) + "\n", "utf-8")
            print(f"{name}: {ends[0].release} to {ends[-1].release}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
