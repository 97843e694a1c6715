"""A rehearsal of the databases of a real cloud, with the real commands of the releases."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.lab.labcloud import LabCloud

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

DATABASES = ("keystone", "glance", "placement", "nova_api", "nova_cell0", "nova", "neutron", "cinder", "heat")


@pytest.fixture(scope="module")
def dumps(lab: LabCloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with dumps of the lab's Zed cloud, under names that tell nothing."""
    directory = tmp_path_factory.mktemp("dumps")
    for number, name in enumerate(DATABASES):
        sql = lab.on("ctl1", f"mariadb-dump --single-transaction --triggers --databases {name}")
        (directory / f"dump{number}.sql").write_text(sql + "\n")
    return directory


def test_every_service_arrives_with_its_own_releases_code(lab: LabCloud, dumps: Path, tmp_path: Path) -> None:
    wanted = ("--dumps", dumps, "--from", "zed", "--to", "2025.1", "--directory", tmp_path)
    report = json.loads(lab.skipstone("rehearse", *wanted, "--json").stdout)
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
    assert list(tmp_path.iterdir()) == [], "something is left"
    server = subprocess.run(["pgrep", "-f", f"datadir={tmp_path}"], capture_output=True, check=False)
    assert server.returncode == 1, "the server is left"


def test_a_wrong_release_is_contradicted(lab: LabCloud, dumps: Path) -> None:
    refused = lab.skipstone("rehearse", "--dumps", dumps, "--from", "2023.1", "--to", "2025.1", codes={2})
    assert "not of 2023.1" in refused.stderr
    assert "Zed" in refused.stderr
