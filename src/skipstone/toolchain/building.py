"""Chooses what a release's toolchain is made of, and makes it where it is missing."""

import contextlib
import tempfile
from pathlib import Path
from typing import Protocol

from skipstone.catalog.release import Release
from skipstone.errors import InputError
from skipstone.settings import Settings
from skipstone.toolchain.installer import Installer
from skipstone.toolchain.interpreter import (
    Interpreter,
    known_suite_interpreter,
    machine_interpreter,
    suite_interpreter,
)
from skipstone.toolchain.legacy import LegacyInstaller
from skipstone.toolchain.lock import LOCKS, Lock, locks_of
from skipstone.toolchain.store import Store, name_of
from skipstone.toolchain.virtualenv import RECORD, VirtualenvToolchain

RECIPE = "1"
"""Changes when the same lock is to be installed in another way; what was built before is then built anew."""


class Progress(Protocol):
    """Where a build tells what it does."""

    def step(self, title: str) -> contextlib.AbstractContextManager[None]:
        """Show a step for as long as the context lasts."""


class Quiet:
    """Tells nothing."""

    def step(self, title: str) -> contextlib.AbstractContextManager[None]:
        """Do nothing around the step."""
        del title
        return contextlib.nullcontext()


QUIET = Quiet()


def find(release: Release, settings: Settings, locks: Path = LOCKS) -> VirtualenvToolchain | None:
    """Return the toolchain of a release where it is built, or None; builds and runs nothing."""
    store = Store(settings.toolchains)
    lock, machine = choose(release, locks)
    interpreter = machine or known_suite_interpreter(lock.python, store)
    directory = interpreter and store.find(_name(release, lock, interpreter))
    return VirtualenvToolchain(release, directory, lock, interpreter) if interpreter and directory else None


def build(
    release: Release,
    settings: Settings,
    *,
    wheels: Path | None = None,
    progress: Progress = QUIET,
    locks: Path = LOCKS,
) -> VirtualenvToolchain:
    """Return the toolchain of a release; make it where it is missing, check it where it is not.

    ``wheels`` is a directory of packages that replaces the index. Raises ToolchainError or InputError.
    """
    if wheels is not None and not wheels.is_dir():
        raise InputError(
            "there is no such directory of wheels",
            where=str(wheels),
            remedy="`skipstone toolchain download RELEASE --wheels DIR` fills one",
        )
    store = Store(settings.toolchains)
    lock, interpreter = chosen(release, store, progress, locks)
    name = _name(release, lock, interpreter)
    finished = VirtualenvToolchain(release, store.root / name, lock, interpreter)
    if store.find(name):
        with progress.step(f"{release}: is it still what its lock says"):
            finished.check()
        return finished
    with store.growing(name) as directory:
        growing = VirtualenvToolchain(release, directory, lock, interpreter)
        _fill(growing, wheels, progress)
    return finished


def chosen(release: Release, store: Store, progress: Progress, locks: Path) -> tuple[Lock, Interpreter]:
    """Return what a release is installed from, and its Python: ready to run."""
    lock, machine = choose(release, locks)
    if machine:
        return lock, machine
    with progress.step(f"{release}: Python {lock.python}, which this machine has not"):
        return lock, suite_interpreter(lock.python, store)


def choose(release: Release, locks: Path) -> tuple[Lock, Interpreter | None]:
    """Return the first lock whose Python this machine has, with that; or the first lock."""
    found = locks_of(release, locks)
    for lock in found:
        if interpreter := machine_interpreter(lock.python):
            return lock, interpreter
    return found[0], None


def installer_for(
    interpreter: Interpreter, scratch: Path, wheels: Path | None = None
) -> Installer | LegacyInstaller:
    """Return what installs packages for a Python."""
    kind = LegacyInstaller if interpreter.is_legacy else Installer
    return kind(interpreter, scratch, wheels)


def _name(release: Release, lock: Lock, interpreter: Interpreter) -> str:
    return name_of(str(release), RECIPE, lock.digest, interpreter.version, interpreter.base)


def _fill(toolchain: VirtualenvToolchain, wheels: Path | None, progress: Progress) -> None:
    """Install everything into an empty directory and prove it; the record comes last."""
    release, lock, directory = toolchain.release, toolchain.lock, toolchain.directory
    with tempfile.TemporaryDirectory(prefix="skipstone-") as scratch:
        installer = installer_for(toolchain.interpreter, Path(scratch), wheels)
        with progress.step(f"{release}: {len(lock.pins)} packages for {toolchain.interpreter.title}"):
            installer.virtualenv(directory)
            installer.install(lock, directory)
    with progress.step(f"{release}: does every command start"):
        toolchain.prove()
    (directory / RECORD).write_text(toolchain.describe(), encoding="utf-8")
