"""The disk of a single Debian server, installed once and kept: partitions, GRUB, a ``/boot`` and LVM.

Its system is made on this machine, by mmdebstrap; it is installed within QEMU, by its own kernel: the kernel
here may have no device mapper.
"""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from skipstone.errors import LabError
from skipstone.lab.access import make_host_identity
from skipstone.lab.image import MERGED_USR, Recipe, copy_file, recipe, trust_what_this_machine_trusts
from skipstone.lab.keys import digest
from skipstone.lab.program import run, tail
from tests.machine import emulator

CACHE = Path("/var/cache/skipstone-machine")
HERE = Path(__file__).parent
INSTALLER = HERE / "install.sh"
INSTALLED = "INSTALLED"
"""The last word of a good installation on the console."""

SUITE = "bookworm"
PACKAGES = (
    "ca-certificates", "dbus", "e2fsprogs", "fdisk", "grub-pc", "initramfs-tools", "iproute2", "iputils-ping",
    "libpam-systemd", "linux-image-cloud-amd64", "lvm2", "openssh-server", "procps", "python3",
    "systemd-sysv", "udev", "zstd",
)  # fmt: skip
FSCK = Path("etc/initramfs-tools/conf.d/fsck")
SEED_SIZE = "2G"
DISK_SIZE = "10752M"
"""512 MB for /boot, 6 GB for the root, 4 GB of the volume group are free."""

BUILD_SECONDS = 1800
APT_SETTINGS = 'Acquire::Languages "none";\n'
FILES = {
    "etc/hostname": "server\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 server\n",
    # QEMU's own, which asks this machine's
    "etc/resolv.conf": "nameserver 10.0.2.3\n",
    "etc/systemd/network/80-dhcp.network": "[Match]\nName=en*\n\n[Network]\nDHCP=ipv4\n",
    "etc/default/grub.d/console.cfg": (
        'GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX="console=ttyS0"\nGRUB_CMDLINE_LINUX_DEFAULT=""\n'
        "GRUB_TERMINAL=serial\nGRUB_SERIAL_COMMAND=serial\n"
    ),
}
# they would take apt's lock
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer")


@dataclass(frozen=True)
class Disk:
    """An installed server: its disk, which nothing may write to, and the keys of its root and of its sshd."""

    place: Path

    @property
    def image(self) -> Path:
        return self.place / "disk.qcow2"

    @property
    def key(self) -> Path:
        """The private key that its root lets in."""
        return self.place / "key"

    @property
    def host_key(self) -> str:
        """Its sshd's public key, as known_hosts has it."""
        return " ".join((self.place / "host_key.pub").read_text().split()[:2])


def installed_disk(cache: Path = CACHE) -> Disk:
    """Return the disk of the present recipe; one that is not there yet is installed, in some minutes.

    Raises LabError with the end of the log.
    """
    wanted = recipe("machine", SUITE, PACKAGES)
    code = [path.read_text() for path in (Path(__file__), Path(emulator.__file__), INSTALLER)]
    disk = Disk(cache / digest([wanted.model_dump_json(), *code]))
    with _alone(cache) as scratch:
        if not disk.place.exists():
            (new := Disk(scratch / "disk")).place.mkdir()
            _build(wanted, new, scratch)
            new.place.rename(disk.place)
    return disk


@contextmanager
def _alone(cache: Path) -> Iterator[Path]:
    """Give an empty directory to one process at a time; what a killed one has left there goes first."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = cache / "new"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        yield scratch
        shutil.rmtree(scratch)


def _build(wanted: Recipe, disk: Disk, scratch: Path) -> None:
    tree = scratch / "tree"
    run(*_mmdebstrap(wanted, tree), timeout=BUILD_SECONDS)
    _configure(wanted, tree)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "skipstone-machine", "-f", disk.key)
    (tree / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(disk.key.with_suffix(".pub"), tree / "root/.ssh/authorized_keys")
    shutil.copy(tree / "etc/ssh/ssh_host_ed25519_key.pub", disk.place / "host_key.pub")
    shutil.copy(INSTALLER, tree / INSTALLER.name)
    run("mke2fs", "-q", "-t", "ext4", "-d", tree, scratch / "seed.raw", SEED_SIZE, timeout=300)
    run("qemu-img", "create", "-q", "-f", "qcow2", disk.image, DISK_SIZE)
    _install(disk, tree, scratch)


def _mmdebstrap(wanted: Recipe, tree: Path) -> list[str]:
    # the ramdisk takes the fsck of the root's type, which it would else ask of a device that is not there yet
    fsck = f'mkdir -p "$1"/{FSCK.parent} && echo FSTYPE=ext4 > "$1"/{FSCK}'
    return [
        "mmdebstrap", "--variant=apt", "--mode=root", "--format=directory",
        f"--include={','.join(wanted.packages)}", '--aptopt=APT::Install-Recommends "false";',
        *(f"--aptopt={line}" for line in (APT_SETTINGS + wanted.apt_settings).splitlines()),
        f"--setup-hook={MERGED_USR}", f"--setup-hook={fsck}",
        wanted.suite, str(tree), *(archive.line() for archive in wanted.archives),
    ]  # fmt: skip


def _configure(wanted: Recipe, tree: Path) -> None:
    for name, text in FILES.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).unlink(missing_ok=True)
        (tree / name).write_text(text)
    (tree / FSCK).unlink()
    (tree / "etc/apt/apt.conf.d/99mmdebstrap").unlink()
    (tree / "etc/apt/apt.conf.d/90machine").write_text(APT_SETTINGS + wanted.apt_settings)
    for keyring in {archive.signed_by for archive in wanted.archives if archive.signed_by}:
        copy_file(Path(keyring), tree)
    trust_what_this_machine_trusts(tree)
    make_host_identity(tree)
    run("systemctl", f"--root={tree}", "enable", "systemd-networkd.service")
    run("systemctl", f"--root={tree}", "mask", *MASKED)


def _install(disk: Disk, tree: Path, scratch: Path) -> None:
    console = scratch / "install.log"
    # the system is started from where it was made, and copies itself
    process = emulator.start(
        console,
        *_kernel(tree),
        *emulator.disk(scratch / "seed.raw", "seed", "format=raw", "cache=unsafe"),
        *emulator.disk(disk.image, "system", "format=qcow2", "cache=unsafe"),
    )
    try:
        with suppress(subprocess.TimeoutExpired):  # the log has no last word then
            process.wait(timeout=BUILD_SECONDS)
    finally:
        emulator.end(process)
    text = console.read_text(errors="replace")
    if INSTALLED not in text.splitlines():
        raise LabError("the server could not be installed", where=str(INSTALLER), evidence=tail(text))


def _kernel(tree: Path) -> tuple[str, ...]:
    kernel, ramdisk = (next(tree.glob(f"boot/{name}-*")) for name in ("vmlinuz", "initrd.img"))
    line = f"root=/dev/vda rw console=ttyS0 panic=-1 init=/{INSTALLER.name}"
    return ("-no-reboot", "-kernel", str(kernel), "-initrd", str(ramdisk), "-append", line)
