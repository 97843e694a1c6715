"""A compute that is installed anew by a hook, its instances elsewhere meanwhile: judged from outside.

The lab's own hook is what an operator's would be: it puts a fresh Debian 13 there. The cloud is made anew for
the tests that follow.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from skipstone.lab.configuration import PASSWORD
from tests.lab.conftest import DIRECTORY, lab_verb
from tests.lab.labcloud import BIN, LabCloud
from tests.wide.conftest import renew
from tests.wide.ways import note

pytestmark = [pytest.mark.lab, pytest.mark.timeout(7200)]

COMPUTES = ("cmp1", "cmp2", "cmp3", "cmp4")
VICTIM = "cmp4"
MARK = "/var/lib/of-the-old-system"
HOOK = f"""\
#!/bin/sh
set -eu
echo "$*" >> "$(dirname "$0")/calls"
case $1 in
    install) exec {BIN}/skipstone lab reinstall "$2" "$3" ;;
    show) exec {BIN}/skipstone lab host-keys "$2" ;;
    *) exit 2 ;;
esac
"""
NAMES = {
    "service": "select uuid from nova.services where host = '{host}' and topic = 'compute' and deleted = 0",
    "node": "select uuid from nova.compute_nodes where host = '{host}' and deleted = 0",
    "provider": "select uuid from placement.resource_providers where name like '{host}%'",
}


@dataclass(frozen=True)
class Before:
    """What must be the same afterwards."""

    names: dict[str, str]
    running: set[str]
    everywhere: set[str]
    boots: dict[str, str]
    machine_id: str
    accounts: str


@dataclass(frozen=True)
class Outcome:
    """What there was, and where the hook and the run have left their traces."""

    before: Before
    home: Path
    plan: str


def running(lab: LabCloud, host: str) -> set[str]:
    return set(lab.on(host, "virsh -q list --uuid").split())


def names(lab: LabCloud) -> dict[str, str]:
    """Return what the databases call the victim, asked past every API."""
    found = {
        what: lab.on("ctl1", f'mariadb -NBe "{query.format(host=VICTIM)}"') for what, query in NAMES.items()
    }
    assert all(found.values()), found
    return found


def seen(lab: LabCloud) -> Before:
    return Before(
        names(lab),
        running(lab, VICTIM),
        {uuid for host in COMPUTES for uuid in running(lab, host)},
        lab.boot_ids(),
        lab.on(VICTIM, "cat /etc/machine-id"),
        lab.on(VICTIM, "id -u nova; id -g nova; id -u libvirt-qemu"),
    )


def with_hook(home: Path) -> Path:
    """Write the hook, and an inventory that names it beside what the lab's has."""
    hook = home / "install-compute"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    inventory = yaml.safe_load((DIRECTORY / "inventory.yaml").read_text())
    inventory |= {key: str(DIRECTORY / inventory[key]) for key in ("ssh_config", "clouds_file")}
    inventory["defaults"]["reinstall_hook"] = str(hook)
    (home / "inventory.yaml").write_text(yaml.safe_dump(inventory))
    return home / "inventory.yaml"


@pytest.fixture(scope="module")
def place(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LabCloud, Path, Path]]:
    """Give a Zed cloud, an inventory with the hook and a directory."""
    del machine
    home = tmp_path_factory.mktemp("reinstall")
    renew()
    yield LabCloud(DIRECTORY, home / "state"), with_hook(home), home
    renew()


@pytest.fixture(scope="module")
def outcome(place: tuple[LabCloud, Path, Path]) -> Outcome:
    """Upgrade the control plane and then one compute, by a fresh system."""
    lab, inventory, home = place
    refused_while_something_stays(lab, inventory)
    cloud, plan, look = home / "cloud.yaml", home / "plan.yaml", home / "before.json"
    lab.skipstone("discover", "-i", inventory, "-o", cloud)
    way = ("--computes", "reinstall", "--return-instances", "--sample", VICTIM)
    made = json.loads(lab.skipstone("plan", cloud, "--to", "2025.1", *way, "--json", "-o", plan).stdout)
    assert made["point_of_no_return"] == f"computes.{VICTIM}.reinstall"
    lab.on(VICTIM, f"touch {MARK}")
    before = seen(lab)
    lab.skipstone("verify", "-i", inventory, "--save", look)
    lab.skipstone("apply", plan, "-i", inventory, "--yes", "--until", "sample")
    lab.skipstone("verify", "-i", inventory, "--against", look, codes={0, 1})
    status = json.loads(lab.skipstone("status", "--json").stdout)
    note("reinstall", status, home / "state" / "drains" / made["id"])
    return Outcome(before, home, made["id"])


def refused_while_something_stays(lab: LabCloud, inventory: Path) -> None:
    """See that a host on which an instance is off is not called empty, and nothing of it was changed."""
    server = min(running(lab, VICTIM))
    lab.openstack("server", "stop", server)
    try:
        off = f"! virsh -q list --uuid | grep -q {server}"
        lab.on(VICTIM, f"for i in $(seq 90); do {off} && exit 0; sleep 1; done; exit 1")
        done = lab.skipstone("drain", VICTIM, "-i", inventory, "--empty", codes={2})
        assert "its disks go" in " ".join((done.stdout + done.stderr).split())
    finally:
        lab.openstack("server", "start", server)
    lab_verb("up", "--release", "zed", "--topology", "wide")  # returns when every instance answers


def test_the_hook_was_called_once_and_the_system_is_another(
    place: tuple[LabCloud, Path, Path], outcome: Outcome
) -> None:
    lab, _, home = place
    calls = (home / "calls").read_text().splitlines()
    assert [call for call in calls if call.startswith("install")] == [f"install {VICTIM} trixie 2025.1"]
    assert lab.on(VICTIM, f"test -e {MARK} || echo gone") == "gone"
    assert "trixie" in lab.on(VICTIM, "cat /etc/os-release")
    assert "2:31." in lab.on(VICTIM, "dpkg-query -W -f '${Version}' nova-compute")
    assert "bookworm" not in lab.on(
        VICTIM, "cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null || true"
    )
    del outcome


def test_it_is_the_host_that_it_was(place: tuple[LabCloud, Path, Path], outcome: Outcome) -> None:
    """Its old SSH keys too: the lab's known_hosts was not written anew."""
    lab = place[0]
    after = seen(lab)
    assert after.names == outcome.before.names
    assert after.machine_id == outcome.before.machine_id
    assert after.accounts == outcome.before.accounts
    assert lab.on(VICTIM, "cat /var/lib/nova/compute_id") == outcome.before.names["node"]
    assert lab.on(VICTIM, "ovs-vsctl port-to-br eth1") == "br-ex"
    units = "nova-compute neutron-openvswitch-agent libvirtd openvswitch-switch"
    assert set(lab.on(VICTIM, f"systemctl is-active {units}").split()) == {"active"}


def test_its_instances_are_back_and_never_stopped(
    place: tuple[LabCloud, Path, Path], outcome: Outcome
) -> None:
    lab = place[0]
    after = seen(lab)
    assert after.running == outcome.before.running
    assert after.everywhere == outcome.before.everywhere
    assert after.boots == outcome.before.boots
    listed = json.loads(lab.openstack("server", "list", "--all-projects", "-f", "json"))
    assert {one["Status"] for one in listed} == {"ACTIVE"}


@pytest.mark.usefixtures("outcome")
def test_placement_counts_what_is_there(place: tuple[LabCloud, Path, Path]) -> None:
    lab = place[0]
    lab.on("ctl1", "runuser -u nova -- nova-manage placement audit --verbose 2>&1")  # exit 3: what is amiss
    services = json.loads(lab.openstack("compute", "service", "list", "-f", "json"))
    assert {(one["Status"], one["State"]) for one in services} == {("enabled", "up")}


def test_nothing_secret_is_left_on_the_operator_s_machine(outcome: Outcome) -> None:
    assert not (outcome.home / "state" / "identities" / outcome.plan / VICTIM).exists()
    for run in (outcome.home / "state" / "runs").iterdir():
        for path in (*run.glob("journal.db*"), run / "plan.yaml", *(run / "jobs").rglob("*")):
            assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


def test_nothing_brings_the_old_system_back(place: tuple[LabCloud, Path, Path], outcome: Outcome) -> None:
    lab = place[0]
    done = lab.skipstone("rollback", "--yes", codes={2})
    assert "past its point of no return" in " ".join((done.stdout + done.stderr).split())
    del outcome
