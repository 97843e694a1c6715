"""A directory that nobody but us may read, and that goes with us, however we end."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "skipstone-rehearsal-"


@contextmanager
def private_directory(parent: Path | None = None) -> Iterator[Path]:
    """Give a new directory (mode 700) in ``parent``, and remove it with all that is in it.

    ``parent`` is the machine's place for large temporary files where None is given. What killed rehearsals
    have left there, which no process holds any more, is removed first.
    """
    parent = parent or Path(os.environ.get("TMPDIR") or "/var/tmp")  # noqa: S108 - the name is random
    _sweep(parent)
    directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    held = _hold(directory)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(held)


def _hold(directory: Path) -> int:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _sweep(parent: Path) -> None:
    for left in parent.glob(f"{PREFIX}*"):
        try:
            descriptor = _hold(left)
        except OSError:
            continue
        shutil.rmtree(left, ignore_errors=True)
        os.close(descriptor)
