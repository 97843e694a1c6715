"""Gates and rollback on a real cloud: its control plane is stopped and upgraded, and then is as it was.

From the end of every other stage, and with every row compared: ``tests/matrix``.
"""

import json
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from skipstone.cloud.cloudfile import load_cloud
from skipstone.cloud.fingerprint import differences, fingerprint_of
from tests.lab.labcloud import LabCloud

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(2400)]

BEGUN = ("--approve", "begin", "--approve", "configuration")
"""Of ``apply``: the gates that come before anything is done to the cloud."""


def state(lab: LabCloud) -> dict[str, Any]:
    """Return how the latest run stands; a run that has not begun is not there yet."""
    said = lab.skipstone("status", "--json", codes={0, 2})
    found: dict[str, Any] = json.loads(said.stdout or '{"state": "none"}')
    return found


def wait_at(lab: LabCloud, process: subprocess.Popen[str], gate: str) -> dict[str, Any]:
    """Wait until the latest run waits at a gate, and return how it stands there."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        view = state(lab)
        if view["state"] == "waiting" and view["gates"][-1]["id"] == gate:
            gate_view: dict[str, Any] = view["gates"][-1]
            return gate_view
        time.sleep(2)
    raise AssertionError(f"the run did not come to gate {gate}: {state(lab)['state']}")


def configuration(lab: LabCloud) -> list[str]:
    """Return every file of the services' configuration on the controller: mode, owner, digest, path."""
    services = "keystone placement glance nova neutron cinder heat"
    each = "stat -c '%a %U:%G' \"$0\" | tr '\\n' ' '; sha256sum \"$0\""
    return lab.on(
        "ctl1", f"cd /etc; find {services} -type f -exec sh -c {shlex.quote(each)} {{}} ';'"
    ).splitlines()


@pytest.fixture
def inventory(lab: LabCloud, tmp_path: Path) -> Path:
    """Return an inventory whose controller is kept as copies, as one with any file system is."""
    found = yaml.safe_load(lab.inventory.read_text())
    found["hosts"]["ctl1"]["snapshots"] = "copy"
    for key in ("ssh_config", "clouds_file"):
        found[key] = str(lab.inventory.parent / found[key])
    path = tmp_path / "inventory.yaml"
    path.write_text(yaml.safe_dump(found))
    return path


def upgrade_databases(lab: LabCloud, plan: Path, inventory: Path) -> None:
    """Carry a plan out up to its databases, the outage approved by another person."""
    until_stopped = ("apply", plan, "-i", inventory, "--fresh", *BEGUN, "--until", "stop")
    with lab.started(*until_stopped) as applying:
        gate = wait_at(lab, applying, "outage")
        assert any(line.startswith("done: prepare") for line in gate["basis"])
        assert any("none rebooted" in line for line in gate["basis"])
        assert not any("point of no return" in line for line in gate["basis"]), "hosts can be kept"
        lab.skipstone("approve", "outage", "--by", "eve", "--reason", "a test")
        output, errors = applying.communicate(timeout=300)
        assert applying.returncode == 0, output + errors
    assert state(lab)["gates"][-1]["who"] == "eve"
    assert "inactive" in lab.on("ctl1", "systemctl is-active nova-api || true")

    lab.skipstone("resume", "--yes", "--until", "databases")
    assert lab.on("ctl1", "cat /etc/debian_version").startswith("13")


def test_a_control_plane_with_migrated_databases_comes_back_as_it_was(
    lab: LabCloud, inventory: Path, tmp_path: Path
) -> None:
    cloud, plan, before = tmp_path / "cloud.yaml", tmp_path / "plan.yaml", tmp_path / "before.json"
    lab.skipstone("discover", "-i", inventory, "-o", cloud)
    lab.skipstone("plan", cloud, "--to", "2025.1", "-o", plan)
    lab.skipstone("verify", "-i", inventory, "--save", before)
    boots, files = lab.boot_ids(), configuration(lab)
    assert any(line.endswith("nova/policy.json") for line in files), "the lab's operator has one"

    upgrade_databases(lab, plan, inventory)
    assert "cloud-operator" in lab.on("ctl1", "cat /etc/nova/policy.yaml")
    lab.skipstone("rollback", "--yes")
    assert set(configuration(lab)) == set(files), "to the byte, with modes and owners"
    again = tmp_path / "again.yaml"
    lab.skipstone("discover", "-i", inventory, "-o", again)
    assert differences(fingerprint_of(load_cloud(cloud)), fingerprint_of(load_cloud(again))) == []
    lab.skipstone("verify", "-i", inventory, "--against", before)
    assert lab.boot_ids() == boots

    refused = lab.skipstone("resume", codes={2})
    assert "nothing is left to do" in refused.stderr
    lab.skipstone("apply", plan, "-i", inventory, *BEGUN, "--until", "backup")
    dumped = lab.skipstone("log", "--step", "backup.databases", "--json").stdout
    assert '"intent"' in dumped, "the backup of the run before is not taken for this one's"
    lab.skipstone("abort", "--reason", "the test is over")
