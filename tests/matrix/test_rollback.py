"""Rollback from the end of the stages of a real upgrade: the cloud is then exactly what it was.

What a cloud was is what its hosts say (packages, configuration, units, schema heads), what is seen from
outside, the boot-ids of its instances, and every row of every database, as dumped when nothing wrote.
"""

import json
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from skipstone.cloud.cloudfile import load_cloud
from skipstone.cloud.fingerprint import differences, fingerprint_of
from tests.lab.labcloud import LabCloud

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]

ANSWERS = re.compile(r"again\.services\.\w+\.answers")
RESTORED = "after-verified@undo.stop.snapshot.ctl1:kill"


@dataclass(frozen=True)
class Before:
    """The cloud before anything was done to it, and the plan that is made for it."""

    lab: LabCloud
    home: Path
    boots: dict[str, str]

    def apply(self, *options: str) -> None:
        """Apply the plan, or go on with it."""
        self.lab.skipstone("apply", self.home / "plan.yaml", "-i", self.lab.inventory, "--yes", *options)

    def status(self, *run: str) -> dict[str, Any]:
        """Return where a run stands, or the latest one."""
        found: dict[str, Any] = json.loads(self.lab.skipstone("status", *run, "--json").stdout)
        return found

    def expect_same(self) -> None:
        """See that the cloud is again what it was."""
        again = self.home / "again.yaml"
        self.lab.skipstone("discover", "-i", self.lab.inventory, "-o", again)
        before, now = (fingerprint_of(load_cloud(path)) for path in (self.home / "cloud.yaml", again))
        assert differences(before, now) == []
        self.lab.skipstone("verify", "-i", self.lab.inventory, "--against", self.home / "before.json")
        assert self.lab.boot_ids() == self.boots

    def expect_same_rows(self) -> None:
        """Dump every database again, while nothing writes, and compare with the dump of the stop."""
        plan = yaml.safe_load((self.home / "plan.yaml").read_text())["id"]
        dumps = f"/var/lib/skipstone/{plan}/databases/stopped"
        names = "$(ls *.sql.gz | sed 's/.sql.gz$//')"
        same = f"cd {dumps}; python3 dumps.py same . {names} 2>&1 || true"
        assert self.lab.on("ctl1", same) == "", "databases that are not what they were"


@pytest.fixture(scope="module")
def before(fresh_lab: LabCloud, tmp_path_factory: pytest.TempPathFactory) -> Before:
    home = tmp_path_factory.mktemp("rollback")
    fresh_lab.skipstone("discover", "-i", fresh_lab.inventory, "-o", home / "cloud.yaml")
    fresh_lab.skipstone("plan", home / "cloud.yaml", "--to", "2025.1", "-o", home / "plan.yaml")
    fresh_lab.skipstone("verify", "-i", fresh_lab.inventory, "--save", home / "before.json")
    return Before(fresh_lab, home, fresh_lab.boot_ids())


class Rolled(NamedTuple):
    """Seconds of a rollback: until every API answered again, and until all was undone and looked at."""

    answered: float
    seconds: float

    @property
    def told(self) -> str:
        return f"rollback, killed once; the APIs answered after {self.answered:.0f} s"


def answered(run: dict[str, Any]) -> float:
    """Return after how many seconds of a rollback, as ``status --json`` tells it, every API answered."""
    steps = (step for stage in run["stages"] for step in stage["steps"])
    ends = [step["ended"] for step in steps if ANSWERS.fullmatch(step["id"])]
    return (max(map(datetime.fromisoformat, ends)) - datetime.fromisoformat(run["began"])).total_seconds()


def roll_back(before: Before) -> Rolled:
    """Roll back, killed once on the way, and compare."""
    began = time.monotonic()
    before.lab.skipstone("rollback", "--yes", codes={-signal.SIGKILL}, fault=RESTORED)
    compared = time.monotonic()
    before.expect_same_rows()
    compared = time.monotonic() - compared
    before.lab.skipstone("rollback", "--yes")
    seconds = time.monotonic() - began - compared
    run = before.status()
    run = before.status(run["undoing_by"]) if run["undoing_by"] else run
    before.expect_same()
    return Rolled(answered(run) - compared, seconds)


@pytest.mark.parametrize("stage", ["configuration", "backup", "prepare"])
def test_from_the_end_of_a_stage_before_anything_is_stopped(
    before: Before, stage: str, note: Callable[..., None]
) -> None:
    before.apply("--until", stage)
    began = time.monotonic()
    before.lab.skipstone("rollback", "--yes")
    seconds = time.monotonic() - began
    before.expect_same()
    note(f"end of stage {stage}", "rollback; the APIs answered all the time", "as it was", seconds)


@pytest.mark.parametrize("stage", ["stop", "packages", "databases", "services", "verify"])
def test_from_the_end_of_a_stage_of_the_control_plane(
    before: Before, stage: str, note: Callable[..., None]
) -> None:
    before.apply("--until", stage)
    rolled = roll_back(before)
    note(f"end of stage {stage}", rolled.told, "as it was, every row", rolled.seconds)


def test_a_compute_goes_back_alone_and_the_run_goes_on(before: Before, note: Callable[..., None]) -> None:
    before.apply("--until", "sample")
    began = time.monotonic()
    before.lab.skipstone("rollback", "--to", "sample", "--yes")
    seconds = time.monotonic() - began
    assert before.lab.on("cmp2", "cat /etc/debian_version").startswith("12")
    assert before.lab.on("ctl1", "cat /etc/debian_version").startswith("13")
    assert before.lab.boot_ids() == before.boots
    note("end of stage sample", "rollback --to sample", "compute as it was; the run went on", seconds)
    before.lab.skipstone("resume", "--yes")
    began = time.monotonic()
    versions = {host: before.lab.on(host, "cat /etc/debian_version")[:2] for host in ("ctl1", "cmp1", "cmp2")}
    assert set(versions.values()) == {"13"}


def test_from_the_end_of_the_whole_upgrade(before: Before, note: Callable[..., None]) -> None:
    before.lab.openstack("network", "create", "made-since")
    said = before.lab.skipstone("rollback", "--dry-run").stderr
    assert "network made-since" in said
    rolled = roll_back(before)
    note("end of the whole upgrade", rolled.told, "as it was, every row", rolled.seconds)


def test_the_cloud_upgrades_again_and_its_checkpoints_can_be_dropped(
    before: Before, note: Callable[..., None]
) -> None:
    began = time.monotonic()
    before.apply()
    note("rolled back six times", "apply", "upgraded", time.monotonic() - began)
    (kept,) = json.loads(before.lab.skipstone("checkpoints", "--json").stdout)
    assert {one["host"] for one in kept["checkpoints"]} == {"ctl1", "cmp1", "cmp2"}
    assert all(one["size"] > 1 << 16 for one in kept["backups"])
    (name,) = before.lab.on("cmp1", "ls /.skipstone").split()  # of those before nothing is left
    before.lab.on("cmp1", f"btrfs property set -f /.skipstone/{name} ro false")
    before.lab.on("cmp1", f"touch /.skipstone/{name}/etc/tampered")
    refused = before.lab.skipstone("rollback", "--yes", codes={2})
    assert "cmp1: the snapshot" in refused.stderr
    assert "was written to" in refused.stderr
    before.lab.skipstone("checkpoints", "--drop", "--yes")
    assert before.lab.on("cmp1", "ls /.skipstone") == ""
    directories = " ".join(kept["backups"][0]["directories"])
    assert before.lab.on("ctl1", f"ls -d {directories} 2> /dev/null || true") == ""
    refused = before.lab.skipstone("rollback", "--yes", codes={2})
    assert "there is no way back" in refused.stderr
