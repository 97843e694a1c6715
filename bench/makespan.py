"""How long a plan's waves take against the bound that its limits allow, in simulated time.

The plan and the order of its steps are the real ones: the runner makes them, for an engine that only keeps
them. What is simulated is the time that each step takes.
"""

import asyncio
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.unit.run.simulated import simulate
from tests.unit.run.toy import Hosts, Rig

from skipstone.plan.plan import Plan
from skipstone.plan.waves import DOWN
from skipstone.run.gatekeeper import Consent
from skipstone.run.schedule import CarryOut, Ending, StageOrder, Stages, carry_out_stages
from skipstone.run.state import StepState

SEED = 20261129
SPREAD = 0.35
"""Of the logarithm: a host in six takes more than 1.4 times its estimate."""


class Makespan(NamedTuple):
    """Hours of all waves, and of the bound; the most hosts down at once, and how many may be."""

    hours: float
    bound: float
    down: int
    limit: int

    @property
    def row(self) -> str:
        """Cells of a table."""
        over = 100 * (self.hours / self.bound - 1)
        return f"{self.hours:.1f} h | {self.bound:.1f} h | {over:.1f} % | {self.down} | {self.limit}"


@dataclass
class Keeper:
    """An engine that carries nothing out: it keeps what it was to carry out."""

    stages: Stages = ()
    at_once: int = 0

    async def drive(
        self, sitting: str, stages: Stages, carry_out: CarryOut, *, stopping: Callable[[], bool], at_once: int
    ) -> Ending:
        """Keep the stages."""
        del sitting, carry_out, stopping
        self.stages, self.at_once = stages, at_once
        return Ending.STOPPED


@dataclass
class Watch:
    """Lets steps take their simulated time, and counts the groups that are down."""

    seconds: Mapping[str, float]
    group_of: Mapping[str, str]
    left: Counter[str]
    down: set[str] = field(default_factory=set)
    most: int = 0

    async def carry_out(self, name: str) -> StepState:
        """Let a step take its time."""
        group = self.group_of[name]
        self.down.add(group)
        self.most = max(self.most, len(self.down))
        await asyncio.sleep(self.seconds[name])
        self.left[group] -= 1
        if not self.left[group]:
            self.down.discard(group)
        return StepState.DONE


def makespan(plan: Plan, at_once: int) -> Makespan:
    """Return how long all stages with lanes take, each step about as long as its estimate."""
    engine = Keeper()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as base:
        consent = Consent("bench", "bench")
        rig = Rig(Path(base), Hosts(), engine=lambda _: engine, consent=consent, steps_at_once=at_once)
        asyncio.run(rig.apply(plan))
    draw = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    hosts: dict[str, float] = defaultdict(lambda: draw.lognormvariate(0, SPREAD))
    took, bound, most, limit = 0.0, 0.0, 0, 0
    for stage in engine.stages:
        if not stage.groups:
            continue
        seconds = {node.id: node.seconds * hosts[node.group] * draw.uniform(0.9, 1.1) for node in stage.nodes}
        names = {node.id: node.group for node in stage.nodes}
        watch = Watch(seconds, names, Counter(names.values()))
        took += simulate(_timed(stage, watch, engine.at_once))
        bound += least(stage, seconds, engine.at_once)
        if watch.most > most:
            most, limit = watch.most, stage.limits.get(DOWN, 1)
    return Makespan(took / 3600, bound / 3600, most, limit)


async def _timed(stage: StageOrder, watch: Watch, at_once: int) -> float:
    began = asyncio.get_running_loop().time()
    ending = await carry_out_stages(
        [stage], lambda _: watch.carry_out, stopping=lambda: False, at_once=at_once
    )
    assert ending is Ending.DONE  # noqa: S101
    return asyncio.get_running_loop().time() - began


def least(stage: StageOrder, seconds: Mapping[str, float], at_once: int) -> float:
    """Return the seconds that a stage takes at least: its longest group's, or its fullest lane's."""
    ends, groups = dict[str, float](), defaultdict[str, float](float)
    work = Counter[str]()
    for node in stage.nodes:
        ends[node.id] = seconds[node.id] + max((ends[need] for need in node.needs), default=0.0)
        groups[node.group] = max(groups[node.group], ends[node.id])
        work.update(dict.fromkeys(set(node.lanes), seconds[node.id]))
    for name, group in stage.groups.items():
        work.update(dict.fromkeys(set(group.lanes), groups[name]))
    lanes = (work[lane] / limit for lane, limit in stage.limits.items())
    return max(*groups.values(), *lanes, sum(seconds.values()) / at_once)
