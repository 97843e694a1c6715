"""Discovery of a real cloud: all of it, quickly, no trace on the hosts, no secret in the file."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from skipstone.catalog import load_catalog
from skipstone.cloud.cloudfile import load_cloud
from skipstone.cloud.model import Asked, Cloud, Problem
from tests.lab.labcloud import LabCloud

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

HOSTS = ("ctl1", "cmp1", "cmp2")
SECONDS = 30
"""Time for a discovery on a machine that also runs the cloud; on a quiet one it takes five."""

TO_LEAVE_ALONE = (
    "/etc /usr /home /root /srv /opt /boot /tmp /var/tmp /var/cache /var/backups /var/lib/apt /var/lib/dpkg"
)
MOVING = re.compile(r"/etc/openvswitch/|/tmp/[^/]*/privsep\.sock$")
"""What the cloud itself changes: ovsdb's file with every port, sockets with every restart."""


@pytest.fixture(scope="module")
def found(lab: LabCloud, tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    return discovered(lab, lab.inventory, tmp_path_factory.mktemp("found") / "cloud.yaml", {0})


def discovered(lab: LabCloud, inventory: Path, output: Path, codes: set[int]) -> Cloud:
    done = lab.skipstone("discover", "-i", inventory, "-o", output, codes=codes)
    assert "Traceback" not in done.stdout + done.stderr
    return load_cloud(output)


def changed_inventory(lab: LabCloud, place: Path, **changes: object) -> Path:
    """Return a copy of the lab's inventory in another place, with changes at its top."""
    content = yaml.safe_load(lab.inventory.read_text())
    home = lab.inventory.parent
    content |= {key: str(home / content[key]) for key in ("ssh_config", "clouds_file")} | changes
    path = place / "inventory.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def only(cloud: Cloud, asked: Asked) -> Problem:
    (found,) = cloud.problems
    assert found.asked is asked
    assert found.evidence
    assert found.remedy
    return found


def test_a_healthy_cloud_leaves_no_question_open(found: Cloud) -> None:
    assert found.problems == ()
    assert found.release == "zed"
    assert found.services[:2] == ("keystone", "placement")
    assert {"glance", "nova", "neutron"} <= set(found.services)


def test_hosts_are_described(found: Cloud, lab: LabCloud) -> None:
    for name in HOSTS:
        host = found.host(name)
        assert host.os
        assert host.os.codename == "bookworm"
        assert host.boot_id == lab.on(name, "cat /proc/sys/kernel/random/boot_id")
        assert host.clock_offset is not None
        assert abs(host.clock_offset) < 2
        assert all(package.origin for package in host.packages)
        assert host.dpkg_audit == ""
        assert host.apt_lock_holder is None
    nova = found.host("cmp1").package("nova-compute")
    assert nova
    assert nova.version == lab.on("cmp1", "dpkg-query -W -f '${Version}' nova-compute")
    unit = found.host("cmp1").unit("nova-compute")
    assert unit
    assert (unit.active, unit.enabled) == ("active", "enabled")


def test_schema_heads_are_those_of_the_release(found: Cloud) -> None:
    catalog = load_catalog()
    schemas = {known.name: known.schema_ for service in catalog.services for known in service.databases}
    assert len(found.databases) >= 7
    for database in found.databases:
        releases = catalog.releases_at(schemas[database.known_as or database.name], database.heads)
        assert "zed" in {release.codename for release in releases}, database.name
        assert database.size > 0
        assert all(table.exact for table in database.tables)


def test_agents_live_and_nova_tells_its_levels(found: Cloud) -> None:
    assert all(agent.alive for agent in found.agents)
    computes = {agent.host: agent.version for agent in found.agents if agent.binary == "nova-compute"}
    assert computes == {"cmp1": 64, "cmp2": 64}
    assert {hypervisor.host for hypervisor in found.hypervisors} == {"cmp1", "cmp2"}
    assert all(hypervisor.libvirt for hypervisor in found.hypervisors)


def test_instances_and_networks_are_those_that_openstack_lists(found: Cloud, lab: LabCloud) -> None:
    listed = lab.openstack("server", "list", "--all-projects", "-f", "value", "-c", "ID").split()
    assert {instance.id for instance in found.instances} == set(listed)
    assert len(listed) >= 3
    assert any(len(instance.addresses) > 1 for instance in found.instances), "none has a floating address"
    assert any(network.external for network in found.networks)
    assert found.counts
    assert found.counts.routers


def test_no_password_of_the_cloud_is_in_the_file(found: Cloud, lab: LabCloud) -> None:
    written = found.model_dump_json()
    clouds = lab.inventory.with_name("clouds.yaml").read_text()
    configuration = lab.on("ctl1", "grep -hv '^[#;]' /etc/*/*.conf /etc/neutron/*.ini")
    secrets = set(re.findall(r"(?:password|secret|_key)\s*[:=]\s*(\S{12,})", clouds + configuration))
    secrets |= set(re.findall(r"://[^:/\s]+:([^@\s]{12,})@", configuration))
    assert secrets
    assert not [secret for secret in secrets if secret in written]


def test_it_is_quick_and_writes_nothing_on_the_hosts(lab: LabCloud, tmp_path: Path) -> None:
    lab.on("ctl1", "true")
    begun = {name: lab.on(name, "date +%s.%N") for name in HOSTS}
    started = time.monotonic()
    discovered(lab, lab.inventory, tmp_path / "cloud.yaml", {0})
    assert time.monotonic() - started < SECONDS
    for name, since in begun.items():
        changed = lab.on(name, f"find {TO_LEAVE_ALONE} -xdev ! -type d -newerct @{since} 2>/dev/null || true")
        assert not [path for path in changed.splitlines() if not MOVING.match(path)], name


def test_an_unreachable_host(lab: LabCloud, tmp_path: Path) -> None:
    hosts = yaml.safe_load(lab.inventory.read_text())["hosts"]
    hosts["cmp2"]["port"] = 1
    cloud = discovered(lab, changed_inventory(lab, tmp_path, hosts=hosts), tmp_path / "cloud.yaml", {1})
    assert not cloud.host("cmp2").reachable
    assert cloud.host("cmp1").packages
    assert only(cloud, Asked.SSH).where == "cmp2"


def test_a_wrong_api_password(lab: LabCloud, tmp_path: Path) -> None:
    clouds = yaml.safe_load(lab.inventory.with_name("clouds.yaml").read_text())
    clouds["clouds"]["lab"]["auth"]["password"] = "wrong"
    (tmp_path / "clouds.yaml").write_text(yaml.safe_dump(clouds))
    inventory = changed_inventory(lab, tmp_path, clouds_file=str(tmp_path / "clouds.yaml"))
    cloud = discovered(lab, inventory, tmp_path / "cloud.yaml", {1})
    assert "refuses the credentials" in only(cloud, Asked.API).what
    assert cloud.databases
    assert cloud.instances == ()


@contextmanager
def broken(lab: LabCloud, host: str, break_it: str, mend_it: str) -> Iterator[None]:
    lab.on(host, break_it)
    try:
        yield
    finally:
        lab.on(host, mend_it)


def test_a_half_configured_package(lab: LabCloud, tmp_path: Path) -> None:
    mark = (
        "sed -i '/^Package: less$/,/^$/s/^Status: install ok {}$/Status: install ok {}/' /var/lib/dpkg/status"
    )
    with broken(
        lab, "cmp1", mark.format("installed", "half-configured"), mark.format("half-configured", "installed")
    ):
        cloud = discovered(lab, lab.inventory, tmp_path / "cloud.yaml", {0})
    package = cloud.host("cmp1").package("less")
    assert package
    assert package.status == "half-configured"
    assert "less" in cloud.host("cmp1").dpkg_audit


def test_someone_else_holds_apts_lock(lab: LabCloud, tmp_path: Path) -> None:
    with lab.apt_locked("cmp1"):
        cloud = discovered(lab, lab.inventory, tmp_path / "cloud.yaml", {0})
    assert "lock-frontend" in (cloud.host("cmp1").apt_lock_holder or "")


def test_a_stopped_database(lab: LabCloud, tmp_path: Path) -> None:
    with broken(lab, "ctl1", "systemctl stop mariadb", "systemctl start mariadb"):
        cloud = discovered(lab, lab.inventory, tmp_path / "cloud.yaml", {1})
    assert cloud.database_servers == ()
    asked = {problem.asked for problem in cloud.problems}
    assert Asked.DATABASE in asked
    assert all(problem.remedy for problem in cloud.problems)
    assert cloud.host("ctl1").packages
