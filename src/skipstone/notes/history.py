"""The notes of a service in every release that is known.

The files ``texts/SERVICE.jsonl`` are written by ``tools/release_notes.py`` from the releases' own source
packages. The first line has the releases that were read, oldest first, with the first and the newest version
of each, and the ``base``: the release that is only there to tell what is new after it. Every other line is
one file: its name, the release that it came with (``since``: in this one's first version, in no older
one's), older releases whose later point releases got it too (``backports``), the first later
one without it (``gone``: upstream took it back), and its entries by kind.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skipstone.catalog.release import Release
from skipstone.errors import InputError
from skipstone.notes.note import Kind, Note

TEXTS = Path(__file__).with_name("texts")


@dataclass(frozen=True)
class NoteHistory:
    """A service's notes; ``versions`` has the first and the newest version read of each release."""

    service: str
    versions: Mapping[str, tuple[str, ...]]
    base: str | None
    _rows: Sequence[Mapping[str, Any]] = field(repr=False)

    @property
    def releases(self) -> tuple[str, ...]:
        """The codenames of the releases whose notes are known, oldest first."""
        return tuple(release for release in self.versions if release != self.base)

    def on(self, route: Sequence[Release]) -> Iterator[Note]:
        """Yield the notes of every release on a route but the first, in the order of their files.

        What a later point release of the first has too is there: nobody here knows which of them runs.
        """
        ahead = [str(release) for release in route[1:]]
        for row in self._rows:
            having = [name for name in self.versions if name in {row.get("since"), *row.get("backports", ())}]
            release = next((name for name in having if name in ahead), None)
            if release:
                older = having[: having.index(release)]
                gone = row["gone"] if row.get("gone") in ahead else None
                yield from self._notes(row, release, {name: self.versions[name][-1] for name in older}, gone)

    def _notes(
        self, row: Mapping[str, Any], release: str, older: Mapping[str, str], gone: str | None
    ) -> Iterator[Note]:
        version = self.versions[release][0 if release == row.get("since") else -1]
        for kind in Kind:
            for entry, text in enumerate(row.get(kind, ()), 1):
                yield Note(
                    service=self.service,
                    release=release,
                    version=version,
                    file=row["file"],
                    kind=kind,
                    entry=entry,
                    text=text,
                    versions=older,
                    gone=gone,
                )


def load_notes(service: str) -> NoteHistory:
    """Return what is known of a service's notes; raise InputError where nothing is."""
    path = TEXTS / f"{service}.jsonl"
    if not path.exists():
        known = ", ".join(sorted(path.stem for path in TEXTS.glob("*.jsonl")))
        raise InputError(f"no release notes of {service} are known", remedy=f"those of {known} are")
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    said = json.loads(head)
    versions = {release: tuple(found) for release, found in said["releases"].items()}
    return NoteHistory(service, versions, said["base"], tuple(map(json.loads, lines)))
