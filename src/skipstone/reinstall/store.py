"""Where hosts' identities are kept on the operator's machine: for their owner only, until they are back.

::

    IDENTITIES/PLAN/HOST/identity.tar.gz   what the host sent: keys and passwords are among it
                         known.json        its hash, and what nova and placement call the host
                         allowed           there once its disks may go
"""

import json
import os
import shutil
import tarfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from typing import Any, BinaryIO

from skipstone.errors import InputError, SkipstoneError

NEEDED = ("facts.json", "etc/hostname", "etc/machine-id")
"""What every identity has; and an SSH host key."""

_KEY = "etc/ssh/ssh_host_"
_CHUNK = 64 << 10


@dataclass(frozen=True)
class Names:
    """What nova and placement call a host: its service, its node's name, and the node's UUID."""

    service: str
    node: str
    provider: str


@dataclass(frozen=True)
class Kept:
    """One host's identity on this machine."""

    directory: Path
    host: str

    @property
    def archive(self) -> Path:
        """The file with everything that the host sent."""
        return self.directory / "identity.tar.gz"

    @contextmanager
    def written(self) -> Iterator[BinaryIO]:
        """Give a file that becomes the archive where the block ends well; it is on the disk then.

        Raise InputError where the disks may be gone already.
        """
        if self.allowed:
            raise InputError(
                "its disks may be gone already, and what was kept of it is all that there is",
                where=f"{self.host}: {self.directory}",
                remedy="go on with the run; where the old system is there:  skipstone reinstall forget",
            )
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.directory / "identity.part"
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.archive)
        self._sync()

    def note(self, names: Names) -> None:
        """Write down what the archive is, and what the host is called."""
        self._write("known.json", json.dumps(asdict(names) | {"sha256": self._sum()}))

    @cached_property
    def names(self) -> Names:
        """What the host was called; raise as ``expect_whole``."""
        facts = self._known()
        return Names(facts["service"], facts["node"], facts["provider"])

    def expect_whole(self) -> int:
        """Return how many files are kept; raise InputError unless all is there as it was written."""
        known = self._known()
        if not self.archive.is_file() or self._sum() != known["sha256"]:
            raise self._fault("what was kept of it is gone or damaged")
        try:
            with tarfile.open(self.archive) as archive:
                names = archive.getnames()
        except (tarfile.TarError, EOFError, OSError) as error:
            raise self._fault("what was kept of it cannot be read", str(error)) from error
        missing = [name for name in NEEDED if name not in names]
        if missing or not any(name.startswith(_KEY) for name in names):
            raise self._fault("what was kept of it is not all", ", ".join(missing) or "no SSH host key")
        return len(names) - 1

    @property
    def allowed(self) -> bool:
        """Whether its disks may go: they may have gone already."""
        return (self.directory / "allowed").exists()

    def allow(self) -> None:
        """Write down that its disks may go, before anything is done because of it."""
        self._write("allowed", "")

    def forget(self) -> None:
        """Remove everything; harmless where there is nothing."""
        if self.directory.exists():
            shutil.rmtree(self.directory)

    def _known(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.directory / "known.json").read_text())
        except (OSError, ValueError) as error:
            raise self._fault("nothing was kept of it") from error
        return found

    def _fault(self, what: str, evidence: str = "") -> InputError:
        remedy = "keep it (again) while the old system is there:  skipstone reinstall keep"
        return InputError(what, where=f"{self.host}: {self.directory}", evidence=evidence, remedy=remedy)

    def _sum(self) -> str:
        with self.archive.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    def _write(self, name: str, text: str) -> None:
        part = self.directory / f"{name}.part"
        with part.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.directory / name)
        self._sync()

    def _sync(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


class Pouring:
    """A ``Drain`` into a file, of so many bytes at most."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._left = limit

    async def drain(self, read: Callable[[int], Awaitable[bytes]]) -> None:
        """Read a stream to its end."""
        while chunk := await read(_CHUNK):
            self._left -= len(chunk)
            if self._left < 0:
                raise SkipstoneError("the host sends more than an identity can have")
            self._file.write(chunk)
