"""Files that are on the disk, whatever becomes of the power.

A file system may bring a file's name to the disk long before what is in it: after a loss of power there is
an empty file then, which says nothing.
"""

import os
from pathlib import Path


def write_durably(path: Path, text: str) -> None:
    """Write a file, and return once its text is on the disk: only then may it get the name it is known by."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Return once the names in a directory are on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
