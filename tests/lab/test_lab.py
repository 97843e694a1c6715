"""The lab itself: what it promises, on this machine, as root."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skipstone.lab.cgroup import Cgroup
from skipstone.lab.place import Place
from skipstone.lab.storage import OverlayDisk

SKIPSTONE = Path(sys.executable).parent / "skipstone"
PLACE = Path(os.environ.get("SKIPSTONE_LAB_DIR", "/var/lib/skipstone-lab"))
UP_SECONDS = 1800

pytestmark = [
    pytest.mark.lab,
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="the lab boots hosts on this machine: needs root"),
]


def verb(*words: str, codes: tuple[int, ...] = (0,), timeout: float = UP_SECONDS) -> str:
    """Run a verb of the lab, insist on its exit code and return its stdout."""
    argv = [str(SKIPSTONE), "lab", *words]
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, timeout=timeout, check=False
    )
    assert done.returncode in codes, done.stdout
    return done.stdout


def status() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(verb("status", "--json", codes=(0, 1), timeout=120))
    return document


def boot_ids() -> dict[str, str]:
    return {instance["name"]: instance["boot_id"] for instance in status()["look"]["instances"]}


def on(host: str, *words: str, code: int = 0) -> str:
    return verb("exec", host, "--", *words, codes=(code,), timeout=300)


def openstack(*words: str) -> str:
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(PLACE / "clouds.yaml"), "OS_CLOUD": "lab"}
    program = SKIPSTONE.with_name("openstack")
    return subprocess.run(
        [program, *words], env=environment, check=True, capture_output=True, text=True, timeout=300
    ).stdout.strip()


def wait_well(deadline: float = 300) -> None:
    end = time.monotonic() + deadline
    while not (seen := status())["well"]:
        assert time.monotonic() < end, seen
        time.sleep(3)


def leftovers() -> list[str]:
    """Return everything of a lab that this machine still has."""
    own = r"\bsk(lab|[0-9a-f]{4})\b"
    found = [str(path) for path in Path("/sys/fs/cgroup").glob("*/sk*") if re.search(own, path.name)]
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(PLACE) in line]
    for command in (
        ["ip", "-brief", "link"],
        ["ip", "netns", "list"],
        ["nft", "list", "tables"],
        ["losetup", "--noheadings", "-O", "NAME,BACK-FILE"],
    ):
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        found += [line for line in lines if re.search(own, line) or str(PLACE) in line]
    return found


@pytest.fixture(scope="module")
def lab() -> Iterator[None]:
    """A fresh Zed cloud."""
    verb("down")
    verb("up")
    yield
    verb("down")


@pytest.mark.usefixtures("lab")
class TestRunningLab:
    def test_everything_answers(self) -> None:
        seen = status()
        assert seen["well"]
        assert {host["name"] for host in seen["hosts"]} == {"ctl1", "cmp1", "cmp2"}
        assert len(seen["look"]["instances"]) >= 3
        assert len(set(boot_ids().values())) == len(boot_ids())

    def test_up_again_is_harmless_and_quick(self) -> None:
        before, begin = boot_ids(), time.monotonic()
        verb("up")
        assert boot_ids() == before
        assert time.monotonic() - begin < 60

    def test_another_release_is_refused_while_it_is_up(self) -> None:
        before = boot_ids()
        verb("up", "--release", "2025.1", codes=(2,))
        assert boot_ids() == before

    def test_a_host_is_reached_by_ssh_with_its_real_key(self) -> None:
        assert verb("ssh", "cmp2", "hostname", timeout=60).strip() == "cmp2"
        known = (PLACE / "known_hosts").read_text()
        (PLACE / "known_hosts").write_text(known.replace("cmp2,10.77.0.22", "cmp9,10.77.0.99"))
        try:
            verb("ssh", "cmp2", "true", codes=(255,), timeout=60)
        finally:
            (PLACE / "known_hosts").write_text(known)

    def test_the_console_works_without_sshd_and_network(self) -> None:
        on("cmp2", "systemctl", "stop", "ssh.service", "ssh.socket")
        try:
            verb("ssh", "cmp2", "true", codes=(255,), timeout=60)
            assert on("cmp2", "hostname").strip() == "cmp2"
            on("cmp2", "sh", "-c", "exit 7", code=7)
        finally:
            on("cmp2", "systemctl", "start", "ssh.service")

    def test_hosts_reach_their_archives(self) -> None:
        on("cmp1", "apt-get", "update", "-q")
        sources = on("cmp1", "cat", "/etc/apt/sources.list")
        assert re.search(r"^deb \S+ bookworm main$", sources, re.MULTILINE)

    def test_it_is_a_zed_cloud_as_operators_have_them(self) -> None:
        assert on("ctl1", "dpkg-query", "-W", "-f", "${Version}", "nova-api").startswith("2:26.")
        assert "service" not in openstack("role", "list", "-f", "value", "-c", "Name").split()

    def test_an_instance_migrates_live(self) -> None:
        before = boot_ids()
        openstack("server", "migrate", "--live-migration", "--host", "cmp2", "--wait", "on-cmp1")
        assert openstack("server", "show", "on-cmp1", "-f", "value", "-c", "status") == "ACTIVE"
        wait_well()
        assert boot_ids() == before
        assert on("cmp1", "virsh", "list", "--name").split() != on("cmp2", "virsh", "list", "--name").split()

    def test_a_host_that_reboots_itself_comes_back_with_its_instances(self) -> None:
        before = {host["name"]: host["leader"] for host in status()["hosts"]}
        on("cmp2", "systemctl", "reboot", "--no-block")
        end = time.monotonic() + 120
        while status()["hosts"][2]["leader"] in (None, before["cmp2"]):
            assert time.monotonic() < end
        wait_well()

    def test_up_after_a_power_failure_goes_on_where_it_stood(self) -> None:
        on("cmp1", "touch", "/root/kept")
        for process in Cgroup(Place(PLACE).tag).processes():
            os.kill(process, signal.SIGKILL)
        verb("up")
        assert on("cmp1", "ls", "/root").split() == ["kept"]

    def test_a_snapshot_brings_everything_back(self) -> None:
        on("ctl1", "touch", "/root/before")
        verb("snapshot", "test")
        wait_well()
        on("ctl1", "touch", "/root/after")
        openstack("server", "delete", "--wait", "on-cmp2")
        verb("restore", "test")
        assert on("ctl1", "ls", "/root").split() == ["before"]
        assert "on-cmp2" in boot_ids()


class TestEnding:
    def test_down_leaves_nothing_and_is_repeatable(self) -> None:
        verb("down")
        assert leftovers() == []
        verb("forget", "test")
        assert leftovers() == []
        assert "test" not in status()["snapshots"]
        verb("down")
        assert status()["phase"] is None

    @pytest.mark.parametrize(
        ("blow", "seconds"), [("SIGINT", 3), ("SIGKILL", 3), ("SIGKILL", 12), ("SIGINT", 20)]
    )
    def test_nothing_is_left_after_an_interrupted_up(self, blow: str, seconds: float) -> None:
        process = subprocess.Popen(
            [SKIPSTONE, "lab", "up"],
            stderr=subprocess.DEVNULL,
            # a test runner started in the background hands SIGINT on as ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )
        time.sleep(seconds)
        process.send_signal(signal.Signals[blow])
        process.wait(timeout=15)
        verb("down")
        assert leftovers() == []

    def test_overlay_disks_where_btrfs_is_missing(self, tmp_path: Path) -> None:
        disk = OverlayDisk(Place(tmp_path))
        disk.open()
        (disk.create("images/.half") / "file").write_text("image")
        disk.rename("images/.half", "images/one")
        (disk.copy("images/one", "hosts/a") / "file").write_text("changed")
        disk.copy("hosts/a", "snapshots/s/a")
        (disk.path("hosts/a") / "file").unlink()
        disk.close()
        disk.open()
        try:
            assert (disk.path("images/one") / "file").read_text() == "image"
            assert not (disk.path("hosts/a") / "file").exists()
            assert (disk.path("snapshots/s/a") / "file").read_text() == "changed"
            disk.delete("images/one")
            assert disk.volumes("images") == ["one"], "a snapshot stands on it"
            disk.delete("hosts/a")
            assert disk.volumes("hosts") == []
        finally:
            disk.close()
