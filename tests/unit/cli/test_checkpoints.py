"""``skipstone checkpoints``: listed by name or by age, and dropped only where that is said."""

import asyncio
import json
from pathlib import Path

import pytest

from skipstone.run.checkpoint import plan_drop
from skipstone.run.directory import RunDirectory
from skipstone.run.journal import read_view
from skipstone.run.state import RunState
from skipstone.steps.registry import KINDS
from tests.unit.run.test_rollback import carried_out
from tests.unit.run.test_verbs import answer
from tests.unit.run.toy import Hosts, Rig, Toy, plan_of, toy


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Two finished runs of two plans; their inventory is lost, so no host can be asked."""
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path))
    monkeypatch.setitem(KINDS, "toy", Toy)
    rig = Rig(tmp_path, Hosts())
    for name in ("first", "second"):
        asyncio.run(rig.apply(plan_of([toy("a")], name=name)))
    return rig


@pytest.mark.usefixtures("rig")
def test_what_the_latest_run_keeps_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, "checkpoints")
    assert code == 0
    assert "run second-1 keeps" in out
    assert "h1" in out
    assert "size not known, /var/lib/skipstone/second" in out


def test_old_runs_are_listed_but_never_the_latest(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no run is that old" in answer(capsys, "checkpoints", "--older-than", "30d")[1]
    (kept,) = json.loads(answer(capsys, "checkpoints", "--older-than", "0h", "--json")[1])
    assert kept["run"] == "first-1"
    mark = read_view(rig.base / "runs/first-1/journal.db").mark
    assert kept["backups"][0]["directories"] == [
        "/var/lib/skipstone/first",
        f"/var/lib/skipstone/jobs/first-1.{mark}",
    ]


@pytest.mark.usefixtures("rig")
@pytest.mark.parametrize(
    "reading", [("checkpoints", "--older-than", "0h"), ("checkpoints", "first-1"), ("log", "first-1")]
)
def test_a_run_that_was_only_read_is_not_the_latest(
    capsys: pytest.CaptureFixture[str], reading: tuple[str, ...]
) -> None:
    answer(capsys, *reading)
    assert "run second-1 keeps" in answer(capsys, "checkpoints")[1]


@pytest.mark.usefixtures("rig")
def test_nothing_is_dropped_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = answer(capsys, "checkpoints", "--older-than", "0h", "--drop")
    assert code == 2
    assert "--yes" in err


@pytest.mark.usefixtures("rig")
@pytest.mark.parametrize(
    "arguments", [("--older-than", "30"), ("--older-than", "x"), ("first-1", "--older-than", "1d")]
)
def test_what_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert answer(capsys, "checkpoints", *arguments)[0] == 2


def test_what_is_left_of_a_drop_is_listed_as_that(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    first = RunDirectory(rig.base / "runs" / "first-1")
    plan = plan_drop(first)
    rig.transport = Hosts(codes={next(plan.steps()).apply().script: [1]})
    assert carried_out(rig, plan).state is RunState.FAILED
    for arguments in (("first-1",), ("--older-than", "0h")):
        out = answer(capsys, "checkpoints", *arguments)[1]
        assert "run first-1 keeps what is left of it: its drop, begun 20" in out
        assert "did not come to its end; `skipstone checkpoints first-1 --drop` goes on with it" in out
        assert "size not known, /var/lib/skipstone/first" in out
    (kept,) = json.loads(answer(capsys, "checkpoints", "--older-than", "0h", "--json")[1])
    assert kept["dropping"].startswith("20")
    assert carried_out(rig, plan).state is RunState.DONE
    assert "run first-1 keeps nothing" in answer(capsys, "checkpoints", "first-1")[1]
    assert "no run is that old" in answer(capsys, "checkpoints", "--older-than", "0h")[1]


def test_a_run_that_cannot_be_dropped_does_not_keep_the_others(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(rig.apply(plan_of([toy("a")], name="third")))
    code, _, err = answer(capsys, "checkpoints", "--older-than", "0h", "--drop", "--yes")
    assert code == 2
    assert err.count("inventory") >= 2, "both are told"
