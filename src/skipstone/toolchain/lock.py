"""What a release's virtualenv is made of: pinned and hashed requirements, one file per release and Python.

The files under ``locks/`` are written by ``tools/lock_toolchains.py`` and name no index: the machine's own
configuration says where packages come from.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from skipstone.catalog.release import Release
from skipstone.errors import InputError, ToolchainError

LOCKS = Path(str(files("skipstone.toolchain"))) / "locks"
PROJECTS = {"placement": "openstack-placement", "heat": "openstack-heat"}
"""Services that the package index knows by another name."""

BUILDERS = ("pbr", "pip", "setuptools", "wheel")
"""What source packages are built with: pinned like the rest, and installed first."""

HEADER = re.compile(r"^# (?P<key>[a-z]+): (?P<value>.*)$", re.MULTILINE)
PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s\\]+)", re.MULTILINE)


def canonical(name: str) -> str:
    """Return a project's name as the index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def project(service: str) -> str:
    """Return what a service is called on the package index."""
    return PROJECTS.get(service, service)


@dataclass(frozen=True)
class Lock:
    """One lock file. ``release`` and ``python`` are what its head says it was resolved for."""

    path: Path
    text: str
    release: str
    python: str

    @cached_property
    def pins(self) -> dict[str, str]:
        """Every project and its version."""
        return {canonical(match["name"]): match["version"] for match in PIN.finditer(self.text)}

    @property
    def builders(self) -> str:
        """The part of the file that pins what source packages are built with."""
        blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", self.text)
        return "".join(block for block in blocks if block.split("==")[0] in BUILDERS)

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def version(self, service: str) -> str | None:
        """Return the version of a service, or None where the index has none for this release."""
        return self.pins.get(project(service))


def read_lock(path: Path) -> Lock:
    """Read a lock file; raise ToolchainError where its head does not say what it is for."""
    text = path.read_text(encoding="utf-8")
    head = {match["key"]: match["value"] for match in HEADER.finditer(text)}
    if not {"release", "python"} <= set(head):
        raise ToolchainError(
            "a lock file does not say what it is for",
            where=str(path),
            remedy="make it anew: tools/lock_toolchains.py",
        )
    return Lock(path, text, head["release"], head["python"])


def locks_of(release: Release, directory: Path = LOCKS) -> tuple[Lock, ...]:
    """Return a release's locks, the preferred Python first; raise InputError where there are none."""
    name = f"{release.version}-{release.codename}"
    found = tuple(read_lock(path) for path in sorted(directory.glob(f"{name}-python*.txt")))
    if not found:
        raise InputError(
            f"Skipstone has no toolchain of {release.title}",
            where=str(directory),
            remedy="`skipstone toolchain list` shows the releases that it has one of",
        )
    return found


def has_lock(release: Release, directory: Path = LOCKS) -> bool:
    """Whether there is a lock for a release."""
    return any(directory.glob(f"{release.version}-{release.codename}-python*.txt"))
