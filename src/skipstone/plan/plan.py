"""The Plan: what will be done, in which order, as data that a person reviews.

A plan has no clock and no chance in it: the same Cloud, Catalog and target give the same bytes.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from pydantic import Field, SerializeAsAny

from skipstone.checks.finding import Finding
from skipstone.cloud.fingerprint import Fingerprint
from skipstone.cloud.model import Fact
from skipstone.steps.step import Reversibility, Step

GATE_EXPIRES = 2 * 3600
"""Seconds for which an approval is waited for: what it is based on grows old."""


ALWAYS_A_WAY_BACK = (
    "no point of no return: `skipstone rollback` undoes all of it, until the run's checkpoints are dropped"
)


class Stage(Fact):
    """A group of steps; stages follow one another, steps inside run as their ``needs`` allow.

    At most ``at_once`` run at the same time, and ``per_zone`` on the hosts of one zone (a rack, an
    availability zone); None leaves it to the operator's settings.
    """

    name: str
    title: str
    steps: tuple[SerializeAsAny[Step], ...]
    at_once: int | None = None
    per_zone: int | None = None

    @property
    def estimate(self) -> int:
        """Seconds along the longest chain of needs."""
        ends: dict[str, int] = {}
        for step in self.steps:
            ends[step.id] = step.estimate + max((ends[need] for need in step.needs), default=0)
        return max(ends.values(), default=0)


class Gate(Fact):
    """A stop for a person, before a stage; unanswered for ``expires`` seconds, the run pauses there."""

    id: str
    title: str
    before: str
    expires: int = GATE_EXPIRES


class Plan(Fact):
    """Everything that apply needs but the credentials.

    ``id`` is derived from the cloud, its digest and the target; ``fingerprint`` is what apply compares
    with a fresh discovery before it changes anything; ``endpoints`` (catalog service -> public URL)
    are what the probes and health checks ask; ``zones`` (host -> zone) says which hosts share one.

    ``of_run`` names the run that the plan rolls back, to the beginning of its stage ``undoes_to``, or whose
    checkpoints it drops; such a plan is made from that run's journal, and has no fingerprint.
    """

    format: Literal[1] = 1
    id: str
    skipstone: str
    strategy: str
    of_run: str = ""
    undoes_to: str = ""
    cloud: str
    source: str
    target: str
    route: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    endpoints: dict[str, str] = Field(default_factory=dict)
    zones: dict[str, str] = Field(default_factory=dict)
    stages: tuple[Stage, ...]
    gates: tuple[Gate, ...] = ()
    fingerprint: Fingerprint

    def steps(self) -> Iterator[Step]:
        """Yield every step in plan order."""
        for stage in self.stages:
            yield from stage.steps

    @cached_property
    def point_of_no_return(self) -> str | None:
        """Id of the first step that nothing can undo, or None."""
        return next((step.id for step in self.steps() if step.reversibility is Reversibility.NONE), None)

    @property
    def estimate(self) -> int:
        """Seconds for all stages."""
        return sum(stage.estimate for stage in self.stages)
