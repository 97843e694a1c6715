"""The lock of a cloud: whoever holds it can write, whatever became of the record of who held it before."""

import asyncio
import json
from pathlib import Path

import pytest

from skipstone.errors import RunLocked
from skipstone.run.directory import RunDirectory, find_run
from skipstone.run.journal import last_token
from skipstone.run.lock import hold_cloud, holder_of
from skipstone.run.rollback import plan_rollback
from skipstone.run.state import RunState
from skipstone.steps.registry import KINDS
from tests.unit.run.test_rollback import roll_back
from tests.unit.run.test_verbs import answer
from tests.unit.run.toy import Hosts, Rig, Toy, plan_of, toy

PLAN = plan_of([toy("a", undo="undo a"), toy("b", "a")])
RECORD = Path("clouds/toycloud.json")


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A run that failed at its second step, in its second sitting."""
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path))
    monkeypatch.setitem(KINDS, "toy", Toy)
    rig = Rig(tmp_path, Hosts(codes={"b": [1, 1]}))
    for _ in range(2):
        assert asyncio.run(rig.apply(PLAN)).state is RunState.FAILED
    return rig


def lose(record: Path, how: str) -> None:
    match how:
        case "gone":
            record.unlink()
        case "empty":
            record.write_bytes(b"")
        case "garbage":
            record.write_bytes(b"\xff\x00" * 100)
        case "of an earlier moment":
            record.write_text(json.dumps(json.loads(record.read_text()) | {"token": 0}))
        case "not of ours":
            record.write_text("[]")
        case "without a number":
            record.write_text(json.dumps(json.loads(record.read_text()) | {"token": "many"}))


LOSSES = ["gone", "empty", "garbage", "of an earlier moment", "not of ours", "without a number"]


@pytest.mark.parametrize("how", LOSSES)
def test_a_run_goes_on_whatever_became_of_the_record(rig: Rig, how: str) -> None:
    lose(rig.base / RECORD, how)
    view = asyncio.run(rig.apply(PLAN))
    assert (view.state, view.sittings) == (RunState.DONE, 3)


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_run_is_undone_whatever_became_of_the_record(rig: Rig, how: str) -> None:
    """The rollback is a run of its own, and writes into the journal of the other one, too."""
    directory = find_run(rig.base / "runs", None)
    plan_rollback(directory)
    lose(rig.base / RECORD, how)
    assert roll_back(rig, directory).state is RunState.DONE
    assert directory.view().state is RunState.ROLLED_BACK


def test_a_run_is_given_up_whatever_became_of_the_record(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    lose(rig.base / RECORD, "gone")
    assert answer(capsys, "abort", "--reason", "restored from a backup")[0] == 0


def test_a_journal_that_cannot_be_read_keeps_no_other_run_of_a_cloud(rig: Rig) -> None:
    other = RunDirectory(rig.base / "runs" / "other-1")
    other.path.mkdir()
    other.journal.write_bytes(b"no database" * 1000)
    highest = last_token(rig.base / "runs/toyplan-1/journal.db")
    with hold_cloud(rig.base / "clouds", "toycloud", "toyplan-1", runs=rig.base / "runs") as lease:
        assert lease.token == highest + 1


def test_who_holds_a_cloud_is_not_known_by_a_damaged_record_but_that_it_is_held(tmp_path: Path) -> None:
    with hold_cloud(tmp_path, "toycloud", "r", runs=tmp_path):
        (tmp_path / "toycloud.json").write_bytes(b"")
        assert holder_of(tmp_path, "toycloud") is None
        with (
            pytest.raises(RunLocked, match="another process"),
            hold_cloud(tmp_path, "toycloud", "r", runs=tmp_path),
        ):
            pass
