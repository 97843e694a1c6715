"""The disk of the lab: volumes that are copied in no time.

A volume is a directory tree with a name such as ``images/controller-1a2b`` or ``hosts/ctl1``. On btrfs (a
loop file of our own) a copy is a snapshot; where the kernel has no btrfs, overlayfs is used.
"""

import json
import shutil
from pathlib import Path
from typing import Protocol

from skipstone.errors import LabError
from skipstone.lab.place import Place
from skipstone.lab.program import run, succeeds

DISK_BYTES = 40 * 1024**3  # of the sparse loop file; what is used is what is written


class Disk(Protocol):
    """Volumes, and how they are made, copied and removed."""

    def open(self) -> None:
        """Mount the disk, making it first where there is none; harmless when it is mounted."""

    def close(self) -> None:
        """Unmount everything; nothing may run on it any more."""

    def path(self, volume: str) -> Path:
        """Return where the tree of a volume is, or would be."""

    def exists(self, volume: str) -> bool:
        """Whether there is such a volume, complete."""

    def create(self, volume: str) -> Path:
        """Make an empty volume and return its tree."""

    def copy(self, source: str, volume: str) -> Path:
        """Make a volume with the contents of another and return its tree."""

    def rename(self, volume: str, name: str) -> None:
        """Give a volume another name at once: how a finished one is told from a half-made one."""

    def delete(self, volume: str) -> None:
        """Remove a volume; harmless when there is none, or when others stand on it, for then it stays."""

    def volumes(self, folder: str) -> list[str]:
        """Return the names within a folder such as ``snapshots``."""


class BtrfsDisk(Disk):
    """Volumes as subvolumes of a btrfs loop file."""

    def __init__(self, place: Place) -> None:
        self._image = place.disk_image
        self._root = place.disk

    def open(self) -> None:
        """Make the loop file and its file system where there is none, and mount it."""
        if self._root.is_mount():
            return
        if not self._image.exists():
            fresh = self._image.with_suffix(".new")
            with fresh.open("wb") as file:
                file.truncate(DISK_BYTES)
            run("mkfs.btrfs", "-q", "-f", "-m", "single", fresh)
            fresh.rename(self._image)
        self._root.mkdir(parents=True, exist_ok=True)
        # nobarrier: a lab lost with its machine's power is built again
        run("mount", "-o", "loop,noatime,nobarrier,discard=async", self._image, self._root)

    def close(self) -> None:
        """Unmount, and let go of the loop device."""
        _unmount_below(self._root)
        for line in run("losetup", "--noheadings", "-O", "NAME", "-j", self._image).split():
            succeeds("losetup", "-d", line)

    def path(self, volume: str) -> Path:
        """Return the subvolume."""
        return self._root / volume

    def exists(self, volume: str) -> bool:
        """Whether the subvolume is there."""
        return self.path(volume).is_dir()

    def create(self, volume: str) -> Path:
        """Make a subvolume."""
        self.path(volume).parent.mkdir(parents=True, exist_ok=True)
        run("btrfs", "-q", "subvolume", "create", self.path(volume))
        return self.path(volume)

    def copy(self, source: str, volume: str) -> Path:
        """Take a writable snapshot."""
        self.path(volume).parent.mkdir(parents=True, exist_ok=True)
        run("btrfs", "-q", "subvolume", "snapshot", self.path(source), self.path(volume))
        return self.path(volume)

    def rename(self, volume: str, name: str) -> None:
        """Move the subvolume."""
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(volume).rename(self.path(name))

    def delete(self, volume: str) -> None:
        """Delete the subvolume and those inside it."""
        if not self.exists(volume):
            return
        # a host may have made subvolumes of its own: systemd does so for /var/lib/machines
        listed = run("btrfs", "subvolume", "list", "-o", self.path(volume)).splitlines()
        for line in sorted((line.split(" path ", 1)[1] for line in listed), reverse=True):
            run("btrfs", "-q", "subvolume", "delete", self._root / line)
        run("btrfs", "-q", "subvolume", "delete", self.path(volume))

    def volumes(self, folder: str) -> list[str]:
        """List a folder."""
        return _names(self._root / folder)


class OverlayDisk(Disk):
    """Volumes as overlays: the tree of an image below, what differs above.

    Images are plain directories and are not written any more once something is copied from them.
    """

    def __init__(self, place: Place) -> None:
        self._root = place.disk
        self._layers = place.root / "layers"

    def open(self) -> None:
        """Mount every overlay again."""
        self._root.mkdir(parents=True, exist_ok=True)
        for volume in self._overlays():
            self._mount(volume)

    def close(self) -> None:
        """Unmount every overlay."""
        _unmount_below(self._root)

    def path(self, volume: str) -> Path:
        """Return the directory, or where the overlay is mounted."""
        return self._root / volume

    def exists(self, volume: str) -> bool:
        """Whether it is there."""
        return self.path(volume).is_dir()

    def create(self, volume: str) -> Path:
        """Make a plain directory."""
        self.path(volume).mkdir(parents=True)
        return self.path(volume)

    def copy(self, source: str, volume: str) -> Path:
        """Put an overlay over an image, or copy what another overlay holds above its image."""
        layer = self._layers / volume
        (layer / "work").mkdir(parents=True)
        base = self._base(source)
        if base == source:
            (layer / "upper").mkdir()
        else:
            run("cp", "-a", "--reflink=auto", self._layers / source / "upper", layer / "upper", timeout=600)
        (layer / "layer.json").write_text(json.dumps({"base": base}))
        self._mount(volume)
        return self.path(volume)

    def rename(self, volume: str, name: str) -> None:
        """Move a directory, or an overlay with its layer."""
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        if not (self._layers / volume).exists():
            self.path(volume).rename(self.path(name))
            return
        run("umount", self.path(volume))
        self.path(volume).rmdir()
        (self._layers / name).parent.mkdir(parents=True, exist_ok=True)
        (self._layers / volume).rename(self._layers / name)
        self._mount(name)

    def delete(self, volume: str) -> None:
        """Remove the tree and its layer."""
        if any(self._base(layer) == volume != layer for layer in self._overlays()):
            return
        if self.path(volume).is_mount():
            run("umount", "--recursive", self.path(volume))
        for tree in (self.path(volume), self._layers / volume):
            if tree.exists():
                shutil.rmtree(tree)

    def volumes(self, folder: str) -> list[str]:
        """List a folder."""
        return _names(self._root / folder)

    def _overlays(self) -> list[str]:
        return [str(file.parent.relative_to(self._layers)) for file in self._layers.glob("*/**/layer.json")]

    def _base(self, volume: str) -> str:
        record = self._layers / volume / "layer.json"
        return str(json.loads(record.read_text())["base"]) if record.exists() else volume

    def _mount(self, volume: str) -> None:
        target, layer = self.path(volume), self._layers / volume
        if target.is_mount():
            return
        target.mkdir(parents=True, exist_ok=True)
        options = (
            f"lowerdir={self.path(self._base(volume))},upperdir={layer / 'upper'},workdir={layer / 'work'}"
        )
        run("mount", "-t", "overlay", "overlay", "-o", options, target)


def choose_disk(place: Place, filesystems: Path = Path("/proc/filesystems")) -> Disk:
    """Return the disk of this place: the kind it was made with, else btrfs where the kernel has it."""
    known = filesystems.read_text().split()
    if place.disk_image.exists() or ("btrfs" in known and not (place.root / "layers").exists()):
        return BtrfsDisk(place)
    if "overlay" not in known:
        raise LabError(
            "the kernel has neither btrfs nor overlayfs",
            where=str(filesystems),
            remedy="modprobe btrfs, or overlay",
        )
    return OverlayDisk(place)


def _names(folder: Path) -> list[str]:
    return sorted(e.name for e in folder.iterdir() if not e.name.startswith(".")) if folder.is_dir() else []


def _unmount_below(root: Path) -> None:
    mounts = [
        line.split()[1].replace("\\040", " ") for line in Path("/proc/self/mounts").read_text().splitlines()
    ]
    for mount in reversed(mounts):
        if Path(mount) == root or root in Path(mount).parents:
            run("umount", mount)
