"""A fresh Debian on a host of the lab, as an installer leaves it: no OpenStack, and SSH keys of its own."""

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from skipstone.errors import InputError, LabError
from skipstone.lab.access import make_host_identity, personalize
from skipstone.lab.cgroup import Cgroup
from skipstone.lab.configuration import Configuration
from skipstone.lab.image import Recipe, bootstrap, finish, recipe
from skipstone.lab.keys import image_key
from skipstone.lab.place import Place
from skipstone.lab.release import LabRelease, load_release, release_names
from skipstone.lab.storage import Disk
from skipstone.lab.topology import Node

ALSO = ("passwd",)
"""What every installer brings, and an image that is made for nothing else need not have."""

LEFT = ("etc/hostname", "etc/systemd/network/")
"""What an installer knows of a host: its name and its network."""

SSH_PORT, SSH_SECONDS = 22, 120.0


@dataclass(frozen=True)
class BareSystem:
    """A Debian of one suite, without anything of OpenStack."""

    place: Place
    disk: Disk
    suite: str

    def build(self) -> str:
        """Build the image where there is none, and return its volume."""
        wanted = self._recipe()
        volume = f"images/{wanted.name}-{image_key(wanted)}"
        if not self.disk.exists(volume):
            self._bootstrap(wanted, volume)
        return volume

    def install(self, volume: str, node: Node, configuration: Configuration) -> None:
        """Put an image in the place of a host's volume; the host must be off."""
        self.disk.delete(f"hosts/{node.name}")
        tree = self.disk.copy(volume, f"hosts/{node.name}")
        for path, text in configuration.files(node).items():
            if path.startswith(LEFT):
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                (tree / path).write_text(text)
        make_host_identity(tree)
        personalize(self.place, tree)

    def _recipe(self) -> Recipe:
        release = _release_in(self.suite)
        packages = (*release.every.packages, *ALSO)
        return recipe(f"bare-{self.suite}", self.suite, packages, updates=release.suite_updates)

    def _bootstrap(self, wanted: Recipe, volume: str) -> None:
        half, log = f"images/.half-{wanted.name}", self.place.logs / f"{wanted.name}.log"
        group = Cgroup(f"{self.place.tag}/build")
        self.disk.delete(half)
        tree = self.disk.create(half)
        try:
            bootstrap(wanted, tree, self.place.packages / wanted.suite, log, group)
        finally:
            group.kill()
        finish(wanted, tree)
        self.disk.rename(half, volume)


def _release_in(suite: str) -> LabRelease:
    """Return the lab's release that comes with a suite; raise InputError where there is none."""
    known = {release.suite: release for release in map(load_release, release_names())}
    if suite not in known:
        raise InputError(f"the lab cannot install {suite!r}", remedy=f"known: {', '.join(sorted(known))}")
    return known[suite]


def wait_ssh(address: str) -> None:
    """Wait until an sshd answers; raise LabError where none does."""
    end = time.monotonic() + SSH_SECONDS
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection((address, SSH_PORT), timeout=5) as connection:
            if connection.recv(4) == b"SSH-":
                return
        time.sleep(0.5)
    raise LabError(
        "no sshd answers there", where=address, remedy="skipstone lab exec HOST -- journalctl -u ssh"
    )


def keys_of(tree: Path) -> str:
    """Return the SSH host keys of a host's system, one a line."""
    return "".join(path.read_text() for path in sorted((tree / "etc/ssh").glob("ssh_host_*_key.pub")))
