"""Places that all drains of this machine share: a file for each, held by a lock for as long as a move takes.

The drains of one wave are processes of their own; each knows only its own moves, and together they would send
more to one host, or over one network, than it is to carry. A host itself has one place: a drain by hand,
whose record is another, would work against that of a run. The kernel gives a dead process's places back.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from skipstone.errors import RunLocked

T = TypeVar("T")


@dataclass(frozen=True)
class Places:
    """A directory of places: so many for each name as its limit says."""

    directory: Path
    _all: ExitStack = field(default_factory=ExitStack, repr=False)

    def take(self, limits: Mapping[str, int]) -> ExitStack | None:
        """Take one place of each name, or none at all; closing what is returned gives them back."""
        taken = self.take_one(limits, [(None, {})])
        return taken[1] if taken else None

    def take_one(
        self, limits: Mapping[str, int], choices: Iterable[tuple[T, Mapping[str, int]]]
    ) -> tuple[T, ExitStack] | None:
        """Take one place of each name, and of each name of the first choice that has them, or none at all.

        The choices are not looked at where the first names have no place: there may be hundreds.
        """
        with ExitStack() as held:
            if not self._each(held, limits):
                return None
            for choice, more in choices:
                with ExitStack() as its:
                    if self._each(its, more):
                        held.push(its.pop_all())
                        return choice, self._all.enter_context(held.pop_all())
        return None

    def claim(self, host: str) -> None:
        """Be the only process of this machine that empties a host or fills it, whatever its record.

        Raise RunLocked where another one does: each would undo what the other has done.
        """
        if self.take(_itself(host)) is None:
            raise busy(host, self.directory)

    def claimed(self, host: str) -> bool:
        """Say whether a process of this machine empties a host or fills it."""
        return bool(self.taken(_itself(host)))

    def taken(self, limits: Mapping[str, int]) -> tuple[str, ...]:
        """Return the names of which every place is taken now."""
        return tuple(name for name, limit in limits.items() if not self._is_free(name, limit))

    def _is_free(self, name: str, limit: int) -> bool:
        with ExitStack() as held:
            return self._one(held, name, limit)

    def _each(self, held: ExitStack, limits: Mapping[str, int]) -> bool:
        return all(self._one(held, name, limit) for name, limit in limits.items())

    def _one(self, held: ExitStack, name: str, limit: int) -> bool:
        files = (self.directory / f"{quote(name, safe='')}.{number}" for number in range(limit))
        return any(_lock(held, path) for path in files)


def _itself(host: str) -> Mapping[str, int]:
    return {f"{host} itself": 1}


def busy(host: str, where: Path) -> RunLocked:
    """Return the error that another process has a host, or its record."""
    return RunLocked(
        f"another process drains {host}, or brings its instances back",
        where=str(where),
        remedy="let it end, or interrupt it; then repeat this command, which goes on from there",
    )


def _lock(held: ExitStack, path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    held.callback(os.close, descriptor)
    return True


@contextmanager
def open_places(directory: Path) -> Iterator[Places]:
    """Yield the places of a directory; what is still held at the end is given back."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    places = Places(directory)
    with places._all:  # noqa: SLF001 - of this module
        yield places
