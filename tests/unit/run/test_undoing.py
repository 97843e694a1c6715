"""Whatever was done and fails, is lost or killed meanwhile: a rollback ends where the run began."""

import asyncio
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.cloud.command import OPERATOR
from skipstone.errors import InputError, RollbackRefused
from skipstone.plan.plan import Plan
from skipstone.plan.rollout import Rollout, Share
from skipstone.plan.waves import ComputeHost, waves_of
from skipstone.run.beginning import run_of
from skipstone.run.directory import RunDirectory, find_run
from skipstone.run.journal import read_events
from skipstone.run.lock import hold_cloud
from skipstone.run.rollback import plan_rollback
from skipstone.run.runview import RunView
from skipstone.run.state import Kind, RunState
from skipstone.run.telling import tell_begun, tell_done
from skipstone.steps.registry import KINDS
from skipstone.steps.step import Reversibility, Step
from tests.unit.run.reaper import Killed
from tests.unit.run.test_runner import MEMORY
from tests.unit.run.test_waves import clouds, rollouts
from tests.unit.run.toy import Anyway, Hosts, Rig, Toy, plan_of, toy, toy_drain

HOSTS = ("h1", "h2")
MOST_SITTINGS = 60


@dataclass
class World(Hosts):
    """Hosts on which a step leaves an effect, which its undoing takes away; a step that holds keeps its host.

    Some leave a second one, for the rest of their undoing.

    What is kept comes back whole; where the operator's machine does that, with the records of jobs of that
    moment. ``chance`` decides who is killed, and whether what fails has acted; ``at`` is what there was when
    a stage began.
    """

    plan: Plan = field(default_factory=plan_of)
    chance: random.Random = field(default_factory=random.Random)
    mortal: bool = False
    effects: dict[str, set[str]] = field(default_factory=lambda: {host: {"system"} for host in HOSTS})
    kept: dict[str, tuple[set[str], set[str]]] = field(default_factory=dict)
    at: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    undone: list[str] = field(default_factory=list)

    def undoings(self, steps: list[str]) -> list[list[int]]:
        """Return for each step the places of its undoing's attempts among everything that ran."""
        ran = [name.rpartition("/")[2].rpartition(".")[0] for name in self.ran]
        return [[place for place, name in enumerate(ran) if name == f"undo.{step}"] for step in steps]

    def _start(self, host: str, name: str, script: str) -> None:
        self._maybe_killed()
        super()._start(host, name, script)
        verb, _, step = script.partition(" ")
        if self.jobs[name] == "0" or self.chance.random() < 0.5:
            self._act(verb, next(one for one in self.plan.steps() if one.id == step))
        self._maybe_killed()

    def _maybe_killed(self) -> None:
        if self.mortal and self.chance.random() < 0.1:
            raise Killed

    def _act(self, verb: str, step: object) -> None:
        assert isinstance(step, Toy)
        stage = next(one.name for one in self.plan.stages if step in one.steps)
        if verb == "do":
            self.at.setdefault(stage, {host: set(found) for host, found in self.effects.items()})
        if step.hold:
            self._keep_or_bring_back(verb, step)
        elif verb == "do":
            self.effects[step.host] |= {step.id, *([f"rest of {step.id}"] if step.undo_rest else ())}
        else:
            self.effects[step.host].discard(step.id if verb == "undo" else f"rest of {step.id}")
        if verb == "undo":
            self.undone.append(step.id)

    def _keep_or_bring_back(self, verb: str, step: Toy) -> None:
        (host,) = step.hold
        records = {name for name in self.jobs if self._host(name) == host}
        if verb == "do":
            self.kept[step.id] = (set(self.effects[host]), records)
            return
        effects, known = self.kept[step.id]
        self.effects[host] = set(effects)
        for name in records - known if step.host == OPERATOR else ():
            del self.jobs[name]

    def _host(self, job: str) -> str:
        step = job.rpartition("/")[2].rpartition(".")[0].removeprefix("undo.").removeprefix("rest.")
        return next(one.host for one in self.plan.steps() if one.id == step)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans with random needs, steps that hold their host, and steps that only these undo."""
    stages = []
    for stage in range(draw(st.integers(1, 3))):
        steps: list[Toy] = []
        for number in range(draw(st.integers(1, 6))):
            needs = draw(st.sets(st.sampled_from(steps), max_size=2)) if steps else set()
            steps.append(_step(draw, f"s{stage}.{number}", sorted(need.id for need in needs), steps))
        stages.append(steps)
    return plan_of(*stages)


def _step(draw: st.DrawFn, name: str, needs: list[str], before: list[Toy]) -> Toy:
    host = draw(st.sampled_from(HOSTS))
    keepers = [one.id for one in before if one.hold == (host,)]
    kind = draw(st.sampled_from(["exact", "exact", "keeper", "anyway", "held"]))
    if kind == "keeper":
        keeper = draw(st.sampled_from([host, OPERATOR]))
        return toy(name, *needs, host=keeper, undo=f"undo {name}", hold=(host,))
    if kind == "held" and keepers:  # only the keeper brings its host back
        backup = Reversibility.FROM_BACKUP
        return toy(name, *dict.fromkeys([*needs, keepers[-1]]), host=host, reversibility=backup)
    cls = Anyway if kind == "anyway" else Toy
    rest = draw(st.sampled_from([None, f"rest {name}"]))
    return cls.model_validate(toy(name, *needs, host=host, undo=f"undo {name}", undo_rest=rest).model_dump())


@contextmanager
def world_of(plan: Plan, seed: int) -> Iterator[tuple[Rig, World]]:
    chance = random.Random(seed)  # noqa: S311 - a reproducible order, no secret
    world = World(plan=plan, chance=chance, pace=chance, lose=lambda: chance.random() < 0.5)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(dir=MEMORY) as base:
        patch.setitem(KINDS, "toy", Toy)
        yield Rig(Path(base), world), world


def sitting(rig: Rig, plan: Plan) -> RunView | None:
    """Carry on with a plan; None where the orchestrator was killed."""
    with suppress(Killed):
        return asyncio.run(rig.apply(plan))
    return None


def applied(rig: Rig, plan: Plan, *, sittings: int = MOST_SITTINGS) -> RunDirectory:
    """Apply a plan, over some failures, as far as it gets."""
    for _ in range(sittings):
        view = sitting(rig, plan)
        assert view
        if view.state is RunState.DONE:
            break
    return find_run(rig.base / "runs", None)


def rolled_back(rig: Rig, world: World, directory: RunDirectory, to: str) -> None:
    """Roll back as the verb does, killed and resumed as often as it takes."""
    world.mortal = True
    for _ in range(MOST_SITTINGS):
        world.silent = world.chance.randrange(3)
        plan = plan_rollback(directory, to).plan
        undoing = run_of(directory.path.parent, plan, fresh=False)
        with hold_cloud(rig.base / "clouds", plan.cloud, "x", runs=rig.base / "runs") as lease:
            tell_begun(undoing, plan, lease)
        view = sitting(rig, plan)
        if view and view.state is RunState.DONE:
            with hold_cloud(rig.base / "clouds", plan.cloud, "x", runs=rig.base / "runs") as lease:
                tell_done(undoing, plan, lease)
            world.mortal, world.silent = False, 0
            return
    raise AssertionError("the rollback comes to no end")


def steps_from(plan: Plan, to: str) -> Iterator[Step]:
    """Yield the steps of a stage and of those that follow it."""
    names = [stage.name for stage in plan.stages]
    for stage in plan.stages[names.index(to) :]:
        yield from stage.steps


def expect_reverse(plan: Plan, undone: list[str]) -> None:
    """See that no step was undone before one that needed it, of those that were undone by themselves."""
    last = {name: place for place, name in enumerate(undone)}
    stages = {step.id: number for number, stage in enumerate(plan.stages) for step in stage.steps}
    for step in plan.steps():
        for other in plan.steps():
            if {step.id, other.id} <= last.keys() and (
                other.id in step.needs or stages[other.id] < stages[step.id]
            ):
                assert last[step.id] < last[other.id], (step.id, other.id)


def test_nothing_is_undone_on_a_host_while_that_is_brought_back() -> None:
    """What was undone, but not told yet, would be undone again: its record has gone with the host."""
    keep = toy("keep", host=OPERATOR, undo="undo keep", hold=("h1",))
    later = Anyway.model_validate(toy("later", undo="undo later").model_dump())
    with world_of(plan_of([keep, later]), 0) as (rig, world):
        rig.steps_at_once = 1  # so that the host is kept first
        directory = applied(rig, world.plan)
        rig.steps_at_once, world.pace, world.lose = 2, None, lambda: False
        plan = plan_rollback(directory).plan
        with hold_cloud(rig.base / "clouds", plan.cloud, "x", runs=rig.base / "runs") as lease:
            tell_begun(run_of(directory.path.parent, plan, fresh=False), plan, lease)
        world.silent = 2  # both undone, if at once, and neither answer comes
        view = sitting(rig, plan)
    assert view
    assert view.state is RunState.DONE
    assert set(world.runs_per_job.values()) == {1}
    assert world.undone == ["later", "keep"]


def test_a_second_rollback_that_has_died_as_it_began_is_not_taken_for_the_first() -> None:
    with world_of(plan_of([toy("a", undo="undo a")], [toy("b", undo="undo b")]), 0) as (rig, world):
        directory = applied(rig, world.plan)
        rolled_back(rig, world, directory, "stage2")
        applied(rig, world.plan)
        plan = plan_rollback(directory).plan
        second = run_of(directory.path.parent, plan, fresh=False)
        with hold_cloud(rig.base / "clouds", plan.cloud, "x", runs=rig.base / "runs") as lease:
            tell_begun(second, plan, lease)
        assert not second.begun
        assert run_of(directory.path.parent, plan, fresh=False) == second
        rolled_back(rig, world, directory, "")
        assert directory.view().state is RunState.ROLLED_BACK


@settings(max_examples=25, deadline=None)
@given(plan=plans(), seed=st.integers(0, 2**32), data=st.data())
def test_a_rollback_ends_where_the_run_began(plan: Plan, seed: int, data: st.DataObject) -> None:
    names = [step.id for step in plan.steps()]
    failures = st.lists(st.integers(0, 2), max_size=3)
    codes = data.draw(
        st.dictionaries(
            st.sampled_from([f"{verb}{name}" for name in names for verb in ("", "undo ", "rest ")]), failures
        )
    )
    with world_of(plan, seed) as (rig, world):
        world.codes = codes
        beginning = {host: set(found) for host, found in world.effects.items()}
        directory = applied(rig, plan, sittings=data.draw(st.sampled_from([1, 2, MOST_SITTINGS])))
        try:
            rolled_back(rig, world, directory, "")
        except InputError:
            assert world.effects == beginning, "nothing but what keeps hosts was begun"
            return
        assert world.effects == beginning
        assert set(world.runs_per_job.values()) == {1}
        expect_reverse(plan, world.undone)
        assert directory.view().state is RunState.ROLLED_BACK


@settings(max_examples=15, deadline=None)
@given(plan=plans(), seed=st.integers(0, 2**32), data=st.data())
def test_undone_to_a_stage_it_goes_on_from_there(plan: Plan, seed: int, data: st.DataObject) -> None:
    to = data.draw(st.sampled_from([stage.name for stage in plan.stages]))
    with world_of(plan, seed) as (rig, world):
        beginning = {host: set(found) for host, found in world.effects.items()}
        directory = applied(rig, plan)
        whole = {host: set(found) for host, found in world.effects.items()}
        try:
            rolled_back(rig, world, directory, to)
        except RollbackRefused:
            world.mortal, world.silent = False, 0
            assert world.effects == whole, "refused, nothing is touched"
        except InputError:  # all that was begun there keeps hosts that were kept before
            world.mortal, world.silent = False, 0
            assert world.effects == whole
            assert all(
                isinstance(step, Toy) and (step.hold or step.undo is None) for step in steps_from(plan, to)
            )
        else:
            assert world.effects == world.at[to]
            applied(rig, plan)
            assert world.effects == whole
        rolled_back(rig, world, directory, "")
        assert world.effects == beginning
        assert set(world.runs_per_job.values()) == {1}


def drained(hosts: list[ComputeHost], rollout: Rollout, staying: set[str]) -> Plan:
    """Return a plan of waves in which every host is drained first, but those that are staying."""
    waves = waves_of(hosts, rollout)
    steps = [chain.from_iterable(_compute(host, host in staying) for host in wave.hosts) for wave in waves]
    plan = plan_of(*steps)
    limits = [{"lanes": wave.limits, "groups": wave.hosts, "failures": 2} for wave in waves]
    stages = (stage.model_copy(update=more) for stage, more in zip(plan.stages, limits, strict=True))
    return plan.model_copy(update={"stages": tuple(stages)})


def _compute(host: str, stays: bool) -> tuple[Toy, ...]:
    given: dict[str, Any] = {"host": host, "group": host}
    first = () if stays else (toy_drain(f"{host}.drain", undo=f"undo {host}.drain", **given),)
    needs = [step.id for step in first]
    stop = toy(f"{host}.stop", *needs, undo=f"undo {host}.stop", **given)
    return (*first, stop, toy(f"{host}.start", stop.id, undo=f"undo {host}.start", **given))


@settings(max_examples=25, deadline=None)
@given(hosts=clouds(least=4, most=8), rollout=rollouts(), seed=st.integers(0, 2**32), data=st.data())
def test_drains_are_undone_the_last_first_whatever_the_limits_and_failures(
    hosts: list[ComputeHost], rollout: Rollout, seed: int, data: st.DataObject
) -> None:
    staying = data.draw(st.sets(st.sampled_from([host.name for host in hosts]), max_size=2))
    plan = drained(hosts, replace(rollout, sample=1, waves=(Share(100, percent=True),)), staying)
    names = [step.id for step in plan.steps()]
    failing = st.sampled_from([*names, *(f"undo {name}" for name in names)])
    with world_of(plan, seed) as (rig, world):
        world.effects = defaultdict(set)
        world.codes = data.draw(st.dictionaries(failing, st.lists(st.integers(0, 2), max_size=2)))
        directory = applied(rig, plan, sittings=data.draw(st.sampled_from([1, 2, MOST_SITTINGS])))
        begun = [event.step for event in read_events(directory.journal) if event.kind is Kind.INTENT]
        drains = [name for name in dict.fromkeys(begun) if name and name.endswith(".drain")]
        rolled_back(rig, world, directory, "")
        assert not any(world.effects.values())
        assert all(earlier[-1] < later[0] for earlier, later in pairwise(world.undoings(drains[::-1])))
        expect_reverse(plan, world.undone)
