"""A budget that is broken pauses the run: at any kill nothing begins until an operator has said so."""

import json
import signal
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from skipstone.cloud.model import Cloud, Endpoint
from skipstone.impact.recording import Beat, Mark, Note, Recording
from skipstone.impact.sample import Kind as Asked
from skipstone.impact.sample import Reply, Sample
from skipstone.run.journal import read_events, read_view
from skipstone.run.runview import RunView
from skipstone.run.state import Kind, RunState, StepState
from tests.faults.test_kill import jobs_run, journal_of, wait_for
from tests.faults.toyrun import CLOUD, MEASURED, apply, end, here, prepare, start
from tests.unit.impact.fake_cloud import PATHS, FakeCloud, clouds_file, served
from tests.unit.run.toy import Pausable, plan_of

SECOND = 1_000_000
START = 1_790_000_000 * SECOND
GIVEN = ("--budget", "api-writes=120s", "--budget", "instance-loss=0.1%")


def record_outage(base: Path, seconds: int) -> None:
    """Write a recording in which nova has taken no writes for so long, and takes them again."""
    with Recording.create(journal_of(base).parent / "impact") as recording:
        probe = recording.probe(Asked.WRITE, "nova", "nova", "http://nova").id
        recording.note(Note(START, Mark.BEGAN, ""))
        times = [START + second * SECOND for second in range(seconds + 1)]
        good = {times[0], times[-1]}
        samples = [
            Sample(probe, at, 0, Reply.GOOD if at in good else Reply.BAD, "" if at in good else "HTTP 503")
            for at in times
        ]
        recording.write(samples, [Beat(at, 0, 0) for at in times])


def view_of(base: Path) -> RunView:
    return read_view(journal_of(base))


def resume(base: Path, *options: str) -> int:
    return end(start(base, "", *options, verb="resume"))


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A measured plan whose first step runs until what is to happen was ``seen``, and has a step after it."""
    wait = f"for _ in $(seq 120); do if [ -e {tmp_path}/seen ]; then break; fi; sleep 0.1; done"
    script = f'echo "$0" >>{tmp_path}/log; touch {tmp_path}/begun; {wait}; echo end'
    plan = plan_of([here("slow", script=script), here("next", "slow", script=f'echo "$0" >>{tmp_path}/log')])
    prepare(tmp_path, plan)
    (tmp_path / MEASURED).touch()
    return tmp_path


def paused(base: Path, fault: str = "", *options: str) -> int:
    """Apply, let the budget break while the first step runs, and return the exit code."""
    process = start(base, fault, *GIVEN, *options)
    wait_for(base / "begun")
    record_outage(base, 130)
    while process.is_alive() and not view_of(base).exceeded:
        time.sleep(0.05)
    (base / "seen").touch()
    return end(process)


def test_the_running_step_ends_and_none_begins(slow: Path) -> None:
    assert paused(slow) == 4
    view = view_of(slow)
    assert view.state is RunState.STOPPED
    assert view.reason == "the budget api-writes is broken: nova 130.0 s of 120.0 s"
    assert [step.state for step in view.steps()] == [StepState.DONE, StepState.PENDING]
    (broken,) = view.exceeded
    assert (broken.name, broken.spent) == ("api-writes", 130)
    said = (slow / "out").read_text()
    assert "BUDGET api-writes BROKEN: nova 130.0 s of 120.0 s" in said
    assert "skipstone resume --accept-budget api-writes --reason TEXT" in said


@pytest.fixture
def pausable(tmp_path: Path) -> Path:
    """A measured plan with a step that goes on until it is asked to pause, and then comes to its end."""
    script = (
        f'echo "$0" >>{tmp_path}/log; touch {tmp_path}/begun;'
        f" until [ -e {tmp_path}/half ]; do sleep 0.1;"
        f' [ -e "$SKIPSTONE_JOB/pause" ] && touch {tmp_path}/half && exit 75; done; true'
    )
    step = Pausable.model_validate(here("long", script=script).model_dump(exclude={"kind"}))
    prepare(tmp_path, plan_of([step, here("next", "long", script=f'echo "$0" >>{tmp_path}/log')]))
    (tmp_path / MEASURED).touch()
    return tmp_path


def test_a_step_that_can_stops_where_it_is(pausable: Path) -> None:
    assert paused(pausable) == 4
    view = view_of(pausable)
    assert view.state is RunState.STOPPED
    assert view.reason == "the budget api-writes is broken: nova 130.0 s of 120.0 s"
    assert [step.state for step in view.steps()] == [StepState.PAUSED, StepState.PENDING]
    assert not view.failed
    assert resume(pausable, "--accept-budget", "api-writes", "--reason", "seen") == 0
    assert jobs_run(pausable) == Counter(["long.1", "long.2", "next.1"])


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("kind", [Kind.BUDGET_BROKEN, Kind.OUTCOME, Kind.PAUSED])
def test_killed_while_a_step_pauses(pausable: Path, kind: Kind, side: str) -> None:
    assert paused(pausable, f"{side}-{kind}:kill") == -signal.SIGKILL
    (pausable / "half").touch()
    assert resume(pausable, "--accept-budget", "api-writes", "--reason", "seen") == 0
    assert view_of(pausable).state is RunState.DONE
    assert jobs_run(pausable)["next.1"] == 1
    assert set(jobs_run(pausable).values()) == {1}


def test_who_asked_for_a_stage_that_was_not_reached_is_told_too(slow: Path) -> None:
    assert paused(slow, "", "--until", "stage1") == 4
    assert "the run has stopped: the budget api-writes is broken" in (slow / "out").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "raise it: skipstone resume"),
        (("--budget", "api-writes=125s"), "nova 130.0 s of 125.0 s"),
        (("--accept-budget", "api-writes"), "why is the broken budget accepted?"),
        (("--accept-budget", "api-reads", "--reason", "x"), "the run has no budget 'api-reads'"),
        (("--budget", "api-writes=9%"), "is no budget"),
    ],
)
def test_nothing_goes_on_without_a_word(slow: Path, options: tuple[str, ...], words: str) -> None:
    paused(slow)
    before = read_events(journal_of(slow))
    assert resume(slow, *options) == 2
    assert words in (slow / "out").read_text()
    assert read_events(journal_of(slow)) == before


@pytest.mark.parametrize(
    "options",
    [
        ("--budget", "api-writes=10m", "--reason", "longer window"),
        ("--accept-budget", "api-writes", "--reason", "longer window"),
        ("--budget", "api-writes:nova=10m", "--reason", "longer window"),
    ],
)
def test_it_goes_on_when_it_is_raised_or_accepted(slow: Path, options: tuple[str, ...]) -> None:
    paused(slow)
    assert resume(slow, *options) == 0, (slow / "out").read_text()
    view = view_of(slow)
    assert view.state is RunState.DONE
    assert jobs_run(slow) == Counter(["slow.1", "next.1"])
    assert "longer window" in {budget.why for budget in view.budgets}
    # what was given at first is kept, but for what was said anew
    assert {budget.name for budget in view.budgets} >= {"api-writes", "instance-loss"}


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("kind", [Kind.BUDGET_BROKEN, Kind.RUN_STOPPED])
def test_killed_as_it_pauses(slow: Path, kind: Kind, side: str) -> None:
    assert paused(slow, f"{side}-{kind}:kill") == -signal.SIGKILL
    assert resume(slow) == 2  # the recording says it too, where the journal does not yet
    assert "nova 130.0 s of 120.0 s" in (slow / "out").read_text()
    assert apply(slow) == 2
    assert resume(slow, "--accept-budget", "api-writes", "--reason", "seen") == 0
    assert view_of(slow).state is RunState.DONE
    assert jobs_run(slow) == Counter(["slow.1", "next.1"])


def test_status_says_it_as_data(slow: Path) -> None:
    paused(slow)
    (slow / "out").unlink()
    end(start(slow, "", "--json", verb="status"))
    data = json.loads((slow / "out").read_text())
    by_name = {one["name"]: one for one in data["budgets"]}
    assert (by_name["api-writes"]["now"], by_name["api-writes"]["limit"]) == (130, 120)
    assert by_name["api-writes"]["broken"]
    assert not by_name["instance-loss"]["broken"]
    (felt,) = data["felt"]
    assert (felt["name"], felt["kind"], felt["total"]) == ("nova", "write", 130)


def test_real_probes_pause_the_run_that_breaks_an_api(slow: Path) -> None:
    """A step takes glance's API down for longer than its budget; another service has more room."""
    (slow / MEASURED).unlink()
    with served(FakeCloud()) as fake:
        endpoints = [
            Endpoint(
                service_type=kind,
                service_name=kind,
                interface="public",
                region="one",
                url=f"{fake.url}/{path}",
            )
            for kind, path in PATHS.items()
        ]
        taken = datetime(2026, 11, 28, tzinfo=UTC)
        cloud = Cloud(name="toycloud", taken_at=taken, skipstone="0", hosts=(), endpoints=tuple(endpoints))
        (slow / CLOUD).write_text(cloud.model_dump_json())
        clouds_file(fake, slow)
        with (slow / "inventory.yaml").open("a") as inventory:
            inventory.write("cloud: fake\nclouds_file: clouds.yaml\n")
        process = start(slow, "", "--budget", "api-reads=1s", "--budget", "api-reads:nova=1h")
        wait_for(slow / "begun")
        fake.broken |= {"image": 503, "compute": 503}
        assert end(process) == 4, (slow / "out").read_text()
    view = view_of(slow)
    assert view.state is RunState.STOPPED
    assert [step.state for step in view.steps()] == [StepState.DONE, StepState.PENDING]
    (broken,) = view.exceeded
    assert broken.name == "api-reads"
    assert broken.figures.startswith("glance ")
    report = json.loads((journal_of(slow).parent / "report.json").read_text())
    assert [one["broken"] for one in report["budgets"]] == [True, False]


def test_a_budget_that_the_plan_itself_would_break_is_said(tmp_path: Path) -> None:
    down = here("down", script="true", impact="api-down").model_copy(update={"estimate": 900})
    prepare(tmp_path, plan_of([down]))
    (tmp_path / MEASURED).touch()
    assert apply(tmp_path, "", *GIVEN) == 0
    assert "the APIs down for about 900 s: the budget api-writes of 120.0 s" in (tmp_path / "out").read_text()


def test_a_budget_needs_the_probes(slow: Path) -> None:
    (slow / MEASURED).unlink()
    assert apply(slow, "", *GIVEN) == 2
    assert "a budget needs the probes" in (slow / "out").read_text()
    assert not journal_of(slow).exists()
