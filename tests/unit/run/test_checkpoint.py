"""Checkpoints: listed, dropped once the run is over, and with them the way back."""

import asyncio
from pathlib import Path

import pytest

from skipstone.errors import InputError, RollbackRefused
from skipstone.run.checkpoint import checkpoints_of, plan_drop
from skipstone.run.directory import RunDirectory
from skipstone.run.lock import hold_cloud
from skipstone.run.rollback import plan_rollback
from skipstone.run.state import RunState
from skipstone.run.telling import tell_begun, tell_done
from skipstone.steps.snapshot import TakeSnapshot
from tests.unit.run.test_rollback import begun
from tests.unit.run.toy import Hosts, Rig, plan_of, toy


def taking(host: str, *needs: str) -> TakeSnapshot:
    return TakeSnapshot(
        id=f"snapshot.{host}",
        title="keep",
        host=host,
        needs=needs,
        deadline=20,
        estimate=1,
        provider="btrfs",
        name="p",
        directory="/var/lib/skipstone/p",
    )


def test_the_checkpoints_of_a_run_are_what_it_has_taken(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts(codes={"b": [1]}))
    directory = begun(rig, plan_of([taking("h1"), toy("b", "snapshot.h1"), taking("h2", "b")]))
    assert [(one.host, one.stage) for one in checkpoints_of(directory)] == [("h1", "stage1")]
    with pytest.raises(InputError, match="may yet have to be undone"):
        plan_drop(directory)


def test_once_they_are_dropped_there_is_no_way_back(tmp_path: Path) -> None:
    hosts = Hosts()
    rig = Rig(tmp_path, hosts)
    directory = begun(rig, plan_of([taking("h1"), taking("h2")]))
    plan = plan_drop(directory)
    dropping = RunDirectory(directory.path.parent / f"{plan.id}-1")
    with hold_cloud(rig.base / "clouds", plan.cloud, "x") as lease:
        tell_begun(dropping, plan, lease)
    assert plan_drop(directory) == plan, "killed here, it goes on as the same plan"
    assert asyncio.run(rig.apply(plan)).state is RunState.DONE
    with hold_cloud(rig.base / "clouds", plan.cloud, "x") as lease:
        tell_done(dropping, plan, lease)
    assert sorted(name.rpartition("/")[2] for name in hosts.ran)[:2] == ["drop.h1.1", "drop.h2.1"]
    assert checkpoints_of(directory) == ()
    assert directory.view().state is RunState.DONE
    with pytest.raises(RollbackRefused, match="checkpoints were dropped"):
        plan_rollback(directory)


def test_a_run_without_any_says_so(tmp_path: Path) -> None:
    directory = begun(Rig(tmp_path, Hosts()), plan_of([toy("a")]))
    with pytest.raises(InputError, match="keeps no checkpoints"):
        plan_drop(directory)
