"""Directories of a system: kept as copies, and changing places with copies.

Arguments: what to do, the root, a name or a directory, then paths below the root. What belongs to a path lies
on the path's own file system, in ``.skipstone`` of its mount point: only there can it be renamed to the path,
and where a path is a mount point itself, everything in it is.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

KEPT = ".skipstone"
LEFT_ALONE = (KEPT, "lost+found")
STAGE = "restore"
AT_FDCWD, NOREPLACE, EXCHANGE = -100, 1, 2


class Places:
    """Paths of one system, and where copies of them lie."""

    def __init__(self, root: Path, paths: list[str]) -> None:
        self.root = root
        self.paths = paths

    def place(self, path: str, name: str) -> Path:
        """Return the directory of a name on a path's file system."""
        mount = self.root / path
        while mount != self.root and not os.path.ismount(mount):
            mount = mount.parent
        return mount / KEPT / name

    def beside(self, path: str, name: str) -> Path:
        """Return where a copy of a path lies, under a name."""
        return self.place(path, name) / path

    def keep(self, name: str) -> None:
        """Copy every path that is there; links in the root's own directory lead to all of them."""
        self.drop(name)
        for path in self.paths:
            if os.path.lexists(self.root / path):
                kept, shown = self.beside(path, name), self.root / KEPT / name / path
                copy(self.root / path, kept)
                if kept != shown:
                    directory(shown.parent)
                    shown.symlink_to(kept)

    def stage(self, tree: str) -> None:
        """Copy what is kept in a tree beside the paths it is of."""
        self.drop(STAGE)
        for path in self.paths:
            if os.path.lexists(f"{tree}/{path}"):
                copy(Path(tree, path).resolve(), self.beside(path, STAGE))
        self.settle()

    def follow(self, _: str) -> None:
        """Put what is there now into the place of what was kept."""
        for path in self.paths:
            if os.path.lexists(self.root / path):
                remove(self.beside(path, STAGE))
                copy(self.root / path, self.beside(path, STAGE))
        self.settle()

    def exchange(self, _: str) -> None:
        """Let every path change places with its copy; a path without one moves there."""
        for path in self.paths:
            new, now = self.beside(path, STAGE), self.root / path
            if os.path.ismount(now):
                directory(new)
                names = {entry.name for place in (new, now) for entry in place.iterdir()}
                for name in sorted(names.difference(LEFT_ALONE)):
                    change_places(new / name, now / name)
            else:
                change_places(new, now)
        self.settle()

    def settle(self) -> None:
        """Bring the paths' file systems to the disk.

        Where power is lost a name may have come there half a minute before what is in the file: a system
        that had changed places would not boot.
        """
        mounts = {str(self.place(path, STAGE).parent.parent) for path in self.paths}
        subprocess.run(["sync", "-f", *sorted(mounts)], check=True)

    def drop(self, name: str) -> None:
        """Remove all copies of a name."""
        for path in self.paths:
            remove(self.place(path, name))
        remove(self.root / KEPT / name)


def directory(path: Path) -> None:
    """Make a directory and those above it; what is kept is root's only."""
    path.mkdir(parents=True, exist_ok=True)
    for above in path.parents:
        if above.name == KEPT:
            above.chmod(0o700)


def copy(source: Path, target: Path) -> None:
    """Copy with owners, links, attributes; blocks are shared where the file system can."""
    directory(target.parent)
    if not os.path.ismount(source):
        subprocess.run(["cp", "-a", "--reflink=auto", "-T", source, target], check=True)
        return
    directory(target)
    entries = [entry for entry in source.iterdir() if entry.name not in LEFT_ALONE]
    if entries:
        subprocess.run(["cp", "-a", "--reflink=auto", "-t", target, *entries], check=True)


def remove(path: Path) -> None:
    """Remove a file, or a directory with all in it; harmless when there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def change_places(new: Path, now: Path) -> None:
    """Let two paths change places in one system call, which mv(1) can from coreutils 9.5 on."""
    there = [os.path.lexists(path) for path in (new, now)]
    if not any(there):
        return
    flags = EXCHANGE if all(there) else NOREPLACE
    source, goal = (new, now) if there[0] else (now, new)
    directory(new.parent)
    rename = ctypes.CDLL(None, use_errno=True).renameat2
    if rename(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(goal), flags):
        raise OSError(ctypes.get_errno(), "it cannot change places with its copy", str(now))


def main(verb: str, root: str, what: str, *paths: str) -> None:
    """Do one thing."""
    getattr(Places(Path(root), list(paths)), verb)(what)


if __name__ == "__main__":
    main(*sys.argv[1:])
