"""The lab as tests see it: through the same commands as an operator."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BIN = Path(sys.executable).parent


class LabCloud:
    """A running lab cloud; Skipstone keeps its runs of it in ``state_dir``, apart from any other's."""

    def __init__(self, directory: Path, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.inventory = directory / "inventory.yaml"
        self._ssh_config = directory / "ssh_config"
        self._environment = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "OS_CLIENT_CONFIG_FILE": str(directory / "clouds.yaml"),
            "OS_CLOUD": "lab",
            "SKIPSTONE_STATE_DIR": str(state_dir),
        }

    def skipstone(
        self, *arguments: str | Path, codes: set[int] | None = None, fault: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run one verb and insist on its exit code; ``fault`` is as in ``skipstone.run.faults``."""
        began = time.monotonic()
        done = subprocess.run(
            ["skipstone", *map(str, arguments)],
            env=self._environment | {"SKIPSTONE_FAULT": fault},
            text=True,
            capture_output=True,
            check=False,
        )
        sys.stdout.write(done.stdout)
        sys.stderr.write(f"{done.stderr}skipstone {arguments[0]}: {time.monotonic() - began:.0f} s\n")
        last = "\n".join([*done.stdout.splitlines()[-12:], *done.stderr.splitlines()[-12:]])
        assert done.returncode in (codes or {0}), f"{arguments[0]} exited with {done.returncode}:\n{last}"
        return done

    @contextmanager
    def started(self, *arguments: str | Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
        """Start one verb, which goes on meanwhile; it does not outlive the block."""
        command = ["skipstone", *map(str, arguments)]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command,
            env=self._environment | environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def step_state(self, step: str) -> str:
        """Return how a step of the latest run stands."""
        said = self.skipstone("status", "--json", codes={0, 2})
        stages = json.loads(said.stdout or '{"stages": []}')["stages"]
        states = [one["state"] for stage in stages for one in stage["steps"] if one["id"] == step]
        return str(states[0]) if states else "none"

    def console(self, host: str, *command: str) -> None:
        """Run a command on a host's console, which needs no sshd; a reboot may cut it off."""
        subprocess.run([BIN / "skipstone", "lab", "exec", host, "--", *command], check=False)

    def on(self, host: str, script: str) -> str:
        """Run a script on a host and return what it prints."""
        return subprocess.run(
            ["ssh", "-q", "-F", self._ssh_config, host, script],
            text=True,
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout.strip()

    @contextmanager
    def apt_locked(self, host: str) -> Iterator[None]:
        """Let somebody else hold dpkg's lock on a host."""
        unit = "skipstone-test-lock"
        hold = (
            "import fcntl, time; f = open('/var/lib/dpkg/lock-frontend', 'w');"
            "fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(3600)"
        )
        self.on(host, f'systemd-run -q --collect -u {unit} python3 -c "{hold}"; sleep 1')
        try:
            yield
        finally:
            self.on(host, f"systemctl stop {unit}")

    def openstack(self, *arguments: str) -> str:
        """Run the ``openstack`` command and return what it prints."""
        return subprocess.run(
            ["openstack", *arguments],
            env=self._environment,
            text=True,
            capture_output=True,
            check=True,
            timeout=180,
        ).stdout.strip()

    def add_user(self, name: str, role: str) -> None:
        """Make a project, and a user of it with one role, all three by their names."""
        self.openstack("project", "create", name)
        self.openstack("user", "create", name, "--password", name)
        self.openstack("role", "create", "--or-show", role)
        self.openstack("role", "add", role, "--user", name, "--project", name)

    def openstack_as(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the ``openstack`` command as a user of ``add_user``, whatever comes of it."""
        who = ("--os-username", name, "--os-password", name, "--os-project-name", name)
        return subprocess.run(
            ["openstack", *who, *arguments],
            env=self._environment,
            text=True,
            capture_output=True,
            check=False,
            timeout=180,
        )

    def instance_addresses(self) -> list[str]:
        """Return the addresses of running instances that this machine reaches."""
        listed = json.loads(self.openstack("server", "list", "--all-projects", "-f", "json"))
        found = [
            address for server in listed for addresses in server["Networks"].values() for address in addresses
        ]
        return sorted(address for address in found if address.startswith("10.88."))

    def boot_ids(self) -> dict[str, str]:
        """Return the boot-id that each instance serves."""
        found = {}
        for address in self.instance_addresses():
            match = re.search(r"boot=(\S+)", _served(address))
            assert match, f"{address} serves no boot-id"
            found[address] = match[1]
        return found

    def expect_not_rebooted(self, boots: dict[str, str]) -> set[str]:
        """See that every instance runs as it was booted, after migrations; return the addresses of others.

        These can only be of instances whose own kernel has panicked: the emulator may lose what is written
        while a guest crosses (docs/reference/lab.md). One that somebody reboots has no such word on its
        console.
        """
        now = self.boot_ids()
        assert now.keys() == boots.keys()
        listed = json.loads(self.openstack("server", "list", "--all-projects", "-f", "json"))
        panicked = {address for address, boot in now.items() if boots[address] != boot}
        for address in panicked:
            (server,) = (one["ID"] for one in listed if address in str(one["Networks"]))
            console = self.openstack("console", "log", "show", server)
            assert "Kernel panic" in console, f"{address} was rebooted:\n{console}"
            sys.stderr.write(f"{address}: the emulator has lost a page of its memory\n{console}\n")
        return panicked


def _served(address: str) -> str:
    """Return what an instance serves; for a minute one may be out of reach, as after a migration.

    Once in some fifty migrations it was for ten seconds and more: what is printed is to tell why.
    """
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except OSError as error:
            look = f"ip neigh show {address}; bridge fdb show | grep -v permanent"
            seen = subprocess.run(["sh", "-c", look], text=True, capture_output=True, check=False).stdout
            sys.stderr.write(f"{time.ctime()}: {address}: {error}\n{seen}")
            if time.monotonic() > deadline:
                raise
