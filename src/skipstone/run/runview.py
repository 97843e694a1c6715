"""Where a run stands, folded from its journal's events.

``status``, ``log``, the report and live progress all read this one object, so they cannot disagree.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from skipstone.run.budgetview import BudgetView
from skipstone.run.state import GateState, Kind, RunState, StepState


@dataclass(frozen=True)
class Event:
    """One line of the journal. ``step`` and ``attempt`` are None for events of the whole run."""

    seq: int
    time: datetime
    token: int
    kind: Kind
    step: str | None
    attempt: int | None
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class StepView:
    """Where one step stands; times are UTC, ``estimate`` and ``deadline`` seconds.

    ``offset`` is how many bytes of the present attempt's output are in the journal; ``taken`` says that
    the host is known to have taken the present attempt's job. ``who`` said to skip it, and ``why``.
    ``moves`` has a line for each instance on its way (``run/moves.py``).
    ``undone`` is the last attempt that a rollback has undone: what follows begins anew. ``group`` is the host
    that is down meanwhile, where the plan counts those.
    """

    id: str
    title: str
    host: str
    estimate: int
    deadline: int
    impact: str
    group: str = ""
    state: StepState = StepState.PENDING
    reason: str = ""
    attempt: int = 0
    undone: int = 0
    began: datetime | None = None
    ended: datetime | None = None
    attempt_began: datetime | None = None
    taken: bool = False
    offset: int = 0
    last_line: str = ""
    moves: str = ""
    code: int | None = None
    seconds: float = 0
    rebooted: bool = False
    error: str = ""
    evidence: str = ""
    remedy: str = ""
    who: str = ""
    why: str = ""

    def is_of(self, host: str) -> bool:
        """Return whether it is a host's: runs there, or is a part of what is done about it."""
        return host in {self.host, self.group}

    @property
    def is_lost(self) -> bool:
        """Whether it is left out because its host was written off."""
        return self.state is StepState.SKIPPED and not self.who


@dataclass(frozen=True)
class GateView:
    """Where one gate stands that the run has come to.

    ``opened`` is the number of the event that opened it, which a decision names; ``basis`` the lines that the
    decision is based on; ``who`` and ``why`` are the decision's.
    """

    id: str
    title: str
    stage: str
    opened: int
    opened_at: datetime
    expires: datetime
    basis: tuple[str, ...]
    state: GateState = GateState.OPEN
    who: str = ""
    why: str = ""
    decided: datetime | None = None


@dataclass(frozen=True)
class WrittenOff:
    """A host that is lost, as ``who`` has said, and ``why``: the run goes on without it, and so goes back."""

    host: str
    who: str
    why: str


@dataclass(frozen=True)
class HostCounts:
    """How many hosts of a stage are done, at work (or begun, and left), failed, lost; and how many in all."""

    done: int
    at_work: int
    failed: int
    lost: int
    total: int


@dataclass(frozen=True)
class StageView:
    """Where one stage stands; what is derived is so once, for it is asked for at every redraw."""

    name: str
    title: str
    estimate: int
    steps: tuple[StepView, ...]

    @cached_property
    def states(self) -> Counter[StepState]:
        """How many steps are in each state."""
        return Counter(step.state for step in self.steps)

    @property
    def passed(self) -> int:
        """How many steps are done or skipped."""
        return sum(number for state, number in self.states.items() if state.passed)

    @cached_property
    def state(self) -> StepState:
        """The state that matters most: failed, then whatever is going on, then pending or done."""
        states = self.states.keys()
        for state in (StepState.FAILED, StepState.UNKNOWN):
            if state in states:
                return state
        if all(state.passed for state in states):
            return StepState.DONE
        return StepState.PENDING if states == {StepState.PENDING} else StepState.RUNNING

    @cached_property
    def going(self) -> tuple[StepView, ...]:
        """The steps of which an attempt was begun whose end is not known."""
        return tuple(step for step in self.steps if step.state.open)

    @cached_property
    def failed(self) -> tuple[StepView, ...]:
        """The steps that an operator must look at."""
        return tuple(step for step in self.steps if step.error and not step.state.passed)

    @cached_property
    def hosts(self) -> HostCounts | None:
        """How far its hosts are, where the plan takes them in a wave; None where not."""
        states: dict[str, set[StepState]] = {}
        for step in self.steps:
            if step.group:
                states.setdefault(step.group, set()).add(step.state)
        if not states:
            return None
        lost = {step.group for step in self.steps if step.group and step.is_lost}
        kept = [found for group, found in states.items() if group not in lost]
        done = sum(all(state.passed for state in found) for found in kept)
        failed = sum(StepState.FAILED in found for found in kept)
        idle = sum(found == {StepState.PENDING} for found in kept)
        return HostCounts(done, len(kept) - done - failed - idle, failed, len(lost), len(states))

    @cached_property
    def began(self) -> datetime | None:
        """When its first step began, or None."""
        return min((step.began for step in self.steps if step.began), default=None)

    @cached_property
    def last_end(self) -> datetime | None:
        """When the last of those steps ended that have; None where none has."""
        return max((step.ended for step in self.steps if step.ended), default=None)

    @property
    def ended(self) -> datetime | None:
        """When its last step ended, or None while one has not."""
        return self.last_end if all(step.ended for step in self.steps) else None

    @property
    def seconds(self) -> float:
        """From its first step's beginning to its last step's end; 0 while it has not ended."""
        return (self.ended - self.began).total_seconds() if self.began and self.ended else 0.0


@dataclass(frozen=True)
class RunView:
    """Where a run stands.

    ``mark`` was drawn when it began, and is empty where a version did that which knew of none.
    ``skipstone`` is the version that its plan is of. ``of_run`` names the run that it rolls back, or whose
    checkpoints it drops; ``undoing_by`` is the run by which it is itself undone, ``undoing_to`` the stage to
    whose beginning, where not wholly. From ``dropped`` on it cannot be undone any more.
    ``sittings`` counts the processes that have worked on it, the present one since ``sitting_began``;
    ``worked`` is how many seconds those before it did. The time in between is not the run's.
    ``waits_until`` is when a maintenance window opens that it waits for. ``left_out`` has a line for each
    instance that counts for no budget any more, for its owner has stopped or deleted it.
    """

    run: str = ""
    mark: str = ""
    plan_id: str = ""
    plan_digest: str = ""
    skipstone: str = ""
    cloud: str = ""
    of_run: str = ""
    undoing_by: str = ""
    undoing_to: str = ""
    dropped: datetime | None = None
    source: str = ""
    target: str = ""
    point_of_no_return: str | None = None
    estimate: int = 0
    state: RunState = RunState.NEW
    reason: str = ""
    who: str = ""
    host: str = ""
    pid: int = 0
    sittings: int = 0
    sitting_began: datetime | None = None
    worked: float = 0.0
    began: datetime | None = None
    ended: datetime | None = None
    last_seq: int = 0
    last_time: datetime | None = None
    stages: tuple[StageView, ...] = ()
    gates: tuple[GateView, ...] = ()
    budgets: tuple[BudgetView, ...] = ()
    written_off: tuple[WrittenOff, ...] = ()
    left_out: tuple[str, ...] = ()
    waits_until: datetime | None = None

    @property
    def jobs(self) -> str:
        """What its jobs' directory is called on hosts; no other run's is, even of the same name."""
        return f"{self.run}.{self.mark}" if self.mark else self.run

    def gate(self, name: str) -> GateView | None:
        """Return where a gate stands, or None where the run has not come to it."""
        return next((gate for gate in self.gates if gate.id == name), None)

    @property
    def refusing_gate(self) -> GateView | None:
        """The gate that stopped the run, by a no or by its expiry, or None."""
        last = self.gates[-1] if self.gates else None
        refused = last is not None and last.state in {GateState.REJECTED, GateState.EXPIRED}
        return last if refused and self.state is RunState.STOPPED else None

    @property
    def exceeded(self) -> tuple[BudgetView, ...]:
        """The budgets that hold the run back: broken, and neither raised nor accepted since."""
        return tuple(one for one in self.budgets if one.broken and not one.accepted)

    @property
    def open_gate(self) -> GateView | None:
        """The gate that the run waits at, or None."""
        if self.state is not RunState.WAITING:
            return None
        return next((gate for gate in self.gates if gate.state is GateState.OPEN), None)

    def steps(self) -> Iterable[StepView]:
        """Yield every step in plan order."""
        for stage in self.stages:
            yield from stage.steps

    def elapsed(self, now: datetime) -> float:
        """Return for how many seconds it was worked on."""
        return self.worked + ((now - self.sitting_began).total_seconds() if self.sitting_began else 0)

    @property
    def failed(self) -> tuple[StepView, ...]:
        """The steps that an operator must look at."""
        return tuple(step for stage in self.stages for step in stage.failed)

    @property
    def remaining(self) -> tuple[StepView, ...]:
        """The steps that are neither done nor skipped."""
        return tuple(step for step in self.steps() if not step.state.passed)
