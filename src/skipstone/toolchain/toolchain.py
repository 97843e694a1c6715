"""What a toolchain is: the door through which a release's own commands are run, whatever is behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol

from skipstone.catalog.release import Release
from skipstone.errors import InputError
from skipstone.settings import Settings

PLUGINS = "skipstone.toolchains"
"""Entry point group of plugins; each names a Provider, and the entry point's name is the toolchain's kind."""


@dataclass(frozen=True)
class Program:
    """What to run: the complete arguments, and variables to set over those of the caller."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Toolchain(Protocol):
    """The commands of one release."""

    @property
    def release(self) -> Release:
        """The release whose commands these are."""

    def version(self, service: str) -> str | None:
        """Return the version of a service's commands, or None where this toolchain has none of them."""

    def command(self, service: str, argv: Sequence[str], *, directories: Sequence[Path] = ()) -> Program:
        """Return what to run for a command line of a service, such as ``("nova-manage", "db", "sync")``.

        Paths in ``argv`` are absolute. ``directories`` are those that the command reads or writes beyond the
        toolchain's own: a container has to be given them. Nothing is run and nothing is built here. Raises
        InputError where the toolchain has no such service or command.
        """

    def python(self, service: str, argv: Sequence[str], *, directories: Sequence[Path] = ()) -> Program:
        """Return what to run for a program of ours that imports a service's code: its path, and arguments.

        It is given the Python that the service's commands run on; all else is as for ``command``.
        """


class Provider(Protocol):
    """Makes toolchains of one kind; what a plugin's entry point names."""

    def __call__(self, release: Release, settings: Settings) -> Toolchain:
        """Return the toolchain of a release, ready to use; raise SkipstoneError where it cannot be."""


def provider(kind: str) -> Provider:
    """Return what makes toolchains of a kind: ``virtualenv``, or one that a plugin brings."""
    if kind == "virtualenv":
        from skipstone.toolchain.building import build  # noqa: PLC0415 - it imports this module

        return build
    points = {point.name: point for point in entry_points(group=PLUGINS)}
    if kind not in points:
        known = ", ".join(["virtualenv", *sorted(points)])
        raise InputError(f"no toolchain is of the kind {kind!r}", remedy=f"the kinds are: {known}")
    return _load(points[kind])


def _load(point: EntryPoint) -> Provider:
    try:
        found: Provider = point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(
            "a toolchain of a plugin cannot be loaded",
            where=point.value,
            evidence=str(error),
            remedy=f"repair or remove the package that brings the entry point {point.name}",
        ) from error
    if not callable(found):
        raise InputError("a plugin's entry point makes no toolchain", where=point.value, evidence=repr(found))
    return found
