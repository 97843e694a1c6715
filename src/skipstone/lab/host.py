"""One host: a system that systemd-nspawn boots, in a cgroup and a network namespace of its own."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from skipstone.errors import LabError
from skipstone.lab.cgroup import Cgroup
from skipstone.lab.program import tail
from skipstone.lab.topology import Node

# systemd-nspawn(1) with --keep-unit ends with this code when the system inside reboots
REBOOT = 133
KEEPER = f'while :; do "$@"; [ $? -eq {REBOOT} ] || exit; done'
POWER_OFF = signal.SIGRTMIN + 4  # systemd(1): start poweroff.target
# nspawn finds itself in the host's namespace, takes it for the machine's and would protect its settings
NSPAWN_ENVIRONMENT = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}


class Host:
    """A host that can be started, stopped and talked to, even when its sshd cannot."""

    def __init__(self, node: Node, *, tree: Path, namespace: Path, group: str, console_log: Path) -> None:
        self.node = node
        self.name = node.name
        self.tree = tree
        self.cgroup = Cgroup(group)
        self._group = group
        self._namespace = namespace
        self._log = console_log

    def start(self) -> None:
        """Boot the host; harmless when it runs. Returns before the system inside is up."""
        if self.leader() is not None:
            return
        boot = Cgroup(self._group).joining(self._nspawn())
        self.cgroup.start(
            ["sh", "-c", KEEPER, "keeper", "env", *_assignments(self.cgroup.joining_environment()), *boot],
            self._log,
            leaf="keeper",
            environment=NSPAWN_ENVIRONMENT,
        )

    def _nspawn(self) -> list[str]:
        return [
            "nsenter", f"--net={self._namespace}",
            "systemd-nspawn", "-q", f"--directory={self.tree}", "--boot",
            "--register=no", "--keep-unit", f"--machine={self.name}", f"--hostname={self.name}",
            "--capability=CAP_NET_ADMIN", "--bind=/dev/net/tun", "--resolv-conf=off", "--timezone=off",
            "--link-journal=no",
        ]  # fmt: skip

    def leader(self) -> int | None:
        """Return the process id of the host's init as this machine sees it, None when the host is off."""
        for process in self.cgroup.processes():
            with contextlib.suppress(OSError, IndexError, StopIteration):
                status = Path(f"/proc/{process}/status").read_text()
                ids = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
                if len(ids) > 1 and ids[1] == "1":
                    return process
        return None

    def wait_console(self, deadline: float = 60) -> None:
        """Wait until commands can be run; raises LabError with the end of the console."""
        end = time.monotonic() + deadline
        while True:
            with contextlib.suppress(LabError):
                self.console("systemctl", "is-active", "dbus.socket", timeout=10)
                return
            if time.monotonic() > end:
                raise LabError(
                    "the host does not come up", where=self.name, evidence=tail(self.console_text())
                )
            time.sleep(0.3)

    def console_text(self) -> str:
        """Return what the host wrote on its console."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def console_command(self, *argv: str) -> tuple[list[str], dict[str, str]]:
        """Return a command that runs inside, with its environment; needs no sshd, no network.

        Raises LabError when the host is off.
        """
        leader = self.leader()
        if leader is None:
            raise LabError("the host is off", where=self.name, remedy="skipstone lab up")
        inside = ["nsenter", "--target", str(leader), "--all", *argv]
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "USER": "root",
            "TERM": os.environ.get("TERM", "dumb"),
            "LANG": "C.UTF-8",
            **self.cgroup.joining_environment("console"),
        }
        return self.cgroup.joining(inside, leaf="console"), environment

    def console(self, *argv: str, timeout: float = 60, stdin: str = "", log: Path | None = None) -> str:
        """Run a command inside and return its stdout; raises LabError when it fails or takes too long."""
        command, environment = self.console_command(*argv)
        try:
            done = subprocess.run(
                command,
                env=environment,
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{argv[0]} took longer than {timeout:.0f} s", where=self.name) from error
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(done.stdout + done.stderr)
        if done.returncode != 0:
            raise LabError(
                f"{argv[0]} failed with exit code {done.returncode}",
                where=self.name,
                evidence=tail(done.stdout + done.stderr),
            )
        return done.stdout

    def stop(self, deadline: float = 90) -> None:
        """Power the host off cleanly; what is still there after ``deadline`` seconds is killed."""
        leader = self.leader()
        if leader is not None:
            os.kill(leader, POWER_OFF)
            end = time.monotonic() + deadline
            while self.cgroup.processes() and time.monotonic() < end:
                time.sleep(0.2)
        self.kill()

    def kill(self) -> None:
        """End the host at once, as a power failure would."""
        self.cgroup.kill()


def _assignments(environment: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]
