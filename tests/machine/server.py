"""A running server: a machine that was booted from its disk by its own boot loader, reached by ssh."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from skipstone.errors import LabError
from skipstone.lab.program import run, tail
from skipstone.lab.waiting import wait_for
from tests.machine import emulator
from tests.machine.disk import Disk
from tests.unit.cloud.sshd import unused_port

NAME = "server"
OVERLAY = "overlay.qcow2"
BOOT_SECONDS = 1200
"""With a translated processor a reboot was seen to take five minutes, while this machine was busy."""


@dataclass(frozen=True)
class Server:
    """A running server, with a disk of its own over the installed one.

    ``ssh_config`` is what ``ssh -F`` reads to reach it as ``server``, with the key of its sshd verified.
    """

    place: Path
    port: int
    process: emulator.Process

    @property
    def ssh_config(self) -> Path:
        return self.place / "ssh_config"

    def run(self, command: str, timeout: float = 120) -> str:
        """Run a command line as root and return what it wrote on stdout.

        Raises LabError with its last words when it fails, takes longer or cannot be started.
        """
        return run("ssh", "-F", self.ssh_config, NAME, command, timeout=timeout, where=NAME)

    def boot_id(self) -> str:
        """Return what is another one after every boot."""
        return self.run("cat /proc/sys/kernel/random/boot_id", timeout=30).strip()

    def reboot(self) -> None:
        """Boot it anew, by its boot loader, and return when it answers; raises LabError as it does not."""
        before = self.boot_id()
        with suppress(LabError):  # the session may end before its command does
            self.run("systemctl reboot --no-block", timeout=60)
        self.wait(other_than=before)

    def wait(self, other_than: str = "") -> None:
        """Return when it answers, from another boot than the given one; raises LabError as it does not."""
        try:
            wait_for("answers", lambda: self._ended() or self.boot_id() != other_than, BOOT_SECONDS)
        except LabError as error:
            said = f"{error.evidence}\n{tail(self.console())}"
            raise LabError("the server does not boot", where=NAME, evidence=said) from error
        if self._ended():
            raise LabError("QEMU has ended", where=NAME, evidence=tail(self.console()))

    def keep_disk(self, disk: Disk) -> Disk:
        """Shut it down, and return its disk as one that servers can be booted from."""
        with suppress(LabError):  # the session may end before its command does
            self.run("systemctl poweroff --no-block", timeout=60)
        self.process.wait(timeout=BOOT_SECONDS)
        kept = Disk(self.place / "kept")
        kept.place.mkdir()
        for name in ("key", "host_key.pub"):
            shutil.copy2(disk.place / name, kept.place)
        (self.place / OVERLAY).rename(kept.image)
        return kept

    def console(self) -> str:
        """Return everything that it has said on its serial console, in all its boots."""
        return (self.place / "console.log").read_text(errors="replace")

    def _ended(self) -> bool:
        return self.process.poll() is not None


@contextmanager
def running_server(disk: Disk, place: Path, *more: str) -> Iterator[Server]:
    """Boot a server as it was installed; at the end only its console's log is left in ``place``.

    ``more`` are arguments of QEMU.
    """
    overlay, port = place / OVERLAY, unused_port()
    base = ("-b", disk.image, "-F", "qcow2")
    run("qemu-img", "create", "-q", "-f", "qcow2", *base, overlay)
    # what the server has flushed is to be there after the plug was pulled
    system = emulator.disk(overlay, "system", "format=qcow2", "cache=writeback")
    process = emulator.start(place / "console.log", *system, *emulator.network(port), *more)
    server = Server(place, port, process)
    try:
        _write_access(disk, server)
        server.wait()
        yield server
    finally:
        emulator.end(process)
        overlay.unlink(missing_ok=True)


def _write_access(disk: Disk, server: Server) -> None:
    known_hosts = server.place / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{server.port} {disk.host_key}\n")
    server.ssh_config.write_text(
        f"Host {NAME}\n  HostName 127.0.0.1\n  Port {server.port}\n  User root\n"
        f"  IdentityFile {disk.key}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
        f"  UserKnownHostsFile {known_hosts}\n  StrictHostKeyChecking yes\n"
        # with a translated processor, on a busy machine, it was silent for more than half a minute
        "  BatchMode yes\n  ConnectTimeout 20\n  ServerAliveInterval 10\n  ServerAliveCountMax 30\n"
    )
