"""A rehearsal of the databases of a real cloud, with the real commands of the releases."""

import json
import subprocess
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from skipstone.plan.planfile import load_plan
from tests.lab.labcloud import LabCloud

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(1500)]

DATABASES = ("keystone", "glance", "placement", "nova_api", "nova_cell0", "nova", "neutron", "cinder", "heat")


@pytest.fixture(scope="module")
def dumps(lab: LabCloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with dumps of the lab's Zed cloud, under names that tell nothing."""
    directory = tmp_path_factory.mktemp("dumps")
    for number, name in enumerate(DATABASES):
        sql = lab.on("ctl1", f"mariadb-dump --single-transaction --triggers --databases {name}")
        (directory / f"dump{number}.sql").write_text(sql + "\n")
    return directory


@pytest.fixture(scope="module")
def report(lab: LabCloud, dumps: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Return the report of one rehearsal, which has left nothing behind."""
    here = tmp_path_factory.mktemp("here")
    wanted = ("--dumps", dumps, "--from", "zed", "--to", "2025.1", "--directory", here)
    yield json.loads(lab.skipstone("rehearse", *wanted, "--json").stdout)
    assert list(here.iterdir()) == [], "something is left"
    left = subprocess.run(["pgrep", "-f", str(here)], capture_output=True, check=False)
    assert left.returncode == 1, "a process is left"


def test_every_service_arrives_with_its_own_releases_code(report: dict[str, Any]) -> None:
    assert report["passed"]
    assert report["isolated"]
    services = {service["service"]: service for service in report["services"]}
    assert set(services) == {"keystone", "glance", "placement", "nova", "neutron", "cinder", "heat"}
    assert {database["known_as"] for database in services["nova"]["databases"]} == {
        "nova",
        "nova_api",
        "nova_cell0",
    }
    # every instance is still there; fill_virtual_interface_list adds a marker, which counts as deleted
    (nova,) = (one for one in services["nova"]["databases"] if one["known_as"] == "nova")
    (instances,) = (change for change in nova["changes"] if change["table"] == "instances")
    assert instances["after"] == instances["before"] + 1
    assert instances["change"] == "nova-interface-marker"
    changes = [
        one for service in services.values() for base in service["databases"] for one in base["changes"]
    ]
    assert [one for one in changes if (one["before"] or one["after"]) and not one["change"]] == []


def test_the_new_apis_answer_what_the_old_databases_held(report: dict[str, Any]) -> None:
    apis = {api["service"]: api for api in report["apis"]}
    assert {name for name, api in apis.items() if api["asked"] == "answered"} == {
        *("keystone", "glance", "placement", "nova", "neutron", "cinder", "heat")
    }
    kinds = {one["resource"]: one for api in apis.values() for one in api["resources"]}
    assert {name: one["differences"] for name, one in kinds.items() if one["differences"]} == {}
    assert {name: one["unread"] or one["left_out"] for name, one in kinds.items() if one["unread"]} == {}
    seen = ("servers", "ports", "images", "flavors", "users", "allocations", "stacks", "floating IPs")
    assert all(kinds[name]["compared"] == kinds[name]["held"] > 0 for name in seen)
    assert "addresses.*.*.addr" in kinds["servers"]["fields"]


def test_a_wrong_release_is_contradicted(lab: LabCloud, dumps: Path) -> None:
    refused = lab.skipstone("rehearse", "--dumps", dumps, "--from", "2023.1", "--to", "2025.1", codes={2})
    assert "not of 2023.1" in refused.stderr
    assert "Zed" in refused.stderr


def test_the_running_cloud_is_rehearsed_and_its_times_become_the_plans(lab: LabCloud, tmp_path: Path) -> None:
    cloud, plan, report = (tmp_path / name for name in ("cloud.yaml", "plan.yaml", "rehearsal.json"))
    place = tmp_path / "place"
    place.mkdir()
    lab.skipstone("discover", "-i", lab.inventory, "-o", cloud)
    lab.skipstone("plan", cloud, "--to", "2025.1", "-o", plan)
    before = locks_and_files(lab)
    outputs = ("-o", report, "-o", tmp_path / "rehearsal.html")
    lab.skipstone("rehearse", plan, "-i", lab.inventory, "--directory", place, *outputs)
    assert locks_and_files(lab) == before, "the running cloud is neither locked nor written to"
    assert list(place.iterdir()) == [], "something is left"
    found = json.loads(report.read_text())
    assert found["passed"]
    assert found["origin"]["plan"] == load_plan(plan).id
    assert {dump["where"] for dump in found["dumps"]} == {f"ctl1: {name}" for name in DATABASES}
    assert "Every database arrived" in (tmp_path / "rehearsal.html").read_text()

    measured = tmp_path / "measured.yaml"
    lab.skipstone("plan", cloud, "--to", "2025.1", "--rehearsal", report, "-o", measured)
    (nova,) = (service for service in found["services"] if service["service"] == "nova")
    seconds = sum(one["seconds"] for one in nova["stops"][-1]["commands"] if one["purpose"] == "sync")
    (sync,) = (step for step in load_plan(measured).steps() if step.id == "databases.nova.sync")
    assert sync.estimate == ceil(seconds)
    assert "databases-rehearsed" in {finding.id for finding in load_plan(measured).findings}


def locks_and_files(lab: LabCloud) -> str:
    """Return how often the server was told to lock tables, and what lies where files could be left."""
    asked = "show global status where variable_name in ('Com_lock_tables', 'Com_flush')"
    places = "/root /tmp /var/tmp /var/lib/skipstone"
    return lab.on(
        "ctl1",
        f'mariadb -NBe "{asked}"; find {places} -not -path "*/systemd-private-*" 2>/dev/null | sort',
    )
