"""The Plan: what will be done, in which order, as data that a person reviews.

A plan has no clock and no chance in it: the same Cloud, Catalog and target give the same bytes.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, SerializationInfo, TypeAdapter, field_serializer

from skipstone.checks.finding import Finding
from skipstone.cloud.fingerprint import Fingerprint
from skipstone.cloud.model import Fact
from skipstone.plan.admission import forecast
from skipstone.plan.repeating import Entry, Repeat, Steps, entries_of, outlines_of
from skipstone.plan.window import Window
from skipstone.steps.step import Reversibility, Step, is_empty

GATE_EXPIRES = 2 * 3600
"""Seconds for which an approval is waited for: what it is based on grows old."""


ALWAYS_A_WAY_BACK = (
    "no point of no return: `skipstone rollback` undoes all of it, until the run's checkpoints are dropped"
)


_STEPS = TypeAdapter(tuple[Step, ...])


def _steps(value: object) -> Sequence[Step]:
    return value if isinstance(value, Steps) else _STEPS.validate_python(value)


def _is_final(entry: Entry) -> bool:
    step = entry.model.step if isinstance(entry, Repeat) else entry
    return step.reversibility is Reversibility.NONE


class Stage(Fact):
    """Some steps; stages follow one another, steps inside run as their ``needs`` allow.

    At most ``at_once`` run at the same time, and ``per_zone`` on the hosts of one zone (a rack); None leaves
    it to the operator's settings.

    ``groups`` are those that steps name (``Step.group``), in the order in which they are to begin, each with
    its lanes: what it shares with others. ``lanes`` say how many groups may be in each; a group is in its
    lanes from the beginning of its first step to the end of its last one. Up to ``failures`` groups may fail
    before no other begins; none begins outside ``windows``, if there are any.
    """

    name: str
    title: str
    steps: Annotated[Sequence[Step], PlainValidator(_steps)]
    at_once: int | None = None
    per_zone: int | None = None
    lanes: dict[str, int] = Field(default_factory=dict, exclude_if=is_empty)
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict, exclude_if=is_empty)
    failures: int = Field(0, exclude_if=is_empty)
    windows: tuple[Window, ...] = Field((), exclude_if=is_empty)

    @field_serializer("steps")
    def _plainly(self, steps: Sequence[Step], info: SerializationInfo) -> list[dict[str, Any]]:
        return [step.model_dump(mode=info.mode) for step in steps]

    @cached_property
    def seconds(self) -> dict[str, int]:
        """Seconds along the longest chain of needs, of each group; of the other steps at ``""``.

        What a group waits for in others is no work of its own.
        """
        ends: dict[str, int] = {}
        found = dict.fromkeys(self.groups, 0)
        steps = outlines_of(self.steps)
        groups = {step.id: step.group for step in steps}
        for step in steps:
            own = (ends[need] for need in step.needs if groups[need] == step.group)
            ends[step.id] = step.estimate + max(own, default=0)
            found[step.group] = max(found.get(step.group, 0), ends[step.id])
        return found

    @cached_property
    def estimate(self) -> int:
        """Seconds that it takes as its needs and lanes allow, without waiting for a window."""
        alone = self.seconds.get("", 0)
        if self.at_once and not self.groups:
            alone = max(alone, sum(step.estimate for step in outlines_of(self.steps)) // self.at_once)
        groups = ((name, lanes, self.seconds[name]) for name, lanes in self.groups.items())
        return max(alone, forecast(groups, self.lanes))


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
        entries = chain.from_iterable(entries_of(stage.steps) for stage in self.stages)
        return next((one.id for one in entries if _is_final(one)), None)

    @property
    def estimate(self) -> int:
        """Seconds for all stages."""
        return sum(stage.estimate for stage in self.stages)
