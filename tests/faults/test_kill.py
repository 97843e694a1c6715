"""kill -9 at every event of a run, and what a signal, a second apply and a dead process leave behind."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from skipstone.run.journal import read_events, read_view
from skipstone.run.state import Kind, RunState, StepState
from tests.faults.toyrun import apply, here, prepare, start, toy_plan
from tests.unit.run.toy import in_waves, plan_of

POINTS = [
    *((Kind.RUN_STARTED, None), (Kind.RUN_FAILED, None), (Kind.RUN_RESUMED, None), (Kind.RUN_DONE, None)),
    *((Kind.GATE_OPENED, None), (Kind.GATE_APPROVED, None)),
    *((Kind.NOTHING_TO_DO, "done-before"), (Kind.FAILURE, "second-time-lucky"), (Kind.OUTPUT, "plain")),
    *(
        (kind, step)
        for step in ("silent", "checked", "second-time-lucky", "last")
        for kind in (Kind.INTENT, Kind.SUBMITTED, Kind.OUTCOME, Kind.VERIFIED)
    ),
]


def journal_of(base: Path) -> Path:
    return base / "state" / "runs" / "toyplan-1" / "journal.db"


def is_done(base: Path) -> bool:
    return journal_of(base).exists() and read_view(journal_of(base)).state is RunState.DONE


def until_done(base: Path, *, most: int = 6) -> None:
    for _ in range(most):
        if is_done(base) or apply(base) == 0:
            return
    raise AssertionError((base / "out").read_text())


def end_state(base: Path) -> tuple[object, ...]:
    """Return what an undisturbed run and a disturbed one must have in common."""
    view = read_view(journal_of(base))
    effects = sorted(path.name for path in base.iterdir() if path.name in {"checked", "tried", "resets"})
    return view.state, [(step.id, step.state) for step in view.steps()], effects


def jobs_run(base: Path) -> Counter[str]:
    return Counter(Path(line).parent.name for line in (base / "log").read_text().splitlines())


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    base = tmp_path_factory.mktemp("undisturbed")
    prepare(base, toy_plan(base))
    until_done(base, most=2)
    assert jobs_run(base) == Counter(
        ["plain.1", "silent.1", "checked.1", "second-time-lucky.1", "second-time-lucky.2", "last.1"]
    )
    return end_state(base)


@pytest.mark.parametrize("side", ["before", pytest.param("after", marks=pytest.mark.long)])
@pytest.mark.parametrize(("kind", "step"), POINTS)
def test_killed_at_any_event_it_goes_on(
    tmp_path: Path, undisturbed: tuple[object, ...], kind: Kind, step: str | None, side: str
) -> None:
    prepare(tmp_path, toy_plan(tmp_path))
    fault = f"{side}-{kind}@{step}:kill" if step else f"{side}-{kind}:kill"
    codes = [apply(tmp_path, fault)]
    if not is_done(tmp_path):
        codes.append(apply(tmp_path, fault))  # some events come with the second apply
    assert -signal.SIGKILL in codes, (tmp_path / "out").read_text()
    until_done(tmp_path)
    assert end_state(tmp_path) == undisturbed
    runs = jobs_run(tmp_path)
    assert set(runs.values()) == {1}
    assert {name.rpartition(".")[0] for name in runs} == {
        "plain",
        "silent",
        "checked",
        "second-time-lucky",
        "last",
    }


@pytest.mark.parametrize("kind", [Kind.INTENT, Kind.SUBMITTED, Kind.OUTCOME, Kind.VERIFIED])
@pytest.mark.parametrize("step", ["c1.1", "c2.2"])
def test_killed_in_a_wave_what_was_begun_comes_first_and_counts_as_down(
    tmp_path: Path, kind: Kind, step: str
) -> None:
    script = f'echo "$0" >>{tmp_path}/log; sleep 0.05'
    wave = in_waves(5, down=2)
    steps = [here(one.id, *one.needs, script=script, group=one.group) for one in wave.steps()]
    stage = wave.stages[0].model_copy(update={"steps": tuple(steps)})
    prepare(tmp_path, wave.model_copy(update={"stages": (stage,)}))
    assert apply(tmp_path, f"after-{kind}@{step}:kill") == -signal.SIGKILL
    until_done(tmp_path)
    assert set(jobs_run(tmp_path).values()) == {1}
    down: set[str] = set()
    for event in read_events(journal_of(tmp_path)):
        if event.kind is Kind.INTENT and event.step:
            down.add(event.step.partition(".")[0])
        elif event.kind is Kind.VERIFIED and event.step and event.step.endswith(".2"):
            down.remove(event.step.partition(".")[0])
        assert len(down) <= 2


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A plan whose first step has begun to run for two seconds, and has a step after it."""
    script = f'echo "$0" >>{tmp_path}/log; touch {tmp_path}/begun; sleep 2; echo end'
    plan = plan_of([here("slow", script=script), here("next", "slow", script=f'echo "$0" >>{tmp_path}/log')])
    prepare(tmp_path, plan)
    return tmp_path


def test_one_interrupt_ends_after_the_running_step(slow: Path) -> None:
    process = start(slow)
    wait_for(slow / "begun")
    os.kill(process.pid, signal.SIGINT)
    process.join(30)
    assert process.exitcode == 4
    view = read_view(journal_of(slow))
    assert view.state is RunState.STOPPED
    assert [step.state for step in view.steps()] == [StepState.DONE, StepState.PENDING]
    assert apply(slow) == 0
    assert jobs_run(slow) == Counter(["slow.1", "next.1"])


def test_two_interrupts_leave_the_job_to_its_host(slow: Path) -> None:
    process = start(slow)
    wait_for(slow / "begun")
    os.kill(process.pid, signal.SIGINT)
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    process.join(10)
    assert process.exitcode == 4
    assert "slow on operator" in (slow / "out").read_text()
    running, waiting = read_view(journal_of(slow)).steps()
    assert (running.state.open, waiting.state) == (True, StepState.PENDING)
    assert apply(slow) == 0
    assert jobs_run(slow) == Counter(["slow.1", "next.1"])
    kinds = [event.kind for event in read_events(journal_of(slow)) if event.step is None]
    assert kinds == [Kind.RUN_STARTED, Kind.STOP_ASKED, Kind.RUN_RESUMED, Kind.RUN_DONE]


def test_a_second_apply_says_who_holds_the_cloud(slow: Path) -> None:
    process = start(slow)
    wait_for(slow / "begun")
    assert apply(slow) == 2
    assert f"process {process.pid}: the cloud toycloud is held by run toyplan-1" in (slow / "out").read_text()
    process.join(30)
    assert process.exitcode == 0
    assert jobs_run(slow) == Counter(["slow.1", "next.1"])


def test_killed_again_and_again(tmp_path: Path) -> None:
    """Any moment will do: the process is killed by the clock, not at an event."""
    prepare(tmp_path, toy_plan(tmp_path))
    for delay in (0.3, 0.5, 0.7, 0.9, 1.1):
        process = start(tmp_path)
        process.join(delay)
        process.kill()
        process.join()
    until_done(tmp_path)
    assert set(jobs_run(tmp_path).values()) == {1}
