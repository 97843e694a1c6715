"""Plans carried out on simulated hosts."""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.errors import EngineAway, InputError, PlanRefused
from skipstone.plan.plan import Gate, Plan
from skipstone.plan.window import Window
from skipstone.run import hours
from skipstone.run.beginning import create, run_of
from skipstone.run.directory import Origin, RunDirectory, find_run
from skipstone.run.engine import open_engine, sqlite_url
from skipstone.run.fold import fold
from skipstone.run.gatekeeper import Consent
from skipstone.run.journal import read_events, read_view
from skipstone.run.question import Patience
from skipstone.run.runview import HostCounts, RunView
from skipstone.run.state import Kind, RunState, StepState
from tests.unit.run.reaper import Killed, Reaper
from tests.unit.run.toy import Hosts, Rig, Toy, in_waves, plan_of, toy, waiting_at_a_gate

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a thousand fsyncs are for another test


def apply(rig: Rig, plan: Plan, **options: Any) -> Any:
    return asyncio.run(rig.apply(plan, **options))


def states(view: Any) -> dict[str, StepState]:
    return {step.id: step.state for step in view.steps()}


def test_a_plan_is_carried_out_in_order(tmp_path: Path) -> None:
    hosts = Hosts()
    plan = plan_of([toy("a"), toy("b", "a")], [toy("c")])
    view = apply(Rig(tmp_path, hosts), plan)
    assert view.state is RunState.DONE
    assert hosts.ran == ["toyplan-1/a.1", "toyplan-1/b.1", "toyplan-1/c.1"]
    assert [stage.state for stage in view.stages] == [StepState.DONE, StepState.DONE]
    assert view.stages[0].ended is not None
    assert view == read_view(tmp_path / "runs" / "toyplan-1" / "journal.db")


def test_no_more_steps_at_once_than_the_stage_and_the_zones_allow(tmp_path: Path) -> None:
    steps = [toy(f"{host}-{number}", host=host) for number in range(3) for host in ("h1", "h2", "h3", "h4")]
    plain = plan_of(steps)
    stage = plain.stages[0].model_copy(update={"at_once": 5, "per_zone": 2})
    zones = {"h1": "rack1", "h2": "rack1", "h3": "rack2"}
    plan = plain.model_copy(update={"stages": (stage,), "zones": zones})
    hosts = Hosts(pace=random.Random(1))  # noqa: S311 - not for secrets
    assert apply(Rig(tmp_path, hosts), plan).state is RunState.DONE
    open_now: dict[str, str] = {}
    most: Counter[str] = Counter()
    for event in read_events(tmp_path / "runs" / "toyplan-1" / "journal.db"):
        if event.kind is Kind.INTENT and event.step:
            open_now[event.step] = zones.get(event.payload["host"], "none")
        elif event.kind is Kind.VERIFIED and event.step:
            open_now.pop(event.step)
        now = Counter(open_now.values()) + Counter(all=len(open_now))
        most = Counter({name: max(most[name], now[name]) for name in most | now})
    assert (most["all"], most["rack1"], most["rack2"]) == (5, 2, 2)


def test_the_way_back_is_written_before_the_act(tmp_path: Path) -> None:
    hosts = Hosts()
    journal = tmp_path / "runs" / "toyplan-1" / "journal.db"
    seen: list[Any] = []
    hosts.on_run = lambda _: seen.append(read_events(journal)[-1])
    apply(Rig(tmp_path, hosts), plan_of([toy("a", undo="undo a")]))
    (event,) = seen
    assert event.kind is Kind.INTENT
    assert event.payload["revert"] == {"host": "h1", "script": "undo a"}
    assert event.payload["parameters"]["undo"] == "undo a"


def test_what_is_done_already_is_not_done_again(tmp_path: Path) -> None:
    hosts = Hosts(codes={"is a done": [0], "is b done": [1]})
    view = apply(
        Rig(tmp_path, hosts), plan_of([toy("a", check="is a done"), toy("b", "a", check="is b done")])
    )
    assert view.state is RunState.DONE
    assert hosts.ran == ["toyplan-1/b.1"]


def test_a_failure_stops_the_run_and_the_next_apply_goes_on(tmp_path: Path) -> None:
    hosts = Hosts(codes={"b": [3]})
    rig = Rig(tmp_path, hosts)
    plan = plan_of([toy("a"), toy("b", "a"), toy("c", "b")], [toy("d")])
    view = apply(rig, plan)
    assert view.state is RunState.FAILED
    assert states(view) == {
        "a": StepState.DONE,
        "b": StepState.FAILED,
        "c": StepState.PENDING,
        "d": StepState.PENDING,
    }
    (failed,) = view.failed
    assert (failed.error, failed.evidence, failed.code) == (
        "its script exited with 3",
        "output of toyplan-1/b.1",
        3,
    )
    assert failed.remedy
    assert "b on h1" in view.reason
    view = apply(rig, plan)
    assert view.state is RunState.DONE
    assert view.sittings == 2
    assert [name.partition("/")[2] for name in hosts.ran] == ["a.1", "b.1", "b.2", "c.1", "d.1"]


def test_a_further_attempt_resets_first(tmp_path: Path) -> None:
    hosts = Hosts(codes={"a": [1]})
    rig = Rig(tmp_path, hosts)
    plan = plan_of([toy("a", resetting="back to the dump")])
    apply(rig, plan)
    apply(rig, plan)
    journal = tmp_path / "runs" / "toyplan-1" / "journal.db"
    first, second = [event.payload["script"] for event in read_events(journal) if event.kind is Kind.INTENT]
    assert first == "do a"
    assert second.index("back to the dump") < second.index("do a")


def test_only_transient_failures_are_tried_again(tmp_path: Path) -> None:
    hosts = Hosts(codes={"a": [1, 1], "b": [1]})
    plan = plan_of([toy("a", transient=True), toy("b")])
    view = apply(Rig(tmp_path, hosts), plan)
    assert states(view) == {"a": StepState.DONE, "b": StepState.FAILED}
    assert sorted(hosts.ran) == [f"toyplan-1/{name}" for name in ("a.1", "a.2", "a.3", "b.1")]


def test_an_effect_that_cannot_be_seen_is_a_failure(tmp_path: Path) -> None:
    hosts = Hosts(codes={"see a": [1]})
    view = apply(Rig(tmp_path, hosts), plan_of([toy("a", proof="see a")]))
    assert view.failed[0].error == "it ended well, but its effect cannot be seen"
    assert view.failed[0].evidence == "checked see a"


def test_a_failure_comes_with_its_diagnosis(tmp_path: Path) -> None:
    view = apply(Rig(tmp_path, Hosts(codes={"a": [1]})), plan_of([toy("a", diagnosis="logs of a")]))
    assert view.failed[0].evidence.endswith("\nchecked logs of a")


@pytest.mark.parametrize("lose", [True, False])
def test_silence_is_not_an_outcome(tmp_path: Path, *, lose: bool) -> None:
    """Whether the host had taken the job or not, the attempt stays open, and runs once."""
    hosts = Hosts(silent=10**6, lose=lambda: lose)
    rig = Rig(tmp_path, hosts, patience=Patience(silence=0.03, pause=0.01, watch=1))
    plan = plan_of([toy("a", deadline=0)])
    view = apply(rig, plan)
    assert view.state is RunState.FAILED
    assert states(view) == {"a": StepState.UNKNOWN}
    assert view.failed[0].error == "h1 does not answer"
    hosts.silent = 0
    assert apply(rig, plan).state is RunState.DONE
    assert hosts.runs_per_job == {"toyplan-1/a.1": 1}


def test_a_short_silence_is_waited_out(tmp_path: Path) -> None:
    hosts = Hosts(silent=2)
    assert apply(Rig(tmp_path, hosts), plan_of([toy("a")])).state is RunState.DONE


def test_a_host_that_runs_no_program_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    """While apt puts a new libc in its place: seen from Debian 12 to 13."""
    assert apply(Rig(tmp_path, Hosts(broken=2)), plan_of([toy("a")])).state is RunState.DONE


def test_one_that_never_makes_sense_is_given_up_before_the_deadline_and_loses_nothing(tmp_path: Path) -> None:
    hosts, plan = Hosts(broken=1000), plan_of([toy("a", deadline=3600)])
    view = apply(Rig(tmp_path, hosts), plan)
    assert view.state is RunState.FAILED
    assert states(view) == {"a": StepState.UNKNOWN}
    assert "makes no sense (exit code 127)" in view.failed[0].evidence
    hosts.broken = 0
    assert apply(Rig(tmp_path, hosts), plan).state is RunState.DONE
    assert set(hosts.runs_per_job.values()) == {1}


def test_a_job_that_the_host_no_longer_knows_is_lost(tmp_path: Path) -> None:
    hosts = Hosts(silent=1, lose=lambda: False)
    rig = Rig(tmp_path, hosts)
    with rig.runner(plan_of([toy("a")])) as (runner, journal):
        journal.listeners.append(
            lambda event, _: hosts.jobs.clear() if event.kind is Kind.SUBMITTED else None
        )
        view = asyncio.run(runner.run())
    assert view.state is RunState.DONE  # the answer that told of the job told of its end too


def test_a_stop_lets_running_steps_end(tmp_path: Path) -> None:
    hosts = Hosts()
    rig = Rig(tmp_path, hosts)
    plan = plan_of([toy("a"), toy("b", "a")])
    with rig.runner(plan) as (runner, _):
        hosts.on_run = lambda _: runner.ask_stop()
        view = asyncio.run(runner.run())
    assert view.state is RunState.STOPPED
    assert states(view) == {"a": StepState.DONE, "b": StepState.PENDING}
    hosts.on_run = lambda _: None
    assert apply(rig, plan).state is RunState.DONE


def test_until_ends_with_a_stage(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts())
    plan = plan_of([toy("a")], [toy("b")])
    view = apply(rig, plan, until="stage1")
    assert (view.state, view.reason) == (
        RunState.STOPPED,
        "stage stage1 is done, and no more was asked for",
    )
    assert apply(rig, plan).state is RunState.DONE


def test_which_run_goes_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts(codes={"a": [1]}))
    plan, other = plan_of([toy("a")]), plan_of([toy("a", deadline=21)])
    apply(rig, plan)
    with pytest.raises(PlanRefused, match="another version of this plan"):
        run_of(tmp_path / "runs", other, fresh=False)
    assert run_of(tmp_path / "runs", other, fresh=True).run == "toyplan-2"
    assert apply(rig, plan).state is RunState.DONE
    assert run_of(tmp_path / "runs", plan, fresh=False).run == "toyplan-2"  # a finished run is over


def test_a_run_that_has_lost_its_journal_is_not_taken_for_one_that_never_began(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts(), engine=dbos_engine)
    plan = plan_of([toy("a")])
    apply(rig, plan, until="stage1")
    for file in (tmp_path / "runs/toyplan-1").glob("journal.db*"):
        file.unlink()
    for name in (None, "toyplan-1"):
        with pytest.raises(InputError, match="the journal of run toyplan-1 is gone") as error:
            find_run(tmp_path / "runs", name)
        assert "--fresh" in error.value.remedy
    with pytest.raises(InputError, match="is gone"):
        run_of(tmp_path / "runs", plan, fresh=False)
    assert run_of(tmp_path / "runs", plan, fresh=True).run == "toyplan-2"


def test_a_run_that_was_killed_as_it_began_begins_again(tmp_path: Path) -> None:
    plan = plan_of([toy("a")])
    directory = run_of(tmp_path / "runs", plan, fresh=False)
    create(directory, plan, Origin("inventory.yaml", measure=False))
    sqlite_url(directory.engine)
    assert run_of(tmp_path / "runs", plan, fresh=False).run == "toyplan-1"
    with pytest.raises(InputError, match="there is no run"):
        find_run(tmp_path / "runs", None)


def test_secrets_of_hosts_never_reach_the_journal(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts(codes={"a": [1]}), mask=lambda text: text.replace("output", "***"))
    view = apply(rig, plan_of([toy("a")]))
    assert view.failed[0].evidence == "*** of toyplan-1/a.1"
    assert "output of" not in (tmp_path / "runs/toyplan-1/journal.db").read_bytes().decode(errors="ignore")


def dbos_engine(directory: RunDirectory) -> Any:
    return open_engine(sqlite_url(directory.engine), directory.run)


def test_the_same_on_dbos(tmp_path: Path) -> None:
    hosts = Hosts(codes={"c": [1]}, pace=random.Random(1))  # noqa: S311 - a reproducible order, no secret
    rig = Rig(tmp_path, hosts, engine=dbos_engine)
    plan = plan_of([toy("a"), toy("b"), toy("c", "a", "b")], [toy("d")])
    assert apply(rig, plan).state is RunState.FAILED
    assert apply(rig, plan).state is RunState.DONE
    assert set(hosts.runs_per_job.values()) == {1}
    assert [name.partition("/")[2] for name in hosts.ran][2:] == ["c.1", "c.2", "d.1"]


def test_an_error_of_ours_comes_through_dbos_as_it_was(tmp_path: Path) -> None:
    def break_down(_: str) -> None:
        raise ZeroDivisionError

    hosts = Hosts(on_run=break_down)
    rig = Rig(tmp_path, hosts, engine=dbos_engine)
    plan = plan_of([toy("a")])
    with pytest.raises(ZeroDivisionError):
        apply(rig, plan)
    hosts.on_run = lambda _: None
    assert apply(rig, plan).state is RunState.DONE


def test_an_engine_that_cannot_begin_stops_the_run_before_any_step(tmp_path: Path) -> None:
    hosts = Hosts()
    rig = Rig(tmp_path, hosts, engine=lambda run: open_engine(f"sqlite:///{tmp_path}/not/here", run.run))
    plan = plan_of([toy("a")])
    with pytest.raises(EngineAway, match="does not answer") as caught:
        apply(rig, plan)
    assert caught.value.where == f"sqlite:///{tmp_path}/not/here"
    view = read_view(tmp_path / "runs" / "toyplan-1" / "journal.db")
    assert (view.state, hosts.ran) == (RunState.STOPPED, [])
    assert apply(Rig(tmp_path, hosts, engine=dbos_engine), plan).state is RunState.DONE


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans of up to three stages with random needs, gates, proofs, and steps that are done already."""
    stages = []
    for stage in range(draw(st.integers(1, 3))):
        names = [f"s{stage}.{number}" for number in range(draw(st.integers(1, 6)))]
        steps: list[Toy] = []
        for index, name in enumerate(names):
            needs = draw(st.sets(st.sampled_from(names[:index]), max_size=3)) if index else set()
            more: dict[str, Any] = {
                "transient": draw(st.booleans()),
                "proof": draw(st.sampled_from([None, f"see {name}"])),
                "check": draw(st.sampled_from([None, None, NEVER, ALREADY])),
            }
            steps.append(toy(name, *sorted(needs), **more))
        stages.append(steps)
    asked = draw(st.sets(st.sampled_from(range(1, len(stages) + 1))))
    gates = [Gate(id=f"g{number}", title="go on", before=f"stage{number}") for number in sorted(asked)]
    return plan_of(*stages, gates=gates)


NEVER, ALREADY = "never done before", "done before"


def hosts_with(codes: dict[str, list[int]], **more: Any) -> Hosts:
    return Hosts(codes={name: list(found) for name, found in codes.items()} | {NEVER: [1] * 10_000}, **more)


def until_done(rig: Rig, plan: Plan, *, before: Callable[[], object] = lambda: None) -> RunView:
    """Apply a plan over failures and kills until it is done; ``before`` is called before each sitting."""
    directory = run_of(rig.base / "runs", plan, fresh=False)
    for _ in range(60):
        before()
        with suppress(Killed):
            assert apply(rig, plan).state in {RunState.DONE, RunState.FAILED}
        view = directory.standing()
        if view and view.state is RunState.DONE:  # it may have been killed just after that was written
            return view
    raise AssertionError("the run comes to no end")


def end_state(view: RunView) -> tuple[object, ...]:
    """Return what an undisturbed run and a disturbed one have in common."""
    steps = [(step.id, step.state, step.attempt, step.code, step.error) for step in view.steps()]
    return view.state, steps, [(gate.id, gate.state) for gate in view.gates], view.remaining, view.failed


def expect_order(plan: Plan, ran: list[str]) -> None:
    """See that no step has begun before the last attempt at what it needs, and at the stages before it."""
    steps = [name.rpartition("/")[2].rpartition(".")[0] for name in ran]
    last = {name: place for place, name in enumerate(steps)}
    first = {name: steps.index(name) for name in last}
    for number, stage in enumerate(plan.stages):
        past = [step.id for before in plan.stages[:number] for step in before.steps]
        for step in stage.steps:
            for before in {*step.needs, *past} & last.keys() if step.id in first else ():
                assert last[before] < first[step.id], (before, step.id)


@settings(max_examples=40, deadline=None)
@given(plan=plans(), seed=st.integers(0, 2**32), kills=st.integers(0, 15), data=st.data())
def test_whoever_fails_or_dies_every_step_is_done_in_order_and_once_per_attempt(
    plan: Plan, seed: int, kills: int, data: st.DataObject
) -> None:
    names = [step.id for step in plan.steps()]
    codes = data.draw(st.dictionaries(st.sampled_from(names), st.lists(st.integers(0, 2), max_size=4)))
    chance = random.Random(seed)  # noqa: S311 - a reproducible order, no secret
    hosts = hosts_with(codes, pace=chance, lose=lambda: chance.random() < 0.5)
    undisturbed, consent = hosts_with(codes), Consent("eve", "--yes")
    reaper = Reaper(chance, kills, rate=chance.choice([0.01, 0.05, 0.2]))

    def begin() -> None:
        reaper.dead, hosts.silent, hosts.broken = False, chance.randrange(3), chance.randrange(2)

    with tempfile.TemporaryDirectory(dir=MEMORY) as base:
        wanted = until_done(Rig(Path(base) / "undisturbed", undisturbed, consent=consent), plan)
        with reaper.at_work():
            view = until_done(Rig(Path(base) / "killed", hosts, consent=consent), plan, before=begin)
        assert view == fold(read_events(Path(base) / "killed/runs/toyplan-1/journal.db"))
    assert end_state(view) == end_state(wanted)
    assert hosts.runs_per_job == undisturbed.runs_per_job
    assert set(hosts.runs_per_job.values()) <= {1}
    expect_order(plan, hosts.ran)


def test_a_host_that_fails_takes_itself_out_and_the_others_go_on(tmp_path: Path) -> None:
    hosts = Hosts(codes={"c1.1": [1]})
    rig = Rig(tmp_path, hosts)
    plan = in_waves(4, failures=1)
    view = apply(rig, plan)
    assert view.state is RunState.FAILED
    assert [name.partition("/")[2] for name in hosts.ran] == [
        *("c0.1.1", "c0.2.1", "c1.1.1", "c2.1.1", "c2.2.1", "c3.1.1", "c3.2.1"),
    ]
    assert view.reason == "c1.1 on c1: its script exited with 1"
    assert view.stages[0].hosts == HostCounts(done=3, at_work=0, failed=1, lost=0, total=4)
    assert apply(rig, plan).state is RunState.DONE
    assert [name.partition("/")[2] for name in hosts.ran][7:] == ["c1.1.2", "c1.2.1"]


def test_more_failures_than_allowed_let_no_host_begin_and_are_all_named(tmp_path: Path) -> None:
    hosts = Hosts(codes={"c0.2": [1], "c1.1": [1]})
    rig = Rig(tmp_path, hosts)
    view = apply(rig, in_waves(5, failures=1))
    assert view.reason == "c0.2 on c0: its script exited with 1; and c1.1"
    assert {step.group for step in view.steps() if step.state is not StepState.PENDING} == {"c0", "c1"}


CLOSED = Window.parse("22:00-05:00 UTC")


def test_outside_its_window_a_run_waits_says_so_and_can_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [datetime(2026, 3, 2, 12, tzinfo=UTC)]
    monkeypatch.setattr(hours, "PAUSE", 0.01)
    monkeypatch.setattr(hours, "utc_now", lambda: clock[0])
    simulated = Hosts()
    rig = Rig(tmp_path, simulated)
    plan = in_waves(2, windows=(CLOSED,))

    async def waited(then: str) -> Any:
        with rig.runner(plan) as (runner, journal):
            running = asyncio.create_task(runner.run())
            await waiting_at_a_gate(journal)
            seen = journal.view
            assert seen.waits_until == datetime(2026, 3, 2, 22, tzinfo=UTC)
            assert seen.reason == (
                "no host begins before 2026-03-02 22:00 UTC: maintenance window 22:00-05:00 UTC"
            )
            assert simulated.ran == []
            if then == "stop":
                runner.ask_stop()
            else:
                clock[0] = datetime(2026, 3, 2, 22, 1, tzinfo=UTC)
            return await running

    view = asyncio.run(waited("stop"))
    assert (view.state, view.waits_until) == (RunState.STOPPED, None)
    view = asyncio.run(waited("open"))
    assert (view.state, view.waits_until) == (RunState.DONE, None)
    kinds = [event.kind for event in read_events(tmp_path / "runs" / "toyplan-1" / "journal.db")]
    assert kinds.count(Kind.WINDOW_CLOSED) == 2
    assert kinds.count(Kind.WINDOW_OPENED) == 1


@pytest.mark.parametrize("engine", ["none", "dbos"])
@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_whenever_a_process_dies_no_more_hosts_are_down_than_may_be(
    tmp_path: Path, engine: str, every: int
) -> None:
    count = 0

    def die(_: str) -> None:
        nonlocal count
        count += 1
        if count % every == 0 and count < 12:
            raise ZeroDivisionError

    hosts = Hosts(on_run=die, pace=random.Random(every))  # noqa: S311 - a reproducible order, no secret
    rig = Rig(tmp_path, hosts)
    if engine == "dbos":
        rig.engine = dbos_engine
    plan, down = in_waves(6, down=2), 2
    for _ in range(20):
        try:
            view = apply(rig, plan)
            break
        except ZeroDivisionError:
            continue
    assert view.state is RunState.DONE
    assert view.sittings > 1
    assert set(hosts.runs_per_job.values()) == {1}
    assert max(down_in(tmp_path)) <= down


def down_in(base: Path) -> Iterator[int]:
    """Yield how many hosts were down after each event of a run of ``in_waves``."""
    down: set[str] = set()
    for event in read_events(base / "runs" / "toyplan-1" / "journal.db"):
        if event.step and event.kind is Kind.INTENT:
            down.add(event.step.partition(".")[0])
        elif event.step and event.step.endswith(".2") and event.kind is Kind.VERIFIED:
            down.remove(event.step.partition(".")[0])
        yield len(down)
