"""Checkpoints: listed, dropped once the run is over, and with them the way back."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from skipstone.cloud.command import OPERATOR, Command, Outcome, Result
from skipstone.errors import HostUnreachable, InputError, RollbackRefused
from skipstone.plan.plan import Plan
from skipstone.run import beginning
from skipstone.run.checkpoint import Kept, kept_by, old_runs, plan_drop, with_sizes
from skipstone.run.directory import RunDirectory
from skipstone.run.journal import Journal
from skipstone.run.lock import hold_cloud
from skipstone.run.rollback import plan_rollback
from skipstone.run.state import Kind, RunState
from skipstone.run.telling import tell_begun, tell_done
from skipstone.steps.backup import DropBackups
from skipstone.steps.snapshot import TakeSnapshot
from tests.unit.run.test_rollback import begun, carried_out, roll_back
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


def abandon(rig: Rig, directory: RunDirectory) -> None:
    with (
        hold_cloud(rig.base / "clouds", "toycloud", "x", runs=rig.base / "runs") as lease,
        Journal(directory.journal, token=lease.token, mask=str) as journal,
    ):
        journal.append(Kind.RUN_ABORTED, reason="enough", who="me")


def test_the_checkpoints_of_a_run_are_what_it_has_taken(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts(codes={"b": [1]}))
    directory = begun(rig, plan_of([taking("h1"), toy("b", "snapshot.h1"), taking("h2", "b")]))
    kept = kept_by(directory)
    assert [(one.host, one.stage, one.whole) for one in kept.checkpoints] == [("h1", "stage1", True)]
    assert [one.host for one in kept.backups] == ["h1"]
    with pytest.raises(InputError, match="may yet have to be undone"):
        plan_drop(directory)


def test_what_a_host_was_brought_back_from_is_still_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts())
    directory = begun(rig, plan_of([taking("h1")]))
    roll_back(rig, directory)
    assert [one.whole for one in kept_by(directory).checkpoints] == [True]


def test_once_they_are_dropped_there_is_no_way_back(tmp_path: Path) -> None:
    hosts = Hosts()
    rig = Rig(tmp_path, hosts)
    directory = begun(rig, plan_of([taking("h1"), taking("h2")]))
    plan = plan_drop(directory)
    dropping = RunDirectory(directory.path.parent / f"{plan.id}-1")
    with hold_cloud(rig.base / "clouds", plan.cloud, "x", runs=rig.base / "runs") as lease:
        tell_begun(dropping, plan, lease)
    assert plan_drop(directory) == plan, "killed here, it goes on as the same plan"
    assert asyncio.run(rig.apply(plan)).state is RunState.DONE
    with hold_cloud(rig.base / "clouds", plan.cloud, "x", runs=rig.base / "runs") as lease:
        tell_done(dropping, plan, lease)
    dropped = [name.rpartition("/")[2] for name in hosts.ran if "/drop." in name]
    assert dropped.index("drop.h1.1") < dropped.index("drop.backups.h1.1")
    assert sorted(dropped) == ["drop.backups.h1.1", "drop.backups.h2.1", "drop.h1.1", "drop.h2.1"]
    assert kept_by(directory).backups == ()
    assert directory.view().state is RunState.DONE
    with pytest.raises(RollbackRefused, match="checkpoints were dropped"):
        plan_rollback(directory)


def test_dropping_goes_on_with_a_repaired_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts()
    rig = Rig(tmp_path, hosts)
    directory = begun(rig, plan_of([taking("h1")]))
    plan = plan_drop(directory)
    hosts.codes = {next(plan.steps()).apply().script: [1]}
    assert carried_out(rig, plan).state is RunState.FAILED
    monkeypatch.setattr(beginning, "__version__", "99")
    assert carried_out(rig, plan_drop(directory)).run == f"{plan.id}-1"
    assert plan_drop(directory).skipstone == "99", "what begins anew is of this version"


def test_a_snapshot_that_was_never_whole_is_listed_as_that_and_dropped(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts(codes={taking("h1").apply().script: [1]}))
    directory = begun(rig, plan_of([taking("h1")]))
    assert [one.whole for one in kept_by(directory).checkpoints] == [False]
    abandon(rig, directory)
    assert [step.id for step in plan_drop(directory).steps()] == ["drop.h1", "drop.backups.h1"]


def test_the_backups_of_a_run_are_where_its_plan_and_its_jobs_have_written(tmp_path: Path) -> None:
    hosts = Hosts()
    rig = Rig(tmp_path, hosts)
    directory = begun(rig, plan_of([toy("a", undo="undo a"), toy("o", host=OPERATOR)], name="p"))
    roll_back(rig, directory)
    (directory.path.parent / "p-1-rollback-2").mkdir()
    (backup,) = kept_by(directory).backups
    place, run, rolled_back = backup.directories
    assert place == "/var/lib/skipstone/p"
    assert run.startswith("/var/lib/skipstone/jobs/p-1.")
    assert rolled_back.startswith("/var/lib/skipstone/jobs/p-1-rollback-1.")
    assert {name.partition("/")[0] for name in hosts.jobs} == {Path(run).name, Path(rolled_back).name}


def test_nothing_but_our_own_directories_can_be_dropped() -> None:
    for wrong in ("/", "/var/lib/skipstone", "/var/lib/skipstone/", "/var/lib/skipstone/../x", "/etc"):
        with pytest.raises(ValidationError):
            DropBackups(id="d", title="d", host="h", deadline=1, estimate=1, directories=(wrong,))


def test_sizes_are_asked_of_the_hosts_and_not_known_where_one_is_silent(tmp_path: Path) -> None:
    class Answers:
        async def run(self, command: Command, *, deadline: float) -> Outcome:
            if command.host == "h2" or deadline > 60:
                raise HostUnreachable("no route to host", where=command.host)
            return Outcome(Result.EXITED, 0, "4096\n", "", 0)

    directory = begun(Rig(tmp_path, Hosts()), plan_of([toy("a"), toy("b", host="h2")]))
    kept = asyncio.run(with_sizes(kept_by(directory), Answers()))
    assert [one.size for one in kept.backups] == [4096, None]


def test_old_runs_are_those_that_are_over_but_never_a_clouds_latest(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts(codes={"bad": [1]}))
    first = begun(rig, plan_of([toy("a")], name="first"))
    begun(rig, plan_of([toy("bad")], name="failed"))
    begun(rig, plan_of([toy("a")], name="latest"))
    now = datetime.now(UTC)
    runs = first.path.parent
    assert old_runs(runs, timedelta(days=30), now) == []
    later = now + timedelta(days=31)
    assert old_runs(runs, timedelta(days=30), later) == [first]
    with hold_cloud(rig.base / "clouds", "toycloud", "x", runs=rig.base / "runs") as lease:
        tell_begun(RunDirectory(runs / "first-1-drop-1"), plan_drop(first), lease)
    assert old_runs(runs, timedelta(days=30), later) == [first], "killed here, nothing is removed yet"
    assert carried_out(rig, plan_drop(first)).state is RunState.DONE
    assert old_runs(runs, timedelta(days=30), later) == []


def script_of(plan: Plan, step: str) -> str:
    return next(one.apply().script for one in plan.steps() if one.id == step)


def test_a_drop_that_did_not_come_to_its_end_goes_on_with_what_is_left(tmp_path: Path) -> None:
    hosts = Hosts()
    rig = Rig(tmp_path, hosts)
    first = begun(rig, plan_of([taking("h1"), taking("h2")], name="first"))
    begun(rig, plan_of([toy("a")], name="latest"))
    ended = first.view().ended
    assert ended is not None
    plan = plan_drop(first)
    hosts.codes_at = {("h1", script_of(plan, "drop.h1")): [1]}
    assert carried_out(rig, plan).state is RunState.FAILED
    left = kept_by(first)
    assert left.dropping == first.view().dropped
    assert [one.host for one in left.checkpoints] == ["h1"]
    assert "h1" in [one.host for one in left.backups]
    with pytest.raises(RollbackRefused, match="checkpoints were dropped"):
        plan_rollback(first)
    age = timedelta(seconds=1)
    assert old_runs(first.path.parent, age, ended + 2 * age) == [first], "it is as old as before"
    assert carried_out(rig, plan_drop(first)).run == "first-1-drop-1", "the same one goes on"
    assert kept_by(first) == Kept(run="first-1")
    assert old_runs(first.path.parent, age, ended + 2 * age) == []


def test_a_drop_that_was_given_up_is_begun_anew(tmp_path: Path) -> None:
    hosts = Hosts()
    rig = Rig(tmp_path, hosts)
    directory = begun(rig, plan_of([taking("h1"), taking("h2")]))
    plan = plan_drop(directory)
    hosts.codes_at = {("h1", script_of(plan, "drop.backups.h1")): [1]}
    carried_out(rig, plan)
    abandon(rig, RunDirectory(directory.path.parent / f"{plan.id}-1"))
    assert kept_by(directory).checkpoints == ()
    assert [one.host for one in kept_by(directory).backups] == ["h1"]
    assert carried_out(rig, plan_drop(directory)).run == f"{plan.id}-2"
    assert kept_by(directory).backups == ()


def test_a_run_that_has_done_nothing_on_a_host_keeps_nothing(tmp_path: Path) -> None:
    directory = begun(Rig(tmp_path, Hosts()), plan_of([toy("a", host=OPERATOR)]))
    with pytest.raises(InputError, match="keeps nothing"):
        plan_drop(directory)
