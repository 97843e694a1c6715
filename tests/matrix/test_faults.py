"""One upgrade, disturbed at every turn: each time it stops, says why, and goes on; the end is the same.

``-9`` is ``kill -9`` of Skipstone while a job of that step is at work on its host.
"""

import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.lab.labcloud import LabCloud
from tests.matrix.conftest import PASSED

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]

Note = Callable[..., None]
STOPPED = pytest.StashKey[str]()


@dataclass(frozen=True)
class Disturbed:
    """The upgrade of one lab, in pieces."""

    lab: LabCloud
    home: Path
    boots: dict[str, str]

    @property
    def plan(self) -> Path:
        return self.home / "plan.yaml"

    @property
    def directory(self) -> str:
        """Where the plan keeps its things on every host."""
        return f"/var/lib/skipstone/{yaml.safe_load(self.plan.read_text())['id']}"

    def apply(self, *options: str, code: int = 0, fault: str = "") -> str:
        """Apply, or go on; return what was said."""
        inventory = self.lab.inventory
        done = self.lab.skipstone(
            "apply", self.plan, "-i", inventory, "--yes", *options, codes={code}, fault=fault
        )
        return plain(done.stderr)

    @contextmanager
    def replaced(self, program: str, script: str) -> Iterator[None]:
        """Put a script in the place of a program of the controller."""
        put = f"printf '{script}' > {program}; chmod +x {program}"
        self.lab.on("ctl1", f"mv {program} {program}.real; {put}")
        try:
            yield
        finally:
            self.lab.on("ctl1", f"mv {program}.real {program}")

    def killed_at(self, step: str) -> None:
        """Go on until a job of this step is at work, and die of ``kill -9`` there."""
        self.apply(code=-signal.SIGKILL, fault=f"after-submitted@{step}:kill")

    @contextmanager
    def at_work(self, step: str) -> Iterator["subprocess.Popen[str]"]:
        """Go on until a job of this step is at work; the process goes on meanwhile."""
        with self.lab.started("resume", "--yes") as process:
            deadline = time.monotonic() + 900
            while self.lab.step_state(step) != "running":
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline, f"{step} did not begin"
                time.sleep(1)
            yield process


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def ended(process: "subprocess.Popen[str]", code: int) -> str:
    """Wait for a verb's end and return what it said."""
    output, errors = process.communicate(timeout=1200)
    assert process.returncode == code, output + errors
    return plain(errors)


@pytest.fixture(scope="module")
def upgrade(fresh_lab: LabCloud, tmp_path_factory: pytest.TempPathFactory) -> Disturbed:
    home = tmp_path_factory.mktemp("faults")
    fresh_lab.skipstone("discover", "-i", fresh_lab.inventory, "-o", home / "cloud.yaml")
    fresh_lab.skipstone(
        "plan", home / "cloud.yaml", "--to", "2025.1", "--gate-expires", "5", "-o", home / "plan.yaml"
    )
    fresh_lab.skipstone("verify", "-i", fresh_lab.inventory, "--save", home / "before.json")
    return Disturbed(fresh_lab, home, fresh_lab.boot_ids())


@pytest.fixture
def noted(note: Note, request: pytest.FixtureRequest) -> Iterator[None]:
    """Write the test's docstring as a row of the table, if it has passed; none follows one that has not."""
    if stopped := request.node.parent.stash.get(STOPPED, ""):
        pytest.skip(f"the upgrade stopped in {stopped}")
    began = time.monotonic()
    yield
    if not request.node.stash.get(PASSED, False):
        request.node.parent.stash[STOPPED] = request.node.name
        return
    what, then = (request.function.__doc__ or "").split(": ", 1)
    note(what, then.rstrip("."), "went on", time.monotonic() - began)


pytestmark.append(pytest.mark.usefixtures("noted"))


def test_disk_full_during_backup(upgrade: Disturbed) -> None:
    """Disk full during the backup: refused before a byte is written, with what is needed."""
    place = f"{upgrade.directory}/databases"
    upgrade.lab.on("ctl1", f"mkdir -p {place}; mount -t tmpfs -o size=1m none {place}")
    try:
        said = upgrade.apply("--fresh", code=4)
    finally:
        upgrade.lab.on("ctl1", f"umount {place}")
    assert "the dump may need" in said


def test_killed_in_backup(upgrade: Disturbed) -> None:
    """kill -9 in the backup: the job ends on its host, and resume reads its outcome."""
    upgrade.killed_at("backup.databases")


def test_journals_disk_full(upgrade: Disturbed, tmp_path: Path) -> None:
    """The journal's disk full: nothing more is done to the cloud; goes on when there is room."""
    runs = upgrade.lab.state_dir
    hidden = tmp_path / "state"
    subprocess.run(["cp", "-a", runs, hidden], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", runs], check=True)
    try:
        subprocess.run(["cp", "-a", f"{hidden}/.", runs], check=True)
        subprocess.run(["dd", "if=/dev/zero", f"of={runs}/full", "bs=1M"], capture_output=True, check=False)
        said = plain(upgrade.lab.skipstone("resume", "--yes", codes={4}).stderr)
        (runs / "full").unlink()
        subprocess.run(["cp", "-a", f"{runs}/.", hidden], check=True)
    finally:
        subprocess.run(["umount", runs], check=True)
    subprocess.run(["cp", "-a", f"{hidden}/.", runs], check=True)
    assert "nothing more is done to the cloud" in said
    assert "fault of Skipstone" not in said


def test_two_operators(upgrade: Disturbed) -> None:
    """Two operators at once: the second is told who holds the cloud, and changes nothing."""
    with upgrade.at_work("prepare.download.ctl1") as process:
        said = upgrade.apply(code=2)
        assert "is held by run" in said
        upgrade.lab.skipstone("pause")
        ended(process, 4)


def test_expired_gate(upgrade: Disturbed) -> None:
    """A gate that nobody answers: the run pauses before it, APIs up, and resume asks again."""
    with upgrade.lab.started("resume", "--until", "stop") as process:
        assert "nobody has approved gate outage in time" in ended(process, 4)
    assert upgrade.lab.on("ctl1", "systemctl is-active nova-api") == "active"


def test_killed_in_packages(upgrade: Disturbed) -> None:
    """kill -9 in the packages of the controller: dpkg goes on without us, and is followed again."""
    upgrade.killed_at("packages.ctl1")


def test_controller_rebooted(upgrade: Disturbed) -> None:
    """The controller is rebooted amid its packages: the attempt is lost, the next one completes it."""
    with upgrade.at_work("packages.ctl1") as process:
        time.sleep(25)
        upgrade.lab.console("ctl1", "systemctl", "reboot", "--force", "--force")
        assert "the host was rebooted" in ended(process, 4)
    # as dpkg leaves a package that it was unpacking: seen once, when the reboot fell on that moment
    cut_off = "/^Package: tzdata$/,/^$/s/^Status: .*/Status: install reinstreq half-installed/"
    upgrade.lab.on("ctl1", f"sed -i '{cut_off}' /var/lib/dpkg/status")
    upgrade.lab.skipstone("resume", "--yes", "--until", "packages")


def test_failing_migration(upgrade: Disturbed) -> None:
    """A migration that fails: the next attempt begins from the dump."""
    with upgrade.replaced("/usr/bin/cinder-manage", "#!/bin/sh\\nexit 7\\n"):
        said = upgrade.apply(code=4)
    assert "databases.cinder.sync" in said
    assert "exited with 7" in said


def test_database_server_stopped(upgrade: Disturbed) -> None:
    """MariaDB stops during a migration: it fails; the next attempt begins from the dump."""
    slow = '#!/bin/sh\\nsleep 10\\nexec cinder-manage.real "$@"\\n'
    with (
        upgrade.replaced("/usr/bin/cinder-manage", slow),
        upgrade.at_work("databases.cinder.sync") as process,
    ):
        upgrade.lab.on("ctl1", "systemctl stop mariadb")
        deadline = time.monotonic() + 300
        while upgrade.lab.step_state("databases.cinder.sync") != "failed":
            assert time.monotonic() < deadline
            time.sleep(2)
        # the others' commands go on asking for the server, and end when it is there again
        upgrade.lab.on("ctl1", "systemctl start mariadb")
        assert "databases.cinder.sync" in ended(process, 4)


def test_killed_in_database(upgrade: Disturbed) -> None:
    """kill -9 in a migration: it ends on its host; it is not run a second time."""
    upgrade.killed_at("databases.cinder.sync")


def test_killed_in_service_start(upgrade: Disturbed) -> None:
    """kill -9 in the start of a service: it goes on with what the host says."""
    upgrade.killed_at("services.nova.ctl1")


def test_connection_cut(upgrade: Disturbed) -> None:
    """The SSH connection is cut while a compute is upgraded: nobody has to do anything."""
    with upgrade.at_work("computes.cmp2.packages") as process:
        upgrade.lab.console(
            "cmp2", "sh", "-c", "systemctl stop ssh.socket ssh; pkill sshd; sleep 30; systemctl start ssh"
        )
        time.sleep(10)
        assert process.poll() is None
        deadline = time.monotonic() + 900
        while upgrade.lab.step_state("computes.cmp2.packages") != "done":
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(2)
        process.kill()


def test_apt_locked(upgrade: Disturbed) -> None:
    """apt's lock is held by somebody else: the error names the process."""
    with upgrade.lab.apt_locked("cmp1"):
        said = upgrade.apply(code=4)
    assert "lock is held by" in said


def test_disk_full_in_packages(upgrade: Disturbed) -> None:
    """Disk full during the packages of a compute: dpkg stops; with room again it is completed."""
    upgrade.lab.on("cmp1", "mount -t tmpfs -o size=64k none /usr/share/qemu")
    try:
        said = upgrade.apply(code=4)
    finally:
        upgrade.lab.on("cmp1", "umount -l /usr/share/qemu")
    assert "computes.cmp1.packages" in said
    assert "KiB are free on /usr/share/qemu" in said


def test_killed_in_compute(upgrade: Disturbed) -> None:
    """kill -9 in the packages of a compute: its instances and dpkg go on without us."""
    upgrade.killed_at("computes.cmp1.packages")


def test_the_end_is_that_of_an_undisturbed_upgrade(upgrade: Disturbed) -> None:
    """After all of that: upgraded, no instance rebooted, no command run twice in an attempt."""
    upgrade.apply()
    before = upgrade.home / "before.json"
    upgrade.lab.skipstone("verify", "-i", upgrade.lab.inventory, "--against", before, "--deep", codes={0, 1})
    assert upgrade.lab.boot_ids() == upgrade.boots
    for host in ("ctl1", "cmp1", "cmp2"):
        assert upgrade.lab.on(host, "dpkg --audit; cut -d. -f1 /etc/debian_version") == "13"
        exits = upgrade.lab.on(
            host, "cd /var/lib/skipstone/jobs; ls -d */*/exit.* | cut -d/ -f1,2"
        ).splitlines()
        assert set(Counter(exits).values()) == {1}
