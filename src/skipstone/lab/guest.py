"""The system of the lab's instances: Debian's cloud kernel and busybox on a bootable disk of a few megabytes.

A kernel with a ramdisk would be simpler, but Nova refuses to migrate such an instance live
(ImageUnacceptable). Checksum offload is off in the guest: OVS in userspace drops what it thinks is corrupt.
"""

import shutil
from importlib import resources
from pathlib import Path

from skipstone.errors import LabError
from skipstone.lab.cgroup import Cgroup
from skipstone.lab.image import Recipe, bootstrap, recipe
from skipstone.lab.program import run

SUITE = "bookworm"  # the guest is the same on every release
PACKAGES = ("linux-image-cloud-amd64", "busybox-static")
DISK_MEGABYTES = 32


def guest_recipe() -> Recipe:
    """Return what the guest is made from."""
    return recipe("guest", SUITE, PACKAGES, variant="extract")


def guest_files() -> dict[str, str]:
    """Return our own files of the guest, by name."""
    folder = resources.files("skipstone.lab") / "guest_files"
    return {name: (folder / name).read_text() for name in ("init", "order", "syslinux.cfg")}


def build_guest(target: Path, scratch: Path, packages: Path, log: Path, group: Cgroup) -> None:
    """Build the guest's disk as a qcow2 file at ``target``, using ``scratch`` for what is thrown away."""
    shutil.rmtree(scratch, ignore_errors=True)
    (scratch / "initrd/bin").mkdir(parents=True)
    bootstrap(guest_recipe(), scratch / "system", packages, log, group)
    _make_initrd(scratch)
    _make_disk(scratch)
    half = target.with_suffix(".new")
    run("qemu-img", "convert", "-c", "-O", "qcow2", scratch / "disk.raw", half, timeout=120)
    half.rename(target)
    shutil.rmtree(scratch)


def _make_initrd(scratch: Path) -> None:
    system, initrd, files = scratch / "system", scratch / "initrd", guest_files()
    for folder in ("proc", "sys", "dev", "modules"):
        (initrd / folder).mkdir()
    busybox = next((p for p in (system / "bin/busybox", system / "usr/bin/busybox") if p.is_file()), None)
    if busybox is None:
        raise LabError("the guest has no busybox", where=str(system))
    shutil.copy2(busybox, initrd / "bin/busybox")
    for line in files["order"].splitlines():
        name = line.split()[0]
        module = next((system / "lib/modules").glob(f"**/{name}.ko"), None)
        if module is None:
            raise LabError(f"the guest's kernel has no module {name}", where=str(system / "lib/modules"))
        shutil.copy2(module, initrd / "modules" / module.name)
    (initrd / "modules/order").write_text(files["order"])
    (initrd / "init").write_text(files["init"])
    (initrd / "init").chmod(0o755)
    pack = 'cd "$1" && find . | ./bin/busybox cpio -o -H newc | gzip -n > "$2"'
    run("sh", "-euc", pack, "sh", initrd, scratch / "initrd.gz")


def _make_disk(scratch: Path) -> None:
    kernel = next((scratch / "system/boot").glob("vmlinuz-*"))
    disk = scratch / "disk.raw"
    with disk.open("wb") as file:
        file.truncate(DISK_MEGABYTES * 1024**2)
    (scratch / "syslinux.cfg").write_text(guest_files()["syslinux.cfg"])
    run("mkfs.vfat", "-F", "16", disk)
    run("mcopy", "-i", disk, kernel, "::vmlinuz")
    run("mcopy", "-i", disk, scratch / "initrd.gz", scratch / "syslinux.cfg", "::")
    run("syslinux", "--install", disk)
