"""Which releases a toolchain can be built of, and which are built."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skipstone.catalog.release import Release
from skipstone.settings import Settings
from skipstone.toolchain.building import choose, find
from skipstone.toolchain.interpreter import SUITES
from skipstone.toolchain.lock import LOCKS, has_lock


@dataclass(frozen=True)
class Listed:
    """One release: the Python that its toolchain runs on and where that is from, and where it is built.

    ``missing`` are services of the release that the package index does not have.
    """

    release: Release
    python: str
    base: str
    services: dict[str, str]
    missing: tuple[str, ...]
    directory: Path | None

    def document(self) -> dict[str, Any]:
        """Return it as what JSON is made of."""
        return {
            "release": self.release.version,
            "codename": self.release.codename,
            "python": self.python,
            "base": self.base,
            "services": self.services,
            "missing": list(self.missing),
            "directory": str(self.directory) if self.directory else None,
        }


def listing(releases: Iterable[Release], settings: Settings, locks: Path = LOCKS) -> tuple[Listed, ...]:
    """Return the releases that have a lock; nothing is built or run."""
    return tuple(_listed(release, settings, locks) for release in releases if has_lock(release, locks))


def _listed(release: Release, settings: Settings, locks: Path) -> Listed:
    lock, machine = choose(release, locks)
    built = find(release, settings, locks)
    versions = {name: lock.version(name) for name in release.services}
    return Listed(
        release,
        lock.python,
        "this machine" if machine else f"Debian {SUITES[lock.python][0]}",
        {name: version for name, version in versions.items() if version},
        tuple(name for name, version in versions.items() if not version),
        built.directory if built else None,
    )
