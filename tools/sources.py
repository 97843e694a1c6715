"""Source packages of the services, pinned by hash: the first and the newest point release of every release.

uv asks the index; the lock names none. An index can lack a version (nova 29.0.0): then the first that it has.
"""

import hashlib
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from uv import find_uv_bin

from skipstone.catalog.release import Release
from skipstone.toolchain.lock import canonical, project

PYTHON = "3.11"
"""New enough for every release, and there; nothing is built."""

SECONDS = 300
ENDS = ("lowest-direct", "highest")
NO_SOLUTION = 1
"""How uv ends where the index lacks a version; trouble with the index ends otherwise."""

PIN = re.compile(r"^(?P<project>\S+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})$", re.MULTILINE)

Package = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """One source package."""

    project: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.project}=={self.version} --hash=sha256:{self.sha256}"

    def path(self, directory: Path) -> Path:
        """Return where the package is kept."""
        return directory / f"{self.project}-{self.version}.tar.gz"


def lock(release: Release) -> Iterator[Source]:
    """Yield the packages of a release that the index has: of every service the first and the newest."""
    asked = [f"{project(name)}>={entry.version},<={entry.latest}" for name, entry in release.services.items()]
    found = [_had(asked, end) for end in ENDS]
    for name in found[0]:
        yield from {_source(packages[name]): None for packages in found}


def read_lock(path: Path) -> list[Source]:
    """Return what a lock pins, in its order."""
    return [Source(**found.groupdict()) for found in PIN.finditer(path.read_text("utf-8"))]


def fetch(sources: Iterable[Source], directory: Path) -> None:
    """Download what is not there yet; end the program where a package is not the one that was pinned."""
    directory.mkdir(parents=True, exist_ok=True)
    missing = [source for source in sources if not source.path(directory).exists()]
    by_version = sorted(missing, key=lambda source: (source.version, source.project))
    for _, group in groupby(by_version, key=lambda source: source.version):
        wanted = list(group)
        packages = _resolve((f"{source.project}=={source.version}" for source in wanted), "highest")
        for source in wanted:
            _download(source, packages[source.project], directory)
            print(f"{source.project} {source.version}")


def _had(asked: Sequence[str], resolution: str) -> dict[str, Package]:
    """Return what the index has of what is asked for; where it lacks a part, each is asked for alone."""
    found = _resolve(asked, resolution)
    if found or len(asked) == 1:
        return found
    return {name: package for one in asked for name, package in _had([one], resolution).items()}


def _resolve(requirements: Iterable[str], resolution: str) -> dict[str, Package]:
    """Return the packages of a ``pylock.toml`` by project; none where the index lacks one."""
    with tempfile.TemporaryDirectory() as work:
        asked, made = Path(work) / "asked.in", Path(work) / "pylock.toml"
        asked.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        argv = [find_uv_bin(), "pip", "compile", "-q", "--no-deps", "--no-binary", ":all:"]
        argv += ["--format", "pylock.toml", "--resolution", resolution, "--python-version", PYTHON]
        done = subprocess.run([*argv, "-o", str(made), str(asked)], check=False, timeout=SECONDS)
        if done.returncode == NO_SOLUTION:
            return {}
        done.check_returncode()
        packages = tomllib.loads(made.read_text(encoding="utf-8"))["packages"]
    return {canonical(package["name"]): package for package in packages}


def _source(package: Package) -> Source:
    return Source(canonical(package["name"]), package["version"], package["sdist"]["hashes"]["sha256"])


def _download(source: Source, package: Package, directory: Path) -> None:
    with urlopen(package["sdist"]["url"], timeout=SECONDS) as answer:  # noqa: S310 - what the index named
        data: bytes = answer.read()
    if hashlib.sha256(data).hexdigest() != source.sha256:
        raise SystemExit(f"{source.project} {source.version} is not what the lock pins")
    source.path(directory).write_bytes(data)
