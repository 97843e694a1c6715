"""The order of a run: stages one after the other, the steps of one as their needs allow.

Pure of any engine: who calls ``carry_out_stages`` says how a step is carried out.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from graphlib import TopologicalSorter

from skipstone.run.state import StepState


class Ending(StrEnum):
    """How the carrying out of stages ended."""

    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class Node:
    """A step, as far as its order matters; ``needs`` are of the same stage.

    ``lanes`` are what it shares with others, and how many of them may be in each at the same time.
    """

    id: str
    needs: tuple[str, ...]
    lanes: tuple[tuple[str, int], ...] = ()


Stages = Sequence[Sequence[Node]]
CarryOut = Callable[[str], Awaitable[StepState]]
OnStage = Callable[[Sequence[Node]], CarryOut]


async def carry_out_stages(
    stages: Stages, on_stage: OnStage, *, stopping: Callable[[], bool], at_once: int
) -> Ending:
    """Carry out stages, at most ``at_once`` steps at a time, and say how that ended.

    ``on_stage`` is called as a stage begins and returns what carries out one of its steps. After a step
    that does not pass, or once ``stopping()``, no step begins, and those that run come to their end.
    """
    for stage in stages:
        ending = await _carry_out_stage(stage, on_stage(stage), stopping, at_once)
        if ending is not Ending.DONE:
            return ending
    return Ending.DONE


async def _carry_out_stage(
    stage: Sequence[Node], carry_out: CarryOut, stopping: Callable[[], bool], at_once: int
) -> Ending:
    nodes = {node.id: node for node in stage}
    order = TopologicalSorter({node.id: node.needs for node in stage})
    order.prepare()
    ready: deque[str] = deque()
    running: dict[asyncio.Task[StepState], str] = {}
    taken: Counter[str] = Counter()
    failed = False
    try:
        while True:
            ready.extend(order.get_ready())
            while len(running) < at_once and not failed and not stopping():
                name = _take(ready, nodes, taken)
                if name is None:
                    break
                running[asyncio.ensure_future(carry_out(name))] = name
            if not running:
                break
            over, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in over:
                name = running.pop(task)
                taken.subtract(lane for lane, _ in nodes[name].lanes)
                if task.result().passed:
                    order.done(name)
                else:
                    failed = True
    finally:
        await _abandon(running)
    if failed:
        return Ending.FAILED
    return Ending.STOPPED if ready else Ending.DONE


def _take(ready: deque[str], nodes: Mapping[str, Node], taken: Counter[str]) -> str | None:
    """Take the first step whose lanes all have room, and a place in each; None where there is none."""
    for name in ready:
        lanes = nodes[name].lanes
        if all(taken[lane] < limit for lane, limit in lanes):
            ready.remove(name)
            taken.update(lane for lane, _ in lanes)
            return name
    return None


async def _abandon(running: dict[asyncio.Task[StepState], str]) -> None:
    """Cancel what is left: only where the process is about to end; the hosts go on with their jobs."""
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
