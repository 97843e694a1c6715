"""The main job: a real cloud, upgraded for real, judged by what its hosts say and by an independent ping.

On the way a disk is full and a service does not come up; each time the run stops, says why, and the same
command goes on. (``make demo`` is the upgrade that nothing disturbs, ``tests/matrix`` has more faults.)
"""

import json
import re
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

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


INI = "/etc/cinder/cinder-api-uwsgi.ini"


@dataclass(frozen=True)
class Upgrade:
    """One upgrade of the lab by the way of an operator, in pieces."""

    lab: LabCloud
    home: Path

    @property
    def plan(self) -> Path:
        return self.home / "plan.yaml"

    def prepare(self) -> None:
        cloud = self.home / "cloud.yaml"
        self.lab.skipstone("discover", "-i", self.lab.inventory, "-o", cloud)
        self.lab.skipstone("check", cloud, "--to", "2025.1", codes={1})
        self.lab.skipstone("plan", cloud, "--to", "2025.1", "-o", self.plan)
        self.lab.skipstone("verify", "-i", self.lab.inventory, "--save", self.home / "before.json")

    def apply(self, *options: str, code: int = 0) -> str:
        """Apply, or go on; return what was said."""
        done = self.lab.skipstone(
            "apply", self.plan, "-i", self.lab.inventory, "--yes", *options, codes={code}
        )
        return done.stderr

    def refuse_an_edited_plan(self) -> str:
        edited = self.home / "edited.yaml"
        edited.write_text(self.plan.read_text().replace("dist-upgrade", "dist-upgrade --force-yes"))
        done = self.lab.skipstone("apply", edited, "-i", self.lab.inventory, "--yes", codes={2})
        return done.stderr

    def begin_with_a_full_disk(self) -> str:
        plan = yaml.safe_load(self.plan.read_text())["id"]
        place = f"/var/lib/skipstone/{plan}/databases"
        self.lab.on("ctl1", f"mkdir -p {place}; mount -t tmpfs -o size=1m none {place}")
        try:
            return self.apply("--fresh", code=4)
        finally:
            self.lab.on("ctl1", f"umount {place}")

    def start_a_service_that_serves_nothing(self) -> str:
        self.lab.on("ctl1", f"cp {INI} /root/; sed -i 's,^wsgi-file.*,wsgi-file = /nowhere,' {INI}")
        try:
            return self.apply("--until", "services", code=4)
        finally:
            self.lab.on("ctl1", f"cp /root/cinder-api-uwsgi.ini {INI}; systemctl restart cinder-api")


@pytest.fixture(scope="module")
def upgraded(fresh_lab: LabCloud, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Upgrade the lab once, from Zed to 2025.1."""
    home = tmp_path_factory.mktemp("upgrade")
    upgrade = Upgrade(fresh_lab, home)
    fresh_lab.add_user("watcher", "cloud-operator")
    fresh_lab.add_user("tenant", "member")
    upgrade.prepare()
    said = {"edited": upgrade.refuse_an_edited_plan()}
    pings = PingLog(fresh_lab.instance_addresses(), home)
    boots = fresh_lab.boot_ids()
    try:
        said["disk"] = upgrade.begin_with_a_full_disk()
        upgrade.apply("--until", "databases")
        said["service"] = upgrade.start_a_service_that_serves_nothing()
        said["end"] = fresh_lab.skipstone("resume", "--yes").stderr
        before = home / "before.json"
        fresh_lab.skipstone("verify", "-i", fresh_lab.inventory, "--against", before, "--deep", codes={0, 1})
    finally:
        pings.stop()
    fresh_lab.skipstone("report", "-o", home / "report.html", "--json", home / "report.json")
    report = json.loads((home / "report.json").read_text())
    return {"report": report, "said": said, "pings": pings, "boots": boots, "upgrade": upgrade}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("edited", ["not those that its parameters give", "never carried out"]),
        ("disk", ["backup.databases", "the dump may need", "free"]),
        (
            "service",
            ["services.cinder.answers", "answers 500", "cinder-api is active", "no python application"],
        ),
    ],
)
def test_what_went_wrong_was_said(upgraded: dict[str, Any], fault: str, words: list[str]) -> None:
    said = re.sub(r"\s+", " ", upgraded["said"][fault])
    assert "Traceback" not in said
    assert [word for word in words if word not in said] == [], said


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
    query = f"select version_num from {database}.alembic_version"
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
def test_the_operators_policy_goes_along(fresh_lab: LabCloud) -> None:
    """The lab's policy.json (``written``) has a rule by an old name; Debian's new package removes it."""
    policy = fresh_lab.on("ctl1", "cat /etc/nova/policy.yaml")
    assert '"os_compute_api:os-hypervisors:list": "role:admin or role:cloud-operator"' in policy
    assert "cmp1" in fresh_lab.openstack_as("watcher", "hypervisor", "list").stdout
    refused = fresh_lab.openstack_as("tenant", "hypervisor", "list")
    assert "Policy doesn't allow os_compute_api:os-hypervisors:" in refused.stderr, refused.stderr


@pytest.mark.usefixtures("upgraded")
def test_no_service_reads_an_option_by_an_older_name(fresh_lab: LabCloud) -> None:
    """What services say since their packages are new; the lab's files had such names (``aged``)."""
    for host in ("ctl1", "cmp1", "cmp2"):
        since = fresh_lab.on(host, "date -d @$(stat -c %Y /var/lib/skipstone/*/apt/installed) '+%F %T'")
        new = f"awk -v since='{since}' '/^20/ && $1 \" \" $2 > since' /var/log/*/*.log"
        assert fresh_lab.on(host, f"{new} | wc -l") != "0"
        assert fresh_lab.on(host, f"{new} | grep -E 'Deprecated: Option .* Use option' || true") == ""


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


def test_a_plan_that_was_carried_out_is_not_carried_out_again(upgraded: dict[str, Any]) -> None:
    said = upgraded["upgrade"].apply(code=2)
    assert "stale" in said
    assert "has carried this plan out" in re.sub(r"\s+", " ", said)
