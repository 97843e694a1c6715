"""What old runs keep is removed from a real host, over a real sshd; the latest run's stays."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.faults.toyrun import apply, end, prepare, start
from tests.unit.cloud.sshd import Sshd
from tests.unit.run.toy import plan_of, toy

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ROOT = Path("/var/lib/skipstone")
PLANS = [f"retention-{os.getpid()}-{name}" for name in ("first", "second", "latest")]


@pytest.fixture
def clean() -> Iterator[None]:
    """Leave nothing on this machine, which is the host too."""
    yield
    for name in PLANS:
        for path in (ROOT / name, *(ROOT / "jobs").glob(f"{name}-*")):
            shutil.rmtree(path, ignore_errors=True)


@pytest.mark.usefixtures("clean")
def test_old_runs_are_dropped_one_after_the_other(tmp_path: Path, sshd: Sshd) -> None:
    host = {"address": "127.0.0.1", "port": sshd.port, "user": "root", "key_file": str(sshd.key)}
    hosts = {"h1": host | {"groups": ["control"]}}
    inventory = yaml.safe_dump({"name": "toycloud", "ssh_config": str(sshd.config), "hosts": hosts})
    for name in PLANS:
        place = ROOT / name / "databases"
        prepare(
            tmp_path, plan_of([toy("a", script=f"mkdir -p {place}; echo x > {place}/nova.sql.gz")], name=name)
        )
        (tmp_path / "inventory.yaml").write_text(inventory)
        assert apply(tmp_path) == 0, (tmp_path / "out").read_text()
    (tmp_path / "out").unlink()
    assert end(start(tmp_path, "", "--older-than", "0h", "--drop", verb="checkpoints")) == 0
    said = (tmp_path / "out").read_text()
    for name in PLANS[:2]:
        assert f"run {name}-1 keeps" in said
        assert not (ROOT / name).exists()
        assert not (ROOT / "jobs" / f"{name}-1").exists()
    assert "0 MiB" in said
    assert f"run {PLANS[2]}-1 keeps" not in said
    assert (ROOT / PLANS[2] / "databases/nova.sql.gz").exists()
    assert (ROOT / "jobs" / f"{PLANS[2]}-1").exists()
