"""A release's commands in one virtualenv, and the proof that it is what its lock says."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from skipstone.catalog import load_catalog
from skipstone.catalog.release import Release
from skipstone.catalog.service import Purpose
from skipstone.errors import InputError, ToolchainError
from skipstone.toolchain.interpreter import Interpreter
from skipstone.toolchain.lock import Lock, canonical
from skipstone.toolchain.program import run
from skipstone.toolchain.toolchain import Program

RECORD = "toolchain.json"
"""File in a toolchain's directory that says what it is, for people and other programs."""

ANSWER_SECONDS = 300
# the one of the commands that has no --version
NO_VERSION = {"neutron-db-manage": "--help"}
INSTALLED = """
import json
try:
    from importlib import metadata
    found = dict((one.metadata["Name"], one.version) for one in metadata.distributions())
except ImportError:  # Python 2.7
    import pkg_resources
    found = dict((one.project_name, one.version) for one in pkg_resources.working_set)
print(json.dumps(found))
"""


def commands_of(service: str, release: Release) -> tuple[str, ...]:
    """Return the programs of a service that the catalog's command lines name for a release, sync's first."""
    known = load_catalog().service(service)
    purposes = [Purpose.SYNC, *known.commands]
    lines = (line for purpose in purposes for line in known.invocations(purpose, release))
    return tuple(dict.fromkeys(line.run.split()[0] for line in lines))


def service_of(program: str, release: Release) -> str:
    """Return the service whose program this is (``cinder-rtstool``); raise InputError for a stranger."""
    for name in release.services:
        if program in commands_of(name, release) or program.startswith(f"{name}-"):
            return name
    raise InputError(
        f"{release.title} has no {program}",
        remedy=f"commands begin with the name of a service: {', '.join(release.services)}",
    )


@dataclass(frozen=True)
class VirtualenvToolchain:
    """The commands of a release in a virtualenv: a Toolchain. Its directory may be moved."""

    release: Release
    directory: Path
    lock: Lock
    interpreter: Interpreter

    def version(self, service: str) -> str | None:
        """Return the version of a service, or None where this release has none here."""
        return self.lock.version(service)

    def command(self, service: str, argv: Sequence[str], *, directories: Sequence[Path] = ()) -> Program:
        """Return what to run for a command line of a service; every directory of this machine is visible."""
        del directories
        self._expect(service)
        program = self.directory / "bin" / argv[0]
        if not program.is_file():
            raise InputError(f"{service} of {self.release.title} has no {argv[0]}", where=str(self.directory))
        return Program((*self._python(), str(program), *argv[1:]), self._environment())

    def python(self, service: str, argv: Sequence[str], *, directories: Sequence[Path] = ()) -> Program:
        """Return what to run for a Python program that imports a service's code."""
        del directories
        self._expect(service)
        return Program((*self._python(), *argv), self._environment())

    def services(self) -> tuple[str, ...]:
        """Return the services whose commands are here."""
        return tuple(name for name in self.release.services if self.version(name) is not None)

    def check(self) -> None:
        """Raise ToolchainError where an installed package is not what the lock pins; half a second."""
        where = str(self.directory)
        argv = (*self._python(), "-c", INSTALLED)
        said = run(argv, what="the toolchain's Python does not run", where=where, timeout=ANSWER_SECONDS)
        installed = {canonical(name): version for name, version in json.loads(said).items()}
        wrong = tuple(_differences(self.lock.pins, installed))
        if wrong:
            raise ToolchainError(
                f"the toolchain of {self.release.title} is not what its lock says",
                where=where,
                evidence="\n".join(wrong),
                remedy=f"rm -r {where}, then `skipstone toolchain build {self.release}`",
            )

    def prove(self) -> None:
        """Raise ToolchainError unless every service's command starts and answers the locked version."""
        self.check()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self._prove, self.services()))

    def describe(self) -> str:
        """Return the record of this toolchain, as JSON."""
        record = {
            "release": self.release.version,
            "python": self.interpreter.version,
            "base": self.interpreter.base,
            "lock": self.lock.digest,
            "services": {name: self.version(name) for name in self.services()},
        }
        return json.dumps(record, indent=2) + "\n"

    def _expect(self, service: str) -> None:
        if self.version(service) is None:
            raise InputError(
                f"the toolchain of {self.release.title} has no {service}",
                where=str(self.lock.path.name),
                remedy=f"use a host's own packages for {service} of this release",
            )

    def _prove(self, service: str) -> None:
        names = commands_of(service, self.release)
        for name in names:
            self.command(service, (name,))
        question = NO_VERSION.get(names[0], "--version")
        program = self.command(service, (names[0], question))
        said = run(
            program.argv,
            what=f"{names[0]} of {self.release.title} does not start",
            where=str(self.directory),
            timeout=ANSWER_SECONDS,
            changes=program.environment,
            together=True,  # Python 2.7 writes versions on stderr
        )
        version = self.version(service)
        if question == "--version" and version not in said.split():
            raise ToolchainError(
                f"{names[0]} is not of version {version}", where=str(self.directory), evidence=said
            )

    def _python(self) -> tuple[str, ...]:
        return (*self.interpreter.prefix, str(self.directory / "bin/python"), *self.interpreter.isolated)

    def _environment(self) -> Mapping[str, str]:
        return {"PATH": f"{self.directory}/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def _differences(pins: Mapping[str, str], installed: Mapping[str, str]) -> Iterator[str]:
    for name, version in pins.items():
        if installed.get(name) != version:
            yield f"{name} {version}: {installed.get(name, 'is missing')}"
