"""A run that is to pause: steps that can stop where they are, and go on from there."""

import asyncio
from pathlib import Path

import pytest

from skipstone.errors import ExitCode
from skipstone.plan.plan import Plan
from skipstone.run.directory import RunDirectory
from skipstone.run.journal import read_events
from skipstone.run.rollback import plan_rollback
from skipstone.run.runview import HostCounts, RunView
from skipstone.run.schedule import Ending, Node, StageOrder, carry_out_stages
from skipstone.run.state import Kind, RunState, StepState
from tests.unit.run.toy import Hosts, Pausable, Rig, in_waves, plan_of, toy

PAUSED = int(ExitCode.PAUSED)


def pausable(name: str, **more: object) -> Pausable:
    return Pausable.model_validate(toy(name, **more).model_dump(exclude={"kind"}))  # type: ignore[arg-type]


def stopped_in(rig: Rig, hosts: Hosts, plan: Plan, step: str) -> RunView:
    """Apply a plan, and ask it to stop as a step's job begins."""

    async def apply() -> RunView:
        with rig.runner(plan) as (runner, _):
            hosts.on_run = lambda job: runner.ask_stop("enough") if f"/{step}." in job else None
            return await runner.run()

    return asyncio.run(apply())


def states(view: RunView) -> dict[str, StepState]:
    return {step.id: step.state for step in view.steps()}


@pytest.mark.parametrize("others", [(), ("b",)])
def test_what_paused_is_no_failure_and_goes_on(tmp_path: Path, others: tuple[str, ...]) -> None:
    hosts = Hosts(codes={"a": [PAUSED]})
    rig, plan = (
        Rig(tmp_path, hosts),
        plan_of([pausable("a", undo="undo a"), *(toy(one, "a") for one in others)]),
    )
    view = stopped_in(rig, hosts, plan, "a")
    assert (view.state, view.reason) == (RunState.STOPPED, "enough")
    assert states(view)["a"] is StepState.PAUSED
    assert view.remaining[0].id == "a"
    view = asyncio.run(rig.apply(plan))
    assert view.state is RunState.DONE
    assert hosts.ran == ["toyplan-1/a.1", "toyplan-1/a.2", *(f"toyplan-1/{one}.1" for one in others)]


def test_what_paused_is_undone_by_a_rollback(tmp_path: Path) -> None:
    hosts = Hosts(codes={"a": [PAUSED]})
    rig, plan = Rig(tmp_path, hosts), plan_of([pausable("a", undo="undo a")])
    stopped_in(rig, hosts, plan, "a")
    back = plan_rollback(RunDirectory(tmp_path / "runs/toyplan-1"))
    assert [step.id for step in back.plan.steps()] == ["undo.a"]


def test_what_an_earlier_process_had_asked_to_pause_goes_on_at_once(tmp_path: Path) -> None:
    hosts = Hosts(codes={"a": [PAUSED]})
    view = asyncio.run(Rig(tmp_path, hosts).apply(plan_of([pausable("a"), toy("b", "a")])))
    assert view.state is RunState.DONE
    assert hosts.ran == ["toyplan-1/a.1", "toyplan-1/a.2", "toyplan-1/b.1"]
    events = read_events(tmp_path / "runs/toyplan-1/journal.db")
    assert [event.kind for event in events if event.kind is Kind.PAUSED] == [Kind.PAUSED]


def test_the_same_exit_code_of_another_step_is_a_failure(tmp_path: Path) -> None:
    hosts = Hosts(codes={"a": [PAUSED]})
    view = asyncio.run(Rig(tmp_path, hosts).apply(plan_of([toy("a")])))
    assert view.state is RunState.FAILED
    assert states(view) == {"a": StepState.FAILED}


def test_a_failure_while_the_run_pauses_keeps_the_reason_of_the_pause(tmp_path: Path) -> None:
    hosts = Hosts(codes={"a": [3]})
    view = stopped_in(Rig(tmp_path, hosts), hosts, plan_of([toy("a"), toy("b", "a")]), "a")
    assert view.state is RunState.FAILED
    assert view.reason == "a on h1: its script exited with 3; and enough"


def test_a_host_whose_step_paused_is_begun_and_comes_first(tmp_path: Path) -> None:
    hosts = Hosts(codes={"c0.1": [PAUSED]})
    rig, plain = Rig(tmp_path, hosts), in_waves(3)
    first, *others = plain.stages[0].steps
    as_pausable = Pausable.model_validate(first.model_dump(exclude={"kind"}))
    stage = plain.stages[0].model_copy(update={"steps": (as_pausable, *others)})
    plan = plain.model_copy(update={"stages": (stage,)})
    view = stopped_in(rig, hosts, plan, "c0.1")
    counts = view.stages[0].hosts
    assert isinstance(counts, HostCounts)
    assert (counts.failed, counts.at_work) == (0, 1)
    before = len(hosts.ran)
    hosts.on_run = lambda _: None
    assert asyncio.run(rig.apply(plan)).state is RunState.DONE
    assert hosts.ran[before] == "toyplan-1/c0.1.2"


@pytest.mark.parametrize("state", [StepState.PAUSED, StepState.DONE])
def test_a_stage_whose_last_step_paused_is_not_done(state: StepState) -> None:
    stages = [StageOrder([Node("a", ())]), StageOrder([Node("b", ())])]
    began: list[str] = []

    async def carry_out(name: str) -> StepState:
        began.append(name)
        return state

    stopping = state is StepState.PAUSED
    ending = asyncio.run(
        carry_out_stages(stages, lambda _: carry_out, stopping=lambda: stopping and bool(began), at_once=2)
    )
    assert (ending, began) == ((Ending.STOPPED, ["a"]) if stopping else (Ending.DONE, ["a", "b"]))
