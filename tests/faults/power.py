"""A disk of its own, as it is after its host has lost its power: without what was only in caches."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LATE = 60
"""Seconds after which kernels write by themselves what a disk in these tests is given."""


class Disk:
    """A file system in a file, mounted at ``place``; names and sizes go to the disk every second."""

    def __init__(self, directory: Path, kind: str = "ext4") -> None:
        self.place = directory / "disk"
        self._images = (directory / "image", directory / "image-after")
        self._kind = kind
        self._commit = 1 if kind == "ext4" else LATE

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Make it, and give its place until it is cut off or the block ends."""
        self.place.mkdir()
        with self._images[0].open("wb") as file:
            file.truncate(256 << 20)
        subprocess.run([f"mkfs.{self._kind}", "-q", self._images[0]], check=True, capture_output=True)
        self._mount()
        try:
            yield self.place
        finally:
            subprocess.run(["umount", "-l", self.place], check=True)

    def lose_power(self) -> None:
        """Let the disk's own file be what has come there by now, which the kernel has not been asked for."""
        if self._kind == "ext4":
            time.sleep(2.5)
        subprocess.run(["cp", "--sparse=always", *self._images], check=True)
        deadline = time.monotonic() + 60
        while subprocess.run(["umount", self.place], check=False, capture_output=True).returncode:
            assert time.monotonic() < deadline, "something still uses the disk"
            self.kill_users()
            time.sleep(0.2)
        shutil.move(self._images[1], self._images[0])
        self._mount()

    def kill_users(self) -> None:
        """Kill what uses it: only while it is mounted, or it would be what uses the disk of this machine."""
        command = ("fuser", "--kill", "--ismountpoint", "--mount", str(self.place))
        subprocess.run(command, check=False, capture_output=True)

    def _mount(self) -> None:
        options = f"loop,commit={self._commit}"
        subprocess.run(["mount", "-o", options, self._images[0], self.place], check=True)
        subprocess.run(["sync", "-f", self.place], check=True)


@contextmanager
def disk(directory: Path, kind: str = "ext4") -> Iterator[Disk]:
    """Give a disk that is mounted."""
    if os.getuid() != 0 or not shutil.which(f"mkfs.{kind}") or not Path("/dev/loop-control").exists():
        pytest.skip(f"needs root, loop devices and mkfs.{kind}")
    found = Disk(directory, kind)
    with found.mounted():
        yield found
