"""A compute that is lost for good: a run goes on without it, and back."""

import asyncio
from pathlib import Path

import pytest

from skipstone.cloud.command import OPERATOR
from skipstone.plan.plan import Plan
from skipstone.run import act
from skipstone.run.directory import RunDirectory, find_run
from skipstone.run.rollback import plan_rollback
from skipstone.run.runview import HostCounts, RunView, WrittenOff
from skipstone.run.state import RunState, StepState
from skipstone.steps.registry import KINDS
from skipstone.steps.services import WaitForAgents
from tests.unit.run.test_rollback import carried_out
from tests.unit.run.test_verbs import answer
from tests.unit.run.toy import Hosts, Rig, Toy, plan_of, toy

AGENTS = WaitForAgents(
    id="agents",
    title="t",
    deadline=30,
    estimate=1,
    list_command="list",
    lines=("nova-compute c1 up", "nova-compute c2.example.org up", "c2 True agent", "c20 True agent"),
)


def going(*, elsewhere: str = "c2") -> Plan:
    """Return a plan that prepares two computes, takes each down in two steps, and then goes on."""
    names = ("c1", "c2")
    prepared = [toy(f"ready.{name}", host=name, undo=f"undo ready.{name}", deadline=1) for name in names]
    wave = [
        toy(
            f"{name}.{part}",
            *((f"{name}.1",) if part == 2 else ()),
            host=elsewhere if name == "c2" else name,
            group=name,
            undo=f"undo {name}.{part}",
            deadline=1,
        )
        for name in names
        for part in (1, 2)
    ]
    last = toy("last", host="ctl", undo="undo last")
    ready = toy("first", host="ctl", undo="undo first")
    return plan_of([ready, *prepared], wave, [last])


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Runs in which the second compute dies while it is prepared or worked on."""
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path))
    monkeypatch.setitem(KINDS, "toy", Toy)
    monkeypatch.setattr(act, "LEAST_DEADLINE", 1)
    hosts = Hosts()

    def die(job: str) -> None:
        if job.endswith("/c2.1.1"):
            hosts.dead.add("c2")

    hosts.on_run = die
    return Rig(tmp_path, hosts)


def applied(rig: Rig, plan: Plan) -> tuple[RunDirectory, RunView]:
    view = asyncio.run(rig.apply(plan))
    return find_run(rig.base / "runs", None), view


def write_off(capsys: pytest.CaptureFixture[str], host: str = "c2") -> tuple[int, str]:
    code, _, err = answer(capsys, "write-off", host, "--reason", "burnt", "--by", "eve")
    return code, err


def test_the_run_goes_on_without_it(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    _, view = applied(rig, going())
    assert view.state is RunState.FAILED
    code, err = write_off(capsys)
    assert (code, "c2 is written off: steps left out: 1" in err) == (0, True)
    assert "openstack compute service list --host c2" in err
    directory, view = applied(rig, going())
    assert view.state is RunState.DONE
    assert view.written_off == (WrittenOff("c2", "eve", "burnt"),)
    states = {step.id: step.state for step in view.steps()}
    assert {step for step, state in states.items() if state is not StepState.DONE} == {"c2.2"}
    assert view.stages[1].hosts == HostCounts(done=1, at_work=0, failed=0, lost=1, total=2)
    assert directory.view() == view, "as it is folded from its events"
    assert "host c2 written off by eve: burnt" in answer(capsys, "log")[1]
    assert "1/2 hosts, 1 lost" in answer(capsys, "status")[1]


def test_it_goes_back_without_it(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    directory, _ = applied(rig, going())
    code, _, err = answer(capsys, "rollback", "--yes")
    assert (code, "may still be at work" in err) == (2, True)
    assert write_off(capsys)[0] == 0
    undoing = plan_rollback(directory)
    assert undoing.lost == ("c2",)
    assert {step.host for step in undoing.plan.steps()} == {"c1", "ctl"}
    assert carried_out(rig, undoing.plan).state is RunState.DONE
    assert directory.view().state is RunState.ROLLED_BACK


def test_it_can_die_while_the_run_is_undone(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(rig.transport, Hosts)
    rig.transport.on_run = lambda _: None
    directory, view = applied(rig, going())
    assert view.state is RunState.DONE
    rig.transport.dead.add("c2")
    undoing = plan_rollback(directory).plan
    assert carried_out(rig, undoing).state is RunState.FAILED
    assert write_off(capsys)[0] == 0
    assert carried_out(rig, undoing).state is RunState.DONE
    assert directory.view().state is RunState.ROLLED_BACK


def test_it_stays_lost_where_the_run_is_undone_to_a_stage(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, _ = applied(rig, going())
    write_off(capsys)
    carried_out(rig, plan_rollback(directory, "stage2").plan)
    states = {step.id: step.state for step in directory.view().steps()}
    assert [states[name] for name in ("c1.1", "c2.1", "c2.2")] == ["pending", "done", "skipped"]
    assert applied(rig, going())[1].state is RunState.DONE


@pytest.mark.parametrize(
    ("host", "words"), [("ctl", "its computes are: c1, c2"), ("c1", "nothing is left to do about c1")]
)
def test_only_a_compute_of_which_something_is_left(
    rig: Rig, capsys: pytest.CaptureFixture[str], host: str, words: str
) -> None:
    applied(rig, going())
    code, err = write_off(capsys, host)
    assert (code, words in err) == (2, True)


def test_not_while_what_was_begun_about_it_may_be_at_work_elsewhere(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(rig.transport, Hosts)
    hosts = rig.transport
    hosts.on_run = lambda job: hosts.dead.add(OPERATOR) if job.endswith("/c2.1.1") else None
    applied(rig, going(elsewhere=OPERATOR))
    code, err = write_off(capsys)
    assert (code, "c2.2 on operator" in err) == (2, True)


def test_a_run_that_is_over_has_nobody_to_write_off(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    applied(rig, going())
    answer(capsys, "abort", "--reason", "enough")
    code, err = write_off(capsys)
    assert (code, "the run is aborted already" in err) == (2, True)


def test_the_agents_of_lost_hosts_are_not_waited_for() -> None:
    assert AGENTS.without({"c2"}).lines == ("nova-compute c1 up", "c20 True agent")
    assert AGENTS.without({"c2.example.org"}) == AGENTS.without({"c2"}), "as an inventory may call it"
    assert AGENTS.without(set()) == AGENTS
    assert "no agent to wait for" in AGENTS.without({"c1", "c2", "c20"}).apply().script
