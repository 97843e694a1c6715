"""Stages of very many steps in few lines: what is alike on all hosts is one line, what is not has its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from skipstone.run.state import StepState
from skipstone.views.report import StageReport, StepReport

FULL = 200
"""A stage with more steps than this is shown in short."""
SINGLED_OUT = 50


@dataclass(frozen=True)
class Alike:
    """Steps that differ by their host alone: how many are done of them, and how long they took."""

    title: str
    count: int
    done: int
    middle: float
    slowest: float
    slowest_host: str


@dataclass(frozen=True)
class Crowd:
    """A stage in short: what is alike, the steps that an operator looks at, and how many more of these."""

    alike: tuple[Alike, ...]
    singled_out: tuple[StepReport, ...]
    hidden: int


def crowd_of(stage: StageReport) -> Crowd | None:
    """Return a stage in short; None where it has so few steps that all are shown."""
    if len(stage.steps) <= FULL:
        return None
    groups: dict[str, list[StepReport]] = {}
    for step in stage.steps:
        groups.setdefault(_without_host(step.title, step.host), []).append(step)
    odd = [step for step in stage.steps if _odd(step)]
    return Crowd(
        tuple(_alike(title, steps) for title, steps in groups.items()),
        tuple(odd[:SINGLED_OUT]),
        max(len(odd) - SINGLED_OUT, 0),
    )


def _odd(step: StepReport) -> bool:
    return step.attempts > 1 or bool(step.error) or step.state not in {StepState.DONE, StepState.PENDING}


def _alike(title: str, steps: Iterable[StepReport]) -> Alike:
    every = list(steps)
    over = [step for step in every if step.ended]
    slowest = max(over, key=lambda step: step.seconds, default=None)
    return Alike(
        title,
        len(every),
        sum(step.state is StepState.DONE for step in every),
        median([step.seconds for step in over]) if over else 0.0,
        slowest.seconds if slowest else 0.0,
        slowest.host if slowest else "",
    )


def _without_host(title: str, host: str) -> str:
    return title.replace(host, "…")
