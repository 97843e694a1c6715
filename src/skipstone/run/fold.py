"""Folds a journal's events into where its run stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from skipstone.run.budgetview import allow, see_broken
from skipstone.run.moves import under_way
from skipstone.run.runview import Event, GateView, RunView, StageView, StepView, WrittenOff
from skipstone.run.state import GateState, Kind, RunState, next_run_state, next_step_state


@dataclass
class Fold:
    """Takes events one by one, in order, and gives the view at any time; ``step`` costs O(1).

    ``changed`` are the steps that are no longer as they were when somebody emptied it; None: all of them.
    """

    changed: set[str] | None = field(default_factory=set)
    _run: RunView = field(default_factory=RunView)
    _steps: dict[str, StepView] = field(default_factory=dict)
    _stages: list[tuple[StageView, tuple[str, ...]]] = field(default_factory=list)
    _stage_of: dict[str, int] = field(default_factory=dict)
    _fresh: dict[int, StageView] = field(default_factory=dict)
    _last_seq: int = 0
    _last_time: datetime | None = None

    @classmethod
    def going_on(cls, view: RunView) -> "Fold":
        """Return a fold that has come so far; it takes the event after ``view.last_seq``."""
        bare = replace(view, stages=())
        found = cls(_run=bare, _last_seq=view.last_seq, _last_time=view.last_time)
        for stage in view.stages:
            found._add_stage(stage)
        return found

    def add(self, event: Event) -> None:
        """Take the next event; raise ForbiddenMove where the present state does not allow it."""
        if event.step is None:
            self._add_to_run(event)
        else:
            self._steps[event.step] = after(self._steps[event.step], event)
            self._fresh.pop(self._stage_of[event.step], None)
            self._change(event.step)
        self._last_seq, self._last_time = event.seq, event.time

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
        return replace(self._run, stages=stages, last_seq=self._last_seq, last_time=self._last_time)

    def _add_to_run(self, event: Event) -> None:
        move = next_run_state(self._run.state, event.kind)
        if aside := self._aside(event):
            self._run = replace(self._run, **aside)
            return
        facts = event.payload
        changes: dict[str, Any] = {"state": move.to, "reason": facts.get("reason") or move.reason}
        until = facts["until"] if event.kind is Kind.WINDOW_CLOSED else None
        changes["waits_until"] = datetime.fromisoformat(until) if until else None
        if event.kind in {Kind.RUN_STARTED, Kind.RUN_RESUMED}:
            changes |= {name: facts[name] for name in ("who", "host", "pid")}
            changes |= {"sittings": self._run.sittings + 1, "ended": None}
            # where the process before this one died, it is known to have worked until its last event
            changes |= {
                "worked": self._run.elapsed(self._last_time or event.time),
                "sitting_began": event.time,
            }
        if event.kind is Kind.RUN_STARTED:
            changes |= {"began": event.time} | self._read_plan(facts)
        if event.kind is Kind.ROLLBACK_BEGUN:
            changes |= {"undoing_by": facts.get("by", ""), "undoing_to": facts.get("to", "")}
        if event.kind is Kind.CHECKPOINT_REACHED:
            self._begin_anew(facts["undone"])
            changes["gates"] = tuple(gate for gate in self._run.gates if gate.stage not in facts["stages"])
        changes |= _decided(self._run, event)
        if not move.to.at_work:
            by_itself = event.kind in {Kind.RUN_DONE, Kind.RUN_FAILED, Kind.RUN_STOPPED}
            worked = self._run.elapsed(event.time if by_itself else self._last_time or event.time)
            changes |= {"ended": event.time, "worked": worked, "sitting_began": None}
        self._run = replace(self._run, **changes)

    def _aside(self, event: Event) -> dict[str, Any]:
        """Return what an event changes that leaves the run where it stands; nothing of any other event."""
        match event.kind:
            case Kind.CHECKPOINTS_DROPPED:
                return {"dropped": event.time}
            case Kind.HOST_WRITTEN_OFF:
                return {"written_off": (*self._run.written_off, self._write_off(event))}
            case Kind.INSTANCE_LEFT_OUT:
                return {"left_out": (*self._run.left_out, event.payload["text"])}
        return {}

    def _begin_anew(self, undone: Iterable[str]) -> None:
        """Let steps begin anew, but those of hosts that were written off, where nothing was undone."""
        lost = [one.host for one in self._run.written_off]
        kept = [name for name in undone if not any(map(self._steps[name].is_of, lost))]
        self._steps |= {name: _begun_anew(self._steps[name]) for name in kept}
        self._fresh.clear()
        self._change(*kept)

    def _write_off(self, event: Event) -> WrittenOff:
        lost = WrittenOff(*(event.payload[name] for name in ("host", "who", "why")))
        for step in [step for step in self._steps.values() if step.is_of(lost.host)]:
            if not step.state.passed:
                move = next_step_state(step.state, event.kind)
                self._steps[step.id] = replace(step, state=move.to, reason=move.reason, ended=event.time)
                self._fresh.pop(self._stage_of[step.id], None)
                self._change(step.id)
        return lost

    def _add_stage(self, stage: StageView) -> None:
        ids = tuple(step.id for step in stage.steps)
        number = len(self._stages)
        self._steps |= zip(ids, stage.steps, strict=True)
        self._stage_of |= dict.fromkeys(ids, number)
        self._stages.append((replace(stage, steps=()), ids))
        self._fresh[number] = stage

    def _change(self, *steps: str) -> None:
        if self.changed is not None:
            self.changed.update(steps)

    def _read_plan(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        plan = facts["plan"]
        for stage in plan["stages"]:
            steps = tuple(map(_new_step, stage["steps"]))
            self._add_stage(StageView(stage["name"], stage["title"], stage["estimate"], steps))
        self.changed = None
        return {
            "run": facts["run"],
            "mark": facts.get("mark", ""),
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
            changes = {
                "offset": facts["offset"],
                "last_line": _last_line(facts["text"]) or step.last_line,
                "moves": under_way(step.moves, facts["text"]),
            }
        case Kind.OUTCOME | Kind.SKIPPED:
            changes = {"moves": "", **{name: facts[name] for name in _PLAIN_FACTS[event.kind]}}
        case Kind.NOTHING_TO_DO | Kind.VERIFIED | Kind.PAUSED:
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
    "moves": "",
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
