"""A cloud with four computes, upgraded in waves, and taken back: with instances staying, and drained.

The sample fails first.

The last of this directory: it leaves the control plane upgraded.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab.labcloud import LabCloud
from tests.lab.test_upgrade import PingLog
from tests.wide.conftest import renew
from tests.wide.ways import note

pytestmark = [pytest.mark.lab, pytest.mark.timeout(7200)]

COMPUTES = ("cmp1", "cmp2", "cmp3", "cmp4")
BROKEN = "/etc/systemd/system/nova-compute.service.d/50-broken.conf"


@dataclass(frozen=True)
class Outcome:
    """What an upgrade has left to be judged by."""

    report: dict[str, Any]
    status: dict[str, Any]
    said: dict[str, str]
    pings: PingLog
    boots: dict[str, str]
    homes: dict[str, str]


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def begun(lab: LabCloud) -> set[str]:
    """Return the computes on which any step of the latest run was begun."""
    stages = json.loads(lab.skipstone("status", "--json").stdout)["stages"]
    steps = (step for stage in stages for step in stage["steps"])
    found = (re.match(r"computes\.(\w+)\.", step["id"]) for step in steps if step["state"] != "pending")
    return {match[1] for match in found if match}


def homes(lab: LabCloud) -> dict[str, str]:
    """Return the compute that nova has each instance on."""
    listed = json.loads(lab.openstack("server", "list", "--all-projects", "--long", "-f", "json"))
    return {one["ID"]: one["Host"] for one in listed}


@pytest.fixture(scope="module", params=["stay", "drain"])
def upgraded(
    request: pytest.FixtureRequest, wide: LabCloud, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """Upgrade the cloud from Zed to 2025.1, two computes at a time: the sample does not come up at first."""
    if request.param == "drain":
        renew()
    home = tmp_path_factory.mktemp("waves")
    cloud, plan, before = home / "cloud.yaml", home / "plan.yaml", home / "before.json"
    wide.skipstone("discover", "-i", wide.inventory, "-o", cloud)
    made = wide.skipstone(
        "plan", cloud, "--to", "2025.1", "--computes", request.param, "--down", "2", "--json", "-o", plan
    ).stdout
    wide.skipstone("verify", "-i", wide.inventory, "--save", before)
    (sample,) = (one["steps"][0]["group"] for one in json.loads(made)["stages"] if one["name"] == "sample")
    said: dict[str, str] = {}
    pings, boots, before_it = PingLog(wide.instance_addresses(), home), wide.boot_ids(), homes(wide)
    try:
        begin = ("apply", plan, "-i", wide.inventory, "--fresh", "--yes", "--until", "verify")
        said["budget"] = plain(wide.skipstone(*begin, "--budget", "api-writes=60s", codes={4}).stderr)
        wide.skipstone("resume", "--yes", "--until", "verify", "--budget", "api-writes=1h")
        wide.on(
            sample,
            f"mkdir -p {Path(BROKEN).parent}; printf '[Service]\\nExecStartPre=/bin/false\\n' > {BROKEN}",
        )
        said["sample"] = plain(wide.skipstone("resume", "--yes", codes={4}).stderr)
        assert begun(wide) == {sample}, "no other compute is begun after a sample that failed"
        wide.on(sample, f"rm {BROKEN}; systemctl daemon-reload")
        wide.skipstone("resume", "--yes", "--until", "sample")
        wide.skipstone("resume", "--yes", "--budget", "instance-gap=100s")
        # what is lost is for the tests to name
        wide.skipstone("verify", "-i", wide.inventory, "--against", before, "--deep", codes={0, 1, 4})
    finally:
        pings.stop()
    wide.skipstone("report", "-o", home / "report.html", "--json", home / "report.json")
    status = json.loads(wide.skipstone("status", "--json").stdout)
    note(request.param, status, wide.state_dir / "drains" / json.loads(made)["id"])
    return Outcome(json.loads((home / "report.json").read_text()), status, said, pings, boots, before_it)


def test_a_sample_that_does_not_come_up_is_told(upgraded: Outcome) -> None:
    assert "nova-compute.service: Control process exited" in upgraded.said["sample"]
    assert "nova-compute.log: nothing since its last start" in upgraded.said["sample"]


def test_a_budget_that_breaks_in_the_outage_pauses_the_run(upgraded: Outcome) -> None:
    assert re.search(r"BUDGET api-writes BROKEN: \w+ [\d.]+ s of 60.0 s", upgraded.said["budget"])
    assert "skipstone resume --accept-budget api-writes" in upgraded.said["budget"]


def test_the_run_is_done(upgraded: Outcome) -> None:
    assert upgraded.status["state"] == "done"


def test_no_instance_was_rebooted_or_is_in_error(wide: LabCloud, upgraded: Outcome) -> None:
    panicked = wide.expect_not_rebooted(upgraded.boots)
    listed = json.loads(wide.openstack("server", "list", "--all-projects", "-f", "json"))
    assert {one["Status"] for one in listed} == {"ACTIVE"}
    instances = upgraded.report["impact"]["instances"]
    assert {one["address"] for one in instances if one["rebooted"]} == panicked


@pytest.mark.usefixtures("upgraded")
def test_every_instance_runs_on_one_host_with_the_new_qemu_but_for_those_never_moved(wide: LabCloud) -> None:
    running = [uuid for host in COMPUTES for uuid in wide.on(host, "virsh -q list --uuid").split()]
    listed = json.loads(wide.openstack("server", "list", "--all-projects", "-f", "json"))
    assert sorted(running) == sorted(one["ID"] for one in listed)


def test_who_is_asked_to_stay_stays_and_no_other(
    request: pytest.FixtureRequest, wide: LabCloud, upgraded: Outcome
) -> None:
    """A look with --deep may move one there and back."""
    moved = [uuid for uuid, host in homes(wide).items() if upgraded.homes[uuid] != host]
    assert bool(moved) == (request.node.callspec.params["upgraded"] == "drain")


@pytest.mark.usefixtures("upgraded")
def test_computes_are_those_of_the_target_and_open(wide: LabCloud) -> None:
    for host in COMPUTES:
        assert "2:31." in wide.on(host, "dpkg-query -W -f '${Version}' nova-compute")
    services = json.loads(wide.openstack("compute", "service", "list", "-f", "json"))
    assert {(one["Status"], one["State"]) for one in services} == {("enabled", "up")}


def test_the_report_agrees_with_an_independent_ping(upgraded: Outcome) -> None:
    for found in upgraded.report["impact"]["instances"]:
        longest = upgraded.pings.longest_gap(found["address"])
        assert abs(longest - found["ping"]["longest_gap"]) < 1, f"{found['name']}: {longest}"


def test_never_more_than_two_were_down(upgraded: Outcome) -> None:
    """A host is down from its first step's beginning to its last one's end."""
    spans: dict[str, list[str]] = {}
    for stage in upgraded.status["stages"]:
        for step in stage["steps"]:
            match = re.match(r"computes\.(\w+)\.", step["id"])
            if match and stage["name"] == "computes":
                spans.setdefault(match[1], []).extend(filter(None, (step["began"], step["ended"])))
    assert len(spans) == len(COMPUTES) - 1
    moments = sorted({moment for times in spans.values() for moment in times})
    for moment in moments:
        down = [host for host, times in spans.items() if min(times) <= moment < max(times)]
        assert len(down) <= 2, f"{down} at {moment}"


def test_waves_are_taken_back_and_every_instance_is_where_it_was(wide: LabCloud, upgraded: Outcome) -> None:
    """To before the first compute: what was drained is drained once more, before its system goes back."""
    wide.skipstone("rollback", "--to", "sample", "--yes")
    for host in COMPUTES:
        assert "2:26." in wide.on(host, "dpkg-query -W -f '${Version}' nova-compute")
        assert wide.on(host, "cat /etc/debian_version").startswith("12")
    wide.expect_not_rebooted(upgraded.boots)
    assert homes(wide) == upgraded.homes
    listed = json.loads(wide.openstack("server", "list", "--all-projects", "-f", "json"))
    assert {one["Status"] for one in listed} == {"ACTIVE"}
    services = json.loads(wide.openstack("compute", "service", "list", "-f", "json"))
    assert {(one["Status"], one["State"]) for one in services} == {("enabled", "up")}
    running = [uuid for host in COMPUTES for uuid in wide.on(host, "virsh -q list --uuid").split()]
    assert sorted(running) == sorted(upgraded.homes)
