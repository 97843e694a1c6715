"""What is watched while a run goes on, with a prober that the test plays."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from skipstone.cli import guarding
from skipstone.cli.guarding import Guard, too_small
from skipstone.cli.measuring import Measurement, expect_measured
from skipstone.cloud.inventory import load_inventory
from skipstone.errors import InputError, SkipstoneError
from skipstone.impact.process import WANTED, want_probes, wanted_since
from skipstone.impact.recording import Beat, LeftOut, Mark, Note, Recording
from skipstone.impact.sample import Kind, Reply, Sample
from skipstone.impact.spec import ApiTarget, InstanceTarget, ProbeSpec
from skipstone.impact.spending import spend
from skipstone.impact.tally import FILE
from skipstone.run.budget import Budget, Spent, parse_budget
from skipstone.run.budgetview import BudgetView
from skipstone.run.directory import RunDirectory
from skipstone.run.runview import RunView
from skipstone.run.state import RunState
from skipstone.views.progress import run_json, run_picture
from tests.unit.run.toy import plan_of, toy

SECOND = 1_000_000
START = 1_790_000_000 * SECOND
WRITES = parse_budget("api-writes=10s")


class Told:
    """Stands for the runner: keeps what it is told."""

    def __init__(self) -> None:
        self.broken: list[str] = []
        self.stops: list[str] = []
        self.left_out: list[str] = []

    def hold_back(self, spent: Spent) -> None:
        self.broken.append(spent.text)

    def leave_out(self, text: str) -> None:
        self.left_out.append(text)

    def ask_stop(self, reason: str = "") -> None:
        self.stops.append(reason)


def record(directory: RunDirectory, seconds: int, *, bad: bool) -> None:
    """Write a recording of so many seconds, in which nova takes no writes, or always does."""
    with Recording.create(directory.impact) as recording:
        recording.note(Note(START, Mark.BEGAN, ""))
        probe = recording.probe(Kind.WRITE, "nova", "nova", "u").id
        ping = recording.probe(Kind.PING, "i", "web1", "10.0.0.1").id
        times = [START + second * SECOND for second in range(seconds)]
        samples = [
            Sample(probe, at, 0, Reply(bad and at != START), "HTTP 503" if bad else "") for at in times
        ]
        samples += [Sample(ping, at, 900, Reply.GOOD) for at in times]
        recording.write(samples, [Beat(at, 0, 0) for at in times])


def watch(
    directory: RunDirectory,
    *budgets: Budget,
    seconds: float = 0.5,
    restart: Callable[[], object] = lambda: None,
) -> tuple[Told, list[int]]:
    """Watch for a while, and return what the runner was told and how much was shown each time."""
    told, shown = Told(), []

    async def run() -> None:
        guard = Guard.of(directory, restart)
        show = guard.watching(told, budgets, lambda felt, _: shown.append(len(felt)))  # type: ignore[arg-type]
        async with show:
            await asyncio.sleep(seconds)

    asyncio.run(run())
    return told, shown


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    monkeypatch.setattr(guarding, "PACE", 0.05)
    return RunDirectory(tmp_path / "run")


def test_a_broken_budget_is_told_and_what_was_read_is_kept(directory: RunDirectory) -> None:
    record(directory, 30, bad=True)
    told, shown = watch(directory, WRITES)
    assert set(told.broken) == {"nova 29.0 s of 10.0 s"}
    assert set(shown) == {2}
    assert (directory.impact / FILE).exists()
    assert not told.stops


def test_an_instance_that_counts_no_more_is_told_once(directory: RunDirectory) -> None:
    record(directory, 30, bad=False)
    with Recording.create(directory.impact) as recording:
        recording.leave_out([LeftOut("i", START + 9 * SECOND, "web1: stopped by its owner")])
    told, _ = watch(directory, WRITES)
    assert told.left_out == ["web1: stopped by its owner"]


def test_without_budgets_nothing_is_told(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarding, "SILENCE", 0.1)
    record(directory, 30, bad=True)
    told, _ = watch(directory)
    assert (told.broken, told.stops) == ([], [])


def test_a_run_without_a_recording_yet_is_watched_on(directory: RunDirectory) -> None:
    told, shown = watch(directory, WRITES)
    assert set(shown) == {0}
    assert (told.broken, told.stops) == ([], [])


def test_silent_probes_are_started_again_once_and_then_the_run_pauses(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarding, "RESTART", 0.2)
    monkeypatch.setattr(guarding, "SILENCE", 0.6)
    record(directory, 5, bad=False)
    tries: list[int] = []

    def restart() -> None:
        tries.append(1)
        raise SkipstoneError("the probes ended at once")

    told, _ = watch(directory, WRITES, seconds=1.2, restart=restart)
    assert len(tries) == 1
    assert told.stops
    assert "the probes are silent" in told.stops[0]


def test_without_budgets_silent_probes_are_started_again_too_and_ever_again(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of several nights is measured to its end, whatever becomes of a prober."""
    monkeypatch.setattr(guarding, "RESTART", 0.1)
    monkeypatch.setattr(guarding, "AGAIN", 0.2)
    record(directory, 5, bad=False)
    tries: list[int] = []
    told, _ = watch(directory, seconds=1, restart=lambda: tries.append(1))
    assert len(tries) >= 2
    assert told.stops == []


def test_probes_are_wanted_as_long_as_somebody_watches(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarding, "KEEP", 0.1)
    record(directory, 5, bad=False)
    before = time.time() - 3600
    want_probes(directory.impact)
    os.utime(directory.impact / WANTED, (before, before))
    watch(directory)
    assert wanted_since(directory.impact) > before + 3000


def test_a_picture_says_what_was_felt_and_spent(directory: RunDirectory) -> None:
    record(directory, 30, bad=True)
    guard = Guard.of(directory)
    felt = guard.look()
    view = RunView(state=RunState.RUNNING, budgets=(BudgetView("api-writes", 10.0, "ann"),))
    spent = spend(felt, [WRITES])
    console = Console(width=120, record=True, file=(directory.impact / "out").open("w"))
    with console.file:
        console.print(run_picture(view, felt=felt, spent=spent))
    text = console.export_text()
    assert "outage of each API so far: nova writes 29 s (out now)" in text
    assert "1 instances: longest gap 1.0 s (web1), 0 of 22 replies lost, none rebooted" in text
    assert "budget api-writes: nova 29.0 s of 10.0 s  BROKEN" in text
    assert '"now": 29.0' in run_json(view, felt=felt, spent=spent)


def test_a_gate_says_the_same(directory: RunDirectory, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text("name: toycloud\nhosts:\n  h1: {groups: [control]}\n")
    record(directory, 30, bad=True)
    measurement = Measurement(directory, load_inventory(inventory), Console(), (WRITES,))
    lines = asyncio.run(measurement.figures())
    assert lines[-1] == "budget api-writes: nova 29.0 s of 10.0 s, BROKEN"


@pytest.mark.parametrize("text", ["api-writes:nvoa=5m", "instance-gap:db9=5s"])
def test_a_budget_of_what_is_not_probed_is_refused(text: str) -> None:
    spec = ProbeSpec(
        cloud="c",
        clouds_file=None,
        apis=(ApiTarget(service="nova", url="u"),),
        instances=(InstanceTarget(id="i", name="web1", address="10.0.0.1"),),
    )
    expect_measured([parse_budget("api-writes:nova=5m"), parse_budget("instance-gap:web1=5s"), WRITES], spec)
    with pytest.raises(InputError, match="is of what is not probed"):
        expect_measured([parse_budget(text)], spec)


def test_only_budgets_that_the_plan_breaks_by_itself_are_said() -> None:
    down = toy("down", impact="api-down").model_copy(update={"estimate": 300})
    plan = plan_of([toy("a")], [down])
    budgets = [WRITES, parse_budget("api-reads=10m"), parse_budget("instance-gap=5s")]
    (line,) = too_small(plan, budgets)
    assert "about 300 s: the budget api-writes of 10.0 s" in line
