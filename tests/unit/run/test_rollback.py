"""Rollback on simulated hosts: what was done is undone, the last first, or nothing is touched."""

import asyncio
import json
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

import pytest

from skipstone.cloud.command import OPERATOR
from skipstone.errors import InputError, RollbackRefused
from skipstone.plan.plan import Gate, Plan
from skipstone.plan.planfile import load_plan
from skipstone.run import beginning, journal, undoing
from skipstone.run.beginning import run_of
from skipstone.run.directory import RunDirectory, find_run
from skipstone.run.gatekeeper import Consent
from skipstone.run.lock import hold_cloud
from skipstone.run.rollback import plan_rollback
from skipstone.run.runview import RunView
from skipstone.run.state import RunState
from skipstone.run.telling import tell_begun, tell_done
from skipstone.steps.registry import KINDS
from skipstone.steps.revert import Revert
from skipstone.steps.step import Impact, Reversibility, Step
from tests.unit.run.test_verbs import answer
from tests.unit.run.toy import Anyway, Hosts, Rig, Toy, in_waves, plan_of, toy, toy_drain


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "toy", Toy)


def begun(rig: Rig, plan: Plan, *, until: str | None = None) -> RunDirectory:
    asyncio.run(rig.apply(plan, until=until))
    return find_run(rig.base / "runs", None)


def roll_back(rig: Rig, directory: RunDirectory, to: str = "") -> RunView:
    return carried_out(rig, plan_rollback(directory, to).plan)


def carried_out(rig: Rig, plan: Plan) -> RunView:
    """Carry out a plan about another run, which is told."""
    directory = run_of(rig.base / "runs", plan, fresh=False)
    with hold_cloud(rig.base / "clouds", plan.cloud, "x", runs=rig.base / "runs") as lease:
        tell_begun(directory, plan, lease)
    view = asyncio.run(rig.apply(plan))
    with hold_cloud(rig.base / "clouds", plan.cloud, "x", runs=rig.base / "runs") as lease:
        tell_done(directory, plan, lease)
    return view


def reverts(plan: Plan) -> list[tuple[str, tuple[str, ...]]]:
    return [(step.of, step.needs) for step in plan.steps() if isinstance(step, Revert)]


def test_a_step_is_undone_after_those_that_needed_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts())
    plan = plan_of(
        [toy("a", undo="undo a"), toy("b", "a"), toy("c", "b", undo="undo c"), toy("d", "a", undo="undo d")],
        [toy("e", undo="undo e")],
        [toy("f", undo="undo f")],
    )
    made = plan_rollback(begun(rig, plan, until="stage2")).plan
    assert [stage.name for stage in made.stages] == ["undo-stage2", "undo-stage1"]
    assert dict(reverts(made)) == {
        "e": (),
        "a": ("undo.c", "undo.d"),  # b needs no undoing, so a waits for c, which needed b
        "c": (),
        "d": (),
    }


def test_the_scripts_are_those_of_the_journal_and_run_once(tmp_path: Path) -> None:
    hosts = Hosts(codes={"b": [3]})
    rig = Rig(tmp_path, hosts)
    directory = begun(rig, plan_of([toy("a", undo="undo a"), toy("b", "a", undo="undo b"), toy("c", "b")]))
    hosts.ran.clear()
    view = roll_back(rig, directory)
    assert view.state is RunState.DONE
    undone = [name.rpartition("/")[2] for name in hosts.ran]
    assert undone == ["undo.b.1", "undo.a.1"], "b failed, and is undone all the same"


def test_what_was_done_before_the_run_is_not_undone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts(codes={"is a done": [0]}))
    directory = begun(rig, plan_of([toy("a", check="is a done", undo="undo a"), toy("b", undo="undo b")]))
    assert [of for of, _ in reverts(plan_rollback(directory).plan)] == ["b"]


@pytest.mark.parametrize("kind", [Reversibility.NONE, Reversibility.FROM_BACKUP])
def test_past_the_point_of_no_return_it_is_refused(tmp_path: Path, kind: Reversibility) -> None:
    rig = Rig(tmp_path, Hosts(codes={"b": [3]}))
    directory = begun(rig, plan_of([toy("a", undo="undo a"), toy("b", "a", reversibility=kind)]))
    with pytest.raises(RollbackRefused, match="past its point of no return") as caught:
        plan_rollback(directory)
    assert "b" in caught.value.evidence
    assert caught.value.exit_code == 2


def test_why_drained_hosts_cannot_be_taken_back_is_told(tmp_path: Path) -> None:
    """The first one's instances have gone to hosts like itself; those of later ones to newer ones."""
    final = Reversibility.NONE
    directory = begun(
        Rig(tmp_path, Hosts()),
        plan_of(
            [toy("a", undo="undo a")],
            [toy_drain("c0.drain", undo="return")],
            [toy_drain(f"{host}.drain", undo="return", reversibility=final) for host in ("c1", "c2")],
        ),
    )
    for to in ("", "stage2", "stage3"):
        with pytest.raises(RollbackRefused, match="past its point of no return") as caught:
            plan_rollback(directory, to)
        assert "not undone by Skipstone: c1.drain, c2.drain\n" in caught.value.evidence
        assert "nova moves nothing from a newer hypervisor to an older one" in caught.value.evidence
        assert caught.value.remedy.endswith("instances run on where they are")


HELD = (
    [toy("a", undo="undo a"), toy("db", host="h2", undo="undo db")],
    [
        toy("snapshot", undo="bring h1 back", hold=("h1",)),
        toy("packages", "snapshot", reversibility=Reversibility.NONE),
        toy("start", "packages", undo="undo start"),
    ],
    [toy("snapshot2", host="h2", undo="bring h2 back", hold=("h2",)), toy("b", "snapshot2", host="h2")],
    [toy("finish", reversibility=Reversibility.FROM_BACKUP)],
)


def test_what_was_done_on_a_host_after_its_snapshot_is_undone_with_it(tmp_path: Path) -> None:
    directory = begun(Rig(tmp_path, Hosts()), plan_of(*HELD))
    assert [of for of, _ in reverts(plan_rollback(directory).plan)] == ["snapshot2", "snapshot", "db", "a"]


@pytest.mark.parametrize("keeper", [OPERATOR, "h1"])
def test_the_last_is_undone_first_also_around_a_host_that_is_brought_back(
    tmp_path: Path, keeper: str
) -> None:
    before, after = (
        Anyway.model_validate(toy(name, undo=f"undo {name}").model_dump()) for name in ("before", "after")
    )
    keep = toy("keep", host=keeper, undo="bring h1 back", hold=("h1",))
    rig = Rig(tmp_path, Hosts(), steps_at_once=1)
    made = plan_rollback(begun(rig, plan_of([before, keep, after, toy("held")]))).plan
    assert dict(reverts(made)) == {"after": (), "keep": ("undo.after",), "before": ("undo.keep",)}


def test_a_clock_that_is_set_back_does_not_change_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Backwards(datetime):
        seconds = 0

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            cls.seconds -= 1
            return cls(2026, 3, 2, tzinfo=tz) + timedelta(seconds=cls.seconds)

    monkeypatch.setattr(journal, "datetime", Backwards)
    keep = toy("keep", undo="bring h1 back", hold=("h1",))
    after = Anyway.model_validate(toy("after", "keep", undo="undo after").model_dump())
    steps = [toy("before", undo="undo before"), keep, after]
    made = plan_rollback(begun(Rig(tmp_path, Hosts(), steps_at_once=1), plan_of(steps))).plan
    assert dict(reverts(made)) == {"after": (), "keep": ("undo.after",), "before": ("undo.keep",)}


def test_a_snapshot_that_was_not_whole_holds_nothing(tmp_path: Path) -> None:
    stages = [HELD[0], [HELD[1][0].model_copy(update={"proof": "whole?"}), HELD[1][1]]]
    rig = Rig(tmp_path, Hosts(codes={"whole?": [1]}))
    directory = begun(rig, plan_of(*stages))
    assert [of for of, _ in reverts(plan_rollback(directory).plan)] == ["db", "a"]


def test_a_run_undone_to_a_stage_goes_on_from_there(tmp_path: Path) -> None:
    hosts = Hosts(codes={"b": [3]})
    rig = Rig(tmp_path, hosts, consent=Consent("eve", "--yes"))
    directory = begun(rig, plan_of(*HELD, gates=[Gate(id="third", title="go", before="stage3")]))
    undoing = plan_rollback(directory, "stage3").plan
    assert [of for of, _ in reverts(undoing)] == ["snapshot2"]
    assert roll_back(rig, directory, "stage3").state is RunState.DONE
    view = directory.view()
    assert (view.state, view.gate("third")) == (RunState.STOPPED, None)
    assert [step.id for step in view.remaining] == ["snapshot2", "b", "finish"]
    hosts.ran.clear()
    assert (
        asyncio.run(rig.apply(plan_of(*HELD, gates=[Gate(id="third", title="go", before="stage3")]))).state
        is RunState.DONE
    )
    assert [name.rpartition("/")[2] for name in hosts.ran] == ["snapshot2.2", "b.2", "finish.1"]
    assert [of for of, _ in reverts(plan_rollback(directory).plan)] == ["snapshot2", "snapshot", "db", "a"]


def test_only_to_where_everything_after_it_can_be_undone(tmp_path: Path) -> None:
    directory = begun(Rig(tmp_path, Hosts()), plan_of(*HELD))
    with pytest.raises(RollbackRefused, match="to there the run cannot be undone") as caught:
        plan_rollback(directory, "stage3")
    assert "finish is undone by snapshot only" in caught.value.evidence
    assert "--to stage2" in caught.value.remedy
    with pytest.raises(InputError, match="no stage 'stage9'") as unknown:
        plan_rollback(directory, "stage9")
    assert "stage1, stage2" in unknown.value.remedy


def test_a_job_that_may_be_at_work_is_waited_for_first(tmp_path: Path) -> None:
    hosts = Hosts(silent=10_000)
    directory = begun(Rig(tmp_path, hosts), plan_of([toy("a", undo="undo a", deadline=1)]))
    with pytest.raises(InputError, match="may still be at work"):
        plan_rollback(directory)


def looking(kind: str, name: str) -> Step:
    """Return a step that looks from the operator's machine; it fails on a simulated host if it is told to."""
    facts = {"id": name, "title": name, "kind": kind, "host": OPERATOR, "deadline": 40, "estimate": 1}
    more: dict[str, dict[str, object]] = {
        "wait-for-api": {
            "url": "http://192.0.2.1/",
            "statuses": (200,),
            "server": "h1",
            "units": ("nova-api",),
        },
        "ask-api": {"command": "openstack server list"},
    }
    return KINDS[kind].model_validate({**facts, **more[kind]})


def test_where_apis_were_down_they_answer_before_anything_else_is_undone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hosts())
    ask = looking("wait-for-api", "services.answers")
    down = toy("a", impact=Impact.API_DOWN, undo="undo a")
    plan = plan_of([toy("before", undo="undo before")], [down], [toy("after", undo="undo after")], [ask])
    made = plan_rollback(begun(rig, plan, until="stage3")).plan
    assert [stage.name for stage in made.stages] == ["undo-stage3", "undo-stage2", "answers", "undo-stage1"]
    assert [step.id for step in made.stages[2].steps] == ["again.services.answers"]
    quiet = plan_of([toy("a", undo="undo a")], [ask], name="quiet")
    made = plan_rollback(begun(rig, quiet, until="stage1")).plan
    assert [stage.name for stage in made.stages] == ["undo-stage1"]


def test_what_no_user_waits_for_is_undone_once_the_apis_answer(tmp_path: Path) -> None:
    """A step that another one undoes with its host has no rest either, nor has one that was not begun."""
    more: dict[str, Any] = {"undo": "undo", "undo_rest": "rest"}
    stop = toy("stop", impact=Impact.API_DOWN, **more)
    keep = toy("keep", "stop", hold=("h1",), **more)
    looks = [looking("wait-for-api", "answers"), looking("ask-api", "read")]
    later = [toy("held", **more), toy("keep.h2", host="h2", hold=("h2",), **more)]
    plan = plan_of([toy("before", **more)], [stop, keep], looks, later, [toy("never", host="h2", **more)])
    rig = Rig(tmp_path, Hosts())
    directory = begun(rig, plan, until="stage4")
    made = plan_rollback(directory).plan
    assert [(stage.name, [step.id for step in stage.steps]) for stage in made.stages] == [
        ("undo-stage4", ["undo.keep.h2"]),
        ("rest-stage4", ["rest.keep.h2"]),
        ("undo-stage2", ["undo.keep", "undo.stop"]),
        ("answers", ["again.answers"]),
        ("rest-stage2", ["rest.stop", "rest.keep"]),
        ("works", ["again.read"]),
        ("undo-stage1", ["undo.before"]),
        ("rest-stage1", ["rest.before"]),
    ]
    assert [step.needs for step in made.stages[4].steps] == [(), ("rest.stop",)]
    assert carried_out(rig, made).state is RunState.DONE
    assert directory.view().state is RunState.ROLLED_BACK


def test_the_run_cannot_go_on_while_it_is_rolled_back_and_is_over_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = Rig(tmp_path, Hosts(codes={"b": [3], "undo a": [1]}))
    plan = plan_of([toy("a", undo="undo a"), toy("b", "a")])
    directory = begun(rig, plan)
    assert roll_back(rig, directory).state is RunState.FAILED
    assert directory.view().state is RunState.ROLLING_BACK
    with pytest.raises(InputError, match="is being rolled back"):
        asyncio.run(rig.apply(plan))
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path))
    for arguments in (("resume", "toyplan-1"), ("abort", "toyplan-1", "--reason", "enough")):
        code, _, err = answer(capsys, *arguments)
        assert (code, "is being rolled back" in err) == (2, True)
    made = plan_rollback(directory).plan
    assert asyncio.run(rig.apply(made)).state is RunState.DONE, "the same rollback goes on"
    with hold_cloud(tmp_path / "clouds", plan.cloud, "x", runs=tmp_path / "runs") as lease:
        tell_done(RunDirectory(tmp_path / "runs" / "toyplan-1-rollback-1"), made, lease)
    assert directory.view().state is RunState.ROLLED_BACK
    with pytest.raises(InputError, match="is rolled back already"):
        plan_rollback(directory)
    assert asyncio.run(rig.apply(plan)).run == "toyplan-2"


def test_the_verb_shows_first_and_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path))
    directory = begun(Rig(tmp_path, Hosts()), plan_of([toy("a", undo="undo a")], [toy("b")]), until="stage1")
    code, out, _ = answer(capsys, "rollback", "--dry-run")
    assert (code, "undo a" in out) == (0, True)
    assert json.loads(answer(capsys, "rollback", "--dry-run", "--json")[1])["of_run"] == "toyplan-1"
    code, _, err = answer(capsys, "rollback")
    assert code == 2
    assert "Undo: a" in err
    assert "say --yes" in err
    assert directory.view().state is RunState.STOPPED


def test_a_wave_is_undone_within_the_limits_in_which_it_was_done(tmp_path: Path) -> None:
    hosts = Hosts()
    rig = Rig(tmp_path, hosts)
    directory = begun(rig, in_waves(3, down=2, undo=True))
    (stage,) = plan_rollback(directory).plan.stages
    assert stage.lanes == {"down": 2}
    assert stage.groups == dict.fromkeys(("c2", "c1", "c0"), ("down",))
    assert {step.id: (step.group, step.needs) for step in stage.steps if "c1" in step.id} == {
        "undo.c1.2": ("c1", ()),
        "undo.c1.1": ("c1", ("undo.c1.2",)),
    }
    assert roll_back(rig, directory).state is RunState.DONE


def test_of_drains_the_last_is_undone_first(tmp_path: Path) -> None:
    """What one drain has moved to c1 another may have moved back: that one's undo finds it at home."""
    hosts = ("c0", "c1", "c2")
    steps = [
        step.model_copy(update={"group": host})
        for host in hosts
        for step in (
            toy_drain(f"{host}.drain", undo="return"),
            toy(f"{host}.stop", f"{host}.drain", host=host, undo="start"),
        )
    ]
    (stage,) = plan_of(steps).stages
    wave = {"lanes": {"down": 2}, "groups": dict.fromkeys(hosts, ("down",)), "failures": 1}
    plan = plan_of().model_copy(update={"stages": (stage.model_copy(update=wave),)})
    rig = Rig(tmp_path, Hosts(codes={"c0.stop": [1]}))
    directory = begun(rig, plan)
    asyncio.run(rig.apply(plan))
    made = plan_rollback(directory).plan
    assert {of: set(needs) for of, needs in reverts(made)} == {
        "c0.drain": {"undo.c0.stop", "undo.c1.drain"},
        "c1.drain": {"undo.c1.stop", "undo.c2.drain"},
        "c2.drain": {"undo.c2.stop"},
        **{f"{host}.stop": set() for host in hosts},
    }
    assert made.stages[0].seconds == dict.fromkeys(hosts, 20), "the others' time is not its own"
    assert roll_back(rig, directory).state is RunState.DONE


def test_a_rollback_goes_on_with_a_repaired_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(codes={"undo a": [1]})
    rig = Rig(tmp_path, hosts)
    directory = begun(rig, plan_of([toy("a", undo="undo a"), toy("b", "a", undo="undo b")]))
    assert roll_back(rig, directory).state is RunState.FAILED
    hosts.ran.clear()
    monkeypatch.setattr(beginning, "__version__", "99")
    assert roll_back(rig, directory).state is RunState.DONE
    assert hosts.ran == ["toyplan-1-rollback-1/undo.a.2"]
    assert directory.view().state is RunState.ROLLED_BACK


@pytest.mark.parametrize("way", ["resume", "abort"])
def test_a_version_that_would_undo_it_otherwise_says_so_and_both_ways_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    monkeypatch.setenv("SKIPSTONE_STATE_DIR", str(tmp_path))
    (tmp_path / "inventory.yaml").write_text("name: toycloud\nhosts:\n  h1: {groups: [control]}\n")
    hosts = Hosts(codes={"undo a": [1]})
    rig = Rig(tmp_path, hosts)
    directory = begun(rig, plan_of([toy("a", undo="undo a"), toy("b", "a", undo="undo b")]))
    old = plan_rollback(directory).plan
    assert roll_back(rig, directory).state is RunState.FAILED
    hosts.ran.clear()
    monkeypatch.setattr(beginning, "__version__", "99")
    monkeypatch.setattr(undoing, "ESTIMATE", undoing.ESTIMATE + 1)
    code, _, err = answer(capsys, "rollback", "--yes")
    assert code == 2
    for words in (
        "this version of Skipstone makes another plan",
        "this is 99",
        "resume toyplan-1-rollback-1",
    ):
        assert words in err
    assert load_plan(tmp_path / "runs/toyplan-1-rollback-1/plan.yaml") == old
    if way == "resume":
        assert carried_out(rig, old).state is RunState.DONE
        assert hosts.ran == ["toyplan-1-rollback-1/undo.a.2"]
    else:
        assert answer(capsys, "abort", "toyplan-1-rollback-1", "--reason", "repaired")[0] == 0
        assert roll_back(rig, directory).state is RunState.DONE
        assert hosts.ran == [f"toyplan-1-rollback-2/undo.{name}.1" for name in "ba"]
    assert directory.view().state is RunState.ROLLED_BACK


def told(place: Path) -> tuple[Rig, RunDirectory, Plan]:
    """Return a run that was told of its rollback, and the rollback's plan, which has not begun."""
    rig = Rig(place, Hosts())
    directory = begun(rig, plan_of([toy("a", undo="undo a")]))
    plan = plan_rollback(directory).plan
    with hold_cloud(rig.base / "clouds", plan.cloud, "x", runs=rig.base / "runs") as lease:
        tell_begun(RunDirectory(directory.path.parent / f"{plan.id}-1"), plan, lease)
    return rig, directory, plan


def test_a_rollback_that_was_killed_as_it_began_goes_on_with_a_repaired_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, directory, plan = told(tmp_path)
    monkeypatch.setattr(beginning, "__version__", "99")
    assert carried_out(rig, plan).state is RunState.DONE
    assert directory.view().state is RunState.ROLLED_BACK


def test_a_rollback_that_is_done_is_not_done_again_by_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, directory, plan = told(tmp_path)
    assert asyncio.run(rig.apply(plan)).state is RunState.DONE  # and is killed before it can tell
    monkeypatch.setattr(beginning, "__version__", "99")
    monkeypatch.setattr(undoing, "ESTIMATE", undoing.ESTIMATE + 1)
    assert run_of(rig.base / "runs", plan_rollback(directory).plan, fresh=False).run == f"{plan.id}-1"
