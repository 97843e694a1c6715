"""What old runs keep is removed from a real host, over a real sshd; the latest run's stays."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from skipstone.run.journal import read_view
from tests.faults.toyrun import apply, end, prepare, rollback, start
from tests.unit.cloud.sshd import Sshd
from tests.unit.run.toy import plan_of, toy

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ROOT = Path("/var/lib/skipstone")
HELD = ROOT / f"retention-{os.getpid()}-first" / "held"
PLANS = [f"retention-{os.getpid()}-{name}" for name in ("first", "second", "latest")]


@pytest.fixture
def clean() -> Iterator[None]:
    """Leave nothing on this machine, which is the host too."""
    yield
    subprocess.run(["umount", "--quiet", HELD], check=False)
    for name in PLANS:
        for path in (ROOT / name, *(ROOT / "jobs").glob(f"{name}-*")):
            shutil.rmtree(path, ignore_errors=True)


def dropped(base: Path) -> tuple[int, str]:
    """Drop what is old, as cron does; return the exit code, and what was said."""
    (base / "out").unlink()
    code = end(start(base, "", "--older-than", "0h", "--drop", verb="checkpoints"))
    return code, (base / "out").read_text()


def inventory_of(sshd: Sshd) -> str:
    host = {"address": "127.0.0.1", "port": sshd.port, "user": "root", "key_file": str(sshd.key)}
    hosts = {"h1": host | {"groups": ["control"]}}
    return yaml.safe_dump({"name": "toycloud", "ssh_config": str(sshd.config), "hosts": hosts})


def records(plan: str) -> set[str]:
    """Return the directories of jobs that there are of a plan's runs, by name."""
    return {path.name for path in (ROOT / "jobs").glob(f"{plan}-*")}


@pytest.fixture
def three(tmp_path: Path, sshd: Sshd, clean: None) -> Path:
    """Return where three runs of three plans are over, each with a backup on the host."""
    del clean
    for name in PLANS:
        place = ROOT / name / "databases"
        prepare(
            tmp_path, plan_of([toy("a", script=f"mkdir -p {place}; echo x > {place}/nova.sql.gz")], name=name)
        )
        (tmp_path / "inventory.yaml").write_text(inventory_of(sshd))
        assert apply(tmp_path) == 0, (tmp_path / "out").read_text()
    return tmp_path


def test_old_runs_are_dropped_one_after_the_other(three: Path) -> None:
    code, said = dropped(three)
    assert code == 0, said
    for name in PLANS[:2]:
        assert f"run {name}-1 keeps" in said
        assert not (ROOT / name).exists()
        assert {one.partition(".")[0] for one in records(name)} == {f"{name}-1-drop-1"}
    assert "0 MiB" in said
    assert f"run {PLANS[2]}-1 keeps" not in said
    assert (ROOT / PLANS[2] / "databases/nova.sql.gz").exists()
    assert len(records(PLANS[2])) == 1


def test_what_could_not_be_dropped_is_dropped_by_a_later_night(three: Path) -> None:
    HELD.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", HELD], check=True)
    code, said = dropped(three)
    assert code == 4, said
    assert not (ROOT / PLANS[1]).exists(), "the other run is not kept by it"
    subprocess.run(["umount", HELD], check=True)
    code, said = dropped(three)
    assert code == 0, said
    assert f"run {PLANS[0]}-1 keeps what is left of it" in said
    assert f"run {PLANS[1]}-1" not in said
    assert not (ROOT / PLANS[0]).exists()
    code, said = dropped(three)
    assert (code, "no run is that old" in said) == (0, True)


@pytest.mark.usefixtures("clean")
def test_what_another_operator_s_run_of_the_same_name_has_left_is_not_taken_for_its_own(
    tmp_path: Path, sshd: Sshd
) -> None:
    name, log = PLANS[0], tmp_path / "log"
    plan = plan_of([toy("a", script=f"echo did >> {log}", undo=f"echo undid >> {log}")], name=name)
    for operator in ("alice", "bob"):
        base = tmp_path / operator
        prepare(base, plan)
        (base / "inventory.yaml").write_text(inventory_of(sshd))
        assert apply(base) == 0, (base / "out").read_text()
        assert rollback(base) == 0, (base / "out").read_text()
    assert log.read_text().split() == ["did", "undid"] * 2
    assert len(records(name)) == 4
    assert end(start(tmp_path / "alice", "", f"{name}-1", "--drop", verb="checkpoints")) == 0
    mark = read_view(tmp_path / f"bob/state/runs/{name}-1/journal.db").mark
    assert {f"{name}-1.{mark}"} < records(name)
    assert len(records(name)) == 2 + 1, "and that of the dropping itself"
