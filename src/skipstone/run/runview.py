"""Where a run stands, folded from its journal's events.

``status``, ``log``, the report and live progress all read this one object, so they cannot disagree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from skipstone.run.budgetview import BudgetView, allow, see_broken
from skipstone.run.state import GateState, Kind, RunState, StepState, next_run_state, next_step_state


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
    code: int | None = None
    seconds: float = 0
    rebooted: bool = False
    error: str = ""
    evidence: str = ""
    remedy: str = ""
    who: str = ""
    why: str = ""


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
class HostCounts:
    """How many hosts of a stage are done, at work (or begun, and left), failed; and how many there are."""

    done: int
    at_work: int
    failed: int
    total: int


@dataclass(frozen=True)
class StageView:
    """Where one stage stands."""

    name: str
    title: str
    estimate: int
    steps: tuple[StepView, ...]

    @cached_property
    def state(self) -> StepState:
        """The state that matters most: failed, then whatever is going on, then pending or done."""
        states = {step.state for step in self.steps}
        for state in (StepState.FAILED, StepState.UNKNOWN):
            if state in states:
                return state
        if all(state.passed for state in states):
            return StepState.DONE
        return StepState.PENDING if states == {StepState.PENDING} else StepState.RUNNING

    @cached_property
    def hosts(self) -> HostCounts | None:
        """How far its hosts are, where the plan takes them in a wave; None where not."""
        states: dict[str, set[StepState]] = {}
        for step in self.steps:
            if step.group:
                states.setdefault(step.group, set()).add(step.state)
        if not states:
            return None
        done = sum(all(state.passed for state in found) for found in states.values())
        failed = sum(StepState.FAILED in found for found in states.values())
        idle = sum(found == {StepState.PENDING} for found in states.values())
        return HostCounts(done, len(states) - done - failed - idle, failed, len(states))

    @property
    def began(self) -> datetime | None:
        """When its first step began, or None."""
        return min((step.began for step in self.steps if step.began), default=None)

    @property
    def ended(self) -> datetime | None:
        """When its last step ended, or None while one has not."""
        ends = [step.ended for step in self.steps]
        return max((end for end in ends if end), default=None) if all(ends) else None

    @property
    def seconds(self) -> float:
        """From its first step's beginning to its last step's end; 0 while it has not ended."""
        return (self.ended - self.began).total_seconds() if self.began and self.ended else 0.0


@dataclass(frozen=True)
class RunView:
    """Where a run stands.

    ``skipstone`` is the version that its plan is of. ``of_run`` names the run that it rolls back, or whose
    checkpoints it drops; ``undoing_by`` is the run by which it is itself undone, ``undoing_to`` the stage to
    whose beginning, where not wholly. From ``dropped`` on it cannot be undone any more.
    ``sittings`` counts the processes that have worked on it, the present one since ``sitting_began``;
    ``worked`` is how many seconds those before it did. The time in between is not the run's.
    ``waits_until`` is when a maintenance window opens that it waits for.
    """

    run: str = ""
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
    worked: float = 0
    began: datetime | None = None
    ended: datetime | None = None
    last_seq: int = 0
    last_time: datetime | None = None
    stages: tuple[StageView, ...] = ()
    gates: tuple[GateView, ...] = ()
    budgets: tuple[BudgetView, ...] = ()
    waits_until: datetime | None = None

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
        return tuple(step for step in self.steps() if step.error and not step.state.passed)

    @property
    def remaining(self) -> tuple[StepView, ...]:
        """The steps that are neither done nor skipped."""
        return tuple(step for step in self.steps() if not step.state.passed)


@dataclass
class Fold:
    """Takes events one by one, in order, and gives the view at any time; ``step`` costs O(1)."""

    _run: RunView = field(default_factory=RunView)
    _steps: dict[str, StepView] = field(default_factory=dict)
    _stages: list[tuple[StageView, tuple[str, ...]]] = field(default_factory=list)
    _stage_of: dict[str, int] = field(default_factory=dict)
    _fresh: dict[int, StageView] = field(default_factory=dict)
    _last: Event | None = None

    def add(self, event: Event) -> None:
        """Take the next event; raise ForbiddenMove where the present state does not allow it."""
        if event.step is None:
            self._add_to_run(event)
        else:
            self._steps[event.step] = after(self._steps[event.step], event)
            self._fresh.pop(self._stage_of[event.step], None)
        self._last = event

    def check(self, kind: Kind, step: str | None) -> None:
        """Raise ForbiddenMove where such an event could not be taken now; take nothing."""
        if step is None:
            next_run_state(self._run.state, kind)
        else:
            next_step_state(self._steps[step].state, kind)

    def step(self, name: str) -> StepView:
        """Return where one step stands."""
        return self._steps[name]

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return self._run.state

    @property
    def view(self) -> RunView:
        """The whole run as it stands."""
        for number, (stage, ids) in enumerate(self._stages):
            if number not in self._fresh:
                self._fresh[number] = replace(stage, steps=tuple(map(self.step, ids)))
        stages = tuple(self._fresh[number] for number in range(len(self._stages)))
        last = self._last
        if last is None:
            return replace(self._run, stages=stages)
        return replace(self._run, stages=stages, last_seq=last.seq, last_time=last.time)

    def _add_to_run(self, event: Event) -> None:
        move = next_run_state(self._run.state, event.kind)
        facts = event.payload
        changes: dict[str, Any] = {"state": move.to, "reason": facts.get("reason") or move.reason}
        until = facts["until"] if event.kind is Kind.WINDOW_CLOSED else None
        changes["waits_until"] = datetime.fromisoformat(until) if until else None
        if event.kind in {Kind.RUN_STARTED, Kind.RUN_RESUMED}:
            changes |= {name: facts[name] for name in ("who", "host", "pid")}
            changes |= {"sittings": self._run.sittings + 1, "ended": None}
            # where the process before this one died, it is known to have worked until its last event
            changes |= {
                "worked": self._run.elapsed(self._last.time if self._last else event.time),
                "sitting_began": event.time,
            }
        if event.kind is Kind.RUN_STARTED:
            changes |= {"began": event.time} | self._read_plan(facts)
        if event.kind is Kind.ROLLBACK_BEGUN:
            changes |= {"undoing_by": facts.get("by", ""), "undoing_to": facts.get("to", "")}
        if event.kind is Kind.CHECKPOINT_REACHED:
            self._steps |= {name: _begun_anew(self._steps[name]) for name in facts["undone"]}
            self._fresh.clear()
            changes["gates"] = tuple(gate for gate in self._run.gates if gate.stage not in facts["stages"])
        changes |= _decided(self._run, event)
        if event.kind is Kind.CHECKPOINTS_DROPPED:
            changes = {"dropped": event.time}
        elif not move.to.at_work:
            by_itself = event.kind in {Kind.RUN_DONE, Kind.RUN_FAILED, Kind.RUN_STOPPED}
            until = event.time if by_itself or not self._last else self._last.time
            worked = self._run.elapsed(until)
            changes |= {"ended": event.time, "worked": worked, "sitting_began": None}
        self._run = replace(self._run, **changes)

    def _read_plan(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        plan = facts["plan"]
        for stage in plan["stages"]:
            for step in stage["steps"]:
                self._steps[step["id"]] = _new_step(step)
            ids = tuple(step["id"] for step in stage["steps"])
            self._stage_of |= dict.fromkeys(ids, len(self._stages))
            self._stages.append((StageView(stage["name"], stage["title"], stage["estimate"], ()), ids))
        return {
            "run": facts["run"],
            "plan_digest": facts["plan_digest"],
            "plan_id": plan["id"],
            "of_run": plan.get("of_run", ""),
            "skipstone": plan.get("skipstone", ""),
            **{name: plan[name] for name in ("cloud", "source", "target", "point_of_no_return", "estimate")},
        }


_GATE_STATES = {
    Kind.GATE_OPENED: GateState.OPEN,
    Kind.GATE_APPROVED: GateState.APPROVED,
    Kind.GATE_REJECTED: GateState.REJECTED,
    Kind.GATE_EXPIRED: GateState.EXPIRED,
}


def _with_gate(gates: tuple[GateView, ...], event: Event) -> tuple[GateView, ...]:
    """Return the gates after an event of one of them; a gate that is opened again begins anew."""
    facts, others = event.payload, tuple(gate for gate in gates if gate.id != event.payload["gate"])
    if event.kind is Kind.GATE_OPENED:
        opened = GateView(
            id=facts["gate"],
            title=facts["title"],
            stage=facts["stage"],
            opened=event.seq,
            opened_at=event.time,
            expires=datetime.fromisoformat(facts["expires"]),
            basis=tuple(facts["basis"]),
        )
        return (*others, opened)
    before = next(gate for gate in gates if gate.id == facts["gate"])
    decision = {"who": facts.get("who", ""), "why": facts.get("why", ""), "decided": event.time}
    return (*others, replace(before, state=_GATE_STATES[event.kind], **decision))


def _decided(run: RunView, event: Event) -> dict[str, Any]:
    """Return what becomes of a run's gates and budgets."""
    if event.kind in _GATE_STATES:
        return {"gates": _with_gate(run.gates, event)}
    if event.kind in {Kind.RUN_STARTED, Kind.RUN_RESUMED}:
        return {"budgets": allow(run.budgets, event.payload, event.time)}
    if event.kind is Kind.BUDGET_BROKEN:
        return {"budgets": see_broken(run.budgets, event.payload, event.time)}
    return {}


def fold(events: Iterable[Event]) -> RunView:
    """Return where a run stands after these events, which are all of it, in order."""
    folding = Fold()
    for event in events:
        folding.add(event)
    return folding.view


def after(step: StepView, event: Event) -> StepView:
    """Return where a step stands after its next event; raise ForbiddenMove where it cannot be."""
    move = next_step_state(step.state, event.kind)
    new = object.__new__(StepView)
    # ``replace`` hands every field to __init__, which took a third of what `status` of a large run takes
    new.__dict__.update(step.__dict__)
    new.__dict__.update(state=move.to, reason=move.reason, attempt=event.attempt or step.attempt)
    new.__dict__.update(_changes(step, event))
    return new


def _changes(step: StepView, event: Event) -> dict[str, Any]:
    facts, began = event.payload, {"began": step.began or event.time}
    changes: dict[str, Any] = {}
    match event.kind:
        case Kind.INTENT:
            changes = began | {"attempt_began": event.time, "ended": None} | _CLEARED
        case Kind.SUBMITTED:
            changes = {"taken": True} | _NO_ERROR
        case Kind.OUTPUT:
            changes = {"offset": facts["offset"], "last_line": _last_line(facts["text"]) or step.last_line}
        case Kind.OUTCOME | Kind.SKIPPED:
            changes = {name: facts[name] for name in _PLAIN_FACTS[event.kind]}
        case Kind.NOTHING_TO_DO | Kind.VERIFIED:
            changes = began | {"ended": event.time} | _NO_ERROR
        case Kind.FAILURE:
            changes = {"ended": event.time} | _error(facts)
        case Kind.NO_ANSWER:
            changes = _error(facts)
    return changes


_PLAIN_FACTS = {Kind.OUTCOME: ("code", "seconds", "rebooted"), Kind.SKIPPED: ("who", "why")}
_NO_ERROR: dict[str, Any] = {"error": "", "evidence": "", "remedy": ""}
_CLEARED: dict[str, Any] = {
    "taken": False,
    "offset": 0,
    "last_line": "",
    "code": None,
    "seconds": 0,
    "rebooted": False,
    **_NO_ERROR,
}


def _error(facts: Mapping[str, Any]) -> dict[str, str]:
    return {"error": facts["what"], "evidence": facts["evidence"], "remedy": facts["remedy"]}


_OF_PLAN = ("id", "title", "host", "estimate", "deadline", "impact", "group")


def _new_step(step: Mapping[str, Any]) -> StepView:
    return StepView(**{name: step[name] for name in _OF_PLAN if name in step})


def _begun_anew(step: StepView) -> StepView:
    """Return the step as if it had not begun, but for the number of its last attempt, which names a job."""
    facts = {name: getattr(step, name) for name in _OF_PLAN}
    return StepView(**facts, attempt=step.attempt, undone=step.attempt)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
