"""A real sshd of our own, on a loopback port, with its own keys."""

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

PROGRAM = "/usr/sbin/sshd"


@dataclass(frozen=True)
class Sshd:
    """A running sshd: its port, the client's key, and the known_hosts that trusts it."""

    port: int
    key: Path
    known_hosts: Path
    config: Path
    process: "subprocess.Popen[bytes]"

    def inventory(self, **changes: object) -> Inventory:
        entry: dict[str, object] = {
            "name": "h1",
            "address": "127.0.0.1",
            "port": self.port,
            "user": "root",
            "key_file": self.key,
            "groups": (Group.CONTROL,),
            **changes,
        }
        host = InventoryHost.model_validate(entry)
        return Inventory(name="test", path=Path("inventory.yaml"), hosts=(host,), ssh_config=self.config)

    @property
    def home(self) -> Path:
        """The home of who logs in."""
        return self.config.with_name("home")

    def log_ins(self) -> int:
        """Return how many connections have logged in since the start."""
        return self.config.with_name("sshd.log").read_text().count("Accepted publickey")

    def signal_sessions(self, number: int) -> None:
        """Signal the processes that serve connections; the listener goes on."""
        listing = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        for pid in listing.stdout.split():
            os.kill(int(pid), number)


def new_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=20)
    return path


def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running_sshd(place: Path, *options: str, within: tuple[str, ...] = ()) -> Iterator[Sshd]:
    """Start an sshd with some more options; ``within`` is the program that starts it, where one does."""
    host_key, key = new_key(place / "host_key"), new_key(place / "key")
    port = unused_port()
    shutil.copy(f"{key}.pub", place / "authorized_keys")
    (place / "home").mkdir()
    (place / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {place}/authorized_keys\nPermitRootLogin yes\nLogLevel VERBOSE\n"
        # Shells read ~/.bashrc of this machine's root otherwise, and that may wait: pyenv's does, for a lock.
        f"SetEnv HOME={place}/home\n" + "\n".join(options) + "\n"
    )
    known_hosts = place / "known_hosts"
    algorithm, public = Path(f"{host_key}.pub").read_text().split()[:2]
    known_hosts.write_text(f"[127.0.0.1]:{port} {algorithm} {public}\n")
    config = place / "ssh_config"
    config.write_text(f"Host *\n  UserKnownHostsFile {known_hosts}\n  IdentityAgent none\n")
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen(
        [*within, PROGRAM, "-D", "-E", str(place / "sshd.log"), "-f", str(place / "sshd_config")]
    )
    try:
        wait_for(port, process, place / "sshd.log")
        yield Sshd(port, key, known_hosts, config, process)
    finally:
        process.kill()
        process.wait(timeout=10)


def wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(100):
        if process.poll() is not None:
            pytest.fail(f"sshd ended: {log.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("sshd does not listen")
