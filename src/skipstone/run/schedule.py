"""The order of a run: stages one after the other, the steps of one as their needs and lanes allow.

Pure of any engine: who calls ``carry_out_stages`` says how a step is carried out.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import TopologicalSorter
from typing import Protocol

from skipstone.plan.admission import Admission
from skipstone.run.state import StepState


class Ending(StrEnum):
    """How the carrying out of stages ended."""

    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class Node:
    """A step, as far as its order matters; ``needs`` are of the same stage.

    ``lanes`` are what it shares with others, while it runs itself. ``group`` names what it is a part of.
    """

    id: str
    needs: tuple[str, ...]
    lanes: tuple[str, ...] = ()
    group: str = ""
    seconds: int = 0


@dataclass(frozen=True)
class Group:
    """Steps that share ``lanes`` with others from the beginning of the first one to the end of the last.

    One that has ``begun`` goes on whatever the limits say, and before any other begins. One whose steps need
    another's begins after that one: it would keep a place in which the other has to come to its end.
    """

    lanes: tuple[str, ...]
    seconds: int = 0
    begun: bool = False


class Hours(Protocol):
    """When groups may begin."""

    def wait(self, seconds: int) -> float:
        """Return for how long one that takes so many seconds has to wait yet; 0 where it may begin."""
        ...

    async def rest(self, seconds: float, stopping: Callable[[], bool]) -> None:
        """Wait for so long, unless ``stopping``: nothing runs, and nothing may begin before."""
        ...


class Always:
    """No group ever has to wait: see ``Hours``."""

    def wait(self, seconds: int) -> float:
        """Return that there is nothing to wait for."""
        del seconds
        return 0.0

    async def rest(self, seconds: float, stopping: Callable[[], bool]) -> None:
        """Never called."""
        raise NotImplementedError


@dataclass(frozen=True)
class StageOrder:
    """A stage, as far as its order matters; ``limits`` are the lanes'. A group that is not named has none.

    Up to ``failures`` groups may fail before no other begins.
    """

    nodes: Sequence[Node]
    limits: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    failures: int = 0
    hours: Hours = field(default_factory=Always)


Stages = Sequence[StageOrder]
CarryOut = Callable[[str], Awaitable[StepState]]
OnStage = Callable[[Sequence[Node]], CarryOut]


async def carry_out_stages(
    stages: Stages, on_stage: OnStage, *, stopping: Callable[[], bool], at_once: int
) -> Ending:
    """Carry out stages, at most ``at_once`` steps at a time, and say how that ended.

    ``on_stage`` is called as a stage begins and returns what carries out one of its steps. A step that does
    not pass takes its group out of the stage, and once more than the stage allows have failed, no other group
    begins; without a group, no step begins. Nor does one once ``stopping()``. What runs comes to its end,
    or is PAUSED, which is no failure.
    """
    for stage in stages:
        ending = await _carry_out_stage(stage, on_stage(stage.nodes), stopping, at_once)
        if ending is not Ending.DONE:
            return ending
    return Ending.DONE


async def _carry_out_stage(
    stage: StageOrder, carry_out: CarryOut, stopping: Callable[[], bool], at_once: int
) -> Ending:
    queue = _Queue(stage)
    running: dict[asyncio.Task[StepState], str] = {}
    try:
        while True:
            while len(running) < at_once and not stopping():
                name = queue.take()
                if name is None:
                    break
                running[asyncio.ensure_future(carry_out(name))] = name
            wait = 0.0 if stopping() else queue.wait()
            if running:
                over, _ = await asyncio.wait(
                    running, timeout=wait or None, return_when=asyncio.FIRST_COMPLETED
                )
                for task in over:
                    queue.end(running.pop(task), task.result())
            elif wait:
                await stage.hours.rest(wait, stopping)
            else:
                break
    finally:
        await _abandon(running)
    return queue.ending


class _Queue:
    """What of a stage can begin: steps of what has begun, then the next group.

    A group that fails gives up its places: ``failures`` is how many more may be down for that.
    """

    def __init__(self, stage: StageOrder) -> None:
        self._stage = stage
        self._nodes = {node.id: node for node in stage.nodes}
        self._order = TopologicalSorter({node.id: node.needs for node in stage.nodes})
        self._left = Counter(node.group for node in stage.nodes)
        self._steps, self._groups = Admission(stage.limits), Admission(stage.limits)
        self._inside: set[str] = set()
        self._running: Counter[str] = Counter()
        self._failed: set[str] = set()
        self._paused = False
        self._ahead = _groups_ahead(stage.nodes)
        self._later: dict[str, list[Node]] = defaultdict(list)
        self._before: dict[str, list[Node]] = defaultdict(list)
        for name, group in stage.groups.items():
            if group.begun:
                self._groups.enter(name, group.lanes)
                self._inside.add(name)
        self._order.prepare()
        self._sort()

    def take(self) -> str | None:
        """Return the next step to begin, or None where none may begin now."""
        while (name := self._next()) is not None:
            if self._goes_on(self._nodes[name].group):
                self._running[self._nodes[name].group] += 1
                return name
            self._steps.leave(name)
        return None

    def _next(self) -> str | None:
        name = self._steps.admit()
        while name is None and self._more_may_begin:
            group = self._groups.admit(lambda seconds: self._stage.hours.wait(seconds) <= 0)
            if group is None:
                return None
            self._inside.add(group)
            self._put(self._before.pop(group))
            self._place(self._later.pop(group, ()))
            name = self._steps.admit()
        return name

    def wait(self) -> float:
        """Return the seconds until a group may begin that only the hour keeps back; 0 where there is none."""
        if not self._more_may_begin:
            return 0.0
        waits = map(self._stage.hours.wait, self._groups.heads())
        return min((wait for wait in waits if wait > 0), default=0.0)

    def end(self, name: str, state: StepState) -> None:
        """Take note of a step's end; one that is paused is what is left, as if it had not begun."""
        group = self._nodes[name].group
        self._steps.leave(name)
        self._running[group] -= 1
        if state is StepState.PAUSED:
            self._paused = True
            return
        self._left[group] -= 1
        if state.passed:
            self._order.done(name)
            self._sort()
        else:
            self._failed.add(group)
        if group and not self._running[group] and (group in self._failed or not self._left[group]):
            self._groups.leave(group)

    @property
    def ending(self) -> Ending:
        """How the stage has ended, once nothing runs and nothing begins."""
        if self._failed:
            return Ending.FAILED
        return Ending.STOPPED if self._paused or len(self._steps) or len(self._groups) else Ending.DONE

    @property
    def _more_may_begin(self) -> bool:
        return len(self._failed) <= self._stage.failures and "" not in self._failed

    def _goes_on(self, group: str) -> bool:
        """Return whether steps of a group may begin, or, of none, any step that has none."""
        return group not in self._failed and (bool(group) or self._more_may_begin)

    def _sort(self) -> None:
        self._place(self._nodes[name] for name in self._order.get_ready())

    def _place(self, nodes: Iterable[Node]) -> None:
        """Let what is ready wait for its step's turn, or first for its group's, after those ahead of it."""
        for node in nodes:
            if not node.group or node.group in self._inside:
                self._put([node])
            elif ahead := self._ahead[node.group] - self._inside:
                self._later[min(ahead)].append(node)
            else:
                self._line_up(node)

    def _line_up(self, node: Node) -> None:
        if node.group not in self._before:
            group = self._stage.groups.get(node.group, Group(()))
            self._groups.wait(node.group, group.lanes, group.seconds)
        self._before[node.group].append(node)

    def _put(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            self._steps.wait(node.id, node.lanes, node.seconds)


def _groups_ahead(nodes: Sequence[Node]) -> Mapping[str, set[str]]:
    """Return, for each group, the others that its steps need steps of."""
    groups = {node.id: node.group for node in nodes}
    found: dict[str, set[str]] = {group: set() for group in groups.values()}
    for node in nodes:
        found[node.group] |= {groups[need] for need in node.needs} - {node.group, ""}
    return found


async def _abandon(running: dict[asyncio.Task[StepState], str]) -> None:
    """Cancel what is left: only where the process is about to end; the hosts go on with their jobs."""
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
