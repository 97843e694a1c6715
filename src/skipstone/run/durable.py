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


def replace_durably(path: Path, text: str) -> None:
    """Replace a file at once: whoever dies meanwhile, it is the old one or the new one.

    Raise OSError where it cannot be written; it is the old one then.
    """
    draft = path.with_suffix(".new")
    write_durably(draft, text)
    draft.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Return once the names in a directory are on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
