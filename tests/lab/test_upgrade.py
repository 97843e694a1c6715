"""The main job: a real cloud, upgraded for real, judged by what its hosts say and by an independent ping."""

import json
import re
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.lab.labcloud import LabCloud

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]


class PingLog:
    """``ping`` with time stamps, one process per address; knows nothing of Skipstone."""

    def __init__(self, addresses: list[str], directory: Path) -> None:
        self.files = {address: directory / f"ping-{address}.log" for address in addresses}
        self.processes = [self._ping(address) for address in addresses]

    def _ping(self, address: str) -> subprocess.Popen[bytes]:
        command = ["ping", "-n", "-D", "-i", "0.2", "-W", "1", address]
        with self.files[address].open("w") as log:
            return subprocess.Popen(command, stdout=log)

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait(10)

    def longest_gap(self, address: str) -> float:
        """Return the longest time between two replies, in seconds."""
        times = [
            float(found)
            for found in re.findall(
                r"^\[([0-9.]+)\] .* bytes from", self.files[address].read_text(), re.MULTILINE
            )
        ]
        assert len(times) > 100, f"{address} hardly ever answered"
        return max(later - earlier for earlier, later in pairwise(times))


def settle(lab: LabCloud, cloud: Path) -> None:
    """Discover until no check forbids the upgrade: agents of a cloud that has just booted miss heartbeats."""
    for _ in range(8):
        lab.skipstone("discover", "-i", lab.inventory, "-o", cloud, codes={0, 1})
        checked = lab.skipstone("check", cloud, "--to", "2025.1", codes={0, 1, 2})
        if checked.returncode != 2:
            return
        time.sleep(15)
    pytest.fail("checks forbid the upgrade of a fresh cloud")


@pytest.fixture(scope="module")
def upgraded(fresh_lab: LabCloud, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Upgrade the lab once, from Zed to 2025.1, the way an operator does."""
    home = tmp_path_factory.mktemp("upgrade")
    settle(fresh_lab, home / "cloud.yaml")
    fresh_lab.skipstone("plan", home / "cloud.yaml", "--to", "2025.1", "-o", home / "plan.yaml")
    fresh_lab.skipstone("verify", "-i", fresh_lab.inventory, "--save", home / "before.json")
    before = json.loads((home / "before.json").read_text())
    pings = PingLog(fresh_lab.instance_addresses(), home)
    boots = fresh_lab.boot_ids()
    try:
        fresh_lab.skipstone("apply", home / "plan.yaml", "-i", fresh_lab.inventory, "--yes", "--fresh")
        verified = fresh_lab.skipstone(
            "verify", "-i", fresh_lab.inventory, "--against", home / "before.json", "--deep", codes={0, 1}
        )
    finally:
        pings.stop()
    fresh_lab.skipstone("report", "-o", home / "report.html", "--json", home / "report.json")
    report = json.loads((home / "report.json").read_text())
    return {
        "report": report,
        "before": before,
        "pings": pings,
        "boots": boots,
        "home": home,
        "verified": verified,
    }


@pytest.mark.parametrize(
    ("host", "package", "version"),
    [
        ("ctl1", "nova-api", "2:31."),
        ("ctl1", "keystone", "2:27."),
        ("ctl1", "glance-api", "2:30."),
        ("ctl1", "placement-api", "13."),
        ("ctl1", "neutron-api", "2:26."),
        ("ctl1", "cinder-api", "2:26."),
        ("ctl1", "heat-api", "1:24."),
        ("cmp1", "nova-compute", "2:31."),
        ("cmp2", "nova-compute", "2:31."),
        ("cmp1", "neutron-openvswitch-agent", "2:26."),
    ],
)
@pytest.mark.usefixtures("upgraded")
def test_packages_are_those_of_the_target(fresh_lab: LabCloud, host: str, package: str, version: str) -> None:
    found = fresh_lab.on(host, f"dpkg-query -W -f '${{Version}}' {package}")
    assert version in found, f"{package} on {host} is {found}"


@pytest.mark.parametrize(
    ("database", "heads"),
    [
        ("nova", {"2903cd72dc14"}),
        ("nova_cell0", {"2903cd72dc14"}),
        ("nova_api", {"cdeec0c85668"}),
        ("keystone", {"47147121", "c88cdce8f248"}),
        ("neutron", {"ad80a9f07c5c", "5c85685d616d"}),
        ("cinder", {"9c74c1c6971f"}),
        ("heat", {"c6214ca60943"}),
        ("placement", {"a082b8bb98d0"}),
    ],
)
@pytest.mark.usefixtures("upgraded")
def test_schema_heads_are_those_of_the_target(fresh_lab: LabCloud, database: str, heads: set[str]) -> None:
    query = f"select version_num from {database}.alembic_version"  # noqa: S608 - names of this test
    found = fresh_lab.on("ctl1", f"mariadb -NBe '{query}'")
    assert set(found.split()) == heads


def test_the_same_instances_run_and_none_was_rebooted(fresh_lab: LabCloud, upgraded: dict[str, Any]) -> None:
    assert fresh_lab.boot_ids() == upgraded["boots"]
    impact = upgraded["report"]["impact"]
    assert impact["instances"]
    assert not [found["name"] for found in impact["instances"] if found["rebooted"]]


def test_the_report_agrees_with_an_independent_ping(upgraded: dict[str, Any]) -> None:
    for found in upgraded["report"]["impact"]["instances"]:
        longest = upgraded["pings"].longest_gap(found["address"])
        # both ask five times a second, not in step with each other
        assert abs(longest - found["ping"]["longest_gap"]) < 1, f"{found['name']}: {longest}"


@pytest.mark.usefixtures("upgraded")
def test_no_workaround_and_no_block_is_left(fresh_lab: LabCloud) -> None:
    for host in ("ctl1", "cmp1", "cmp2"):
        assert fresh_lab.on(host, "ls /etc/nova/nova.conf.d 2>/dev/null || true") == ""
        assert fresh_lab.on(host, "ls /usr/sbin/policy-rc.d 2>/dev/null || true") == ""
        assert fresh_lab.on(host, "find /etc/systemd/system -name '*skipstone*'") == ""
        assert fresh_lab.on(host, "dpkg --audit") == ""


@pytest.mark.usefixtures("upgraded")
def test_every_service_is_up(fresh_lab: LabCloud) -> None:
    states = fresh_lab.openstack("compute", "service", "list", "-f", "value", "-c", "State")
    assert set(states.split()) == {"up"}
    alive = fresh_lab.openstack("network", "agent", "list", "-f", "value", "-c", "Alive")
    assert set(alive.split()) == {"True"}


def test_a_plan_that_was_carried_out_is_not_carried_out_again(
    fresh_lab: LabCloud, upgraded: dict[str, Any]
) -> None:
    again = fresh_lab.skipstone(
        "apply", upgraded["home"] / "plan.yaml", "-i", fresh_lab.inventory, "--yes", codes={2}
    )
    assert "stale" in again.stderr or "another state" in again.stderr
