"""What an operator says about a run from another terminal: approve, skip, abort, pause."""

import asyncio
import json
from pathlib import Path
from typing import ClassVar

import pytest

from skipstone.plan.plan import Gate
from skipstone.run.directory import find_run
from skipstone.run.lock import hold_cloud
from skipstone.run.state import RunState, StepState
from skipstone.steps.registry import KINDS
from tests.unit.run.test_verbs import answer
from tests.unit.run.toy import Hosts, Rig, Toy, plan_of, toy, waiting_at_a_gate


class Look(Toy):
    """A toy step that only looks."""

    looks: ClassVar[bool] = True


def look(name: str, *needs: str) -> Look:
    return Look.model_validate(toy(name, *needs).model_dump())


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Runs fail at their first step, which may be skipped."""
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path))
    monkeypatch.setitem(KINDS, "toy", Look)
    rig = Rig(tmp_path, Hosts(codes={"a": [3]}))
    asyncio.run(rig.apply(plan_of([look("a"), look("b", "a")])))
    return rig


def test_a_step_is_skipped_with_a_reason_and_the_run_goes_on(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(capsys, "skip", "a")[0] == 2, "without a reason"
    code, _, err = answer(capsys, "skip", "a", "--reason", "known to be slow", "--by", "eve")
    assert code == 0
    assert "resume" in err
    view = asyncio.run(rig.apply(plan_of([look("a"), look("b", "a")])))
    assert view.state is RunState.DONE
    states = {step.id: (step.state, step.who, step.why) for step in view.steps()}
    assert states["a"] == (StepState.SKIPPED, "eve", "known to be slow")
    assert "skipped by eve: known to be slow" in answer(capsys, "log", "--step", "a")[1]


@pytest.mark.parametrize(
    ("step", "words"), [("b", "only a failed step is skipped; this one is pending"), ("nix", "no step 'nix'")]
)
@pytest.mark.usefixtures("rig")
def test_what_cannot_be_skipped(capsys: pytest.CaptureFixture[str], step: str, words: str) -> None:
    code, _, err = answer(capsys, "skip", step, "--reason", "why not")
    assert code == 2
    assert words in err


def test_a_step_that_changes_something_is_never_skipped(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(KINDS, "toy", Toy)
    code, _, err = answer(capsys, "skip", "a", "--reason", "why not")
    assert code == 2
    assert "without this step the upgrade is not whole" in err
    assert find_run(rig.base / "runs", None).view().failed[0].id == "a"


def test_nobody_skips_while_the_cloud_is_held(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    with hold_cloud(rig.base / "clouds", "toycloud", "toyplan-1", runs=rig.base / "runs"):
        code, _, err = answer(capsys, "skip", "a", "--reason", "why not")
    assert code == 2
    assert "is held by run toyplan-1" in err


def test_an_aborted_run_is_over_and_the_plan_applied_again_is_another(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = answer(capsys, "abort", "--reason", "the window is over")
    assert code == 0
    assert "the cloud stays as it is" in err
    assert json.loads(answer(capsys, "status", "--json")[1])["state"] == "aborted"
    code, _, err = answer(capsys, "resume")
    assert code == 2
    assert "is aborted" in err
    assert answer(capsys, "abort", "--reason", "again")[0] == 2
    asyncio.run(rig.apply(plan_of([look("a"), look("b", "a")])))
    assert find_run(rig.base / "runs", None).run == "toyplan-2"


@pytest.mark.usefixtures("rig")
def test_a_gate_that_is_not_open_cannot_be_approved(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = answer(capsys, "approve", "begin")
    assert code == 2
    assert "gate begin is not open" in err
    assert "the run is failed" in err


def test_the_open_gate_is_shown_with_its_basis(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    gate = Gate(id="outage", title="take it down", before="stage1")

    async def waiting() -> None:
        with rig.runner(plan_of([look("c")], name="other", gates=[gate])) as (runner, journal):
            running = asyncio.create_task(runner.run())
            await waiting_at_a_gate(journal)
            _, out, _ = answer(capsys, "status", "other")
            assert "gate outage: take it down" in out
            assert "next: stage1, about 1 s" in out
            assert "skipstone approve outage" in out
            code, _, err = answer(capsys, "approve", "outage", "--run", "other", "--by", "eve")
            assert (code, "approved by eve" in err) == (0, True)
            assert (await running).state is RunState.DONE

    asyncio.run(waiting())


@pytest.mark.usefixtures("rig")
def test_nobody_is_paused_where_nobody_works(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = answer(capsys, "pause")
    assert code == 2
    assert "nobody works on this run" in err


def test_watch_prints_what_happened_and_ends_with_the_run(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    del rig
    code, out, _ = answer(capsys, "watch")
    assert code == 0
    assert "a: FAILED: its script exited with 3" in out
    assert "toyplan-1" in out
    assert out.count("its script exited with 3") > 1
