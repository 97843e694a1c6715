"""Hosts with systems of their own: this machine's, and what they write over it, gone when they go.

sshd runs in each; systemd, libvirt and Open vSwitch are programs that write down what they are told.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from skipstone.cloud.inventory import Group, Inventory, InventoryHost
from tests.unit.cloud.sshd import PROGRAM, new_key, wait_for

NAME = "cmp1"

POWER_ON = """\
#!/bin/sh
# power-on PLACE COMMAND...: boots a system that is this machine's, with PLACE/setup done to it.
set -eu
cd "$1"
shift
exec unshare --mount --pid --fork --kill-child sh -euc '
    mount -t tmpfs none layers
    mkdir layers/upper layers/work layers/root
    mount -t overlay overlay layers/root -o lowerdir=/,upperdir=layers/upper,workdir=layers/work
    mount -t proc none layers/root/proc
    mount --bind /dev layers/root/dev
    mount -t tmpfs none layers/root/run
    mkdir layers/root/run/sshd
    cat /proc/sys/kernel/random/uuid > boot_id
    mount --bind boot_id layers/root/proc/sys/kernel/random/boot_id
    for program in systemctl virsh ovs-vsctl; do cp stub "layers/root/usr/bin/$program"; done
    chroot layers/root sh -eu < setup
    while :; do
        key=/etc/ssh/ssh_host_ed25519_key
        [ -e layers/root/$key ] && [ -e layers/root/run/booted ] || key=$IMAGE_KEY
        chroot layers/root "$@" -h $key || true
    done
' boot "$@"
"""

STUB = """\
#!/bin/sh
echo "$(basename "$0") $*" >> /var/told
case "$(basename "$0") $*" in
    *reboot*)
        cat /proc/sys/kernel/random/uuid > /proc/sys/kernel/random/boot_id
        touch /run/booted
        kill "$(cat /run/sshd.pid)"
        ;;
    *list-unit-files*) cat /var/units 2> /dev/null || true ;;
    *"--format=json list "*) cat "/var/switch-${4:-}" 2> /dev/null || true ;;
esac
"""


@dataclass(frozen=True)
class Place:
    """What all systems of one host share: its port, the operator's key, and what the operator knows of it."""

    directory: Path
    port: int
    key: Path

    @property
    def inventory(self) -> Inventory:
        host = InventoryHost(
            name=NAME,
            address="127.0.0.1",
            port=self.port,
            user="root",
            key_file=self.key,
            groups=(Group.COMPUTE,),
        )
        path = self.directory / "inventory.yaml"
        return Inventory(name="c", path=path, hosts=(host,), ssh_config=self.directory / "ssh_config")

    def trust(self, public: str) -> None:
        """Let the operator know one key of the host, and no other."""
        algorithm, key = public.split()[:2]
        known = self.directory / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self.port} {algorithm} {key}\n")
        text = f"Host *\n  UserKnownHostsFile {known}\n  IdentityAgent none\n"
        (self.directory / "ssh_config").write_text(text)


def new_place(directory: Path, port: int) -> Place:
    """Return the place of a host that has no system yet."""
    return Place(directory, port, new_key(directory / "key"))


@contextmanager
def system(place: Place, name: str, setup: str) -> Iterator[str]:
    """Boot a system of its own on the host, and give the public key that its image has."""
    home = place.directory / name
    (home / "layers").mkdir(parents=True)
    (home / "home").mkdir()
    key = new_key(home / "image_key")
    shutil.copy(f"{place.key}.pub", home / "authorized_keys")
    for file, text in (("power-on", POWER_ON), ("stub", STUB), ("setup", setup)):
        (home / file).write_text(text)
        (home / file).chmod(0o755)
    (home / "sshd_config").write_text(
        f"Port {place.port}\nListenAddress 127.0.0.1\nPidFile /run/sshd.pid\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {home}/authorized_keys\nPermitRootLogin yes\nLogLevel VERBOSE\n"
        # Shells read ~/.bashrc of this machine's root otherwise, and that may wait: pyenv's does, for a lock.
        f"SetEnv HOME={home}/home\n"
    )
    command = [str(home / "power-on"), str(home), PROGRAM, "-D", "-e", "-f", str(home / "sshd_config")]
    log = home / "sshd.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "IMAGE_KEY": str(key)})
    try:
        wait_for(place.port, process, log)
        yield Path(f"{key}.pub").read_text()
    finally:
        process.kill()
        process.wait(timeout=10)
        wait_gone(place.port)


def wait_gone(port: int) -> None:
    """Wait until nothing listens any more: a namespace's processes die a moment after its first one."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("the old system's sshd still listens")
