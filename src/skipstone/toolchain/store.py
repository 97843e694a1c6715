"""Directories that are there completely or not at all, each named after what it was made from.

Whatever is made grows in a directory of its own and is renamed when it is whole. So two builds at once are
harmless (the second finds the first one's and drops its own), and what a killed build leaves is never taken
for finished; the next build removes it.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from skipstone.errors import ToolchainError

GROWING = ".growing-"
UNWRITABLE = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST,
)  # fmt: skip


def name_of(title: str, *parts: str) -> str:
    """Return the name of what is made from these parts: other parts, another name."""
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"{title}-{digest[:12]}"


class Store:
    """A directory of finished directories."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, name: str) -> Path | None:
        """Return the finished directory of this name, or None."""
        path = self.root / name
        return path if path.is_dir() else None

    def finished(self) -> tuple[Path, ...]:
        """Return all finished directories."""
        if not self.root.is_dir():
            return ()
        return tuple(sorted(path for path in self.root.iterdir() if not path.name.startswith(".")))

    @contextlib.contextmanager
    def growing(self, name: str) -> Iterator[Path]:
        """Give an empty directory: it becomes the finished one at the good end, else it vanishes."""
        with self._writing(), contextlib.ExitStack() as held:
            path = self._begin(held)
            try:
                yield path
                self._finish(path, name)
            finally:
                shutil.rmtree(path, ignore_errors=True)

    def remove(self, name: str) -> None:
        """Remove a finished directory: first its name, then what is in it."""
        gone = self.root / f"{GROWING}{name}-{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            (self.root / name).rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def _begin(self, held: contextlib.ExitStack) -> Path:
        """Create an empty directory that no other process takes for one that a killed build has left."""
        self.root.mkdir(parents=True, exist_ok=True)
        with _held(self.root):
            self._sweep()
            path = Path(tempfile.mkdtemp(prefix=GROWING, dir=self.root))
            held.enter_context(_held(path))
        return path

    def _finish(self, path: Path, name: str) -> None:
        path.chmod(0o755)
        try:
            path.rename(self.root / name)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            # another build was first; its content is the same, for so is the name

    def _sweep(self) -> None:
        """Remove what killed builds have left: what no process holds any more."""
        for path in self.root.glob(f"{GROWING}*"):
            with contextlib.suppress(OSError), _held(path, wait=False):
                shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            raise ToolchainError(
                "the toolchains' directory cannot be written",
                where=str(error.filename or self.root),
                evidence=str(error),
                remedy="make room there, or name another place with SKIPSTONE_CACHE_DIR",
            ) from error


@contextlib.contextmanager
def _held(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a directory for as long as the context, or the process, lasts; not waiting, raise OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
